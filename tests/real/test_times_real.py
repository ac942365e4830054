"""How long things take in the real logs, against plain loops, SQL, NumPy and SciPy."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

import journeymine as jm
from tests.real.plain import DAY, GOAL, about, loan_journeys, loans
from tests.real.test_events_real import olist

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]
WITHIN = 0.008
"""Quantiles come from buckets that are less than this wide."""


def quantile(times: list[int], q: float) -> float:
    return float(np.quantile(times, q, method="inverted_cdf")) / 1e6


@pytest.mark.parametrize("by", ["stage", "touchpoint"])
def test_how_long_applications_stay(by: str) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    visits: Counter[str] = Counter()
    for case in loans():
        if not case.mature:
            continue
        places = [step.stage if by == "stage" else step.what for step in case.steps]
        own: Counter[str] = Counter()
        times_here: Counter[str] = Counter()
        for place, group in itertools.groupby(range(len(places)), key=places.__getitem__):
            at = list(group)
            until = case.steps[min(at[-1] + 1, len(places) - 1)].us
            own[place] += 1
            times_here[place] += until - case.steps[at[0]].us
        for place, spent in times_here.items():
            first, last = place == places[0], place == places[-1]
            # With `split=` nothing but silence ends a case.
            running = last and case.last_of_log - case.steps[-1].us <= 30 * DAY
            if not (first and case.truncated) and not running:
                times[place].append(spent)
                visits[place] += own[place]
    frame = jm.dwell(loan_journeys(resource_as="nothing"), by=by).frame
    assert {row[by]: row["n"] for row in frame.iter_rows(named=True) if row["n"]} == {
        place: len(spent) for place, spent in times.items()
    }
    for row in frame.filter(pl.col("n") > 0).iter_rows(named=True):
        spent = times[row[by]]
        assert row["mean_s"] == about(sum(spent) / len(spent) / 1e6)
        assert row["mean_visits"] == about(visits[row[by]] / len(spent))
        for q, name in ((0.5, "p50_s"), (0.9, "p90_s")):
            assert row[name] == pytest.approx(quantile(spent, q), rel=WITHIN, abs=1e-6)


def test_how_long_customers_take_to_answer_an_offer(real_data: Path) -> None:
    sql = f"""
        with e as (select case_id as who, epoch_us("timestamp") as us, activity as what, row_number() over () as row
                   from read_parquet('{real_data / "bpic2012.parquet"}') where lifecycle = 'COMPLETE'),
        o as (select *, row_number() over (partition by who order by us, row) as i, min(us) over (partition by who) as begin
              from e),
        sent as (select who, begin, min(i) as i, arg_min(us, i) as us from o where what = 'O_SENT' group by all),
        back as (select s.who, min(o.i) as i, arg_min(o.us, o.i) - any_value(s.us) as took
                 from sent s join o on o.who = s.who and o.i > s.i and o.what = 'O_SENT_BACK' group by s.who)
        select s.who, b.took, exists (from o where o.who = s.who and what = '{GOAL}' and o.i >= b.i)
        from sent s left join back b using (who) where s.begin <= (select max(us) from e) - {60 * DAY}
    """
    rows = duckdb.sql(sql).fetchall()
    times = [took for _, took, _ in rows if took is not None]
    row = jm.waiting(loan_journeys(resource_as="nothing"), start="O_SENT", until="O_SENT_BACK").frame.row(0, named=True)
    assert (row["n"], row["arrived"], row["converted_after"]) == (len(rows), len(times), sum(won for *_, won in rows))
    assert row["mean_s"] == about(sum(times) / len(times) / 1e6)
    assert row["p50_s"] == pytest.approx(quantile(times, 0.5), rel=WITHIN)
    assert row["p90_s"] == pytest.approx(quantile(times, 0.9), rel=WITHIN)


def incidence(exits: list[tuple[int, str]], causes: tuple[str, ...]) -> dict[int, dict[str, float]]:
    """Aalen and Johansen's estimate by the formula: (bin, cause or ``""``) of each → bin → cause → share by its end."""
    left, alive, at_risk = Counter(exits), 1.0, len(exits)
    so_far, found = dict.fromkeys(causes, 0.0), {}
    for number in sorted({number for number, _ in exits}):
        for cause in causes:
            so_far[cause] += alive * left[number, cause] / at_risk
        alive *= 1 - sum(left[number, cause] for cause in causes) / at_risk
        at_risk -= sum(n for (at, _), n in left.items() if at == number)
        found[number] = dict(so_far)
    return found


