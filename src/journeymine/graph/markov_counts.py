"""Walks of journeys as a table of counts: how often each state followed each, by fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.tabulate import Key, key_of, tabulate
from journeymine.graph.markov_states import OUTCOMES, Walks, state_texts

__all__ = ["FOLDED_ORDER", "Paths", "chain_spec", "count_walks", "moves_of"]

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


def chain_spec(by: tuple[str, ...], order: int, *, timed: bool) -> TableSpec:
    """Shape of the table: `from` null begins a path, `to` null ends it with an outcome."""
    keys = {**dict.fromkeys(by, pl.String), "from": pl.String, "to": pl.String, "outcome": pl.String}
    return TableSpec(
        keys,
        {"n": "sum", "value": "wide", "time": "wide"} if timed else {"n": "sum", "value": "wide"},
        folded=order <= FOLDED_ORDER,
    )


def count_walks(spec: TableSpec, walk: Walks, labels: tuple[str, ...], paths: Paths) -> pl.DataFrame:
    """Count every move of every path, the one that begins it and the one that ends it among them."""
    codes, texts = _texts(walk.states, labels, walk.base)
    absent = len(texts)
    values = pl.concat([texts, pl.Series([None], dtype=pl.String)])
    source, target, into, last = moves_of(walk, codes, absent)
    outcome = np.full(len(source), len(OUTCOMES), dtype=np.int64)
    outcome[last] = paths.outcome
    amounts = {"value": _placed(paths.value, last, len(source))}
    if paths.time is not None:
        amounts["time"] = _placed(paths.time, into + 1, len(source))
        if paths.lead is not None:
            amounts["time"][last - np.diff(walk.offsets)] = paths.lead
    lengths = np.diff(walk.offsets)
    of_path = np.repeat(np.arange(len(lengths)), lengths + 1)
    keys = {name: key.take(of_path) for name, key in paths.keys.items()}
    keys |= {
        "from": Key(source, values),
        "to": Key(target, values),
        "outcome": key_of(outcome, (*OUTCOMES, None)),
    }
    return tabulate(spec, keys, amounts, paths.fold[of_path])


def moves_of(walk: Walks, codes: Ints, outside: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Moves of paths, one more than each has states: into its first, between neighbours, and out of its last.

    Returns
    -------
    Source and target of each move, `outside` before the start and after the end; the move that enters each state; and
    the last move of each path.
    """
    lengths = np.diff(walk.offsets)
    path = np.arange(len(lengths))
    into = np.arange(len(codes)) + np.repeat(path, lengths)
    source = np.full(len(codes) + len(lengths), outside, dtype=np.int64)
    target = source.copy()
    source[into + 1] = codes
    target[into] = codes
    return source, target, into, walk.offsets[1:] + path


def _texts(states: Ints, labels: tuple[str, ...], base: int) -> tuple[Ints, pl.Series]:
    if len(states) and int(states.max()) < base:
        return states - 1, state_texts(np.arange(1, base), labels, base)
    seen, codes = np.unique(states, return_inverse=True)
    return codes, state_texts(seen, labels, base)


def _placed(values: Ints, rows: Ints, n: int) -> Ints:
    out = np.zeros(n, dtype=np.int64)
    out[rows] = values
    return out
