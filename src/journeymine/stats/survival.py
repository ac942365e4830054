"""Time to an event under censoring, from counted tables: Kaplan–Meier, Aalen–Johansen, log-rank.

Counts lie on a grid of ascending times, the last axis; leading axes (folds, groups) are done at once. Who is censored
at a time was still at risk at it. On bucketed times this is the actuarial answer at the buckets' resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.intervals import FloatArray, Limits, normal_quantile

__all__ = [
    "LogRank",
    "aalen_johansen",
    "at_risk",
    "greenwood",
    "kaplan_meier",
    "log_minus_log_limits",
    "log_rank",
    "restricted_mean",
    "score_statistic",
]

_NO_VARIANCE = 1e-12
"""Variance in a direction, beside the largest, below which it is rounding."""


def at_risk(events: npt.ArrayLike, censored: npt.ArrayLike) -> FloatArray:
    """How many are still at risk at each time: all who leave at that time or later.

    Parameters
    ----------
    events : of any cause, shape […, T].
    censored : shape […, T].

    Examples
    --------
    >>> at_risk([1, 0, 2], [0, 1, 3])
    array([7., 6., 5.])
    """
    leaving = np.asarray(events, dtype=np.float64) + np.asarray(censored, dtype=np.float64)
    return np.asarray(np.cumsum(leaving[..., ::-1], axis=-1)[..., ::-1])


def kaplan_meier(events: npt.ArrayLike, risk: npt.ArrayLike) -> FloatArray:
    """Share that had no event up to and including each time: Π (1 − d / n) [1]_.

    Parameters
    ----------
    events, risk : events at each time and numbers at risk, shape […, T].

    Returns
    -------
    Shape […, T]. Where nobody is at risk any more the last value is carried on.

    Examples
    --------
    >>> kaplan_meier([1, 1], [4, 2])
    array([0.75 , 0.375])

    References
    ----------
    .. [1] E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958) 457–481.
    """
    return np.asarray(np.cumprod(1.0 - _hazard(*_counted(events, risk)), axis=-1), dtype=np.float64)


def greenwood(events: npt.ArrayLike, risk: npt.ArrayLike) -> FloatArray:
    """Greenwood's variance of `kaplan_meier`, for independent subjects: S² Σ d / (n (n − d)).

    Where a user counts several times, take the jackknife over the folds instead. NaN where all at risk had the event.

    >>> greenwood([1, 1], [4, 2]).round(4)
    array([0.0469, 0.082 ])
    """
    d, n = _counted(events, risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(d > 0, d / (n * (n - d)), 0.0)
        variance = np.square(kaplan_meier(d, n)) * np.cumsum(terms, axis=-1)
    return np.where(np.isfinite(variance), variance, np.nan)


def log_minus_log_limits(survival: npt.ArrayLike, variance: npt.ArrayLike, confidence: float = 0.95) -> Limits:
    """Limits of a survival curve on the scale log(−log S), which keeps them inside 0–1 [1]_.

    S^exp(±z · √variance / (S · |log S|)); NaN where the curve is 0 or 1.

    >>> lower, upper = log_minus_log_limits([0.5], [0.01])
    >>> lower.round(4), upper.round(4)
    (array([0.2952]), array([0.6745]))

    References
    ----------
    .. [1] J. D. Kalbfleisch, R. L. Prentice, *The Statistical Analysis of Failure Time Data* (2002), §1.4.
    """
    z = normal_quantile(confidence)
    s, v = np.asarray(survival, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        width = z * np.sqrt(v) / (s * np.abs(np.log(s)))
        lower, upper = s ** np.exp(width), s ** np.exp(-width)
    inside = (s > 0) & (s < 1) & np.isfinite(width)
    return np.where(inside, lower, np.nan), np.where(inside, upper, np.nan)


def aalen_johansen(events: npt.ArrayLike, risk: npt.ArrayLike) -> FloatArray:
    """Share that had each cause's event up to and including each time, under competing risks [1]_.

    F_c(t) = Σ over times up to t of S(just before) · d_c / n, with S the Kaplan–Meier curve of all causes together, so
    that the causes and S add up to 1. (1 − Kaplan–Meier with other causes as censored answers a world without them.)

    Parameters
    ----------
    events : by cause, shape […, causes, T].
    risk : shape […, T].

    Returns
    -------
    Shape […, causes, T].

    Examples
    --------
    >>> aalen_johansen([[1, 0], [1, 1]], [4, 2])
    array([[0.25, 0.25],
           [0.25, 0.5 ]])

    References
    ----------
    .. [1] O. O. Aalen, S. Johansen, "An empirical transition matrix for non-homogeneous Markov chains based on censored
           observations", Scandinavian Journal of Statistics 5 (1978) 141–150.
    """
    causes, n = np.asarray(events, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    survival = kaplan_meier(causes.sum(axis=-2), n)
    before = np.concatenate([np.ones((*survival.shape[:-1], 1)), survival[..., :-1]], axis=-1)
    return np.asarray(np.cumsum(before[..., None, :] * _hazard(causes, n[..., None, :]), axis=-1))


def restricted_mean(times: npt.ArrayLike, survival: npt.ArrayLike, horizon: float, *, start: float = 0.0) -> FloatArray:
    """Mean time without the event, counted up to a horizon: the area under the survival step curve.

    Parameters
    ----------
    times : ascending, shape [T]; the curve is 1 before the first and constant between two.
    survival : at those times, shape […, T].
    horizon : in the unit of `times`; the curve must be known that far for the answer to mean anything.
    start : where time begins.

    Returns
    -------
    Shape […], in the unit of `times`.

    Examples
    --------
    >>> restricted_mean([2.0, 4.0], [0.5, 0.25], 10.0)
    array(4.5)
    """
    t, s = np.asarray(times, dtype=np.float64), np.asarray(survival, dtype=np.float64)
    if not horizon > start or np.any(np.diff(t) < 0) or s.shape[-1] != t.size:
        raise QuestionError(
            f"no mean over {start!r} to {horizon!r} of a curve {s.shape} at {t.size} times",
            hint="times ascend, the curve has one value per time, and the horizon lies after the start",
        )
    edges = np.clip(np.concatenate([[start], t, [horizon]]), start, horizon)
    levels = np.concatenate([np.ones((*s.shape[:-1], 1)), s], axis=-1)
    return np.asarray((levels * np.diff(edges)).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class LogRank:
    """What a log-rank test found.

    Attributes
    ----------
    statistic : χ² of the k groups; NaN where it cannot be tested.
    df : degrees of freedom: the number of groups that were ever at risk − 1, or fewer where some of them were at risk
        only while nothing happened.
    p_value : NaN where it cannot be tested.
    expected : events expected in each group if the hazards were equal, shape [k].
    """

    statistic: float
    df: int
    p_value: float
    expected: FloatArray


def log_rank(events: npt.ArrayLike, risk: npt.ArrayLike) -> LogRank:
    """Log-rank test that k groups have the same hazard at all times [1]_, with the hypergeometric variance.

    For independent subjects; where a user counts several times, take `clustered_log_rank`.

    Parameters
    ----------
    events, risk : one row per group, shape [k, T], on the same times.

    Examples
    --------
    >>> found = log_rank([[3, 2, 1], [1, 1, 1]], [[10, 7, 4], [10, 9, 8]])
    >>> round(found.statistic, 4), found.df, round(found.p_value, 4)
    (2.1653, 1, 0.1412)

    References
    ----------
    .. [1] R. Peto, J. Peto, "Asymptotically efficient rank invariant test procedures", J. Royal Statistical Society A
           135 (1972) 185–207.
    """
    from scipy.special import chdtrc

    d, n = _counted(events, risk)
    if d.ndim != 2:
        raise QuestionError(
            f"a log-rank test needs one row per group, not shape {d.shape}",
            hint="pass events and numbers at risk of shape [groups, times]",
        )
    groups = n.sum(axis=1) > 0
    total_d, total_n = d.sum(axis=0), n.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(total_n > 0, n / total_n, 0.0)
        spread = np.where(total_n > 1, total_d * (total_n - total_d) / (total_n - 1), 0.0)
    expected = (part * total_d).sum(axis=1)
    covariance = np.diag((part * spread).sum(axis=1)) - (part * spread) @ part.T
    statistic, df = score_statistic((d.sum(axis=1) - expected)[groups], covariance[np.ix_(groups, groups)])
    if df < 1:
        return LogRank(float("nan"), max(int(groups.sum()) - 1, 0), float("nan"), expected)
    return LogRank(statistic, df, float(chdtrc(df, statistic)), expected)


def score_statistic(score: FloatArray, covariance: FloatArray) -> tuple[float, int]:
    """Scores over their covariance, score · covariance⁻¹ · score, and the rank of the covariance.

    Scores that add up to 0 have a covariance without inverse. The direction without variance is left out by its size
    beside the others: rounding leaves it just above or below 0, and what is divided by that is noise.

    >>> statistic, rank = score_statistic(np.array([-1.0, 1.0]), np.array([[0.5, -0.5], [-0.5, 0.5]]))
    >>> round(statistic, 9), rank
    (2.0, 1)
    """
    variance, direction = np.linalg.eigh(covariance)
    known = variance > _NO_VARIANCE * variance.max(initial=0.0)
    along = score @ direction[:, known]
    return float((np.square(along) / variance[known]).sum()), int(known.sum())


def _counted(events: npt.ArrayLike, risk: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    d, n = np.asarray(events, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    wrong = int(np.count_nonzero((d < 0) | (d > n * (1 + 1e-12))))
    if wrong:
        raise QuestionError(
            f"at {wrong} time(s) there are fewer than 0 events or more than people at risk",
            hint="who has the event at a time is at risk at it; see `at_risk`",
        )
    return d, n


def _hazard(events: FloatArray, risk: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(risk > 0, np.minimum(events / risk, 1.0), 0.0)
