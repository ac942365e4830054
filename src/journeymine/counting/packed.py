"""Several key columns as one integer per row, taken apart again only for the few cells that a table is made of.

Rows are many and cells few: what is passed over, sorted and counted is one array, and labels are looked up at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["Packed", "counted", "flagged_table", "label_column", "rows_table"]

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, pl.Series]
_ROOM = 1 << 52
"""Most cells there may be: below it, ten more bits (a fold and a fate) still fit beside a cell."""
_DENSE, _FEW = 1 << 22, 4096
"""Up to so many possible cells, and four per row, are counted in an array of their own; of more, rows are sorted."""


_FOLD = {"fold": pl.Series(np.arange(FOLDS), dtype=pl.UInt8)}


def label_column(labels: Sequence[str | None]) -> pl.Series:
    """Labels as a column whose cells stay codes until counts are looked at: such tables merge much faster than text."""
    known = sorted({label for label in labels if label is not None})
    return pl.Series(labels, dtype=pl.Enum(known))


@dataclass(frozen=True, slots=True)
class Packed:
    """One integer per row for a combination of labels.

    Attributes
    ----------
    cell : of each row, below `size`.
    factors : what a cell is made of, most significant first: columns of one length each, a row for each of their codes.
    """

    cell: npt.NDArray[np.integer]
    factors: tuple[Columns, ...] = ()

    @classmethod
    def none(cls, n: int) -> Packed:
        """`n` rows that nothing tells apart."""
        return cls(np.zeros(n, dtype=np.int64))

    @property
    def size(self) -> int:
        """How many cells there may be."""
        return math.prod(_width(each) for each in self.factors)

    def take(self, rows: Ints) -> Packed:
        """Some rows, in that order."""
        return Packed(take(self.cell, rows), self.factors)

    def joined(self, other: Packed) -> Packed:
        """The same rows told apart by what both tell apart."""
        if self.size * other.size > _ROOM and len(self.factors) + len(other.factors) > 2:
            return self.compressed().joined(other.compressed())  # of enormous alphabets only what occurs
        cell = np.multiply(self.cell, other.size, dtype=np.int64)
        cell += other.cell
        return Packed(cell, (*self.factors, *other.factors))

    def beside(self, codes: npt.NDArray[np.integer], columns: Columns) -> Packed:
        """The same rows told apart by one more code, which stands for a row of `columns`."""
        return self.joined(Packed(codes, (columns,)))

    def beside_key(self, name: str, key: Key) -> Packed:
        """The same rows told apart by one more key."""
        text = key.values.dtype == pl.String
        return self.beside(key.codes, {name: label_column(key.values.to_list()) if text else key.values})

    def compressed(self) -> Packed:
        """The same with one factor only, of the combinations that occur."""
        seen, cell = np.unique(self.cell, return_inverse=True)
        return Packed(cell.astype(np.int64, copy=False), (self.apart(seen),))

    def apart(self, cells: npt.NDArray[np.integer]) -> dict[str, pl.Series]:
        """The columns of some cells."""
        columns: dict[str, pl.Series] = {}
        for factor in reversed(self.factors):
            rest = cells // _width(factor)
            codes = cells - rest * _width(factor)  # several times faster than a remainder
            at = pl.Series(codes).cast(pl.UInt32)
            columns |= {name: values.gather(at) for name, values in factor.items()}
            cells = rest
        return columns


def counted(cell: npt.NDArray[Any], size: int) -> tuple[Ints, Ints]:
    """Cells that occur, ascending, and how many rows there are of each; all lie below `size`.

    >>> counted(np.array([5, 2, 5]), 6)
    (array([2, 5]), array([1, 2]))
    """
    if size <= min(_DENSE, 4 * len(cell) + _FEW):
        n = np.bincount(cell, minlength=size)
        used = np.flatnonzero(n)
        return used, n[used]
    there = np.sort(cell)
    starts = np.flatnonzero(changes(there))
    return there[starts].astype(np.int64, copy=False), np.diff(starts, append=len(there))


def rows_table(spec: TableSpec, at: Packed, fold: npt.NDArray[np.integer] | None = None) -> pl.DataFrame:
    """A table of how many rows there are of each cell, under the one value column of its shape."""
    if fold is not None:
        at = at.beside(fold, _FOLD)
    used, n = counted(at.cell, at.size)
    (value,) = spec.values
    columns = {**at.apart(used), value: pl.Series(n)}
    return pl.DataFrame({name: columns[name] for name in spec.schema})


def flagged_table(
    spec: TableSpec, at: Packed, fold: npt.NDArray[np.integer], flags: npt.NDArray[np.bool_]
) -> pl.DataFrame:
    """A table of how many rows there are of each cell and fold, and how many of them are flagged: its two value columns."""
    keys = at.beside(fold, _FOLD)
    used, n = counted(keys.cell * 2 + flags, keys.size * 2)
    new = changes(used >> 1)
    of = np.cumsum(new) - 1
    total, flagged = (np.bincount(of, weights=each, minlength=int(new.sum())) for each in (n, n * (used & 1)))
    every, some = spec.values
    columns = {**keys.apart((used >> 1)[new]), every: total.astype(np.int64), some: flagged.astype(np.int64)}
    return pl.DataFrame({name: columns[name] for name in spec.schema})


def _width(columns: Columns) -> int:
    return max(len(next(iter(columns.values()), ())), 1)
