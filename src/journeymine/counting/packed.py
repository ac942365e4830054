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
from journeymine.counting.occurrences import Occurrences, sum_where
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key, gathered
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["ROOM", "CellCounts", "Columns", "Packed", "RowCounts", "counted", "label_column", "packed_groups"]

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, pl.Series]
ROOM = 1 << 52
"""Most cells there may be: below it, ten more bits (a fold and a fate) still fit beside a cell."""
_DENSE, _FEW = 1 << 22, 4096
"""Up to so many possible cells, and four per row, are counted in an array of their own; of more, rows are sorted."""


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
    size : how many cells there may be; found from the factors where it is not given.
    """

    cell: npt.NDArray[np.integer]
    factors: tuple[Columns, ...] = ()
    size: int = 0

    def __post_init__(self) -> None:
        if not self.size:
            object.__setattr__(self, "size", math.prod(_width(each) for each in self.factors))

    @classmethod
    def none(cls, n: int) -> Packed:
        """`n` rows that nothing tells apart."""
        return cls(np.zeros(n, dtype=np.int64))

    @classmethod
    def of_keys(cls, keys: Mapping[str, Key], n: int) -> Packed:
        """`n` rows told apart by the keys."""
        at = cls.none(n)
        for name, key in keys.items():
            at = at.beside_key(name, key)
        return at

    def part(self, rows: slice) -> Packed:
        """A range of the rows."""
        return Packed(self.cell[rows], self.factors, self.size)

    def take(self, rows: Ints) -> Packed:
        """Some rows, in that order."""
        return Packed(take(self.cell, rows), self.factors, self.size)

    def joined(self, other: Packed) -> Packed:
        """The same rows told apart by what both tell apart."""
        if self.size * other.size > ROOM and len(self.factors) + len(other.factors) > 2:
            return self.compressed().joined(other.compressed())  # of enormous alphabets only what occurs
        kind = np.uint32 if self.size * other.size < 1 << 32 else np.int64
        cell: npt.NDArray[Any] = self.cell.astype(kind)
        cell *= kind(other.size)
        cell += other.cell.astype(kind, copy=False)
        return Packed(cell, (*self.factors, *other.factors), self.size * other.size)

    def beside(self, codes: npt.NDArray[np.integer], columns: Columns) -> Packed:
        """The same rows told apart by one more code, which stands for a row of `columns`."""
        return self.joined(Packed(codes, (columns,)))

    def beside_key(self, name: str, key: Key) -> Packed:
        """The same rows told apart by one more key."""
        text = key.values.dtype == pl.String
        return self.beside(key.codes, {name: label_column(key.values.to_list()) if text else key.values})

    def without_rows(self) -> Packed:
        """The same factors."""
        return Packed(np.zeros(0, dtype=np.uint32), self.factors, self.size)

    def with_room(self, n: int) -> Packed:
        """The same, with so few cells that `n` codes fit beside: of enormous alphabets only what occurs."""
        return self.compressed() if self.size * n > ROOM else self

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
            columns |= {name: gathered(values, codes) for name, values in factor.items()}
            cells = rest
        return columns


def packed_groups(keys: Mapping[str, Key], n: int) -> Packed:
    """The groups that `n` journeys are in by their keys, of which only those that occur have a number."""
    groups = Packed.of_keys(keys, n)
    return groups.compressed() if keys else groups


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


class CellCounts:
    """How many rows there are of each cell and of each of a few codes, from blocks that come one by one.

    All blocks have cells of the same factors.
    """

    def __init__(self, n_codes: int) -> None:
        """`n_codes` : codes are below it."""
        self._n_codes = n_codes
        self._at: Packed | None = None
        self._numbers = Occurrences(n_codes)

    def add(self, at: Packed, code: npt.NDArray[np.unsignedinteger], rows: Ints | None = None) -> None:
        """Add those of `rows`, or all."""
        if self._at is None:
            self._at, self._numbers = at.without_rows(), Occurrences(at.size * self._n_codes)
        number: npt.NDArray[Any] = at.cell.astype(self._numbers.kind)
        number *= self._n_codes
        number += code
        self._numbers.add(number if rows is None else take(number, rows))

    def absorb(self, other: CellCounts) -> None:
        """Add what another one counted; the other is used up."""
        if self._at is None:
            self._at, self._numbers = other._at, other._numbers
        elif other._at is not None:
            self._numbers.absorb(other._numbers)

    def counted(self) -> tuple[Ints, Ints, Ints]:
        """Each cell and code that occurs, in ascending order, and how often."""
        numbers, n = self._numbers.counted()
        cell = numbers // self._n_codes
        return cell, numbers - cell * self._n_codes, n

    def apart(self, cells: Ints) -> dict[str, pl.Series]:
        """The columns of some cells."""
        return {} if self._at is None else self._at.apart(cells)

    def table(self, spec: TableSpec, kinds: Mapping[str, npt.NDArray[np.bool_]]) -> pl.DataFrame:
        """One row per cell and fold, where codes are ``fold * n_kinds + kind``: a column counts the rows of the kinds it flags."""
        n_kinds = len(next(iter(kinds.values())))
        if self._at is None:
            return spec.empty()
        place, kind, n, starts = self._numbers.by_cell(n_kinds)
        n_folds = self._n_codes // n_kinds
        cell = place // n_folds
        columns = {
            **self.apart(cell),
            "fold": pl.Series(place - cell * n_folds, dtype=pl.UInt8),
            **{name: sum_where(flags[kind], n, starts) for name, flags in kinds.items()},
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})


class RowCounts:
    """How many rows there are of each cell and fold, and how many of them are flagged, from blocks that come one by one."""

    def __init__(self, *, folded: bool = True, flagged: bool = False) -> None:
        self._folds, self._flags = FOLDS if folded else 1, 2 if flagged else 1
        self._counts = CellCounts(self._folds * self._flags)

    def add(
        self,
        at: Packed,
        fold: npt.NDArray[np.uint8] | None = None,
        *,
        rows: Ints | None = None,
        flags: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add those of `rows`, or all."""
        code = np.zeros(len(at.cell), dtype=np.uint8) if fold is None else fold * np.uint8(self._flags)
        self._counts.add(at, code if flags is None else code | flags, rows)

    def absorb(self, other: RowCounts) -> None:
        """Add what another one counted; the other is used up."""
        self._counts.absorb(other._counts)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """A table of all rows, and of the flagged ones: its value columns, in that order."""
        kinds = (np.ones(self._flags, dtype=bool), np.arange(self._flags) == 1)
        return self._counts.table(spec, dict(zip(spec.values, kinds, strict=False)))


def _width(columns: Columns) -> int:
    return max(len(next(iter(columns.values()), ())), 1)
