"""Tables that grow by a little each night: a list of runs, each an immutable object, merged when they are alike.

Two ways (O'Neil et al., "The log-structured merge-tree", 1996), by what the table is for:

- `add_run`: a new run is merged with the one before it while that is no longer than itself, so that n rows lie in about
  log₂ n runs. Each row is rewritten about log₂ n times over its life. For tables that are looked into every night.
- `add_piece`: four runs of as many nights each become one, up to 64 nights; then they are never touched again. Each row
  is rewritten three times over its life, however long the history grows. For tables that only a report reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from journeymine.nightly.store import Store

__all__ = ["add_piece", "add_run", "read_runs"]

Entry = Mapping[str, Any]
Merge = Callable[[list[pl.DataFrame]], pl.DataFrame]

FANOUT, MOST_PIECES = 4, 64
LONGEST = 2_000_000
"""Rows that `add_piece` puts into one object at most."""


def add_run(store: Store, runs: Sequence[Entry], new: pl.DataFrame, merge: Merge) -> list[Entry]:
    """The runs with one more, of rows that came after all others; `merge` takes runs from old to new."""
    if not new.height:
        return list(runs)
    kept, last = list(runs), new
    while kept and kept[-1]["rows"] <= last.height:
        last = merge([store.read_table(kept.pop()), last])
    return [*kept, store.write_table(last)] if last.height else kept


def add_piece(store: Store, runs: Sequence[Entry], new: pl.DataFrame, merge: Merge) -> list[Entry]:
    """The same, where each entry says of how many nights it is: ``pieces``."""
    if not new.height:
        return list(runs)
    kept, last, pieces = list(runs), new, 1
    while (
        len(before := kept[1 - FANOUT :]) == FANOUT - 1
        and all(run["pieces"] == pieces for run in before)
        and pieces < MOST_PIECES
        and sum(run["rows"] for run in before) + last.height <= LONGEST
    ):
        last, pieces = merge([*(store.read_table(run) for run in before), last]), pieces * FANOUT
        del kept[1 - FANOUT :]
    return [*kept, {**store.write_table(last), "pieces": pieces}] if last.height else kept


def read_runs(
    store: Store,
    runs: Sequence[Entry],
    schema: Mapping[str, Any],
    predicate: pl.Expr | None = None,
    *,
    checked: bool = False,
) -> pl.DataFrame:
    """All rows of the runs, from old to new; `checked` as of `Store.read_table`."""
    tables = [store.read_table(run, predicate, checked=checked) for run in runs]
    return pl.concat([pl.DataFrame(schema=schema), *tables])
