"""Rows brought together by what they count towards, in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.parallel import take
from journeymine.sorting import columns_of, counts_at_once, stable_order

__all__ = ["CellRows", "cell_rows", "changes", "numbered", "ranges", "sort_cells", "sort_narrow"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_NONE = np.zeros(0, dtype=np.int64)
_FEW = 4096
"""Up to this many possible values, and four per row, are looked up in an array of their own."""


@dataclass(frozen=True, slots=True)
class CellRows:
    """Rows of journeys by what they count towards: cell by cell, and in each as they came.

    Attributes
    ----------
    rows : the number of each row.
    cell : what it counts towards.
    journey : its journey.
    new : whether it is the first of its journey in the cell.
    """

    rows: Ints
    cell: npt.NDArray[np.integer]
    journey: npt.NDArray[np.signedinteger]
    new: Bools

    @classmethod
    def of(cls, rows: Ints, cell: npt.NDArray[np.integer], journey: npt.NDArray[np.signedinteger]) -> CellRows:
        """Rows in that order; `cell` is that of every row, `journey` that of each of `rows`."""
        there = take(cell, rows)
        new = changes(there)
        new |= changes(journey)
        return cls(rows, there, journey, new)


def cell_rows(cell: npt.NDArray[np.integer], size: int, offsets: Ints, kept: Bools | None = None) -> CellRows:
    """Rows that come journey after journey, brought together by cell.

    Parameters
    ----------
    cell : of each row, below `size`.
    offsets : where each journey begins, and the last one ends.
    kept : the rows that are looked at; None for all.

    >>> found = cell_rows(np.array([1, 0, 1, 1]), 2, np.array([0, 3, 4]))
    >>> found.rows.tolist(), found.journey.tolist(), found.new.tolist()
    ([1, 0, 2, 3], [0, 0, 0, 1], [True, True, False, True])
    """
    left_out = _NONE if kept is None else np.flatnonzero(~kept)
    room = size + 1 if len(left_out) else size  # they are sorted behind all others and cut off
    few = counts_at_once(len(cell), room)
    column: npt.NDArray[Any] = cell.astype(np.int32 if few else np.int64)
    column[left_out] = size
    order: npt.NDArray[Any]
    journey: npt.NDArray[Any]
    if few:
        numbers = np.arange(len(cell), dtype=np.int32)
        order, journey, _ = columns_of(numbers, column, offsets.astype(np.int32), room)
    else:
        order = stable_order(column, room)
        journey = take(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), order)
    kept_rows = slice(len(cell) - len(left_out))
    return CellRows.of(order[kept_rows].astype(np.int64, copy=False), cell, journey[kept_rows])


def sort_cells(cell: npt.NDArray[np.integer], size: int) -> tuple[Ints, Ints]:
    """Cells in ascending order, and the row that each came from; equal cells keep the order of their rows.

    Cells are below `size`.

    >>> sort_cells(np.array([2, 0, 2, 1]), 3)
    (array([0, 1, 2, 2]), array([1, 3, 0, 2]))
    """
    there, order = sort_narrow(cell, size)
    return there.astype(np.int64, copy=False), order


def sort_narrow(cell: npt.NDArray[np.integer], size: int) -> tuple[npt.NDArray[np.integer], Ints]:
    """The same, cells as integers of 32 bits without a sign where those are wide enough: half the memory to pass over."""
    order = stable_order(cell, size)
    kind: type[np.uint32 | np.int64] = np.uint32 if size <= 1 << 32 else np.int64
    return take(cell, order).astype(kind, copy=False), order


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
