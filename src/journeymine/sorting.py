"""Sorting integers that are not negative, in the order in which they came where they are equal."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from journeymine.parallel import take

__all__ = ["columns_of", "counting_sort", "counts_at_once", "stable_order"]

Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
_MANY = 1 << 14
"""From so many values on, a counting sort is faster, for all that it sets up."""
_MOST = 1 << 31
"""SciPy numbers fewer rows than that with integers of 32 bits."""
_LEAST_DIGIT, _LARGEST_DIGIT = 16, 30
"""Bits sorted by at once; between the two, about as many as number the rows."""


def stable_order(values: npt.NDArray[np.integer], size: int) -> Ints:
    """The order that sorts integers from 0 to below `size`; equal ones keep theirs.

    Many are sorted by counting, in a fraction of the time of a sort that compares; where there are more possible values
    than that is good for, digit by digit from the last.

    >>> stable_order(np.array([2, 0, 2, 1]), 3)
    array([1, 3, 0, 2])
    """
    size = min(size, 1 << 8 * values.itemsize)  # more than that the type does not hold
    n, bits = len(values), max(size - 1, 1).bit_length()
    if not _MANY <= n < _MOST:
        return _compared(values, bits)
    if counts_at_once(n, size):
        return counting_sort(values.astype(np.int32), size)[0].astype(np.int64)
    width = -(-bits // -(-bits // _digit(n)))
    mask = values.dtype.type((1 << width) - 1)
    order = counting_sort((values & mask).astype(np.int32), 1 << width)[0].astype(np.int64)
    for low in range(width, bits, width):
        digit = (take(values, order) >> values.dtype.type(low)) & mask
        order = take(order, counting_sort(digit.astype(np.int32), 1 << min(width, bits - low))[0])
    return order


def counts_at_once(n: int, size: int) -> bool:
    """Whether `n` integers below `size` are best sorted by one counting sort."""
    return _MANY <= n < _MOST and max(size - 1, 1).bit_length() <= _digit(n)


def _digit(n: int) -> int:
    """How many bits of `n` integers are sorted by at once."""
    return min(max(n.bit_length() + 1, _LEAST_DIGIT), _LARGEST_DIGIT)


def counting_sort(values: npt.NDArray[np.int32], size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The order that sorts integers, and where each of the `size` possible values begins in it; shape [size + 1].

    As of `columns_of`, values are not looked at.

    >>> order, begins = counting_sort(np.array([2, 0, 2], dtype=np.int32), 3)
    >>> order.tolist(), begins.tolist()
    ([1, 0, 2], [0, 1, 1, 3])
    """
    n = len(values)
    _, order, begins = columns_of(np.empty(n, dtype=np.int8), values, np.arange(n + 1, dtype=np.int32), size)
    return order, begins


def columns_of(
    entries: npt.NDArray[Number], column: npt.NDArray[np.int32], begins: npt.NDArray[np.int32], size: int
) -> tuple[npt.NDArray[Number], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The entries of a table by column instead of by row.

    That is what SciPy does to a sparse matrix. It does not look whether columns lie between 0 and `size`, and writes
    beyond its arrays where they do not.

    Parameters
    ----------
    column : of each entry.
    begins : where each row begins, and the last one ends.
    size : how many columns there may be.

    Returns
    -------
    The entries, column by column, and within a column as they came; the row of each; and where each column begins, and
    the last one ends.

    >>> [each.tolist() for each in columns_of(np.array([7, 8, 9]), *np.array([[2, 0, 2], [0, 1, 3]], "i4"), 3)]
    [[8, 7, 9], [1, 0, 1], [0, 1, 1, 3]]
    """
    from scipy.sparse import csr_array  # whoever has only small logs does without it

    columns = csr_array((entries, column, begins), shape=(len(begins) - 1, size)).tocsc()
    return columns.data, columns.indices, columns.indptr


def _compared(values: npt.NDArray[np.integer], bits: int) -> Ints:
    """The same order by a sort of plain integers, each with its number below it, as long as both fit."""
    below = max(len(values) - 1, 1).bit_length()
    if bits + below > 63:
        return np.argsort(values, kind="stable")
    key: npt.NDArray[Any] = values.astype(np.uint32 if bits + below <= 32 else np.int64)
    key <<= below
    key |= np.arange(len(key), dtype=key.dtype)
    key.sort()
    key &= key.dtype.type((1 << below) - 1)
    return key.astype(np.int64, copy=False)
