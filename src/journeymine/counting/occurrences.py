"""How often each of many numbers occurs: what a row adds to the counts, packed into one number and counted all at once.

Where few numbers may occur, each has a place of its own; of more, they are sorted and counted in runs, since places far
apart are slow to reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes, sort_cells
from journeymine.parallel import take
from journeymine.stats.wide import normalise, split

__all__ = ["Occurrences", "Sums", "in_cells", "sum_where"]

Ints = npt.NDArray[np.int64]
_AT_ONCE = 1 << 21
"""So many numbers are sorted and counted at once."""
_BROUGHT_TOGETHER = 1 << 24
"""Beyond so many counts, those of the same number are added up, and again when as many more came as were left."""
_FEW_SUMS, _FITS = 1 << 22, 1 << 62
"""Up to so many sums, each has a place of its own, as long as none may get larger than the latter."""
_DENSE, _PER_ROW = 1 << 24, 16
"""Up to this many possible numbers, and so many for each row, each has a place of its own: of 32 bits, until so many rows came
that it might overflow."""
_NARROW = (1 << 32) - 1
_NOTHING = (np.zeros(0, dtype=np.int64),) * 3


class Occurrences:
    """Counts of numbers that come array by array.

    >>> seen = Occurrences(10)
    >>> seen.add(np.array([7, 2, 7], dtype=seen.kind))
    >>> seen.counted()
    (array([2, 7]), array([1, 2]))
    """

    def __init__(self, size: int) -> None:
        """`size` : numbers are below it."""
        self.kind: type[np.uint16] | type[np.uint32] | type[np.int64] = (
            np.uint16 if size <= 1 << 16 else np.uint32 if size <= 1 << 32 else np.int64
        )
        self._size = size
        self._dense: npt.NDArray[Any] | None = None
        self._n_rows = 0
        self._waiting: list[npt.NDArray[Any]] = []
        self._n_waiting = 0
        self._counted: list[tuple[npt.NDArray[Any], Ints]] = []
        self._most_counted = _BROUGHT_TOGETHER

    def add(self, numbers: npt.NDArray[Any]) -> None:
        """Count more numbers, of type `kind`; the array is ours from now on."""
        self._waiting.append(numbers)
        self._n_waiting += len(numbers)
        if self._dense is not None or self._size <= min(_DENSE, _PER_ROW * self._n_waiting):
            self._place()
        elif self._n_waiting >= _AT_ONCE:
            self._count()

    def absorb(self, other: Occurrences) -> None:
        """Count what another of the same size did as well; the other is used up."""
        if other._dense is not None:
            self._place()
            dense = self._with_room(other._n_rows)
            dense += other._dense
        self._counted += other._counted
        if self._dense is not None:
            self._place()
        for numbers in other._waiting:
            self.add(numbers)

    def _place(self) -> None:
        """Put all that is counted or waits in places of their own."""
        for numbers, n in self._counted:
            dense = self._with_room(int(n.sum()))
            dense[numbers] += n.astype(dense.dtype)
        self._counted = []
        for numbers in self._waiting:
            dense = self._with_room(len(numbers))
            np.add.at(dense, numbers.astype(np.intp), dense.dtype.type(1))
        self._waiting, self._n_waiting = [], 0

    def _with_room(self, n_rows: int) -> npt.NDArray[Any]:
        """The places, wide enough for so many rows more."""
        self._n_rows += n_rows
        dense = np.zeros(self._size, dtype=np.uint32) if self._dense is None else self._dense
        self._dense = dense.astype(np.int64) if self._n_rows > _NARROW and dense.dtype == np.uint32 else dense
        return self._dense

    def counted(self) -> tuple[Ints, Ints]:
        """The numbers that occurred, in ascending order, and how often."""
        if self._dense is not None:
            there = np.flatnonzero(self._dense != 0)
            return there, take(self._dense, there).astype(np.int64)
        self._count()
        return self._together()

    def _together(self) -> tuple[Ints, Ints]:
        """All that is counted as one."""
        if not self._counted:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        numbers = np.concatenate([numbers for numbers, _ in self._counted]).astype(np.int64, copy=False)
        n = np.concatenate([n for _, n in self._counted])
        if len(self._counted) > 1:
            numbers, rows = sort_cells(numbers, int(numbers.max(initial=0)) + 1)
            starts = np.flatnonzero(changes(numbers))
            numbers, n = take(numbers, starts), np.add.reduceat(take(n, rows), starts)
            self._counted = [(numbers, n)]
        return numbers, n

    def by_cell(self, n_kinds: int) -> tuple[Ints, Ints, Ints, Ints]:
        """The numbers that occurred, each made of a cell and one of so many kinds; see `in_cells`."""
        return in_cells(*self.counted(), n_kinds)

    def _count(self) -> None:
        if not self._n_waiting:
            return
        numbers = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        numbers.sort()
        starts = np.flatnonzero(changes(numbers))
        self._counted.append((take(numbers, starts), np.diff(starts, append=len(numbers))))
        if sum(len(numbers) for numbers, _ in self._counted) > self._most_counted:
            self._most_counted = 2 * len(self._together()[0]) + _BROUGHT_TOGETHER


class Sums:
    """Exact sums of values by cell, from blocks that come one by one.

    >>> sums = Sums()
    >>> sums.add(np.array([1, 0, 1]), np.array([5, 2**62, 2**62]), 3)
    >>> [column.tolist() for column in sums.totals(np.array([0, 1, 2]))]
    [[1073741824, 1073741824, 0], [0, 5, 0]]
    """

    def __init__(self) -> None:
        self._dense: Ints | None = None
        self._most = 0
        self._parts: list[tuple[Ints, Ints, Ints]] = []
        self._n_rows = 0

    def add(self, cell: Ints, values: Ints, size: int) -> None:
        """Add values to their cells, which are below `size`, the same each time."""
        if not len(cell):
            return
        most = max(int(values.max()), -int(values.min())) * len(values)
        if size <= _FEW_SUMS and most < _FITS:
            self._add_densely(cell, values, size, most)
            return
        self._parts.append(_added(cell, *split(values), size))
        self._n_rows += len(self._parts[-1][0])
        if self._n_rows > _AT_ONCE:
            self._parts = [_added(*self._together(), size)]
            self._n_rows = 0

    def absorb(self, other: Sums) -> None:
        """Add what another one of cells below the same size added up; the other is used up."""
        if self._dense is None or other._dense is None or self._most + other._most >= _FITS:
            for sums in (self, other):
                if sums._dense is not None:
                    sums._set_apart(sums._dense)
        else:
            self._dense += other._dense
            self._most += other._most
        self._parts += other._parts
        self._n_rows += other._n_rows

    def _add_densely(self, cell: Ints, values: Ints, size: int, most: int) -> None:
        """Add to a sum of 64 bits for each cell, none of which may be larger than `most` by then."""
        if self._dense is None:
            self._dense = np.zeros(size, dtype=np.int64)
        elif self._most + most >= _FITS:
            self._set_apart(self._dense)
        np.add.at(self._dense, cell, values)
        self._most += most

    def _set_apart(self, dense: Ints) -> None:
        cell = np.flatnonzero(dense != 0)
        if len(cell):
            self._parts.append((cell, *split(take(dense, cell))))
        dense[cell] = 0
        self._most = 0

    def totals(self, cells: Ints) -> tuple[Ints, Ints]:
        """Both limbs of the sum of each of `cells`, which are sorted and hold every cell that was added to."""
        hi, lo = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=np.int64)
        if self._dense is not None:
            hi, lo = split(take(self._dense, cells))
        if self._parts:
            there, upper, lower = self._together()
            there, upper, lower = _added(there, upper, lower, int(there.max()) + 1)
            at = np.searchsorted(cells, there)
            hi[at] += upper
            lo[at] += lower
        return normalise(hi, lo)

    def plain(self, cells: Ints) -> Ints:
        """The same sums as one integer each, where they are known to fit."""
        hi, lo = self.totals(cells)
        return (hi << 32) + lo

    def cells(self) -> Ints:
        """Every cell whose sum is not 0, where none is negative, in ascending order."""
        dense = [] if self._dense is None else [np.flatnonzero(self._dense != 0)]
        return np.unique(np.concatenate([*dense, self._together()[0]]))

    def _together(self) -> tuple[Ints, Ints, Ints]:
        cell, hi, lo = (np.concatenate(column) for column in zip(_NOTHING, *self._parts, strict=True))
        return cell, hi, lo


def _added(cell: Ints, hi: Ints, lo: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    there, rows = sort_cells(cell, size)
    starts = np.flatnonzero(changes(there))
    hi, lo = normalise(np.add.reduceat(take(hi, rows), starts), np.add.reduceat(take(lo, rows), starts))
    return take(there, starts), hi, lo


def in_cells(numbers: Ints, n: Ints, n_kinds: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Ascending numbers, each made of a cell and one of so many kinds, and how often each occurred.

    Returns
    -------
    Each cell, ascending; the kinds of all its numbers, cell after cell; how often each; and where those of each cell
    begin.
    """
    cell = numbers // n_kinds
    starts = np.flatnonzero(changes(cell))
    return take(cell, starts), numbers - cell * n_kinds, n, starts


def sum_where(flags: npt.NDArray[np.bool_], n: Ints, starts: Ints) -> Ints:
    """Sum of the `n` that are flagged, of each run.

    >>> sum_where(np.array([True, False, True]), np.array([5, 6, 7]), np.array([0, 2]))
    array([5, 7])
    """
    return np.asarray(np.add.reduceat(n * flags, starts)) if len(n) else np.zeros(0, dtype=np.int64)
