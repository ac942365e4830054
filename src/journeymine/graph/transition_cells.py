"""Edges and nodes of journeys with few labels: block after block added into one array of cells, no table in between.

A cell is an edge or a node (of one group). Inside a block, rows are sorted by cell once; everything that is asked of an edge is a
pass over that order, short enough for the processor's cache. What a journey has become is a small number, so one
addition per (cell, journey) counts journeys, mature and converted ones alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import coded_key, pack
from journeymine.journeys.heads import CONVERTED, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of
from journeymine.stats.wide import split

__all__ = ["BLOCK", "count_cells", "fits"]

Ints = npt.NDArray[np.int64]

BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_FATES = 4
"""A journey is immature (0), mature (1), or mature and converted (2)."""
_FEW_CELLS, _MOST_CELLS = 1 << 16, 1 << 22
_BUCKETS = int(bucket_of([np.iinfo(np.int64).max])[0]) - int(bucket_of([1])[0]) + 2
"""Buckets that a time may fall into: 0, and those from 1 µs to the longest."""
_LEAST_BUCKET = int(bucket_of([1])[0]) - 1


@dataclass(frozen=True, slots=True)
class _Used:
    """Cells that hold anything, and the columns of their totals."""

    cell: Ints
    columns: Mapping[str, Ints]


class _Touches:
    """Journeys, uses and users by (cell, fold)."""

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.fates = np.zeros(n_cells * FOLDS * _FATES, dtype=np.int64)
        self.again = np.zeros(n_cells * FOLDS, dtype=np.int64)
        self.same_user = np.zeros(n_cells * FOLDS, dtype=np.int64)
        self.value = (np.zeros(n_cells * FOLDS, dtype=np.int64), np.zeros(n_cells * FOLDS, dtype=np.int64))

    def add_rows(self, cell: Ints, journey: Ints, journeys: _Fates) -> None:
        """Add rows that come journey after journey."""
        there, rows = sort_cells(cell, self.n_cells)
        self.add(there, take(journey, rows), journeys)

    def add(self, cell: Ints, journey: Ints, journeys: _Fates) -> None:
        """Add rows sorted by cell, and inside a cell journey after journey."""
        other_cell = changes(cell)
        new = other_cell | changes(journey)
        first = np.flatnonzero(new)
        if len(first) < len(cell):
            more = np.flatnonzero(~new)
            np.add.at(self.again, take(cell, more) * FOLDS + take(journeys.fold, journey.take(more)), 1)
            cell, journey, other_cell = take(cell, first), take(journey, first), take(other_cell, first)
        np.add.at(self.fates, cell * (FOLDS * _FATES) + take(journeys.fate, journey), 1)
        same = np.flatnonzero(~(other_cell | changes(take(journeys.user, journey))))
        np.add.at(self.same_user, take(cell, same) * FOLDS + take(journeys.fold, journey.take(same)), 1)
        if journeys.value is not None:
            value = take(journeys.value, journey)
            worth = np.flatnonzero(value)
            there = take(cell, worth) * FOLDS + take(journeys.fold, journey.take(worth))
            for total, part in zip(self.value, split(take(value, worth)), strict=True):
                np.add.at(total, there, part)

    def used(self) -> _Used:
        """Each total that is not empty, in order of cell and fold."""
        fates = self.fates.reshape(-1, _FATES)
        n_journeys = fates.sum(axis=1)
        at = np.flatnonzero(n_journeys)
        fates, n_journeys = fates[at], n_journeys[at]
        totals = {
            "fold": at % FOLDS,
            "n": n_journeys + self.again[at],
            "n_journeys": n_journeys,
            "n_users": n_journeys - self.same_user[at],
            "mature": fates[:, 1] + fates[:, 2],
            "converted": fates[:, 2],
        }
        return _Used(
            at // FOLDS, {**totals, **dict(zip(limbs("value"), (part[at] for part in self.value), strict=True))}
        )


class _Times:
    """Sums, least, greatest and histogram of the time on each edge."""

    def __init__(self, n_cells: int, n_steps: int) -> None:
        self.n = np.zeros(n_cells, dtype=np.int64)
        self.time = (np.zeros(n_cells, dtype=np.int64), np.zeros(n_cells, dtype=np.int64))
        self.least = np.full(n_cells, np.iinfo(np.int64).max)
        self.greatest = np.full(n_cells, np.iinfo(np.int64).min)
        # one count per bucket of each edge, or the buckets themselves where they are fewer
        dense = n_cells * _BUCKETS <= 4 * n_steps
        self.buckets = np.zeros(n_cells * _BUCKETS, dtype=np.int64) if dense else None
        self.loose: list[npt.NDArray[np.uint32]] = []

    def add(self, cell: Ints, took: Ints) -> None:
        """Add rows sorted by cell."""
        if not len(cell):
            return
        starts = np.flatnonzero(changes(cell))
        there = take(cell, starts)
        self.n[there] += np.diff(starts, append=len(cell))
        for total, part in zip(self.time, split(took), strict=True):
            total[there] += np.add.reduceat(part, starts)
        self.least[there] = np.minimum(self.least[there], np.minimum.reduceat(took, starts))
        self.greatest[there] = np.maximum(self.greatest[there], np.maximum.reduceat(took, starts))
        bucket = cell * _BUCKETS + np.maximum(bucket_of(took) - _LEAST_BUCKET, 0)
        if self.buckets is None:
            self.loose.append(bucket.astype(np.uint32))
        else:
            bucket = np.sort(bucket.astype(np.uint32))
            starts = np.flatnonzero(changes(bucket))
            self.buckets[take(bucket, starts)] += np.diff(starts, append=len(bucket))

    def used(self) -> _Used:
        """Each edge with any time, in order."""
        at = np.flatnonzero(self.n)
        limits = {"least": self.least[at], "greatest": self.greatest[at]}
        return _Used(
            at, {"n": self.n[at], **dict(zip(limbs("time"), (t[at] for t in self.time), strict=True)), **limits}
        )

    def used_buckets(self) -> _Used:
        """Each bucket with any time, in order of edge and bucket."""
        if self.buckets is None:
            each, n = np.unique(np.concatenate([np.zeros(0, np.uint32), *self.loose]), return_counts=True)
            at = each.astype(np.int64)
        else:
            at = np.flatnonzero(self.buckets)
            n = self.buckets[at]
        bucket = at % _BUCKETS
        return _Used(at // _BUCKETS, {"bucket": np.where(bucket > 0, bucket + _LEAST_BUCKET, 0), "n": n})


@dataclass(frozen=True, slots=True)
class _Fates:
    """What is added for a journey, one entry per journey of a block."""

    fold: npt.NDArray[np.uint8]
    fate: npt.NDArray[np.uint8]
    user: Ints
    value: Ints | None

    @classmethod
    def of(cls, journeys: Journeys) -> _Fates:
        heads = journeys.heads
        won = heads.mature & (heads.status == CONVERTED)
        fold = take(journeys.folds, heads.user)
        value = np.where(won, heads.value, 0) if "value" in journeys.coded.numbers else None
        return cls(fold, fold * np.uint8(_FATES) + heads.mature.view(np.uint8) + won.view(np.uint8), heads.user, value)


def fits(journeys: Journeys, grain: str, by: Sequence[str]) -> bool:
    """Whether an array of all edges there may be is no larger than the journeys' own arrays."""
    n_groups = float(np.prod([float(len(values)) for values in _groups(journeys, by).values()]))
    cells = n_groups * len(journeys.codes(grain).labels) ** 2 * FOLDS * _FATES
    return cells <= min(max(_FEW_CELLS, 8 * len(journeys.coded)), _MOST_CELLS)


