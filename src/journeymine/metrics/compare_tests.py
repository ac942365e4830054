"""P-values of differences, one by one and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from journeymine.stats.folds import FOLDS
from journeymine.stats.intervals import student_quantile

if TYPE_CHECKING:
    from journeymine.metrics.compare_columns import Compared

__all__ = ["global_test", "p_values"]

Floats = npt.NDArray[np.float64]


def p_values(found: Compared, confidence: float) -> Floats:
    """Two-sided p-values that agree with the intervals: below 1 − confidence exactly where an interval leaves out 0.

    t = difference ÷ standard error, the standard error being the interval's arm towards 0 over Student's quantile.
    """
    from scipy.special import stdtr

    t = _standard_scores(found, confidence)
    return np.where(np.isnan(t), np.nan, np.minimum(2 * stdtr(FOLDS - 1, -np.abs(t)), 1.0))


def _standard_scores(found: Compared, confidence: float) -> Floats:
    arm = np.where(found.difference >= 0, found.difference - found.lower, found.upper - found.difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = found.difference / arm * float(student_quantile(FOLDS - 1, confidence))
    t = np.where((found.difference == 0) & ~np.isnan(arm), 0.0, t)
    return np.where(found.certain | ~np.isfinite(t), np.nan, t)


def global_test(found: Compared, p: Floats, confidence: float) -> dict[str, Any]:
    """One test that no row differs: the sum of squared standard scores, whose rows go together.

    Under the null Σ t² is near g · χ²(df) with g = tr(R²) / m and df = m² / tr(R²), R being the correlation of the rows
    over the folds [1]_; what K − 1 degrees of freedom add to tr(R²) by chance is taken off. Without replicates
    (quantiles), the least adjusted p-value stands for it [2]_.

    References
    ----------
    .. [1] G. E. P. Box, "Some theorems on quadratic forms applied in the study of analysis of variance problems",
    Annals of
           Mathematical Statistics 25 (1954) 290–302.
    .. [2] R. J. Simes, "An improved Bonferroni procedure for multiple tests of significance", Biometrika 73 (1986)
    751–754.
    """
    from scipy.special import chdtrc

    from journeymine.stats.multiple import benjamini_hochberg

    tested = np.flatnonzero(~np.isnan(p))
    m = len(tested)
    nothing = {"n_tested": m, "statistic": None, "df": None, "p_value": None}
    if not m:
        return nothing
    series = found.series[:, tested] if found.series is not None else np.full((0, m), np.nan)
    if len(series) < 3 or not np.isfinite(series).all():
        return {**nothing, "p_value": float(np.nanmin(benjamini_hochberg(p)))}
    nu = len(series) - 1
    deviation = series - series.mean(axis=0)
    spread = np.sqrt((deviation**2).sum(axis=0))
    scaled = deviation / np.where(spread > 0, spread, 1.0)
    correlation = scaled.T @ scaled
    np.fill_diagonal(correlation, 1.0)
    squared = max(((correlation**2).sum() - m * m / nu) / (1 + 1 / nu), float(m))
    # A squared t is on average nu / (nu - 2), not 1.
    statistic = float((_standard_scores(found, confidence)[tested] ** 2).sum()) * (nu - 2) / nu
    g, df = squared / m, m * m / squared
    return {"n_tested": m, "statistic": statistic, "df": float(df), "p_value": float(chdtrc(df, statistic / g))}
