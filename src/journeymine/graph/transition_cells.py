"""Edges and nodes of journeys with few labels: block after block added into one array of cells, no table in between.

A cell is an edge or a node (of one group). Inside a block, rows are sorted by cell once; everything that is asked of an
edge is a pass over that order, short enough for the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec
from journeymine.counting.journey_numbers import journey_numbers
from journeymine.counting.runs import cell_rows
from journeymine.counting.tabulate import Key, coded_key, gathered, pack, unpack
from journeymine.events.coded import narrow
from journeymine.graph.transition_sums import KINDS, Times, Touches, Used
from journeymine.journeys.heads import CONVERTED, SERVICE, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import n_workers, on_all_cores, take
from journeymine.stats.folds import FOLDS

__all__ = ["BLOCK", "Fates", "count_cells", "fits"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]

BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_FEW_CELLS, _MOST_CELLS = 1 << 17, 1 << 23


@dataclass(frozen=True, slots=True)
class Fates:
    """What is added for a journey, one entry per journey of a block; `fate` is 1 if it is judged, 2 if it also converted.

    Judged are mature journeys; service after an earlier goal cannot convert, and is outside conversion here as
    elsewhere.
    """

    fold: npt.NDArray[np.uint8]
    fate: npt.NDArray[np.int8]
    user: Ints
    value: Ints | None

    @classmethod
    def of(cls, journeys: Journeys) -> Fates:
        """What is added for each of `journeys`."""
        heads = journeys.heads
        judged = heads.mature & (heads.status != SERVICE)
        won = judged & (heads.status == CONVERTED)
        value = np.where(won, heads.value, 0) if "value" in journeys.coded.numbers else None
        return cls(take(journeys.folds, heads.user), judged.view(np.int8) + won.view(np.int8), heads.user, value)


def fits(journeys: Journeys, grain: str, by: Sequence[str]) -> bool:
    """Whether an array of all edges there may be is no larger than the journeys' own arrays."""
    n_groups = math.prod(len(key.values) for key in _groups(journeys.range(0, 0), by).values())
    cells = n_groups * len(journeys.codes(grain).labels) ** 2 * FOLDS * KINDS
    return cells <= min(max(_FEW_CELLS, 16 * len(journeys.coded)), _MOST_CELLS)


def _groups(journeys: Journeys, by: Sequence[str]) -> dict[str, Key]:
    """The labels of the groups of journeys, codes in the order of the alphabet."""
    keys = group_journeys(journeys, by, "entry").keys
    return {
        name: coded_key(key.codes, key.values.to_list()) if key.values.dtype == pl.String else key
        for name, key in keys.items()
    }


