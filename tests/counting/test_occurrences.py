"""Counting numbers in sorted runs, against `collections.Counter` and unbounded integers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.counting import occurrences
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.stats.wide import to_python_ints

blocks = st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=8)


@pytest.mark.parametrize("dense", [0, 100], ids=["sparse", "dense"])
@pytest.mark.parametrize("size", [41, 1 << 40])
@given(numbers=blocks)
def test_numbers_are_counted_whatever_blocks_they_come_in(dense: int, size: int, numbers: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "_AT_ONCE", 25)
        patch.setattr(occurrences, "_DENSE", dense)
        patch.setattr(occurrences, "_BROUGHT_TOGETHER", 30)
        seen = Occurrences(size)
        offset = size - 41
        for block in numbers:
            seen.add(np.array(block, dtype=np.int64).astype(seen.kind) + seen.kind(offset))
        expected = sorted(Counter(n + offset for block in numbers for n in block).items())
        for _ in range(2):
            found, n = seen.counted()
            assert list(zip(found.tolist(), n.tolist(), strict=True)) == expected
        seen.add(np.array([offset], dtype=seen.kind))
        found, n = seen.counted()
        assert dict(zip(found.tolist(), n.tolist(), strict=True)) == Counter(dict(expected)) + Counter([offset])


@pytest.mark.parametrize("size", [41, 300, 1 << 40])
@given(halves=st.tuples(blocks, blocks), looked=st.booleans())
def test_what_another_counted_is_added(size: int, halves: Any, looked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "_AT_ONCE", 25)  # 300 places are made late, or not at all
        both = Occurrences(size), Occurrences(size)
        for seen, numbers in zip(both, halves, strict=True):
            for block in numbers:
                seen.add(np.array(block, dtype=np.int64).astype(seen.kind))
            if looked:
                seen.counted()
        both[0].absorb(both[1])
        both[0].add(np.array([7], dtype=both[0].kind))
        found, n = both[0].counted()
    expected = Counter([7, *(n for numbers in halves for block in numbers for n in block)])
    assert list(zip(found.tolist(), n.tolist(), strict=True)) == sorted(expected.items())


def test_what_is_kept_does_not_grow_with_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occurrences, "_AT_ONCE", 100)
    monkeypatch.setattr(occurrences, "_BROUGHT_TOGETHER", 500)
    seen, draw = Occurrences(1 << 40), np.random.default_rng(5)
    for _ in range(200):
        seen.add(draw.integers(0, 150, 100).astype(seen.kind))
        assert sum(len(numbers) for numbers, _ in seen._counted) <= 500 + 3 * 150
    assert seen.counted()[1].sum() == 20_000


def test_numbers_are_told_apart_into_cells_and_kinds() -> None:
    seen = Occurrences(40)
    seen.add(np.array([7, 22, 7, 21, 4], dtype=seen.kind))
    cell, kind, n, starts = seen.by_cell(5)
    assert (cell.tolist(), kind.tolist()) == ([0, 1, 4], [4, 2, 1, 2])
    assert (n.tolist(), starts.tolist()) == ([1, 2, 1, 1], [0, 1, 2])


@pytest.mark.parametrize("narrow", [4, 7])
def test_places_widen_before_they_could_overflow(monkeypatch: pytest.MonkeyPatch, narrow: int) -> None:
    monkeypatch.setattr(occurrences, "_NARROW", narrow)
    seen, other = Occurrences(3), Occurrences(3)
    for each, numbers in ((seen, [2, 2, 0]), (seen, [2, 1]), (other, [2, 0, 0])):
        each.add(np.array(numbers, dtype=each.kind))
    for each in (seen, other):  # as if four billion had come before
        assert each._dense is not None
        each._dense[0] += each._dense.dtype.type(2**32 - 3)
    seen.absorb(other)
    found, n = seen.counted()
    assert dict(zip(found.tolist(), n.tolist(), strict=True)) == {0: 2**33 - 3, 1: 1, 2: 4}


@pytest.mark.parametrize("few", [0, 100], ids=["sparse", "dense"])
@pytest.mark.parametrize("fits", [100, 1 << 62])
@given(rows=st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(-(2**62), 2**62) | st.integers(-9, 9)), max_size=20),
                     max_size=6))  # fmt: skip
def test_sums_are_exact_beyond_64_bits(few: int, fits: int, rows: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "_AT_ONCE", 4)
        patch.setattr(occurrences, "_FEW_SUMS", few)
        patch.setattr(occurrences, "_FITS", fits)
        sums = Sums()
        for block in rows:
            sums.add(
                np.array([c for c, _ in block], dtype=np.int64), np.array([v for _, v in block], dtype=np.int64), 6
            )
        expected = [sum(v for block in rows for c, v in block if c == cell) for cell in range(6)]
        for _ in range(2):
            assert to_python_ints(*sums.totals(np.arange(6))) == expected


@pytest.mark.parametrize("fits", [100, 1 << 62])
@given(
    halves=st.tuples(*(st.lists(st.tuples(st.integers(0, 5), st.integers(-(2**62), 2**62) | st.integers(-9, 9))),) * 2)
)
def test_sums_of_another_are_added(fits: int, halves: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "_FITS", fits)
        both = Sums(), Sums()
        for sums, half in zip(both, halves, strict=True):
            sums.add(np.array([c for c, _ in half], dtype=np.int64), np.array([v for _, v in half], dtype=np.int64), 6)
        both[0].absorb(both[1])
        found = to_python_ints(*both[0].totals(np.arange(6)))
    assert found == [sum(v for half in halves for c, v in half if c == cell) for cell in range(6)]


def test_sums_know_the_cells_they_were_added_to() -> None:
    sums = Sums()
    assert sums.cells().tolist() == []
    for cells in ([3, 1, 3], [2]):
        sums.add(np.array(cells), np.ones(len(cells), dtype=np.int64), 5)
    assert (sums.cells().tolist(), sums.plain(np.arange(5)).tolist()) == ([1, 2, 3], [0, 1, 1, 2, 0])


def test_flagged_counts_are_summed_run_by_run() -> None:
    flags = np.array([True, False, False, True, True])
    assert sum_where(flags, np.array([1, 2, 4, 8, 16]), np.array([0, 1, 3])).tolist() == [1, 0, 24]
    assert sum_where(flags[:0], np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []
