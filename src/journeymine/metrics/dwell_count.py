"""Stays of journeys in places, counted block by block; the counting behind `dwell`.

A visit is a run of steps in one place, and all visits of a journey to a place are one stay. What a stay adds to its
place is packed into one number, and all numbers are counted at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import step_labels
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.journey_numbers import FACTS, facts_of, fold_of, journey_numbers, journey_of, user_of
from journeymine.counting.occurrences import Sums, sum_where
from journeymine.counting.packed import ROOM, CellCounts, Packed, label_column
from journeymine.counting.parts import PART
from journeymine.counting.runs import changes, sort_narrow
from journeymine.journeys.heads import SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.endings import still_running
from journeymine.parallel import n_workers, on_all_cores, take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import BUCKETS, bucket_place

__all__ = ["count_stays"]

Ints = npt.NDArray[np.int64]
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_KINDS = 6
_OUTSIDE, _IMMATURE, _TRUNCATED, _RUNNING, _KNOWN, _NEW_USER = range(_KINDS)
"""Stays of service journeys, three whose time is not known, and two whose is; the last is its user's first such stay here."""
_FIRST, _LAST, _MATURE, _BEGUN_EARLIER, _STILL_RUNNING, _SERVICE = (1 << bit for bit in range(6))
"""What is known of a visit and its journey."""


