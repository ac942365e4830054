"""Histograms that merge exactly: buckets are the top bits of a number's float64 pattern.

A bucket is the sign-free exponent and the first six bits of the mantissa, so that every machine and engine draws the
same borders without a logarithm. A bucket's middle is within 0.79 % of all it holds; 0 has a bucket of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.intervals import FloatArray

__all__ = ["BUCKETS", "bucket_bounds", "bucket_of", "bucket_place", "bucket_value", "group_quantiles", "quantile"]

IntArray = npt.NDArray[np.int64]

_DROPPED_BITS = 46  # 52 bits of mantissa, of which 6 are kept
_FIRST = 1  # bucket 0 holds exact zeros only; what would share it (below 1e-309) goes up by one


def bucket_of(values: npt.ArrayLike) -> IntArray:
    """Bucket of each value.

    Parameters
    ----------
    values : integers or floats, 0 or more, finite; any shape. Integers above 2⁵³ are rounded to float64 first.

    Raises
    ------
    QuestionError : negative, NaN or infinite values, with their number.

    Examples
    --------
    >>> bucket_of([0, 1, 1.01, 1.02, 2])
    array([    0, 65472, 65472, 65473, 65536])
    """
    given = np.asarray(values)
    floats = given.astype(np.float64)
    if given.dtype.kind in "iu" and given.size and given.min() >= 0:
        return np.asarray(
            floats.view(np.int64) >> _DROPPED_BITS
        )  # the pattern of 0.0 is 0, any other's is well above 1
    wrong = int(np.size(floats) - np.count_nonzero((floats >= 0) & (floats < np.inf)))
    if wrong:
        raise QuestionError(
            f"{wrong} of {np.size(floats)} values are negative, NaN or infinite",
            hint="a histogram holds finite values of 0 or more",
        )
    zero = floats == 0
    pattern = np.ascontiguousarray(np.abs(floats)).view(np.int64).reshape(floats.shape)  # |−0.0| is plain 0
    return np.where(zero, 0, np.maximum(pattern >> _DROPPED_BITS, _FIRST))


_BEFORE_ONE = int(bucket_of(1)) - 1
BUCKETS: IntArray = np.concatenate(([0], np.arange(_BEFORE_ONE + 1, int(bucket_of(np.iinfo(np.int64).max)) + 1)))
"""Every bucket that an int64 of 0 or more may fall into."""


def bucket_place(values: IntArray) -> npt.NDArray[np.uint32]:
    """Where the bucket of each value, an integer of 0 or more, stands in `BUCKETS`.

    >>> BUCKETS[bucket_place(np.array([0, 1, 2]))]
    array([    0, 65472, 65536])
    """
    return np.maximum(bucket_of(values) - _BEFORE_ONE, 0).astype(np.uint32)


def bucket_bounds(buckets: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Smallest value of each bucket, and the smallest of the next (exclusive); 0 and 0 for the bucket of zeros.

    >>> bucket_bounds([0, 65472])
    (array([0., 1.]), array([0.      , 1.015625]))
    """
    numbers = np.asarray(buckets, dtype=np.int64)
    low = np.where(numbers <= _FIRST, 0.0, _first_value(numbers))
    high = np.where(numbers == 0, 0.0, _first_value(numbers + 1))
    return low, np.minimum(high, np.finfo(np.float64).max)


def bucket_value(buckets: npt.ArrayLike) -> FloatArray:
    """Value that stands for each bucket: its middle.

    >>> bucket_value([0, 65472])
    array([0.       , 1.0078125])
    """
    low, high = bucket_bounds(buckets)
    return low + (high - low) / 2


