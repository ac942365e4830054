"""Intervals of shares that are solved for rather than counted: a survival curve, a probability of absorption."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.stats.folds import jackknife_variance
from journeymine.stats.intervals import score_limits, student_quantile
from journeymine.stats.shares import Interval, number_interval

__all__ = ["solved_share_interval"]


def solved_share_interval(
    estimate: npt.ArrayLike,
    replicates: npt.ArrayLike,
    *,
    trials_by_fold: npt.ArrayLike | None = None,
    people: npt.ArrayLike | None = None,
    mean: bool = False,
    confidence: float = 0.95,
) -> Interval:
    """Interval of a share that is no plain ratio of counts, clustered by user; its limits stay inside 0–1.

    Wilson's interval with the number of trials that would give a counted share the same variance [1]_:
    n = p (1 − p) / v, with v the jackknife variance over the folds and Student's quantile on K − 1 degrees of freedom.

    Parameters
    ----------
    estimate : shares, shape [rows …].
    replicates : the same shares finished without one fold at a time, shape [K, rows …].
    trials_by_fold : as in `number_interval`; n is never more than the trials, unless it is a mean.
    people : distinct people behind each row, shape [rows …]: n where the folds show no variance, at 0 and 1 for
        instance; by default the folds with trials, which are never more.
    mean : whether it is a mean of numbers between 0 and 1, which differ less than as many 0s and 1s would.
    confidence : between 0 and 1.

    Returns
    -------
    Interval of shape [rows …], with NaN limits and a reason as `number_interval` gives them.

    Examples
    --------
    >>> by_fold = np.repeat([[0.1], [0.3]], 32, axis=0)
    >>> without_one = (by_fold.sum(axis=0) - by_fold) / 63
    >>> found = solved_share_interval([0.2], without_one)
    >>> f"{found.lower[0]:.3f} {found.upper[0]:.3f}"
    '0.176 0.226'

    References
    ----------
    .. [1] K. J. Rothman, "Estimation of confidence limits for the cumulative probability of survival in life table
           analysis", Journal of Chronic Diseases 31 (1978) 557–560.
    """
    found = number_interval(estimate, replicates, trials_by_fold=trials_by_fold, confidence=confidence)
    share, series = np.clip(found.estimate, 0.0, 1.0), np.asarray(replicates, dtype=np.float64)
    tried = np.ones(series.shape) if trials_by_fold is None else np.asarray(trials_by_fold, dtype=np.float64)
    folds = (tried > 0).sum(axis=0)
    variance = jackknife_variance(series)
    crowd = np.asarray(folds if people is None else people, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = share * (1 - share) / variance
    flat = ~(variance > 0) | (share <= 0) | (share >= 1)
    effective = np.where(flat, crowd, effective)
    if trials_by_fold is not None and not mean:
        effective = np.minimum(effective, tried.sum(axis=0))
    lower, upper = score_limits(share, effective, student_quantile(np.maximum(folds - 1, 1), confidence))
    silent = found.reason.astype(np.bool_)
    return Interval(share, np.where(silent, np.nan, lower), np.where(silent, np.nan, upper), found.deff, found.reason)
