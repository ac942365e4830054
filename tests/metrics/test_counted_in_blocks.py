"""Contrasts, stays and credit count the same in one block, in many, and where each block tells apart only what occurs in it."""

from __future__ import annotations

import pytest

import journeymine as jm
from journeymine.counting import packed
from journeymine.counting.measure import Measure
from journeymine.metrics import (
    Attribution,
    DecisionPoints,
    Dwell,
    Friction,
    Handoffs,
    attribution_touches,
    contrast_ground,
    dwell_count,
)

MEASURES: list[Measure] = [
    Friction(by="device"),
    Handoffs(by="device"),
    DecisionPoints(grain="channel:touchpoint", transitions=True),
    Dwell(by=("channel", "touchpoint")),
    Attribution(middle={"channel": "email"}),
    Attribution(grain="channel:touchpoint", by="device", lookback="5d", include_goal=True),
]


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return next(jm.build_journeys(jm.sample()).parts(20_000))


@pytest.mark.parametrize(
    "measure",
    MEASURES,
    ids=lambda measure: f"{measure.name} {measure.grain if isinstance(measure, Attribution) else ''}",
)
@pytest.mark.parametrize("room", [packed.ROOM, 1 << 9], ids=["few labels", "enormous alphabets"])
def test_counts_do_not_depend_on_blocks(
    measure: Measure, room: int, journeys: jm.Journeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure.count(journeys)
    for counting in (contrast_ground, dwell_count):
        monkeypatch.setattr(counting, "_BLOCK", 700)
        monkeypatch.setattr(counting, "PART", 3_000)
        monkeypatch.setattr(counting, "ROOM", room)
    monkeypatch.setattr(attribution_touches, "_BLOCK", 300)
    monkeypatch.setattr(attribution_touches, "_AT_ONCE", 50)
    monkeypatch.setattr(packed, "ROOM", room)
    assert measure.count(journeys).equals(whole)
