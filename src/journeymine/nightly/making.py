"""A state that is being made: in an empty folder, and none before it is complete.

A rebuild takes many dumps, and a process that dies among them must leave nothing that passes for the whole. So its
manifest has another name until the last dump is in, ``unfinished.json``, which no other command reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from journeymine.errors import StateError
from journeymine.nightly.locks import LOCK, READERS, unwritten
from journeymine.nightly.store import MANIFEST, OBJECTS, UNFINISHED, Store, flush_directory

__all__ = ["make", "rebuilding"]

_OURS = re.compile(r"[0-9a-f]{64}\.(json|parquet)|\..*\.partial")


def make(directory: Path, manifest: dict[str, Any]) -> None:
    """Make a state before its first night.

    Raises
    ------
    StateError : the folder is not empty, another process writes to it, or it cannot be written.
    """
    with _empty(Store(directory)) as store:
        store.commit(manifest)


@contextmanager
def rebuilding(directory: Path, manifest: dict[str, Any]) -> Iterator[Store]:
    """Hold the lock while a state is made anew: complete at the end, and discarded where anything is raised.

    Raises
    ------
    StateError : the folder is not empty, another process writes to it, or it cannot be written.
    """
    with _empty(Store(directory, UNFINISHED)) as store:
        store.commit(manifest)
        try:
            yield store
        except BaseException:
            _clear(directory)
            raise
        (directory / UNFINISHED).replace(directory / MANIFEST)
        flush_directory(directory)


def _check_empty(directory: Path) -> None:
    """Refuse a folder with anything in it but what is left of a state that was never made.

    Raises
    ------
    StateError : there is something.
    """
    if directory.exists() and not directory.is_dir():
        raise StateError(f"{directory} is a file", hint="give the folder that the state is to be kept in")
    left_over = {LOCK, READERS, OBJECTS, UNFINISHED}
    if directory.is_dir() and any(
        each.name not in left_over and each.suffix != ".partial" for each in directory.iterdir()
    ):
        raise StateError(f"{directory} is not empty", hint="give a new directory, or open the state in it")
    if not (directory / UNFINISHED).exists() and any(body["generation"] for body in Store(directory).generations()):
        raise StateError(
            f"{directory} holds a state whose {MANIFEST} is missing",
            hint="journeymine nightly repair restores the last whole one; or give a new directory",
        )


@contextmanager
def _empty(store: Store) -> Iterator[Store]:
    """Hold the lock of an empty folder."""
    _check_empty(store.directory)
    try:
        (store.directory / OBJECTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(store.directory, error) from error
    with store.writing():
        _check_empty(store.directory)  # another process may have been quicker
        _clear(store.directory)
        yield store


def _clear(directory: Path) -> None:
    """Remove what is left of a state that was never made, its manifest last."""
    for path in [*(directory / OBJECTS).iterdir(), *directory.glob(".*.partial"), directory / UNFINISHED]:
        if _OURS.fullmatch(path.name) or path.name == UNFINISHED:
            path.unlink(missing_ok=True)
