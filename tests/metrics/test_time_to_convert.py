"""Time to convert against plain loops, SciPy's survival functions, and logs made by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from scipy import stats as scipy_stats

from journeymine.errors import QuestionError
from journeymine.metrics import time_to_convert
from tests.metrics.walk import Walk, known_at, walks_of
from tests.oracles.logs import MINUTE, START, Row, build, short_watch

HOUR = 60 * MINUTE
DAY = 24 * HOUR


def fates(walks: list[Walk], fields: dict[str, Any], until: int) -> list[tuple[str, int | None, int]]:
    """Cause (or ""), µs until it, and µs watched, of every journey that is asked."""
    found = []
    lost_at = fields.get("lost_at")
    labels = {lost_at} if isinstance(lost_at, str) else set(lost_at or ())
    if isinstance(lost_at, dict):
        labels = {lost_at["touchpoint"]}
    for walk in walks:
        if walk.status == "service" or walk.left_truncated:
            continue
        cause, at = "", None
        if walk.status == "converted":
            cause, at = "converted", walk.steps[walk.goal_step]["us"]
        elif walk.status in ("lost", "ended"):
            cause, at = "lost", walk.end + 10 * MINUTE
            if walk.next_start is not None:
                at = min(at, walk.next_start)
            quits = [step["us"] for step in walk.steps if step["touchpoint"] in labels]
            at = quits[0] if quits else at
        found.append((cause, None if at is None else at - walk.start, until - walk.start))
    return found


def incidence(people: list[tuple[str, int | None, int]], width: int, k: int) -> dict[str, Fraction]:
    """Aalen and Johansen's estimate after k bins, person by person."""
    open_share, shares = Fraction(1), {"converted": Fraction(0), "lost": Fraction(0)}
    for each in range(k + 1):
        happened = {"converted": 0, "lost": 0}
        asked = 0
        for cause, took, watched in people:
            if watched < each * width:
                continue
            if cause and took is not None and took <= (each - 1) * width and (each or took < 0):
                continue
            asked += 1
            if cause and took is not None and took <= each * width:
                happened[cause] += 1
        if asked:
            for cause, n in happened.items():
                shares[cause] += open_share * Fraction(n, asked)
            open_share *= 1 - Fraction(sum(happened.values()), asked)
    return shares | {"open": open_share}


@given(short_watch())
def test_curves_are_those_of_a_loop_over_journeys(made: tuple[tuple[Row, ...], dict[str, Any]]) -> None:
    log, fields = made
    journeys = build(log, **fields)
    people = fates(walks_of(journeys), fields, journeys.context.observed_until)
    result = time_to_convert(journeys, bin="2m", horizon="9m")
    row = result.frame.row(0, named=True)
    assert row["n"] == len(people)
    for cause, column in (("converted", "converted"), ("lost", "lost"), ("", "open")):
        assert row[column] == sum(1 for each in people if each[0] == cause)
    has_goal = fields["goal"] is not None
    for point in result.tables["curves"].iter_rows(named=True):
        expected = incidence(people, 2 * MINUTE, round(point["time_s"] / 120))
        for name, share in expected.items():
            if name == "converted" and not has_goal:
                assert point["converted_share"] is None
            else:
                assert point[f"{name}_share"] == pytest.approx(float(share), abs=1e-9)
    pairs = [(took, watched) for _, took, watched in people]
    if known_at(pairs, 2 * MINUTE, 4):
        assert row["lost_share"] == pytest.approx(float(incidence(people, 2 * MINUTE, 4)["lost"]), abs=1e-9)
    else:
        assert row["lost_share"] is None


def hourly(seed: int, n: int = 150) -> tuple[tuple[Row, ...], np.ndarray, np.ndarray, np.ndarray]:
    """One journey per user in whole hours: time to convert or until the log's end, and two groups."""
    draw = np.random.default_rng(seed)
    start = draw.integers(11, 100, n)
    group = draw.integers(0, 2, n)
    took = np.ceil(draw.exponential(np.where(group == 0, 20, 45))).astype(int)
    rows = [Row(f"user-{i}", int(start[i]) * HOUR, "visit", "web", None, None, "ab"[group[i]], None) for i in range(n)]
    rows += [
        Row(f"user-{i}", int(start[i] + took[i]) * HOUR, "order", "web", None, None, "ab"[group[i]], None)
        for i in range(n)
        if start[i] + took[i] <= 120
    ]
    rows += [Row("first", 0, "visit", "web", None, None, "a", None)]
    return tuple(rows), np.minimum(took, 120 - start), start + took <= 120, group


