"""Histograms of counted tables, as their quantiles are read: each group's buckets together, and the folds of a bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.runs import changes
from journeymine.counting.tally import Tally, row_groups
from journeymine.stats.histogram import group_quantiles
from journeymine.stats.quantiles import group_woodruff
from journeymine.stats.shares import Interval

__all__ = ["Histogram", "histogram_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Histogram:
    """One histogram per group, sorted by group, then bucket.

    Attributes
    ----------
    group : row of the answer that each count belongs to.
    bucket : see `journeymine.stats.histogram`.
    fold : of the users counted; None where no folds were kept.
    n : how many values.
    """

    group: Ints
    bucket: Ints
    fold: Ints | None
    n: Ints

    def quantiles(self, q: list[float], n_groups: int) -> npt.NDArray[np.float64]:
        """Shape [n_groups, quantiles]; NaN for groups without values."""
        first = np.flatnonzero(changes(self.group) | changes(self.bucket))
        n = np.add.reduceat(self.n, first) if len(first) else self.n
        return group_quantiles(self.group[first], self.bucket[first], n, q, n_groups=n_groups)

    def intervals(self, q: list[float], n_groups: int, confidence: float) -> list[Interval]:
        """The same with their limits, by Woodruff; one for each quantile."""
        assert self.fold is not None
        return group_woodruff(self.group, self.bucket, self.fold, self.n, q, n_groups=n_groups, confidence=confidence)

    def emptied(self) -> Histogram:
        """The same without any values."""
        none = slice(0)
        return Histogram(
            self.group[none], self.bucket[none], None if self.fold is None else self.fold[none], self.n[none]
        )


def histogram_of(histogram: Tally, rows: pl.DataFrame) -> Histogram:
    """A table keyed by labels and `bucket`; groups are the labels' positions in `rows`."""
    value, labels, frame = next(iter(histogram.spec.values)), rows.columns, histogram.frame
    assert [*labels, "_bucket"] == list(histogram.spec.keys)
    group, fold = row_groups(frame, labels), frame["fold"].to_numpy() if histogram.spec.folded else None
    bucket, n = frame["_bucket"].to_numpy(), frame[value].to_numpy()
    if not labels or not len(group):
        return Histogram(group, bucket, fold, n)
    counted = frame.select(labels)[pl.Series(np.flatnonzero(changes(group)))]
    if counted.equals(rows):
        return Histogram(group, bucket, fold, n)
    numbered = rows.with_row_index("_group")
    at = counted.join(numbered, on=labels, how="left", nulls_equal=True, maintain_order="left")["_group"]
    group = at.cast(pl.Int64).fill_null(-1).to_numpy()[group]
    order = np.argsort(group, kind="stable")[np.count_nonzero(group < 0) :]
    return Histogram(group[order], bucket[order], None if fold is None else fold[order], n[order])
