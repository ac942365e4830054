"""Make a state anew from its dumps: for new rules, new measures, or a format that this version does not read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from journeymine.errors import StateError
from journeymine.events.config import Config
from journeymine.nightly.advance import advance
from journeymine.nightly.dump import read_dump
from journeymine.nightly.manifest import new_manifest
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import MANIFEST, Store

__all__ = ["rebuild_from"]


def rebuild_from(old: Path, store: Store, dumps: Sequence[Any], config: Config | str | Path | None) -> None:
    """Fill a new state from dumps in order; each ends when the old state says that it did.

    Raises
    ------
    StateError : the old state says nothing that can be read.
    """
    known = _known(old)
    settings = Settings.from_data(known["settings"])
    if config is not None:
        kept = ("allowed_lateness", "timezone", "every", "keep_days", "alarm_rate")
        settings = Settings.of(config, **{name: getattr(settings, name) for name in kept})
    with store.writing():
        store.commit(new_manifest(settings))
    ends: dict[str, list[int]] = {}
    for night in known["nights"]:
        for content in (night["content"], *night["superseded"]):
            ends.setdefault(content, []).append(night["observed_until"])
    for dump in dumps:
        listed = ends.get(read_dump(settings, dump).content, [])
        advance(store, dump, listed.pop(0) if listed else None)


def _known(old: Path) -> dict[str, Any]:
    """What the old manifest says, of any format that has settings and nights."""
    try:
        body = json.loads((old / MANIFEST).read_bytes())
        return {"settings": body["settings"], "nights": body["nights"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"the manifest of {old} cannot be read: {error}", hint="create a new state and advance it"
        ) from error
