"""Each boundary to the microsecond, and each rule of the text by one small log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracles.logs import MINUTE, START, Row, build

IDLE, GAP = 10 * MINUTE, 3 * MINUTE
UNTIL = START + 100 * MINUTE


def table(rows: list[tuple[int, str]], **rules: Any) -> list[tuple[Any, ...]]:
    """(steps, status) of the journeys of user u, rows being (µs, touchpoint)."""
    log = (
        Row("x", 0, "visit", "web", None, None, None, None),
        *(Row("u", us, what, "web", 1.0, None, None, None) for us, what in rows),
    )
    fields = {"goal": "order", "idle": "10m", "session_gap": "3m", "observed_until": UNTIL}
    journeys = build(log, **{**fields, **rules})
    return journeys.table.filter(user="u").select("n_steps", "status").rows()


def flags(us: int, name: str) -> bool:
    log = (Row("x", 0, "visit", "web", None, None, None, None), Row("u", us, "visit", "web", None, None, None, None))
    journeys = build(log, goal="order", idle="10m", session_gap="3m", observed_until=UNTIL)
    return bool(journeys.table.filter(user="u")[name].item())


@pytest.mark.parametrize(("us", "status"), [(-1, "lost"), (0, "open"), (1, "open")])
def test_lost_is_silent_for_longer_than_idle(us: int, status: str) -> None:
    assert table([(100 * MINUTE - IDLE + us, "visit")]) == [(1, status)]


@pytest.mark.parametrize(("us", "mature"), [(-1, True), (0, True), (1, False)])
def test_mature_is_at_least_twice_idle_old(us: int, mature: bool) -> None:
    assert flags(100 * MINUTE - 2 * IDLE + us, "mature") is mature


@pytest.mark.parametrize(("us", "truncated"), [(0, True), (IDLE - 1, True), (IDLE, False)])
def test_left_truncated_begins_where_a_step_before_the_log_could_belong_to_it(us: int, truncated: bool) -> None:
    assert flags(us, "left_truncated") is truncated


@pytest.mark.parametrize(("gap", "n"), [(IDLE, 1), (IDLE + 1, 2)])
def test_a_gap_strictly_longer_than_idle_cuts(gap: int, n: int) -> None:
    assert len(table([(0, "visit"), (gap, "visit")])) == n


@pytest.mark.parametrize(("gap", "n"), [(GAP, 1), (GAP + 1, 2)])
def test_a_gap_strictly_longer_than_session_gap_begins_a_session(gap: int, n: int) -> None:
    log = tuple(Row("u", us, "visit", "web", None, None, None, None) for us in (0, gap))
    journeys = build(log, idle="10m", session_gap="3m")
    assert journeys.table["n_sessions"].to_list() == [n]
    assert len(build(log, idle="10m", session_gap="3m", split="session")) == n


def at(*touchpoints: str) -> list[tuple[int, str]]:
    return [(minute * MINUTE, what) for minute, what in enumerate(touchpoints)]


@pytest.mark.parametrize(
    ("steps", "rules", "expected"),
    [
        # After the goal: the goal's stage and later stay, an earlier stage begins the next journey.
        (at("visit", "order", "review", "order"), {}, [(4, "converted")]),
        (at("visit", "order", "review", "visit"), {}, [(3, "converted"), (1, "lost")]),
        (at("visit", "order", "🛒", "review"), {}, [(4, "converted")]),  # an unmapped touchpoint begins none
        (at("visit", "order", "🛒", "visit"), {}, [(3, "converted"), (1, "lost")]),
        (at("visit", "order", "review"), {"after_goal": "cut"}, [(2, "converted"), (1, "service")]),
        (at("visit", "order", "🛒"), {"after_goal": "cut"}, [(2, "converted"), (1, "lost")]),  # nothing mapped: no service
        (at("visit", "review"), {}, [(2, "lost")]),  # no earlier goal: no service
        # After idle, what is all after-sale is service; the rest is a journey.
        ([*at("visit", "order"), (30 * MINUTE, "review"), (31 * MINUTE, "🛒")], {}, [(2, "converted"), (2, "service")]),
        ([*at("visit", "order"), (30 * MINUTE, "review"), (31 * MINUTE, "visit")], {}, [(2, "converted"), (2, "lost")]),
        ([*at("visit", "order"), (30 * MINUTE, "order")], {}, [(2, "converted"), (1, "converted")]),
        ([*at("visit", "order"), (95 * MINUTE, "review")], {}, [(2, "converted"), (1, "service")]),
        # Lost at once: before the goal it ends the journey; after it, it is a step like any other.
        (at("visit", "quit", "visit"), {"lost_at": "quit"}, [(2, "lost"), (1, "lost")]),
        (at("visit", "order", "quit", "review"), {"lost_at": "quit"}, [(4, "converted")]),
        (at("visit", "order", "quit", "visit"), {"lost_at": "quit"}, [(3, "converted"), (1, "lost")]),
        ([(95 * MINUTE, "quit")], {"lost_at": "quit"}, [(1, "lost")]),
        # A goal that is a loss too converts.
        (at("visit", "order"), {"lost_at": "order"}, [(2, "converted")]),
        # Where the split is given it decides the status only, and a goal anywhere wins.
        (at("quit", "visit", "order", "quit"), {"lost_at": "quit", "split": "user"}, [(4, "converted")]),
        ([(95 * MINUTE, "visit"), (96 * MINUTE, "quit"), (97 * MINUTE, "visit")], {"lost_at": "quit", "split": "user"},
         [(3, "lost")]),
        # Followed by another journey: lost, however recent.
        ([(88 * MINUTE, "visit"), (99 * MINUTE, "visit")], {}, [(1, "lost"), (1, "open")]),
        # Without a goal: ended or open.
        (at("visit"), {"goal": None}, [(1, "ended")]),
        ([(99 * MINUTE, "visit")], {"goal": None}, [(1, "open")]),
        (at("visit", "quit", "visit"), {"goal": None, "lost_at": "quit"}, [(2, "lost"), (1, "ended")]),
    ],
)  # fmt: skip
def test_the_text_rule_by_rule(
    steps: list[tuple[int, str]], rules: dict[str, Any], expected: list[tuple[int, str]]
) -> None:
    assert table(steps, **rules) == expected


def test_value_counts_on_goal_steps_unless_it_is_said_otherwise() -> None:
    log = tuple(Row("u", i * MINUTE, what, "web", float(10**i), 0.5, None, None)
                for i, what in enumerate(("visit", "order", "review", "order")))  # fmt: skip
    fields = {"goal": "order", "idle": "10m", "session_gap": "3m"}
    assert build(log, **fields).table["value"].to_list() == [10.0 + 1_000.0]
    assert build(log, **fields, value_from="any").table["value"].to_list() == [1_111.0]
    assert build(log, **fields, value_from="review").table["value"].to_list() == [100.0]
    assert build(log, **fields).table["cost"].to_list() == [2.0]
    assert build(log, idle="10m", session_gap="3m").table["value"].to_list() == [1_111.0]


@pytest.mark.parametrize(
    ("minute", "nth"),
    [(0, 1), (1, 1), (2, 1), (3, 1), (12, 1), (13, None), (19, None), (20, 2), (30, 2), (40, 2), (41, None), (-10, 1),
     (-11, None)],
)  # fmt: skip
def test_a_company_touch_goes_to_the_journey_it_falls_into_then_the_next_then_the_one_before(
    minute: int, nth: int | None
) -> None:
    own = tuple(Row("u", (20 + m) * MINUTE, "visit", "web", None, None, None, None) for m in (0, 2, 30))
    mail = Row("u", (20 + minute) * MINUTE, "mail", "email", None, 0.25, None, None)
    journeys = build((*own, mail), goal="order", idle="10m", session_gap="3m")
    # Touches decide nothing: journeys start and end with the customer's own steps.
    assert journeys.table.select("nth_journey", "n_steps").rows() == [(1, 2), (2, 1)]
    assert journeys.steps.filter("by_company")["nth_journey"].to_list() == ([] if nth is None else [nth])
    assert journeys.company.n_outside == (nth is None)
    assert journeys.table["cost"].sum() == (0.25 if nth else 0)


def test_a_touch_near_two_journeys_goes_to_the_next() -> None:
    rows = [("visit", 0), ("mail", 6), ("visit", 11)]
    log = tuple(Row("u", minute * MINUTE, what, "email", None, None, None, None) for what, minute in rows)
    steps = build(log, goal="order", idle="10m", session_gap="3m").steps
    assert steps.filter("by_company")["nth_journey"].to_list() == [2]
