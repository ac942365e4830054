"""Remove the events of one person from a state, as far as a state of sums can.

What goes: every row of the user that is carried, asleep, in the ledger, among the known event ids, or kept as set
aside. What stays: sealed counts, which are sums over many users by day and label and name nobody. A journey that was
not sealed yet leaves the figures; one that was stays in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from journeymine.errors import StateError
from journeymine.nightly.ledger import without
from journeymine.nightly.manifest import next_generation
from journeymine.nightly.store import Store

__all__ = ["erase_user"]


def erase_user(store: Store, user: Any) -> dict[str, int]:
    """Erase a user; returns the rows removed by place, and the journeys of theirs that stay in sealed counts."""
    if not isinstance(user, str) or not user:
        # null compares with nothing, and what is not equal to it would be all that is kept
        raise StateError(f"user={user!r} is the id of nobody", hint="ids are kept as text: erase('17'), --user 17")
    with store.alone():
        manifest = store.read()
        changed = next_generation(manifest)
        theirs = pl.col("user") == user
        sealed = 0
        removed: dict[str, int] = {}
        for place in ("carry", "ids"):
            removed[place], changed[place] = _one(store, changed[place], theirs)
        for place in ("asleep", "ledger"):
            before = sum(run["rows"] for run in changed[place])
            changed[place] = without(store, changed[place], theirs)
            removed[place] = before - sum(run["rows"] for run in changed[place])
        sealed = _sealed(store, manifest, theirs)
        removed["set_aside"] = 0
        for night in changed["nights"]:
            gone, night["aside"] = _one(store, night["aside"], theirs)
            removed["set_aside"] += gone
        if any(removed.values()):
            store.commit(changed)
            manifest = changed
        # The generation before still names the erased rows: it may not be gone back to. Even where nothing was to be
        # removed, since an erasure that died here left them.
        store.sweep_all(manifest)
        return {**removed, "journeys_in_sealed_counts": sealed}


def _one(store: Store, entry: Mapping[str, Any] | None, gone: pl.Expr) -> tuple[int, Mapping[str, Any] | None]:
    if entry is None:
        return 0, None
    frame = store.read_table(entry)
    left = frame.filter(~gone)
    if left.height == frame.height:
        return 0, entry
    return frame.height - left.height, store.write_table(left) if left.height else None


def _sealed(store: Store, manifest: Mapping[str, Any], theirs: pl.Expr) -> int:
    """Journeys of the user in the sealed counts: those before the carried ones, and the counted one that sleeps."""
    for entry in [manifest["carry"], *reversed(manifest["asleep"])]:
        if entry is None:
            continue
        rows = store.read_table(entry, theirs)
        if rows.height:
            prior = rows["prior_journeys"].max()
            return (prior if isinstance(prior, int) else 0) + int(rows["counted"].any())
    return 0
