"""Confidence intervals of finished numbers: Wilson, Jeffreys, Newcombe and Student.

Plain formulas over NumPy arrays of any shape. They know no users: `journeymine.stats.shares` hands them an effective
number of trials. What is undefined (no trials, a NaN) comes back as NaN, never as a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError

__all__ = [
    "FloatArray",
    "Limits",
    "check_proportion",
    "jeffreys",
    "newcombe",
    "normal_quantile",
    "score_limits",
    "square_and_add",
    "student",
    "student_quantile",
    "wilson",
]

FloatArray = npt.NDArray[np.float64]
"""Any shape; a scalar question is answered by an array of no dimensions."""

Limits = tuple[FloatArray, FloatArray]
"""Lower and upper limit, elementwise."""


def check_proportion(name: str, given: object, *, hint: str) -> None:
    """Refuse what is no number between 0 and 1."""
    if not isinstance(given, Real) or not 0 < float(given) < 1:
        raise QuestionError(f"{name}={given!r} is not between 0 and 1", hint=hint)


def normal_quantile(confidence: float) -> float:
    """Two-sided standard normal quantile Φ⁻¹((1 + confidence) / 2).

    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    check_proportion("confidence", confidence, hint="confidence=0.95 asks for a 95 % interval")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def student_quantile(df: npt.ArrayLike, confidence: float) -> FloatArray:
    """Two-sided Student quantile for each `df`; NaN where `df` is not positive.

    >>> student_quantile([19, 63], 0.95).round(4)
    array([2.093 , 1.9983])
    """
    from scipy.special import stdtrit

    normal_quantile(confidence)  # the same check of `confidence` everywhere
    given, level = np.asarray(df), (1 + confidence) / 2
    if given.dtype.kind in "iu" and 0 < (most := int(given.max(initial=0))) < given.size:  # many rows, few folds
        each = np.append(np.nan, stdtrit(np.arange(1.0, most + 1), level))
        return np.asarray(each[np.maximum(given, 0)])
    degrees = given.astype(np.float64)
    return np.asarray(stdtrit(np.where(degrees > 0, degrees, np.nan), level))


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95) -> Limits:
    """Wilson's score interval of a share [1]_.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), with p = successes / trials

    Parameters
    ----------
    successes, trials : arrays that broadcast; fractions are allowed, for an effective number of trials.
    confidence : between 0 and 1.

    Returns
    -------
    Lower and upper limit, 0–1; NaN where there are no trials.

    Raises
    ------
    QuestionError : more successes than trials, a negative number, or a `confidence` outside 0–1.

    Examples
    --------
    >>> lower, upper = wilson(1, 20)
    >>> f"{lower:.6f} {upper:.6f}"
    '0.008881 0.236131'

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    share, n = _share_of(successes, trials)
    return score_limits(share, n, normal_quantile(confidence))


def score_limits(share: npt.ArrayLike, trials: npt.ArrayLike, quantile: npt.ArrayLike) -> Limits:
    """Wilson's limits for a share, an effective number of trials, and a quantile already looked up.

    >>> lower, upper = score_limits(0.0, 100.0, 1.959964)
    >>> f"{lower:.6f} {upper:.6f}"
    '0.000000 0.036993'
    """
    p, n, z = (np.asarray(x, dtype=np.float64) for x in (share, trials, quantile))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = z * z / n
        centre = (p + spread / 2) / (1 + spread)
        half = np.sqrt(spread * (p * (1 - p) + spread / 4)) / (1 + spread)
        # At the ends rounding would leave ±1e-18 where the limit is exact.
        lower = np.where(p <= 0, 0.0, np.maximum(centre - half, 0.0))
        upper = np.where(p >= 1, 1.0, np.minimum(centre + half, 1.0))
    undefined = ~(n > 0) | ~np.isfinite(p) | np.isnan(z)
    return np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)


def jeffreys(successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95) -> Limits:
    """Jeffreys' interval of a share: quantiles of Beta(successes + ½, failures + ½) [1]_.

    At 0 successes the lower limit is 0, at no failures the upper limit is 1, as the source recommends.

    Returns
    -------
    Lower and upper limit, 0–1; NaN where there are no trials. Raises as `wilson` does.

    Examples
    --------
    >>> lower, upper = jeffreys(1, 20)
    >>> f"{lower:.4f} {upper:.4f}"
    '0.0054 0.2108'

    References
    ----------
    .. [1] Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001), §3–4.
    """
    from scipy.special import betaincinv

    share, n = _share_of(successes, trials)
    normal_quantile(confidence)
    tail = (1 - confidence) / 2
    won, lost = share * n, (1 - share) * n
    lower = np.where(share <= 0, 0.0, betaincinv(won + 0.5, lost + 0.5, tail))
    upper = np.where(share >= 1, 1.0, betaincinv(won + 0.5, lost + 0.5, 1 - tail))
    return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)


def newcombe(
    p1: npt.ArrayLike,
    n1: npt.ArrayLike,
    p2: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    correlation: npt.ArrayLike = 0.0,
    confidence: float = 0.95,
) -> Limits:
    """Newcombe's interval of the difference p1 − p2 of two shares, by squaring and adding Wilson's limits.

    With ``correlation=0`` this is method 10 of [1]_, for independent groups; otherwise method 10 of [2]_, for paired
    ones, with the correlation given instead of estimated from a fourfold table.

    Parameters
    ----------
    p1, p2 : shares, 0–1, not counts as in `wilson`; NaN where unknown.
    n1, n2 : (effective) numbers of trials.
    correlation : between the two *estimates*, −1 to 1.
    confidence : between 0 and 1.

    Returns
    -------
    Lower and upper limit, −1 to 1; NaN where either group is empty.

    Raises
    ------
    QuestionError : a share outside 0–1, a negative number of trials, or a correlation outside −1 to 1.

    Examples
    --------
    >>> lower, upper = newcombe(56 / 70, 70, 48 / 80, 80)
    >>> f"{lower:.6f} {upper:.6f}"
    '0.052431 0.333873'

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
           Medicine 17 (1998) 873–890.
    .. [2] R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
           paired data", Statistics in Medicine 17 (1998) 2635–2650.
    """
    z = normal_quantile(confidence)
    _check_within("share(s)", (p1, p2), 0.0, 1.0, "give shares, successes ÷ trials, and the trials beside them")
    _check_within("number(s) of trials", (n1, n2), 0.0, np.inf, "give how many trials each share is of")
    _check_within("correlation(s)", (correlation,), -1.0, 1.0, "give a correlation, −1 to 1")
    return square_and_add(p1, score_limits(p1, n1, z), p2, score_limits(p2, n2, z), correlation=correlation)


def square_and_add(
    p1: npt.ArrayLike,
    limits1: Limits,
    p2: npt.ArrayLike,
    limits2: Limits,
    *,
    correlation: npt.ArrayLike = 0.0,
    farthest: float = 1.0,
) -> Limits:
    """Limits of p1 − p2 from the limits of each, however those came about.

    lower = d − √(l1² − 2ρ·l1·u2 + u2²), upper = d + √(u1² − 2ρ·u1·l2 + l2²), where l and u are the distances from the
    estimate down to its lower and up to its upper limit. No limit is beyond ± `farthest`, which is 1 for shares.

    >>> lower, upper = square_and_add(0.5, (np.array(0.4), np.array(0.6)), 0.5, (np.array(0.4), np.array(0.6)))
    >>> f"{lower:.4f} {upper:.4f}"
    '-0.1414 0.1414'
    """
    first, second = np.asarray(p1, dtype=np.float64), np.asarray(p2, dtype=np.float64)
    rho = np.clip(np.asarray(correlation, dtype=np.float64), -1.0, 1.0)
    (lower1, upper1), (lower2, upper2) = limits1, limits2
    difference = first - second
    below = _third_side(first - lower1, upper2 - second, rho)
    above = _third_side(upper1 - first, second - lower2, rho)
    return np.maximum(difference - below, -farthest), np.minimum(difference + above, farthest)


def student(estimate: npt.ArrayLike, variance: npt.ArrayLike, df: npt.ArrayLike, confidence: float = 0.95) -> Limits:
    """Estimate ± t · √variance, with Student's quantile at `df` degrees of freedom.

    NaN where the variance is NaN or `df` is not positive.

    >>> lower, upper = student(10.0, 4.0, 63)
    >>> f"{lower:.4f} {upper:.4f}"
    '6.0033 13.9967'
    """
    value = np.asarray(estimate, dtype=np.float64)
    half = student_quantile(df, confidence) * np.sqrt(np.asarray(variance, dtype=np.float64))
    return np.asarray(value - half), np.asarray(value + half)


def _third_side(a: FloatArray, b: FloatArray, rho: FloatArray) -> FloatArray:
    # The cosine rule; (a − b)² keeps it non-negative where a² − 2ρab + b² would round below 0.
    return np.sqrt((a - b) ** 2 + 2 * (1 - rho) * a * b)


def _check_within(what: str, given: Sequence[npt.ArrayLike], low: float, high: float, hint: str) -> None:
    wrong = 0
    for each in given:
        values = np.asarray(each, dtype=np.float64)
        wrong += int(np.count_nonzero((values < low) | (values > high)))
    if wrong:
        raise QuestionError(f"{wrong} {what} below {low:g} or above {high:g}", hint=hint)


def _share_of(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    won, n = (np.asarray(x, dtype=np.float64) for x in (successes, trials))
    wrong: Any = (won < 0) | (won > n * (1 + 1e-12))
    if np.any(wrong):
        raise QuestionError(
            f"{int(np.sum(wrong))} share(s) have fewer than 0 or more successes than trials",
            hint="successes are counted among the trials: 0 <= successes <= trials",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.minimum(won / n, 1.0), np.broadcast_to(n, np.broadcast_shapes(won.shape, n.shape))
