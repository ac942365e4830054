"""Counting in memory: part after part of the users, on all cores, merged."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import n_workers, on_all_cores

__all__ = ["InBlocks", "count_in_memory"]

PART = 1 << 19


@runtime_checkable
class InBlocks(Protocol):
    """A measure whose `count` may itself go over the journeys block by block, whatever their number."""

    def in_blocks(self, journeys: Journeys) -> bool:
        """Whether it does so on these journeys; then one part per core is best: fewest tables to merge."""
        ...


def count_in_memory(measure: Measure, journeys: Journeys, *, n_steps: int = PART) -> Counts:
    """Count a measure on journeys in memory.

    The parts are views of about `n_steps` steps with whole users; the outcome does not depend on their size.
    """
    if isinstance(measure, InBlocks) and len(journeys.coded) > n_steps and measure.in_blocks(journeys):
        n_steps = max(n_steps, len(journeys.coded) // n_workers() + 1)
    parts = list(journeys.parts(n_steps))
    if len(parts) == 1:
        return measure.count(parts[0])
    return Counts.merge(on_all_cores(measure.count, parts))
