"""Stage reach against a loop over journeys."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
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


def test_a_share_of_one_rests_on_users_and_not_on_folds() -> None:
    log = pl.DataFrame({
        "user": [f"u{i}" for i in range(500) for _ in range(3)], "s": [60 * (i % 3) for i in range(1_500)],
        "what": ["visit", "basket", "won"] * 500,
    })  # fmt: skip
    events = jm.read_events(
        log, user="user", timestamp="s", time_unit="s", touchpoint="what",
        stages={"looking": ["visit"], "buying": ["basket"], "bought": ["won"]},
    )  # fmt: skip
    journeys = jm.build_journeys(events, goal="won", idle="1d", observed_until=10 * 86_400_000_000)
    frame = jm.stage_reach(journeys).frame
    assert frame["onward_share"].to_list() == [1, 1, 1]
    # Wilson's lower limit with 500 users and Student's quantile for 64 folds; with 64 trials it would be 0.94.
    assert frame["onward_share_lower"].to_list() == pytest.approx([500 / (500 + 1.99834**2)] * 3, rel=1e-5)
    assert frame["reached_share_lower"].to_list() == pytest.approx([1] + [500 / (500 + 1.99834**2)] * 2, rel=1e-5)
