"""What is counted block by block does not depend on the blocks, nor on how groups are numbered."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import journeymine as jm
from journeymine.counting.parts import count_in_memory
from journeymine.metrics import Activity, Conversion, LifeCycle, Retention, Stickiness
from tests.metrics.test_bad_arguments import built

BLOCKS = "journeymine.metrics.step_blocks"
GOAL = {"goal": True}


@pytest.mark.parametrize("by", [None, ["channel", "plan"]])
@pytest.mark.parametrize("event", [None, GOAL])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_blocks_and_numbers_of_groups_do_not_show(
    monkeypatch: pytest.MonkeyPatch, by: Any, event: Any, zone: str
) -> None:
    measures = [
        Activity(timezone=zone, event=event, by=by),
        Retention(entry=event, timezone=zone, by=by, period="day", recurring=True),
        Retention(returned=event, timezone=zone, by=by, period="36h"),
        LifeCycle(event=event, timezone=zone, by=by, period="week"),
        Stickiness(event=event, timezone=zone, by=by, windows=["2d", "9d"]),
        Conversion(by=by, channel_of="any"),
        Conversion(by=by, horizon="3d"),
    ]
    journeys = built()
    expected = [count_in_memory(measure, journeys) for measure in measures]
    assert all(any(table.height for table in counts.tables.values()) for counts in expected)
    monkeypatch.setattr(sys.modules[BLOCKS], "BLOCK", 7)
    monkeypatch.setattr(sys.modules["journeymine.metrics.conversion_outcomes"], "_BLOCK", 7)
    assert all(count_in_memory(measure, journeys).equals(c) for measure, c in zip(measures, expected, strict=True))
    monkeypatch.setattr(sys.modules["journeymine.counting.groups"], "_MOST", 1)
    assert all(count_in_memory(measure, journeys).equals(c) for measure, c in zip(measures, expected, strict=True))


@pytest.mark.parametrize("ask", [jm.activity, jm.retention, jm.life_cycle, jm.stickiness])
def test_of_no_journeys_nothing_is_told(ask: Any) -> None:
    assert ask(built().range(0, 0), by="channel").frame.is_empty()
