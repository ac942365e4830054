"""What is said of the time on each edge of a transition graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.counts import limbs
from journeymine.counting.long_tables import each_of
from journeymine.counting.tally import Tally, in_blocks, row_groups
from journeymine.stats.histogram import group_quantiles
from journeymine.stats.wide import to_float

__all__ = ["edge_times"]

_QUANTILES = {"p50_s": 0.5, "p90_s": 0.9, "p95_s": 0.95}


def edge_times(edges: Tally, times: Tally, histogram: Tally) -> dict[str, pl.Series]:
    """Mean, extremes and quantiles of the time on each edge, in seconds; null on start and end edges, which take none."""
    # The others come in the order of their times, and of their histograms.
    timed = np.flatnonzero((edges.rows["from"].is_not_null() & edges.rows["to"].is_not_null()).to_numpy())
    n, hi, lo, least, greatest = (times.frame[name].to_numpy() for name in ("n", *limbs("_time"), "least", "greatest"))
    of_edge, bucket, in_bucket = (
        row_groups(histogram.rows, times.rows.columns), *(histogram.frame[name].to_numpy() for name in ("_bucket", "n"))
    )  # fmt: skip
    found = {name: np.full(len(edges), np.nan) for name in ("mean_s", "min_s", "max_s", *_QUANTILES)}

    def fill(rows: slice) -> None:
        there = timed[rows]
        # NumPy rounds a quotient to the nearest; Polars multiplies by the reciprocal.
        found["mean_s"][there] = to_float(hi[rows], lo[rows]) / MICRO / n[rows].astype(np.float64)
        found["min_s"][there] = least[rows].astype(np.int64) / MICRO
        found["max_s"][there] = greatest[rows].astype(np.int64) / MICRO
        filled = slice(*np.searchsorted(of_edge, (rows.start, rows.stop)).tolist())
        quantiles = group_quantiles(
            of_edge[filled] - rows.start, bucket[filled], in_bucket[filled], list(_QUANTILES.values()),
            n_groups=rows.stop - rows.start,
        )  # fmt: skip
        for name, each in zip(_QUANTILES, quantiles.T, strict=True):
            # The middle of a bucket may lie beyond all that is in it.
            found[name][there] = np.clip(each, least[rows], greatest[rows]) * (1 / MICRO)

    in_blocks(fill, len(times))
    names = list(found)

    def column(name: str) -> pl.Series:
        values: npt.NDArray[np.float64] = found.pop(name)
        return pl.Series(values).fill_nan(None)

    return dict(zip(names, each_of(column, names, len(edges)), strict=True))
