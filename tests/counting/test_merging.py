"""Large tables of text against a plain grouping: they are coded on the way, and nobody may notice."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from journeymine.counting.counts import TableSpec


def test_text_is_merged_as_plain_loops_add_it() -> None:
    rng = np.random.default_rng(4)
    labels = np.array(["b", "a", "ä", "z\x00", "", None], dtype=object)
    frames = [
        pl.DataFrame({
            "place": pl.Series(labels[rng.integers(0, 6, 5000)].tolist(), dtype=pl.String),
            "bucket": rng.integers(-2, 40, 5000),
            "fold": rng.integers(0, 64, 5000).astype(np.uint8),
            "n": rng.integers(0, 9, 5000),
            "least": rng.integers(-9, 9, 5000),
        })
        for _ in range(2)
    ]  # fmt: skip
    spec = TableSpec({"place": pl.String, "bucket": pl.Int64}, {"n": "sum", "least": "min"})
    total: Counter[tuple[object, ...]] = Counter()
    least: defaultdict[tuple[object, ...], int] = defaultdict(lambda: 9)
    for *key, n, value in (row for frame in frames for row in frame.rows()):
        total[tuple(key)] += n
        least[tuple(key)] = min(least[tuple(key)], value)
    merged = spec.merge(frames)
    assert dict(merged.schema) == spec.schema
    assert {row[:3]: row[3:] for row in merged.rows()} == {key: (total[key], least[key]) for key in total}
    assert merged.equals(merged.sort("place", "bucket", "fold"))
    assert spec.merge([merged]).equals(merged)


KEYS = st.tuples(
    st.none() | st.integers(-3, 3),
    st.none() | st.dates(date(1969, 12, 30), date(1970, 1, 3)),
    st.integers(0, 5),
    st.integers(-(2**40), 2**40),
)


@given(parts=st.lists(st.lists(KEYS, max_size=12), min_size=1, max_size=3))
def test_numbers_and_dates_are_merged_as_polars_groups_them(parts: list[list[Any]]) -> None:
    spec = TableSpec({"number": pl.Int64, "day": pl.Date}, {"n": "sum"})
    frames = [pl.DataFrame(part, schema=spec.schema, orient="row") for part in parts]
    keys = ["number", "day", "fold"]
    expected = pl.concat(frames).group_by(keys).agg(pl.col("n").sum()).sort(keys)
    assert spec.merge(frames).equals(expected)
