"""Users of whom nothing is open: their last journey sleeps, sorted by user, until they are seen again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from journeymine.nightly.runs import add_run
from journeymine.nightly.store import Store

__all__ = ["newest", "sleep", "wake"]


def sleep(store: Store, runs: Sequence[Mapping[str, Any]], rows: pl.DataFrame) -> list[Mapping[str, Any]]:
    """Put the rows of users to sleep; a later record of a user replaces the earlier ones."""
    return add_run(store, runs, rows.sort("user", "night", "file", "row"), newest)


def newest(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Of each user, the rows of the last part that has any."""
    kept = parts[-1]
    for part in reversed(parts[:-1]):
        kept = pl.concat([part.join(kept.select("user").unique(), on="user", how="anti"), kept])
    return kept.sort("user", "night", "file", "row")


def wake(store: Store, runs: Sequence[Mapping[str, Any]], users: pl.Series, schema: Mapping[str, Any]) -> pl.DataFrame:
    """The sleeping rows of some users; what is left in the runs is replaced when they go to sleep again."""
    if not runs or not len(users):
        return pl.DataFrame(schema=schema)
    found = store.read_tables(runs, pl.col("user").is_in(users.implode()))
    latest = found.filter(pl.col("_run") == pl.col("_run").max().over("user"))
    return latest.select(list(schema))
