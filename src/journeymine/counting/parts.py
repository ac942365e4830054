"""Counting in memory: part after part of the users, on all cores, merged."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.journeys.journeys import Journeys

__all__ = ["count_in_memory"]


def count_in_memory(measure: Measure, journeys: Journeys, *, n_steps: int = 1_000_000) -> Counts:
    """Count a measure on journeys in memory.

    The parts are views of about `n_steps` steps with whole users; the outcome does not depend on their size.
    """
    parts = list(journeys.parts(n_steps))
    if len(parts) == 1:
        return measure.count(parts[0])
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return Counts.merge(pool.map(measure.count, parts))
