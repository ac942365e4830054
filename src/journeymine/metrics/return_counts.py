"""Who comes again and after how long, counted from blocks of whole users: what `repeat_rate` and `win_back` are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import CellCounts, Packed
from journeymine.counting.tabulate import distinct_users
from journeymine.metrics.survival import CENSORED, MAX_BINS, exits
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import BUCKETS, bucket_place

__all__ = ["PLACES", "ReturnCounts", "blocks_of_users"]

Ints = npt.NDArray[np.int64]
_BLOCK = 1 << 16
"""Rows at a time: what is made of them stays in a processor's cache."""
_NEW, _BACK, _NEW_BACK, _KINDS = 1, 2, 4, 8
"""Flags of a row: the first of its user in its cell, followed by another, the first of these of its user."""
PLACES = 2 * FOLDS * (MAX_BINS + 1)
"""Places that each cell may need."""
_BUCKETS = {"_bucket": pl.Series(BUCKETS)}


def blocks_of_users(begins: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """Ranges of rows, cut where `begins` tells that another user begins."""
    low, n = 0, len(begins)
    while low < n:
        rest = begins[low + _BLOCK :]
        high = low + _BLOCK + int(np.argmax(rest)) if rest.any() else n
        yield slice(low, high)
        low = high


class ReturnCounts:
    """Counts by cell so far: how many there were and came again, who leaves in each bin, and a histogram of the time it took."""

    def __init__(self, bin_us: int, longest: int) -> None:
        """`longest` : the most µs that anybody is watched."""
        self._bin_us, last = bin_us, min(max(longest, 0) // bin_us, MAX_BINS)
        self._bins = {"_bin": pl.Series(np.arange(last + 1))}
        self._groups, self._exits = CellCounts(_KINDS * FOLDS), CellCounts(2 * FOLDS)
        self._times = CellCounts(FOLDS)

    def add(self, at: Packed, user: Ints, fold: npt.NDArray[np.uint8], took: Ints, follow: Ints) -> None:
        """Add a block of rows, those of one cell and user side by side.

        Parameters
        ----------
        took, follow : as of `exits`: µs until it came again, negative where it did not so far, and µs watched.
        """
        back, everybody = took >= 0, np.ones(len(took), dtype=bool)
        kind = back * np.uint8(_BACK)
        kind += distinct_users(at.cell, user, everybody, at.size) * np.uint8(_NEW)
        kind += distinct_users(at.cell, user, back, at.size) * np.uint8(_NEW_BACK)
        self._groups.add(at, fold.astype(np.uint16) * np.uint16(_KINDS) + kind)
        bins, happened = exits(took, follow, self._bin_us)
        watched = None if bins.min(initial=0) >= 0 else np.flatnonzero(bins >= 0)
        self._exits.add(at.beside(np.maximum(bins, 0), self._bins), fold * np.uint8(2) + happened, rows=watched)
        rows = np.flatnonzero(back)
        self._times.add(at.take(rows).beside(bucket_place(take(took, rows)), _BUCKETS), take(fold, rows))

    def groups(self, spec: TableSpec, cause: str) -> pl.DataFrame:
        """How many, of how many users, and those that came again."""
        flagged = {"n": 0, "n_users": _NEW, cause: _BACK, "users_back": _NEW_BACK}
        return self._groups.table(spec, {name: np.arange(_KINDS) & flag == flag for name, flag in flagged.items()})

    def exits(self, spec: TableSpec, cause: str) -> pl.DataFrame:
        """Who leaves in each bin, as `count_exits` has it."""
        return self._exits.table(spec, {cause: np.array([False, True]), CENSORED: np.array([True, False])})

    def times(self, spec: TableSpec) -> pl.DataFrame:
        """Histogram of the time it took."""
        return self._times.table(spec, {"n": np.array([True])})

    def tables(self, specs: Mapping[str, TableSpec], cause: str) -> list[pl.DataFrame]:
        """All three, in the order of `specs`."""
        groups, left, times = list(specs.values())[:3]
        return [self.groups(groups, cause), self.exits(left, cause), self.times(times)]
