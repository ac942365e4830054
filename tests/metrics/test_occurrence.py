"""Steps that count, and the journeys they are in."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.metrics.occurrence import Occurrence

LOG = pl.DataFrame(
    {
        "user": ["a"] * 6 + ["b"] * 3 + ["c"],
        "s": [0, 10, 20, 30, 40, 90_000_000, 5, 6, 7, 8],
        "what": ["ad", "buy", "help", "buy", "ad", "buy", "buy", "buy", "ad", "ad"],
    }
)


@pytest.mark.parametrize("form", [{"goal": True}, None, "buy", ["ad", "help"]])
@pytest.mark.parametrize("how", ["cut", "stay", "split", "bare"])
def test_each_step_that_counts_is_in_its_journey(how: str, form: object) -> None:
    stages = jm.StageMap.of({"before": ["ad"], "sale": ["buy"], "after": ["help"]}) if how in ("cut", "stay") else None
    events = jm.read_events(LOG, user="user", timestamp="s", time_unit="s", touchpoint="what", stages=stages)
    rules = {"split": "user"} if how == "split" else {"after_goal": how} if stages else {}
    journeys = jm.build_journeys(events, goal="buy", idle="30d", **rules)
    event = Occurrence.parse(form, name="event")
    step, journey = event.steps_and_journeys(journeys)
    assert step.tolist() == event.steps(journeys).tolist()
    assert journey.tolist() == journeys.journey_of_step[step].tolist()
    touchpoint = journeys.coded.labels["touchpoint"]
    what = np.array(touchpoint.labels)[touchpoint.codes]
    wanted = {"buy"} if form in ("buy", {"goal": True}) else {"ad", "help"} if form else {"ad", "help", "buy"}
    assert set(what[step]) == wanted
    assert len(step) == sum(each in wanted for each in LOG["what"])
