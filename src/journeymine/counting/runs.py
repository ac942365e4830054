"""Rows brought together by what they count towards, in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.parallel import take
from journeymine.sorting import stable_order

__all__ = ["Runs", "changes", "numbered", "ranges", "runs_of", "sort_cells", "sort_narrow"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_FEW = 4096
"""Up to this many possible values, and four per row, are looked up in an array of their own."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Rows by (cell, journey): rows of one pair are a run.

    Attributes
    ----------
    rows : all rows, sorted by cell and then as they came.
    starts : where in `rows` each run begins.
    """

    rows: Ints
    starts: Ints

    @property
    def first(self) -> Ints:
        """The first row of each run."""
        return take(self.rows, self.starts)

    @property
    def lengths(self) -> Ints:
        """Rows in each run."""
        return np.diff(self.starts, append=len(self.rows))

    def any(self, flags: Bools) -> Bools:
        """Whether any row of each run is flagged."""
        if not len(self.starts):
            return np.zeros(0, dtype=bool)
        return np.maximum.reduceat(take(flags, self.rows).view(np.uint8), self.starts).view(np.bool_)


def runs_of(cell: npt.NDArray[np.integer], size: int, journey: Ints) -> Runs:
    """Runs of rows that come journey after journey; `cell` is below `size`."""
    there, rows = sort_cells(cell, size)
    new = changes(there)
    new |= changes(take(journey, rows))
    return Runs(rows, np.flatnonzero(new))


def sort_cells(cell: npt.NDArray[np.integer], size: int, rows: Ints | None = None) -> tuple[Ints, Ints]:
    """Cells in ascending order, and the row that each came from; equal cells keep the order of their rows.

    Parameters
    ----------
    size : cells are below it.
    rows : the row of each, in any order; None where each stands in its own.

    >>> sort_cells(np.array([2, 0, 2, 1]), 3)
    (array([0, 1, 2, 2]), array([1, 3, 0, 2]))
    """
    there, order = sort_narrow(cell, size, rows)
    return there.astype(np.int64, copy=False), order


def sort_narrow(
    cell: npt.NDArray[np.integer], size: int, rows: Ints | None = None
) -> tuple[npt.NDArray[np.integer], Ints]:
    """The same, cells as integers of 32 bits without a sign where those are wide enough: half the memory to pass over."""
    if rows is not None and not np.all(rows[1:] >= rows[:-1]):
        by_row = stable_order(rows, int(rows.max()) + 1)
        rows, cell = take(rows, by_row), take(cell, by_row)
    order = stable_order(cell, size)
    kind: type[np.uint32 | np.int64] = np.uint32 if size <= 1 << 32 else np.int64
    return take(cell, order).astype(kind, copy=False), order if rows is None else take(rows, order)


def ranges(begins: Ints, lengths: Ints) -> Ints:
    """The numbers of each of many ranges, range after range.

    >>> ranges(np.array([7, 2, 4]), np.array([2, 0, 3]))
    array([7, 8, 4, 5, 6])
    """
    some = np.flatnonzero(lengths != 0)
    n = take(lengths, some)
    begins = take(begins, some)
    begins -= np.cumsum(n) - n
    found = np.repeat(begins, n)
    found += np.arange(len(found))
    return found


def numbered(values: Ints, size: int) -> tuple[Ints, Ints]:
    """The values that occur, in ascending order, and the place of each value among them; all lie below `size`.

    >>> numbered(np.array([7, 2, 7]), 8)
    (array([2, 7]), array([1, 0, 1]))
    """
    if size > 4 * len(values) + _FEW:
        seen, place = np.unique(values, return_inverse=True)
        return seen, place.astype(np.int64, copy=False)
    occurs = np.zeros(size, dtype=bool)
    occurs[values] = True
    return np.flatnonzero(occurs), take(np.cumsum(occurs) - 1, values)


def changes(values: npt.NDArray[np.generic]) -> Bools:
    """Where a value differs from the one before it; true for the first.

    >>> changes(np.array([3, 3, 1])).tolist()
    [True, False, True]
    """
    new = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new
