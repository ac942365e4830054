"""Tables laid out by row and fold."""

from __future__ import annotations

import numpy as np
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.tally import Tally


def test_null_is_a_key_of_its_own_whatever_stands_beside_it() -> None:
    spec = TableSpec({"label": pl.String, "nth": pl.Int64}, {"n": "sum"})
    frame = pl.DataFrame(
        {
            "label": [None, None, None, "a", "a"],
            "nth": [None, -1, -1, None, 0],
            "fold": [0, 0, 5, 1, 1],
            "n": [1, 2, 4, 8, 16],
        },
        schema=spec.schema,
    )
    tally = Tally.of(spec, frame, np.ones(64, dtype=bool))
    assert tally.rows.rows() == [(None, None), (None, -1), ("a", None), ("a", 0)]
    assert tally.total("n").tolist() == [1, 6, 8, 16]
    assert tally.by_fold("n")[5].tolist() == [0, 4, 0, 0]
