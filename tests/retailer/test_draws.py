"""Numbers made of uniform ones have the distributions they are named after."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from journeymine.retailer.draws import Draws, chosen, failures_before_stop, standard_normal, waiting

N = 20_000
DRAWS = Draws(3)


def test_streams_are_uniform_and_apart() -> None:
    first, second = DRAWS.uniform("a", N), DRAWS.uniform("b", N)
    assert stats.kstest(first, "uniform").pvalue > 0.001
    assert abs(stats.pearsonr(first, second).statistic) < 0.03


def test_choices_follow_their_weights() -> None:
    weights = np.array([3.0, 0.0, 1.0, 6.0])
    counts = np.bincount(chosen(DRAWS.uniform("choice", N), list(weights)), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], N * weights[[0, 2, 3]] / 10).pvalue > 0.001


@pytest.mark.parametrize("keep", [0.4, 0.66])
def test_further_steps_are_geometric(keep: float) -> None:
    steps = failures_before_stop(DRAWS.uniform("steps", N), keep, 6)
    expected = [N * stats.geom.pmf(k + 1, 1 - keep) for k in range(6)] + [N * stats.geom.sf(6, 1 - keep)]
    assert stats.chisquare(np.bincount(steps, minlength=7), expected).pvalue > 0.001


def test_waiting_times_are_exponential_between_their_bounds() -> None:
    wait = waiting(DRAWS.uniform("wait", N), 200, least=15, most=1e9)
    assert wait.min() >= 15
    assert stats.kstest(wait - 14.5, "expon", args=(0, 200)).pvalue > 0.001
    assert waiting(np.array([0.999999]), 200, least=15, most=1500).tolist() == [1500]


def test_normal_numbers_are_normal() -> None:
    normal = standard_normal(DRAWS.uniform("n", N), DRAWS.uniform("angle", N))
    assert stats.kstest(normal, "norm").pvalue > 0.001
