"""What the manifest of a state says, by name. See docs/nightly.md for the format."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import polars as pl

from journeymine.errors import StateError
from journeymine.journeys.context import LogContext
from journeymine.nightly.rows import RowShape, vocabulary_of
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import FORMAT, Store

__all__ = [
    "IDS", "VOCABULARY", "context_of", "known_vocabulary", "labels_seen", "new_manifest", "next_generation", "read_or_empty", "settings_in", "shape_in",
]  # fmt: skip

VOCABULARY = {"column": pl.String, "label": pl.String, "night": pl.Int32}
IDS = {"source": pl.UInt16, "user": pl.String, "event_id": pl.String, "timestamp": pl.Int64, "night": pl.Int32}


def new_manifest(settings: Settings) -> dict[str, Any]:
    """A state before its first night."""
    return {
        "format": FORMAT,
        "generation": 0,
        "settings": settings.to_data(),
        "fingerprint": settings.fingerprint,
        "tables": tables_of(settings),
        "shape": None,
        "currency": None,
        "log_start": None,
        "observed_until": None,
        "nights": [],
        "past": [],
        "past_until": None,
        "carry": None,
        "asleep": [],
        "counts": {},
        "ledger": [],
        "ids": None,
        "vocabulary": None,
    }


def tables_of(settings: Settings) -> dict[str, str]:
    """Of each measure, a fingerprint of the tables it is counted in, which a later version may shape otherwise."""
    found = {}
    for name, measure in settings.measures.items():
        shapes = {
            table: [[f"{column} {dtype}" for column, dtype in spec.schema.items()], dict(spec.values), spec.folded]
            for table, spec in measure.specs().items()
        }
        text = json.dumps(shapes, sort_keys=True, ensure_ascii=True)
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def settings_in(manifest: dict[str, Any]) -> Settings:
    """The settings of a state, where this version counts as the one that created it.

    Raises
    ------
    StateError : a measure is counted in other tables by now, so that old and new counts do not add up.
    """
    settings = Settings.from_data(manifest["settings"])
    known = tables_of(settings)
    changed = [name for name, tables in manifest["tables"].items() if known[name] != tables]
    if changed:
        raise StateError(
            f"this version counts {', '.join(changed)} otherwise than the one that created the state",
            hint="use that version, or make the state anew with journeymine nightly rebuild --from-dumps",
        )
    return settings


def next_generation(manifest: dict[str, Any]) -> dict[str, Any]:
    """A copy to be changed and committed."""
    changed: dict[str, Any] = json.loads(json.dumps(manifest))
    changed["generation"] += 1
    return changed


def shape_in(manifest: dict[str, Any]) -> RowShape:
    """Columns of the rows, known from the first night on."""
    if manifest["shape"] is None:
        raise StateError("this state has seen no night yet", hint="journeymine nightly advance STATE DUMP")
    return RowShape(*(tuple(manifest["shape"][name]) for name in ("labels", "numbers", "tie_breaks")))


def context_of(manifest: dict[str, Any]) -> LogContext:
    """The bounds of everything seen so far."""
    if manifest["log_start"] is None:
        raise StateError("this state has accepted no event yet", hint="journeymine nightly advance STATE DUMP")
    return LogContext(manifest["log_start"], manifest["observed_until"])


def known_vocabulary(store: Store, manifest: dict[str, Any], settings: Settings) -> dict[str, tuple[str, ...]]:
    """The labels of every column, as far as they are known: those seen, and the touchpoints that are named."""
    return vocabulary_of(read_or_empty(store, manifest["vocabulary"], VOCABULARY), settings.named_touchpoints)


def labels_seen(store: Store, manifest: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The labels of every column that some night brought."""
    return vocabulary_of(read_or_empty(store, manifest["vocabulary"], VOCABULARY), ())


def read_or_empty(store: Store, entry: Any, schema: Any) -> pl.DataFrame:
    """A table, or one without rows where there is none yet."""
    return pl.DataFrame(schema=schema) if entry is None else store.read_table(entry)
