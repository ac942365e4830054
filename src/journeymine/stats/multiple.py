"""P-values of many questions asked at once: Holm and Benjamini–Hochberg.

A NaN is a question that could not be tested: it stays NaN and does not count among the tests.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.intervals import FloatArray

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values that bound the chance of even one false claim [1]_.

    adjusted_(i) = max over j ≤ i of (m − j + 1) · p_(j), at most 1, for p sorted ascending

    Parameters
    ----------
    p_values : shape [m]; NaN is left out.

    Returns
    -------
    Shape [m], in the order given. Claim those at or below the chosen level.

    Raises
    ------
    QuestionError : values outside 0–1, or no list.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.06, 0.06,  nan])

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6 (1979) 65–70.
    """
    p, order = _sorted(p_values)
    return _restored(p_values, order, np.maximum.accumulate(p * np.arange(p.size, 0, -1)))


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values that bound the expected share of false claims among the claims [1]_.

    adjusted_(i) = min over j ≥ i of m / j · p_(j), at most 1, for p sorted ascending

    For independent or positively dependent tests. Parameters, result and errors as in `holm`.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.04, 0.04,  nan])

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. Royal Statistical Society B 57 (1995)
           289–300.
    """
    p, order = _sorted(p_values)
    scaled = p * (p.size / np.arange(1, p.size + 1))  # a factor of 1 for the largest: never below p itself
    return _restored(p_values, order, np.minimum.accumulate(scaled[::-1])[::-1])


def _sorted(p_values: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise QuestionError(
            f"p-values of shape {p.shape} are no list", hint="pass all that were asked together as one list"
        )
    if wrong := int(np.count_nonzero((p < 0) | (p > 1))):
        raise QuestionError(
            f"{wrong} of {p.size} p-values are not between 0 and 1", hint="pass NaN for what could not be tested"
        )
    order = np.argsort(p, kind="stable")[: p.size - int(np.isnan(p).sum())]  # NaN sorts last
    return p[order], order


def _restored(p_values: npt.ArrayLike, order: npt.NDArray[np.intp], adjusted: FloatArray) -> FloatArray:
    result = np.full(np.shape(p_values), np.nan)
    result[order] = np.minimum(adjusted, 1.0)
    return result
