"""Limits of a mean whose parts differ widely, such as money that few customers spend."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.stats.intervals import FloatArray, Limits, student, student_quantile

__all__ = ["skewed_student"]

_STRAIGHT = 1e-6
"""Skewness below which the bend of the limits is less than rounding."""
_MOST_BEND = 0.8
"""Most that skewness times t may be; more is taken for as much. Where it is 1 the curve is level, so the limit leaps to eight
standard errors: 95 % limits of means of 75 log-normal amounts then cover 92.4 % as well, an eighth wider."""


def skewed_student(
    estimate: npt.ArrayLike,
    replicates: npt.ArrayLike | None,
    variance: npt.ArrayLike,
    df: npt.ArrayLike,
    confidence: float = 0.95,
) -> Limits:
    """Student's limits, bent by the skewness of the estimate [1]_.

    g(T) = T + A T² / 3 + A² T³ / 27 + A / 6 is nearly normal, with T the estimate less the truth over its standard error
    and A the skewness of the estimate, no larger than 0.8 / t, where g begins to be level; the limits are where g(T) is
    ± t. Of a mean of few large amounts, the upper one lies further away than the lower one.

    Parameters
    ----------
    estimate, variance, df : shape [rows …], as of `student`.
    replicates : without one fold at a time, shape [K, rows …]: their differences tell the skewness. None takes it for
        0, and the limits are those of `student`.

    Examples
    --------
    >>> parts = np.repeat([0.0, 10.0], [60, 4])[:, None]
    >>> without_one = (parts.sum(axis=0) - parts) / 63
    >>> lower, upper = skewed_student(parts.mean(axis=0), without_one, [0.0930], [63])
    >>> f"{lower[0]:.3f} {parts.mean():.3f} {upper[0]:.3f}"
    '0.144 0.625 1.636'

    References
    ----------
    .. [1] P. Hall, "On the removal of skewness by transformation", J. Royal Statistical Society B 54 (1992) 221–228.
    """
    if replicates is None:
        return student(estimate, variance, df, confidence)
    value, series = np.asarray(estimate, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    error, t = np.sqrt(np.asarray(variance, dtype=np.float64)), student_quantile(df, confidence)
    k = max(len(series), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (series.sum(axis=0) / k - series) / error
        skewness = np.nan_to_num(((k - 1) / k) ** 3 * (apart**3).sum(axis=0), posinf=0.0, neginf=0.0)
        skewness = np.clip(skewness, -_MOST_BEND / t, _MOST_BEND / t)
    return np.asarray(value - _bent(t, skewness) * error), np.asarray(value - _bent(-t, skewness) * error)


def _bent(z: FloatArray, skewness: FloatArray) -> FloatArray:
    """The T at which g(T) = z."""
    straight = np.abs(skewness) < _STRAIGHT
    a = np.where(straight, 1.0, skewness)
    return np.where(straight, z, 3 / a * (np.cbrt(1 + a * (z - a / 6)) - 1))
