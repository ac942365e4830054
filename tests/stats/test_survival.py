"""Survival estimates against Freireich's published trial, SciPy, and people followed one by one."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from journeymine.errors import QuestionError
from journeymine.stats import (
    aalen_johansen,
    at_risk,
    greenwood,
    kaplan_meier,
    log_minus_log_limits,
    log_rank,
    restricted_mean,
)

# Freireich et al. (1963), weeks of remission in acute leukaemia, as in Kalbfleisch and Prentice and in R's
# `survival::survfit(Surv(time, status) ~ treat)`: 6-MP (+ is censored) and placebo.
MP_EVENTS = [6, 6, 6, 7, 10, 13, 16, 22, 23]
MP_CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
WEEKS = np.arange(1, 36)


def table(times):
    return np.bincount(times, minlength=36)[1:].astype(float)


def freireich():
    events = np.stack([table(MP_EVENTS), table(PLACEBO)])
    return events, at_risk(events, np.stack([table(MP_CENSORED), np.zeros(35)]))


def test_kaplan_meier_of_the_published_trial():
    events, risk = freireich()
    assert risk[0, [5, 6, 9]].tolist() == [21, 17, 15]
    curve = kaplan_meier(events, risk)[0]
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {week: round(float(curve[week - 1]), 3) for week in published} == published
    errors = np.sqrt(greenwood(events, risk)[0])
    published_errors = {6: 0.0764, 7: 0.0869, 10: 0.0963, 13: 0.1068, 16: 0.1141, 22: 0.1282, 23: 0.1346}
    assert {week: round(float(errors[week - 1]), 4) for week in published_errors} == published_errors


def test_log_rank_of_the_published_trial():
    found = log_rank(*freireich())
    # R: survdiff gives chisq = 16.8 on 1 degree of freedom, expected 19.3 and 10.7, p = 4e-05.
    assert found.statistic == pytest.approx(16.793, abs=5e-4)
    assert found.df == 1
    assert found.expected.round(1).tolist() == [19.3, 10.7]
    assert found.p_value == pytest.approx(4.17e-5, rel=0.01)


people = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=40)


def counted(subjects, length=12):
    events, censored = np.zeros(length), np.zeros(length)
    for time, happened in subjects:
        (events if happened else censored)[time - 1] += 1
    return events, at_risk(events, censored)


def to_scipy(subjects):
    return scipy_stats.CensoredData(
        uncensored=[t for t, happened in subjects if happened], right=[t for t, happened in subjects if not happened]
    )


@given(people)
def test_kaplan_meier_equals_scipy(subjects):
    expected = scipy_stats.ecdf(to_scipy(subjects)).sf
    events, risk = counted(subjects)
    assert kaplan_meier(events, risk) == pytest.approx(expected.evaluate(np.arange(1, 13)))


@given(people)
def test_limits_equal_scipys(subjects):
    events, risk = counted(subjects)
    curve, variance = kaplan_meier(events, risk), greenwood(events, risk)
    lower, upper = log_minus_log_limits(curve, variance)
    inside = (curve > 0) & (curve < 1)
    assert np.isfinite(lower).tolist() == np.isfinite(upper).tolist() == inside.tolist()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's, where the curve touches an end; there ours is NaN
        interval = scipy_stats.ecdf(to_scipy(subjects)).sf.confidence_interval(method="log-log")
    weeks = np.arange(1, 13)[inside]
    assert lower[inside] == pytest.approx(interval.low.evaluate(weeks))
    assert upper[inside] == pytest.approx(interval.high.evaluate(weeks))


@given(people, people)
def test_log_rank_of_two_groups_equals_scipy(first, second):
    pairs = [counted(first), counted(second)]
    found = log_rank(*(np.stack(part) for part in zip(*pairs, strict=True)))
    if np.isnan(found.statistic):
        return
    expected = scipy_stats.logrank(to_scipy(first), to_scipy(second))
    assert found.statistic == pytest.approx(expected.statistic**2, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


@given(st.lists(people, min_size=3, max_size=4))
def test_log_rank_of_many_groups_equals_the_sums_written_out(groups):
    pairs = [counted(g) for g in groups]
    d, n = (np.stack(part) for part in zip(*pairs, strict=True))
    k, excess = len(groups), np.zeros(len(groups))
    covariance = np.zeros((k, k))
    for t in range(12):
        total_d, total_n = d[:, t].sum(), n[:, t].sum()
        for i in range(k):
            excess[i] += d[i, t] - total_d * n[i, t] / total_n if total_n else 0
            for j in range(k):
                if total_n > 1:
                    part = n[i, t] / total_n * ((i == j) - n[j, t] / total_n)
                    covariance[i, j] += part * total_d * (total_n - total_d) / (total_n - 1)
    found = log_rank(d, n)
    if np.linalg.matrix_rank(covariance) < k - 1:
        return
    expected = excess[1:] @ np.linalg.solve(covariance[1:, 1:], excess[1:])
    assert found.df == k - 1
    assert found.statistic == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert found.p_value == pytest.approx(scipy_stats.chi2.sf(expected, k - 1), abs=1e-9)


def written_out(first, second):
    """χ² of two groups in fractions: (observed − expected)² ÷ hypergeometric variance."""
    excess = variance = Fraction(0)
    for t in range(12):
        d1, d = int(first[0][t]), int(first[0][t] + second[0][t])
        n1, n = int(first[1][t]), int(first[1][t] + second[1][t])
        excess += d1 - Fraction(d * n1, n or 1)
        variance += Fraction(n1 * (n - n1) * d * (n - d), n * n * (n - 1)) if n > 1 else 0
    return excess**2 / variance if variance else None


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_log_rank_of_one_against_many_is_exact(size):
    rng, told = np.random.default_rng(size), 0
    for _ in range(400):
        first, second = (
            counted(list(zip(rng.integers(1, rng.integers(2, 12), n), rng.random(n) < rng.random(), strict=True)))
            for n in (int(rng.integers(1, 40)) * size, int(rng.integers(1, 3)))
        )
        found, expected = (
            log_rank(*(np.stack(part) for part in zip(first, second, strict=True))),
            written_out(first, second),
        )
        if expected is None:
            assert np.isnan(found.statistic)
        else:
            assert found.statistic == pytest.approx(float(expected), rel=1e-7, abs=1e-9)
            told += 1
    assert told > 200


def test_log_rank_takes_no_degree_of_freedom_from_who_was_never_at_risk_with_others():
    """R's `survdiff` leaves out a group in which no event was expected; so the other two are compared alone."""
    events = np.array([[0.0, 3, 1], [0, 1, 2], [0, 0, 0]])
    risk = np.array([[9.0, 9, 5], [8, 8, 6], [4, 0, 0]])
    found, two = log_rank(events, risk), log_rank(events[:2], risk[:2])
    assert (found.df, two.df) == (1, 1)
    assert found.statistic == pytest.approx(two.statistic)
    assert found.p_value == pytest.approx(two.p_value)
    apart = log_rank([[1, 0], [0, 0]], [[3, 1], [0, 1]])
    assert np.isnan([apart.statistic, apart.p_value]).all()


