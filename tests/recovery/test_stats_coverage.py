"""Simulated logs with a known truth: 95 % intervals cover it about 95 % of the time, and naive ones do not.

A few hundred seeded simulations each, so the bounds are wide: with 600 of them the standard error is 0.9 %. The widths
are looked at too, since an interval that is too wide covers as well.
"""

from __future__ import annotations

import numpy as np
import pytest

from journeymine.stats import bucket_of, difference_interval, number_interval, share_interval, woodruff

SIMULATIONS = 600


def simulate(users, share, journeys, *, seed, simulations=SIMULATIONS):
    """Successes and trials by fold; users have a beta propensity and a geometric number of journeys."""
    rng = np.random.default_rng(seed)
    won, tried = np.zeros((64, simulations)), np.zeros((64, simulations))
    for i in range(simulations):
        n = rng.geometric(1 / journeys, users)
        x = rng.binomial(n, rng.beta(2 * share, 2 * (1 - share), users))
        fold = rng.integers(0, 64, users)
        won[:, i], tried[:, i] = np.bincount(fold, x, 64), np.bincount(fold, n, 64)
    return won, tried


def coverage(found, truth):
    assert not any(found.reason)
    return float(np.mean((found.lower <= truth) & (truth <= found.upper)))


@pytest.mark.parametrize(
    ("users", "share", "journeys", "plain_at_most"),
    [(2000, 0.05, 1, 1.0), (2000, 0.02, 8, 0.75), (2000, 0.3, 8, 0.75), (20_000, 0.01, 4, 0.85), (300, 0.3, 8, 0.75)],
)
def test_shares_of_clustered_journeys(users, share, journeys, plain_at_most):
    won, tried = simulate(
        users, share, journeys, seed=users + journeys, simulations=200 if users > 9999 else SIMULATIONS
    )
    clustered, plain = share_interval(won, tried), share_interval(won, tried, each_user_once=True)
    assert 0.925 <= coverage(clustered, share) <= 0.978
    assert coverage(plain, share) <= plain_at_most
    # As wide as the spread of the estimates demands, no wider.
    assert np.mean(clustered.upper - clustered.lower) == pytest.approx(3.92 * clustered.share.std(), rel=0.15)


def test_few_folds_need_students_quantile():
    rng = np.random.default_rng(1)
    n = rng.integers(1, 15, (64, SIMULATIONS, 30))
    n[20:] = 0
    x = rng.binomial(n, rng.beta(0.6, 1.4, n.shape))
    assert 0.925 <= coverage(share_interval(x.sum(axis=2), n.sum(axis=2)), 0.3) <= 0.975


def test_difference_of_two_periods_of_the_same_users_and_of_others():
    rng = np.random.default_rng(2)
    users, together, apart = 600, [], []
    for _ in range(300):
        fold, propensity = rng.integers(0, 64, users), rng.beta(0.6, 1.4, users)
        n1, n2 = rng.geometric(0.25, users), rng.geometric(0.25, users)
        parts = [
            np.bincount(fold, part, 64) for part in (rng.binomial(n1, propensity), n1, rng.binomial(n2, propensity), n2)
        ]
        together.append(parts)
        other = rng.permutation(64)  # the same second period, as if of other users
        apart.append([parts[0], parts[1], parts[2][other], parts[3][other]])
    same = [np.stack(part, axis=1) for part in zip(*together, strict=True)]
    found, uncorrelated = difference_interval(*same), difference_interval(*same, disjoint=True)
    assert 0.92 <= coverage(found, 0.0) <= 0.98
    assert coverage(uncorrelated, 0.0) >= 0.985
    assert np.mean(found.upper - found.lower) < 0.85 * np.mean(uncorrelated.upper - uncorrelated.lower)
    split = simulate(600, 0.3, 4, seed=3, simulations=300), simulate(600, 0.3, 4, seed=4, simulations=300)
    assert 0.92 <= coverage(difference_interval(*split[0], *split[1]), 0.0) <= 0.98
    assert 0.92 <= coverage(difference_interval(*split[0], *split[1], disjoint=True), 0.0) <= 0.98


def test_ratio_of_sums():
    rng = np.random.default_rng(5)
    top, bottom = np.zeros((64, SIMULATIONS)), np.zeros((64, SIMULATIONS))
    for i in range(SIMULATIONS):
        orders, level = rng.geometric(0.3, 500), rng.gamma(4, 5, 500)
        fold = rng.integers(0, 64, 500)
        top[:, i], bottom[:, i] = np.bincount(fold, orders * level, 64), np.bincount(fold, orders, 64)
    theta = (top.sum(axis=0) - top) / (bottom.sum(axis=0) - bottom)
    found = number_interval(top.sum(axis=0) / bottom.sum(axis=0), theta, trials_by_fold=bottom)
    assert 0.925 <= coverage(found, 20.0) <= 0.975


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_quantiles_of_clustered_durations(q):
    rng = np.random.default_rng(6)
    z = {0.5: 0.0, 0.9: 1.2815515655446004}[q]
    truth = float(np.exp(3 + np.sqrt(2) * z))  # log-normal, between and within users
    covered, simulations, widths = 0, 250, []
    for _ in range(simulations):
        owner = np.repeat(np.arange(400), rng.geometric(0.2, 400))
        values = np.exp(3 + rng.normal(size=400)[owner] + rng.normal(size=owner.size))
        buckets, code = np.unique(bucket_of(values), return_inverse=True)
        fold = rng.integers(0, 64, 400)[owner]
        counts = np.bincount(fold * buckets.size + code, minlength=64 * buckets.size).reshape(64, -1)
        found = woodruff(buckets, counts, q, users=400)
        covered += bool(found.lower <= truth <= found.upper)
        widths.append(np.log(found.upper / found.lower))
    assert 0.915 <= covered / simulations <= 0.985
    assert np.mean(widths) < 0.8
