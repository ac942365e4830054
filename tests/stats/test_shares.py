"""The policy on intervals of shares, numbers and differences, rule by rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.errors import QuestionError
from journeymine.stats import difference_interval, number_interval, share_interval, shares
from journeymine.stats.intervals import newcombe, score_limits, student_quantile
from journeymine.stats.shares import REASONS, few_folds_interval


def log_of(users, share, journeys, seed, folds=64):
    """Counts by fold of users with a propensity of their own; returns successes, trials."""
    rng = np.random.default_rng(seed)
    propensity = rng.beta(share * 2, (1 - share) * 2, users)
    tried = rng.geometric(1 / journeys, users)
    won = rng.binomial(tried, propensity)
    fold = rng.integers(0, folds, users)
    return np.bincount(fold, won, 64), np.bincount(fold, tried, 64)


def one_row(won, tried, **options):
    found = share_interval(np.asarray(won)[:, None], np.asarray(tried)[:, None], **options)
    return found.share[0], found.lower[0], found.upper[0], found.deff[0], found.reason[0]


def by_definition(won, tried, users, confidence=0.95):
    """The documented rules as a loop."""
    folds = [k for k in range(64) if tried[k] > 0]
    n, share = sum(tried), sum(won) / sum(tried)
    theta = [(sum(won) - won[k]) / (n - tried[k]) for k in folds]
    mean = sum(theta) / len(theta)
    variance = (len(folds) - 1) / len(folds) * sum((t - mean) ** 2 for t in theta)
    if share in (0, 1):
        effective = min(users, n)
    else:
        effective = n / max(1.0, variance / (share * (1 - share) / n))
    return score_limits(share, effective, student_quantile(len(folds) - 1, confidence))


@given(st.integers(0, 500), st.sampled_from([30, 64]), st.sampled_from([0.8, 0.95]))
def test_equals_the_definition_written_as_a_loop(seed, folds, confidence):
    won, tried = log_of(400, 0.2, 4, seed, folds)
    _, lower, upper, _, reason = one_row(won, tried, confidence=confidence)
    assert reason is None
    assert (lower, upper) == pytest.approx(tuple(map(float, by_definition(won, tried, 400, confidence))))


def test_rows_do_not_see_each_other_and_shapes_are_kept():
    rows = [log_of(300, share, 3, seed) for seed, share in enumerate((0.1, 0.5, 0.9))]
    won, tried = (np.stack(part, axis=1) for part in zip(*rows, strict=True))
    together = share_interval(won, tried)
    assert together.lower.tolist() == [one_row(w, t)[1] for w, t in rows]
    stacked = share_interval(np.stack([won, won], axis=2), np.stack([tried, tried], axis=2))
    assert stacked.upper.shape == (3, 2)
    assert stacked.upper[:, 1].tolist() == together.upper.tolist()
    alone = share_interval(*rows[0])
    assert (alone.lower.shape, float(alone.lower)) == ((), together.lower[0])
    empty = share_interval(np.zeros((64, 0)), np.zeros((64, 0)))
    assert empty.share.shape == empty.reason.shape == (0,)


def test_each_user_once_gets_the_plain_interval_however_few_folds_there_are():
    won, tried = np.zeros(64), np.zeros(64)
    won[:2], tried[:2] = (1, 0), (12, 8)
    share, lower, upper, deff, reason = one_row(won, tried, each_user_once=True)
    assert (share, deff, reason) == (0.05, 1.0, None)
    assert (lower, upper) == pytest.approx((0.008881, 0.236131), abs=5e-7)
    mixed = share_interval(np.stack([won, won], 1), np.stack([tried, tried], 1), each_user_once=[True, False])
    assert mixed.lower[0] == pytest.approx(lower)
    assert mixed.reason.tolist() == [None, shares.TOO_FEW_FOLDS]


@given(seed=st.integers(0, 999), confidence=st.sampled_from([0.8, 0.95]))
def test_rows_of_few_folds_need_their_totals_only(seed, confidence):
    random = np.random.default_rng(seed)
    trials = random.poisson(0.7, (19, 40)) * random.integers(0, 2, 40)
    won, once = random.binomial(trials, 0.4), random.random(40) < 0.5
    whole = share_interval(won, trials, users=trials.sum(axis=0), each_user_once=once, confidence=confidence)
    *found, why = few_folds_interval(won.sum(axis=0), trials.sum(axis=0), each_user_once=once, confidence=confidence)
    for column, expected in zip(found, (whole.estimate, whole.lower, whole.upper), strict=True):
        np.testing.assert_array_equal(column, expected)
    assert [REASONS[code] for code in why] == whole.reason.tolist()


def test_share_of_nothing_counts_users_not_trials():
    tried = np.full(64, 50)
    _, lower, upper, deff, reason = one_row(np.zeros(64), tried, users=[320])
    assert (lower, reason) == (0.0, None)
    assert np.isnan(deff)
    assert upper == pytest.approx(score_limits(0.0, 320, student_quantile(63, 0.95))[1])
    _, lower, upper, _, _ = one_row(tried, tried, users=[320])
    assert upper == 1.0
    assert lower == pytest.approx(score_limits(1.0, 320, student_quantile(63, 0.95))[0])
    # Unknown: as many as there are folds with someone in them, which is never more.
    assert one_row(np.zeros(64), tried)[2] == pytest.approx(one_row(np.zeros(64), tried, users=[64])[2])


def test_too_few_folds_a_dominant_fold_and_no_trials_give_reasons():
    tried = np.zeros((64, 5))
    tried[:19, 0] = 10  # 19 folds
    tried[:20, 1] = 10  # 20 folds
    tried[:, 2] = 10
    tried[0, 2] = 70.0  # 70 of 700: exactly a tenth
    tried[:, 3] = 10
    tried[0, 3] = 71.0
    found = share_interval(np.floor(tried / 3), tried)
    assert found.reason.tolist() == [shares.TOO_FEW_FOLDS, None, None, shares.DOMINANT_FOLD, shares.NO_TRIALS]
    silent = np.array([True, False, False, True, True])
    assert np.isnan(found.lower).tolist() == np.isnan(found.upper).tolist() == silent.tolist()
    assert np.isnan(found.share).tolist() == [False] * 4 + [True]


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(QuestionError, match="do not fit"):
        share_interval(np.zeros((64, 2)), np.zeros((64, 3)))
    with pytest.raises(QuestionError, match="more successes"):
        share_interval(np.full((64, 1), 2), np.ones((64, 1)))


def test_number_interval_of_a_mean_is_the_t_interval():
    values = np.random.default_rng(3).normal(10, 2, size=64)
    without_one = ((values.sum() - values) / 63)[:, None]
    found = number_interval([values.mean()], without_one)
    half = student_quantile(63, 0.95) * np.sqrt(values.var(ddof=1) / 64)
    assert (found.lower[0], found.upper[0]) == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.reason.tolist() == [None]


def test_number_interval_gives_its_reasons():
    theta = np.tile(np.linspace(1, 2, 64)[:, None], (1, 4))
    theta[5, 1] = np.nan
    trials = np.full((64, 4), 10.0)
    trials[19:, 2] = 0
    trials[0, 3] = 500
    found = number_interval(np.full(4, 1.5), theta, trials_by_fold=trials)
    assert found.reason.tolist() == [None, shares.UNDEFINED_REPLICATE, shares.TOO_FEW_FOLDS, shares.DOMINANT_FOLD]
    assert np.isnan(found.lower).tolist() == [False, True, True, True]
    assert number_interval([1.5], theta[:19, :1]).reason.tolist() == [shares.TOO_FEW_FOLDS]
    assert number_interval(np.nan, theta[:, 0]).reason.tolist() == shares.UNDEFINED_REPLICATE
    with pytest.raises(QuestionError, match="do not fit"):
        number_interval([1.0, 2.0], theta)


def test_difference_of_disjoint_single_journeys_is_newcombe():
    tried1, tried2 = np.zeros((64, 1)), np.zeros((64, 1))
    tried1[:7], tried2[10:18] = 10, 10
    won1, won2 = tried1 * 0.8, tried2 * 0.6
    found = difference_interval(won1, tried1, won2, tried2, each_user_once=(True, True), disjoint=True)
    assert (found.lower[0], found.upper[0]) == pytest.approx(newcombe(56 / 70, 70, 48 / 80, 80))
    assert found.estimate[0] == pytest.approx(0.2)
    # The same few users may stand in both: 15 folds do not tell how far that goes.
    unsure = difference_interval(won1, tried1, won2, tried2, each_user_once=(True, True))
    assert unsure.reason.tolist() == [shares.TOO_FEW_FOLDS]


def test_difference_between_a_share_and_itself_is_next_to_nothing():
    won, tried = (part[:, None] for part in log_of(500, 0.3, 4, 7))
    apart = difference_interval(won, tried, won, tried, disjoint=True)
    same = difference_interval(won, tried, won, tried)
    assert same.upper[0] < 0.005 < apart.upper[0]


@settings(max_examples=10)
@given(st.integers(0, 100))
def test_difference_uses_the_correlation_of_the_replicates(seed):
    won1, tried1 = log_of(1200, 0.2, 3, seed)
    won2, tried2 = log_of(1200, 0.3, 3, seed + 1000)
    found = difference_interval(won1[:, None], tried1[:, None], won2[:, None], tried2[:, None])
    theta1 = (won1.sum() - won1) / (tried1.sum() - tried1)
    theta2 = (won2.sum() - won2) / (tried2.sum() - tried2)
    rho = np.corrcoef(theta1, theta2)[0, 1]
    (p1, _, _, deff1, _), (p2, _, _, deff2, _) = one_row(won1, tried1), one_row(won2, tried2)
    z = student_quantile(63, 0.95)
    low1, high1 = score_limits(p1, tried1.sum() / deff1, z)
    low2, high2 = score_limits(p2, tried2.sum() / deff2, z)
    lower = (p1 - p2) - np.sqrt((p1 - low1) ** 2 - 2 * rho * (p1 - low1) * (high2 - p2) + (high2 - p2) ** 2)
    upper = (p1 - p2) + np.sqrt((high1 - p1) ** 2 - 2 * rho * (high1 - p1) * (p2 - low2) + (p2 - low2) ** 2)
    assert (found.lower[0], found.upper[0]) == pytest.approx((lower, upper))


def test_a_reason_of_either_share_is_the_differences():
    tried = np.full((64, 2), 10.0)
    few = tried.copy()
    few[5:, 1] = 0
    found = difference_interval(tried / 2, tried, few / 2, few)
    assert found.reason.tolist() == [None, shares.TOO_FEW_FOLDS]
    assert np.isnan(found.lower).tolist() == [False, True]
