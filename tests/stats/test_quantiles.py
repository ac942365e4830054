"""Woodruff's interval: what it holds, when it is silent, and the order statistics of independent users."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.errors import QuestionError
from journeymine.stats import bucket_of, quantiles, share_interval, shares, woodruff
from journeymine.stats.histogram import bucket_bounds
from journeymine.stats.intervals import normal_quantile, score_limits
from journeymine.stats.quantiles import TOO_FAR_OUT, group_woodruff
from journeymine.stats.shares import NO_TRIALS


def by_fold(values, folds):
    buckets, code = np.unique(bucket_of(values), return_inverse=True)
    counts = np.zeros((64, buckets.size))
    np.add.at(counts, (folds, code), 1)
    return buckets, counts


def sample(seed, n=600):
    rng = np.random.default_rng(seed)
    return by_fold(rng.lognormal(3, 1, n), rng.integers(0, 64, n))


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([0.25, 0.5, 0.9]))
def test_the_ends_are_the_first_buckets_whose_share_may_and_must_reach_q(seed, q):
    buckets, counts = sample(seed)
    found = woodruff(buckets, counts, q)
    low, high = bucket_bounds(buckets)
    limits = [share_interval(counts[:, : b + 1].sum(axis=1), counts.sum(axis=1)) for b in range(buckets.size)]
    assert found.lower == low[next(b for b, share in enumerate(limits) if share.upper >= q)]
    assert found.upper == high[next(b for b, share in enumerate(limits) if share.lower >= q)]
    assert found.lower <= found.estimate <= found.upper


def test_of_independent_users_it_reads_the_sorted_values_at_wilsons_ranks():
    values = np.random.default_rng(4).lognormal(0, 1, 1000)
    buckets, counts = by_fold(values, np.arange(1000) % 64)
    found = woodruff(buckets, counts, 0.5, each_user_once=True)
    # Where p = F(x), Wilson's interval holds q exactly when |p − q| ≤ z √(q(1−q)/n): the score test, inverted.
    half = normal_quantile(0.95) * np.sqrt(0.25 / 1000)
    ordered = np.sort(values)
    assert found.lower == pytest.approx(ordered[round((0.5 - half) * 1000)], rel=0.02)
    assert found.upper == pytest.approx(ordered[round((0.5 + half) * 1000)], rel=0.02)
    assert score_limits(0.5 + half, 1000, normal_quantile(0.95))[0] == pytest.approx(0.5)


def test_rows_are_done_at_once():
    (buckets, first), (_, _) = sample(1), sample(2)
    second = first[:, ::-1]
    both = woodruff(buckets, np.stack([first, second], axis=1), 0.5, users=[600, 600])
    alone = [woodruff(buckets, counts, 0.5, users=600) for counts in (first, second)]
    assert both.lower.tolist() == [float(a.lower) for a in alone]
    assert both.upper.tolist() == [float(a.upper) for a in alone]


def test_too_few_values_beyond_the_quantile():
    buckets, counts = sample(5, n=100)
    found = woodruff(buckets, counts, 0.99)
    assert found.reason.tolist() == TOO_FAR_OUT
    assert np.isnan([found.lower, found.upper]).all()
    assert not np.isnan(found.estimate)
    assert woodruff(buckets, counts, 0.01).reason.tolist() == TOO_FAR_OUT
    assert woodruff(buckets, counts, 0.5).reason.tolist() is None


def test_the_rules_on_folds_hold_here_too():
    buckets, counts = sample(6)
    few, dominant = counts.copy(), counts.copy()
    few[10:] = 0
    dominant[0] *= 50
    rows = np.stack([counts, few, dominant, np.zeros_like(counts)], axis=1)
    found = woodruff(buckets, rows, 0.5)
    assert found.reason.tolist() == [None, shares.TOO_FEW_FOLDS, shares.DOMINANT_FOLD, shares.NO_TRIALS]


def test_extremes_and_misfits_are_refused():
    buckets, counts = sample(7)
    for q in (0.0, 1.0, 50):
        with pytest.raises(QuestionError, match="quantile"):
            woodruff(buckets, counts, q)
    with pytest.raises(QuestionError, match="do not fit"):
        woodruff(buckets[1:], counts, 0.5)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([1, 40, 4096]))
def test_many_histograms_at_once_are_each_done_alone(seed, at_once):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 3000))
    n_groups = 7
    group, fold = rng.choice([0, 1, 3, 4, 6], n, p=[0.5, 0.3, 0.1, 0.07, 0.03]), rng.integers(0, 64, n)
    bucket = bucket_of(rng.lognormal(3, 1 + group, n).round(int(rng.integers(0, 3))))
    (keys, counted) = np.unique(np.stack([group, bucket, fold]), axis=1, return_counts=True)
    q = [0.5, 0.9, 0.01]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantiles, "_AT_ONCE", at_once)
        found = group_woodruff(*keys, counted, q, n_groups=n_groups)
    for each, wanted in zip(found, q, strict=True):
        for g in range(n_groups):
            there = group == g
            got = [each.estimate[g], each.lower[g], each.upper[g], each.reason[g]]
            if not there.any():
                assert np.isnan(got[:3]).all()
                assert got[3] == NO_TRIALS
                continue
            buckets, code = np.unique(bucket[there], return_inverse=True)
            counts = np.zeros((64, len(buckets)))
            np.add.at(counts, (fold[there], code), 1)
            alone = woodruff(buckets, counts, wanted)
            np.testing.assert_array_equal(got[:3], [alone.estimate, alone.lower, alone.upper])
            assert got[3] == alone.reason.item()
