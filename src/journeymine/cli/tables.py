"""Tables as files: Parquet, or CSV that a spreadsheet does not run."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from journeymine.errors import QuestionError
from journeymine.files import parquet_bytes, write_whole

__all__ = ["check_table_path", "write_table"]


def check_table_path(path: Path) -> None:
    """Refuse a file name of another format, before any work is done for it."""
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise QuestionError(f"a table cannot be written as {path.suffix!r}", hint="use one of .parquet, .csv")


def write_table(frame: pl.DataFrame, path: Path) -> Path:
    """Write a table whole or not at all."""
    check_table_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _csv(frame) if path.suffix.lower() == ".csv" else parquet_bytes(frame))
    return path


def _csv(frame: pl.DataFrame) -> bytes:
    flat = [
        pl.col(name).list.eval(pl.element().cast(pl.String)).list.join(" > ")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.List)
    ]
    safe = frame.with_columns(flat).with_columns(pl.col(pl.String).str.replace(r"^([=+\-@\t\r])", "'$1"))
    return safe.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode()
