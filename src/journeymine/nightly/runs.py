"""Tables that grow by a little each night: a list of runs, each an immutable object, merged when they are alike in size.

A new run is merged with the one before it while that is less than twice as long, so that n rows lie in about log₂ n runs
and each row is rewritten about log₂ n times over its life (O'Neil et al., "The log-structured merge-tree", 1996). Tables
of counts stop at `longest` rows: what is older is never touched again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from journeymine.nightly.store import Store

__all__ = ["add_run", "read_runs"]

Entry = Mapping[str, Any]


def add_run(
    store: Store,
    runs: Sequence[Entry],
    new: pl.DataFrame,
    merge: Callable[[list[pl.DataFrame]], pl.DataFrame],
    *,
    longest: int | None = None,
) -> list[Entry]:
    """The runs with one more, of rows that came after all others; `merge` takes runs from old to new."""
    if not new.height:
        return list(runs)
    kept, last = list(runs), new
    while (
        kept and kept[-1]["rows"] < 2 * last.height and (longest is None or kept[-1]["rows"] + last.height <= longest)
    ):
        last = merge([store.read_table(kept.pop()), last])
    return [*kept, store.write_table(last)] if last.height else kept


def read_runs(
    store: Store, runs: Sequence[Entry], schema: Mapping[str, Any], predicate: pl.Expr | None = None
) -> pl.DataFrame:
    """All rows of the runs, from old to new."""
    return pl.concat([pl.DataFrame(schema=schema), *(store.read_table(run, predicate) for run in runs)])
