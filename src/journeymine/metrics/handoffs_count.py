"""Counting how journeys arrive at labels, from others and from where they are, block by block; the counting behind `handoffs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import CellCounts, Packed, RowCounts
from journeymine.counting.runs import changes
from journeymine.metrics.contrast_count import Meetings
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import FATES, LEFT, MATURE, WON
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import BUCKETS, bucket_place

__all__ = ["AT_GOAL", "ENTERS", "N_TIMES", "Arriving"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.unsignedinteger]
_TIMES = {"_bucket": pl.Series(BUCKETS)}
ENTERS, AT_GOAL = 1, 2
"""Bits of an arrival: it enters its stage; it is the goal."""
_ARRIVAL = {"_arrival": pl.Series(range(ENTERS + AT_GOAL + 1))}
_ARRIVED = {
    "n": np.ones(FATES, dtype=bool),
    "lost": np.arange(FATES) == LEFT,
    "converted": np.arange(FATES) == WON,
}
N_TIMES = len(BUCKETS)
"""How many times are told apart."""


class Arriving:
    """Counts arrivals at a label, from another or from itself."""

    def __init__(self, grain: str, label: pl.Series, specs: Mapping[str, TableSpec]) -> None:
        """Nothing yet.

        Parameters
        ----------
        label : what the codes of the grain stand for.
        specs : the tables that are asked for; without ``crossings`` and ``times``, which go together, it is less work.
        """
        self._grain, self._label, self._specs = grain, label, specs
        self._met, self._arrivals = Meetings(any_time=True), CellCounts(FOLDS * FATES)
        self._rows = {
            name: RowCounts(folded=specs[name].folded, flagged=specs[name].folded)
            for name in ("crossings", "times")
            if name in specs
        }

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        codes = ground.journeys.codes(self._grain).codes
        pair = Packed(_before_each(codes), ({"from": self._label},)).beside(codes, {"to": self._label})
        crosses = changes(codes) & ~ground.entry
        self._met.add(ground, pair, crosses)
        at = ground.in_groups(pair)
        if "crossings" in self._rows:
            self._add_crossings(ground, at, np.flatnonzero(crosses))
        arrived = np.flatnonzero(ground.up_to_goal & ~ground.entry & (ground.fate >= MATURE))
        self._arrivals.add(_arriving(ground, at), ground.fold * np.uint8(FATES) + ground.fate, arrived)

    def _add_crossings(self, ground: Ground, at: Packed, step: Ints) -> None:
        """Add all crossings, and how long they took."""
        codes, time = ground.journeys.codes(self._grain).codes, ground.journeys.coded.time
        at = at.take(step)
        returns = _returns(take(ground.of_step, step), take(codes, step - 1), take(codes, step))
        self._rows["crossings"].add(at, take(ground.fold, step), flags=returns)
        took = take(time, step) - take(time, step - 1)
        self._rows["times"].add(at.beside(bucket_place(took), _TIMES))

    def absorb(self, other: Arriving) -> None:
        """Add what another one counted; the other is used up."""
        self._met.absorb(other._met)
        self._arrivals.absorb(other._arrivals)
        for name, rows in self._rows.items():
            rows.absorb(other._rows[name])

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables."""
        specs = self._specs
        return {
            **self._met.tables(specs),
            "arrivals": self._arrivals.table(specs["arrivals"], _ARRIVED),
            **{name: rows.table(specs[name]) for name, rows in self._rows.items()},
        }


def _before_each(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What stands before each; the first has itself."""
    before = values.copy()
    before[1:] = values[:-1]
    return before


def _returns(journey: Ints, left: Codes, reached: Codes) -> npt.NDArray[np.bool_]:
    """Whether each crossing arrives at the label that the one before it in the same journey left."""
    returns = np.zeros(len(journey), dtype=bool)
    returns[1:] = (journey[1:] == journey[:-1]) & (reached[1:] == left[:-1])
    return returns


def _arriving(ground: Ground, at: Packed) -> Packed:
    """The same told apart by stage, and by whether the step enters it and is the goal."""
    arrival = changes(ground.stage).view(np.uint8) * np.uint8(ENTERS)
    arrival[ground.up_to_goal & ~ground.before] |= AT_GOAL
    return at.beside(ground.stage, ground.stages).beside(arrival, _ARRIVAL)
