"""Who may write a state, and who is reading it: two files in its directory, let go when the process ends.

::

    lock       held by the one who writes
    readers    shared by all who read, and taken by a writer for as long as it removes what is no longer current

Where the system has no such locks (Windows), everybody gets one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from journeymine.errors import StateError
from journeymine.files import take_lock

__all__ = ["LOCK", "READERS", "reading", "unread", "unwritten", "writing"]

LOCK, READERS = "lock", "readers"


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Hold the lock, and tell every failure to write as an error of the state.

    Raises
    ------
    StateError : somebody else writes, or the folder cannot be written.
    """
    try:
        lock = (directory / LOCK).open("a+b")
        (directory / READERS).touch()
    except OSError as error:
        raise unwritten(directory, error) from error
    with lock:
        if not take_lock(lock.fileno()):
            raise StateError(
                f"another process writes to {directory}", hint="wait for it; the lock ends with the process"
            )
        try:
            yield
        except OSError as error:
            raise unwritten(directory, error) from error


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Keep writers from removing what is being read, for as long as it takes; they may add to it meanwhile."""
    try:
        readers = (directory / READERS).open("rb")
    except OSError:
        yield  # nobody has written since states have such a file, or it may not be opened
        return
    with readers:
        _share(readers.fileno())
        yield


@contextlib.contextmanager
def unread(directory: Path) -> Iterator[bool]:
    """Whether nobody reads; if so, whoever wants to waits until this ends."""
    with (directory / READERS).open("a+b") as readers:
        yield take_lock(readers.fileno())


def unwritten(directory: Path, error: OSError) -> StateError:
    """The error for a state that cannot be written."""
    return StateError(
        f"{directory} cannot be written: {error}. The state is as it was before",
        hint="make room or give the right to write, then run the same command again",
    )


def _share(descriptor: int) -> None:
    """Lock a file together with others that share it, for as long as it is open; wait for who has it alone."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_SH)