def test_competing_times_to_convert_and_to_loss() -> None:
    exits: list[tuple[int, str]] = []
    for case in loans():
        if case.truncated:
            continue
        begin, cause, when = case.steps[0].us, "", case.last_of_log
        if case.won:
            cause, when = "converted", case.steps[case.goal].us
        elif case.lost:
            told = [step.us for step in case.steps if step.what in {"A_DECLINED", "A_CANCELLED"}]
            cause, when = "lost", told[0] if told else case.steps[-1].us + 30 * DAY
        watched = (case.last_of_log - begin) // DAY
        at = -(-(when - begin) // DAY)
        known = cause and at <= watched
        if watched >= 0:
            exits.append((at, cause) if known else (watched, ""))
    expected = incidence(exits, ("converted", "lost"))
    result = jm.time_to_convert(loan_journeys(resource_as="nothing"), bin="1d", horizon="60d")
    row, last = result.frame.row(0, named=True), max(number for number in expected if number <= 60)
    assert row["n"] == len(exits)
    assert row["converted_share"] == about(expected[last]["converted"])
    assert row["lost_share"] == about(expected[last]["lost"])
    for line in result.tables["curves"].iter_rows(named=True):
        known_by = expected[round(line["time_s"] / 86_400)]
        assert line["converted_share"] == about(known_by["converted"])
        assert line["lost_share"] == about(known_by["lost"])


def test_the_log_rank_test_between_two_origins_of_leads(real_data: Path) -> None:
    end = int(datetime(2018, 11, 15, tzinfo=UTC).timestamp() * 1_000_000)
    journeys = jm.build_journeys(olist(real_data, "UTC"), goal="won", split="user", observed_until=end)
    two = journeys.where(pl.col("entry_channel").is_in(["paid_search", "social"]))
    test = jm.time_to_convert(two, by="channel", bin="1d", horizon="90d").tables["test"].filter(cause="converted")
    samples = []
    for origin in ("paid_search", "social"):
        leads = two.table.filter(entry_channel=origin, left_truncated=False)
        took = leads.select((pl.col("goal_at") - pl.col("start")).dt.total_microseconds()).to_series()
        won = [-(-each // DAY) for each in took.drop_nulls()]
        # Who does not convert is lost after 30 days without a word: out of the running for the other outcome.
        samples.append(scipy_stats.CensoredData(uncensored=won, right=[30] * took.null_count()))
    known = scipy_stats.logrank(*samples)
    row = test.row(0, named=True)
    assert row["chi2"] == about(known.statistic**2, rel=1e-6)
    assert row["p_independent"] == about(known.pvalue, rel=1e-6)


def test_when_the_bank_works(real_data: Path) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    worked: Counter[tuple[int, int]] = Counter()
    for case in loans():
        for step in case.steps:
            at = datetime.fromtimestamp(step.us // 1_000_000, zone)
            worked[at.isoweekday(), at.hour] += 1
    frame = jm.activity(loan_journeys(resource_as="nothing"), timezone="Europe/Amsterdam").frame
    assert {(weekday, hour): n for weekday, hour, n in frame.select("weekday", "hour", "n").iter_rows()} == worked
    assert frame["share"].to_list() == pytest.approx([n / sum(worked.values()) for n in frame["n"]])


def test_who_comes_back_after_ten_quiet_days(real_data: Path) -> None:
    """Applications cut at ten days of silence and at the goal; those without one are lost, and some go on later."""
    took, watched = [], []
    for case in loans():
        parts = [[case.steps[0]]]
        for before, step in itertools.pairwise(case.steps):
            if step.us - before.us > 10 * DAY or before.what == GOAL:
                parts.append([])
            parts[-1].append(step)
        for i, part in enumerate(parts):
            following = parts[i + 1][0].us if i + 1 < len(parts) else None
            silent = case.last_of_log - part[-1].us > 10 * DAY
            if part[-1].what == GOAL or (following is None and not silent):
                continue
            at = part[-1].us + 10 * DAY
            took.append(None if following is None else max(following - at, 0))
            watched.append(case.last_of_log - at)
    exits = [
        (-(-t // DAY), "back") if t is not None and -(-t // DAY) <= w // DAY else (w // DAY, "")
        for t, w in zip(took, watched, strict=True) if w >= 0
    ]  # fmt: skip
    known = incidence(exits, ("back",))
    frame = pl.read_parquet(real_data / "bpic2012.parquet").filter(lifecycle="COMPLETE")
    events = jm.read_events(frame, user="case_id", timestamp="timestamp", touchpoint="activity")
    result = jm.win_back(jm.build_journeys(events, goal=GOAL, idle="10d"), bin="1d", horizon="20d")
    row = result.frame.row(0, named=True)
    back = [t for t in took if t is not None]
    assert (row["n"], row["came_back"], row["so_far_share"]) == (len(took), len(back), len(back) / len(took))
    assert row["came_back_share"] == about(known[20]["back"])
    assert row["p50_s"] == pytest.approx(quantile(back, 0.5), rel=WITHIN)


def test_how_often_one_call_for_missing_papers_is_enough() -> None:
    n = resolved = immature = 0
    for case in loans():
        calls = [step.us for step in case.steps if step.what == "W_Nabellen incomplete dossiers"]
        for i, at in enumerate(calls):
            if i and at - calls[i - 1] <= 7 * DAY:
                continue
            again = i + 1 < len(calls) and calls[i + 1] - at <= 7 * DAY
            whole = at + 7 * DAY <= case.last_of_log
            n, resolved, immature = n + whole, resolved + (whole and not again), immature + (not whole)
    row = jm.first_contact_resolution(
        loan_journeys(resource_as="nothing"), support="W_Nabellen incomplete dossiers", within="7d"
    ).frame.row(0, named=True)
    assert (row["n"], row["resolved"], row["immature"], row["share"]) == (n, resolved, immature, resolved / n)
