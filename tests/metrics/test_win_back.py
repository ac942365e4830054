"""Win-back against a loop over lost journeys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from journeymine.columns import MICRO
from journeymine.errors import QuestionError
from journeymine.metrics import repeat_rate, win_back
from journeymine.stats.histogram import bucket_of, bucket_value
from tests.metrics.walk import known_at, waiting_share, walks_of
from tests.oracles.logs import MINUTE, START, Row, build, short_watch


@given(short_watch())
def test_shares_are_those_of_a_loop_over_lost_journeys(made: tuple[tuple[Row, ...], dict[str, Any]]) -> None:
    log, fields = made
    journeys = build(log, **fields)
    lost_at = fields["lost_at"]
    quits = [lost_at] if isinstance(lost_at, str) else [lost_at["touchpoint"]] if isinstance(lost_at, dict) else lost_at
    people, users, back = [], set(), []
    for walk in walks_of(journeys):
        if walk.status != "lost":
            continue
        quit_at = [step["us"] for step in walk.steps if quits and step["touchpoint"] in quits]
        silent = walk.end + 10 * MINUTE
        at = quit_at[0] if quit_at else silent if walk.next_start is None else min(silent, walk.next_start)
        took = None if walk.next_start is None else max(walk.next_start - at, 0)
        people.append((took, journeys.context.observed_until - at))
        users.add(walk.user)
        back += [] if took is None else [(took, walk.user)]
    result = win_back(journeys, bin="2m", horizon="6m")
    row = result.frame.row(0, named=True)
    assert (row["n"], row["n_users"], row["came_back"]) == (len(people), len(users), len(back))
    assert row["users_back"] == len({user for _, user in back})
    if people:
        assert row["so_far_share"] == pytest.approx(len(back) / len(people))
    if back:
        middle = sorted(took for took, _ in back)[(len(back) + 1) // 2 - 1]
        assert row["p50_s"] == pytest.approx(float(bucket_value(bucket_of(middle))) / MICRO)
    if known_at(people, 2 * MINUTE, 3):
        assert row["came_back_share"] == pytest.approx(1 - float(waiting_share(people, 2 * MINUTE, 3)))
    else:
        assert row["came_back_share"] is None
        assert row["reason"]
    for point in result.tables["curves"].iter_rows(named=True):
        expected = 1 - waiting_share(people, 2 * MINUTE, round(point["time_s"] / 120))
        assert point["came_back_share"] == pytest.approx(float(expected))


def test_without_a_goal_a_loss_is_what_quits_and_not_what_falls_silent() -> None:
    log = tuple(Row(user, minute * MINUTE, label, "web", *[None] * 4) for user, minute, label in [
        ("a", 0, "visit"), ("a", 1, "quit"), ("a", 30, "visit"), ("b", 0, "visit"), ("b", 30, "visit"), ("c", 99, "visit"),
    ])  # fmt: skip
    journeys = build(log, idle="10m", session_gap="5m", lost_at="quit")
    assert sorted(journeys.table["status"]) == ["ended", "ended", "ended", "lost", "open"]
    found = win_back(journeys, bin="1m", horizon="60m").frame.row(0, named=True)
    assert (found["n"], found["came_back"]) == (1, 1)
    silent = win_back(build(log, idle="10m", session_gap="5m"), bin="1m", horizon="60m").frame.row(0, named=True)
    assert silent["n"] == 0
    assert "neither a goal nor lost_at was named" in silent["reason"]


def test_a_log_that_ends_soon_after_the_losses_says_more_than_a_count() -> None:
    day = 24 * 60 * MINUTE
    log = tuple(
        Row(f"u{i}", int(when * day), "visit", "web", *[None] * 4)
        for i in range(60)
        for when in ([i, i + 35] if i % 2 else [i])
        if when <= 70
    )
    row = win_back(build(log, goal="order", idle="30d"), horizon="10d").frame.row(0, named=True)
    # One in two comes back 5 days after the loss, but the last losses were watched for less.
    assert row["so_far_share"] < 0.46
    assert row["came_back_share"] == pytest.approx(0.5, abs=0.02)
    assert row["came_back_share_lower"] < 0.5 < row["came_back_share_upper"]
    assert row["p50_s"] == pytest.approx(5 * 86_400, rel=0.01)


def test_who_comes_back_after_the_end_of_the_watch_has_not_come_back_by_then() -> None:
    day = 24 * 60 * MINUTE
    log = tuple(
        Row(f"u{i}", when * day, "visit", "web", *[None] * 4)
        for i in range(100)
        for when in ([0, 60] if i % 2 else [0])
    )
    journeys = build(log, goal="order", idle="10d", observed_until=START + 50 * day)
    # Lost after 10 days, watched for 40 more; half come back after 50.
    assert win_back(journeys, horizon="40d").frame["came_back_share"].to_list() == [0.0]
    assert win_back(journeys, horizon="50d").frame["came_back_share"].to_list() == [None]
    reason = win_back(journeys, horizon="50d").frame["reason"].item()
    assert reason == "those who had not come again were watched for less than 41d, not for the whole horizon of 50d"
    with pytest.raises(QuestionError, match="horizon=1h is shorter than bin=1d"):
        win_back(journeys, horizon="1h")
    assert "shorter than bin=21d" in win_back(journeys, bin="21d").frame["reason"].item()


def test_where_nobody_is_back_yet_the_limit_is_that_of_as_many_users_not_of_as_many_folds() -> None:
    """600 customers were lost, 280 of them twice; 40 a day before the log ends; those who come back take three days."""
    day = 24 * 60 * MINUTE
    visits = [(f"u{i}", when) for i in range(600) for when in ([37.5] if i < 40 else [1.0, 14.5] if i % 2 else [1.0])]
    log = tuple(
        Row(user, START + int(when * day), "visit", "web", *[None] * 4) for user, when in [*visits, ("end", 49.0)]
    )
    journeys = build(log, idle="10d", goal="order")
    first = win_back(journeys, bin="1d", horizon="5d").tables["curves"].row(0, named=True)
    assert (first["time_s"], first["at_risk"], first["came_back"], first["censored"]) == (86_400, 880, 0, 40)
    squared = 1.998341**2  # Student's quantile for the 64 folds
    assert first["came_back_share_upper"] == pytest.approx(squared / (600 + squared), rel=1e-6)
    bought = repeat_rate(journeys, event="visit", bin="1d", horizon="5d").tables["hazard"].row(0, named=True)
    assert bought["repeated_share"] == 0
    assert bought["repeated_share_upper"] == pytest.approx(squared / (601 + squared), rel=1e-6)
