"""The directory of a state: immutable objects by checksum, one manifest that names them, one lock.

::

    manifest.json        the only name whose content changes, always by renaming a whole new one over it
    unfinished.json      the manifest of a state that is being rebuilt, renamed to manifest.json when all is in it
    objects/<sha256>.…   immutable files: Parquet tables, and each manifest as JSON under its own checksum
    lock                 held by whoever writes
    readers              shared by whoever reads: nothing is removed meanwhile

Objects are written and flushed before the manifest that names them, and those of the manifest before it stay until the
next write, so a process that dies at any instant leaves the state of before or after.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.errors import StateError
from journeymine.files import check_name
from journeymine.nightly import locks

__all__ = ["FORMAT", "MANIFEST", "OBJECTS", "UNFINISHED", "Store", "flush_directory", "named_objects"]

FORMAT = 2
"""Version of the format of a state."""
MANIFEST = "manifest.json"
UNFINISHED = "unfinished.json"
OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class Store:
    """Reads and writes the files of a state.

    Parameters
    ----------
    directory : of the state.
    pointer : name of the manifest: another one while a state is being rebuilt, which is none before it is complete.
    """

    directory: Path
    pointer: str = MANIFEST

    def __post_init__(self) -> None:
        check_name(self.directory, StateError)

    # -- objects -----------------------------------------------------------------------------------------------------

    def write_table(self, frame: pl.DataFrame) -> dict[str, Any]:
        """Write a table as an immutable object; returns what the manifest says of it."""
        out = io.BytesIO()
        frame.write_parquet(out, compression="zstd", statistics=True)
        return {"object": self._write_object(out.getvalue(), ".parquet"), "rows": frame.height}

    def read_table(
        self, entry: Mapping[str, Any], predicate: pl.Expr | None = None, *, checked: bool = False
    ) -> pl.DataFrame:
        """Read a table, or the rows of it for which `predicate` holds.

        Parameters
        ----------
        checked : whether its checksum was compared already, by `check`.

        Raises
        ------
        StateError : the object is missing or damaged.
        """
        if not checked:
            self.check(entry)
        scan = self._scan(entry)
        return self._collect(scan if predicate is None else scan.filter(predicate))

    def read_tables(self, entries: Sequence[Mapping[str, Any]], predicate: pl.Expr) -> pl.DataFrame:
        """Read the rows of several tables at once for which `predicate` holds, with ``_run``, the position of the table.

        Raises
        ------
        StateError : an object is missing or damaged.
        """
        for entry in entries:
            self.check(entry)
        scans = [self._scan(entry).with_columns(_run=pl.lit(k)) for k, entry in enumerate(entries)]
        return self._collect(pl.concat(scans).filter(predicate))

    def _scan(self, entry: Mapping[str, Any]) -> pl.LazyFrame:
        return pl.scan_parquet(self.directory / OBJECTS / entry["object"], glob=False)

    def _collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        try:
            return frame.collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StateError(
                f"an object of the state in {self.directory} cannot be read: {error}",
                hint="journeymine nightly verify names all that is damaged; nightly repair goes back to the night before",
            ) from error

    def check(self, entry: Mapping[str, Any]) -> None:
        """Compare an object with its checksum: a bit that fell over would else be counted on.

        Raises
        ------
        StateError : the object is missing or damaged.
        """
        if not self._is_whole(entry["object"]):
            raise StateError(
                f"the object {self.directory / OBJECTS / entry['object']} of this state is missing or damaged",
                hint="journeymine nightly verify names all that is damaged; nightly repair goes back to the night before",
            )

    def _is_whole(self, name: str) -> bool:
        try:
            with (self.directory / OBJECTS / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == name.split(".", maxsplit=1)[0]
        except OSError:
            return False

    def _write_object(self, content: bytes, suffix: str) -> str:
        name = hashlib.sha256(content).hexdigest() + suffix
        path = self.directory / OBJECTS / name
        if not path.exists() or path.stat().st_size != len(content):
            _write_whole(path, content)
        return name

    # -- the manifest ------------------------------------------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """The manifest.

        Raises
        ------
        StateError : there is none, it is damaged, or of a format that this version does not read.
        """
        path = self.directory / self.pointer
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise self.absent() from None
        except OSError as error:
            raise StateError(f"{path} cannot be read: {error}", hint="check the folder and its rights") from error
        try:
            body, checksum = json.loads(text), ""
            checksum = body.pop("sha256")
            intact = checksum == _checksum(body)
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise StateError(f"{path} is damaged", hint="journeymine nightly repair restores the last whole one")
        if body.get("format") != FORMAT:
            raise StateError(
                f"{self.directory} has format {body.get('format')}, and this version reads format {FORMAT}",
                hint="use the version that wrote it, or journeymine nightly rebuild --from-dumps",
            )
        return dict(body)

    def commit(self, manifest: Mapping[str, Any]) -> None:
        """Make `manifest` the state: the one instant at which anything changes."""
        body = {name: value for name, value in manifest.items() if name != "sha256"}
        text = _one_line_each({**body, "sha256": _checksum(body)}).encode()
        self._write_object(text, ".json")
        _write_whole(self.directory / self.pointer, text)

    @property
    def is_unfinished(self) -> bool:
        """Whether a rebuild has begun here that is not complete."""
        return (self.directory / UNFINISHED).exists() and not (self.directory / MANIFEST).exists()

    def absent(self) -> StateError:
        """Say why there is no manifest."""
        if self.is_unfinished:
            return StateError(
                f"the rebuild into {self.directory} is not finished: it still runs, or was stopped half-way",
                hint="wait for it; if it no longer runs, give the same nightly rebuild again, which begins anew",
            )
        if self.generations():
            return StateError(
                f"{self.directory / MANIFEST} is missing", hint="journeymine nightly repair restores the last whole one"
            )
        return StateError(f"{self.directory} holds no nightly state", hint="journeymine nightly create makes one")

    def generations(self) -> list[dict[str, Any]]:
        """Whole copies of manifests that are still there, the latest first."""
        found = []
        for path in sorted((self.directory / OBJECTS).glob("*.json")):
            try:
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest() + ".json" == path.name:
                    found.append(json.loads(content))
            except (OSError, ValueError):
                continue
        return sorted(found, key=lambda body: -int(body["generation"]))

    # -- keeping order -----------------------------------------------------------------------------------------------

    def damaged(self, manifest: Mapping[str, Any]) -> list[str]:
        """Objects of a manifest that are missing or are not what their name says."""
        return [name for name in sorted(named_objects(manifest)) if not self._is_whole(name)]

    def sweep_unread(self, manifest: Mapping[str, Any]) -> None:
        """Sweep unless somebody reads: what was current when they began may be long past by now."""
        with locks.unread(self.directory) as unread:
            if unread:
                self.sweep(manifest)

    def sweep(self, manifest: Mapping[str, Any]) -> list[str]:
        """Remove what neither `manifest` nor the one before it names, while nobody reads; returns the names."""
        generations = [body for body in self.generations() if body["generation"] <= manifest["generation"]][:2]
        kept = named_objects(manifest).union(*(named_objects(body) for body in generations))
        copies = {int(body["generation"]) for body in generations}
        removed = []
        for path in sorted((self.directory / OBJECTS).iterdir()):
            if path.name in kept or (path.suffix == ".json" and _generation(path) in copies):
                continue
            path.unlink(missing_ok=True)
            removed.append(path.name)
        return [*removed, *self._drop_partials()]

    def sweep_all(self, manifest: Mapping[str, Any]) -> None:
        """Remove all that `manifest` does not name, the generation before it too."""
        kept = named_objects(manifest)
        for path in sorted((self.directory / OBJECTS).iterdir()):
            if path.name not in kept and not (path.suffix == ".json" and _generation(path) == manifest["generation"]):
                path.unlink(missing_ok=True)
        self._drop_partials()

    def _drop_partials(self) -> list[str]:
        """Remove manifests that were never finished, as nobody else can be writing one; returns the names."""
        partials = self._partials()
        for path in partials:
            path.unlink(missing_ok=True)
        return [path.name for path in partials]

    def _partials(self) -> list[Path]:
        return sorted(path for name in (MANIFEST, UNFINISHED) for path in self.directory.glob(f".{name}.*.partial"))

    def inventory(self, manifest: Mapping[str, Any]) -> tuple[dict[str, int], list[str]]:
        """Sizes in bytes of the objects that `manifest` names and that exist, and the files that no manifest names."""
        generations = self.generations()
        known = named_objects(manifest).union(*(named_objects(body) for body in generations))
        files = {path.name: path.stat().st_size for path in (self.directory / OBJECTS).iterdir() if path.is_file()}
        own = named_objects(manifest)
        sizes = {name: size for name, size in files.items() if name in own}
        partials = [path.name for path in self._partials()]
        return sizes, sorted([*partials, *(n for n in files if n not in known and not n.endswith(".json"))])

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock, and tell every failure to write as an error of the state.

        Raises
        ------
        StateError : there is no state, somebody else writes, or the folder cannot be written.
        """
        if not (self.directory / OBJECTS).is_dir():
            raise self.absent()
        with locks.writing(self.directory):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock as in `writing`, while nobody reads either: for what removes the generation before.

        Raises
        ------
        StateError : somebody else writes or reads, or the folder cannot be written.
        """
        with self.writing(), locks.unread(self.directory) as unread:
            if not unread:
                raise StateError(
                    f"another process reads {self.directory}",
                    hint="wait for it, then give the command again; nothing was changed",
                )
            yield

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Keep writers from removing what is being read, for as long as it takes; they may write meanwhile."""
        return locks.reading(self.directory)


def named_objects(manifest: Mapping[str, Any]) -> set[str]:
    """Names of all objects that a manifest mentions."""
    entries = [manifest.get(name) for name in ("carry", "ids", "vocabulary")]
    entries += [run for name in ("asleep", "ledger", "past") for run in manifest.get(name, ())]
    entries += [run for tables in manifest.get("counts", {}).values() for runs in tables.values() for run in runs]
    entries += [night["aside"] for night in manifest.get("nights", ())]
    return {entry["object"] for entry in entries if entry is not None}


def _generation(path: Path) -> int:
    try:
        return int(json.loads(path.read_bytes())["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1


def _one_line_each(body: Mapping[str, Any]) -> str:
    """JSON with a line for each name: as quick as without any, and still to be read."""
    lines = (
        f"{json.dumps(name)}: {json.dumps(body[name], sort_keys=True, ensure_ascii=True)}" for name in sorted(body)
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _checksum(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    """Put `content` under `path` whole or not at all, and flush it to the disk before its name exists."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Flush the names in a directory, where the system knows how."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except (PermissionError, NotImplementedError):
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
