"""Walks of journeys as a table of counts: how often each state followed each, by fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import label_column
from journeymine.counting.tabulate import Key, tabulate
from journeymine.graph.markov_states import OUTCOMES, Walks, state_texts
from journeymine.parallel import take

__all__ = ["FOLDED_ORDER", "Paths", "chain_spec", "count_walks"]

Ints = npt.NDArray[np.int64]
FOLDED_ORDER = 2
"""Highest order whose counts keep folds, and so carry intervals: beyond, states are too many to be counted 64 times."""


@dataclass(frozen=True, slots=True)
class Paths:
    """What is known of each path beside its walk.

    Attributes
    ----------
    keys : key columns of its breakdown, over the paths.
    outcome : code into `OUTCOMES`.
    value : micro-units, of converted paths.
    fold : of its user.
    time : µs from the arrival in each state to the next one's, or to the end; None not to count time.
    lead : µs from the path's first step to its first state; none where that is the first step.
    """

    keys: Mapping[str, Key]
    outcome: npt.NDArray[np.integer]
    value: Ints
    fold: npt.NDArray[np.integer]
    time: Ints | None = None
    lead: Ints | None = None

    def take(self, which: Ints) -> tuple[dict[str, Key], npt.NDArray[np.integer]]:
        """Keys and fold of some paths."""
        return {name: key.take(which) for name, key in self.keys.items()}, take(self.fold, which)

    def repeat(self, times: Ints) -> tuple[dict[str, Key], npt.NDArray[np.integer]]:
        """Keys and fold of each path, so many times."""
        keys = {name: Key(np.repeat(key.codes, times), key.values) for name, key in self.keys.items()}
        return keys, np.repeat(self.fold, times)


def chain_spec(by: tuple[str, ...], order: int, *, timed: bool) -> TableSpec:
    """Shape of the table: `from` null begins a path, `to` null ends it with an outcome."""
    keys = {**dict.fromkeys(by, pl.String), "from": pl.String, "to": pl.String, "outcome": pl.String}
    return TableSpec(
        keys,
        {"n": "sum", "value": "wide", "_time": "wide"} if timed else {"n": "sum", "value": "wide"},
        folded=order <= FOLDED_ORDER,
    )


def count_walks(spec: TableSpec, walk: Walks, labels: tuple[str, ...], paths: Paths) -> pl.DataFrame:
    """Count every move of every path: into its first state, between neighbours, and out of its last.

    A path without states makes one move, from outside to its outcome.
    """
    texts = state_texts(walk.seen, labels, walk.base)
    # The labels of a log are the same in all its parts, and merge as codes; longer states are those of the part.
    values = label_column([*texts, None]) if walk.ends is None else texts.append(pl.Series([None], dtype=pl.String))
    lengths = np.diff(walk.offsets)
    some, empty = np.flatnonzero(lengths), np.flatnonzero(lengths == 0)
    first, last = walk.offsets[:-1][some], walk.offsets[1:][some] - 1
    inner = np.ones(len(walk.codes), dtype=bool)
    inner[last] = False
    before = np.flatnonzero(inner)
    between = np.maximum(lengths - 1, 0)
    outside, value = len(values) - 1, {"value": paths.value}
    lead = {} if paths.lead is None else {"_time": paths.lead[some]}
    stay = {} if paths.time is None else {"_time": paths.time}
    parts = [
        _Moves(outside, take(walk.codes, first), len(OUTCOMES), paths.take(some), lead),
        _Moves(
            take(walk.codes, before),
            take(walk.codes, before + 1),
            len(OUTCOMES),
            paths.repeat(between),
            _at(stay, before),
        ),
        _Moves(
            take(walk.codes, last), outside, paths.outcome[some], paths.take(some), _at(stay, last) | _at(value, some)
        ),
        _Moves(outside, outside, paths.outcome[empty], paths.take(empty), _at(value, empty)),
    ]
    return pl.concat([moves.table(spec, values) for moves in parts])


@dataclass(frozen=True, slots=True)
class _Moves:
    """Moves of one kind: codes of where from and where to (one for all, or one each), outcome, and what is added up."""

    source: Any
    target: Any
    outcome: Any
    paths: tuple[dict[str, Key], npt.NDArray[np.integer]]
    amounts: Mapping[str, Ints]

    def table(self, spec: TableSpec, values: pl.Series) -> pl.DataFrame:
        """The table of these moves; what they do not add up is 0."""
        keys, fold = self.paths
        each = {"from": (self.source, values), "to": (self.target, values), "outcome": (self.outcome, _ENDS)}
        for name, (codes, labels) in each.items():
            keys[name] = Key(np.broadcast_to(np.asarray(codes), fold.shape), labels)
        summed = {name: merge for name, merge in spec.values.items() if name == "n" or name in self.amounts}
        counted = tabulate(TableSpec(spec.keys, summed, spec.folded), keys, self.amounts, fold)
        missing = [name for name in spec.schema if name not in counted.columns]
        return counted.with_columns(pl.lit(0, dtype=pl.Int64).alias(name) for name in missing).select(list(spec.schema))


_ENDS = label_column([*OUTCOMES, None])


def _at(amounts: Mapping[str, Ints], rows: Ints) -> dict[str, Ints]:
    return {name: take(values, rows) for name, values in amounts.items()}
