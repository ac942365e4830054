"""Buckets and their quantiles against sorted values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError
from journeymine.stats import bucket_bounds, bucket_of, bucket_value, group_quantiles, quantile

positive = st.floats(1e-300, 1e300)
amounts = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e15)), min_size=1, max_size=60)


@given(st.lists(positive, min_size=1))
def test_a_bucket_holds_its_value_within_one_percent(values):
    buckets = bucket_of(values)
    low, high = bucket_bounds(buckets)
    assert (low <= values).all()
    assert (values < high).all()
    assert np.max(np.abs(bucket_value(buckets) / values - 1)) < 0.0079
    assert (high / low < 1.016).all()


@given(positive, positive)
def test_buckets_keep_the_order(a, b):
    low, high = sorted((a, b))
    assert bucket_of(low) <= bucket_of(high)


def test_fixed_buckets_on_every_machine():
    # From the definition: exponent + 1023, then six bits of mantissa.
    for value in (1.0, 1.5, 3.14159, 1e-9, 86_400_000_000.0):
        mantissa, exponent = math.frexp(value)
        expected = (exponent - 1 + 1023) * 64 + math.floor((mantissa * 2 - 1) * 64)
        assert bucket_of(value) == expected
    assert bucket_of([0, 1, 1.01, 1.02, 2]).tolist() == [0, 65472, 65472, 65473, 65536]


def test_zero_is_apart_and_extremes_are_held():
    assert bucket_of([0.0, -0.0, 0]).tolist() == [0, 0, 0]
    assert bucket_value([0]).tolist() == [0.0]
    assert bucket_of(5e-324) == 1
    largest = np.finfo(np.float64).max
    assert bucket_bounds(bucket_of([largest]))[1][0] == largest
    assert bucket_of(np.array([2**62, 7], dtype=np.int64)).tolist() == bucket_of([2.0**62, 7.0]).tolist()
    assert bucket_of([]).tolist() == []
    assert bucket_of([[1.0, 2.0]]).shape == (1, 2)


def test_small_integers_have_buckets_of_their_own():
    assert len(np.unique(bucket_of(np.arange(129)))) == 129


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), -1])
def test_what_cannot_be_held_is_refused_and_counted(wrong):
    with pytest.raises(QuestionError, match="1 of 2 values"):
        bucket_of([1, wrong])


def table(values):
    buckets, counts = np.unique(bucket_of(values), return_counts=True)
    return buckets, counts


@given(amounts, st.floats(0, 1))
def test_quantile_is_the_one_of_the_sorted_values_within_one_percent(values, q):
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    expected = sorted(values)[rank - 1]
    assert quantile(*table(values), q) == pytest.approx(expected, rel=0.0079, abs=0)


@given(st.lists(amounts, min_size=1, max_size=5))
def test_groups_and_leading_axes_equal_one_histogram_at_a_time(groups):
    qs = [0.0, 0.1, 0.5, 0.9, 1.0]
    tables = [table(values) for values in groups]
    expected = [[float(quantile(*t, q)) for q in qs] for t in tables]
    # Odd groups stay empty: they answer NaN.
    number = np.concatenate([np.full(len(t[0]), 2 * i) for i, t in enumerate(tables)])
    found = group_quantiles(
        number,
        np.concatenate([t[0] for t in tables]),
        np.concatenate([t[1] for t in tables]),
        qs,
        n_groups=2 * len(groups),
    )
    assert found[::2].tolist() == expected
    assert np.isnan(found[1::2]).all()
    every = np.unique(np.concatenate([t[0] for t in tables]))
    counts = np.zeros((len(groups), every.size), dtype=np.int64)
    for row, (buckets, n) in zip(counts, tables, strict=True):
        row[np.searchsorted(every, buckets)] = n
    assert quantile(every, counts, 0.5).tolist() == [e[2] for e in expected]


def test_nothing_counted_has_no_quantile():
    assert np.isnan(quantile([], np.zeros((3, 0)), 0.5)).tolist() == [True] * 3
    assert np.isnan(quantile([65472], [0], 0.5))
    assert np.isnan(group_quantiles([], [], [], [0.5], n_groups=2)).all()
    assert np.isnan(group_quantiles([0, 1, 1], [65472, 0, 65472], [0, 0, 0], [0.5], n_groups=2)).all()
    with pytest.raises(QuestionError, match="between 0 and 1"):
        quantile([65472], [1], 50)


def test_ranks_survive_rounding():
    assert 0.07 * 100 > 7
    buckets, ones = bucket_of(np.arange(1, 101)), np.ones(100, dtype=int)
    for percent in range(1, 101):
        assert quantile(buckets, ones, percent / 100) == bucket_value(bucket_of(percent))
