from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.stretches import search_stretches

stretches = st.lists(
    st.tuples(st.lists(st.integers(-5, 5), max_size=9).map(sorted), st.lists(st.integers(-7, 7), max_size=5)),
    max_size=8,
)


@given(stretches)
@pytest.mark.parametrize("side", ["left", "right"])
def test_each_is_found_where_numpy_finds_it_in_its_own_stretch(side, given_stretches):
    values = np.array([value for stretch, _ in given_stretches for value in stretch], dtype=np.int64)
    low, high, wanted, expected, begin = [], [], [], [], 0
    for stretch, sought in given_stretches:
        low += [begin] * len(sought)
        high += [begin + len(stretch)] * len(sought)
        wanted += sought
        expected += [begin + int(np.searchsorted(stretch, each, side=side)) for each in sought]
        begin += len(stretch)
    found = search_stretches(values, *(np.array(each, dtype=np.int64) for each in (low, high, wanted)), side=side)
    assert found.tolist() == expected