@pytest.mark.parametrize("seed", range(3))
def test_scipy_finds_the_same_survival_and_the_same_log_rank_test(seed: int) -> None:
    log, time, happened, group = hourly(seed)
    fields = {"goal": "order", "idle": "60d", "observed_until": START + 120 * HOUR, "segments": {"plan": "plan"}}
    journeys = build(log, **fields)
    journeys = journeys.replace(heads=journeys.heads.replace(left_truncated=journeys.heads.start == START))
    result = time_to_convert(journeys, by="plan", bin="1h", horizon="30h")
    data = [
        scipy_stats.CensoredData(uncensored=time[(group == g) & happened], right=time[(group == g) & ~happened])
        for g in (0, 1)
    ]
    for g, label in enumerate("ab"):
        reference = scipy_stats.ecdf(data[g]).sf
        curve = result.tables["curves"].filter(pl.col("plan") == label)
        hours = curve["time_s"].to_numpy() / 3600
        assert curve["open_share"].to_numpy() == pytest.approx(reference.evaluate(hours), abs=1e-12)
        mine = result.frame.filter(pl.col("plan") == label)
        grid = np.arange(30)
        assert mine["open_mean_s"].item() / 3600 == pytest.approx(reference.evaluate(grid).sum())
    reference = scipy_stats.logrank(*data)
    test = result.tables["test"].row(0, named=True)
    assert test["cause"] == "converted"
    assert test["chi2"] == pytest.approx(reference.statistic**2)
    assert test["p_independent"] == pytest.approx(reference.pvalue)
    # Every user stands once, so the clustered test must find about the same.
    assert math.log10(test["p_value"]) == pytest.approx(math.log10(reference.pvalue), abs=1.5)


def test_a_week_includes_its_last_microsecond_and_open_journeys_stay_below_the_line() -> None:
    log = (
        Row("z", -10_000 * MINUTE, "visit", "web", None, None, None, None),
        *(Row(user, 0, "visit", "web", None, None, None, None) for user in "abcd"),
        Row("a", 7 * MINUTE, "order", "web", None, None, None, None),
        Row("b", 7 * MINUTE + 1, "order", "web", None, None, None, None),
        Row("c", 0, "quit", "web", None, None, None, None),
    )
    journeys = build(log, goal="order", lost_at="quit", idle="10m", session_gap="3m", observed_until=START + 9 * MINUTE)
    frame = time_to_convert(journeys, bin="7m", horizon="7m").frame
    row = frame.row(0, named=True)
    assert (row["n"], row["converted"], row["lost"], row["open"], row["left_truncated"]) == (4, 2, 1, 1, 1)
    assert (row["converted_share"], row["lost_share"], row["open_share"]) == (0.25, 0.25, 0.5)
    assert row["horizon_s"] == 7 * 60
    beyond = time_to_convert(journeys, bin="1m", horizon="10m").frame.row(0, named=True)
    assert beyond["converted_share"] is None
    assert "whole horizon" in beyond["reason"]


def test_a_curve_ends_after_20_000_bins() -> None:
    log = tuple(Row("a", i * 24 * HOUR, "visit", "web", None, None, None, None) for i in range(0, 90, 20))
    log += (Row("b", 0, "visit", "web", None, None, None, None), Row("c", 31 * 24 * HOUR, "order", *[None] * 5))
    journeys = build(log, goal="order", split="user")
    journeys = journeys.replace(heads=journeys.heads.replace(left_truncated=np.zeros(3, dtype=bool)))
    curves = time_to_convert(journeys, bin="1m", horizon="1h").tables["curves"]
    assert curves.select("time_s", "converted", "lost", "censored").rows() == [(0, 1, 0, 0), (1_200_000, 0, 0, 2)]


def test_nobody_is_followed_beyond_the_end_of_the_watch_because_something_happens_there() -> None:
    day = 24 * HOUR
    log = (Row("early", 0, "visit", "web", *[None] * 4),)
    log += tuple(Row(f"u{i}", 80 * day, "visit", "web", *[None] * 4) for i in range(100))
    log += tuple(Row(f"u{i}", 95 * day, "order", "web", *[None] * 4) for i in range(50))
    journeys = build(log, goal="order", idle="30d", observed_until=START + 90 * day)
    result = time_to_convert(journeys, horizon="15d")
    # All 100 were watched for 10 days, in which none converted; the orders came when nobody watched any more.
    assert result.tables["curves"].select("time_s", "converted", "censored").rows() == [(10 * 86_400, 0, 100)]
    assert result.frame["converted_share"].to_list() == [None]
    assert "15d" in result.frame["reason"].item()
    assert time_to_convert(journeys, horizon="10d").frame["converted_share"].to_list() == [0.0]


def test_a_horizon_must_hold_whole_bins_and_no_more_than_a_curve_has() -> None:
    log = tuple(Row(f"u{i}", i * 24 * HOUR, "visit", "web", *[None] * 4) for i in range(200))
    journeys = build(log, goal="order", idle="10d", observed_until=START + 199 * 24 * HOUR + 1)
    with pytest.raises(QuestionError, match="horizon=1h is shorter than bin=1d"):
        time_to_convert(journeys, horizon="1h")
    with pytest.raises(QuestionError, match="20,000 bins") as refused:
        time_to_convert(journeys, bin="1m", horizon="14d")
    assert "13d21h20m at most" in refused.value.hint
    assert time_to_convert(journeys, bin="1m", horizon="13d21h20m").frame["converted_share"].item() == 0
    # What nobody asked for is not refused: mature_after is 20 days here.
    for bin_, said in (("21d", "shorter than bin=21d"), ("1m", "28,800 times bin=1m")):
        result = time_to_convert(journeys, bin=bin_)
        assert result.frame["converted_share"].to_list() == [None]
        assert said in result.frame["reason"].item()
        assert result.tables["curves"].height


