"""Permutation test of a difference between two groups, with whole users as blocks.

If the group made no difference, a user's journeys would be the same under the other label. So labels are dealt anew to
*users*, never to single journeys: those of one user resemble each other, and dealing them singly finds differences
where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.intervals import FloatArray

__all__ = ["PermutationTest", "permutation_test"]

_BLOCK = 1 << 22  # random numbers held at a time


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """What a permutation test found.

    Attributes
    ----------
    difference : ratio of the first group − ratio of the second.
    p_value : two-sided; NaN where a group is empty. Never 0: the labels as they are count as one deal [1]_.
    n_permutations : how often the labels were dealt.

    References
    ----------
    .. [1] B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
           and Molecular Biology 9 (2010), article 39.
    """

    difference: float
    p_value: float
    n_permutations: int


def permutation_test(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, *, n_permutations: int = 1999, seed: int = 0
) -> PermutationTest:
    """Test whether Σ numerators ÷ Σ denominators differs between two groups.

    Parameters
    ----------
    numerators, denominators : one row per user and one column per group, shape [users, 2]; for a conversion share the
        converted journeys and the journeys. A user who stands in one group only (0 in the other column) is dealt to
        either, with the number of such users per group fixed; one who stands in both has the two swapped or not.
    n_permutations : how often to deal; the smallest p-value is 1 / (n_permutations + 1).
    seed : the same seed, the same answer.

    Raises
    ------
    QuestionError : shapes that do not fit, negative denominators, no permutations.

    Notes
    -----
    Deals after which a group has no denominator count as at least as extreme. Cost: users × n_permutations.

    Examples
    --------
    >>> won = [[1, 0]] * 8 + [[0, 0]] * 2 + [[0, 1]] * 1 + [[0, 0]] * 9
    >>> tried = [[1, 0]] * 10 + [[0, 1]] * 10
    >>> found = permutation_test(won, tried)
    >>> f"{found.difference:.1f}", found.p_value < 0.01
    ('0.7', True)
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if top.ndim != 2 or top.shape[1] != 2 or top.shape != bottom.shape or np.any(bottom < 0) or n_permutations < 1:
        raise QuestionError(
            f"cannot permute numerators {top.shape} over denominators {bottom.shape} {n_permutations} times",
            hint="both have one row per user and two columns; denominators are not negative; n_permutations is positive",
        )
    observed = _difference(top.sum(axis=0), bottom.sum(axis=0))
    if np.isnan(observed):
        return PermutationTest(float("nan"), float("nan"), n_permutations)
    first, second = bottom[:, 0] > 0, bottom[:, 1] > 0
    both, single = first & second, first ^ second
    rng = np.random.default_rng(seed)
    dealt_top, dealt_bottom = _deal(top, bottom, single, both, n_permutations, rng)
    differences = _difference(dealt_top, dealt_bottom)
    # Sums in another order round otherwise; an equal deal must count as equal.
    extreme = ~(np.abs(differences) < np.abs(observed) - 1e-12 * (1 + np.abs(observed)))
    return PermutationTest(float(observed), float((1 + extreme.sum()) / (1 + n_permutations)), n_permutations)


def _deal(
    top: FloatArray,
    bottom: FloatArray,
    single: npt.NDArray[np.bool_],
    both: npt.NDArray[np.bool_],
    n: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    whole_top, whole_bottom = top[single].sum(axis=1), bottom[single].sum(axis=1)
    n_first = int(np.count_nonzero(bottom[single, 0] > 0))
    tops, bottoms = np.empty((n, 2)), np.empty((n, 2))
    step = max(1, _BLOCK // max(1, len(top)))
    for start in range(0, n, step):
        size = min(step, n - start)
        first = np.zeros((size, whole_top.size), dtype=bool)
        if 0 < n_first < whole_top.size:
            chosen = np.argpartition(rng.random(first.shape), n_first, axis=1)[:, :n_first]
            np.put_along_axis(first, chosen, True, axis=1)
        else:
            first[:] = n_first > 0
        swapped = rng.random((size, int(both.sum()))) < 0.5
        block = slice(start, start + size)
        for total, whole, pair in ((tops, whole_top, top[both]), (bottoms, whole_bottom, bottom[both])):
            total[block, 0] = first @ whole + swapped @ (pair[:, 1] - pair[:, 0]) + pair[:, 0].sum()
            total[block, 1] = whole.sum() + pair.sum() - total[block, 0]
    return tops, bottoms


def _difference(top: FloatArray, bottom: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(bottom > 0, top / bottom, np.nan)
    return np.asarray(ratio[..., 0] - ratio[..., 1])
