"""Logs at the edge: nothing, one row, one user, all ties, all null, hostile names, the last instant there is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import (
    JourneymineError,
    QuarantineLimitError,
    RulesError,
    SourceError,
    UnknownLabelError,
    WildTimestampError,
)
from journeymine.events import StageMap, read_events
from journeymine.graph import transitions, variants
from journeymine.journeys import JourneyRules, Journeys, build_journeys
from journeymine.metrics import conversion, drop_off
from tests.oracles.logs import START, Row, build, frame_of, logs, read, rule_fields

HOUR = 3_600_000_000


def journeys_of(
    rows: list[tuple[Any, ...]], columns: str = "user t what", *, stages: Any = None, **rules: Any
) -> Journeys:
    names = columns.split()
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String) | {"t": pl.Int64}, orient="row")
    kept = {"channel": "channel"} if "channel" in names else {}
    events = read_events(frame, timestamp="t", time_unit="s", touchpoint="what", stages=stages, **kept)
    return build_journeys(events, **rules)


def everything(journeys: Journeys) -> None:
    """All that can be asked of any log works, and conserves journeys."""
    graph = transitions(journeys)
    assert graph.edges.filter(pl.col("from").is_null())["n"].sum() == len(journeys)
    assert graph.edges.filter(pl.col("to").is_null())["n"].sum() == len(journeys)
    assert variants(journeys).frame["n"].sum() == len(journeys)
    assert conversion(journeys).frame["n_journeys"][0] == len(journeys)
    assert drop_off(journeys).frame.height >= min(len(journeys), 1) - journeys.table.filter(status="service").height
    assert journeys.table.height == len(journeys)
    assert journeys.steps.height == len(journeys.coded) + len(journeys.company)
    graph.simplify(edges=0.5, nodes=0.5)
    graph.to_networkx()
    graph.to_scipy()


def test_a_log_without_rows_says_so() -> None:
    with pytest.raises(SourceError, match=r"(?s)no rows.*Hint"):
        journeys_of([])


def test_one_row_one_user() -> None:
    journeys = journeys_of([("a", 0, "visit")], goal="order")
    everything(journeys)
    assert journeys.table.select("status", "n_steps", "mature", "left_truncated").row(0) == ("open", 1, False, True)
    share = conversion(journeys).frame.row(0, named=True)
    assert share["share"] is None
    assert "longest idle" in share["reason"]


def test_all_at_one_instant() -> None:
    journeys = journeys_of([("a", 0, t) for t in "xyxo"] + [("b", 0, "o")], goal="o")
    everything(journeys)
    assert variants(journeys).frame["path"].to_list() == [["o"], ["x", "y", "x", "o"]]
    assert set(transitions(journeys).steps["max_s"]) == {0.0}


def test_all_channels_null() -> None:
    journeys = journeys_of([("a", 0, "x", None), ("a", 5, "y", None)], "user t what channel")
    everything(journeys)
    assert conversion(journeys, by="channel").frame["channel"].to_list() == ["(unknown)"]
    assert transitions(journeys, grain="channel:touchpoint").nodes["label"].to_list() == ["(unknown):x", "(unknown):y"]


NAMES = ["start", "end", "</script>", "🛒", "(unknown)", "(none)", "(unmapped)", "a\x1fb", "\x1b0", "\x1b", "\x1f", "\x1f\x1f",
         "a:b", "a\\", "\\:b", '"', "'; drop table", "\u2028", "\u202eabc", "x" * 300, " ", "None", "null"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.sampled_from(NAMES)), min_size=1, max_size=25))
def test_hostile_names_stay_apart_and_come_back_as_they_were(rows: list[tuple[str, int, str]]) -> None:
    journeys = journeys_of(rows, split="user")
    everything(journeys)
    shown = {name: f'"{name}"' if name in ("(unknown)", "(none)", "(unmapped)") else name for name in NAMES}
    paths = {}
    for user in sorted({row[0] for row in rows}):
        own = sorted((row for row in rows if row[0] == user), key=lambda row: row[1])
        path = tuple(shown[row[2]] for row in own)
        paths[path] = paths.get(path, 0) + 1
    frame = variants(journeys).frame
    assert {tuple(path): n for path, n in frame.select("path", "n").iter_rows()} == paths
    assert set(transitions(journeys).nodes["label"]) == {shown[row[2]] for row in rows}


def test_a_touchpoint_called_start_is_not_the_start() -> None:
    graph = transitions(journeys_of([("a", 0, "start"), ("a", 1, "end"), ("a", 2, "start")], split="user"))
    assert graph.edges.select("from", "to", "status", "n").rows() == [
        (None, "start", None, 1), ("end", "start", None, 1), ("start", None, "open", 1), ("start", "end", None, 1),
    ]  # fmt: skip
    assert set(graph.to_networkx()) == {("start", ""), ("step", "start"), ("step", "end"), ("end", "open")}


def test_channel_and_touchpoint_pairs_never_read_alike() -> None:
    rows = [
        ("a", 0, "c", "a:b"),
        ("a", 1, "b:c", "a"),
        ("a", 2, "c", "a\\:b"),
        ("a", 3, "x", "a\\"),
        ("a", 4, ":x", "a"),
    ]
    graph = transitions(journeys_of(rows, "user t what channel"), grain="channel:touchpoint")
    assert graph.nodes.height == 5


def test_one_timestamp_in_the_year_2262_is_set_aside() -> None:
    rows = [("a", i * 60, "x") for i in range(99)]
    year_2262 = 292 * 366 * 86_400
    with pytest.raises(QuarantineLimitError, match="Hint"):
        journeys_of([*rows[:9], ("a", year_2262, "x")])
    journeys = journeys_of([*rows, ("a", year_2262, "x")])
    assert len(journeys.coded) == 99
    everything(journeys)


def test_one_timestamp_far_ahead_of_a_large_log_raises() -> None:
    rows = [(f"u{i % 50}", i * 60, "x") for i in range(2_000)]
    with pytest.raises(WildTimestampError, match=r"1 of 2,001.*(?s:.*)observed_until="):
        journeys_of([*rows, ("u1", 40 * 365 * 86_400, "x")])
    later = journeys_of([*rows, ("u1", 40 * 365 * 86_400, "x")], observed_until=3_000 * 60_000_000)
    assert len(later.coded) == 2_001


def test_observed_until_before_the_log_is_refused() -> None:
    with pytest.raises(RulesError, match="before the first event"):
        journeys_of([("a", 100, "x")], observed_until=5)


def test_a_log_of_company_touches_only() -> None:
    stages = StageMap.of({"see": ["mail"]}, touchpoints=[{"match": "mail", "by_company": True}])
    journeys = journeys_of([("a", 0, "mail"), ("b", 1, "mail")], stages=stages, goal="order")
    assert (len(journeys), journeys.company.n_outside, journeys.stages) == (0, 2, ("see",))
    assert conversion(journeys, by="stage").frame.height == drop_off(journeys).frame.height == 0
    assert transitions(journeys).edges.height == 0
    assert variants(journeys).frame.height == 0
    assert journeys.table.height == journeys.steps.height == 0


def test_a_goal_of_the_company_s_is_refused() -> None:
    stages = StageMap.of({"see": ["mail"]}, touchpoints=[{"match": "mail", "by_company": True}])
    with pytest.raises(RulesError, match=r"(?s)'mail'.*by_company.*Hint"):
        journeys_of([("a", 0, "mail"), ("b", 1, "x")], stages=stages, goal="mail")


def test_a_goal_that_never_occurs_loses_everybody() -> None:
    journeys = journeys_of([("a", 0, "x"), ("b", 90 * 86_400, "x")], goal="nothing")
    assert journeys.table["status"].to_list() == ["lost", "open"]
    assert conversion(journeys).frame["share"][0] == 0


def test_a_split_or_segment_on_an_unknown_column_names_those_there_are() -> None:
    with pytest.raises(UnknownLabelError, match="touchpoint"):
        journeys_of([("a", 0, "x")], split="tuchpoint")
    with pytest.raises(UnknownLabelError, match="touchpoint"):
        journeys_of([("a", 0, "x")], segments={"s": "tuchpoint"})


@given(log=logs, fields=rule_fields(), seed=st.integers(0, 99))
def test_reordering_rows_changes_nothing_but_ties(log: tuple[Row, ...], fields: dict[str, Any], seed: int) -> None:
    frame = frame_of(log).unique(["user", "us"], keep="first", maintain_order=True)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    before = frame.clone()
    one, other = (build_journeys(read(part), **fields) for part in (frame, shuffled))
    assert frame.equals(before)
    assert one.table.equals(other.table)
    assert one.steps.equals(other.steps)
    assert transitions(one).edges.equals(transitions(other).edges)
    assert drop_off(one).frame.equals(drop_off(other).frame)


@given(log=logs, fields=rule_fields())
def test_building_and_counting_change_none_of_their_inputs(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    events = read(frame_of(log))
    coded = events.coded()
    arrays = {"time": coded.timestamp, **{n: c.codes for n, c in coded.labels.items()}, **coded.numbers}
    before = {name: array.copy() for name, array in arrays.items()}
    journeys = build_journeys(events, **fields)
    held = {f.name: getattr(journeys.heads, f.name) for f in dataclasses.fields(journeys.heads)} | {
        "steps": journeys.coded.time, "offsets": journeys.offsets, "stage": journeys.codes("stage").codes,
    }  # fmt: skip
    kept = {name: np.copy(array) for name, array in held.items()}
    everything(journeys)
    everything(journeys.where(pl.col("n_steps") > 1))
    assert all(np.array_equal(before[name], array) for name, array in arrays.items())
    assert all(np.array_equal(kept[name], array) for name, array in held.items())


def test_an_instant_at_exactly_idle_joins_and_a_microsecond_later_parts() -> None:
    idle = 30 * 24 * HOUR
    for extra, n in ((0, 1), (1, 2)):
        frame = pl.DataFrame({"user": ["a", "a"], "t": [START, START + idle + extra], "what": ["x", "x"]})
        events = read_events(frame, timestamp="t", time_unit="us", touchpoint="what")
        assert len(build_journeys(events)) == n


def test_every_error_here_is_ours() -> None:
    with pytest.raises(JourneymineError):
        build(((Row("a", 0, "x", None, None, None, None, None)),), split="nothing")
    with pytest.raises(RulesError, match="both"):
        build_journeys(read(frame_of((Row("a", 0, "x", None, None, None, None, None),))), JourneyRules(), goal="x")
