"""Users by the day on which they are active, and on which they enter and leave each window; the counting behind `stickiness`.

A window of w days that ends on a day holds a user from an active day until w days after it, or until the next active
day takes over. So an active day on which the user enters the shorter windows only, or leaves no window before the next
one, tells all by two small numbers: how many of the windows are no longer than the days since the last active day, and
until the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.occurrences import Occurrences, sum_where
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.active_periods import NEVER, ActivePeriods, active_periods
from journeymine.metrics.occurrence import Occurrence
from journeymine.metrics.period_clock import numbers_between
from journeymine.metrics.step_blocks import StepBlocks
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_days"]

Ints = npt.NDArray[np.int64]


def count_days(
    journeys: Journeys,
    event: Occurrence,
    names: Sequence[str],
    widths: Sequence[int],
    zone: str,
    specs: Mapping[str, TableSpec],
) -> dict[str, pl.DataFrame]:
    """The tables ``days`` and ``users`` of whole users' journeys; `widths` of the windows, ascending."""
    days = _Days(StepBlocks(journeys, event, names), numbers_between(journeys, "day", zone), widths)
    for found in active_periods(days.blocks, "day", zone):
        days.add(found)
    tables = {"days": pl.concat(list(days.frames())), "users": pl.concat(list(days.people_frames()))}
    return {name: table.select(list(specs[name].schema)) for name, table in tables.items()}


class _Days:
    """Active days by (group, day, fold) so far, and users by (group, fold)."""

    def __init__(self, blocks: StepBlocks, bounds: tuple[int, int], widths: Sequence[int]) -> None:
        self.blocks, self.widths = blocks, widths
        self.low, self.n_days = bounds[0], bounds[1] - bounds[0] + 1
        self.n_kinds = len(widths) + 1
        self.active = Occurrences(blocks.n_groups * self.n_days * FOLDS * self.n_kinds**2)
        self.people = Occurrences(blocks.n_groups * FOLDS)

    def add(self, found: ActivePeriods) -> None:
        """Add the days of a block."""
        number: npt.NDArray[Any] = found.group.astype(self.active.kind)
        number *= self.n_days
        number += (found.number - self.low).astype(self.active.kind)
        number *= FOLDS
        number += found.fold
        for gap in (found.since, found.until):
            number *= self.n_kinds
            for width in self.widths:
                number += gap >= width
        self.active.add(number)
        first = np.flatnonzero(found.since == NEVER)
        person = take(found.group, first) * FOLDS + take(found.fold, first)
        self.people.add(person.astype(self.people.kind))

    def frames(self) -> Iterator[pl.DataFrame]:
        """Rows of the table of days: per window who is active, who enters, and who leaves."""
        there, kind, n, starts = self.active.by_cell(self.n_kinds**2)
        since, until = kind // self.n_kinds, kind % self.n_kinds
        for rank, width in enumerate(self.widths):
            active = sum_where(since >= 0, n, starts)
            yield self._frame(there, 0, width, active, sum_where(since > rank, n, starts))
            leave = sum_where(until > rank, n, starts)
            gone = np.flatnonzero(leave)
            yield self._frame(take(there, gone), width, width, np.zeros_like(gone), -take(leave, gone))

    def _frame(self, there: Ints, later: int, width: int, active: Ints, change: Ints) -> pl.DataFrame:
        cell = there // FOLDS
        columns = {
            "window_days": np.full(len(there), width),
            "day": cell % self.n_days + self.low + later,
            "fold": (there % FOLDS).astype(np.uint8),
            "active": active,
            "_change": change,
        }
        return pl.DataFrame({**self.blocks.spelled(cell // self.n_days), **columns})

    def people_frames(self) -> Iterator[pl.DataFrame]:
        """Rows of the table of users: the same for every window."""
        numbers, n = self.people.counted()
        fold = (numbers % FOLDS).astype(np.uint8)
        for width in self.widths:
            columns = {"window_days": np.full(len(n), width), "fold": fold, "n_users": n}
            yield pl.DataFrame({**self.blocks.spelled(numbers // FOLDS), **columns})
