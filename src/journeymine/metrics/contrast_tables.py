"""Tables of a contrast, counted block by block: what became of the journeys in each cell, and how many users they are of.

What a journey adds to a table is packed into one number with its cell, and all numbers are counted at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Sums, sum_where
from journeymine.counting.packed import CellCounts, Packed
from journeymine.counting.runs import changes
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["FATES", "IMMATURE", "LEFT", "MATURE", "WON", "Fates", "People", "States", "fate_of", "fold_of"]

Ints = npt.NDArray[np.int64]
States = npt.NDArray[np.uint8]
"""What is known of each journey as one number: its user's fold × `FATES` + what became of it."""
FATES = 4
"""Not old enough to tell; none of the following; converted; lost at the step in question."""
IMMATURE, MATURE, WON, LEFT = range(FATES)
_TIMES = 4
"""So often a journey may meet a marker before the rest of the times is added up apart."""


class Fates:
    """Journeys by cell, fold and what became of them, with how often they met the marker and what they are worth."""

    def __init__(self) -> None:
        self._counts = CellCounts(FOLDS * FATES * _TIMES)
        self._more, self._value = Sums(), Sums()

    def add(
        self,
        at: Packed,
        state: States,
        *,
        n_times: Ints | None = None,
        journey: Ints | None = None,
        value: Ints | None = None,
    ) -> None:
        """Add journeys, one row each.

        Parameters
        ----------
        n_times : how often it met the marker.
        journey : of each row, where journeys have a value.
        value : micro-units of each journey; None where there are none.
        """
        code = state * np.uint16(_TIMES)
        if n_times is not None:
            code |= np.minimum(n_times, _TIMES).astype(np.uint16) - np.uint16(1)
            more = np.flatnonzero(n_times > _TIMES)
            self._more.add(_by_fold(at, state, more), take(n_times, more) - _TIMES, at.size * FOLDS)
        self._counts.add(at, code)
        if value is not None and journey is not None:
            won = np.flatnonzero(fate_of(state) == WON)
            self._value.add(_by_fold(at, state, won), take(value, take(journey, won)), at.size * FOLDS)

    def cells(self) -> Ints:
        """Each cell that occurs, ascending."""
        cell, _, _ = self._counts.counted()
        return take(cell, np.flatnonzero(changes(cell)))

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table, whose columns are some of those of `contrast_specs`."""
        cell, code, n = self._counts.counted()
        state = (code // _TIMES).astype(np.uint8)
        times, fate, fold = code & (_TIMES - 1), fate_of(state), fold_of(state)
        starts = np.flatnonzero(changes(cell) | changes(fold))
        cell, fold = take(cell, starts), take(fold, starts)
        there = cell * FOLDS + fold
        totals = {
            "n_times": sum_where(times >= 0, n * (times + 1), starts) + self._more.plain(there),
            "n_journeys": sum_where(fate >= 0, n, starts),
            "n": sum_where(fate >= MATURE, n, starts),
            "converted": sum_where(fate == WON, n, starts),
            "lost_at": sum_where(fate == LEFT, n, starts),
            **dict(zip(limbs("value"), self._value.totals(there), strict=True)),
        }
        columns = {**self._counts.apart(cell), "fold": fold, **totals}
        return pl.DataFrame({name: columns[name] for name in spec.schema})


class People:
    """Distinct users of mature journeys in each cell, and of those that converted."""

    def __init__(self) -> None:
        self._at = Packed.none(0)
        self._journeys, self._users, self._converted = Sums(), Sums(), Sums()

    def add(self, at: Packed, user: npt.NDArray[np.integer], state: States) -> None:
        """Add journeys of whole users, of which those in one cell come with users together."""
        self._at = at.without_rows()
        starts = np.flatnonzero(changes(at.cell))
        if not len(starts):
            return
        there, fate = take(at.cell, starts).astype(np.int64), fate_of(state)
        # A user's mature journeys come before the others, so the first of them here tells.
        new = changes(at.cell) | changes(user)
        new &= fate >= MATURE
        won = np.flatnonzero(fate == WON)
        new_won = take(won, np.flatnonzero(changes(take(at.cell, won)) | changes(take(user, won))))
        both = new.astype(np.int64)  # side by side in one integer
        both[new_won] += 1 << 32
        so_far = np.cumsum(both)
        ends = np.append(starts[1:], len(both)) - 1
        here = np.diff(take(so_far, ends), prepend=0)
        self._journeys.add(there, np.diff(ends, prepend=-1), at.size)
        self._users.add(there, here & ((1 << 32) - 1), at.size)
        self._converted.add(there, here >> 32, at.size)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table."""
        cells = self._journeys.cells()
        users, converted = (total.plain(cells) for total in (self._users, self._converted))
        columns = {**self._at.apart(cells), "n_users": users, "users_converted": converted}
        return pl.DataFrame({name: columns[name] for name in spec.schema})


def fate_of(state: States) -> npt.NDArray[np.uint8]:
    """What became of each journey."""
    return state & np.uint8(FATES - 1)


def fold_of(state: States) -> npt.NDArray[np.uint8]:
    """The fold of each journey's user."""
    return state >> np.uint8(2)


def _by_fold(at: Packed, state: States, rows: Ints) -> Ints:
    return take(at.cell, rows).astype(np.int64) * FOLDS + fold_of(take(state, rows))
