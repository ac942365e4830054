"""The published hash: a reference of a dozen lines, fixed values, odd ids, and evenness."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError
from journeymine.stats import fold_of, hashing, stable_hash
from journeymine.stats.hashing import _fnv1a

MASK = (1 << 64) - 1


def fnv1a(data: bytes) -> int:
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & MASK
    return state


def fmix64(k: int) -> int:
    k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & MASK
    k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return k ^ k >> 33


# Fixed for good: a change here would move users between folds of counts that are already stored.
FIXED = {
    "": (0xEFD01F60BA992926, 59),
    "a": (0x82A2A958A9BECE5B, 32),
    "user-1": (0x41A2FCA5C68401C5, 16),
    "foobar": (0x2C22194922D1672B, 11),
    "Ünïcødé-€-😀": (0xA0CD46D67040679F, 40),
}


def test_reference_reproduces_published_vectors():
    # FNV-1a 64: RFC 9923, test vectors; fmix64(1): MurmurHash3.
    assert fnv1a(b"") == 0xCBF29CE484222325
    assert fnv1a(b"a") == 0xAF63DC4C8601EC8C
    assert fnv1a(b"foobar") == 0x85944171F73967E8
    assert fmix64(0) == 0
    assert fmix64(1) == 0xB456BCFC34C2CB2C


def test_fixed_values():
    ids = pl.Series(list(FIXED))
    assert list(zip(stable_hash(ids).tolist(), fold_of(ids).tolist(), strict=True)) == list(FIXED.values())


def test_plain_fnv_before_the_finaliser():
    assert _fnv1a(pl.Series(["foobar"])).tolist() == [0x85944171F73967E8]


@given(st.lists(st.text(max_size=40), max_size=120))
def test_equals_the_reference(ids):
    expected = [fmix64(fnv1a(i.encode())) for i in ids]
    series = pl.Series(ids, dtype=pl.String)
    assert stable_hash(series).tolist() == expected
    assert fold_of(series).tolist() == [h >> 58 for h in expected]


def test_long_ids_among_short_ones_and_block_borders(monkeypatch):
    monkeypatch.setattr(hashing, "_BLOCK", 64)
    ids = [f"u{i}" * (i % 5) for i in range(300)] + ["é" * 5000, "x" * 100_000, "\0\0", ""]
    assert stable_hash(pl.Series(ids)).tolist() == [fmix64(fnv1a(i.encode())) for i in ids]


def test_sliced_chunked_and_categorical_ids():
    ids = pl.Series(["a", "b", "c", "d"])
    expected = stable_hash(ids)
    assert stable_hash(ids[1:3]).tolist() == expected[1:3].tolist()
    assert stable_hash(ids[:2].append(ids[2:])).tolist() == expected.tolist()
    assert stable_hash(ids.cast(pl.Categorical)).tolist() == expected.tolist()
    assert stable_hash(ids.cast(pl.Enum(["d", "c", "b", "a"]))).tolist() == expected.tolist()
    assert stable_hash(pl.Series([], dtype=pl.String)).tolist() == []


def test_folds_of_ids_in_sequence_are_even_and_hashes_distinct():
    ids = pl.select(pl.int_range(200_000).cast(pl.String)).to_series()
    counts = np.bincount(fold_of(ids), minlength=64)
    chi_square = float(((counts - 3125) ** 2 / 3125).sum())
    assert 30 < chi_square < 115  # 63 degrees of freedom: 63 ± 4.6 standard deviations
    assert len(np.unique(stable_hash(ids))) == 200_000


def test_nulls_and_numbers_are_refused():
    with pytest.raises(QuestionError, match="1 of 3 ids are null"):
        stable_hash(pl.Series(["a", None, "b"]))
    with pytest.raises(QuestionError, match="Int64"):
        stable_hash(pl.Series([1, 2]))
