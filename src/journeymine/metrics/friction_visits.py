"""Who was at a place before the goal, and whether they went on from there: those that a friction of moving about is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Packed
from journeymine.counting.runs import changes, sort_narrow
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_tables import Fates
from journeymine.parallel import take

__all__ = ["WENT_ON", "Places", "Visits", "visit_specs"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
WENT_ON = "went_on"
"""Key of the table of those who were at a place: whether they went on from there, by whatever step."""
_WENT_ON = {WENT_ON: pl.Series([0, 1])}


def visit_specs(by: Sequence[str], place: Mapping[str, type[pl.DataType]]) -> dict[str, TableSpec]:
    """Mature journeys by place, stage, and whether they went on from there."""
    group: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    keys: dict[str, type[pl.DataType]] = {**group, **place, "stage": pl.String, WENT_ON: pl.Int64}
    return {"visited": TableSpec(keys, {"n": "sum", "converted": "sum"})}


@dataclass(frozen=True, slots=True)
class Places:
    """The steps of a block, place by place, and within a place as they came.

    Attributes
    ----------
    rows : the number of each step.
    at : its place, told apart by group as well.
    new : whether it is the first of its journey there.
    """

    rows: Ints
    at: Packed
    new: Bools

    @classmethod
    def of(cls, ground: Ground, place: Packed) -> Places:
        """`place` is that of each step."""
        at = ground.in_groups(place)
        there, rows = sort_narrow(at.cell, at.size)
        new = changes(there)
        new |= changes(take(ground.of_step, rows))
        return cls(rows, Packed(there, at.factors, at.size), new)

    def take(self, which: Ints) -> tuple[Ints, Packed]:
        """Some of the steps, and their places."""
        return take(self.rows, which), self.at.take(which)

    def visits(self, ground: Ground) -> Ints:
        """Which are the first of each journey at each place in each stage, of those before the goal that tell something."""
        known = np.flatnonzero(take(ground.told, self.rows))
        visit = take(np.cumsum(self.new, dtype=np.uint32), known)
        new, stage = changes(visit), take(ground.stage, take(self.rows, known))
        other = changes(stage)
        if (other & ~new).any():  # a place in several stages: its steps are brought together by stage
            order = np.lexsort((stage, visit))
            known, other = take(known, order), changes(take(stage, order))
        return take(known, np.flatnonzero(new | other))


class Visits:
    """Counts the journeys that were at each place."""

    def __init__(self) -> None:
        self._fates = Fates()

    def add(self, ground: Ground, places: Places) -> None:
        """Add the journeys of a block."""
        step, at = places.take(places.visits(ground))
        went_on = take(ground.goes_on, step).view(np.uint8)  # who goes on later does so from here, too
        self._fates.add(ground, at.beside(went_on, _WENT_ON), step, take(ground.standing, step))

    def absorb(self, other: Visits) -> None:
        """Add what another one counted; the other is used up."""
        self._fates.absorb(other._fates)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table of `visit_specs`."""
        return self._fates.table(spec)
