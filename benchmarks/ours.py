"""Our own cases. A new measure needs one line in `MEASURES`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import journeymine as jm
from benchmarks.case import Case

__all__ = ["CASES"]

_LEAD = ("duckdb lead", "polars shift over", "chdb lead", "pm4py", "retentioneering")


def _read(path: str) -> jm.Events:
    events = jm.read_events(path, user="user_id", timestamp="ts", touchpoint="touchpoint", channel="channel")
    events.coded()
    return events


def _build(events: jm.Events) -> jm.Journeys:
    return jm.build_journeys(events, goal="order_placed")


def _journeys(path: str) -> jm.Journeys:
    return _build(_read(path))


def _way(path: str) -> None:
    journeys = _journeys(path)
    jm.transitions(journeys)
    jm.conversion(journeys, by="channel")
    jm.drop_off(journeys, by="channel")


MEASURES: dict[str, tuple[str, Callable[[jm.Journeys], Any]]] = {
    "transitions": ("edges and nodes with times, journeys, conversion", jm.transitions),
    "conversion": ("share of journeys that convert, per channel", lambda j: jm.conversion(j, by="channel")),
    "drop_off": ("what becomes of journeys, per channel", lambda j: jm.drop_off(j, by="channel")),
    "variants": ("distinct paths", jm.variants),
}
"""Each is timed on journeys already built."""

CASES = [
    Case("way", "file → journeys → transitions, conversion, drop-off", str, _way, _LEAD),
    Case("read", "file → coded events", str, _read, ("polars read",)),
    Case("build", "events → journeys", _read, _build, ("duckdb sessions",)),
    *(Case(name, answers, _journeys, run) for name, (answers, run) in MEASURES.items()),
]