def test_log_rank_leaves_groups_without_anyone_out():
    events, risk = freireich()
    found = log_rank(np.vstack([events, np.zeros(35)]), np.vstack([risk, np.zeros(35)]))
    assert found.df == 1
    assert found.statistic == pytest.approx(16.793, abs=5e-4)
    alone = log_rank(events[:1], risk[:1])
    assert np.isnan([alone.statistic, alone.p_value]).all()
    assert np.isnan(log_rank(np.zeros((2, 3)), np.ones((2, 3))).p_value)
    with pytest.raises(QuestionError, match="one row per group"):
        log_rank(events[0], risk[0])


competing = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), min_size=1, max_size=40)


@given(competing)
def test_aalen_johansen_by_redistribution_to_the_right(subjects):
    # Efron's construction, person by person: whoever is censored hands his mass on to all who stay longer.
    subjects = sorted(subjects, key=lambda s: (s[0], s[1] == 0))
    mass, reached = [1 / len(subjects)] * len(subjects), np.zeros((2, 12))
    for i, (time, cause) in enumerate(subjects):
        if cause:
            reached[cause - 1, time - 1] += mass[i]
        elif i + 1 < len(subjects):
            share = mass[i] / (len(subjects) - i - 1)
            mass[i + 1 :] = [m + share for m in mass[i + 1 :]]
    events, censored = np.zeros((2, 12)), np.zeros(12)
    for time, cause in subjects:
        if cause:
            events[cause - 1, time - 1] += 1
        else:
            censored[time - 1] += 1
    risk = at_risk(events.sum(axis=0), censored)
    found = aalen_johansen(events, risk)
    assert found == pytest.approx(reached.cumsum(axis=1))
    assert found.sum(axis=0) + kaplan_meier(events.sum(axis=0), risk) == pytest.approx(np.ones(12))
    stacked = aalen_johansen(np.stack([events, events]), np.stack([risk, risk]))
    assert stacked[1] == pytest.approx(found)


@given(people, st.floats(0.5, 20))
def test_restricted_mean_is_the_area_summed_finely(subjects, horizon):
    curve = kaplan_meier(*counted(subjects))
    cuts = np.unique(np.concatenate([[0.0], np.arange(1, 13), [horizon]]))
    cuts = cuts[cuts <= horizon]
    middle = (cuts[1:] + cuts[:-1]) / 2
    area = sum(
        width * (1.0 if at < 1 else curve[min(int(at), 12) - 1])
        for width, at in zip(np.diff(cuts), middle, strict=True)
    )
    assert restricted_mean(np.arange(1, 13), curve, horizon) == pytest.approx(area)


def test_restricted_mean_without_censoring_is_the_mean_of_the_capped_times():
    times = np.array([2, 3, 3, 7, 11, 12])
    events = np.bincount(times, minlength=13)[1:]
    curve = kaplan_meier(events, at_risk(events, np.zeros(12)))
    for horizon in (1.5, 3.0, 8.0, 30.0):
        assert restricted_mean(np.arange(1, 13), curve, horizon) == pytest.approx(np.minimum(times, horizon).mean())
    assert restricted_mean(np.arange(1, 13), np.stack([curve, curve]), 8.0).shape == (2,)
    assert restricted_mean([5.0], [0.5], 6.0, start=4.0) == pytest.approx(1.5)
    for t, s, horizon in (([1, 2], [1.0, 0.5], 0), ([2, 1], [1.0, 0.5], 3), ([1], [1.0, 0.5], 3)):
        with pytest.raises(QuestionError, match="no mean"):
            restricted_mean(t, s, horizon)


def test_more_events_than_people_are_refused():
    with pytest.raises(QuestionError, match=r"1 time\(s\)"):
        kaplan_meier([1, 3], [4, 2])
    assert kaplan_meier([1, 0], [2, 0]).tolist() == [0.5, 0.5]
    assert np.isnan(greenwood([1, 2], [3, 2])[1])
