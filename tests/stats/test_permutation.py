"""The permutation test against SciPy, against every deal there is, and on null data with users as blocks."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from journeymine.errors import QuestionError
from journeymine.stats import permutation_test


def ratio_difference(top, bottom):
    return top[:, 0].sum() / bottom[:, 0].sum() - top[:, 1].sum() / bottom[:, 1].sum()


def every_deal(top, bottom):
    """Exact p-value: all ways to deal users of one group, times all swaps of users of both."""
    both = [i for i in range(len(top)) if (bottom[i] > 0).all()]
    single = [i for i in range(len(top)) if i not in both]
    n_first = sum(bottom[i, 0] > 0 for i in single)
    observed, extreme, deals = abs(ratio_difference(top, bottom)), 0, 0
    for first, swaps in product(combinations(single, n_first), product([False, True], repeat=len(both))):
        t, b = top.astype(float).copy(), bottom.astype(float).copy()
        for i in single:
            column = 0 if i in first else 1
            t[i], b[i] = 0, 0
            t[i, column], b[i, column] = top[i].sum(), bottom[i].sum()
        for i, swap in zip(both, swaps, strict=True):
            if swap:
                t[i], b[i] = top[i, ::-1], bottom[i, ::-1]
        deals += 1
        extreme += abs(ratio_difference(t, b)) >= observed - 1e-12
    return extreme / deals


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_all_deals(seed):
    rng = np.random.default_rng(seed)
    bottom = np.zeros((9, 2), dtype=int)
    bottom[:3, 0], bottom[3:6, 1], bottom[6:] = rng.integers(1, 6, 3), rng.integers(1, 6, 3), rng.integers(1, 6, (3, 2))
    top = rng.binomial(bottom, np.array([0.7, 0.3]))
    found = permutation_test(top, bottom, n_permutations=20_000)
    exact = every_deal(top, bottom)
    assert found.difference == pytest.approx(ratio_difference(top, bottom))
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-3)


def test_agrees_with_scipy_on_one_value_per_user():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.6, 1, 30), rng.normal(0, 1, 25)
    expected = scipy_stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), n_resamples=20_000, rng=1
    )
    top, bottom = np.zeros((55, 2)), np.zeros((55, 2))
    top[:30, 0], top[30:, 1], bottom[:30, 0], bottom[30:, 1] = a, b, 1, 1
    found = permutation_test(top, bottom, n_permutations=20_000)
    assert found.difference == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.006)


def test_same_seed_same_answer_and_never_zero():
    bottom = np.repeat([[1, 0], [0, 1]], 40, axis=0)
    top = bottom * [1, 0]
    first = permutation_test(top, bottom, n_permutations=99, seed=7)
    assert first == permutation_test(top, bottom, n_permutations=99, seed=7)
    assert first.p_value == 0.01
    assert first.difference == 1.0


def test_whole_users_are_dealt_so_that_null_data_claims_five_percent():
    rejected = {"users": 0, "journeys": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        bottom = np.zeros((80, 2), dtype=int)
        bottom[:40, 0], bottom[40:, 1] = rng.integers(1, 12, 40), rng.integers(1, 12, 40)
        top = rng.binomial(bottom, rng.beta(0.3, 0.7, 80)[:, None])
        rejected["users"] += permutation_test(top, bottom, n_permutations=199, seed=seed).p_value <= 0.05
        won, n = top.sum(axis=0), bottom.sum(axis=0)
        rejected["journeys"] += scipy_stats.fisher_exact([won, n - won]).pvalue <= 0.05
    assert rejected["users"] <= 19  # 10 expected; binomial(200, .05) exceeds 19 once in 500
    assert rejected["journeys"] >= 50


def test_empty_groups_and_odd_input():
    nothing = permutation_test(np.zeros((3, 2)), [[1, 0]] * 3)
    assert np.isnan([nothing.difference, nothing.p_value]).all()
    assert np.isnan(permutation_test(np.zeros((0, 2)), np.zeros((0, 2))).p_value)
    everyone_in_both = permutation_test([[1, 0], [2, 2]], [[2, 3], [2, 2]], n_permutations=50)
    assert 0 < everyone_in_both.p_value <= 1
    one_each = permutation_test([[1, 0], [0, 0]], [[1, 0], [0, 1]], n_permutations=50)
    assert one_each.p_value == 1.0
    for top, bottom, n in (([[1, 2, 3]], [[1, 2, 3]], 9), ([[1, 2]], [[1, -2]], 9), ([[1, 2]], [[1, 2]], 0)):
        with pytest.raises(QuestionError, match="cannot permute"):
            permutation_test(top, bottom, n_permutations=n)
