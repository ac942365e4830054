"""Where flags are set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["places_of"]

_SPARSE, _DENSE = 36, 10
"""Between one flag in so many and one in so many, looking at all of them is quicker."""
_AT_ONCE = 1 << 18


def places_of(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """``np.flatnonzero(flags)``, up to three times as quick where some are set but not many.

    Where a tenth of the flags or fewer are set, NumPy looks for the next one each time, which takes longer than looking at all of
    them unless very few are. Some more flags at the end have it look at all.

    >>> places_of(np.array([False, True, True]))
    array([1, 2])
    """
    starts = range(0, len(flags), _AT_ONCE)
    if len(starts) > 1:
        return np.concatenate([_places(flags[low : low + _AT_ONCE]) + low for low in starts])
    return _places(flags)


def _places(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    n, n_set = len(flags), int(np.count_nonzero(flags))
    if not n < n_set * _SPARSE < n * _SPARSE // _DENSE:
        return np.flatnonzero(flags)
    padded = np.ones(n + (n - _DENSE * n_set) // (_DENSE - 1) + _DENSE, dtype=bool)
    padded[:n] = flags
    return np.flatnonzero(padded)[:n_set]
