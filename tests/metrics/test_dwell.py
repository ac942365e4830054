"""Dwell against a loop over every journey's steps."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from journeymine.columns import MICRO
from journeymine.errors import UnknownLabelError
from journeymine.events import read_events
from journeymine.journeys import build_journeys
from journeymine.metrics import dwell
from journeymine.stats.histogram import bucket_of, bucket_value
from tests.metrics.walk import Walk, walks_of
from tests.oracles.logs import Row, build, logs, rule_fields


def by_hand(walks: list[Walk], label: str) -> dict[str, dict[str, Any]]:
    """What became of each place, journey by journey, step by step."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int) | {"times": [], "users": set()})
    for walk in walks:
        if walk.status == "service":
            continue
        spent: dict[str, int] = {}
        visits: dict[str, int] = {}
        for i, step in enumerate(walk.steps):
            here = step[label]
            if i == 0 or walk.steps[i - 1][label] != here:
                visits[here] = visits.get(here, 0) + 1
            until = walk.steps[i + 1]["us"] if i + 1 < len(walk.steps) else step["us"]
            spent[here] = spent.get(here, 0) + until - step["us"]
        for here, time in spent.items():
            row = found[here]
            row["n_reached"] += 1
            if not walk.mature:
                row["immature"] += 1
            elif walk.left_truncated and walk.steps[0][label] == here:
                row["left_truncated"] += 1
            elif walk.may_go_on and walk.steps[-1][label] == here:
                row["running"] += 1
            else:
                row["n"] += 1
                row["visits"] += visits[here]
                row["times"].append(time)
                row["users"].add(walk.user)
    return found


@pytest.mark.parametrize("label", ["stage", "channel"])
@given(logs, rule_fields())
def test_dwell_is_what_a_loop_over_steps_finds(label: str, log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    expected = by_hand(walks_of(journeys), label)
    frame = dwell(journeys, by=label).frame
    assert set(frame[label]) == set(expected)
    for row in frame.iter_rows(named=True):
        want = expected[row[label]]
        for name in ("n_reached", "n", "running", "left_truncated", "immature"):
            assert row[name] == want[name], (name, row, want)
        assert row["n_users"] == len(want["users"])
        if want["times"]:
            times = sorted(want["times"])
            assert row["mean_s"] == pytest.approx(sum(times) / len(times) / MICRO)
            assert row["mean_visits"] == pytest.approx(want["visits"] / len(times))
            middle = times[(len(times) + 1) // 2 - 1]
            assert row["p50_s"] == pytest.approx(float(bucket_value(bucket_of(middle))) / MICRO)
        else:
            assert row["mean_s"] is None
            assert row["p50_s"] is None
            assert row["reason"]


def test_a_return_to_a_stage_adds_to_its_time() -> None:
    at = [("visit", 0), ("visit", 2), ("review", 3), ("visit", 5), ("visit", 6), ("ad", 40)]
    log = tuple(
        Row(user, (minute + 100 * i) * 60 * MICRO, what, "web", None, None, None, None)
        for i, user in enumerate(("early", "late"))
        for what, minute in at
    )
    frame = dwell(build(log, idle="10m", session_gap="3m")).frame
    rows = {row["stage"]: row for row in frame.iter_rows(named=True)}
    # early's first journey is left-truncated where it began, late's is mature and known throughout.
    assert (rows["consideration"]["n"], rows["consideration"]["left_truncated"]) == (1, 1)
    assert rows["consideration"]["mean_s"] == 4 * 60
    assert rows["consideration"]["mean_visits"] == 2
    assert (rows["loyalty"]["n"], rows["loyalty"]["mean_s"]) == (2, 2 * 60)
    assert frame["stage"].to_list() == ["awareness", "consideration", "loyalty"]


def test_a_log_without_the_column_says_so() -> None:
    journeys = build((Row("a", 0, "visit", "web", None, None, None, None),))
    with pytest.raises(UnknownLabelError, match="country"):
        dwell(journeys, by="country")


def test_no_time_has_a_limit_below_zero() -> None:
    # One of many stays a day: estimate ± t · s would reach below 0. The first user is there so that the log begins early.
    seconds = [-10 * 86_400] + [at for i in range(200) for at in (0, 80_000 if i == 7 else 1)]
    log = pl.DataFrame({
        "user": ["first", *(f"u{i}" for i in range(200) for _ in range(2))], "s": seconds,
        "event": ["there", *["here", "there"] * 200],
    })  # fmt: skip
    events = read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="event")
    journeys = build_journeys(events, idle="2d", observed_until=40 * 86_400_000_000)
    row = dwell(journeys, by="touchpoint").frame.row(by_predicate=pl.col("touchpoint") == "here", named=True)
    assert (row["n"], row["mean_s"]) == (200, (199 + 80_000) / 200)
    assert row["mean_s_lower"] == 0 < row["mean_s"] < row["mean_s_upper"]


def test_what_is_alike_for_all_has_no_interval_of_its_mean() -> None:
    # All are at the order for 0 s and once, and at the visit for times of their own, once.
    begin = 10 * 86_400
    rows = [(f"u{u}", s, what) for u in range(400) for s, what in ((begin, "visit"), (begin + 60 + u, "order"))]
    rows.append(("before", 0, "visit"))  # so that no other journey may have begun before the log
    log = pl.DataFrame(rows, schema=["user", "s", "what"], orient="row")
    events = read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="what")
    found = dwell(build_journeys(events, goal="order", idle="1d", observed_until=10**13), by="touchpoint").frame
    visit, order = found.sort("touchpoint", descending=True).iter_rows(named=True)
    assert (order["mean_s"], order["mean_visits"]) == (0, 1)
    assert order["mean_s_lower"] is order["mean_visits_upper"] is None
    assert order["p50_s_lower"] == 0
    assert visit["mean_s_lower"] < 60 + 199.5 < visit["mean_s_upper"]
    assert visit["mean_visits_lower"] is None
