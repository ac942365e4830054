"""Make a state anew from its dumps: for new rules, new measures, or a format that this version does not read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from journeymine.errors import StateError
from journeymine.events.config import Config
from journeymine.nightly.advance import advance_locked
from journeymine.nightly.dump import read_dump
from journeymine.nightly.making import rebuilding
from journeymine.nightly.manifest import new_manifest
from journeymine.nightly.past import all_nights
from journeymine.nightly.settings import OPTIONS, Settings
from journeymine.nightly.store import MANIFEST, Store

__all__ = ["rebuild_from"]


def rebuild_from(
    old: Path, directory: Path, dumps: Sequence[Any], config: Config | str | Path | None, measures: Any = None
) -> None:
    """Make a new state of dumps in order; each ends when the old state says that it did.

    Raises
    ------
    StateError : the old state says nothing that can be read.
    """
    known = _known(old)
    settings = _settings(known["settings"], config, measures)
    with rebuilding(directory, new_manifest(settings)) as store:
        _take_in(store, settings, known["nights"], dumps)


def _take_in(store: Store, settings: Settings, nights: Sequence[Mapping[str, Any]], dumps: Sequence[Any]) -> None:
    ends: dict[str, list[int]] = {}
    for night in nights:
        ends.setdefault(night["content"], []).append(night["observed_until"])
    replaced = {content: night["dump"] for night in nights for content in night["superseded"]}
    for dump in dumps:
        read = read_dump(settings, dump)
        if read.content in replaced and read.content not in ends:
            raise StateError(
                f"{read.name} is the dump that {replaced[read.content]} replaced",
                hint="leave it out; the corrected one stands in its place",
            )
        listed = ends.get(read.content, [])
        advance_locked(store, dump, listed.pop(0) if listed else None)


def _settings(data: Mapping[str, Any], config: Config | str | Path | None, measures: Any) -> Settings:
    """The settings of the old state, with other rules or questions."""
    if config is None and measures is None:
        return Settings.from_data(data)
    kept = {name: data[name] for name in OPTIONS}
    if config is not None:
        return Settings.of(config, measures=measures, **kept)
    # Only what is read and cut matters here: the old questions may be ones that this version does not know.
    old = Settings.from_data({**data, "measures": {}})
    return Settings.of(old.config, rules=old.rules, measures=measures, **kept)


def _known(old: Path) -> dict[str, Any]:
    """What the old manifest says, of any format that has settings and nights."""
    try:
        with Store(old).reading():
            body = json.loads((old / MANIFEST).read_bytes())
            # format 1 had every night in the manifest
            nights = all_nights(Store(old), {"past": [], **body})
        return {"settings": body["settings"], "nights": nights}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"the manifest of {old} cannot be read: {error}", hint="create a new state and advance it"
        ) from error
