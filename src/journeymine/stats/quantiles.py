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

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_bounds, group_quantiles, quantile
from journeymine.stats.shares import NO_TRIALS, Interval, given, share_interval

__all__ = ["TOO_FAR_OUT", "group_woodruff", "woodruff"]

Ints = npt.NDArray[np.int64]

TOO_FAR_OUT = "too few values beyond this quantile"
_AT_ONCE = 1 << 12
"""Buckets laid out by fold at a time, where no group has more: 64 folds of them fit in a processor's cache."""


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
    rows = counts.shape[1:-1]
    first = np.arange(int(np.prod(rows))) * (numbers.size + 1)
    lower, upper, reason = (each.reshape(rows) for each in _inverted(shares, first, np.tile(numbers, len(first)), q))
    return Interval(quantile(numbers, counts.sum(axis=0), q), lower, upper, np.full(rows, np.nan), reason)


def group_woodruff(
    groups: npt.ArrayLike,
    buckets: npt.ArrayLike,
    folds: npt.ArrayLike,
    counts: npt.ArrayLike,
    q: Sequence[float],
    *,
    n_groups: int,
    confidence: float = 0.95,
) -> list[Interval]:
    """`woodruff` of many histograms that lie one below the other, each with buckets of its own, for several quantiles.

    Parameters
    ----------
    groups, buckets, folds, counts : one row per group (0 … n_groups − 1), bucket and fold with any value, sorted by
        group, then bucket; integers.
    q : the quantiles, each between 0 and 1, not included.
    confidence : between 0 and 1.

    Returns
    -------
    One Interval of shape [n_groups] per quantile.

    Examples
    --------
    >>> from journeymine.stats.histogram import bucket_of
    >>> buckets, folds = np.repeat(bucket_of([1, 2, 3, 4, 5]), 64), np.tile(np.arange(64), 5)
    >>> n = np.repeat([1, 2, 3, 2, 1], 64)
    >>> (found,) = group_woodruff(np.zeros(320, dtype=int), buckets, folds, n, [0.5], n_groups=2)
    >>> found.estimate.round(2), found.lower.round(2), found.reason
    (array([3.02,  nan]), array([ 3., nan]), array([None, 'nothing was counted here'], dtype=object))
    """
    group, number, fold, n = (np.asarray(each, dtype=np.int64) for each in (groups, buckets, folds, counts))
    begins = np.ones(len(group), dtype=bool)  # of a bucket of a group
    begins[1:] = (group[1:] != group[:-1]) | (number[1:] != number[:-1])
    first = np.flatnonzero(begins)
    group_of, number_of = group[first], number[first]
    totals = np.add.reduceat(n, first) if len(first) else n
    estimates = group_quantiles(group_of, number_of, totals, q, n_groups=n_groups)
    found = [_nothing(estimate) for estimate in estimates.T]
    for rows in _blocks(group_of):
        cells = slice(int(first[rows.start]), int(first[rows.stop]) if rows.stop < len(first) else len(n))
        there = group_of[rows]
        starts = np.flatnonzero(np.diff(there, prepend=-1))
        place = np.arange(len(there)) + np.cumsum(np.diff(there, prepend=-1) != 0)  # one before each group, for nothing
        by_fold = np.zeros((FOLDS, len(there) + len(starts)))
        by_fold[fold[cells], place[np.cumsum(begins[cells]) - 1]] = n[cells]
        head = place[starts] - 1
        shares = share_interval(*_up_to(by_fold, head), confidence=confidence)
        for each, wanted in zip(found, q, strict=True):
            at = there[starts]
            each.lower[at], each.upper[at], each.reason[at] = _inverted(shares, head, number_of[rows], wanted)
    return found


def _nothing(estimate: npt.NDArray[np.float64]) -> Interval:
    lower, upper, deff = (np.full(len(estimate), np.nan) for _ in range(3))
    return Interval(estimate, lower, upper, deff, np.full(len(estimate), NO_TRIALS, dtype=object))


def _blocks(group: Ints) -> Iterator[slice]:
    """Ranges of whole groups of about `_AT_ONCE` rows."""
    starts = np.append(np.flatnonzero(np.diff(group, prepend=-1)), len(group))
    low = 0
    while low < len(starts) - 1:
        high = max(int(np.searchsorted(starts, starts[low] + _AT_ONCE, side="right")) - 1, low + 1)
        yield slice(int(starts[low]), int(starts[high]))
        low = high


def _up_to(by_fold: npt.NDArray[np.float64], head: Ints) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Values of each group up to each of its places, and all of the group's; shape [folds, places] both."""
    running = np.cumsum(by_fold, axis=1)  # whole numbers: what is taken away again leaves no trace
    lengths = np.diff(head, append=by_fold.shape[1])
    running -= np.repeat(running[:, head], lengths, axis=1)
    return running, np.repeat(running[:, head + lengths - 1], lengths, axis=1)


def _inverted(shares: Interval, head: Ints, numbers: Ints, q: float) -> tuple[npt.NDArray[Any], ...]:
    """Lower and upper limit of the quantile of each group, and why there are none.

    Parameters
    ----------
    shares : of the values below the first bucket of a group, and up to each of its buckets; group after group.
    head : where in `shares` each group begins.
    numbers : the buckets, group after group.
    """
    lower, upper, reason = (each.ravel() for each in (shares.lower, shares.upper, shares.reason))
    may, must = upper >= q, lower >= q  # NaN compares false; such rows carry their own reason anyway
    nothing_below = may[head]  # and then no limit is given at all
    last = np.append(head[1:], len(may)) - 1
    begin, end = (_first_of(flags, head, last) for flags in (may, must))
    why = np.array(reason[last], dtype=object)
    why[(nothing_below | (end < 0)) & ~given(why)] = TOO_FAR_OUT
    low, high = bucket_bounds(numbers)
    before = np.arange(1, len(head) + 1)  # places without a bucket up to here
    silent = given(why)
    return (
        np.where(silent, np.nan, low[np.maximum(begin - before, 0)]),
        np.where(silent, np.nan, high[np.maximum(end - before, 0)]),
        why,
    )


def _first_of(flags: npt.NDArray[np.bool_], head: Ints, last: Ints) -> Ints:
    """Where in each range, both ends included, the first flag is set; −1 where none is."""
    places = np.append(np.flatnonzero(flags), len(flags))
    first = places[np.searchsorted(places, head)]
    return np.where(first <= last, first, -1)


def _over_buckets(per_row: npt.ArrayLike | None) -> npt.ArrayLike | None:
    return None if per_row is None else np.asarray(per_row)[..., None]
