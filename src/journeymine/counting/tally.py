"""A merged table of counts laid out for finishing: rows by label, folds as a leading axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.runs import changes, sort_cells
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS, replicates
from journeymine.stats.shares import MIN_FOLDS
from journeymine.stats.wide import to_float

__all__ = ["Tally", "histogram_of", "over_folds", "row_groups", "spread"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Tally:
    """One table of merged counts.

    Attributes
    ----------
    rows : distinct keys without the fold, sorted (paths that are lists of labels: as counted).
    frame : the merged table with `_row`, the position of its key in `rows`.
    present : which of the 64 folds hold anybody, over the whole measure.
    """

    spec: TableSpec
    rows: pl.DataFrame
    frame: pl.DataFrame
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, spec: TableSpec, frame: pl.DataFrame, present: npt.NDArray[np.bool_]) -> Tally:
        """Lay out `frame`, which is merged and sorted."""
        names = list(spec.keys)
        if not names:
            rows = pl.DataFrame({"_": [0]}).drop("_")
            return cls(spec, rows, frame.with_columns(_row=pl.lit(0, dtype=pl.UInt32)), present)
        if not spec.folded:  # each key stands once
            rows = frame.select(names)
            return cls(spec, rows, frame.with_columns(_row=pl.int_range(pl.len(), dtype=pl.UInt32)), present)
        # Sorted by key: a new row begins where any key changes, null being a key like another.
        changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)
        first = pl.int_range(pl.len()) == 0
        numbered = frame.with_columns(_row=(changed | first).cast(pl.UInt32).cum_sum() - 1)
        rows = numbered.filter(changed | first).select(names)
        return cls(spec, rows, numbered, present)

    def __len__(self) -> int:
        return self.rows.height if self.spec.keys else 1

    def __getitem__(self, column: str) -> Floats:
        """Totals over all folds, shape [rows]; sums only."""
        if not self.spec.folded:  # one row of the frame for each
            return self._floats(column) if self.frame.height else np.zeros(len(self))
        return np.asarray(self.by_fold(column).sum(axis=0))

    def total(self, column: str) -> npt.NDArray[np.int64]:
        """Exact totals over all folds, shape [rows]; of a narrow sum."""
        if not self.spec.folded and self.spec.keys:
            return self.frame[column].to_numpy()
        out = np.zeros(len(self), dtype=np.int64)
        np.add.at(out, self.frame["_row"].to_numpy(), self.frame[column].to_numpy())
        return out

    def by_fold(self, column: str, rows: slice = _ALL) -> Floats:
        """Counts by fold of a range of rows, shape [64, rows]; all in fold 0 where the table keeps no folds."""
        there, of_row, n_rows = self._cells(rows)
        out = np.zeros((FOLDS, n_rows))
        fold = self.frame["fold"].to_numpy()[there] if self.spec.folded else 0
        out[fold, of_row] = self._floats(column, there)
        return out

    def closely(self, column: str, rows: slice = _ALL) -> Floats:
        """The same without naming the folds, where no row fills many: shape [most folds that a row fills, rows].

        For what does not ask which fold is which, and gives no interval to a row of few folds anyway. Tables of a million
        rows are mostly such rows.
        """
        there, of_row, n_rows = self._cells(rows)
        filled = np.bincount(of_row, minlength=n_rows)
        if filled.max(initial=0) >= MIN_FOLDS:
            return self.by_fold(column, rows)
        out = np.zeros((max(int(filled.max(initial=0)), 1), n_rows))
        out[np.arange(len(of_row)) - np.repeat(np.cumsum(filled) - filled, filled), of_row] = self._floats(
            column, there
        )
        return out

    def fullest_last(self) -> tuple[Tally, Ints]:
        """The same with the rows that fill the fewest folds in front, and without their keys; and where each of them was.

        `closely` lays a range of rows out by as many folds as its fullest row fills.
        """
        row = self.frame["_row"].to_numpy().astype(np.int64)
        order = np.argsort(np.bincount(row, minlength=len(self)), kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        ordered, cells = sort_cells(take(place, row), len(order))
        columns = self.frame.drop(self.rows.columns, "_row")[pl.Series(cells)]
        return Tally(self.spec, self.rows, columns.with_columns(_row=pl.Series(ordered)), self.present), order

    def _cells(self, rows: slice) -> tuple[slice, Ints, int]:
        """Where a range of rows stands in the frame, the row of each of its cells from 0, and the number of rows."""
        first, stop, _ = rows.indices(len(self))
        of_row = self.frame["_row"].to_numpy()  # ascending
        there = slice(*np.searchsorted(of_row, np.array([first, stop], dtype=of_row.dtype)).tolist())
        return there, of_row[there].astype(np.int64) - first, max(stop - first, 0)

    def spread(self, column: str, rows: slice = _ALL) -> Floats:
        """Total, then the replicates: shape [1 + K, rows], K the folds that hold anybody."""
        return spread(self.by_fold(column, rows), self.present)

    def _floats(self, column: str, there: slice = _ALL) -> Floats:
        if self.spec.values[column] == "wide":
            hi, lo = limbs(column)
            return to_float(self.frame[hi].to_numpy()[there], self.frame[lo].to_numpy()[there])
        return self.frame[column].to_numpy()[there].astype(np.float64)


def spread(by_fold: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Total and replicates of counts by fold: shape [64, …] becomes [1 + K, …]."""
    return np.concatenate((by_fold.sum(axis=0, keepdims=True), replicates(by_fold, present)))


def row_groups(rows: pl.DataFrame, names: Sequence[str]) -> Ints:
    """The group of each row, from 0, where rows of a group, which have the same labels in `names`, stand together."""
    begins = np.zeros(len(rows), dtype=bool)
    for name in names:
        labels = rows[name]
        begins[1:] |= labels[1:].ne_missing(labels[:-1]).to_numpy()
    return np.cumsum(begins)


def histogram_of(histogram: Tally, rows: pl.DataFrame) -> pl.DataFrame:
    """A table keyed by labels and `bucket` as rows (group, bucket, fold, n); group is the labels' position in `rows`."""
    value = next(iter(histogram.spec.values))
    kept = [*rows.columns, "bucket", *(["fold"] if histogram.spec.folded else []), pl.col(value).alias("n")]
    frame = histogram.frame.select(kept)
    if not rows.columns:
        return frame.with_columns(group=pl.lit(0, dtype=pl.Int64))
    numbered = rows.with_row_index("group").with_columns(pl.col("group").cast(pl.Int64))
    return frame.join(numbered, on=rows.columns, how="inner", nulls_equal=True)


def over_folds(histogram: pl.DataFrame) -> tuple[Ints, Ints, Ints]:
    """Group, bucket and n of a frame of `histogram_of`, added up over the folds and sorted."""
    group, bucket, n = (histogram[name].to_numpy().astype(np.int64) for name in ("group", "bucket", "n"))
    if not len(n):
        return group, bucket, n
    low, width = int(bucket.min()), int(np.ptp(bucket)) + 1
    cell, rows = sort_cells(group * width + (bucket - low), (int(group.max()) + 1) * width)
    starts = np.flatnonzero(changes(cell))
    cell = cell.take(starts)
    return cell // width, cell % width + low, np.add.reduceat(n.take(rows), starts)
