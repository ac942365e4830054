"""Files that are written whole or not at all, and held by one process at a time."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import polars as pl

from journeymine.errors import JourneymineError

__all__ = ["check_name", "parquet_bytes", "take_lock", "write_whole"]


def check_name(path: str | Path, error: type[JourneymineError]) -> None:
    """Refuse the path of a file or folder whose name is no UTF-8: it cannot be handed to what reads the data.

    Raises
    ------
    JourneymineError : it is none; of the kind `error`.
    """
    name = str(path)
    shown = name.encode(errors="backslashreplace").decode()
    if shown != name:
        raise error(f"the name of {shown} is not UTF-8", hint="rename the file or folder")


def take_lock(descriptor: int) -> bool:
    """Lock an open file for oneself alone, for as long as it is open; False where somebody else holds it.

    Where the system has no such locks (Windows), everybody gets one.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as a Parquet file; written by us, since Polars tells a full disk as a fault of the format."""
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` under `path` in one go: whoever looks sees what was there before, or all of it.

    Raises
    ------
    OSError : it cannot be written; nothing of it is left.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
