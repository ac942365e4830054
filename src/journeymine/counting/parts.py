"""Counting in memory: part after part of the users, on all cores, merged."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from journeymine.counting.by import with_labels_in_use
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


def count_in_memory(measure: Measure, journeys: Journeys, *, n_steps: int | None = None, whole: bool = True) -> Counts:
    """Count a measure on journeys in memory.

    The parts are views of about `n_steps` steps with whole users; the outcome does not depend on their size.

    Parameters
    ----------
    whole : whether these are all that the question is asked of, and not themselves a part; only then do labels that do
        not occur in them not count as labels of a breakdown.
    """
    if whole:
        journeys = with_labels_in_use(journeys, getattr(measure, "names", ()))
    if n_steps is None:
        wish = measure.steps_at_once(journeys) if isinstance(measure, Sized) else PART
        n_steps = wish or max(PART, len(journeys.coded) // n_workers() + 1)
    parts = list(journeys.parts(n_steps))
    if len(parts) == 1:
        return measure.count(parts[0])
    return Counts.merge(on_all_cores(measure.count, parts))