def count_cells(
    journeys: Journeys, grain: str, by: Sequence[str], specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The four tables of `Transitions`, in their one form, of labels that `fits` found few enough."""
    journeys = journeys.with_grains([grain, *by])

    def count(part: Journeys) -> _Tables:
        tables = _Tables.of(journeys.range(0, 0), grain, by)
        for block in part.parts(BLOCK):
            tables.add(block)
        return tables

    whole, *others = on_all_cores(count, journeys.parts(max(BLOCK, len(journeys.coded) // n_workers() + 1)))
    for other in others:
        whole.absorb(other)
    return whole.frames(specs)


@dataclass(frozen=True, slots=True)
class _Tables:
    """All cells, and what they stand for: of labels and statuses, their place in the order of the alphabet."""

    grain: str
    groups: Mapping[str, pl.Series]
    label: Key
    status: Key
    inner: Touches
    into: Touches
    out: Touches
    nodes: Touches
    times: Times

    @classmethod
    def of(cls, nobody: Journeys, grain: str, by: Sequence[str]) -> _Tables:
        """Without any journey."""
        groups, known = {name: key.values for name, key in _groups(nobody, by).items()}, nobody.codes(grain).labels
        n_labels, n_groups = len(known), math.prod(len(values) for values in groups.values())
        return cls(
            grain, groups, coded_key(np.arange(n_labels), known), coded_key(np.arange(len(STATUSES)), STATUSES),
            inner=Touches(n_groups * n_labels**2),
            into=Touches(n_groups * n_labels),
            out=Touches(n_groups * n_labels * len(STATUSES)),
            nodes=Touches(n_groups * n_labels),
            times=Times(n_groups * n_labels**2),
        )  # fmt: skip

    def add(self, block: Journeys) -> None:
        """Add the journeys of a block."""
        if not len(block):
            return
        n_labels, lengths, fates = self.n_labels, block.lengths, Fates.of(block)
        known = journey_numbers(block, fates.fate.view(np.uint8))
        node: Codes = block.codes(self.grain).codes
        if not self.in_order:
            node = take(narrow(self.label.codes, n_labels), node)
        label = node
        if self.groups:
            group = pack(list(_groups(block, list(self.groups)).values()), len(block))[0] * n_labels
            node = np.repeat(group, lengths) + label.astype(np.int64)
        visits = cell_rows(node, self.nodes.n_cells, block.offsets)
        self.nodes.add(visits.cell, take(known, visits.journey), fates.value)
        self.into.add_rows(take(node, block.offsets[:-1]), known, fates.value)
        last = block.offsets[1:] - 1
        end = take(node, last).astype(np.int64) * len(STATUSES) + take(self.status.codes, block.heads.status)
        self.out.add_rows(end, known, fates.value)
        goes_on = np.ones(len(node), dtype=bool)
        goes_on[last] = False
        edge: npt.NDArray[Any] = node.astype(np.uint32)
        edge *= np.uint32(n_labels)
        edge[:-1] += label[1:]
        moves = cell_rows(edge, self.inner.n_cells, block.offsets, goes_on)
        self.inner.add(moves.cell, take(known, moves.journey), fates.value)
        self.times.add(moves.cell, take(np.diff(block.coded.time), moves.rows))

    @property
    def in_order(self) -> bool:
        """Whether codes of labels are their places already."""
        return bool(np.all(self.label.codes[1:] > self.label.codes[:-1]))

    @property
    def n_labels(self) -> int:
        """How many labels there are."""
        return len(self.label.codes)

    def absorb(self, other: _Tables) -> None:
        """Add what another one counted; the other is used up."""
        for mine, theirs in (
            (self.inner, other.inner), (self.into, other.into), (self.out, other.out), (self.nodes, other.nodes)
        ):  # fmt: skip
            mine.absorb(theirs)
        self.times.absorb(other.times)

    def frames(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """The tables with their keys spelled out."""
        n = self.n_labels
        nodes, times, histogram = self.nodes.used(), self.times.used(), self.times.used_buckets()
        columns = {"nodes": self._spelled(nodes, nodes.cell // n, {"label": nodes.cell % n}), "edges": self._edges()}
        for name, used in (("times", times), ("histogram", histogram)):
            columns[name] = self._spelled(used, used.cell // n**2, {"from": used.cell // n % n, "to": used.cell % n})
        return {name: pl.DataFrame({each: columns[name][each] for each in spec.schema}) for name, spec in specs.items()}

    def _edges(self) -> dict[str, pl.Series]:
        """Edges of all three kinds in one order: what is null, outside a journey or no status, comes first."""
        n, n_statuses = self.n_labels, len(STATUSES)
        inner, into, out = self.inner.used(), self.into.used(), self.out.used()
        left, status = out.cell // n_statuses, out.cell % n_statuses
        keys: list[tuple[Ints, Any, Any, Any]] = [
            (inner.cell // n**2, inner.cell // n % n + 1, inner.cell % n + 1, 0),
            (into.cell // n, 0, into.cell % n + 1, 0),
            (left // n, left % n + 1, 0, status + 1),
        ]
        packed = np.concatenate(
            [((group * (n + 1) + a) * (n + 1) + b) * (n_statuses + 1) + c for group, a, b, c in keys]
        )
        merged = {name: np.concatenate([used.columns[name] for used in (inner, into, out)]) for name in inner.columns}
        order = np.argsort(packed * FOLDS + merged["fold"])
        way, status = np.divmod(take(packed, order), n_statuses + 1)
        group, ends = np.divmod(way, (n + 1) ** 2)
        used = Used(group, {name: take(column, order) for name, column in merged.items()})
        return self._spelled(used, group, {"from": ends // (n + 1) - 1, "to": ends % (n + 1) - 1, "status": status - 1})

    def _spelled(self, used: Used, group: Ints, labels: Mapping[str, Ints]) -> dict[str, pl.Series]:
        """Columns of totals, beside what groups and labels stand for; -1 is null."""
        columns = unpack(group, self.groups)
        for name, code in labels.items():
            known = (self.status if name == "status" else self.label).values
            columns[name] = gathered(known, np.where(code < 0, len(known) - 1, code))  # the last one stands for null
        for name, values in used.columns.items():
            columns[name] = pl.Series(values, dtype=pl.UInt8 if name == "fold" else pl.Int64)
        return columns
