"""What a few customers do time and again says nothing of the others, and is not tested."""

from __future__ import annotations

import polars as pl
import pytest

import journeymine as jm

DAY = 86_400
WITH_MISHAP = pytest.mark.parametrize(
    ("customers", "tested"),
    [([(40, 1)], True), ([(60, 2)], True), ([(2, 20)], False), ([(30, 1), (1, 40)], False)],
    ids=["forty customers", "sixty who come twice", "two", "one who comes all the time"],
)


def journeys_of(mishaps: list[tuple[int, int]]) -> jm.Journeys:
    """300 customers who come twice by the app, others by the web and a mishap, so many times each; every third orders."""
    rows = [
        (f"{start}{times} {i}", DAY * 3 * k + second, what, channel)
        for start, n, times in [("look", 300, 2), *(("mishap", *each) for each in mishaps)]
        for i in range(n)
        for k in range(times)
        for second, (what, channel) in enumerate(
            [(start, "app" if start == "look" else "web"), ("look", "kiosk"), ("order", "kiosk")][
                : 2 + ((i + k) % 3 == 0)
            ]
        )
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "channel"], orient="row")
    stages = jm.StageMap.of(
        {"look": ["look", "mishap"], "buy": ["order"]}, touchpoints=[{"match": "mishap", "kind": "error"}]
    )
    events = jm.read_events(
        frame, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel", stages=stages
    )
    return jm.build_journeys(events, goal="order", idle="2d", observed_until=400 * DAY * 1_000_000)


@WITH_MISHAP
def test_a_friction_that_a_few_meet_time_and_again_is_not_tested(
    customers: list[tuple[int, int]], *, tested: bool
) -> None:
    frame = jm.friction(journeys_of(customers)).frame.filter(friction="error")
    row = frame.row(0, named=True)
    assert (frame.height, row["n"]) == (1, sum(n * times for n, times in customers))
    for name in ("p_value", "p_adjusted", "difference_lower", "conversions_at_stake_lower"):
        assert (row[name] is not None) == tested, name


@WITH_MISHAP
def test_a_crossing_that_a_few_make_time_and_again_is_not_tested_nor_is_what_is_compared_with_it(
    customers: list[tuple[int, int]], *, tested: bool
) -> None:
    frame = jm.handoffs(journeys_of(customers)).frame
    assert sorted(frame["from"]) == ["app", "web"]
    for row in frame.rows(named=True):
        for name in ("p_lost", "p_lost_adjusted", "lost_excess_lower", "p_value", "p_adjusted", "difference_lower"):
            assert (row[name] is not None) == tested, (row["from"], name)
