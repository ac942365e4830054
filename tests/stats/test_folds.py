"""The jackknife against loops over the folds and against textbook variances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from journeymine.errors import QuestionError
from journeymine.stats import design_effect, jackknife_correlation, jackknife_variance, replicates

counts = hnp.arrays(np.int64, st.tuples(st.integers(2, 10), st.integers(1, 4)), elements=st.integers(0, 50))


@given(counts)
def test_replicates_equal_a_loop_over_the_folds(by_fold):
    present = by_fold.sum(axis=1) > 0
    k = int(present.sum())
    found = replicates(by_fold, present)
    assert found.shape == (k, by_fold.shape[1])
    if k > 1:
        expected = [
            sum(by_fold[j] for j in range(len(by_fold)) if present[j] and j != i) * k / (k - 1)
            for i in range(len(by_fold))
            if present[i]
        ]
        assert found == pytest.approx(np.array(expected))
    else:
        assert np.isnan(found).all()
    assert np.array_equal(replicates(by_fold), found, equal_nan=True)


def test_a_fold_without_successes_but_with_users_makes_a_replicate():
    assert replicates([[0], [2], [4]], [True, True, True]).tolist() == [[9.0], [6.0], [3.0]]
    assert replicates([[0], [2], [4]]).tolist() == [[8.0], [4.0]]
    with pytest.raises(QuestionError, match="present"):
        replicates([[0], [2]], [True])


def test_jackknife_of_a_mean_is_its_textbook_variance():
    values = np.random.default_rng(0).normal(size=40)
    without_one = (values.sum() - values) / 39
    assert jackknife_variance(without_one) == pytest.approx(values.var(ddof=1) / 40)


@given(counts)
def test_jackknife_with_a_mask_equals_leaving_the_rows_out(table):
    theta = table.astype(float)
    present = np.zeros(len(theta), dtype=bool)
    present[: max(1, len(theta) // 2)] = True
    found = jackknife_variance(theta, present)
    assert found == pytest.approx(jackknife_variance(theta[present]), nan_ok=True)
    rows = np.broadcast_to(present[:, None], theta.shape)
    assert np.array_equal(jackknife_variance(theta, rows), found, equal_nan=True)


def test_an_undefined_replicate_makes_the_variance_undefined_unless_it_does_not_count():
    theta = np.array([[1.0, 1.0], [np.nan, 2.0], [3.0, np.inf]])
    assert np.isnan(jackknife_variance(theta)).all()
    present = np.array([[True, True], [False, True], [True, False]])
    assert jackknife_variance(theta, present) == pytest.approx([1.0, 0.25])
    assert np.isnan(jackknife_variance([[5.0]]))
    with pytest.raises(QuestionError, match="leading axis"):
        jackknife_variance(1.0)


def test_design_effect_of_doubled_users_is_two_and_never_below_one():
    rng = np.random.default_rng(1)
    won = rng.random((64, 50)) < 0.3
    single, doubled = won.sum(axis=1), 2 * won.sum(axis=1)

    def effect(successes, trials):
        share = successes.sum() / trials.sum()
        theta = (successes.sum() - successes) / (trials.sum() - trials)
        return design_effect(share, trials.sum(), jackknife_variance(theta)), jackknife_variance(theta)

    (_, variance), (twice, same_variance) = effect(single, np.full(64, 50)), effect(doubled, np.full(64, 100))
    assert variance == pytest.approx(same_variance)
    share = single.sum() / 3200
    assert twice == pytest.approx(max(1.0, 2 * variance / (share * (1 - share) / 3200)))
    assert design_effect(0.5, 100, 0.0) == 1.0
    assert design_effect(0.5, 100, [0.0, 0.0001, 0.01], regular=True) == pytest.approx([1.0, 0.04, 4.0])
    assert np.isnan(design_effect([0.0, 1.0, 0.5], [10, 10, 10], [0.0, 0.0, np.nan])).all()


@given(st.integers(0, 10_000))
def test_correlation_equals_numpy(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(30, 3))
    b = rng.normal() * a + rng.normal(size=(30, 3))
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)]
    assert jackknife_correlation(a, b) == pytest.approx(expected)


def test_correlation_of_a_constant_is_zero_and_of_nan_is_nan():
    assert jackknife_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == 0.0
    assert np.isnan(jackknife_correlation([1.0, np.nan, 1.0], [1.0, 2.0, 3.0]))
    assert jackknife_correlation([1.0, np.nan, 2.0], [1.0, 2.0, 3.0], [True, False, True]) == pytest.approx(1.0)