def count_stays(journeys: Journeys, names: Sequence[str], specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
    """The tables ``places`` and ``times`` of whole users' journeys."""
    journeys = journeys.with_grains(names)
    labels = {name: label_column(coded.labels) for name, coded in step_labels(journeys.range(0, 0), names).items()}
    if math.prod(len(known) for known in labels.values()) * len(BUCKETS) <= ROOM:
        parts = journeys.parts(max(PART, len(journeys.coded) // n_workers() + 1))
        whole, *others = on_all_cores(lambda part: _counted(part.parts(_BLOCK), labels), parts)
        for other in others:
            whole.absorb(other)
        return whole.tables(specs)
    # Of enormous alphabets each block tells apart only what occurs in it, and so has tables of its own.
    tables = [_counted([block], labels).tables(specs) for block in journeys.parts(PART)]
    return {name: pl.concat(each[name] for each in tables) for name in specs}


def _counted(blocks: Iterable[Journeys], labels: Mapping[str, pl.Series]) -> _Stays:
    stays = _Stays()
    for block in blocks:
        place = Packed.none(len(block.coded))
        for name, coded in step_labels(block, list(labels)).items():
            place = place.beside(coded.codes, {name: labels[name]})
        stays.add(block, place)
    return stays


@dataclass(frozen=True, slots=True)
class _Visits:
    """Visits of journeys to places, in order of time.

    Attributes
    ----------
    step : the first of each.
    known : what is known of its journey, as a number that no other journey has; and whether it is the first, the last
        of it.
    took : µs until the first step of the next visit; of the last visit of a journey, until the journey's last step.
    """

    step: Ints
    known: Ints
    took: Ints

    @classmethod
    def of(cls, journeys: Journeys, place: npt.NDArray[np.integer]) -> _Visits:
        """The visits of all journeys; `place` is that of each step."""
        begins = np.zeros(len(place), dtype=bool)
        begins[journeys.offsets[:-1]] = True  # each journey has a step
        step = np.flatnonzero(begins | changes(place))
        first = np.flatnonzero(take(begins, step))
        n = np.diff(first, append=len(step))
        last = first + n - 1
        known = np.repeat(_known(journeys), n)
        known[first] |= _FIRST
        known[last] |= _LAST
        time = take(journeys.coded.time, step)
        took = np.empty(len(step), dtype=np.int64)
        np.subtract(time[1:], time[:-1], out=took[:-1])
        took[last] = journeys.heads.end - take(time, last)
        return cls(step, known, took)


class _Stays:
    """Counts by place and fold so far."""

    def __init__(self) -> None:
        self._kinds, self._times = CellCounts(FOLDS * _KINDS), CellCounts(FOLDS * len(BUCKETS))
        self._visits, self._time = Sums(), Sums()

    def add(self, block: Journeys, place: Packed) -> None:
        """Add the journeys of a block of whole users; `place` is that of each step."""
        visits = _Visits.of(block, place.cell)
        cell, rows = sort_narrow(take(place.cell, visits.step), place.size)
        known = take(visits.known, rows)
        first = np.flatnonzero(changes(cell) | changes(journey_of(known)))
        last = np.append(first[1:], len(rows))[: len(first)] - 1
        upto = take(np.cumsum(take(visits.took, rows)), last)
        took = upto - np.append(0, upto)[: len(upto)]
        place = Packed(take(cell, first), place.factors, place.size)
        known = take(known, first) & ~_LAST | take(known, last) & _LAST  # of all visits of a stay together
        kind = take(_KIND_OF, facts_of(known))
        fold = fold_of(known)
        at = np.flatnonzero(kind == _KNOWN)
        here, in_fold, took = place.take(at), take(fold, at), take(took, at)
        kind[at] += changes(here.cell) | changes(user_of(take(known, at)))
        self._kinds.add(place, fold * np.uint16(_KINDS) + kind)
        self._times.add(here, bucket_place(took) * np.uint32(FOLDS) + in_fold)
        there = here.cell.astype(np.int64) * FOLDS + in_fold
        self._visits.add(there, take(last - first, at) + 1, here.size * FOLDS)
        self._time.add(there, took, here.size * FOLDS)

    def absorb(self, other: _Stays) -> None:
        """Add what another one counted; the other is used up."""
        self._kinds.absorb(other._kinds)
        self._times.absorb(other._times)
        self._visits.absorb(other._visits)
        self._time.absorb(other._time)

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """Both tables."""
        cell, code, n = self._kinds.counted()
        asked = np.flatnonzero(code % _KINDS != _OUTSIDE)
        cell, code, n = take(cell, asked), take(code, asked), take(n, asked)
        fold, kind = code // _KINDS, code % _KINDS
        starts = np.flatnonzero(changes(cell) | changes(fold))
        cell, fold = take(cell, starts), take(fold, starts)
        there = cell * FOLDS + fold
        places = {
            "n_reached": sum_where(kind >= 0, n, starts),
            "n": sum_where(kind >= _KNOWN, n, starts),
            "n_users": sum_where(kind == _NEW_USER, n, starts),
            "n_visits": self._visits.plain(there),
            "running": sum_where(kind == _RUNNING, n, starts),
            "left_truncated": sum_where(kind == _TRUNCATED, n, starts),
            "immature": sum_where(kind == _IMMATURE, n, starts),
            **dict(zip(limbs("_time"), self._time.totals(there), strict=True)),
        }
        timed, code, n = self._times.counted()
        times = {"_bucket": take(BUCKETS, code // FOLDS), "n": n}
        return {
            "places": _table(specs["places"], self._kinds.apart(cell), fold, places),
            "times": _table(specs["times"], self._times.apart(timed), code % FOLDS, times),
        }


def _table(
    spec: TableSpec, keys: Mapping[str, pl.Series], fold: Ints, columns: Mapping[str, npt.NDArray[np.int64]]
) -> pl.DataFrame:
    every = {**keys, "fold": pl.Series(fold, dtype=pl.UInt8), **columns}
    return pl.DataFrame({name: every[name] for name in spec.schema})


def _known(journeys: Journeys) -> Ints:
    """What is known of each journey."""
    heads = journeys.heads
    facts = heads.mature * np.uint8(_MATURE)
    facts |= (heads.mature & heads.left_truncated) * np.uint8(_BEGUN_EARLIER)
    facts |= still_running(journeys) * np.uint8(_STILL_RUNNING)
    facts |= (heads.status == SERVICE) * np.uint8(_SERVICE)
    return journey_numbers(journeys, facts)


def _kind(known: int) -> int:
    """The kind of a stay of a journey, which came there first, or was there last, or neither."""
    if known & _SERVICE:
        return _OUTSIDE
    if not known & _MATURE:
        return _IMMATURE
    if known & _FIRST and known & _BEGUN_EARLIER:
        return _TRUNCATED
    return _RUNNING if known & _LAST and known & _STILL_RUNNING else _KNOWN


_KIND_OF = np.array([_kind(known) for known in range(FACTS)], dtype=np.uint8)
