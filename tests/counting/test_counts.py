"""Tables of counts: merged exactly, in any order, beyond 64 bits."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.counting import Basis, Counts, TableSpec, Tally
from journeymine.counting.tabulate import distinct_users, integer_key, key_of, pack, tabulate
from journeymine.errors import MergeError
from journeymine.journeys import JourneyRules
from journeymine.journeys.context import LogContext
from journeymine.stats.wide import to_python_ints

SPEC = TableSpec(
    {"label": pl.String, "number": pl.Int64},
    {"n": "sum", "least": "min", "most": "max", "total": "wide"},
)
LABELS = ["a", None, "b", "🦊", ""]
big = st.integers(-(2**62), 2**62)
table_rows = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2), st.sampled_from([0, 1, 63]), big), max_size=30)


def table(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    label, number, fold, value = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(4))
    return tabulate(
        SPEC,
        {"label": key_of(label, LABELS), "number": integer_key(number)},
        {"least": value, "most": value, "total": value},
        fold,
    )


def by_hand(rows: list[tuple[int, int, int, int]]) -> dict[tuple[Any, ...], tuple[int, int, int, int]]:
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for label, number, fold, value in rows:
        groups[LABELS[label], number, fold].append(value)
    return {key: (len(v), min(v), max(v), sum(v)) for key, v in groups.items()}


@given(parts=st.lists(table_rows, min_size=1, max_size=4))
def test_tables_merge_to_what_plain_integers_say(parts: list[list[tuple[int, int, int, int]]]) -> None:
    merged = SPEC.merge([table(rows) for rows in parts])
    found = {
        row[:3]: (*row[3:6], total)
        for row, total in zip(merged.rows(), to_python_ints(merged["total_hi"], merged["total_lo"]), strict=True)
    }
    assert found == by_hand([row for rows in parts for row in rows])
    assert merged.equals(merged.sort("label", "number", "fold"))
    assert merged["total_lo"].is_between(0, 2**32 - 1).all()
    assert SPEC.merge([merged]).equals(merged)
    assert SPEC.merge([*(table(rows) for rows in reversed(parts)), SPEC.empty()]).equals(merged)


@given(rows=table_rows)
def test_a_tally_lays_counts_out_by_row_and_fold(rows: list[tuple[int, int, int, int]]) -> None:
    merged = SPEC.merge([table(rows)])
    present = np.zeros(64, dtype=bool)
    present[[row[2] for row in rows]] = True
    tally = Tally.of(SPEC, merged, present)
    expected = by_hand(rows)
    assert tally.rows.rows() == merged.select("label", "number").unique(maintain_order=True).rows()
    totals = tally.total("n")
    for i, key in enumerate(tally.rows.rows()):
        for fold in (0, 1, 63):
            n, _, _, total = expected.get((*key, fold), (0, 0, 0, 0))
            assert tally.by_fold("n")[fold, i] == n
            assert tally.by_fold("total")[fold, i] == pytest.approx(total, rel=1e-14)
        assert totals[i] == sum(expected.get((*key, fold), (0,))[0] for fold in (0, 1, 63))
    assert tally.spread("n").shape == (1 + present.sum(), len(tally))


def test_a_large_key_space_is_counted_like_a_small_one() -> None:
    draw = np.random.default_rng(1)
    n, width = 5_000, 4_000
    a, b = draw.integers(0, width, n), draw.integers(0, width, n)
    spec = TableSpec({"a": pl.Int64, "b": pl.Int64}, {"n": "sum"}, folded=False)
    frame = tabulate(spec, {"a": integer_key(a), "b": integer_key(b)}, {})
    expected = pl.DataFrame({"a": a, "b": b}).group_by("a", "b").agg(n=pl.len().cast(pl.Int64)).sort("a", "b")
    assert spec.merge([frame]).equals(expected)


def test_keys_that_do_not_fit_62_bits_are_packed_by_what_occurs() -> None:
    width = 1 << 20
    codes = np.array([0, width - 1, 7, 0])
    key = key_of(codes, [str(i) for i in range(width)])
    packed, size = pack([key, key, key, key], 4)
    assert packed[0] == packed[3]
    assert len(set(packed.tolist())) == 3
    assert packed.max() < size < 2**63


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=40))
def test_distinct_users_are_flagged_once_per_key(rows: list[tuple[int, int, bool]]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    key, user, which = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(3))
    flags = distinct_users(key, user, which.astype(bool), 4)
    assert not (flags & ~which.astype(bool)).any()
    for each in range(4):
        assert flags[key == each].sum() == len({row[1] for row in rows if row[0] == each and row[2]})


@pytest.mark.parametrize(
    ("key", "user"),
    [([0, 1, 0], [0, 0, 0]), ([0, 1, 0], [1, 0, 1]), ([0, 1, 1], [0, 0, 0])],
    ids=["back and forth", "users not in order", "side by side"],
)
def test_a_user_who_comes_back_to_a_key_counts_once(key: list[int], user: list[int]) -> None:
    flags = distinct_users(np.array(key), np.array(user), np.ones(3, dtype=bool), 4)
    assert flags.tolist() == [True, True, False]


BASIS = Basis(JourneyRules(goal="order"), LogContext(0, 10), ("see", "buy"))


def test_counts_are_saved_as_parquet_and_json_and_nothing_else(tmp_path: Path) -> None:
    counts = Counts.of("q", BASIS, {"t": SPEC}, {"t": table([(0, 1, 2, 3)])})
    counts.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.json", "t.parquet"]
    assert Counts.load(tmp_path, {"t": SPEC}).equals(counts)
    about = json.loads((tmp_path / "counts.json").read_text())
    (tmp_path / "counts.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(MergeError, match=r"99(?s:.*)Hint"):
        Counts.load(tmp_path, {"t": SPEC})


def test_what_cannot_be_merged_says_why() -> None:
    counts = Counts.of("q", BASIS, {"t": SPEC}, {"t": SPEC.empty()})
    with pytest.raises(MergeError, match="no counts"):
        Counts.merge([])
    other = Basis(JourneyRules(goal="order"), LogContext(0, 11), ("see", "buy"))
    with pytest.raises(MergeError, match="observed_until"):
        Counts.merge([counts, Counts.of("q", other, {"t": SPEC}, {"t": SPEC.empty()})])
    with pytest.raises(MergeError, match="different questions"):
        Counts.merge([counts, Counts.of("r", BASIS, {"t": SPEC}, {"t": SPEC.empty()})])


def test_a_basis_survives_json() -> None:
    assert Basis.from_data(json.loads(json.dumps(BASIS.to_data()))) == BASIS
