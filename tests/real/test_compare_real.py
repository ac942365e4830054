"""Differences between channels and periods of the real logs, and why conversion changed, by the formulas and SciPy."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

import journeymine as jm
from tests.real.plain import DAY, about, loan_journeys, loans, wilson
from tests.real.test_events_real import olist
from tests.real.test_journeys_receipt import GOAL as PERMIT

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]


@pytest.fixture(scope="module")
def permits(real_data: Path) -> jm.Journeys:
    events = jm.read_events(
        real_data / "receipt.csv.gz", user="case:concept:name", timestamp="time:timestamp", touchpoint="concept:name",
        channel="case:channel", attributes=["case:department"],
    )  # fmt: skip
    return jm.build_journeys(events, goal=PERMIT, split="user")


@pytest.fixture(scope="module")
def outcomes(real_data: Path) -> list[tuple[str, int, bool]]:
    """Channel, start (µs) and success of each permit old enough to judge."""
    return duckdb.sql(
        f"""with e as (select "case:concept:name" as who, "case:channel" as channel, "concept:name" as what,
                              epoch_us("time:timestamp"::timestamptz) as us
                       from read_csv('{real_data / "receipt.csv.gz"}', all_varchar=true)),
                 c as (select arg_min(channel, us) as channel, min(us) as begin, bool_or(what = '{PERMIT}') as won
                       from e group by who)
            select channel, begin, won from c where begin <= (select max(us) from e) - {60 * DAY}"""
    ).fetchall()


def test_permits_asked_for_on_the_internet_against_those_at_the_desk(
    permits: jm.Journeys, outcomes: list[tuple[str, int, bool]]
) -> None:
    online, desk = (permits.where(pl.col("entry_channel") == name) for name in ("Internet", "Desk"))
    row = jm.compare(online, desk, jm.Conversion(), columns="share").frame.row(0, named=True)
    counts = {name: [won for channel, _, won in outcomes if channel == name] for name in ("Internet", "Desk")}
    (x1, n1), (x2, n2) = ((sum(each), len(each)) for each in counts.values())
    assert (row["a"], row["b"], row["difference"]) == (x1 / n1, x2 / n2, about(x1 / n1 - x2 / n2))
    # Newcombe's limits for independent groups; ours allow for folds that go together by chance, and so differ a little.
    (l1, u1), (l2, u2), p1, p2 = wilson(x1, n1), wilson(x2, n2), x1 / n1, x2 / n2
    below, above = math.hypot(p1 - l1, u2 - p2), math.hypot(u1 - p1, p2 - l2)
    assert row["difference"] - row["difference_lower"] == pytest.approx(below, rel=0.2)
    assert row["difference_upper"] - row["difference"] == pytest.approx(above, rel=0.2)
    known = scipy_stats.chi2_contingency([[x1, n1 - x1], [x2, n2 - x2]], correction=False).pvalue
    assert (row["p_value"] < 0.05) == (known < 0.05)


def test_how_long_loans_took_in_winter_and_in_autumn() -> None:
    journeys = loan_journeys(resource_as="nothing")
    found = jm.before_after(journeys, "2011-12-01", jm.Conversion()).frame
    change = int(datetime(2011, 12, 1, tzinfo=UTC).timestamp() * 1_000_000)
    sides = [
        [case for case in loans() if case.mature and (case.steps[0].us >= change) == after] for after in (True, False)
    ]
    rows = {row["estimate"]: row for row in found.iter_rows(named=True)}
    for name, side in zip("ab", sides, strict=True):
        assert rows["share"][name] == about(sum(case.won for case in side) / len(side))
        assert rows["mean_value"][name] == about(np.mean([case.value for case in side if case.won]))
        # Who began before the log was watched for a month is left out of the times.
        took = [case.steps[case.goal].us - case.steps[0].us for case in side if case.won and not case.truncated]
        exact = np.quantile(took, 0.5, method="inverted_cdf") / 1e6
        assert rows["p50_s"][name] == pytest.approx(exact, rel=0.008)
    for row in (rows["p50_s"], rows["p90_s"]):
        # Days apart at most, hours at least; a limit is not a second away.
        assert row["difference_upper"] - row["difference_lower"] > 3_600


def test_why_conversion_of_permits_changed(permits: jm.Journeys, outcomes: list[tuple[str, int, bool]]) -> None:
    change = "2011-04-01"
    at = int(datetime(2011, 4, 1, tzinfo=UTC).timestamp() * 1_000_000)
    later, earlier = permits.between(change, "2013-01-01"), permits.between("2010-01-01", change)
    result = jm.decompose(later, earlier, by="channel")
    sides = []
    for after in (True, False):
        won: dict[str, list[bool]] = defaultdict(list)
        for channel, begin, success in outcomes:
            if (begin >= at) == after:
                won[channel].append(success)
        n = sum(map(len, won.values()))
        sides.append({channel: (len(each) / n, sum(each) / len(each)) for channel, each in won.items()})
    channels = sorted(set(sides[0]) | set(sides[1]))
    laid = []
    for own, other in (sides, sides[::-1]):
        laid.append([(own[c][0], own[c][1]) if c in own else (0.0, other[c][1]) for c in channels])
    overall = [sum(w * p for w, p in side) for side in laid]
    found = {row["channel"]: row for row in result.frame.iter_rows(named=True)}
    assert sorted(found) == channels
    mixes, rates = [], []
    for channel, (w1, p1), (w2, p2) in zip(channels, *laid, strict=True):
        mixes.append((w1 - w2) * ((p1 + p2) / 2 - sum(overall) / 2))
        rates.append((w1 + w2) / 2 * (p1 - p2))
        assert (found[channel]["mix_effect"], found[channel]["rate_effect"]) == (about(mixes[-1]), about(rates[-1]))
    total = dict(result.tables["total"].select("part", "effect").iter_rows())
    assert total == {
        "mix": about(sum(mixes)), "rate": about(sum(rates)), "change": about(overall[0] - overall[1])
    }  # fmt: skip
    # By stage, of which this log has one, the rate effects are told again.
    assert result.tables["stages"]["effect"].sum() == about(sum(rates))


def test_leads_of_two_origins_and_of_two_seasons(real_data: Path) -> None:
    end = int(datetime(2018, 11, 15, tzinfo=UTC).timestamp() * 1_000_000)
    journeys = jm.build_journeys(olist(real_data, "UTC"), goal="won", split="user", observed_until=end)
    found = jm.before_after(journeys, "2018-01-01", jm.Conversion(by="channel"), columns="share")
    leads, deals = (real_data / f"olist_{name}_dataset.csv" for name in ("marketing_qualified_leads", "closed_deals"))
    sql = f"""
        select coalesce(case when origin = '(unknown)' then '"(unknown)"' else origin end, '(unknown)'),
               strptime(first_contact_date, '%d-%m-%Y') >= date '2018-01-01' as late, count(*),
               count(*) filter (strptime(won_date, '%d-%m-%Y %H:%M') >= strptime(first_contact_date, '%d-%m-%Y'))
        from read_csv('{leads}', all_varchar=true) left join read_csv('{deals}', all_varchar=true) using (mql_id)
        group by all
    """
    known = {(origin, late): (n, won) for origin, late, n, won in duckdb.sql(sql).fetchall()}
    for row in found.frame.iter_rows(named=True):
        (n1, x1), (n2, x2) = (known[row["channel"], late] for late in (True, False))
        assert (row["a"], row["b"]) == (x1 / n1, x2 / n2)
        plain = scipy_stats.chi2_contingency([[x1, n1 - x1], [x2, n2 - x2]], correction=False).pvalue
        if row["p_value"] is not None and min(n1, n2) >= 300:
            assert abs(math.log10(row["p_value"]) - math.log10(plain)) < 0.25 * abs(math.log10(plain)) + 0.35
    assert found.tables["global"]["p_value"][0] < 0.01
