"""A merged table of counts laid out for finishing: rows by label, folds as a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.merging import numbers_of
from journeymine.counting.runs import changes
from journeymine.parallel import on_all_cores
from journeymine.stats.folds import FOLDS, replicates
from journeymine.stats.wide import to_float

__all__ = ["Tally", "in_blocks", "row_groups", "spread"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_ALL = slice(None)
_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Tally:
    """One table of merged counts.

    Attributes
    ----------
    rows : distinct keys without the fold, sorted (paths that are lists of labels: as counted).
    frame : the merged table.
    bounds : where in `frame` each of the rows begins, and the last one ends.
    present : which of the 64 folds hold anybody, over the whole measure.
    """

    spec: TableSpec
    rows: pl.DataFrame
    frame: pl.DataFrame
    bounds: Ints
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, spec: TableSpec, frame: pl.DataFrame, present: npt.NDArray[np.bool_]) -> Tally:
        """Lay out `frame`, which is merged and sorted."""
        names, n = list(spec.keys), frame.height
        if not names:
            return cls(spec, pl.DataFrame({"_": [0]}).drop("_"), frame, np.array([0, n]), present)
        rows = frame.select(names)
        if not spec.folded:  # each key stands once
            return cls(spec, rows, frame, np.arange(n + 1), present)
        starts = np.flatnonzero(_begins(rows, names))
        return cls(spec, rows[pl.Series(starts)], frame, np.append(starts, n), present)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, column: str) -> Floats:
        """Totals over all folds, shape [rows]; sums only."""
        if not self.spec.folded:  # one row of the frame for each
            return self._floats(column) if self.frame.height else np.zeros(len(self))
        return np.asarray(self.by_fold(column).sum(axis=0))

    @property
    def filled(self) -> Ints:
        """How many folds each row fills, shape [rows]."""
        return np.diff(self.bounds)

    def total(self, column: str) -> npt.NDArray[np.int64]:
        """Exact totals over all folds, shape [rows]; of a narrow sum."""
        values = self.frame[column].to_numpy()
        return self.added(lambda cells: values[cells])

    def total_float(self, column: str) -> Floats:
        """The same as float64, of a sum narrow or wide."""
        return self.added(lambda cells: self._floats(column, cells), np.float64)

    def added(self, of_cells: Callable[[slice], npt.NDArray[Any]], kind: type[Any] = np.int64) -> npt.NDArray[Any]:
        """Totals over all folds of what is made of ranges of rows of the frame: numbers, or flags, which are counted."""
        total = np.empty(len(self), dtype=kind)

        def add(rows: slice) -> None:
            first = self.bounds[rows]
            values = of_cells(slice(int(first[0]), int(self.bounds[rows.stop]))).astype(kind, copy=False)
            if len(values) == len(first):
                total[rows] = values
            else:  # nothing to add up only without keys
                total[rows] = np.add.reduceat(values, first - first[0]) if len(values) else 0

        in_blocks(add, len(self))
        return total

    def by_fold(self, column: str, rows: Ints | None = None) -> Floats:
        """Counts by fold of all rows or some, shape [64, rows]; all in fold 0 where the table keeps no folds."""
        cells: Ints | slice = _ALL
        filled = self.filled if rows is None else self.bounds[rows + 1] - self.bounds[rows]
        of_row = np.repeat(np.arange(len(filled)), filled)
        if rows is not None:
            cells = np.arange(len(of_row)) + np.repeat(self.bounds[rows] - (np.cumsum(filled) - filled), filled)
        out = np.zeros((FOLDS, len(filled)))
        fold = self.frame["fold"].to_numpy()[cells] if self.spec.folded else 0
        out[fold, of_row] = self._floats(column, cells)
        return out

    def told(self, column: str) -> bool:
        """Whether any sum is another than 0: sums of labels and folds that add up to 0 are no lack of numbers."""
        stored = limbs(column) if self.spec.values[column] == "wide" else (column,)
        return any(bool(self.frame[name].to_numpy().any()) for name in stored)

    def spread(self, column: str, rows: Ints | None = None) -> Floats:
        """Total, then the replicates: shape [1 + K, rows], K the folds that hold anybody."""
        return spread(self.by_fold(column, rows), self.present)

    def _floats(self, column: str, cells: Ints | slice = _ALL) -> Floats:
        if self.spec.values[column] == "wide":
            hi, lo = limbs(column)
            return to_float(self.frame[hi].to_numpy()[cells], self.frame[lo].to_numpy()[cells])
        return self.frame[column].to_numpy()[cells].astype(np.float64)


def in_blocks(work: Callable[[slice], None], n_rows: int) -> None:
    """Have `work` done on all rows, on all cores, so many at a time that what it makes of them stays in the cache."""
    on_all_cores(work, [slice(start, min(start + _BLOCK, n_rows)) for start in range(0, n_rows, _BLOCK)])


def spread(by_fold: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Total and replicates of counts by fold: shape [64, …] becomes [1 + K, …]."""
    return np.concatenate((by_fold.sum(axis=0, keepdims=True), replicates(by_fold, present)))


def row_groups(rows: pl.DataFrame, names: Sequence[str]) -> Ints:
    """The group of each row, from 0, where rows of a group, which have the same labels in `names`, stand together."""
    return np.cumsum(_begins(rows, names)) - 1 if names else np.zeros(len(rows), dtype=np.int64)


def _begins(rows: pl.DataFrame, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Where any key differs from the row before, null being a key like another; true for the first."""
    found = np.zeros(rows.height, dtype=bool)
    found[:1] = True
    for name in names:
        column = rows[name]
        if isinstance(column.dtype, pl.Enum) or (column.dtype.is_integer() and not column.null_count()):
            found |= changes(numbers_of(column))
        else:
            found[1:] |= column.ne_missing(column.shift(1)).to_numpy()[1:]
    return found
