"""Contrasts, places, stays, credit and returns count the same in one block, in many, and where each block tells apart only what occurs in it."""

from __future__ import annotations

import importlib

import pytest

import journeymine as jm
from journeymine.counting import packed
from journeymine.counting.measure import Measure, question_of
from journeymine.graph import TypicalOrder, positions
from journeymine.metrics import (
    Attribution,
    DecisionPoints,
    DropOff,
    Dwell,
    Friction,
    Handoffs,
    RepeatRate,
    WinBack,
    attribution_touches,
    contrast_blocks,
    contrast_ground,
    dwell_count,
    place_outcomes,
    return_counts,
)

MEASURES: list[Measure] = [
    Friction(by="device"),
    Handoffs(by="device"),
    DecisionPoints(grain="channel:touchpoint", transitions=True),
    DropOff(by=("stage", "channel")),
    DropOff(by=("touchpoint", "device")),
    Dwell(by=("channel", "touchpoint")),
    Attribution(middle={"channel": "email"}),
    Attribution(grain="channel:touchpoint", by="device", lookback="5d", include_goal=True),
    TypicalOrder(grain="channel:touchpoint", by="device"),
    RepeatRate(max_nth=3),
    RepeatRate(event=None, by=("channel", "touchpoint", "device")),
    WinBack(),
    WinBack(by=("channel", "touchpoint"), channel_of="any"),
]


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return next(jm.build_journeys(jm.sample()).parts(20_000))


@pytest.mark.parametrize("measure", MEASURES, ids=question_of)
@pytest.mark.parametrize("room", [packed.ROOM, 1 << 9], ids=["few labels", "enormous alphabets"])
def test_counts_do_not_depend_on_blocks(
    measure: Measure, room: int, journeys: jm.Journeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure.count(journeys)
    for counting in (contrast_blocks, dwell_count):
        monkeypatch.setattr(counting, "_BLOCK", 700)
        monkeypatch.setattr(counting, "PART", 3_000)
        monkeypatch.setattr(counting, "ROOM", room)
    monkeypatch.setattr(contrast_ground, "_FEW_PAIRS", room)
    monkeypatch.setattr(place_outcomes, "_BLOCK", 700)
    monkeypatch.setattr(place_outcomes, "_MOST_PAIRS", room)
    monkeypatch.setattr(attribution_touches, "_BLOCK", 300)
    monkeypatch.setattr(attribution_touches, "_AT_ONCE", 50)
    monkeypatch.setattr(positions, "_BLOCK", 700)
    monkeypatch.setattr(return_counts, "_BLOCK", 50)
    repeat_rate = importlib.import_module("journeymine.metrics.repeat_rate")
    monkeypatch.setattr(repeat_rate, "PART", 3_000)
    monkeypatch.setattr(repeat_rate, "ROOM", room)
    monkeypatch.setattr(packed, "ROOM", room)
    assert measure.count(journeys).equals(whole)
