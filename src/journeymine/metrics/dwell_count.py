"""Stays of journeys in places, counted block by block; the counting behind `dwell`.

A visit is a run of steps in one place, and all visits of a journey to a place are one stay. What a stay adds to its place is
packed into one number, and all numbers are counted at once.
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
from journeymine.counting.occurrences import Sums, sum_where
from journeymine.counting.packed import ROOM, CellCounts, Packed, label_column
from journeymine.counting.parts import PART
from journeymine.counting.runs import changes, runs_of
from journeymine.journeys.heads import SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.endings import still_running
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import BUCKETS, bucket_place

__all__ = ["count_stays"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_KINDS = 6
_OUTSIDE, _IMMATURE, _TRUNCATED, _RUNNING, _KNOWN, _NEW_USER = range(_KINDS)
"""Stays of service journeys, three whose time is not known, and two whose is; the last is its user's first such stay here."""
_MATURE, _BEGUN_EARLIER, _STILL_RUNNING, _SERVICE = 1, 2, 4, 8
"""What is known of a journey."""


def count_stays(journeys: Journeys, names: Sequence[str], specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
    """The tables ``places`` and ``times`` of whole users' journeys."""
    journeys = journeys.with_grains(names)
    labels = {name: label_column(coded.labels) for name, coded in step_labels(journeys.range(0, 0), names).items()}
    if math.prod(len(known) for known in labels.values()) * len(BUCKETS) <= ROOM:
        return _counted(journeys.parts(_BLOCK), labels, specs)
    # Of enormous alphabets each block tells apart only what occurs in it, and so has tables of its own.
    parts = [_counted([block], labels, specs) for block in journeys.parts(PART)]
    return {name: pl.concat(part[name] for part in parts) for name in specs}


def _counted(
    blocks: Iterable[Journeys], labels: Mapping[str, pl.Series], specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    stays = _Stays()
    for block in blocks:
        place = Packed.none(len(block.coded))
        for name, coded in step_labels(block, list(labels)).items():
            place = place.beside(coded.codes, {name: labels[name]})
        stays.add(block, place)
    return stays.tables(specs)


@dataclass(frozen=True, slots=True)
class _Visits:
    """Visits of journeys to places, in order of time.

    Attributes
    ----------
    step : the first of each.
    journey : of each.
    took : µs until the first step of the next visit; of the last visit of a journey, until the journey's last step.
    first, last : whether it is that of its journey.
    """

    step: Ints
    journey: Ints
    took: Ints
    first: Bools
    last: Bools

    @classmethod
    def of(cls, journeys: Journeys, place: npt.NDArray[np.integer]) -> _Visits:
        """The visits of all journeys; `place` is that of each step."""
        of_step = journeys.journey_of_step
        step = np.flatnonzero(changes(place) | changes(of_step))
        journey, time = take(of_step, step), take(journeys.coded.time, step)
        first = changes(journey)
        last = np.append(first[1:], True)[: len(first)]
        until = np.append(time[1:], 0)[: len(time)]
        until[np.flatnonzero(last)] = journeys.heads.end  # in order, each journey once
        return cls(step, journey, until - time, first, last)


class _Stays:
    """Counts by place and fold so far."""

    def __init__(self) -> None:
        self._kinds, self._times = CellCounts(FOLDS * _KINDS), CellCounts(FOLDS * len(BUCKETS))
        self._visits, self._time = Sums(), Sums()

    def add(self, block: Journeys, place: Packed) -> None:
        """Add the journeys of a block of whole users; `place` is that of each step."""
        visits = _Visits.of(block, place.cell)
        place = place.take(visits.step)
        runs = runs_of(place.cell, place.size, visits.journey)
        n_visits, first = runs.lengths, runs.first
        took = np.add.reduceat(take(visits.took, runs.rows), runs.starts) if len(first) else first
        last = take(runs.rows, runs.starts + n_visits - 1)
        place, journey = place.take(first), take(visits.journey, first)
        facts, user = take(_facts(block), journey), take(block.heads.user, journey)
        kind, fold = _kinds(facts, take(visits.first, first), take(visits.last, last)), take(block.folds, user)
        known = np.flatnonzero(kind == _KNOWN)
        here, fold_known, took = place.take(known), take(fold, known), take(took, known)
        kind[known] += changes(here.cell) | changes(take(user, known))
        self._kinds.add(place, fold * np.uint16(_KINDS) + kind)
        self._times.add(here, fold_known * np.uint32(len(BUCKETS)) + bucket_place(took))
        there = here.cell.astype(np.int64) * FOLDS + fold_known
        self._visits.add(there, take(n_visits, known), here.size * FOLDS)
        self._time.add(there, took, here.size * FOLDS)

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
            **dict(zip(limbs("time"), self._time.totals(there), strict=True)),
        }
        timed, code, n = self._times.counted()
        times = {"bucket": take(BUCKETS, code % len(BUCKETS)), "n": n}
        return {
            "places": _table(specs["places"], self._kinds.apart(cell), fold, places),
            "times": _table(specs["times"], self._times.apart(timed), code // len(BUCKETS), times),
        }


def _table(
    spec: TableSpec, keys: Mapping[str, pl.Series], fold: Ints, columns: Mapping[str, npt.NDArray[np.int64]]
) -> pl.DataFrame:
    every = {**keys, "fold": pl.Series(fold, dtype=pl.UInt8), **columns}
    return pl.DataFrame({name: every[name] for name in spec.schema})


def _facts(journeys: Journeys) -> npt.NDArray[np.uint8]:
    """What is known of each journey."""
    heads = journeys.heads
    facts = heads.mature * np.uint8(_MATURE)
    facts |= (heads.mature & heads.left_truncated) * np.uint8(_BEGUN_EARLIER)
    facts |= still_running(journeys) * np.uint8(_STILL_RUNNING)
    facts |= (heads.status == SERVICE) * np.uint8(_SERVICE)
    return facts


def _kinds(facts: npt.NDArray[np.uint8], first: Bools, last: Bools) -> npt.NDArray[np.uint8]:
    """The kind of each stay of a journey, which came there first, or was there last, or neither."""
    kind = np.where(last & (facts & _STILL_RUNNING != 0), np.uint8(_RUNNING), np.uint8(_KNOWN))
    kind = np.where(first & (facts & _BEGUN_EARLIER != 0), np.uint8(_TRUNCATED), kind)
    kind = np.where(facts & _MATURE == 0, np.uint8(_IMMATURE), kind)
    return np.where(facts & _SERVICE != 0, np.uint8(_OUTSIDE), kind)
