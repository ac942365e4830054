"""Shares that are solved for: as counted ones where they could be counted, and right where they could not."""

from __future__ import annotations

import numpy as np
import pytest

from journeymine.stats import aalen_johansen, at_risk, replicates, share_interval, wilson
from journeymine.stats.solved_shares import solved_share_interval


def spread(by_fold):
    return np.concatenate([by_fold.sum(axis=0, keepdims=True), replicates(by_fold, np.ones(64, dtype=bool))])


def test_a_counted_share_gets_about_the_interval_of_a_counted_share():
    rng = np.random.default_rng(1)
    tried = rng.poisson(40, (64, 50)).astype(float)
    won = rng.binomial(tried.astype(int), 0.07).astype(float)
    series = spread(won) / spread(tried)
    solved = solved_share_interval(series[0], series[1:], trials_by_fold=tried)
    counted = share_interval(won, tried)
    assert solved.estimate == pytest.approx(counted.estimate)
    assert solved.lower == pytest.approx(counted.lower, abs=2e-4)
    assert solved.upper == pytest.approx(counted.upper, abs=2e-4)


def test_at_0_and_1_people_are_the_trials():
    flat = np.zeros((64, 3))
    flat[:, 2] = 1.0
    found = solved_share_interval(flat[0], flat, trials_by_fold=np.full((64, 3), 10), people=[5, 500, 5])
    for i, (won, n) in enumerate([(0, 5), (0, 500), (5, 5)]):
        lower, upper = wilson(won, n)
        assert found.lower[i] <= lower
        assert found.upper[i] >= upper
        assert found.upper[i] - found.lower[i] == pytest.approx(upper - lower, abs=0.03)


def test_a_replicate_without_answer_takes_the_limits_away():
    series = np.full((64, 1), 0.5)
    series[3] = np.nan
    found = solved_share_interval([0.5], series)
    assert np.isnan(found.lower[0])
    assert found.reason[0] is not None


def test_limits_of_a_cumulative_incidence_cover_it():
    rng, truth, covered, widths, estimates = np.random.default_rng(2), 0.3 * (1 - np.exp(-1)), 0, [], []
    for _ in range(400):
        fold = rng.integers(0, 64, 600)
        at = rng.exponential(10, 600)
        cause = np.where(rng.random(600) < 0.3, 0, 1)
        end = rng.uniform(0, 20, 600)
        bins, happened = np.ceil(np.minimum(at, end)).astype(int), at <= np.floor(end)
        bins = np.where(happened, bins, np.floor(end).astype(int))
        counts = np.zeros((64, 3, 21))
        np.add.at(counts, (fold, np.where(happened, cause, 2), bins), 1)
        series = spread(counts)
        curve = aalen_johansen(series[:, :2], at_risk(series[:, :2].sum(axis=1), series[:, 2]))[:, 0, 10]
        found = solved_share_interval(curve[:1], curve[1:, None], trials_by_fold=counts.sum(axis=(1, 2))[:, None])
        covered += bool(found.lower[0] <= truth <= found.upper[0])
        widths.append(found.upper[0] - found.lower[0])
        estimates.append(curve[0])
    assert 0.92 <= covered / 400 <= 0.98
    assert np.mean(estimates) == pytest.approx(truth, abs=0.003)
    assert np.mean(widths) == pytest.approx(3.92 * np.std(estimates), rel=0.15)


@pytest.mark.parametrize("apart", [0.01, 0.5])
def test_limits_of_a_mean_of_numbers_between_0_and_1_cover_it(apart):
    """Most are 1, as the place of a last step: straight limits cover 82 % where one of a hundred is not."""
    rng, n, covered, widths = np.random.default_rng(3), 250, 0, []
    for _ in range(500):
        fold, each = rng.integers(0, 64, n), np.where(rng.random(n) < apart, rng.uniform(0.3, 0.9, n), 1.0)
        series = spread(np.bincount(fold, each, 64)) / spread(np.bincount(fold, minlength=64).astype(float))
        found = solved_share_interval(
            series[:1], series[1:, None], trials_by_fold=np.bincount(fold, minlength=64)[:, None], mean=True
        )
        covered += bool(found.lower[0] <= 1 - 0.4 * apart <= found.upper[0])
        widths.append(found.upper[0] - found.lower[0])
    assert 0.92 <= covered / 500 <= 0.98
    assert np.mean(widths) < (0.03 if apart < 0.1 else 0.08)
