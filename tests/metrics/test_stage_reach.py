"""Stage reach against a loop over journeys."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings

import journeymine as jm
from journeymine.errors import QuestionError
from journeymine.metrics import stage_reach
from tests.metrics.walk import walks_of
from tests.oracles.logs import Row, build, logs, rule_fields


@settings(max_examples=25)
@given(logs, rule_fields())
def test_reach_is_what_a_loop_over_journeys_finds(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    stages = list(journeys.stages)
    walks = [walk for walk in walks_of(journeys) if walk.mature and walk.status != "service"]
    for row in stage_reach(journeys, by="channel").frame.iter_rows(named=True):
        here = [walk for walk in walks if walk.steps[0]["channel"] == row["channel"]]
        ranks = [max([stages.index(s["stage"]) for s in w.steps if s["stage"] in stages], default=0) for w in here]
        k = stages.index(row["stage"])
        won = [walk.status == "converted" for walk in here]
        reached = sum(w or rank >= k for w, rank in zip(won, ranks, strict=True))
        onward = sum(w or rank >= k + 1 for w, rank in zip(won, ranks, strict=True))
        assert (row["n"], row["n_reached"], row["n_onward"]) == (len(here), reached, onward)
        assert row["reached_share"] == pytest.approx(reached / len(here))


def test_onward_shares_multiply_to_the_conversion_share() -> None:
    journeys = jm.build_journeys(jm.sample(users=1000))
    frame = stage_reach(journeys).frame
    assert frame["stage"].to_list() == list(journeys.stages)
    assert math.prod(frame["onward_share"]) == pytest.approx(jm.conversion(journeys).frame["share"][0])
    assert (frame["onward_share_lower"] < frame["onward_share"]).all()


def test_the_stage_cannot_break_itself_down() -> None:
    with pytest.raises(QuestionError, match="stage"):
        stage_reach(build((Row("a", 0, "visit", "web", None, None, None, None),)), by="stage")
