"""Journeys, and every number of the core, against loops over rows; on logs that Hypothesis makes, under all rules."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.columns import MICRO, UNKNOWN, UNMAPPED
from journeymine.counting import Result
from journeymine.graph import transitions, variants
from journeymine.metrics import conversion, drop_off
from journeymine.stats.histogram import bucket_of
from tests.oracles import journeys_brute as oracle
from tests.oracles.brute_case import STAGES, brute, rules_of
from tests.oracles.journeys_brute import Journey, Step
from tests.oracles.logs import MINUTE, Row, build, logs, rule_fields

MORE = 20 if os.environ.get("JOURNEYMINE_HYPOTHESIS") == "thorough" else 1
cases = given(log=logs, fields=rule_fields())
Case = tuple[tuple[Row, ...], dict[str, Any]]


def micros(instants: pl.Series) -> list[int | None]:
    return instants.dt.epoch("us").to_list()


@settings(max_examples=60 * MORE)
@cases
def test_the_table_is_what_the_loops_say(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    expected, outside = brute(log, fields)
    found = build(log, **fields)
    table = found.table
    assert found.company.n_outside == outside
    assert table["user"].to_list() == [j.user for j in expected]
    columns: dict[str, list[Any]] = {
        "nth_journey": [j.nth for j in expected],
        "prior_goals": [j.prior_goals for j in expected],
        "n_steps": [len(j.steps) for j in expected],
        "n_sessions": [j.n_sessions for j in expected],
        "status": [j.status for j in expected],
        "mature": [j.mature for j in expected],
        "left_truncated": [j.left_truncated for j in expected],
        "entry_touchpoint": [j.steps[0].touchpoint for j in expected],
        "exit_touchpoint": [j.steps[-1].touchpoint for j in expected],
        "entry_channel": [j.steps[0].channel for j in expected],
        "exit_channel": [j.steps[-1].channel for j in expected],
        "entry_stage": [j.steps[0].stage or UNMAPPED for j in expected],
        "exit_stage": [j.steps[-1].stage or UNMAPPED for j in expected],
        "furthest_stage": [
            max((s.stage for s in j.steps if s.stage), key=STAGES.index, default=None) for j in expected
        ],
        "n_channels": [len({s.channel for s in j.steps}) for j in expected],
    }
    for name, column in columns.items():
        assert table[name].to_list() == column, name
    assert micros(table["start"]) == [j.steps[0].us for j in expected]
    assert micros(table["end"]) == [j.steps[-1].us for j in expected]
    assert micros(table["goal_at"]) == [None if j.goal_step is None else j.steps[j.goal_step].us for j in expected]
    assert micros(table["next_start"]) == [j.next_start for j in expected]
    assert table["duration_s"].to_list() == pytest.approx([(j.steps[-1].us - j.steps[0].us) / MICRO for j in expected])
    assert table["value"].to_list() == pytest.approx([j.value for j in expected])
    assert table["cost"].to_list() == pytest.approx([j.cost for j in expected])


@cases
def test_the_steps_are_what_the_loops_say(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    expected, _ = brute(log, fields)
    steps = build(log, **fields).steps
    own = steps.filter(~pl.col("by_company"))
    flat = [(j, i, s) for j in expected for i, s in enumerate(j.steps)]
    assert own["user"].to_list() == [j.user for j, _, _ in flat]
    assert own["nth_journey"].to_list() == [j.nth for j, _, _ in flat]
    assert own["step"].to_list() == [i + 1 for _, i, _ in flat]
    assert own["session"].to_list() == [s.session for _, _, s in flat]
    assert micros(own["timestamp"]) == [s.us for _, _, s in flat]
    assert own["touchpoint"].to_list() == [s.touchpoint for _, _, s in flat]
    assert own["channel"].to_list() == [s.channel for _, _, s in flat]
    assert own["stage"].to_list() == [s.stage or UNMAPPED for _, _, s in flat]
    assert own["owner"].to_list() == [s.owner or UNKNOWN for _, _, s in flat]
    assert own["value"].to_list() == [s.value for _, _, s in flat]
    assert own["is_goal"].to_list() == [i == j.goal_step for j, i, _ in flat]
    theirs = steps.filter("by_company")
    touches = sorted((j.user, j.nth, t.us, t.touchpoint) for j in expected for t in j.touches)
    assert sorted(zip(theirs["user"], theirs["nth_journey"], micros(theirs["timestamp"]), theirs["touchpoint"],
                      strict=True)) == touches  # fmt: skip


GRAINS = {
    "touchpoint": lambda s: s.touchpoint,
    "channel": lambda s: s.channel,
    "stage": lambda s: s.stage or UNMAPPED,
    "channel:touchpoint": lambda s: f"{s.channel}:{s.touchpoint}",
    "plan": lambda s: s.plan,
}


@settings(max_examples=30 * MORE)
@given(log=logs, fields=rule_fields(), grain=st.sampled_from(sorted(GRAINS)))
def test_edges_are_what_the_loops_say(log: tuple[Row, ...], fields: dict[str, Any], grain: str) -> None:
    expected, _ = brute(log, fields)
    graph = transitions(build(log, **fields), grain=grain)
    edges = oracle.transitions(expected, GRAINS[grain])
    assert {(r["from"], r["to"], r["status"]) for r in graph.edges.iter_rows(named=True)} == set(edges)
    for row in graph.edges.iter_rows(named=True):
        edge = edges[row["from"], row["to"], row["status"]]
        using = list(edge["journeys"].values())
        mature = [j for j in using if j.mature and j.status != "service"]
        won = [j for j in mature if j.status == "converted"]
        assert (row["n"], row["n_journeys"], row["n_users"]) == (edge["n"], len(using), len({j.user for j in using}))
        assert (row["mature"], row["converted"]) == (len(mature), len(won))
        assert row["value"] == pytest.approx(sum(j.value for j in won))
        assert row["conversion"] == (pytest.approx(len(won) / len(mature)) if mature and fields["goal"] else None)
        took = sorted(edge["took"])
        if not took:
            assert row["mean_s"] is row["min_s"] is row["max_s"] is row["p50_s"] is None
            continue
        assert row["min_s"] == took[0] / MICRO
        assert row["max_s"] == took[-1] / MICRO
        assert row["mean_s"] == pytest.approx(sum(took) / len(took) / MICRO, rel=1e-12)
        for name, q in (("p50_s", 0.5), ("p90_s", 0.9), ("p95_s", 0.95)):
            assert near(row[name], took, q)
    assert {r["label"]: (r["n"], r["n_journeys"], r["n_users"]) for r in graph.nodes.iter_rows(named=True)} == (
        oracle.nodes(expected, GRAINS[grain])
    )


def near(seconds: float | None, ordered: list[int], q: float) -> bool:
    """Within 0.8 % of the ⌈q·n⌉-th smallest, and in its bucket."""
    exact = ordered[max(math.ceil(round(q * len(ordered), 9)), 1) - 1]
    return seconds is not None and abs(seconds * MICRO - exact) <= 0.008 * exact + 1e-6


@cases
def test_flow_is_conserved(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    graph = transitions(build(log, **fields))
    entering = dict(graph.edges.filter(pl.col("to").is_not_null()).group_by("to").agg(pl.col("n").sum()).iter_rows())
    leaving = dict(graph.edges.filter(pl.col("from").is_not_null()).group_by("from").agg(pl.col("n").sum()).iter_rows())
    visits = dict(graph.nodes.select("label", "n").iter_rows())
    assert entering == leaving == visits


@settings(max_examples=30 * MORE)
@given(log=logs, fields=rule_fields(), grain=st.sampled_from(sorted(GRAINS)), most=st.sampled_from([1, 3, 1_000]))
def test_variants_are_what_the_loops_say(log: tuple[Row, ...], fields: dict[str, Any], grain: str, most: int) -> None:
    expected, _ = brute(log, fields)
    found = variants(build(log, **fields), grain=grain, max_steps=most).frame
    paths: dict[tuple[str, ...] | None, list[Journey]] = {}
    for journey in expected:
        path = tuple(GRAINS[grain](step) for step in journey.steps)
        paths.setdefault(path if len(path) <= most else None, []).append(journey)
    assert found["n"].to_list() == sorted((len(js) for js in paths.values()), reverse=True)
    assert found["covered"].to_list() == pytest.approx(np.cumsum(found["n"]) / max(len(expected), 1))
    for row in found.iter_rows(named=True):
        journeys = paths.pop(None if row["path"] is None else tuple(row["path"]))
        assert row["n"] == len(journeys)
        for status in ("converted", "lost", "open", "service", "ended"):
            assert row[status] == sum(j.status == status for j in journeys)
        mature = [j for j in journeys if j.mature and j.status != "service"]
        won = sum(j.status == "converted" for j in mature)
        assert row["conversion"] == (pytest.approx(won / len(mature)) if mature and fields["goal"] else None)
        assert row["mean_duration_s"] == pytest.approx(
            sum(j.steps[-1].us - j.steps[0].us for j in journeys) / len(journeys) / MICRO
        )
        assert row["value"] == pytest.approx(sum(j.value for j in journeys))
    assert not paths


STEP_LABELS = {
    "channel": lambda s: s.channel,
    "stage": lambda s: s.stage or UNMAPPED,
    "owner": lambda s: s.owner or UNKNOWN,
    "touchpoint": lambda s: s.touchpoint,
    "plan": lambda s: s.plan,
}


@settings(max_examples=40 * MORE)
@given(
    log=logs,
    fields=rule_fields(),
    by=st.lists(st.sampled_from(sorted(STEP_LABELS)), max_size=2, unique=True),
    channel_of=st.sampled_from(["entry", "exit", "any"]),
    horizon=st.sampled_from([None, None, 5, 20]),
)
def test_conversion_is_what_the_loops_say(
    log: tuple[Row, ...], fields: dict[str, Any], by: list[str], channel_of: str, horizon: int | None
) -> None:
    journeys, _ = brute(log, fields)

    def labels(journey: Journey) -> set[tuple[str, ...]]:
        steps = {"entry": journey.steps[:1], "exit": journey.steps[-1:], "any": journey.steps}[channel_of]
        return {tuple(STEP_LABELS[name](step) for name in by) for step in steps}

    until = rules_of(log, fields).observed_until
    expected = oracle.conversion(journeys, labels, None if horizon is None else horizon * MINUTE, until)
    result = conversion(
        build(log, **fields), by=by, channel_of=channel_of, horizon=None if horizon is None else f"{horizon}m"
    )
    check_rows(result, by, expected)
    for row in result.frame.iter_rows(named=True):
        want = expected.get(tuple(row[name] for name in by))
        if want is None:  # no journey at all, and no `by`
            assert row["n_journeys"] == 0
            continue
        for name in ("n_journeys", "n", "converted", "lost", "open", "service", "immature"):
            assert row[name] == want[name], name
        assert row["n_users"] == len(want["users"])
        assert row["value"] == pytest.approx(want["value"])
        if fields["goal"] is not None:
            assert row["share"] == (pytest.approx(want["converted"] / want["n"]) if want["n"] else None)
        assert (row["reason"] is not None) or want["n"] > 0
        # Where no conversion at all is worth anything, nothing is known of what one is worth.
        worth = want["converted"] and any(other["value"] for other in expected.values())
        assert row["mean_value"] == (pytest.approx(want["value"] / want["converted"]) if worth else None)
        took = sorted(want["took"])
        assert near(row["p50_s"], took, 0.5) if took else row["p50_s"] is None
        assert near(row["p90_s"], took, 0.9) if took else row["p90_s"] is None


def check_rows(result: Result, by: list[str], expected: dict[Any, Any]) -> None:
    if by:
        found = result.frame.select(by).rows()
        assert len(found) == len(set(found))
        assert set(found) == set(expected)


@settings(max_examples=40 * MORE)
@given(
    log=logs,
    fields=rule_fields(),
    by=st.lists(st.sampled_from(sorted(STEP_LABELS)), min_size=1, max_size=2, unique=True),
)
def test_drop_off_is_what_the_loops_say(log: tuple[Row, ...], fields: dict[str, Any], by: list[str]) -> None:
    journeys, _ = brute(log, fields)

    def place(journey: Journey, step: Step) -> tuple[str, ...]:
        return tuple(STEP_LABELS[name](step) for name in by)

    expected = oracle.drop_off(journeys, place, STAGES)
    result = drop_off(build(log, **fields), by=by)
    check_rows(result, by, expected)
    for row in result.frame.iter_rows(named=True):
        want = expected[tuple(row[name] for name in by)]
        for name in ("n_reached", "n", "went_on", "converted_later", "lost_here", "open_here", "came_back"):
            assert row[name] == want[name], (name, row, want)
        assert row["n_users"] == len(want["users"])
        for name, part in (("went_on_share", "went_on"), ("converted_share", "converted_later"),
                           ("lost_share", "lost_here"), ("open_share", "open_here")):  # fmt: skip
            told = fields["goal"] is not None or {
                "converted_share": False, "lost_share": fields["lost_at"] is not None
            }.get(name, True)  # fmt: skip
            assert row[name] == (pytest.approx(want[part] / want["n"]) if want["n"] and told else None)
        assert row["came_back_share"] == (
            pytest.approx(want["came_back"] / want["lost_here"]) if want["lost_here"] else None
        )
        assert (
            near(row["came_back_p50_s"], sorted(want["pauses"]), 0.5)
            if want["pauses"]
            else (row["came_back_p50_s"] is None)
        )


def test_the_oracle_s_quantiles_share_the_documented_precision() -> None:
    assert bucket_of([0]).tolist() == [0]
    assert near(0.0, [0, 0, 5], 0.5)
    assert not near(1.0, [2_000_000], 0.5)