def _groups(journeys: Journeys, by: Sequence[str]) -> dict[str, pl.Series]:
    """What each of `by` may be."""
    return {name: key.values for name, key in group_journeys(journeys.range(0, 0), by, "entry").keys.items()}


def count_cells(
    journeys: Journeys, grain: str, by: Sequence[str], specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The four tables of `Transitions`, of labels that `fits` found few enough."""
    journeys = journeys.with_grains([grain, *by])
    groups, coded = _groups(journeys, by), journeys.codes(grain)
    label, status = coded_key(np.arange(len(coded.labels)), coded.labels), coded_key(np.arange(len(STATUSES)), STATUSES)
    n_labels, n_groups = len(coded.labels), int(np.prod([len(values) for values in groups.values()], dtype=np.int64))
    tables = _Tables(
        specs, groups, label.values, status.values,
        inner=_Touches(n_groups * n_labels**2),
        into=_Touches(n_groups * n_labels),
        out=_Touches(n_groups * n_labels * len(STATUSES)),
        nodes=_Touches(n_groups * n_labels),
        times=_Times(n_groups * n_labels**2, len(journeys.coded)),
    )  # fmt: skip
    spelled, rank = label.codes.astype(np.int64), status.codes.astype(np.int64)
    for block in journeys.parts(BLOCK):
        node = take(spelled, block.codes(grain).codes)
        tables.add(block, by, node, take(rank, block.heads.status))
    return tables.frames()


@dataclass(frozen=True, slots=True)
class _Tables:
    """All cells, and what they stand for."""

    specs: Mapping[str, TableSpec]
    groups: Mapping[str, pl.Series]
    label: pl.Series
    status: pl.Series
    inner: _Touches
    into: _Touches
    out: _Touches
    nodes: _Touches
    times: _Times

    def add(self, block: Journeys, by: Sequence[str], label: Ints, status: Ints) -> None:
        """Add the journeys of a block: `label` of each step, `status` of each journey."""
        if not len(block):
            return
        n_labels, n_journeys = len(self.label) - 1, len(block)
        fates, of_step, each = _Fates.of(block), block.journey_of_step, np.arange(n_journeys)
        group = pack(list(group_journeys(block, by, "entry").keys.values()), n_journeys)[0] * n_labels
        node = label + take(group, of_step) if by else label
        self.nodes.add_rows(node, of_step, fates)
        self.into.add_rows(take(node, block.offsets[:-1]), each, fates)
        last = block.offsets[1:] - 1
        self.out.add_rows(take(node, last) * (len(self.status) - 1) + status, each, fates)
        # From the last step of a journey no edge leads on: those rows are sorted behind all others and cut off.
        edge = node[:-1] * n_labels + label[1:]
        edge[last[:-1]] = self.inner.n_cells
        kept = slice(len(edge) - n_journeys + 1)
        cell, rows = (part[kept] for part in sort_cells(edge, self.inner.n_cells + 1))
        self.inner.add(cell, take(of_step, rows), fates)
        self.times.add(cell, np.diff(block.coded.time).take(rows))

    def frames(self) -> dict[str, pl.DataFrame]:
        """The tables with their keys spelled out."""
        n, n_statuses = len(self.label) - 1, len(self.status) - 1
        inner, into, out = self.inner.used(), self.into.used(), self.out.used()
        nodes, times, histogram = self.nodes.used(), self.times.used(), self.times.used_buckets()
        from_, to = inner.cell // n, inner.cell % n
        left, status = out.cell // n_statuses, out.cell % n_statuses
        return {
            "edges": pl.concat(
                [
                    self._frame("edges", inner, from_ // n, {"from": from_ % n, "to": to, "status": None}),
                    self._frame("edges", into, into.cell // n, {"from": None, "to": into.cell % n, "status": None}),
                    self._frame("edges", out, left // n, {"from": left % n, "to": None, "status": status}),
                ]
            ),
            "nodes": self._frame("nodes", nodes, nodes.cell // n, {"label": nodes.cell % n}),
            "times": self._frame("times", times, times.cell // n**2, {"from": times.cell // n % n, "to": times.cell % n}),
            "histogram": self._frame(
                "histogram", histogram, histogram.cell // n**2, {"from": histogram.cell // n % n, "to": histogram.cell % n}
            ),
        }  # fmt: skip

    def _frame(self, name: str, used: _Used, group: Ints, labels: Mapping[str, Ints | None]) -> pl.DataFrame:
        columns: dict[str, pl.Series] = {}
        for column, known in reversed(list(self.groups.items())):
            columns[column] = known.gather(pl.Series(group % len(known)))
            group = group // len(known)
        for column, code in labels.items():
            known = self.status if column == "status" else self.label
            # the last entry stands for null
            columns[column] = known.gather(pl.Series(np.full(len(group), len(known) - 1) if code is None else code))
        spec = self.specs[name]
        frame = pl.DataFrame({**columns, **used.columns})
        return frame.select(pl.col("fold").cast(pl.UInt8) if column == "fold" else column for column in spec.schema)
