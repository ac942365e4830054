"""Simulated users with a known rhythm: retention, win-back and the curves of time cover the truth about 95 % of the time.

A few simulations in every run, so the bounds are wide there; `make evidence` does 2,000 and asks for 93–97 %.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from journeymine.events import read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import repeat_rate, retention, stickiness, time_to_convert

WEEKS, USERS, DAY = 10, 400, 86_400
MONDAY = 4 * DAY  # 5 January 1970

EVIDENCE = pytest.mark.parametrize(
    ("n", "low", "high"), [(80, 0.87, 1.0), pytest.param(2_000, 0.93, 0.97, marks=pytest.mark.evidence)]
)


def journeys_of(
    user: np.ndarray, second: np.ndarray, what: np.ndarray | list[str], until: int, **rules: str
) -> Journeys:
    frame = pl.DataFrame({"user": [f"user-{u}" for u in user.tolist()], "s": second, "event": what})
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="event")
    return build_journeys(events, observed_until=until * 1_000_000, **rules)


def covers(row: dict[str, float], name: str, truth: float) -> bool:
    return row[f"{name}_lower"] <= truth <= row[f"{name}_upper"]


def tell(what: str, n: int, hits: list[bool]) -> None:
    if n >= 1_000:
        sys.stdout.write(f"| {what} | {n:,} | {np.mean(hits):.1%} |\n")


def weekly(rng: np.random.Generator, salt: int) -> Journeys:
    """Every user has a propensity of their own to be there in a week: returns of one user resemble each other."""
    propensity = rng.beta(1, 2, USERS)
    user, week = np.nonzero(rng.random((USERS, WEEKS)) < propensity[:, None])
    second = MONDAY + week * 7 * DAY + rng.integers(0, 7 * DAY, len(week))
    return journeys_of(user + salt * USERS, second, ["visit"] * len(user), MONDAY + WEEKS * 7 * DAY)


def moments(first_time: bool) -> float:
    """Share that is there again in the week after, by integration over the propensity."""
    a = (np.arange(100_000) + 0.5) / 100_000
    density = 2 * (1 - a)
    # The week after the entry must be over: entries in weeks 0 … 8.
    entries = sum((1 - a) ** week for week in range(WEEKS - 1)) if first_time else WEEKS - 1
    return float((density * a * a * entries).sum() / (density * a * entries).sum())


@EVIDENCE
@pytest.mark.parametrize("recurring", [False, True])
def test_retention_over_all_cohorts(recurring: bool, n: int, low: float, high: float) -> None:
    rng, truth, found = np.random.default_rng(11), moments(not recurring), []
    for salt in range(n):
        overall = retention(weekly(rng, salt), periods=1, recurring=recurring).tables["overall"]
        row = overall.row(1, named=True)
        found.append((covers(row, "share", truth), row["share"]))
    tell(
        f"retention over all cohorts, {'every visit enters' if recurring else 'first visits enter'}",
        n,
        [hit for hit, _ in found],
    )
    assert low <= np.mean([hit for hit, _ in found]) <= high
    assert np.mean([share for _, share in found]) == pytest.approx(truth, abs=0.012 if n < 100 else 0.003)


@EVIDENCE
def test_one_cohort_and_one_period(n: int, low: float, high: float) -> None:
    rng, hits = np.random.default_rng(12), []
    a = (np.arange(100_000) + 0.5) / 100_000
    truth = float((2 * (1 - a) * a * a).sum() / (2 * (1 - a) * a).sum())
    for salt in range(n):
        frame = retention(weekly(rng, salt), periods=2).frame
        hits.append(covers(frame.row(2, named=True), "share", truth))
    tell("retention of one cohort in one period", n, hits)
    # One entry in three users: some 130 trials, whose Wilson interval is rather too wide than too narrow.
    assert low - 0.005 <= np.mean(hits) <= max(high, 0.98)


@EVIDENCE
@pytest.mark.parametrize(("rare", "window"), [(2, 7), (30, 7), (30, 30)])
def test_stickiness(rare: int, window: int, n: int, low: float, high: float) -> None:
    """Every user is there on a share of the days of their own, beta(1, rare). An effect of 1 at least would cover 99 %."""
    rng, hits, days = np.random.default_rng(14), [], 60
    truth = (rare + window) / window / (rare + 1)  # E p ÷ (1 − E (1 − p)^window)
    for salt in range(n):
        user, day = np.nonzero(rng.random((USERS, days)) < rng.beta(1, rare, USERS)[:, None])
        journeys = journeys_of(user + salt * USERS, day * DAY, ["visit"] * len(user), days * DAY)
        hits.append(covers(stickiness(journeys, windows=[f"{window}d"]).frame.row(0, named=True), "share", truth))
    tell(f"stickiness over {window} days, users come {'often' if rare == 2 else 'rarely'}", n, hits)
    assert low <= np.mean(hits) <= high


@EVIDENCE
@pytest.mark.parametrize(("buyers", "share"), [(160, 0.4), (40, 0.1), (20, 0.05)])
def test_value_per_member_where_few_pay_and_amounts_differ(
    buyers: int, share: float, n: int, low: float, high: float
) -> None:
    """All come in the first week; some buy in the second, for log-normal amounts. Straight limits cover 93, 90 and 88 %."""
    rng, hits, truth = np.random.default_rng(buyers), [], share * float(np.exp(0.5))
    for salt in range(n):
        bought = np.flatnonzero(rng.random(USERS) < share)
        user = np.concatenate((np.arange(USERS), bought)) + salt * USERS
        week = np.repeat([0, 1], [USERS, len(bought)])
        log = pl.DataFrame({
            "user": [f"user-{u}" for u in user.tolist()],
            "s": MONDAY + week * 7 * DAY + rng.integers(0, 7 * DAY, len(week)),
            "event": ["visit"] * USERS + ["order"] * len(bought),
            "paid": [None] * USERS + rng.lognormal(0, 1, len(bought)).tolist(),
        })  # fmt: skip
        events = read_events(
            log, user="user", timestamp="s", time_unit="s", touchpoint="event", value="paid", currency="EUR"
        )
        journeys = build_journeys(events, observed_until=(MONDAY + 14 * DAY) * 1_000_000)
        hits.append(covers(retention(journeys, periods=1).frame.row(1, named=True), "value_per_user", truth))
    tell(f"value per member, {buyers} of {USERS} pay log-normal amounts", n, hits)
    assert low <= np.mean(hits) <= high


@EVIDENCE
@pytest.mark.parametrize("days", [60, 90, 180])
def test_conversion_within_a_horizon_in_a_log_cut_short(days: int, n: int, low: float, high: float) -> None:
    # Users start all over the log and have several journeys; a third of these converts, after 6 days on average.
    rng, hits, shares = np.random.default_rng(13), [], []
    truth = float(share_within(14))
    for salt in range(n):
        log = attempts(rng, days)
        row = time_to_convert(log(salt), horizon="14d").frame.row(0, named=True)
        hits.append(covers(row, "converted_share", truth))
        shares.append(row["converted_share"])
    tell(f"conversion within 14 days, log of {days} days", n, hits)
    assert low <= np.mean(hits) <= high
    assert np.mean(shares) == pytest.approx(truth, abs=0.015 if n < 100 else 0.003)


def share_within(days: int) -> float:
    """A beta-distributed third of the attempts converts, at an exponential time in whole days after the start."""
    return (1 - np.exp(-days / 6)) / 3


def attempts(rng: np.random.Generator, days: int) -> Callable[[int], Journeys]:
    """Attempts 40 days apart, each with visits every 5 days until it converts or is given up."""
    propensity = rng.beta(1, 2, USERS)
    user, start = [], []
    for attempt in range(-(-days // 40)):
        user.append(np.arange(USERS))
        start.append(rng.integers(0, 40, USERS) // 2 + attempt * 40)
    who, begin = np.concatenate(user), np.concatenate(start)
    converts = rng.random(len(who)) < propensity[who]
    after = np.ceil(rng.exponential(6, len(who)))
    rows = [(who, begin * DAY, np.zeros(len(who), dtype=bool))]
    soon = converts & (after <= 15)
    rows.append((who[soon], (begin + after)[soon].astype(np.int64) * DAY, np.ones(int(soon.sum()), dtype=bool)))
    first = np.zeros(1, dtype=np.int64)
    rows.append((first - 1, first - 15 * DAY, first > 0))  # so that no attempt begins within idle of the log's start
    user_of, second, goal = (np.concatenate(part) for part in zip(*rows, strict=True))
    seen = second <= days * DAY

    def build(salt: int) -> Journeys:
        what = np.where(goal, "order", "visit")[seen]
        return journeys_of(
            user_of[seen] + salt * (USERS + 1), second[seen], what.tolist(), days * DAY, goal="order", idle="15d"
        )

    return build


@pytest.mark.parametrize("until", [85, 100, 120])
def test_what_a_log_holds_after_the_end_of_its_watch_moves_no_share_within_a_time(until: int) -> None:
    rng, n = np.random.default_rng(3), 4_000
    start, took = rng.uniform(61, 120, n), rng.exponential(20, n)
    user, second = np.append(np.tile(np.arange(n), 2), n), np.concatenate((start, start + took, [0])) * DAY
    what = ["visit"] * n + ["order"] * n + ["visit"]
    kept = second < 180 * DAY  # another source goes on for long
    journeys = journeys_of(
        user[kept], second[kept].astype(np.int64), np.array(what)[kept], until * DAY, goal="order", idle="60d"
    )
    truth = 1 - np.exp(-20 / 20)
    converted = time_to_convert(journeys, horizon="20d").frame["converted_share"].item()
    again = repeat_rate(journeys, event=["visit", "order"], bin="1d", horizon="20d").frame["repeated_share"][0]
    assert converted == pytest.approx(truth, abs=0.03)
    assert again == pytest.approx(truth, abs=0.03)
