"""What an analyst can check by hand, and sums that no 64-bit integer holds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from journeymine.counting import Counts, finish
from journeymine.events.coded import Coded, CodedEvents
from journeymine.graph import Transitions, transitions, variants
from journeymine.journeys import JourneyRules
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.stats.wide import to_python_ints
from tests.oracles.logs import MINUTE, Row, build

LOG = tuple(
    Row(user, minute * MINUTE, what, "web", value, None, None, None)
    for user, minute, what, value in [
        ("a", 0, "visit", None), ("a", 1, "visit", None), ("a", 4, "order", 10.0),
        ("b", 0, "visit", None), ("b", 2, "order", 30.0),
        ("c", 0, "visit", None),
        ("z", 100, "ad", None),
    ]
)  # fmt: skip


def test_a_log_that_can_be_counted_by_hand() -> None:
    graph = transitions(build(LOG, goal="order", idle="10m", session_gap="3m"))
    columns = [
        "from",
        "to",
        "status",
        "n",
        "n_journeys",
        "n_users",
        "mature",
        "converted",
        "conversion",
        "value",
        "mean_s",
    ]
    assert graph.edges.select(columns).rows() == [
        (None, "ad", None, 1, 1, 1, 0, 0, None, 0.0, None),
        (None, "visit", None, 3, 3, 3, 3, 2, 2 / 3, 40.0, None),
        ("ad", None, "open", 1, 1, 1, 0, 0, None, 0.0, None),
        ("order", None, "converted", 2, 2, 2, 2, 2, 1.0, 40.0, None),
        ("visit", None, "lost", 1, 1, 1, 1, 0, 0.0, 0.0, None),
        ("visit", "order", None, 2, 2, 2, 2, 2, 1.0, 40.0, 150.0),
        ("visit", "visit", None, 1, 1, 1, 1, 1, 1.0, 10.0, 60.0),
    ]
    assert graph.nodes.select("label", "n", "n_journeys", "n_users").rows() == [
        ("ad", 1, 1, 1), ("order", 2, 2, 2), ("visit", 4, 3, 3),
    ]  # fmt: skip


def test_times_beyond_64_bits_are_summed_exactly() -> None:
    # 40,000 users with one step a century long each: 1.3e20 µs, fifteen times what int64 holds.
    n, century = 40_000, 99 * 366 * 86_400_000_000
    user = pl.Series("user", np.repeat([f"u{i}" for i in range(n)], 2))
    time = np.tile(np.array([0, century], dtype=np.int64), n) + np.repeat(np.arange(n), 2)
    time[1::2] += np.arange(n)
    events = CodedEvents(user, time, {"touchpoint": Coded(np.tile(np.array([0, 1], np.uint8), n), ("x", "y"))})
    context = LogContext(0, int(time.max()))
    journeys = build_coded(events, JourneyRules(split="user"), context, None)
    parts = [Transitions().count(part) for part in journeys.parts(10_000)]
    merged = Counts.merge(parts)
    times = merged.tables["times"]
    exact = n * century + n * (n - 1) // 2
    assert exact > 2**63
    assert to_python_ints(times["_time_hi"], times["_time_lo"]) == [exact]
    assert finish(Transitions(), parts).frame.filter(pl.col("from") == "x", pl.col("to") == "y")["mean_s"][0] == (
        pytest.approx(exact / n / 1e6, rel=1e-15)
    )
    durations = variants(journeys).frame["mean_duration_s"][0]
    assert durations == pytest.approx(exact / n / 1e6, rel=1e-15)


def test_values_beyond_64_bits_are_summed_exactly() -> None:
    n, huge = 3_000, 9 * 10**12 * 10**6
    events = CodedEvents(
        pl.Series("user", [f"u{i}" for i in range(n)]),
        np.arange(n, dtype=np.int64),
        {"touchpoint": Coded(np.zeros(n, np.uint8), ("order",))},
        {"value": np.full(n, huge // 1_000, dtype=np.int64)},
    )
    rules = JourneyRules(goal="order", mature_after="1us", idle="1ms", session_gap="1us")
    journeys = build_coded(events, rules, LogContext(0, n + 10), None)
    edges = Counts.merge([Transitions().count(part) for part in journeys.parts(100)]).tables["edges"]
    end = edges.filter(pl.col("to").is_null())
    assert sum(to_python_ints(end["value_hi"], end["value_lo"])) == n * (huge // 1_000) > 2**63


def test_variants_by_hand() -> None:
    frame = variants(build(LOG, goal="order", idle="10m", session_gap="3m")).frame
    assert frame.select("path", "n", "converted", "lost", "open", "conversion", "value").rows() == [
        (["ad"], 1, 0, 0, 1, None, 0.0),
        (["visit"], 1, 0, 1, 0, 0.0, 0.0),
        (["visit", "order"], 1, 1, 0, 0, 1.0, 30.0),
        (["visit", "visit", "order"], 1, 1, 0, 0, 1.0, 10.0),
    ]
    assert frame["covered"].to_list() == [0.25, 0.5, 0.75, 1.0]


def test_service_after_an_earlier_goal_is_outside_conversion() -> None:
    rows = tuple(
        Row(user, minute * MINUTE, what, "web", None, None, None, None)
        for user, minute, what in [("a", 0, "order"), ("a", 60, "review"), ("b", 0, "review"), ("z", 400, "visit")]
    )
    journeys = build(rows, goal="order", idle="10m", session_gap="3m")
    assert journeys.table["status"].to_list() == ["converted", "service", "lost", "open"]
    graph = transitions(journeys)
    assert graph.nodes.select("label", "n_journeys", "mature", "converted", "conversion").rows() == [
        ("order", 1, 1, 1, 1.0), ("review", 2, 1, 0, 0.0), ("visit", 1, 0, 0, None),
    ]  # fmt: skip
    left = graph.edges.filter(pl.col("to").is_null()).select("from", "status", "n", "mature", "conversion")
    assert left.rows() == [
        ("order", "converted", 1, 1, 1.0), ("review", "lost", 1, 1, 0.0), ("review", "service", 1, 0, None),
        ("visit", "open", 1, 0, None),
    ]  # fmt: skip
    assert dict(variants(journeys).frame.select(pl.col("path").list.first(), "conversion").iter_rows()) == {
        "order": 1.0, "review": 0.0, "visit": None,
    }  # fmt: skip


def test_without_a_goal_nothing_is_said_of_conversion() -> None:
    journeys = build(LOG, goal=None, idle="10m", session_gap="3m")
    graph = transitions(journeys)
    for frame in (graph.edges, graph.nodes):
        assert frame["mature"].sum() > 0
        assert frame.select("conversion", "conversion_lower", "conversion_upper").unique().rows() == [(None,) * 3]
        assert frame["reason"].unique().to_list() == ["no goal was named, so nothing can convert"]
    assert variants(journeys).frame["conversion"].null_count() == variants(journeys).frame.height


def test_quantiles_lie_between_the_least_and_the_greatest() -> None:
    rows = tuple(Row("a", second * MINUTE // 60, "visit", "web", None, None, None, None) for second in (0, 5, 10, 15))
    edge = transitions(build(rows, goal="order", idle="10m", session_gap="3m")).steps.row(0, named=True)
    assert [edge[name] for name in ("min_s", "mean_s", "max_s", "p50_s", "p90_s", "p95_s")] == [5.0] * 6
