"""The clustered log-rank test: the plain one for independent people, and honest where people count several times."""

from __future__ import annotations

import numpy as np
import pytest

from journeymine.errors import QuestionError
from journeymine.stats import at_risk, log_rank, replicates
from journeymine.stats.clustered_log_rank import clustered_log_rank


def simulate(rng, people, times_each, groups=2, by_user=True):
    """Events and numbers at risk, [1 + K, groups, T]: people differ, and all of one person's journeys are alike."""
    speed = np.repeat(rng.gamma(1.5, 1, people), times_each)
    fold = np.repeat(rng.integers(0, 64, people), times_each)
    group = np.repeat(rng.integers(0, groups, people), times_each) if by_user else rng.integers(0, groups, len(fold))
    at = np.minimum(np.ceil(rng.exponential(8 / speed)), 15).astype(int)
    counts = np.zeros((64, groups, 2, 16))
    np.add.at(counts, (fold, group, (at >= 15).astype(int), at), 1)
    series = np.concatenate([counts.sum(axis=0, keepdims=True), replicates(counts, np.ones(64, dtype=bool))])
    events = series[:, :, 0]
    return events, at_risk(events, series[:, :, 1])


def test_it_holds_its_level_where_the_plain_test_does_not():
    rng, clustered, plain, n = np.random.default_rng(3), 0, 0, 300
    for _ in range(n):
        events, risk = simulate(rng, 250, 6)
        clustered += clustered_log_rank(events, risk).p_value < 0.05
        plain += log_rank(events[0], risk[0]).p_value < 0.05
    assert 0.02 <= clustered / n <= 0.085
    assert plain / n > 0.15


def test_three_groups_of_independent_people_agree_with_the_plain_test():
    rng = np.random.default_rng(4)
    pairs = []
    for _ in range(40):
        events, risk = simulate(rng, 1500, 1, groups=3)
        one, other = clustered_log_rank(events, risk), log_rank(events[0], risk[0])
        assert one.df == other.df == 2
        assert one.expected == pytest.approx(other.expected)
        pairs.append((one.statistic, other.statistic))
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.9


def test_nothing_to_compare_is_no_number():
    nothing = np.zeros((65, 2, 3))
    assert np.isnan(clustered_log_rank(nothing, nothing).p_value)
    alone = clustered_log_rank(np.ones((65, 1, 3)), np.full((65, 1, 3), 5))
    assert np.isnan(alone.p_value)
    assert alone.df == 0
    with pytest.raises(QuestionError, match="groups"):
        clustered_log_rank(np.ones((65, 3)), np.ones((65, 3)))


def test_it_is_the_test_of_all_groups_but_one_whichever_that_is():
    """The scores add up to 0, so T² of any k − 1 of the groups is that of all; few in one group, many in another."""
    rng = np.random.default_rng(8)
    for lopsided in (1, 30, 3_000):
        events, risk = simulate(rng, 900, 2, groups=3)
        scale = np.array([1.0, lopsided, lopsided])[:, None]
        events, risk = events * scale, risk * scale
        total = risk.sum(axis=1, keepdims=True)
        score = (
            events
            - np.divide(risk, total, where=total > 0, out=np.zeros_like(risk)) * events.sum(axis=1, keepdims=True)
        ).sum(axis=2)
        apart = score[1:] - score[1:].mean(axis=0)
        covariance = 63 / 64 * apart.T @ apart
        found = clustered_log_rank(events, risk)
        for kept in ([0, 1], [0, 2], [1, 2]):
            expected = score[0, kept] @ np.linalg.solve(covariance[np.ix_(kept, kept)], score[0, kept])
            assert found.statistic == pytest.approx(expected, rel=1e-6)
        assert found.df == 2