def test_the_reason_tells_why_nothing_is_known_and_for_how_long_one_watched() -> None:
    day = 24 * HOUR
    log = tuple(Row(f"u{i}", i * day // 10, "visit", "web", *[None] * 4) for i in range(279))
    log += (Row("last", 278 * day // 10 + 1, "visit", "web", *[None] * 4),)
    short = time_to_convert(build(log, goal="order", idle="30d"))
    # 27.9 days: with idle="9d" the last journey that is not left-truncated is watched for 18 of them.
    assert short.frame["reason"].item() == (
        "of 280 journeys here all are left-truncated: they begin within idle=30d of the log's start; "
        "the longest idle that this log supports is 9d"
    )
    with pytest.raises(QuestionError, match="no curve") as refused:
        short.plot()
    assert "is 9d" in refused.value.hint
    assert time_to_convert(build(log, goal="order", idle="9d")).frame["converted_share"].item() == 0
    assert "is 17d" in time_to_convert(build(log, goal="order", idle="30d"), horizon="10d").frame["reason"].item()
    assert time_to_convert(build(log, goal="order", idle="17d"), horizon="10d").frame["converted_share"].item() == 0
    assert "no longer than the horizon" in (
        time_to_convert(build(log, goal="order", idle="30d"), horizon="28d").frame["reason"].item()
    )
    # All that began early were decided at once; one that began late was not, and is watched for 2 days.
    log = (Row("first", 0, "visit", "web", *[None] * 4),)
    log += tuple(Row(f"u{i}", 20 * day, name, "web", *[None] * 4) for i in range(30) for name in ("visit", "order"))
    log += (Row("late", 50 * day, "visit", "web", *[None] * 4),)
    journeys = build(log, goal="order", idle="10d", observed_until=START + 52 * day)
    assert time_to_convert(journeys).frame["reason"].to_list() == [
        "journeys still undecided were watched for less than 3d, not for the whole horizon of 20d"
    ]


def test_labels_that_service_journeys_alone_have_are_no_rows_and_what_is_decided_leaves_nothing_open() -> None:
    day = 24 * HOUR
    log = (Row("first", 0, "visit", "web", *[None] * 4),)
    log += tuple(
        Row(f"u{i}", (20 + i % 7) * day, name, "web", *[None] * 4) for i in range(70) for name in ("visit", "order")
    )
    log += (Row("u1", 60 * day, "review", "email", *[None] * 4),)
    journeys = build(log, goal="order", idle="10d")
    assert "service" in journeys.table["status"].to_list()
    result = time_to_convert(journeys, by="channel")
    assert result.frame["channel"].to_list() == ["web"]
    assert result.frame.select("converted_share", "open_share").rows() == [(1.0, 0.0)]
    # Lost and converted in many bins: the shares' sum is 1 but for rounding, and open is 0 without any.
    log = log[:1] + tuple(
        Row(f"u{i}", 20 * day + us, name, "web", *[None] * 4)
        for i in range(97)
        for name, us in (("visit", 0), ("order" if i % 3 else "quit", i * HOUR))
    )
    undecided = time_to_convert(build(log, goal="order", lost_at="quit", idle="10d"), bin="1h", horizon="9d")
    assert undecided.frame["open_share"].to_list() == [0.0]


def wandering(seed: int) -> Any:
    """300 users whose channel at each step is a coin, and who go on, order or leave by another coin."""
    toss, log = np.random.default_rng(seed), []
    for user in range(300):
        at, n_steps = START + int(toss.integers(0, 60 * DAY)), 1 + int(toss.geometric(0.4))
        for step in range(n_steps):
            last = step == n_steps - 1 and toss.random() < 0.5
            channel = ("web", "app", "store")[int(toss.choice(3, p=[0.7, 0.2, 0.1]))]
            log.append(Row(f"{seed} {user}", at, "order" if last else "visit", channel, *[None] * 4))
            at += int(toss.exponential(DAY))
    return build(tuple(log), goal="order", idle="10d")


@pytest.mark.parametrize("later", ["any", "exit"])
def test_groups_are_tested_only_by_what_was_known_at_the_start(later: str) -> None:
    """A journey that lasts longer meets more channels, so by `any` every second log of coins would claim a difference."""
    claimed = 0
    for seed in range(30):
        journeys = wandering(seed)
        tested = time_to_convert(journeys, by="channel", horizon="10d").tables["test"]
        assert tested["reason"].to_list() == [None, None]
        claimed += tested["p_value"].min() < 0.025
        untested = time_to_convert(journeys, by="channel", horizon="10d", channel_of=later).tables["test"]
        assert untested.select("chi2", "p_independent", "p_value").null_count().row(0) == (2, 2, 2)
        assert all("channel_of='entry'" in reason for reason in untested["reason"])
    assert claimed <= 5  # 0.05 · 30 are expected, and six or more come up once in 300
