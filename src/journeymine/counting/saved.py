"""Counts on disk: a Parquet file per table, and a JSON file, written last, that names them by their SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.errors import MergeError
from journeymine.files import parquet_bytes, write_whole

__all__ = ["FORMAT", "load_counts", "save_counts"]

FORMAT = 1
"""Version of the stored form of counts."""
_ABOUT = "counts.json"


def save_counts(counts: Counts, folder: Path) -> None:
    """Write counts into a directory of their own. See `Counts.save`."""
    folder.mkdir(parents=True, exist_ok=True)
    # What was saved here before goes first: half of it beside half of this would add up to nothing.
    (folder / _ABOUT).unlink(missing_ok=True)
    checksums = {}
    for name, frame in counts.tables.items():
        content = parquet_bytes(frame)
        (folder / f"{name}.parquet").write_bytes(content)
        checksums[name] = hashlib.sha256(content).hexdigest()
    about = {
        "format": FORMAT,
        "question": counts.question,
        "basis": counts.basis.to_data(),
        "notes": list(counts.basis.notes),
        "currency": counts.basis.currency,
        "selection": counts.basis.selection,
        "tables": list(counts.tables),
        "sha256": checksums,
    }
    write_whole(folder / _ABOUT, json.dumps(about, sort_keys=True, indent=1).encode())


def load_counts(folder: Path, specs: Mapping[str, TableSpec]) -> Counts:
    """Read what `save_counts` wrote. See `Counts.load`."""
    about = _about(folder)
    _check_names(about["question"], about["tables"], specs)
    # counts saved by the first version have no checksums
    tables = {name: _table(folder / f"{name}.parquet", about.get("sha256", {}).get(name)) for name in specs}
    other = [name for name, spec in specs.items() if dict(tables[name].schema) != dict(spec.schema)]
    if other:
        raise _other_tables(about["question"], [f"have other columns in {', '.join(map(repr, sorted(other)))}"])
    basis = replace(
        Basis.from_data(about["basis"]),
        notes=tuple(about.get("notes", ())),
        currency=about.get("currency"),
        selection=about.get("selection"),  # the first version did not say
    )
    return Counts(about["question"], basis, specs, tables)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / _ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise MergeError(f"counts of format {about['format']}, and this version reads {FORMAT}",
                             hint="count again, or use the version that wrote them")  # fmt: skip
        return {**about, **{name: about[name] for name in ("question", "basis", "tables")}}
    except OSError as error:
        raise MergeError(
            f"{folder} holds no saved counts, or a save that was never finished: {error}",
            hint="check the path, or save them again",
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise MergeError(f"{path} is damaged: {error}", hint="save the counts again") from error


def _table(path: Path, checksum: str | None) -> pl.DataFrame:
    try:
        content = path.read_bytes()
        if checksum not in (None, hashlib.sha256(content).hexdigest()):
            raise MergeError(
                f"{path} is not what was saved: another file, or a damaged one", hint="save the counts again"
            )
        return pl.read_parquet(content)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MergeError(f"{path} is missing or damaged: {error}", hint="save the counts again") from error


def _check_names(question: str, tables: list[str], specs: Mapping[str, TableSpec]) -> None:
    """Refuse tables that an earlier or later version shaped otherwise: a question keeps its fingerprint, its tables may change."""
    wrong = {"lack": specs.keys() - set(tables), "have no use for": set(tables) - specs.keys()}
    told = [f"{how} {', '.join(map(repr, sorted(names)))}" for how, names in wrong.items() if names]
    if told:
        raise _other_tables(question, told)


def _other_tables(question: str, told: list[str]) -> MergeError:
    return MergeError(
        f"the counts of {question} were made by a version that counted in other tables: they {' and '.join(told)}",
        hint="count again, or finish with the version that counted",
    )
