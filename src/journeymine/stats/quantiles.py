"""Intervals of quantiles, by inverting the interval of the cumulative share.

A jackknifed quantile of buckets does not work: a replicate either jumps to the next bucket or does not move (coverage
39 % instead of 95 %). The share of values up to a bucket is smooth, and its interval is read backwards [1]_.

References
----------
.. [1] R. S. Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952) 635–646.
.. [2] C. A. Francisco, W. A. Fuller, "Quantile estimation with a complex survey design", Annals of Statistics 19
       (1991) 454–469, for the form used here: all x whose cumulative share may be q.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.histogram import bucket_bounds, quantile
from journeymine.stats.shares import Interval, given, share_interval

__all__ = ["TOO_FAR_OUT", "woodruff"]

TOO_FAR_OUT = "too few values beyond this quantile"


def woodruff(
    buckets: npt.ArrayLike,
    counts_by_fold: npt.ArrayLike,
    q: float,
    *,
    users: npt.ArrayLike | None = None,
    each_user_once: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Quantile of a histogram with its interval, clustered by user.

    The interval holds every x for which q lies in the `share_interval` of the share of values up to x; its ends are
    rounded outwards to the borders of their buckets.

    Parameters
    ----------
    buckets : ascending bucket numbers (see `journeymine.stats.histogram`), shape [B].
    counts_by_fold : shape [folds, rows …, B].
    q : between 0 and 1, not included.
    users, each_user_once : as in `share_interval`, shape [rows …].
    confidence : between 0 and 1.

    Returns
    -------
    Interval of shape [rows …], in the unit of the values; both limits are NaN, with the reason, where the data does
    not bound the quantile on one side.

    Examples
    --------
    >>> from journeymine.stats.histogram import bucket_of
    >>> buckets = bucket_of([1, 2, 3, 4, 5])
    >>> found = woodruff(buckets, np.tile([1, 2, 3, 2, 1], (64, 1)), 0.5)
    >>> f"{found.estimate:.2f} {found.lower:.2f} {found.upper:.2f}"
    '3.02 3.00 3.03'
    """
    numbers, counts = np.asarray(buckets, dtype=np.int64), np.asarray(counts_by_fold, dtype=np.float64)
    if not 0 < q < 1:
        raise QuestionError(f"no interval for the {q!r} quantile", hint="extremes have none; ask for 0 < q < 1")
    if counts.ndim < 2 or counts.shape[-1] != numbers.size or not numbers.size:
        raise QuestionError(
            f"{numbers.size} buckets do not fit counts of shape {counts.shape}",
            hint="the last axis of the counts is the buckets, the first the folds",
        )
    # Below the first bucket the share is 0: if even that may be q, nothing bounds the quantile from below.
    up_to = np.concatenate((np.zeros_like(counts[..., :1]), np.cumsum(counts, axis=-1)), axis=-1)
    trials = np.broadcast_to(up_to[..., -1:], up_to.shape)
    shares = share_interval(
        up_to, trials, users=_over_buckets(users), each_user_once=_over_buckets(each_user_once), confidence=confidence
    )
    # NaN compares false; such rows carry their own reason anyway.
    nothing_below, may_begin = shares.upper[..., 0] >= q, shares.upper[..., 1:] >= q
    must_end = shares.lower[..., 1:] >= q
    low, high = bucket_bounds(numbers)
    lower, upper = low[np.argmax(may_begin, axis=-1)], high[np.argmax(must_end, axis=-1)]
    reason = np.array(shares.reason[..., -1], dtype=object)
    unbounded = (nothing_below | ~np.any(must_end, axis=-1)) & ~given(reason)
    reason[unbounded] = TOO_FAR_OUT
    silent = given(reason)
    return Interval(
        quantile(numbers, counts.sum(axis=0), q),
        np.where(silent, np.nan, lower),
        np.where(silent, np.nan, upper),
        np.full(silent.shape, np.nan),
        reason,
    )


def _over_buckets(per_row: npt.ArrayLike | None) -> npt.ArrayLike | None:
    return None if per_row is None else np.asarray(per_row)[..., None]
