"""Paths and typical order of groups: what is found is what the journeys of each group alone would say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

import journeymine as jm
from journeymine.counting import Counts
from journeymine.counting.measure import question_of
from journeymine.counting.parts import count_in_memory
from journeymine.errors import QuestionError
from journeymine.graph import TypicalOrder, Variants
from tests.oracles.logs import MINUTE, Row, build, logs, rule_fields

LABELS = {"channel": "entry_channel", "stage": "entry_stage", "touchpoint": "entry_touchpoint"}
"""Names of a breakdown, and of the journeys' column that says the same."""


def sampled() -> jm.Journeys:
    journeys = jm.build_journeys(jm.sample())
    return journeys.where(pl.col("start") < pl.datetime(2026, 3, 1, time_zone="UTC")).segment(
        "long", pl.col("n_steps") > 3
    )


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return sampled()


def of_each_group(journeys: jm.Journeys, ask: Any, *names: str) -> pl.DataFrame:
    """The answers for the journeys of each group alone, one below the other."""
    columns = [LABELS.get(name, name) for name in names]
    conditions = {"new_or_returning": pl.when(pl.col("prior_goals") > 0).then(pl.lit("returning")).otherwise(pl.lit("new")),
                  "long": (pl.col("n_steps") > 3).cast(pl.String)}  # fmt: skip
    parts: list[pl.DataFrame] = []
    table = journeys.table.with_columns(**conditions)
    for group in table.select(columns).unique().sort(columns).iter_rows():
        chosen = journeys.where(
            pl.all_horizontal(conditions.get(c, pl.col(c)) == v for c, v in zip(columns, group, strict=True))
        )
        parts.append(
            ask(chosen).frame.select([pl.lit(v).alias(n) for n, v in zip(names, group, strict=True)] + [pl.all()])
        )
    return pl.concat(parts)


@pytest.mark.parametrize("names", [("channel",), ("stage",), ("new_or_returning",), ("long", "channel")])
@pytest.mark.parametrize("grain", ["touchpoint", "channel:touchpoint"])
def test_the_paths_of_a_group_are_those_of_its_journeys_alone(
    journeys: jm.Journeys, names: tuple[str, ...], grain: str
) -> None:
    found = jm.variants(journeys, grain=grain, max_steps=6, by=names).frame
    expected = of_each_group(journeys, lambda part: jm.variants(part, grain=grain, max_steps=6), *names)
    if names == ("stage",):
        found, expected = (frame.sort("stage", maintain_order=True) for frame in (found, expected))
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("names", [("channel",), ("new_or_returning",), ("long", "channel")])
def test_the_order_within_a_group_is_that_of_its_journeys_alone(journeys: jm.Journeys, names: tuple[str, ...]) -> None:
    found = jm.typical_order(journeys, by=names).frame
    expected = of_each_group(journeys, jm.typical_order, *names)
    same = [*names, "touchpoint", "n_journeys", "position"]  # fewer folds may hold a group's users than hold all
    assert_frame_equal(found.select(same), expected.select(same))


@given(log=logs, fields=rule_fields())
def test_paths_by_the_first_channel_counted_one_by_one(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    steps = journeys.steps.filter(~pl.col("by_company")) if "by_company" in journeys.steps.columns else journeys.steps
    counted: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for _, part in steps.group_by("user", "nth_journey", maintain_order=True):
        counted[part["channel"][0], tuple(part["touchpoint"])] += 1
    frame = jm.variants(journeys, by="channel").frame
    assert {(row["channel"], tuple(row["path"])): row["n"] for row in frame.iter_rows(named=True)} == counted
    for (channel,), part in frame.group_by("channel"):
        assert part["share"].sum() == pytest.approx(1.0)
        assert part["covered"][-1] == pytest.approx(1.0)
        assert part.equals(part.sort("n", "path", descending=[True, False])), channel


def test_a_group_may_not_bear_the_name_of_an_own_column(journeys: jm.Journeys) -> None:
    with pytest.raises(QuestionError, match="'channel': typical_order has a column of that name"):
        jm.typical_order(journeys, grain="channel", by="channel")
    with pytest.raises(QuestionError, match="'path': variants has a column of that name"):
        jm.variants(journeys.segment("path", pl.lit("x")), by="path")


@pytest.mark.parametrize("labels", [("a", "a\x01", "b"), ("\x1f", "\x1b1", "\x1b"), ("é", "e\x1f", "e")])
def test_strange_labels_come_back_from_counts_that_were_saved(labels: tuple[str, ...], tmp_path: Path) -> None:
    rows = [(f"u{i}", i * 10 + k, labels[(i * k + k) % 3]) for i in range(12) for k in range(1 + i % 4)]
    log = pl.DataFrame(rows, schema=["user", "t", "what"], orient="row")
    made = jm.build_journeys(jm.read_events(log, user="user", timestamp="t", time_unit="s", touchpoint="what"))
    measure = Variants(max_steps=3)
    counts = count_in_memory(measure, made)
    counts.save(tmp_path)
    direct, saved = jm.finish(measure, counts), jm.finish(measure, Counts.load(tmp_path, measure.specs()))
    assert_frame_equal(direct.frame, saved.frame)
    merged = Counts.merge([measure.count(part) for part in made.parts(4)])
    assert_frame_equal(direct.frame, jm.finish(measure, merged).frame)
    assert merged.equals(counts)


def test_counts_saved_before_there_were_groups_still_answer() -> None:
    """The fingerprints are those of the version that had no `by`."""

    @dataclass(frozen=True)
    class OldVariants:
        grain: str = "touchpoint"
        max_steps: int = 1_000
        name = "variants"

    @dataclass(frozen=True)
    class OldOrder:
        grain: str = "touchpoint"
        name = "typical_order"

    assert question_of(Variants()) == question_of(OldVariants()) != question_of(Variants(by="channel"))  # type: ignore[arg-type]
    assert question_of(TypicalOrder()) == question_of(OldOrder()) != question_of(TypicalOrder(by="channel"))  # type: ignore[arg-type]
    assert question_of(Variants(by=[])) == question_of(Variants())


def test_a_chart_of_groups_has_a_curve_for_each(journeys: jm.Journeys) -> None:
    pytest.importorskip("altair")
    chart = json.loads(jm.variants(journeys, grain="stage", by="new_or_returning").plot().to_json())
    (curve,) = (rows for rows in chart["datasets"].values() if len(rows) > 1 and "paths" in rows[0])
    ends = {row["_group"]: row["covered"] for row in curve}
    assert ends == {"new": pytest.approx(1.0), "returning": pytest.approx(1.0)}


def test_a_place_is_counted_to_the_nearest_millionth() -> None:
    rows = tuple(Row("u", minute * MINUTE, what, "web", None, None, None, None) for minute, what in enumerate("abcd"))
    frame = jm.typical_order(build(rows, goal="order", idle="10m", session_gap="3m")).frame
    assert frame.select("touchpoint", "position").rows() == [("a", 0.0), ("b", 0.333333), ("c", 0.666667), ("d", 1.0)]
