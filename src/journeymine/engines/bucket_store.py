"""The working directory of the bucket engine: what is finished stays finished when the process dies.

One manifest is the only name whose content changes, always by renaming a whole new one over it. It lists immutable
files by their SHA-256. What an earlier process wrote is read back only when it is what the manifest says; anything
doubtful is made anew. ::

    journeymine-buckets.json    the manifest
    lock                        held while a process works here
    events/                     the bucket files, and what their codes stand for
    counts/<key>/<bucket>/      counts of one bucket: a question under given rules and bounds, or the tally of the log
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from journeymine.errors import EngineError
from journeymine.files import check_name, take_lock

__all__ = ["BucketStore", "locked"]

logger = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "journeymine-buckets.json"
_PARTITION = "partition.json"
_OURS = (MANIFEST, MANIFEST + ".new", "lock", "events", "counts")


class BucketStore:
    """The directory of one partition and of the counts made on it.

    Parameters
    ----------
    directory : where; made when it does not exist.
    fingerprint : of the log and of how it is read; what is there under another one is thrown away.

    Raises
    ------
    EngineError : the directory holds files of somebody else's, or cannot be written.
    """

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.directory = directory
        self._manifest = self._read(fingerprint)

    @property
    def events(self) -> Path:
        """Folder of the bucket files."""
        return self.directory / "events"

    def _read(self, fingerprint: str) -> dict[str, Any]:
        new: dict[str, Any] = {"format": FORMAT, "fingerprint": fingerprint, "files": {}, "counts": {}}
        path = self.directory / MANIFEST
        if not path.exists():
            return new
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            same = found["format"] == FORMAT and found["fingerprint"] == fingerprint
            known = {name: dict(found[name]) for name in ("files", "counts")}
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("the manifest in %s is damaged (%s); everything is made anew", self.directory, error)
            return new
        if not same:
            logger.info("%s holds buckets of another log; they are made anew", self.directory)
            return new
        return new | known

    def _write(self) -> None:
        new = self.directory / (MANIFEST + ".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(self._manifest, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.directory / MANIFEST)

    def partition(self) -> dict[str, Any] | None:
        """What was saved of a finished partition, or None when there is none that can be trusted."""
        files = self._manifest["files"]
        if not files:
            return None
        if self._intact(self.events, files):
            saved: dict[str, Any] = json.loads((self.events / _PARTITION).read_text(encoding="utf-8"))
            return saved
        logger.warning("bucket files in %s are missing or damaged; everything is made anew", self.directory)
        return None

    def clear(self) -> None:
        """Forget everything, first in the manifest and then on disk."""
        self._manifest |= {"files": {}, "counts": {}}
        with _writing(self.directory):
            self._write()
        for name in ("events", "counts"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def save_partition(self, saved: Mapping[str, Any]) -> None:
        """Remember that the bucket files are whole."""
        with _writing(self.directory):
            (self.events / _PARTITION).write_text(json.dumps(saved), encoding="utf-8")
            self._manifest["files"] = checksums(self.events)
            self._write()

    def counted(self, key: str, bucket: int) -> Path | None:
        """Folder of finished counts, or None when there are none that can be trusted."""
        files = self._manifest["counts"].get(key, {}).get(str(bucket))
        folder = self._folder(key, bucket)
        if files is None:
            return None
        if self._intact(folder, files):
            return folder
        logger.warning("the counts in %s are missing or damaged; that bucket is counted again", folder)
        return None

    def save_counted(self, bucket: int, writers: Mapping[str, Callable[[Path], object]]) -> None:
        """Let each writer fill its folder, then remember all of them at once."""
        with _writing(self.directory):
            for key, write in writers.items():
                folder = self._folder(key, bucket)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                write(folder)
                self._manifest["counts"].setdefault(key, {})[str(bucket)] = checksums(folder)
            self._write()

    def _folder(self, key: str, bucket: int) -> Path:
        return self.directory / "counts" / key / f"{bucket:04}"

    @staticmethod
    def _intact(folder: Path, files: Mapping[str, str]) -> bool:
        try:
            return checksums(folder) == dict(files)
        except OSError:
            return False

    def remove(self) -> None:
        """Delete everything that was made here; the manifest first, so that half a removal is no partition."""
        for name in (MANIFEST, MANIFEST + ".new"):
            (self.directory / name).unlink(missing_ok=True)
        for name in ("events", "counts"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        (self.directory / "lock").unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Tell a failure to write as an error of the engine."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"{directory} cannot be written: {error}",
            hint="make room there; in a directory of your own, the next run goes on with what is finished",
        ) from error


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold `directory` for this process; the lock ends with the process, however that ends.

    Raises
    ------
    EngineError : another process works there, it holds files of somebody else's, or it cannot be written.
    """
    check_name(directory, EngineError)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        foreign = sorted(each.name for each in directory.iterdir() if each.name not in _OURS)
        known = (directory / MANIFEST).exists() or (directory / "lock").exists() or not any(directory.iterdir())
        if foreign or not known:
            raise EngineError(
                f"{directory} holds other files, e.g. {(foreign or sorted(p.name for p in directory.iterdir()))[0]!r}",
                hint="give the bucket engine a directory of its own",
            )
        lock = (directory / "lock").open("a+b")
    except OSError as error:
        raise EngineError(f"{directory} cannot be used for buckets: {error}", hint="give another directory") from error
    with lock:
        if not take_lock(lock.fileno()):
            raise EngineError(
                f"another process works in {directory}", hint="wait for it, or give a directory of its own"
            )
        yield


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder`, by its relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): checksum(path) for path in files}
