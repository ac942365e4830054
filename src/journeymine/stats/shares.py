"""Intervals of finished numbers, clustered by user: the whole policy in one place.

A user's journeys resemble each other, so they are fewer independent trials than they are journeys: an interval that
ignores it covers the truth 65 % of the time instead of 95 %. The variance over the folds tells by how much (the design
effect); Wilson's formula with the effective number of trials keeps the limits inside 0–1.

No interval is given, and the reason is, where fewer than `MIN_FOLDS` folds hold anyone or one fold holds more than
`MAX_FOLD_SHARE` of the trials: the jackknife then tells too little. Where each user stands in a row only once the
trials are independent, and the plain interval is right however few there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.folds import design_effect, jackknife_correlation, jackknife_variance
from journeymine.stats.intervals import FloatArray, normal_quantile, score_limits, square_and_add, student_quantile
from journeymine.stats.skewed import skewed_student

__all__ = [
    "DOMINANT_FOLD",
    "MAX_FOLD_SHARE",
    "MIN_FOLDS",
    "NO_TRIALS",
    "REASONS",
    "TOO_FEW_FOLDS",
    "UNDEFINED_REPLICATE",
    "Interval",
    "difference_interval",
    "enough_people",
    "few_folds_interval",
    "given",
    "number_interval",
    "share_interval",
]

MIN_FOLDS = 20
"""Fewest folds with anyone in them that tell a variance."""

MAX_FOLD_SHARE = 0.1
"""Largest part of the trials that one fold may hold: beyond it, one user decides the number."""

NO_TRIALS = "nothing was counted here"
TOO_FEW_FOLDS = f"too few users: they fill fewer than {MIN_FOLDS} of the 64 folds"
DOMINANT_FOLD = f"a few users hold more than {MAX_FOLD_SHARE:.0%} of what was counted"
UNDEFINED_REPLICATE = "without some users the number is undefined"
REASONS = (None, NO_TRIALS, TOO_FEW_FOLDS, DOMINANT_FOLD, UNDEFINED_REPLICATE)
"""Why there are no limits, as far as it is told here; None where there are."""

ObjectArray = npt.NDArray[np.object_]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """Estimates with their limits, row by row.

    Attributes
    ----------
    estimate, lower, upper : float64, shape [rows …]; the limits are NaN where a reason is given.
    deff : design effect of a share, at least 1 unless successes are regular; NaN where it was not needed or not known, and for other numbers.
    reason : None, or why there are no limits.
    """

    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    deff: FloatArray
    reason: ObjectArray

    @property
    def share(self) -> FloatArray:
        """The estimate, by the name it has when it is a share."""
        return self.estimate


def share_interval(
    successes_by_fold: npt.ArrayLike,
    trials_by_fold: npt.ArrayLike,
    *,
    users: npt.ArrayLike | None = None,
    each_user_once: npt.ArrayLike | None = None,
    regular: bool = False,
    confidence: float = 0.95,
) -> Interval:
    """Share of successes among trials, with an interval clustered by user.

    Wilson's interval [1]_ with n = trials ÷ design effect in place of the trials [2]_. The design effect is the
    jackknife variance over the folds ÷ the binomial one, at least 1 unless `regular`, and as it is itself an estimate on K − 1 degrees
    of freedom, Student's quantile takes the place of the normal one [3]_.

    Parameters
    ----------
    successes_by_fold, trials_by_fold : shape [folds, rows …]. A fold is empty *in a row* where it has no trials there.
    users : distinct users behind each row, shape [rows …]. At a share of 0 or 1 the folds show no variance, and a user
        counts as one trial. By default the number of non-empty folds, which is never more.
    each_user_once : rows whose trials are all of different users; they get the plain Wilson interval.
    regular : whether successes of one user are spread more evenly than chance would, so that the design effect may be
        below 1.
    confidence : between 0 and 1.

    Returns
    -------
    Interval of shape [rows …].

    Examples
    --------
    >>> trials = np.full((64, 1), 10)
    >>> successes = np.repeat([[1], [3]], 32, axis=0)
    >>> found = share_interval(successes, trials)
    >>> f"{found.share[0]:.2f} {found.lower[0]:.3f} {found.upper[0]:.3f} {found.deff[0]:.1f}"
    '0.20 0.170 0.233 1.0'

    References
    ----------
    .. [1] E. B. Wilson, JASA 22 (1927).
    .. [2] L. Kish, *Survey Sampling* (1965), §8.2, for the design effect.
    .. [3] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys",
           Journal of Survey Statistics and Methodology 3 (2015) 484–503.
    """
    won, tried = _folds_of(successes_by_fold, trials_by_fold)
    n, present = tried.sum(axis=0), tried > 0
    share = _ratio(won.sum(axis=0), n)
    once = np.broadcast_to(np.asarray(False if each_user_once is None else each_user_once, dtype=bool), n.shape)
    variance = jackknife_variance(_share_replicates(won, tried, share), present)
    extreme = (share == 0) | (share == 1)
    deff = np.where(once, 1.0, design_effect(share, n, variance, regular=regular))
    people = present.sum(axis=0) if users is None else np.asarray(users)
    with np.errstate(invalid="ignore"):
        effective = np.where(extreme & ~once, np.minimum(people, n), n / np.where(extreme, 1.0, deff))
    normal = normal_quantile(confidence)
    z = np.full(n.shape, normal) if np.all(once) else np.where(once, normal, _student_of(present, confidence))
    reason = _reason(tried, exempt=once)
    lower, upper = score_limits(share, effective, z)
    return _interval(share, lower, upper, deff, reason)


def few_folds_interval(
    successes: npt.NDArray[np.int64],
    trials: npt.NDArray[np.int64],
    *,
    each_user_once: npt.NDArray[np.bool_],
    confidence: float = 0.95,
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.uint8]]:
    """What `share_interval` makes of rows that fill fewer than `MIN_FOLDS` folds, from their totals alone.

    Returns
    -------
    Estimate, lower and upper limit, and the position in `REASONS` of why there are no limits; shape [rows …] each.

    Examples
    --------
    >>> share, lower, upper, why = few_folds_interval(
    ...     np.array([1, 1]), np.array([3, 3]), each_user_once=np.array([True, False])
    ... )
    >>> [REASONS[code] for code in why]
    [None, 'too few users: they fill fewer than 20 of the 64 folds']
    """
    n = trials.astype(np.float64)
    share = _ratio(successes, n)
    lower, upper = score_limits(share, n, normal_quantile(confidence))
    told = each_user_once & (trials > 0)
    why = np.where(told, REASONS.index(None), REASONS.index(TOO_FEW_FOLDS)).astype(np.uint8)
    why[trials <= 0] = REASONS.index(NO_TRIALS)
    return share, np.where(told, lower, np.nan), np.where(told, upper, np.nan), why


def number_interval(
    estimate: npt.ArrayLike,
    replicates: npt.ArrayLike,
    *,
    trials_by_fold: npt.ArrayLike | None = None,
    each_user_once: npt.ArrayLike | None = None,
    skewed: bool = False,
    confidence: float = 0.95,
) -> Interval:
    """Interval of a smooth number (mean, ratio, credit, solved chain): estimate ± t · jackknife standard error.

    Parameters
    ----------
    estimate : shape [rows …].
    replicates : the same number finished without one fold at a time, shape [K, rows …].
    trials_by_fold : how much stands behind each row in those K folds, shape [K, rows …]; the rules on too few folds and
        on a dominant one are applied to it. By default only K is looked at.
    each_user_once : rows whose trials are all of different users: no fold of theirs is ruled by one.
    skewed : whether the limits follow the skewness of the number, as of a mean of few large amounts.
    confidence : between 0 and 1.

    Returns
    -------
    Interval of shape [rows …], with NaN limits and a reason where a replicate is undefined.

    Examples
    --------
    >>> by_fold = np.arange(64.0)[:, None] + 100
    >>> mean, without_one = by_fold.mean(axis=0), (by_fold.sum(axis=0) - by_fold) / 63
    >>> found = number_interval(mean, without_one)
    >>> f"{found.estimate[0]:.1f} {found.lower[0]:.2f} {found.upper[0]:.2f}"
    '131.5 126.85 136.15'
    """
    value = np.asarray(estimate, dtype=np.float64)
    series = np.asarray(replicates, dtype=np.float64)
    tried = np.ones(series.shape) if trials_by_fold is None else np.asarray(trials_by_fold, dtype=np.float64)
    if series.shape[1:] != value.shape or tried.shape != series.shape:
        raise QuestionError(
            f"estimate {value.shape}, replicates {series.shape} and trials {tried.shape} do not fit",
            hint="replicates and trials have the estimate's shape behind a leading axis of folds",
        )
    variance = jackknife_variance(series)
    once = np.zeros(value.shape, dtype=bool) if each_user_once is None else np.asarray(each_user_once, dtype=bool)
    reason = _reason(tried, exempt=np.zeros(value.shape, dtype=bool))
    reason[once & (reason == DOMINANT_FOLD)] = None
    _set_reason(reason, np.isnan(variance) | ~np.isfinite(value), UNDEFINED_REPLICATE)
    df = (tried > 0).sum(axis=0) - 1
    limits = skewed_student(value, series if skewed else None, variance, df, confidence)
    return _interval(value, *limits, np.full(value.shape, np.nan), reason)


def difference_interval(
    successes1: npt.ArrayLike,
    trials1: npt.ArrayLike,
    successes2: npt.ArrayLike,
    trials2: npt.ArrayLike,
    *,
    users: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    each_user_once: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    disjoint: bool = False,
    regular: bool = False,
    confidence: float = 0.95,
) -> Interval:
    """Difference of two shares (first − second), with an interval clustered by user.

    The limits of each share, as `share_interval` gives them, are squared and added (see `newcombe`), with the
    correlation of the two replicate series: the same users often stand in both.

    Parameters
    ----------
    successes1, trials1, successes2, trials2 : shape [folds, rows …] each, over the same folds.
    users, each_user_once : one array for the first and one for the second share, as in `share_interval`.
    disjoint : no user stands in both, so that the correlation is known to be 0.
    regular : of both, as in `share_interval`.
    confidence : between 0 and 1.

    Returns
    -------
    Interval of shape [rows …]; a reason of either share is the difference's reason.

    Examples
    --------
    >>> same = np.repeat([[3], [5]], 32, axis=0), np.full((64, 1), 10)
    >>> found = difference_interval(*same, *same)
    >>> f"{found.lower[0]:.3f} {found.upper[0]:.3f}"
    '-0.001 0.001'
    """
    (people1, people2), (once1, once2) = users or (None, None), each_user_once or (None, None)
    more: dict[str, Any] = {"regular": regular, "confidence": confidence}
    a = share_interval(successes1, trials1, users=people1, each_user_once=once1, **more)
    b = share_interval(successes2, trials2, users=people2, each_user_once=once2, **more)
    reason = np.where(given(a.reason), a.reason, b.reason)
    rho: npt.ArrayLike = 0.0
    if not disjoint:
        won1, tried1 = _folds_of(successes1, trials1)
        won2, tried2 = _folds_of(successes2, trials2)
        either = (tried1 > 0) | (tried2 > 0)
        _set_reason(reason, either.sum(axis=0) < MIN_FOLDS, TOO_FEW_FOLDS)
        rho = jackknife_correlation(
            _share_replicates(won1, tried1, a.estimate), _share_replicates(won2, tried2, b.estimate), either
        )
    lower, upper = square_and_add(a.estimate, (a.lower, a.upper), b.estimate, (b.lower, b.upper), correlation=rho)
    return _interval(a.estimate - b.estimate, lower, upper, np.full(a.estimate.shape, np.nan), reason)


def enough_people(trials_by_fold: npt.ArrayLike, *, each_user_once: npt.ArrayLike | None = None) -> BoolArray:
    """Tell behind which rows so many people stand that the folds tell a variance: what has no interval is not tested either.

    Parameters as in `share_interval`.

    >>> spread, two_people = np.ones(64), np.where(np.arange(64) < 2, 32, 0)
    >>> enough_people(np.stack((spread, two_people), axis=1))
    array([ True, False])
    """
    tried = np.asarray(trials_by_fold, dtype=np.float64)
    once = np.zeros(tried.shape[1:], dtype=bool) if each_user_once is None else np.asarray(each_user_once, dtype=bool)
    return ~given(_reason(tried, exempt=once))


def given(reason: ObjectArray) -> BoolArray:
    """Tell which rows have a reason.

    >>> given(np.array([None, NO_TRIALS], dtype=object))
    array([False,  True])
    """
    return reason.astype(np.bool_)


def _share_replicates(won: FloatArray, tried: FloatArray, share: FloatArray) -> FloatArray:
    # Leaving out a fold without trials changes nothing; scaling up cancels in a share.
    return np.where(tried > 0, _ratio(won.sum(axis=0) - won, tried.sum(axis=0) - tried), share)


def _ratio(part: npt.NDArray[Any], whole: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _student_of(present: BoolArray, confidence: float) -> FloatArray:
    return student_quantile(np.maximum(present.sum(axis=0) - 1, 1), confidence)


def _folds_of(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    won, tried = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if won.shape != tried.shape or not won.ndim:
        raise QuestionError(
            f"successes {won.shape} and trials {tried.shape} by fold do not fit",
            hint="both have the folds as leading axis and the same shape",
        )
    wrong = int(np.count_nonzero((won < 0) | (won > tried)))
    if wrong:
        raise QuestionError(
            f"{wrong} fold(s) have fewer than 0 or more successes than trials",
            hint="successes are counted among the trials: 0 <= successes <= trials",
        )
    return won, tried


def _reason(tried: FloatArray, *, exempt: BoolArray) -> ObjectArray:
    n = tried.sum(axis=0)
    reason: ObjectArray = np.full(n.shape, None, dtype=object)
    _set_reason(reason, n <= 0, NO_TRIALS)
    _set_reason(reason, ~exempt & ((tried > 0).sum(axis=0) < MIN_FOLDS), TOO_FEW_FOLDS)
    largest = tried.max(axis=0) if tried.shape[0] else np.zeros(n.shape)
    _set_reason(reason, ~exempt & (largest > MAX_FOLD_SHARE * n), DOMINANT_FOLD)
    return reason


def _set_reason(reason: ObjectArray, where: Any, text: str) -> None:
    # The first reason stands: the more basic rules are asked first.
    reason[where & ~given(reason)] = text


def _interval(
    value: FloatArray, lower: FloatArray, upper: FloatArray, deff: FloatArray, reason: ObjectArray
) -> Interval:
    silent = given(reason)
    return Interval(value, np.where(silent, np.nan, lower), np.where(silent, np.nan, upper), deff, reason)
