"""Activity and waiting against loops over steps."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.columns import MICRO
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.metrics import activity, waiting
from journeymine.stats.histogram import bucket_of, bucket_value
from tests.metrics.months import ZONES, local, monthly_logs
from tests.metrics.walk import walks_of
from tests.oracles.logs import Row, build, logs, rule_fields


@given(monthly_logs, st.sampled_from([*ZONES, "Asia/Kathmandu"]), st.sampled_from([None, "visit", {"goal": True}]))
def test_weekdays_and_hours_are_those_of_pythons_clock(log: tuple[Row, ...], zone: str, event: Any) -> None:
    journeys = build(log, goal="order")
    labels = {row.touchpoint for row in log}
    if event == "visit" and event not in labels:
        return
    expected: dict[Any, dict[str, Any]] = defaultdict(lambda: {"n": 0, "goals": 0, "journeys": set(), "users": set()})
    total: dict[str, int] = defaultdict(int)
    for number, walk in enumerate(walks_of(journeys)):
        for i, step in enumerate(walk.steps):
            if event is not None and step["touchpoint"] != ("visit" if event == "visit" else "order"):
                continue
            at = local(step["us"], zone)
            cell = expected[step["channel"], at.isoweekday(), at.hour]
            cell["n"] += 1
            cell["goals"] += i == walk.goal_step
            cell["journeys"].add(number)
            cell["users"].add(walk.user)
            total[step["channel"]] += 1
    frame = activity(journeys, timezone=zone, event=event, by="channel").frame
    assert set(frame.select("channel", "weekday", "hour").rows()) == set(expected)
    for row in frame.iter_rows(named=True):
        want = expected[row["channel"], row["weekday"], row["hour"]]
        assert (row["n"], row["goals"]) == (want["n"], want["goals"])
        assert (row["n_journeys"], row["n_users"]) == (len(want["journeys"]), len(want["users"]))
        assert row["share"] == pytest.approx(want["n"] / total[row["channel"]])
    whole = activity(journeys, timezone=zone, event=event).frame
    assert whole["n"].sum() == sum(total.values())
    if total:
        assert whole["share"].sum() == pytest.approx(1)


@given(logs, rule_fields(), st.sampled_from(["visit", ["call", "visit"]]), st.sampled_from([None, "order", "visit"]))
def test_waiting_is_that_of_a_loop_over_journeys(
    log: tuple[Row, ...], fields: dict[str, Any], start: Any, until: Any
) -> None:
    journeys = build(log, **fields)
    walks = walks_of(journeys)
    seen = {step["touchpoint"] for walk in walks for step in walk.steps}
    first = {start} if isinstance(start, str) else set(start)
    if not first <= seen or (until is not None and until not in seen):
        return
    expected: dict[str, Any] = defaultdict(lambda: defaultdict(int) | {"times": [], "users": set()})
    for walk in walks:
        at = next((i for i, step in enumerate(walk.steps) if step["touchpoint"] in first), None)
        if walk.status == "service" or at is None:
            continue
        row = expected[walk.steps[at]["channel"]]
        row["n_journeys"] += 1
        if not walk.mature:
            continue
        row["n"] += 1
        row["users"].add(walk.user)
        rest = range(at + 1, len(walk.steps))
        there = next((i for i in rest if until is None or walk.steps[i]["touchpoint"] == until), None)
        if there is None:
            row["lost_waiting"] += walk.status in ("lost", "ended")
            row["open_waiting"] += walk.status == "open"
            continue
        row["arrived"] += 1
        row["converted_after"] += walk.goal_step >= there
        row["times"].append(walk.steps[there]["us"] - walk.steps[at]["us"])
    frame = waiting(journeys, start=start, until=until, by="channel").frame
    assert set(frame["channel"]) == set(expected)
    for row in frame.iter_rows(named=True):
        want = expected[row["channel"]]
        for name in ("n_journeys", "n", "arrived", "lost_waiting", "open_waiting", "converted_after"):
            assert row[name] == want[name], name
        assert row["n_users"] == len(want["users"])
        if want["times"]:
            times = sorted(want["times"])
            assert row["mean_s"] == pytest.approx(sum(times) / len(times) / MICRO)
            middle = bucket_of(times[(len(times) + 1) // 2 - 1])
            assert row["p50_s"] == pytest.approx(float(bucket_value(middle)) / MICRO)
            assert row["arrived_share"] == pytest.approx(want["arrived"] / want["n"])


def test_without_a_goal_those_that_ended_are_lost_waiting_and_nothing_is_said_about_conversion() -> None:
    # ann arrives after an hour, bob leaves, and nobody is still there when the log ends.
    visits = [("ann", 0), ("bob", 0), ("bob", 1), ("zoe", 400 * 24)]
    log = (
        *(Row(user, hour * 3_600 * MICRO, "visit", "web", *[None] * 4) for user, hour in visits),
        Row("ann", 3_600 * MICRO, "call", "web", *[None] * 4),
    )
    row = waiting(build(log), start="visit", until="call").frame.row(0, named=True)
    assert [row[name] for name in ("n", "arrived", "lost_waiting", "open_waiting")] == [2, 1, 1, 0]
    assert (row["arrived_share"], row["lost_share"], row["converted_share"]) == (0.5, 0.5, None)


def test_the_hour_that_summer_time_repeats_holds_two() -> None:
    # 2020-10-25, 00:30 and 01:30 UTC are both 02:30 in Berlin.
    log = tuple(Row("a", us, "visit", "web", *[None] * 4) for us in (25_749_000_000_000, 25_752_600_000_000))
    frame = activity(build(log), timezone="Europe/Berlin").frame
    assert frame.select("weekday", "hour", "n").rows() == [(7, 2, 2)]
    assert activity(build(log)).frame.select(pl.col("hour")).to_series().to_list() == [0, 1]


def test_what_cannot_be_answered_says_why() -> None:
    journeys = build((Row("a", 0, "visit", "web", *[None] * 4),))
    with pytest.raises(QuestionError, match="start"):
        waiting(journeys, start=None)
    with pytest.raises(UnknownLabelError, match="visit"):
        waiting(journeys, start="visits")
    with pytest.raises(QuestionError, match="time zone"):
        activity(journeys, timezone="Berlin")
    with pytest.raises(QuestionError, match="another name"):
        activity(journeys, by="hour")
