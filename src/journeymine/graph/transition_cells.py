"""Edges and nodes of journeys with few labels: block after block added into one array of cells, no table in between.

A cell is an edge or a node (of one group). Inside a block, rows are sorted by cell once; everything that is asked of an edge is a
pass over that order, short enough for the processor's cache. What a row adds to its cell (its fold, whether it is the
first of its journey or user there, and what became of the journey) is one small number, so all of it is counted at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import coded_key, gathered, pack, unpack
from journeymine.journeys.heads import CONVERTED, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of
from journeymine.stats.wide import split

__all__ = ["BLOCK", "BUCKETS", "LEAST_BUCKET", "Fates", "count_cells", "fits"]

Ints = npt.NDArray[np.int64]

BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_KINDS = 8
"""What a row adds: the journey's fate, `_NEW_USER` more when its user is new to the cell; or `_AGAIN`."""
_MATURE, _WON, _NEW_USER, _AGAIN = 1, 2, 3, 6
_FEW_CELLS, _MOST_CELLS = 1 << 17, 1 << 23
BUCKETS = int(bucket_of([np.iinfo(np.int64).max])[0]) - int(bucket_of([1])[0]) + 2
"""Buckets that a time may fall into: 0, and those from 1 µs to the longest."""
LEAST_BUCKET = int(bucket_of([1])[0]) - 1


@dataclass(frozen=True, slots=True)
class _Used:
    """Cells that hold anything, and the columns of their totals."""

    cell: Ints
    columns: Mapping[str, Ints]


class _Touches:
    """Journeys, uses and users by (cell, fold)."""

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.kinds = Occurrences(n_cells * FOLDS * _KINDS)
        self.value = Sums()

    def add_rows(self, cell: Ints, journey: Ints, journeys: Fates) -> None:
        """Add rows that come journey after journey."""
        there, rows = sort_cells(cell, self.n_cells)
        self.add(there, take(journey, rows), journeys)

    def add(self, cell: Ints, journey: Ints, journeys: Fates) -> None:
        """Add rows sorted by cell, and inside a cell journey after journey."""
        other_cell = changes(cell)
        new = other_cell | changes(journey)
        new_user = other_cell | changes(take(journeys.user, journey))
        kind = take(journeys.fate, journey)
        kind += np.multiply(new_user, _NEW_USER, dtype=np.int8)
        kind -= _AGAIN
        kind *= new
        kind += _AGAIN
        number: npt.NDArray[Any] = cell.astype(self.kinds.kind)
        number *= FOLDS
        number += take(journeys.fold, journey)
        number *= _KINDS
        number += kind.view(np.uint8)
        self.kinds.add(number)
        if journeys.value is not None:
            first = np.flatnonzero(new)
            cell, journey = take(cell, first), take(journey, first)
            value = take(journeys.value, journey)
            worth = np.flatnonzero(value)
            there = take(cell, worth) * FOLDS + take(journeys.fold, take(journey, worth))
            self.value.add(there, take(value, worth), self.n_cells * FOLDS)

    def used(self) -> _Used:
        """Each total that is not empty, in order of cell and fold."""
        there, kind, n, starts = self.kinds.by_cell(_KINDS)
        new = kind < _AGAIN
        totals = {
            "fold": there % FOLDS,
            "n": sum_where(kind >= 0, n, starts),
            "n_journeys": sum_where(new, n, starts),
            "n_users": sum_where(new & (kind >= _NEW_USER), n, starts),
            "mature": sum_where(new & (kind % _NEW_USER >= _MATURE), n, starts),
            "converted": sum_where(new & (kind % _NEW_USER == _WON), n, starts),
        }
        return _Used(there // FOLDS, {**totals, **dict(zip(limbs("value"), self.value.totals(there), strict=True))})


class _Times:
    """Sums, least, greatest and histogram of the time on each edge."""

    def __init__(self, n_cells: int) -> None:
        self.n = np.zeros(n_cells, dtype=np.int64)
        self.time = (np.zeros(n_cells, dtype=np.int64), np.zeros(n_cells, dtype=np.int64))
        self.least = np.full(n_cells, np.iinfo(np.int64).max)
        self.greatest = np.full(n_cells, np.iinfo(np.int64).min)
        self.buckets = Occurrences(n_cells * BUCKETS)

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
        bucket = cell * BUCKETS + np.maximum(bucket_of(took) - LEAST_BUCKET, 0)
        self.buckets.add(bucket.astype(self.buckets.kind))

    def used(self) -> _Used:
        """Each edge with any time, in order."""
        at = np.flatnonzero(self.n)
        limits = {"least": self.least[at], "greatest": self.greatest[at]}
        return _Used(
            at, {"n": self.n[at], **dict(zip(limbs("time"), (t[at] for t in self.time), strict=True)), **limits}
        )

    def used_buckets(self) -> _Used:
        """Each bucket with any time, in order of edge and bucket."""
        at, n = self.buckets.counted()
        bucket = at % BUCKETS
        return _Used(at // BUCKETS, {"bucket": np.where(bucket > 0, bucket + LEAST_BUCKET, 0), "n": n})


@dataclass(frozen=True, slots=True)
class Fates:
    """What is added for a journey, one entry per journey of a block; `fate` is 0, `_MATURE` or `_WON`."""

    fold: npt.NDArray[np.uint8]
    fate: npt.NDArray[np.int8]
    user: Ints
    value: Ints | None

    @classmethod
    def of(cls, journeys: Journeys) -> Fates:
        """What is added for each of `journeys`."""
        heads = journeys.heads
        won = heads.mature & (heads.status == CONVERTED)
        value = np.where(won, heads.value, 0) if "value" in journeys.coded.numbers else None
        return cls(take(journeys.folds, heads.user), heads.mature.view(np.int8) + won.view(np.int8), heads.user, value)


def fits(journeys: Journeys, grain: str, by: Sequence[str]) -> bool:
    """Whether an array of all edges there may be is no larger than the journeys' own arrays."""
    n_groups = float(np.prod([float(len(values)) for values in _groups(journeys, by).values()]))
    cells = n_groups * len(journeys.codes(grain).labels) ** 2 * FOLDS * _KINDS
    return cells <= min(max(_FEW_CELLS, 16 * len(journeys.coded)), _MOST_CELLS)


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
        times=_Times(n_groups * n_labels**2),
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
        fates, of_step, each = Fates.of(block), block.journey_of_step, np.arange(n_journeys)
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
        columns = unpack(group, self.groups)
        for column, code in labels.items():
            known = self.status if column == "status" else self.label
            # the last entry stands for null
            columns[column] = gathered(known, np.full(len(group), len(known) - 1) if code is None else code)
        spec = self.specs[name]
        frame = pl.DataFrame({**columns, **used.columns})
        return frame.select(pl.col("fold").cast(pl.UInt8) if column == "fold" else column for column in spec.schema)
