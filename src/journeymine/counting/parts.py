"""Counting in memory: part after part of the users, on all cores, merged."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import n_workers, on_all_cores

__all__ = ["PART", "Sized", "count_in_memory"]

PART = 1 << 20
"""Steps of a part, where a measure has no wish of its own."""


@runtime_checkable
class Sized(Protocol):
    """A measure that counts parts of a certain size best."""

    def steps_at_once(self, journeys: Journeys) -> int | None:
        """About how many steps; None for one part per core, where `count` goes over its part block by block itself."""
        ...


def count_in_memory(measure: Measure, journeys: Journeys, *, n_steps: int | None = None) -> Counts:
    """Count a measure on journeys in memory.

    The parts are views of about `n_steps` steps with whole users; the outcome does not depend on their size.
    """
    if n_steps is None:
        wish = measure.steps_at_once(journeys) if isinstance(measure, Sized) else PART
        n_steps = wish or max(PART, len(journeys.coded) // n_workers() + 1)
    parts = list(journeys.parts(n_steps))
    if len(parts) == 1:
        return measure.count(parts[0])
    return Counts.merge(on_all_cores(measure.count, parts))
