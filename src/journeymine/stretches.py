"""Many stretches of one array, searched at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from journeymine.parallel import take

__all__ = ["search_stretches"]

Ints = npt.NDArray[np.int64]


def search_stretches(
    values: Ints, low: Ints, high: Ints, wanted: Ints, *, side: Literal["left", "right"] = "left"
) -> Ints:
    """Where each of `wanted` belongs in a stretch of `values` of its own, which ascends; all are looked for at once, by halves.

    Parameters
    ----------
    low, high : where the stretch of each begins and ends. Both are ours from now on.
    side : before or after values that are equal, as of `numpy.searchsorted`.

    >>> search_stretches(np.array([1, 4, 9, 2, 4]), np.array([0, 0, 3]), np.array([3, 3, 5]), np.array([4, 10, 3]))
    array([1, 3, 4])
    """
    rows = np.flatnonzero(low < high)
    while len(rows):
        left, right, sought = take(low, rows), take(high, rows), take(wanted, rows)
        middle = (left + right) >> 1
        there = take(values, middle)
        goes_on = there <= sought if side == "right" else there < sought
        left, right = np.where(goes_on, middle + 1, left), np.where(goes_on, right, middle)
        low[rows], high[rows] = left, right
        rows = take(rows, np.flatnonzero(left < right))
    return low
