"""The 64 folds of users, and the delete-a-group jackknife over them.

Every user falls into one of `FOLDS` fixed groups. Counts keep the fold; leaving out one fold at a time and finishing
the number again gives its variance, clustered by user, without a list of users [1]_. All functions take the folds as
the leading axis and work on any number of further axes.

References
----------
.. [1] P. S. Kott, "The delete-a-group jackknife", Journal of Official Statistics 17 (2001) 521–526.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError
from journeymine.stats.hashing import stable_hash
from journeymine.stats.intervals import FloatArray

__all__ = ["FOLDS", "design_effect", "fold_of", "jackknife_correlation", "jackknife_variance", "replicates"]

FOLDS = 64
"""Number of folds; a power of two, fixed for good: counts of different years are added fold by fold."""

_TOP_SIX_BITS = np.uint64(58)


def fold_of(ids: pl.Series) -> npt.NDArray[np.uint8]:
    """Fold of each user id, 0–63: the top six bits of its `stable_hash`.

    Raises as `stable_hash` does.

    >>> fold_of(pl.Series(["", "a", "user-1"])).tolist()
    [59, 32, 16]
    """
    return (stable_hash(ids) >> _TOP_SIX_BITS).astype(np.uint8)


def replicates(by_fold: npt.ArrayLike, present: npt.ArrayLike | None = None) -> FloatArray:
    """Totals without one fold at a time, scaled up to the whole.

    replicate_k = (total − fold_k) · K / (K − 1), over the K folds that are present

    Parameters
    ----------
    by_fold : counts or sums, shape [folds, …].
    present : which folds hold anyone at all, shape [folds]; by default those with any number other than 0. A fold
        without any user is no sample of anything, so it makes no replicate; a fold whose users did *not* do the thing
        counted does, so give the mask from the largest table.

    Returns
    -------
    Shape [K, …]; NaN when K is 1, nothing when K is 0.

    Examples
    --------
    >>> replicates([[1, 10], [2, 20], [3, 30], [0, 0]])
    array([[ 7.5, 75. ],
           [ 6. , 60. ],
           [ 4.5, 45. ]])
    """
    folds = np.asarray(by_fold, dtype=np.float64)
    mask = np.any(folds != 0, axis=tuple(range(1, folds.ndim))) if present is None else np.asarray(present, dtype=bool)
    if mask.shape != folds.shape[:1]:
        raise QuestionError(
            f"`present` has shape {mask.shape} for {folds.shape[0]} folds", hint="give one truth value per fold"
        )
    kept = folds[mask]
    scale = len(kept) / (len(kept) - 1) if len(kept) > 1 else np.nan
    return np.asarray((kept.sum(axis=0) - kept) * scale)


def jackknife_variance(estimates: npt.ArrayLike, present: npt.ArrayLike | None = None) -> FloatArray:
    """Variance of an estimate from its K replicates: (K − 1) / K · Σ (θ_k − mean θ)².

    Parameters
    ----------
    estimates : the number finished from each replicate, shape [K, …].
    present : which replicates count, broadcasting against `estimates`; by default all.

    Returns
    -------
    Shape […]. NaN with fewer than two replicates, and NaN where any counting replicate is NaN or infinite: a number
    that exists only thanks to one fold has no variance that the others could tell.

    Examples
    --------
    >>> jackknife_variance([[1.0], [2.0], [3.0]]).round(4)
    array([1.3333])
    """
    theta, mask = _masked(estimates, present)
    k = mask.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(mask, theta - np.where(mask, theta, 0.0).sum(axis=0) / k, 0.0)
        variance = (k - 1) / k * np.square(deviation).sum(axis=0)
    defined = (k > 1) & np.all(np.isfinite(theta) | ~mask, axis=0)
    return np.where(defined, variance, np.nan)


def design_effect(
    share: npt.ArrayLike, trials: npt.ArrayLike, variance: npt.ArrayLike, *, regular: bool = False
) -> FloatArray:
    """How many times larger the variance of a share is than that of independent trials; at least 1.

    max(1, variance / (p(1 − p) / n)); NaN where p is 0 or 1 or the variance is NaN: there the data cannot tell. Where
    successes are `regular`, as days of windows that hold one each, it may be less; not 0, which tells as little.

    >>> design_effect(0.5, 100, [0.0025, 0.005, 0.0001])
    array([1., 2., 1.])
    >>> design_effect(0.5, 100, [0.0025, 0.005, 0.0001], regular=True)
    array([1.  , 2.  , 0.04])
    """
    p, n, v = (np.asarray(x, dtype=np.float64) for x in (share, trials, variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        binomial = p * (1 - p) / n
        effect = v / binomial
    effect = np.where(effect > 0, effect, 1.0) if regular else np.maximum(effect, 1.0)
    return np.where(binomial > 0, effect, np.nan)


def jackknife_correlation(a: npt.ArrayLike, b: npt.ArrayLike, present: npt.ArrayLike | None = None) -> FloatArray:
    """Correlation of two estimates from their replicates over the same folds, −1 to 1.

    0 where either series does not vary (an exact share of 0 or 1 moves with nothing); NaN where a counting replicate
    is undefined or fewer than two count.

    >>> jackknife_correlation([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.5]]).round(4)
    array([0.9979])
    """
    first, mask = _masked(a, present)
    second, _ = _masked(b, present)
    k = mask.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        da = np.where(mask, first - np.where(mask, first, 0.0).sum(axis=0) / k, 0.0)
        db = np.where(mask, second - np.where(mask, second, 0.0).sum(axis=0) / k, 0.0)
        spread = np.sqrt(np.square(da).sum(axis=0) * np.square(db).sum(axis=0))
        rho = np.where(spread > 0, np.clip((da * db).sum(axis=0) / spread, -1.0, 1.0), 0.0)
    defined = (k > 1) & np.all(np.isfinite(first) & np.isfinite(second) | ~mask, axis=0)
    return np.where(defined, rho, np.nan)


def _masked(estimates: npt.ArrayLike, present: npt.ArrayLike | None) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    theta = np.asarray(estimates, dtype=np.float64)
    if theta.ndim == 0:
        raise QuestionError("replicates need a leading axis of folds", hint="pass an array of shape [folds, …]")
    mask = np.ones(theta.shape, dtype=bool) if present is None else np.asarray(present, dtype=bool)
    return theta, np.broadcast_to(mask.reshape(mask.shape + (1,) * (theta.ndim - mask.ndim)), theta.shape)
