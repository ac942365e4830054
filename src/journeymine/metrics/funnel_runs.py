"""The sequences of steps that a funnel is matched in: one per journey, user or session, or one per value of `same`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import UNKNOWN
from journeymine.counting.runs import changes
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.predicate import Predicate

__all__ = ["Runs", "runs_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Runs:
    """Steps laid out run after run, in the order in which they are matched.

    Attributes
    ----------
    time : µs, per position.
    fills : per step of the funnel, the positions whose event can fill it.
    voids : per exclusion, the positions whose event is excluded.
    bounds : run r is the positions ``bounds[r]:bounds[r + 1]``.
    unit : the journey, user or session of each run, ascending.
    row : the step of the journeys at each position; None where they are the same.
    tie_end : the last position of the same run and instant; None where ties have an order.
    """

    time: Ints
    fills: tuple[Bools, ...]
    voids: tuple[Bools, ...]
    bounds: Ints
    unit: Ints
    row: Ints | None = None
    tie_end: Ints | None = None

    def __len__(self) -> int:
        return len(self.time)

    def run_at(self, position: Ints) -> Ints:
        """The run that each of some positions lies in, given in ascending order."""
        if len(position) < len(self.bounds):
            return np.searchsorted(self.bounds, position, side="right") - 1
        before = np.searchsorted(position, self.bounds)
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(before))

    def end_at(self, position: Ints) -> Ints:
        """The end (exclusive) of the run that each position lies in."""
        return self.bounds[np.searchsorted(self.bounds, position, side="right")]

    def row_at(self, position: Ints) -> Ints:
        """The step of the journeys at each position."""
        return position if self.row is None else self.row[position]

    def take(self, rows: Ints, bounds: Ints, unit: Ints) -> Runs:
        """The positions `rows`, in their order, as new runs."""
        return Runs(
            self.time[rows],
            tuple(flags[rows] for flags in self.fills),
            tuple(flags[rows] for flags in self.voids),
            bounds,
            unit,
            self.row_at(rows),
        )


def runs_of(
    journeys: Journeys,
    steps: list[Predicate],
    exclusions: list[Predicate],
    *,
    unit: str,
    same: str | None,
    favour: bool,
    consecutive: bool,
) -> Runs:
    """Lay the steps out for matching.

    Parameters
    ----------
    unit : ``"journey"``, ``"user"`` or ``"session"``.
    same : label column that each run has one value of; absent values are in no run.
    favour : whether the events of one instant come in the order of the steps they fill.
    consecutive : whether events that fill nothing matter.
    """
    coded = journeys.coded

    def holds(predicate: Predicate) -> Bools:
        return predicate.holds(coded.labels, coded.numbers, len(coded))

    bounds = _unit_bounds(journeys, unit)
    runs = Runs(
        coded.time,
        tuple(map(holds, steps)),
        tuple(map(holds, exclusions)),
        bounds,
        np.arange(len(bounds) - 1),
    )
    if same is not None:
        runs = _split(runs, journeys.codes(same), consecutive)
    return _favoured(runs) if favour else runs


def _unit_bounds(journeys: Journeys, unit: str) -> Ints:
    if unit == "journey":
        return journeys.offsets
    if unit == "user":
        first = np.flatnonzero(changes(journeys.heads.user))
        return np.append(journeys.offsets[first], len(journeys.coded))
    new = np.zeros(len(journeys.coded), dtype=bool)
    new[1:] = np.diff(journeys.coded.time) > journeys.rules.session_gap_us
    new[journeys.offsets[:-1]] = True
    return np.append(np.flatnonzero(new), len(new))


def _split(runs: Runs, coded: Any, consecutive: bool) -> Runs:
    """One run per unit and value."""
    wanted = np.ones(len(runs), dtype=bool)
    if UNKNOWN in coded.labels:
        wanted &= coded.codes != coded.labels.index(UNKNOWN)
    if not consecutive:
        wanted &= np.logical_or.reduce([*runs.fills, *runs.voids])
    rows = np.flatnonzero(wanted)
    n_values = max(len(coded.labels), 1)
    key = runs.unit[runs.run_at(rows)] * n_values + coded.codes[rows]
    order = np.argsort(key, kind="stable")
    key = key[order]
    new = np.flatnonzero(np.diff(key, prepend=-1))
    return runs.take(rows[order], np.append(new, len(key)), key[new] // n_values)


def _favoured(runs: Runs) -> Runs:
    """Sort the events of one instant by the first step they fill, those that fill none last."""
    n = len(runs)
    new = np.ones(n, dtype=bool)
    new[1:] = runs.time[1:] != runs.time[:-1]
    new[runs.bounds[:-1]] = True
    first = np.flatnonzero(new)
    size = np.diff(np.append(first, n))
    tie_end = np.repeat(first + size - 1, size)
    tied = np.flatnonzero(np.repeat(size > 1, size))
    rank = np.full(len(tied), len(runs.fills))
    for k in reversed(range(len(runs.fills))):
        rank[runs.fills[k][tied]] = k
    rows = np.arange(n)
    rows[tied] = tied[np.lexsort((rank, tie_end[tied]))]
    taken = runs.take(rows, runs.bounds, runs.unit)
    return Runs(taken.time, taken.fills, taken.voids, taken.bounds, taken.unit, taken.row, tie_end)
