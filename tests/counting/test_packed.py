"""Packed keys against a plain grouping of the rows they stand for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Packed, RowCounts, counted, label_column

LABELS = ["b", "a", "c"]


@pytest.mark.parametrize("n_labels", [3, 40_000_000])
def test_cells_come_apart_into_the_keys_they_were_made_of(n_labels: int) -> None:
    """With few labels, and with so many that no integer holds every combination: then those that occur are numbered."""
    rng = np.random.default_rng(1)
    codes = [rng.integers(0, 3, 500) for _ in range(3)]
    numbers = pl.Series(np.arange(n_labels, dtype=np.int32))
    packed = Packed.none(500).beside(codes[0], {"x": label_column(LABELS)})
    for name, each in zip("yz", codes[1:], strict=True):
        packed = packed.beside(each, {name: numbers})
    found = packed.apart(packed.cell)
    assert found["x"].cast(pl.String).to_list() == [LABELS[code] for code in codes[0]]
    assert [found[name].to_list() for name in "yz"] == [each.tolist() for each in codes[1:]]
    assert packed.size < 1 << 53


@pytest.mark.parametrize("size", [10, 1 << 40])
def test_cells_are_counted_densely_and_by_sorting(size: int) -> None:
    cells = np.random.default_rng(2).integers(0, 10, 300) * (size // 10)
    used, n = counted(cells, size)
    assert dict(zip(used.tolist(), n.tolist(), strict=True)) == Counter(cells.tolist())
    assert used.tolist() == sorted(used.tolist())


def test_tables_hold_the_rows_of_each_cell_and_those_that_are_flagged() -> None:
    rng = np.random.default_rng(3)
    codes, fold, flags = rng.integers(0, 3, 200), rng.integers(0, 64, 200).astype(np.uint8), rng.random(200) < 0.3
    flagged, plain, kept = RowCounts(flagged=True), RowCounts(folded=False), np.arange(150)
    for block in (slice(0, 90), slice(90, 90), slice(90, 200)):
        at = Packed(codes[block], ({"label": label_column(LABELS)},))
        flagged.add(at, fold[block], flags=flags[block])
        plain.add(at, rows=kept[: len(at.cell)])
    rows = list(zip([LABELS[code] for code in codes], fold.tolist(), flags.tolist(), strict=True))
    every, some = Counter((a, b) for a, b, _ in rows), Counter((a, b) for a, b, flag in rows if flag)
    spec = TableSpec({"label": pl.String}, {"n": "sum", "some": "sum"})
    table = flagged.table(spec)
    assert {(a, b): (n, m) for a, b, n, m in table.rows()} == {key: (n, some[key]) for key, n in every.items()}
    counted_plainly = plain.table(TableSpec({"label": pl.String}, {"n": "sum"}, folded=False))
    assert dict(counted_plainly.rows()) == Counter(a for a, _, _ in rows)


def test_a_table_without_rows_is_like_those_of_other_blocks() -> None:
    tables = []
    for codes in ([], [1, 1]):
        counts = RowCounts()
        counts.add(
            Packed(np.array(codes, dtype=np.int64), ({"label": label_column(LABELS)},)), np.zeros(len(codes), np.uint8)
        )
        tables.append(counts.table(TableSpec({"label": pl.String}, {"n": "sum"})))
    assert pl.concat(tables).rows() == [("a", 0, 2)]
