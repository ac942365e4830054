"""Edges and nodes of journeys with many labels: all rows sorted once by what they count towards, then counted stretch by stretch.

A row adds to one cell (an edge or a node, of one group) in one fold. Cell, fold and step are packed into one integer,
and those are sorted. A stretch ends where a cell ends, so each is counted on its own, by any thread, and nothing is
left to merge: the tables come out in order, each key once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.packed import Columns, Packed
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import coded_key, flag_totals
from journeymine.events.coded import narrow
from journeymine.graph.transition_cells import BLOCK, Fates
from journeymine.graph.transition_sums import BUCKETS, LEAST_BUCKET
from journeymine.journeys.heads import STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import on_all_cores, take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of
from journeymine.stats.wide import normalise, split

__all__ = ["count_rows"]

Ints = npt.NDArray[np.int64]
_FOLD_BITS, _BITS = 6, 63


def count_rows(
    journeys: Journeys, grain: str, by: Sequence[str], specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The four tables of `Transitions`, in their one form, of any number of labels."""
    rows = _Rows.of(journeys, grain, by)
    edges, nodes = on_all_cores(lambda sort: sort(), (rows.edges, rows.nodes))
    stretches = [*((rows.count_edges, edges, there) for there in edges.stretches()),
                 *((rows.count_nodes, nodes, there) for there in nodes.stretches())]  # fmt: skip
    counted = on_all_cores(lambda each: each[0](each[1], each[2]), stretches)
    tables = {}
    for name, spec in specs.items():
        parts = [part[name] for part in counted if name in part]
        together = pl.concat(parts, how="vertical_relaxed", rechunk=True) if parts else spec.empty()
        tables[name] = together.select(list(spec.schema))
    return tables


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Rows in order of cell, fold and step, each packed into one integer."""

    at: Packed
    packed: Ints
    step_bits: int

    @classmethod
    def of(cls, at: Packed, fold: npt.NDArray[np.uint8], step: npt.NDArray[np.uint32], n_steps: int) -> _Sorted:
        """Sort rows of the cells `at`."""
        step_bits = n_steps.bit_length()
        if at.size.bit_length() + _FOLD_BITS + step_bits > _BITS:  # only with enormous alphabets
            at = at.compressed()
        packed = at.cell.astype(np.int64)
        for bits, part in ((_FOLD_BITS, fold), (step_bits, step)):
            packed <<= bits
            packed |= part
        packed.sort()
        return cls(at.without_rows(), packed, step_bits)

    def stretches(self) -> list[slice]:
        """Rows of whole cells, few enough for the cache where no cell has more."""
        bits = self.step_bits + _FOLD_BITS
        first = self.packed[BLOCK::BLOCK] >> bits << bits  # of the cell that stands there
        cuts = np.unique([0, *np.searchsorted(self.packed, first), len(self.packed)]).tolist()
        return [slice(*ends) for ends in pairwise(cuts)]

    def places(self, there: slice) -> tuple[Ints, Ints]:
        """Cell and fold of some rows, as one number, and their steps."""
        packed = self.packed[there]
        return packed >> self.step_bits, packed & ((1 << self.step_bits) - 1)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is known of steps and journeys, and the columns that cells stand for."""

    journeys: Journeys
    labels: pl.Series
    code: npt.NDArray[np.integer]
    group: Packed
    fates: Fates
    journey: npt.NDArray[np.int32]
    took: Ints

    @classmethod
    def of(cls, journeys: Journeys, grain: str, by: Sequence[str]) -> _Rows:
        coded = journeys.codes(grain)
        label = coded_key(coded.codes, coded.labels)
        group = Packed.none(len(journeys))
        for name, key in group_journeys(journeys, by, "entry").keys.items():
            group = group.beside_key(
                name, coded_key(key.codes, key.values.to_list()) if key.values.dtype == pl.String else key
            )
        return cls(
            journeys, label.values.head(len(label.values) - 1), label.codes, group, Fates.of(journeys),
            np.repeat(np.arange(len(journeys), dtype=np.int32), journeys.lengths),
            np.diff(journeys.coded.time, append=0),  # of a journey's last step never asked
        )  # fmt: skip

    def edges(self) -> _Sorted:
        """Rows of edges: from each step to the next, or out of the journey; and behind them those into a journey."""
        status = coded_key(self.journeys.heads.status, STATUSES)
        statuses = status.values.head(len(STATUSES))
        first, last, n_steps = self.journeys.offsets[:-1], self.journeys.offsets[1:] - 1, len(self.code)
        # Null comes first: a journey that begins before its steps, and one that ends before it goes on.
        from_, to = np.zeros((2, n_steps + len(first)), dtype=np.uint32)
        from_[:n_steps] = self.code
        from_[:n_steps] += 1
        to[: n_steps - 1] = self.code[1:]
        to[n_steps:] = take(self.code, first)
        to += np.uint32(len(statuses))
        to[last] = status.codes
        nothing = pl.Series([None], dtype=self.labels.dtype)
        ways = {"to": pl.concat([nothing.new_from_index(0, len(statuses)), self.labels]),
                "status": pl.concat([statuses, pl.Series([None], dtype=statuses.dtype).new_from_index(0, len(self.labels))])}  # fmt: skip
        journey = np.concatenate((self.journey, np.arange(len(first), dtype=np.int32)))
        at = self._in_group(journey, from_, {"from": pl.concat([nothing, self.labels])}).beside(to, ways)
        step = np.concatenate((np.arange(n_steps, dtype=np.uint32), first.astype(np.uint32)))
        return _Sorted.of(at, take(self.fates.fold, journey), step, n_steps)

    def nodes(self) -> _Sorted:
        """A row for each step."""
        at = self._in_group(self.journey, self.code, {"label": self.labels})
        return _Sorted.of(
            at, take(self.fates.fold, self.journey), np.arange(len(self.code), dtype=np.uint32), len(self.code)
        )

    def _in_group(self, journey: npt.NDArray[np.int32], codes: npt.NDArray[np.integer], columns: Columns) -> Packed:
        """Rows told apart by what `codes` stand for, and by the group of their journey."""
        if not self.group.factors:
            return Packed(codes, (columns,))
        return Packed(take(self.group.cell, journey), self.group.factors).beside(codes, columns)

    def count_nodes(self, rows: _Sorted, there: slice) -> dict[str, pl.DataFrame]:
        """The part of table ``nodes``."""
        place, step = rows.places(there)
        starts = np.flatnonzero(changes(place))
        return {"nodes": _frame(rows.at.apart(place[starts] // FOLDS), **self._weights(place, step, starts))}

    def count_edges(self, rows: _Sorted, there: slice) -> dict[str, pl.DataFrame]:
        """The parts of the other three tables."""
        place, step = rows.places(there)
        starts = np.flatnonzero(changes(place))
        keys, weights = rows.at.apart(place[starts] // FOLDS), self._weights(place, step, starts)
        inner = (keys["from"].is_not_null() & keys["to"].is_not_null()).to_numpy()
        timed = np.flatnonzero(np.repeat(inner, weights["n"]))
        cell, took = take(place, timed) // FOLDS, take(self.took, take(step, timed))
        return {"edges": _frame(keys, **weights), **_times(rows.at, cell, took)}

    def _weights(self, place: Ints, step: Ints, starts: Ints) -> dict[str, Any]:
        """Times used, and journeys and users that use it, each counted once."""
        fates, journey = self.fates, take(self.journey, step)
        begins, fate = changes(place), take(fates.fate, journey)
        new = begins | changes(journey)
        flags = {
            "n_journeys": new,
            "n_users": begins | changes(take(fates.user, journey)),
            "mature": new & (fate > 0),
            "converted": new & (fate > 1),
        }
        value = np.zeros((2, len(starts)), dtype=np.int64)
        if fates.value is not None and len(starts):
            of_row = np.where(new, take(fates.value, journey), 0)
            value = np.stack([np.add.reduceat(part, starts) for part in split(of_row)])
        return {
            "fold": (place[starts] % FOLDS).astype(np.uint8),
            "n": np.diff(starts, append=len(place)),
            **flag_totals(flags, starts, len(place)),
            **dict(zip(limbs("value"), normalise(*value), strict=True)),
        }


def _times(at: Packed, cell: Ints, took: Ints) -> dict[str, pl.DataFrame]:
    """Sums, least, greatest and histogram of the times on edges, of rows in order of the edge."""
    new = changes(cell)
    starts = np.flatnonzero(new)
    keys = pl.DataFrame(at.apart(cell[starts])).drop("status")
    bucket = np.maximum(bucket_of(took) - LEAST_BUCKET, 0)
    bucket += (np.cumsum(new) - 1) * BUCKETS
    number: npt.NDArray[Any] = bucket.astype(np.uint32 if len(starts) * BUCKETS < 1 << 32 else np.int64)
    number.sort()
    filled = np.flatnonzero(changes(number))
    edge, there = np.divmod(number[filled], BUCKETS)
    buckets = np.where(there > 0, there.astype(np.int64) + LEAST_BUCKET, 0)
    least, greatest, *sums = (
        ufunc.reduceat(values, starts) if len(starts) else values
        for ufunc, values in zip((np.minimum, np.maximum, np.add, np.add), (took, took, *split(took)), strict=True)
    )
    return {
        "times": _frame(keys.to_dict(), n=np.diff(starts, append=len(cell)), least=least, greatest=greatest,
                        **dict(zip(limbs("_time"), normalise(*sums), strict=True))),
        "histogram": _frame(keys[pl.Series(edge)].to_dict(), _bucket=buckets, n=np.diff(filled, append=len(number))),
    }  # fmt: skip


def _frame(keys: Mapping[str, pl.Series], **numbers: npt.NDArray[Any]) -> pl.DataFrame:
    """A table of numbers in the smallest integers that hold them: millions of rows are mostly ones and zeros."""
    return pl.DataFrame({**keys, **{name: _small(values) for name, values in numbers.items()}})


def _small(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    greatest = int(values.max(initial=0))
    return narrow(values, greatest + 1) if greatest < 1 << 32 and values.min(initial=0) >= 0 else values
