"""Two-limb sums against unbounded Python integers."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from journeymine.stats.wide import from_python_ints, normalise, split, to_float, to_python_ints

int64 = st.integers(-(2**63), 2**63 - 1)
wide = st.integers(-(2**95), 2**95 - 1)


@given(st.lists(int64, min_size=1, max_size=50))
def test_sums_are_exact_beyond_64_bits(values):
    hi, lo = split(values)
    total = normalise([hi.sum()], [lo.sum()])
    assert to_python_ints(*total) == [sum(values)]
    assert 0 <= total[1][0] < 2**32


@given(st.lists(int64, min_size=2, max_size=30), st.randoms())
def test_any_order_and_grouping_gives_the_same_limbs(values, order: random.Random):
    hi, lo = split(values)
    whole = normalise([hi.sum()], [lo.sum()])
    shuffled = values.copy()
    order.shuffle(shuffled)
    cut = order.randrange(len(values))
    parts = [normalise(h.sum(), low.sum()) for h, low in (split(shuffled[:cut]), split(shuffled[cut:]))]
    merged = normalise([parts[0][0] + parts[1][0]], [parts[0][1] + parts[1][1]])
    assert [limb.tolist() for limb in merged] == [limb.tolist() for limb in whole]


@given(st.lists(wide, max_size=20))
def test_there_and_back(numbers):
    hi, lo = from_python_ints(numbers)
    assert to_python_ints(hi, lo) == numbers
    assert to_python_ints(*normalise(hi, lo)) == numbers


@given(st.lists(wide, max_size=20))
def test_to_float_is_the_nearest_or_next_to_it(numbers):
    found = to_float(*from_python_ints(numbers)).tolist()
    for number, got in zip(numbers, found, strict=True):
        if abs(number) < 2**85:
            assert got == float(number)
        else:
            assert abs(got - float(number)) <= np.spacing(abs(float(number)))


def test_the_sum_that_wraps_in_64_bits():
    values = np.full(28, 2**62, dtype=np.int64)
    assert int(values.sum()) != 28 * 2**62
    hi, lo = split(values)
    assert to_python_ints(hi.sum(), lo.sum()) == [28 * 2**62]
