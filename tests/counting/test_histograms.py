"""Histograms of counted tables: which row of an answer each belongs to, whatever the order of the answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.counting.counts import TableSpec
from journeymine.counting.histograms import histogram_of
from journeymine.counting.tally import Tally

LABELS = st.one_of(st.none(), st.sampled_from(["a", "b", "ü"]))
ROWS = st.lists(st.tuples(LABELS, st.integers(-2, 2), st.integers(65000, 65003), st.integers(0, 3)), max_size=40)


def tally(counted, *, folded):
    spec = TableSpec({"label": pl.String, "nth": pl.Int64, "_bucket": pl.Int64}, {"n": "sum"}, folded=folded)
    names = ["label", "nth", "_bucket", "fold"]
    frame = pl.DataFrame(counted, schema=[*names], orient="row", schema_overrides={"label": pl.String})
    merged = spec.merge(
        [frame.with_columns(pl.col("fold").cast(pl.UInt8), n=pl.lit(1, dtype=pl.Int64)).select(list(spec.schema))]
    )
    return Tally.of(spec, merged, np.ones(64, dtype=bool))


@given(ROWS, st.booleans(), st.randoms(use_true_random=False))
def test_each_count_stands_in_the_row_of_its_labels(counted, folded, random):
    asked = [*{(label, nth) for label, nth, _, _ in counted}, ("absent", 0)]
    asked = sorted(asked, key=str)[1:]  # one row that is counted is not asked for, one that is asked for not counted
    random.shuffle(asked)
    rows = pl.DataFrame(asked, schema={"label": pl.String, "nth": pl.Int64}, orient="row")
    found = histogram_of(tally(counted, folded=folded), rows)
    expected: dict[tuple[int, ...], int] = {}
    for label, nth, bucket, fold in counted:
        if (label, nth) in asked:
            key = (asked.index((label, nth)), bucket, fold if folded else 0)
            expected[key] = expected.get(key, 0) + 1
    folds = np.zeros(len(found.n), dtype=int) if found.fold is None else found.fold
    got = list(zip(found.group.tolist(), found.bucket.tolist(), folds.tolist(), strict=True))
    assert got == sorted(expected)
    assert found.n.tolist() == [expected[key] for key in got]
    assert (found.fold is None) is not folded


def test_quantiles_of_rows_that_hold_nothing_are_missing():
    counted = [("a", 1, 65472, fold) for fold in range(64)]
    histogram = histogram_of(tally(counted, folded=True), pl.DataFrame({"label": ["b", "a"], "nth": [1, 1]}))
    found = histogram.quantiles([0.5, 0.9], 2)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == pytest.approx([1.0078125, 1.0078125])
    assert np.isnan(histogram.emptied().quantiles([0.5], 2)).all()
    assert [each.lower[1] for each in histogram.intervals([0.5], 2, 0.95)] == [1.0]
