"""Counting a contrast block by block: who met a marker at which stage, and who got as far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Packed
from journeymine.counting.runs import CellRows, cell_rows
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import LEFT, left_out
from journeymine.metrics.contrast_tables import Fates
from journeymine.parallel import take
from journeymine.sorting import stable_order

__all__ = ["Meetings", "Reached", "in_order"]

Bools = npt.NDArray[np.bool_]
_FEW = 3
"""Of fewer steps than one in so many, those alone are sorted."""


def in_order(ground: Ground, met: Packed, steps: Bools) -> tuple[CellRows, Packed]:
    """What is met at some steps, told apart by group as well: cell by cell, and in each as they came."""
    keys = ground.in_groups(met)
    if _FEW * np.count_nonzero(steps) > len(steps):
        return cell_rows(keys.cell, keys.size, ground.journeys.offsets, steps), keys.without_rows()
    step = np.flatnonzero(steps)
    rows = take(step, stable_order(take(keys.cell, step), keys.size))
    return CellRows.of(rows, keys.cell, take(ground.of_step, rows)), keys.without_rows()


class Meetings:
    """Journeys by what they met, and by the stage at which they met it first; all their meetings are counted there."""

    def __init__(self, *, weekly: bool = False, any_time: bool = False) -> None:
        """Nothing yet.

        Parameters
        ----------
        weekly : also by the week in which the journey reached that stage.
        any_time : what a journey met after its goal as well; and where one is lost as it meets something, that is told.
        """
        self._weekly, self._any_time = weekly, any_time
        self._fates = Fates(by_user=True)

    def add(self, ground: Ground, met: Packed, steps: Bools) -> None:
        """Add what journeys of a block met at some of their steps, the same thing perhaps many times.

        Steps after the goal, and those of service journeys, only add to how many journeys and times there are.
        """
        self.add_sorted(ground, *in_order(ground, met, steps))

    def add_sorted(self, ground: Ground, found: CellRows, among: Packed) -> None:
        """The same of what `in_order` found."""
        starts, later = np.flatnonzero(found.new), np.flatnonzero(~found.new)
        first, journey = take(found.rows, starts), take(found.journey, starts)
        at = Packed(take(found.cell, starts), among.factors, among.size)
        if self._weekly:
            at = at.beside(ground.weeks_reached(first), ground.weeks)
        again = later - np.arange(1, len(later) + 1)  # which of the first meetings each of the later ones follows
        standing = ground.standing_at(first, journey)
        if self._any_time:
            left = take(ground.fate, found.rows) == LEFT
            standing[np.flatnonzero(take(left, starts))] |= standing.dtype.type(LEFT)
            standing[take(again, np.flatnonzero(take(left, later)))] |= standing.dtype.type(LEFT)
            outside = np.flatnonzero(~take(ground.up_to_goal, first))
            standing[outside] = left_out(take(standing, outside))
        self._fates.add(ground, at, journey, standing, again)

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
        journey = take(ground.of_step, step)
        self._fates.add(ground, at, journey, ground.standing_at(step, journey))

    def absorb(self, other: Reached) -> None:
        """Add what another one counted; the other is used up."""
        self._fates.absorb(other._fates)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """``reached`` of `contrast_specs`; of weekly ones without weeks, a row for each that is added up in time."""
        return self._fates.table(spec)
