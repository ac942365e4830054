"""Exact sums of 64-bit integers that no longer fit 64 bits, as two int64 limbs.

value = hi · 2³² + lo. Limbs of many values are summed column by column, in any order and any grouping: 2³¹ of them fit
before `normalise` has to carry. Sums wrap silently otherwise (28 million edge times in microseconds suffice).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["from_python_ints", "normalise", "split", "sum_runs", "to_float", "to_python_ints"]

IntArray = npt.NDArray[np.int64]

_BITS = 32
_LOW = (1 << _BITS) - 1


def split(values: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Limbs of each value; the lower one is 0 … 2³² − 1, the upper one carries the sign.

    >>> split([5, -1, 2**62])
    (array([         0,         -1, 1073741824]), array([         5, 4294967295,          0]))
    """
    numbers = np.asarray(values, dtype=np.int64)
    return numbers >> _BITS, numbers & _LOW


def normalise(hi: npt.ArrayLike, lo: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """The one form of each number: carries moved up, so that equal numbers have equal limbs.

    >>> normalise([0], [3 * 2**32 + 7])
    (array([3]), array([7]))
    """
    upper, lower = np.asarray(hi, dtype=np.int64), np.asarray(lo, dtype=np.int64)
    return upper + (lower >> _BITS), lower & _LOW


def sum_runs(values: IntArray, starts: IntArray) -> tuple[IntArray, IntArray]:
    """Sum of each run of values, which begin at `starts`, as limbs that `normalise` may have to carry; values are none below 0.

    >>> sum_runs(np.array([2**62, 2**62, 7]), np.array([0, 2]))
    (array([2147483648,          0]), array([0, 7]))
    """
    if int(values.max(initial=0)) < (1 << 62) // max(len(values), 1):
        return split(np.add.reduceat(values, starts))
    upper, lower = split(values)
    return np.add.reduceat(upper, starts), np.add.reduceat(lower, starts)


def to_python_ints(hi: npt.ArrayLike, lo: npt.ArrayLike) -> list[int]:
    """Each number exactly, as an unbounded integer; for few, finished numbers.

    >>> to_python_ints([2**40], [1])
    [4722366482869645213697]
    """
    upper, lower = np.asarray(hi, dtype=np.int64), np.asarray(lo, dtype=np.int64)
    return [(h << _BITS) + low for h, low in zip(upper.ravel().tolist(), lower.ravel().tolist(), strict=True)]


def from_python_ints(numbers: list[int]) -> tuple[IntArray, IntArray]:
    """Limbs of unbounded integers, the inverse of `to_python_ints`; below 2⁹⁵ in size.

    >>> from_python_ints([4722366482869645213697])
    (array([1099511627776]), array([1]))
    """
    hi = np.array([n >> _BITS for n in numbers], dtype=np.int64)
    return hi, np.array([n & _LOW for n in numbers], dtype=np.int64)


def to_float(hi: npt.ArrayLike, lo: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Each number as the nearest float64 (within one rounding where it is below 2⁸⁵).

    >>> to_float([1], [1])
    array([4.2949673e+09])
    """
    upper, lower = normalise(hi, lo)
    return upper.astype(np.float64) * float(1 << _BITS) + lower.astype(np.float64)
