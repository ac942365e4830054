"""Results that are ranked together: one that does not fit is refused, and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting import Counts, count_in_memory
from journeymine.errors import JourneymineError, MergeError, QuestionError


@pytest.fixture(scope="module")
def sampled() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=700))


def given(journeys: jm.Journeys) -> dict[str, Any]:
    return {
        "drop_off": jm.drop_off(journeys), "conversion": jm.conversion(journeys), "friction": jm.friction(journeys),
        "handoffs": jm.handoffs(journeys), "nodes": jm.drop_off(journeys, by=["stage", "channel", "touchpoint"]),
        "chain": jm.markov(journeys, grain="channel:touchpoint"),
    }  # fmt: skip


OTHER: list[tuple[str, Callable[[jm.Journeys], Any], type[JourneymineError], str]] = [
    ("friction", jm.handoffs, QuestionError, "friction= wants a result of friction, and this is 'handoffs'"),
    ("drop_off", jm.conversion, QuestionError, "drop_off= wants a result of drop_off, and this is 'conversion'"),
    ("handoffs", jm.friction, QuestionError, "handoffs= wants a result of handoffs"),
    ("nodes", jm.drop_off, QuestionError, "nodes= is not by touchpoint"),
    ("conversion", lambda j: jm.conversion(j, by="channel"), QuestionError, "conversion= is by channel"),
    ("friction", lambda j: jm.friction(j, by="device"), QuestionError, "friction= is by device"),
    ("handoffs", lambda j: jm.handoffs(j, by="device"), QuestionError, "handoffs= is by device"),
    ("handoffs", lambda j: jm.handoffs(j, grain="owner"), QuestionError, "handoffs= is not between channels, .* from one owner"),
    ("chain", lambda j: jm.markov(j, grain="channel:touchpoint", order=2), QuestionError, "chain= remembers more than the last step"),
    ("conversion", lambda j: None, QuestionError, "conversion= wants a result of conversion, and this is 'NoneType'"),
    ("friction", lambda j: jm.friction(j).frame, QuestionError, "this is 'DataFrame'"),
    ("friction", lambda j: jm.friction(j, confidence=0.9), MergeError, "friction differs from drop_off in confidence"),
    ("conversion", lambda j: jm.conversion(j.between("2026-02-01", "2026-04-01")), MergeError, "not of the same journeys as drop_off: conversion"),
    *((name, lambda j, name=name: given(j.where(pl.col("n_steps") != 4))[name], MergeError, f"1 of 6 results are not of the same journeys as .*: {name}")
      for name in ("drop_off", "friction", "handoffs", "nodes", "chain")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "ask", "error", "told"), OTHER, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(OTHER)]
)
def test_a_result_that_does_not_fit_is_refused_by_name(
    sampled: jm.Journeys, name: str, ask: Callable[[jm.Journeys], Any], error: type[JourneymineError], told: str
) -> None:
    with pytest.raises(error, match=told):
        jm.rank_opportunities(**{**given(sampled), name: ask(sampled)})


def test_a_chain_that_is_made_late_is_checked_like_one_that_is_there() -> None:
    journeys = jm.build_journeys(jm.sample())
    results, others = given(journeys), journeys.where(pl.col("n_steps") != 4)
    ranked = jm.rank_opportunities(**results)
    assert ranked.frame["if_mended"].count()  # a chain was asked for
    late = jm.rank_opportunities(**{**results, "chain": lambda: results["chain"]})
    assert late.frame.equals(ranked.frame)
    with pytest.raises(MergeError, match="chain"):
        jm.rank_opportunities(**{**results, "chain": lambda: given(others)["chain"]})
    with pytest.raises(QuestionError, match="wants a result of markov, and this is 'DataFrame'"):
        jm.rank_opportunities(**{**results, "chain": pl.DataFrame()})


def test_results_by_other_rules_are_named_with_the_rules(sampled: jm.Journeys) -> None:
    others = given(jm.build_journeys(jm.sample(users=700), idle="10d"))
    for name in ("drop_off", "friction", "handoffs", "chain"):
        with pytest.raises(MergeError, match=rf"1 of 6 results do not fit the others: {name} differs from \w+ in idle"):
            jm.rank_opportunities(**{**given(sampled), name: others[name]})
    assert jm.rank_opportunities(**given(sampled)).frame.height == jm.opportunities(sampled).frame.height


@pytest.mark.parametrize("fields", [{}, {"split": "user"}, {"after_goal": "cut"}, {"split": "session"}])
def test_lost_journeys_are_lost_in_one_place_each(fields: dict[str, Any]) -> None:
    """What tells a drop-off of other journeys than the conversion's."""
    journeys = jm.build_journeys(jm.sample(users=300), **fields)
    for part in (journeys, journeys.between("2026-02-01", "2026-04-01"), journeys.where(pl.col("n_steps") > 2)):
        lost = jm.conversion(part).frame["lost"].item()
        for by in (None, "touchpoint", ["stage", "channel", "touchpoint", "owner"], ["channel", "device"]):
            assert jm.drop_off(part, by=by).frame["lost_here"].sum() == lost


def test_a_selection_is_the_same_however_it_was_come_by(sampled: jm.Journeys) -> None:
    long, late = pl.col("n_steps") > 3, pl.col("start") >= pl.lit("2026-02-01").str.to_datetime(time_zone="UTC")
    ways = [
        sampled.where(long & late),
        sampled.where(late).where(long),
        sampled.between("2026-02-01", "2030-01-01").where(long),
    ]
    assert len({each.selection for each in ways}) == 1
    assert sampled.selection == sampled.where(pl.lit(value=True)).selection == ""
    others = [
        sampled.where(long),
        sampled.where(late),
        ways[0].where(pl.col("nth_journey") > 1),
        sampled.where(pl.lit(value=False)),
    ]
    assert len({each.selection for each in (sampled, ways[0], *others)}) == 6
    mixed = {name: given(way)[name] for name, way in zip(given(sampled), ways * 2, strict=True)}
    assert jm.rank_opportunities(**mixed).frame.equals(jm.rank_opportunities(**given(ways[0])).frame)


def test_counts_tell_their_selection_and_merged_ones_only_if_they_share_it(
    sampled: jm.Journeys, tmp_path: Path
) -> None:
    measure = jm.Conversion()
    spring, winter = sampled.between("2026-03-01", "2027-01-01"), sampled.between("2026-01-01", "2026-03-01")
    a, b = (count_in_memory(measure, each) for each in (spring, winter))
    a.save(tmp_path / "a")
    loaded = Counts.load(tmp_path / "a", measure.specs())
    assert loaded.basis.selection == a.basis.selection == spring.selection != winter.selection
    assert Counts.merge([a, b]).basis.selection is None
    about = json.loads((tmp_path / "a" / "counts.json").read_text())
    del about["selection"]  # as saved before it was kept
    (tmp_path / "a" / "counts.json").write_text(json.dumps(about))
    old = jm.finish(measure, Counts.load(tmp_path / "a", measure.specs()))
    assert jm.rank_opportunities(**{**given(spring), "conversion": old}).frame.height >= 0
