"""Interval formulas against published tables, SciPy, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from journeymine.errors import QuestionError
from journeymine.stats.intervals import (
    jeffreys,
    newcombe,
    normal_quantile,
    square_and_add,
    student,
    student_quantile,
    wilson,
)

# Newcombe (1998), "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, table I,
# method 3; the first two rows with z = Φ⁻¹(.975) to six places.
WILSON = [
    (1, 20, 0.008881, 0.236131, 5e-7),
    (50, 1000, 0.038130, 0.065314, 5e-7),
    (81, 263, 0.2553, 0.3662, 5e-5),
    (15, 148, 0.0624, 0.1605, 5e-5),
    (0, 20, 0.0, 0.1611, 5e-5),
    (1, 29, 0.0061, 0.1718, 5e-5),
]

# Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
# table II, method 10.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0),
    (10, 10, 0, 10, 0.6075, 1.0),
]


@pytest.mark.parametrize(("won", "n", "low", "high", "tolerance"), WILSON)
def test_wilson_gives_the_published_limits(won, n, low, high, tolerance):
    lower, upper = wilson(won, n)
    assert lower == pytest.approx(low, abs=tolerance)
    assert upper == pytest.approx(high, abs=tolerance)


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_and_jeffreys_agree_with_scipy(n, part, confidence):
    won = round(n * part)
    expected = scipy_stats.binomtest(won, n).proportion_ci(confidence_level=confidence, method="wilson")
    assert wilson(won, n, confidence=confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)
    tail = (1 - confidence) / 2
    beta = scipy_stats.beta(won + 0.5, n - won + 0.5)
    lower, upper = jeffreys(won, n, confidence=confidence)
    assert lower == pytest.approx(beta.ppf(tail) if won else 0.0, abs=1e-10)
    assert upper == pytest.approx(beta.ppf(1 - tail) if won < n else 1.0, abs=1e-10)


@given(st.floats(0.001, 1e9), st.floats(0, 1))
def test_limits_enclose_the_share_and_stay_inside_zero_and_one(n, part):
    for lower, upper in (wilson(n * part, n), jeffreys(n * part, n)):
        # Jeffreys does not promise to hold the share itself at fractions of a trial.
        assert 0 <= lower <= upper <= 1
    lower, upper = wilson(n * part, n)
    assert lower <= part + 1e-9
    assert upper >= part - 1e-9


def test_the_ends_are_exact_and_no_trials_give_nan():
    lower, upper = wilson([0, 7, 0, np.nan], [7, 7, 0, 7])
    assert lower[0] == 0.0
    assert upper[1] == 1.0
    assert np.isnan([lower[2], upper[2], lower[3], upper[3]]).all()
    lower, upper = jeffreys([0, 7, 0], [7, 7, 0])
    assert (lower[0], upper[1]) == (0.0, 1.0)
    assert np.isnan([lower[2], upper[2]]).all()


@pytest.mark.parametrize(("won1", "n1", "won2", "n2", "low", "high"), NEWCOMBE)
def test_newcombe_gives_the_published_limits(won1, n1, won2, n2, low, high):
    assert newcombe(won1 / n1, n1, won2 / n2, n2) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_to_six_places():
    assert newcombe(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.052431, 0.333873), abs=5e-7)


def test_newcombe_with_correlation_gives_the_published_limits_of_paired_shares():
    # Newcombe (1998), paired data, Statistics in Medicine 17, table II, method 10: cells 36, 12, 2, 0.
    a, b, c, d = 36, 12, 2, 0
    n = a + b + c + d
    phi = (a * d - b * c) / math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    limits = newcombe((a + b) / n, n, (a + c) / n, n, correlation=phi)
    assert limits == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_correlation_narrows_and_its_lack_is_pythagoras():
    wide, narrow = newcombe(0.3, 100, 0.2, 100), newcombe(0.3, 100, 0.2, 100, correlation=0.8)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]
    lower, upper = square_and_add(0.5, (np.array(0.2), np.array(0.9)), 0.5, (np.array(0.46), np.array(0.53)))
    assert (lower, upper) == pytest.approx((-math.hypot(0.3, 0.03), math.hypot(0.4, 0.04)))
    same = newcombe(0.3, 100, 0.3, 100, correlation=1.0)
    assert max(map(abs, same)) < 0.02  # only Wilson's asymmetry is left


def test_newcombe_is_antisymmetric():
    low, high = newcombe(0.3, 50, 0.1, 90, correlation=0.3)
    swapped = newcombe(0.1, 90, 0.3, 50, correlation=0.3)
    assert swapped == pytest.approx((-high, -low))


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(1, 200))
def test_student_agrees_with_scipy(estimate, variance, df):
    lower, upper = student(estimate, variance, df)
    half = scipy_stats.t.ppf(0.975, df) * math.sqrt(variance)
    assert (lower, upper) == pytest.approx((estimate - half, estimate + half), rel=1e-9, abs=1e-9)


def test_quantiles_refuse_what_is_no_confidence_and_know_no_degrees_of_freedom():
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054)
    assert np.isnan(student_quantile([0, -1, np.nan], 0.95)).all()
    many = np.tile([[3, 0, -1, 63], [1, 63, 3, 3]], (40, 1))
    np.testing.assert_array_equal(student_quantile(many, 0.9), student_quantile(many.astype(float), 0.9))
    assert student_quantile(np.zeros(0, dtype=int), 0.9).shape == (0,)
    for wrong in (0, 1, 95, -0.5, float("nan")):
        with pytest.raises(QuestionError, match="confidence"):
            normal_quantile(wrong)


def test_more_successes_than_trials_are_refused_and_counted():
    with pytest.raises(QuestionError, match=r"2 share\(s\)"):
        wilson([3, -1, 1], [2, 5, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((56, 70, 48, 80), "2 share"), ((0.8, 70, -0.1, 80), "1 share"), ((0.8, -70, 0.6, 80), "1 number"),
        (([0.5, 1.5, 2.0], 70, 0.6, 80), "2 share"),
    ],
    ids=str,
)  # fmt: skip
def test_newcombe_takes_shares_and_says_so(given, said):
    with pytest.raises(QuestionError, match=rf"{said}(?s:.*)Hint"):
        newcombe(*given)


@pytest.mark.parametrize("correlation", [2, -1.5])
def test_newcombe_takes_a_correlation(correlation):
    with pytest.raises(QuestionError, match=r"1 correlation(?s:.*)Hint"):
        newcombe(0.8, 70, 0.6, 80, correlation=correlation)


def test_newcombe_of_what_is_not_known_is_not_known():
    assert np.isnan(newcombe(np.nan, 0, 0.6, 80)).all()
