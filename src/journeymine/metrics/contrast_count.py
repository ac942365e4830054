"""Counting a contrast block by block: who met a marker at which stage, and who got as far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Packed
from journeymine.counting.runs import changes, sort_narrow
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import LEFT, fate_of, left_out
from journeymine.metrics.contrast_tables import Fates
from journeymine.parallel import take

__all__ = ["Meetings", "Reached", "in_order"]

Ints = npt.NDArray[np.int64]


def in_order(ground: Ground, step: Ints, met: Packed) -> tuple[Ints, Packed]:
    """Steps and what is met there, told apart by group as well: cell by cell, and in each as they came."""
    keys = ground.in_groups(met, step)
    cell, rows = sort_narrow(keys.cell, keys.size, step)
    return rows, Packed(cell, keys.factors, keys.size)


class Meetings:
    """Journeys by what they met, and by the stage at which they met it first; all their meetings are counted there."""

    def __init__(self, *, weekly: bool = False, any_time: bool = False) -> None:
        """`weekly` : also by the week in which the journey reached that stage; `any_time` : what it met after its goal as well."""
        self._weekly, self._any_time = weekly, any_time
        self._fates = Fates()

    def add(self, ground: Ground, step: Ints, met: Packed) -> None:
        """Add what journeys of a block met at some steps, the same thing perhaps many times.

        Steps after the goal, and those of service journeys, only add to how many journeys and times there are.
        """
        self.add_sorted(ground, *in_order(ground, step, met))

    def add_sorted(self, ground: Ground, rows: Ints, met: Packed) -> None:
        """The same of steps that come cell by cell, and in each as they came; groups are told apart already."""
        new = changes(met.cell)
        new |= changes(take(ground.of_step, rows))
        starts, later = np.flatnonzero(new), np.flatnonzero(~new)
        first, at = take(rows, starts), met.take(starts)
        if self._weekly:
            at = at.beside(ground.weeks_reached(first), ground.weeks)
        again = later - np.arange(1, len(later) + 1)  # which of the first meetings each of the later ones follows
        standing = take(ground.standing, first)
        lost = take(again, np.flatnonzero(fate_of(take(ground.standing, take(rows, later))) == LEFT))
        standing[lost] |= standing.dtype.type(LEFT)
        if self._any_time:
            outside = np.flatnonzero(~take(ground.up_to_goal, first))
            standing[outside] = left_out(take(standing, outside))
        self._fates.add(ground, at, first, standing, again, by_user=True)

    def absorb(self, other: Meetings) -> None:
        """Add what another one counted; the other is used up."""
        self._fates.absorb(other._fates)

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """``met`` and ``people`` of `contrast_specs`."""
        return {"met": self._fates.table(specs["met"]), "people": self._fates.people(specs["people"])}


class Reached:
    """All journeys by the stages that they reached before their goal."""

    def __init__(self, *, weekly: bool = False) -> None:
        """`weekly` : also by the week in which they reached them."""
        self._weekly = weekly
        self._fates = Fates()

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        step = ground.reached
        at = ground.in_groups(Packed.none(len(step)), step)
        if self._weekly:
            at = at.beside(ground.week(step), ground.weeks)
        self._fates.add(ground, at, step, take(ground.standing, step))

    def absorb(self, other: Reached) -> None:
        """Add what another one counted; the other is used up."""
        self._fates.absorb(other._fates)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """``reached`` of `contrast_specs`; of weekly ones without weeks, a row for each that is added up in time."""
        return self._fates.table(spec)
