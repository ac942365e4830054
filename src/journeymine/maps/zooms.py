"""The same map for one channel or one segment, and what a reader of both could set it against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from journeymine.columns import UNKNOWN, UNMAPPED
from journeymine.errors import UnknownLabelError
from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys

__all__ = ["Bools", "Group", "groups"]

MOST = 8
"""Most zooms of one kind: each is a whole map on the page."""
SMALLEST = 0.03
"""Smallest share of the journeys that is worth a map of its own."""
Bools = npt.NDArray[np.bool_]
Group = tuple[Literal["channel", "segment"], str, Bools, tuple[Bools, ...]]
"""Kind, label, journeys in it, and the other groups of journeys that a reader could subtract."""


def groups(journeys: Journeys, zoom: str | Sequence[str]) -> Iterator[Group]:
    """The largest groups of journeys by channel (any step in it), segment, or another label (of the first step).

    Raises
    ------
    UnknownLabelError : no such column.
    """
    for name in (zoom,) if isinstance(zoom, str) else zoom:
        if name == "channel" and name in journeys.coded.labels:
            coded = journeys.codes(name)
            for label, held in _largest(
                [(label, _any(journeys, coded, code)) for code, label in enumerate(coded.labels)]
            ):
                yield "channel", label, held, (~held,)
            continue
        coded = _per_journey(journeys, name)
        found = _largest([(label, coded.codes == code) for code, label in enumerate(coded.labels)])
        rest = ~np.any([held for _, held in found], axis=0) if found else np.zeros(len(journeys), dtype=bool)
        for label, held in found:
            others = [other for _, other in found if other is not held] + ([rest] if rest.any() else [])
            yield "segment", f"{name} {label}", held, tuple(others)


def _largest(found: list[tuple[str, Bools]]) -> list[tuple[str, Bools]]:
    """Groups that are neither nearly all journeys nor hardly any, the largest first."""
    worth = [
        (label, held)
        for label, held in found
        if SMALLEST <= held.mean() <= 1 - SMALLEST and label not in (UNKNOWN, UNMAPPED)
    ]
    return sorted(worth, key=lambda item: (-int(item[1].sum()), item[0]))[:MOST]


def _any(journeys: Journeys, coded: Coded, code: int) -> Bools:
    held = np.zeros(len(journeys), dtype=bool)
    held[journeys.journey_of_step[np.flatnonzero(coded.codes == code)]] = True
    return held


def _per_journey(journeys: Journeys, name: str) -> Coded:
    if name in journeys.segments:
        return journeys.segments[name]
    if name not in journeys.coded.labels:
        raise UnknownLabelError.naming("column", name, [*journeys.segments, *journeys.coded.labels])
    return journeys.codes(name).take(journeys.offsets[:-1])
