"""The ledger: what user-unit measures need, every accepted event of every user, in 64 groups by a stable hash.

It is appended to each night and compacted as it grows. Its cost per user is that of the user's events: about the size
of the dumps' used columns in Parquet (docs/nightly.md has measured figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from journeymine.nightly.rows import ARRIVAL
from journeymine.nightly.runs import add_piece, read_runs
from journeymine.nightly.store import Store
from journeymine.stats.folds import FOLDS, fold_of

__all__ = ["add_to_ledger", "ledger_groups", "without", "without_night"]

_ROWS_AT_ONCE = 2_000_000


def add_to_ledger(store: Store, runs: Sequence[Mapping[str, Any]], rows: pl.DataFrame) -> list[Mapping[str, Any]]:
    """Append a night's accepted rows."""
    users = rows.select(pl.col("user").unique())
    groups = users.with_columns(_group=pl.Series(fold_of(users["user"])))
    return add_piece(store, runs, _sorted([rows.join(groups, on="user", how="left")]), _sorted)


def _sorted(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts).sort("_group", *ARRIVAL)


def ledger_groups(store: Store, runs: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    """All rows, whole users together, in groups that fit in memory; each in order of arrival."""
    for run in runs:
        store.check(run)  # once, not for every group
    rows = sum(int(run["rows"]) for run in runs)
    n_groups = min(FOLDS, max(1, -(-rows // _ROWS_AT_ONCE)))
    width = -(-FOLDS // n_groups)
    for low in range(0, FOLDS, width):
        inside = pl.col("_group").is_between(low, low + width - 1)
        yield read_runs(store, runs, {**schema, "_group": pl.UInt8}, inside, checked=True).drop("_group").sort(ARRIVAL)


def without_night(store: Store, runs: Sequence[Mapping[str, Any]], night: int) -> list[Mapping[str, Any]]:
    """The ledger without the rows of one night."""
    return without(store, runs, pl.col("night") == night)


def without(store: Store, runs: Sequence[Mapping[str, Any]], gone: pl.Expr) -> list[Mapping[str, Any]]:
    """Runs without the rows for which `gone` holds; those that have none stay as they are."""
    kept: list[Mapping[str, Any]] = []
    for run in runs:
        frame = store.read_table(run)
        left = frame.filter(~gone)
        if left.height == frame.height:
            kept.append(run)
        elif left.height:
            kept.append({**run, **store.write_table(left)})
    return kept
