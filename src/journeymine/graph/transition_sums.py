"""Totals of cells of a transition graph: journeys, uses and users of each, and times.

What a row adds to its cell (its fold, whether it is the first of its journey or user there, and what became of the
journey) is one small number, so all of it is counted at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.counts import limbs
from journeymine.counting.journey_numbers import facts_of, fold_of, journey_of, others
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.runs import changes, sort_narrow
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of, bucket_place
from journeymine.stats.wide import normalise, sum_runs

__all__ = ["BUCKETS", "KINDS", "LEAST_BUCKET", "Times", "Touches", "Used"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]

KINDS = 8
"""What a row adds: the journey's fate, `_NEW_USER` more when its user is new to the cell; or `_AGAIN`."""
_MATURE, _WON, _NEW_USER, _AGAIN = 1, 2, 3, 6
BUCKETS = int(bucket_of([np.iinfo(np.int64).max])[0]) - int(bucket_of([1])[0]) + 2
"""Buckets that a time may fall into: 0, and those from 1 µs to the longest."""
LEAST_BUCKET = int(bucket_of([1])[0]) - 1


@dataclass(frozen=True, slots=True)
class Used:
    """Cells that hold anything, and the columns of their totals."""

    cell: Ints
    columns: Mapping[str, Ints]


class Touches:
    """Journeys, uses and users by (cell, fold)."""

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.kinds = Occurrences(n_cells * FOLDS * KINDS)
        self.value = Sums()

    def add_rows(self, cell: Codes, known: Ints, value: Ints | None) -> None:
        """Add rows that come journey after journey."""
        there, rows = sort_narrow(cell, self.n_cells)
        self.add(there, take(known, rows), value)

    def add(self, cell: Codes, known: Ints, value: Ints | None) -> None:
        """Add rows sorted by cell, and inside a cell journey after journey.

        Parameters
        ----------
        known : the number of each row's journey, with its fate (see `journey_numbers`).
        value : of each journey; None where there is none.
        """
        other_cell, (other_journey, other_user) = changes(cell), others(known)
        new = other_cell | other_journey
        kind = facts_of(known)
        kind += (other_cell | other_user) * np.uint8(_NEW_USER)
        kind -= np.uint8(_AGAIN)  # several times faster than a choice
        kind *= new
        kind += np.uint8(_AGAIN)
        number: npt.NDArray[Any] = cell.astype(self.kinds.kind)
        number *= self.kinds.kind(FOLDS)
        number += fold_of(known)
        number *= self.kinds.kind(KINDS)
        number += kind
        self.kinds.add(number)
        if value is not None:
            first = np.flatnonzero(new)
            cell, known = take(cell, first), take(known, first)
            of_row = take(value, journey_of(known))
            worth = np.flatnonzero(of_row)
            there = take(cell, worth).astype(np.int64) * FOLDS + fold_of(take(known, worth))
            self.value.add(there, take(of_row, worth), self.n_cells * FOLDS)

    def absorb(self, other: Touches) -> None:
        """Add what another one of the same cells counted; the other is used up."""
        self.kinds.absorb(other.kinds)
        self.value.absorb(other.value)

    def used(self) -> Used:
        """Each total that is not empty, in order of cell and fold."""
        there, kind, n, starts = self.kinds.by_cell(KINDS)
        new = kind < _AGAIN
        totals = {
            "fold": there % FOLDS,
            "n": sum_where(kind >= 0, n, starts),
            "n_journeys": sum_where(new, n, starts),
            "n_users": sum_where(new & (kind >= _NEW_USER), n, starts),
            "mature": sum_where(new & (kind % _NEW_USER >= _MATURE), n, starts),
            "converted": sum_where(new & (kind % _NEW_USER == _WON), n, starts),
        }
        return Used(there // FOLDS, {**totals, **dict(zip(limbs("value"), self.value.totals(there), strict=True))})


class Times:
    """Sums, least, greatest and histogram of the time on each edge."""

    def __init__(self, n_cells: int) -> None:
        self.n = np.zeros(n_cells, dtype=np.int64)
        self.time = (np.zeros(n_cells, dtype=np.int64), np.zeros(n_cells, dtype=np.int64))
        self.least = np.full(n_cells, np.iinfo(np.int64).max)
        self.greatest = np.full(n_cells, np.iinfo(np.int64).min)
        self.buckets = Occurrences(n_cells * BUCKETS)

    def add(self, cell: Codes, took: Ints) -> None:
        """Add rows sorted by cell."""
        if not len(cell):
            return
        starts = np.flatnonzero(changes(cell))
        there = take(cell, starts)
        self.n[there] += np.diff(starts, append=len(cell))
        for total, part in zip(self.time, sum_runs(took, starts), strict=True):
            total[there] += part
        self.least[there] = np.minimum(self.least[there], np.minimum.reduceat(took, starts))
        self.greatest[there] = np.maximum(self.greatest[there], np.maximum.reduceat(took, starts))
        bucket: npt.NDArray[Any] = cell.astype(self.buckets.kind)
        bucket *= self.buckets.kind(BUCKETS)
        bucket += bucket_place(took).astype(self.buckets.kind, copy=False)
        self.buckets.add(bucket)

    def absorb(self, other: Times) -> None:
        """Add what another one of the same cells counted; the other is used up."""
        self.n += other.n
        for total, part in zip(self.time, other.time, strict=True):
            total += part
        np.minimum(self.least, other.least, out=self.least)
        np.maximum(self.greatest, other.greatest, out=self.greatest)
        self.buckets.absorb(other.buckets)

    def used(self) -> Used:
        """Each edge with any time, in order."""
        at = np.flatnonzero(self.n)
        limits = {"least": self.least[at], "greatest": self.greatest[at]}
        return Used(
            at,
            {
                "n": self.n[at],
                **dict(zip(limbs("_time"), normalise(*(t[at] for t in self.time)), strict=True)),
                **limits,
            },
        )

    def used_buckets(self) -> Used:
        """Each bucket with any time, in order of edge and bucket."""
        at, n = self.buckets.counted()
        bucket = at % BUCKETS
        return Used(at // BUCKETS, {"_bucket": np.where(bucket > 0, bucket + LEAST_BUCKET, 0), "n": n})
