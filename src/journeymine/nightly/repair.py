"""Look whether a state is whole, and bring a damaged one back."""

from __future__ import annotations

import contextlib
from typing import Any

from journeymine.errors import StateError
from journeymine.nightly.past import number_of_nights
from journeymine.nightly.store import FORMAT, Store

__all__ = ["repair", "verify"]


def verify(store: Store) -> dict[str, Any]:
    """Read every object again and compare it with its checksum.

    Returns
    -------
    objects, bytes : how many are named, and how large they are.
    damaged : names of objects that are missing or not what they were.
    unused : files that no manifest names: left behind by a process that died, and harmless.
    """
    with store.reading():
        manifest = store.read()
        damaged = store.damaged(manifest)
        sizes, unused = store.inventory(manifest)
    return {"generation": manifest["generation"], "nights": number_of_nights(manifest), "objects": len(sizes),
            "bytes": sum(sizes.values()), "damaged": damaged, "unused": unused}  # fmt: skip


def repair(store: Store) -> dict[str, Any]:
    """Restore the latest generation of which every object is whole, and remove what nobody names.

    Returns
    -------
    went_back : generations that were given up; 0 where the state was whole.
    nights : that the state now holds; the dumps after them are to be advanced again.

    Raises
    ------
    StateError : no generation is whole; then only a rebuild from dumps helps. Or a rebuild has not finished, somebody
        reads, or somebody writes.
    """
    with store.alone():
        if store.is_unfinished:
            raise store.absent()
        current: dict[str, Any] | None = None
        with contextlib.suppress(StateError):
            current = store.read()
        candidates = [body for body in store.generations() if body.get("format") == FORMAT]
        latest = max([int(body["generation"]) for body in [*candidates, *([current] if current else [])]], default=0)
        for body in candidates:
            if not store.damaged(body):
                whole = {name: value for name, value in body.items() if name != "sha256"}
                if current is None or current["generation"] != whole["generation"]:
                    store.commit(whole)
                removed = store.sweep(whole)
                return {"generation": whole["generation"], "went_back": latest - int(whole["generation"]),
                        "nights": number_of_nights(whole), "removed": removed}  # fmt: skip
        raise StateError(
            f"no generation of {store.directory} is whole",
            hint="make it anew with journeymine nightly rebuild --from-dumps",
        )
