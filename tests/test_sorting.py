"""Sorting by counting, against NumPy's stable sort by comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine import sorting
from journeymine.sorting import columns_of, counting_sort, stable_order

DTYPES = ["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
SIZES = sorted({1, 3, 1000, 1 << 62, *(max((1 << bits) + more, 1) for bits in (1, 8, 16, 17, 31, 32, 40, 48)
                                       for more in (-1, 0, 1))})  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn) -> tuple[npt.NDArray[Any], int]:
    """Integers of any type below a size, which may be more than the type holds; many are equal, or the least or the most."""
    size, dtype = draw(st.sampled_from(SIZES)), np.dtype(draw(st.sampled_from(DTYPES)))
    most = min(size - 1, int(np.iinfo(dtype).max))
    few = draw(st.lists(st.integers(0, most), min_size=1, max_size=5))
    each = st.one_of(st.sampled_from([0, most, *few]), st.integers(0, most))
    return np.array(draw(st.lists(each, max_size=60)), dtype=dtype), size


@pytest.mark.parametrize("many", [0, 20, 1 << 14], ids=["counted", "counted from twenty on", "compared"])
@given(asked=numbers())
def test_equal_numbers_keep_their_order(many: int, asked: tuple[npt.NDArray[Any], int]) -> None:
    values, size = asked
    before = values.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "_MANY", many)
        order = stable_order(values, size)
    assert order.dtype == np.int64
    assert order.tolist() == np.argsort(before, kind="stable").tolist()
    assert values.tolist() == before.tolist()


@pytest.mark.parametrize("size", [200, 1 << 15, (1 << 32) - 1, (1 << 40) + 1, 1 << 62])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_as_many_as_are_counted(size: int, more: int) -> None:
    values = np.random.default_rng(size).integers(0, size, sorting._MANY + more)
    assert np.array_equal(stable_order(values, size), np.argsort(values, kind="stable"))


@given(values=st.lists(st.integers(0, 9), max_size=40))
def test_each_value_begins_where_the_smaller_ones_end(values: list[int]) -> None:
    order, begins = counting_sort(np.array(values, dtype=np.int32), 10)
    assert order.tolist() == sorted(range(len(values)), key=values.__getitem__)
    assert begins.tolist() == [sum(other < value for other in values) for value in range(11)]


@given(rows=st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=12))
def test_entries_of_a_table_by_column(rows: list[list[int]]) -> None:
    entries = [(column, row, nth) for row, columns in enumerate(rows) for nth, column in enumerate(columns)]
    column = np.array([each[0] for each in entries], dtype=np.int32)
    begins = np.append(0, np.cumsum([len(columns) for columns in rows])).astype(np.int32)
    order, row, by_column = columns_of(np.arange(len(entries)), column, begins, 10)
    wanted = sorted(range(len(entries)), key=lambda at: entries[at][0])
    assert order.tolist() == wanted
    assert row.tolist() == [entries[at][1] for at in wanted]
    assert by_column.tolist() == [sum(each[0] < value for each in entries) for value in range(11)]
