"""Decompositions add up exactly, agree with the formula by hand, and name what was changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import journeymine as jm
from journeymine.errors import MergeError, QuestionError
from journeymine.metrics import decompose
from tests.oracles.logs import Row, build, logs

DAY = 86_400


def halves(journeys: jm.Journeys, seed: int = 0) -> tuple[jm.Journeys, jm.Journeys]:
    first = np.random.default_rng(seed).random(len(journeys)) < 0.5
    return journeys.pick(first), journeys.pick(~first)


@settings(max_examples=40)
@given(logs)
def test_effects_add_up_to_the_change(log: tuple[Row, ...]) -> None:
    a, b = halves(build(log, goal="order", idle="10m", session_gap="3m", mature_after="1m"))
    shares = [jm.conversion(each).frame["share"][0] for each in (a, b)]
    if None in shares:
        with pytest.raises(QuestionError, match="no mature journey"):
            decompose(a, b)
        return
    for by in ("channel", ["channel", "plan"], "plan"):
        found = decompose(a, b, by=by)
        total = dict(found.tables["total"].select("part", "effect").rows())
        assert total["change"] == pytest.approx(shares[0] - shares[1])
        assert total["mix"] + total["rate"] == pytest.approx(total["change"])
        assert found.frame["effect"].sum() == pytest.approx(total["change"])
        assert found.frame["mix_effect"].sum() == pytest.approx(total["mix"])
        assert found.tables["stages"]["effect"].sum() == pytest.approx(found.frame["rate_effect"].sum())


def rows_of(plan: list[tuple[str, str, int, int]]) -> jm.Journeys:
    """Journeys by (period, channel): how many, and how many of them convert; a user each."""
    frame: list[tuple[str, int, str, str]] = []
    for period, channel, n, won in plan:
        for i in range(n):
            user = f"{period}-{channel}-{i}"
            start = (0 if period == "b" else 100 * 86_400) + i
            frame.append((user, start, "visit", channel))
            if i < won:
                frame.append((user, start + 60, "order", channel))
    log = pl.DataFrame(frame, schema=["user", "t", "what", "channel"], orient="row")
    events = jm.read_events(log, timestamp="t", time_unit="s", touchpoint="what", channel="channel",
                            stages=jm.StageMap.of({"look": ["visit"], "buy": ["order"]}))  # fmt: skip
    return jm.build_journeys(events, goal="order", idle="1d", observed_until=300 * 86_400 * 1_000_000)


def test_by_hand() -> None:
    journeys = rows_of([("b", "web", 800, 80), ("b", "shop", 200, 60), ("a", "web", 400, 40), ("a", "shop", 600, 240)])
    found = decompose(journeys.between("1970-03-01", "1971-01-01"), journeys.between("1970-01-01", "1970-03-01"))
    rows = {row["channel"]: row for row in found.frame.iter_rows(named=True)}
    # Overall 28 % against 14 %. Shop: weight 0.6 against 0.2, share 0.4 against 0.3; web: share 0.1 in both.
    assert rows["web"]["rate_effect"] == 0
    assert rows["shop"]["rate_effect"] == pytest.approx(0.4 * 0.1)
    assert rows["shop"]["mix_effect"] == pytest.approx(0.4 * (0.35 - 0.21))
    assert rows["web"]["mix_effect"] == pytest.approx(-0.4 * (0.1 - 0.21))
    assert found.frame["effect"].sum() == pytest.approx(0.14)
    stages = {(r["channel"], r["stage"]): r["effect"] for r in found.tables["stages"].iter_rows(named=True)}
    assert stages["shop", "look"] == pytest.approx(0.04)  # who orders has reached the last stage: it loses nobody
    assert stages["shop", "buy"] == 0
    total = found.tables["total"].row(by_predicate=pl.col("part") == "change", named=True)
    # Nobody stands twice: the jackknife is near the binomial interval of the difference.
    half = 1.96 * np.sqrt(0.28 * 0.72 / 1000 + 0.14 * 0.86 / 1000)
    assert (total["effect_upper"] - total["effect_lower"]) / 2 == pytest.approx(half, rel=0.25)


@pytest.mark.parametrize(("few", "times", "told"), [(3, 20, False), (60, 1, True)], ids=["three people", "sixty"])
def test_of_a_few_people_no_interval_follows_on_either_side(few: int, times: int, *, told: bool) -> None:
    rows = [
        (f"{period}{i}", start + 2 * DAY * k + second, what, channel)
        for period, start, n, each in (("b", 0, 400, 2), ("a", 100 * DAY, few, times))
        for i in range(n)
        for k in range(each)
        for channel in (("web", "shop")[i % 2],)
        for second, what in enumerate(("visit", "order") if (i + k) % 4 == 0 else ("visit",))
    ]
    rows += [(f"c{i}", 200 * DAY, "visit", "kiosk") for i in range(90)]  # only in a, and of many people
    log = pl.DataFrame(rows, schema=["user", "t", "what", "channel"], orient="row")
    events = jm.read_events(log, timestamp="t", time_unit="s", touchpoint="what", channel="channel",
                            stages=jm.StageMap.of({"look": ["visit"], "buy": ["order"]}))  # fmt: skip
    journeys = jm.build_journeys(events, goal="order", idle="1d", observed_until=300 * DAY * 1_000_000)
    after, before = journeys.between("1970-03-01", "1971-01-01"), journeys.between("1970-01-01", "1970-03-01")
    for found, known in ((decompose(after, before), {"kiosk"}), (decompose(before, after), {"kiosk"})):
        intervals = dict(found.frame.select("channel", pl.col("rate_effect_lower").is_not_null()).rows())
        assert {channel for channel, given in intervals.items() if given} == ({*intervals} if told else known)
        assert (found.frame["reason"].is_null() == found.frame["effect_lower"].is_not_null()).all()
        part = found.tables["total"]
        assert part["effect"].null_count() == 0
    alone = decompose(
        journeys.where(pl.col("user").str.starts_with("a")), journeys.where(pl.col("user").str.starts_with("b"))
    )
    assert (alone.tables["total"]["effect_lower"].null_count() == 0) == told
    assert alone.tables["stages"]["effect_lower"].null_count() == (0 if told else 4)


def test_a_group_of_one_side_is_mix() -> None:
    journeys = rows_of([("b", "web", 100, 10), ("a", "web", 100, 10), ("a", "fair", 100, 50)])
    found = decompose(journeys.between("1970-03-01", "1971-01-01"), journeys.between("1970-01-01", "1970-03-01"))
    fair = found.frame.row(by_predicate=pl.col("channel") == "fair", named=True)
    assert (fair["rate_effect"], fair["share_b"]) == (0, None)
    assert found.frame["effect"].sum() == pytest.approx(0.2)


def test_what_cannot_be_decomposed() -> None:
    journeys = rows_of([("b", "web", 5, 1), ("a", "web", 5, 1)])
    with pytest.raises(QuestionError, match="several groups"):
        decompose(journeys, journeys, channel_of="any")
    with pytest.raises(QuestionError, match=r"channel_of=None\nHint: give 'entry' or 'exit'$"):
        decompose(journeys, journeys, channel_of=None)  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="'b' has no mature journey"):
        decompose(journeys, journeys.between("1980-01-01", "1981-01-01"))
    fields: dict[str, Any] = {"idle": "10m", "session_gap": "3m"}
    log = (Row("a", 0, "visit", "web", None, None, None, None), Row("b", 1, "order", "web", None, None, None, None))
    with pytest.raises(QuestionError, match="goal"):
        decompose(build(log, **fields), build(log, **fields))
    with pytest.raises(MergeError, match="different rules"):
        decompose(build(log, goal="order", **fields), build(log, goal="visit", **fields))
