"""Which measures a journey map asks for: the one place that chooses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from journeymine.counting.measure import Measure
from journeymine.graph.positions import TypicalOrder
from journeymine.graph.transitions import Transitions
from journeymine.graph.variants import Variants
from journeymine.metrics.conversion import Conversion
from journeymine.metrics.decision_points import DecisionPoints
from journeymine.metrics.drop_off import DropOff
from journeymine.metrics.dwell import Dwell
from journeymine.metrics.friction import Friction
from journeymine.metrics.handoffs import Handoffs
from journeymine.metrics.satisfaction import Satisfaction

__all__ = ["CLAIMS", "SUBTRACTED", "map_measures"]

FACTS = ("owner", "kind")
"""Facts about touchpoints that a map shows where the stage map declares them."""


CLAIMS = ("paths", "friction", "decisions", "handoffs")
"""What is judged on all journeys only: a map of some of them has neither findings nor example paths of its own."""
SUBTRACTED = ("conversion", "nodes", "flows", "channels", "lanes", "stages", "places")
"""What a reader could subtract from another map; enough to know what that one must withhold."""


def map_measures(columns: Iterable[str], *, scale: Any = None) -> dict[str, Measure]:
    """The measures that a journey map is made from, by name; ask them with `mine` and give the results to `journey_map`.

    Parameters
    ----------
    columns : label columns of the log, e.g. ``journeys.coded.labels``: touchpoint, and channel, stage, owner, … where
        there are any.
    scale : lowest and highest satisfaction score, or a mapping of touchpoints to such pairs; None without scores.
    """
    there = set(columns)
    channel = "channel" in there
    grain = "channel:touchpoint" if channel else "touchpoint"
    node = tuple(name for name in ("stage", "channel", "touchpoint", *FACTS) if name in there)
    asked: dict[str, Measure] = {
        "conversion": Conversion(),
        "nodes": DropOff(by=node),
        "flows": Transitions(grain=grain),
        "paths": Variants(grain=grain),
        "friction": Friction(),
        "decisions": DecisionPoints(),
    }
    if channel:
        asked["handoffs"] = Handoffs()
        asked["channels"] = Conversion(by="channel", channel_of="any")
    if channel and "stage" in there:
        asked["lanes"] = DropOff(by="channel")  # without stages, these are the places
    if "stage" in there:
        asked["stages"] = DropOff(by="stage")
        asked["dwell"] = Dwell(by="stage")
    else:
        asked["order"] = TypicalOrder()
    if scale is not None:
        asked["satisfaction"] = Satisfaction(by="stage" if "stage" in there else "touchpoint", scale=scale)
    if channel or "stage" in there:
        asked["places"] = DropOff(by=tuple(name for name in ("stage", "channel") if name in there))
    return asked