def quantile(buckets: npt.ArrayLike, counts: npt.ArrayLike, q: npt.ArrayLike) -> FloatArray:
    """Value at the q-th quantile of a histogram: the ⌈q·n⌉-th smallest, up to the width of its bucket.

    Parameters
    ----------
    buckets : ascending, shape [B].
    counts : how many values in each, shape […, B]; leading axes (folds, groups) are done at once.
    q : one number, or one per leading position; 0–1.

    Returns
    -------
    Shape […]; NaN where there are no values.

    Examples
    --------
    >>> quantile(bucket_of([1, 2, 4]), [5, 4, 1], 0.5)
    array(1.0078125)
    >>> quantile(bucket_of([1, 2, 4]), [[5, 4, 1], [0, 0, 9]], 0.9).tolist()
    [2.015625, 4.03125]
    """
    numbers, n = np.asarray(buckets, dtype=np.int64), np.asarray(counts)
    if not numbers.size:
        return np.full(n.shape[:-1], np.nan)
    cumulative = np.asarray(np.cumsum(n, axis=-1))
    total = cumulative[..., -1]
    reached = cumulative >= _rank(_checked(q), total)[..., None]
    return np.where(total > 0, bucket_value(numbers)[np.argmax(reached, axis=-1)], np.nan)


def group_quantiles(
    groups: npt.ArrayLike, buckets: npt.ArrayLike, counts: npt.ArrayLike, q: npt.ArrayLike, *, n_groups: int
) -> FloatArray:
    """The same quantiles of many histograms that lie one below the other.

    Parameters
    ----------
    groups, buckets, counts : one row per filled bucket, sorted by group (0 … n_groups − 1), then bucket; integers.
    q : the quantiles, shape [Q].

    Returns
    -------
    Shape [n_groups, Q]; NaN for groups without values.

    Examples
    --------
    >>> group_quantiles([0, 0, 2], bucket_of([1, 2, 4]), [3, 1, 1], [0.5, 0.9], n_groups=3)
    array([[1.0078125, 2.015625 ],
           [      nan,       nan],
           [4.03125  , 4.03125  ]])
    """
    group, number = np.asarray(groups, dtype=np.int64), np.asarray(buckets, dtype=np.int64)
    wanted, found = _checked(q), np.full((np.size(q), n_groups), np.nan)
    if not number.size:
        return found.T
    value, n_buckets = _values(number), np.bincount(group, minlength=n_groups)[:n_groups]
    first = np.cumsum(n_buckets) - n_buckets
    cumulative = np.concatenate([[0], np.cumsum(np.asarray(counts, dtype=np.int64))])
    before = cumulative[first]
    total = cumulative[first + n_buckets] - before
    one = np.flatnonzero((n_buckets == 1) & (total > 0))  # nearly all groups, where there are millions
    found[:, one] = value[first[one]]
    several = np.flatnonzero((n_buckets > 1) & (total > 0))
    for quantiles, each in zip(found, wanted, strict=True):
        rank = before[several] + _rank(each, total[several])
        quantiles[several] = value[np.searchsorted(cumulative[1:], rank, side="left")]
    return found.T


def _values(buckets: IntArray) -> FloatArray:
    """`bucket_value`, of many buckets looked up: there are a few thousand different ones."""
    low, high = int(buckets.min()), int(buckets.max())
    if high - low >= len(buckets):
        return bucket_value(buckets)
    return np.asarray(bucket_value(np.arange(low, high + 1))[buckets - low])


def _rank(q: FloatArray, total: npt.ArrayLike) -> FloatArray:
    # 0.07 · 100 is 7.000000000000001: without the hair's breadth the eighth value would answer for the seventh.
    return np.asarray(np.maximum(np.ceil(q * np.asarray(total, dtype=np.float64) * (1 - 1e-12)), 1.0))


def _checked(q: npt.ArrayLike) -> FloatArray:
    wanted = np.asarray(q, dtype=np.float64)
    if not np.all((wanted >= 0) & (wanted <= 1)):
        raise QuestionError(f"quantiles lie between 0 and 1, not {wanted.tolist()}", hint="ask for q=0.5, the median")
    return wanted


def _first_value(numbers: IntArray) -> FloatArray:
    return np.ascontiguousarray(numbers << _DROPPED_BITS).view(np.float64).reshape(numbers.shape)
