"""From what the caller names as a source to lazily scanned files, with their columns checked at once.

A `Source` is a path, a glob (sorted by name), a list of those, a URL that Polars can scan, a Polars frame, or anything
with ``__arrow_c_stream__`` (pandas, pyarrow, DuckDB). Text formats are read as text, so that an id such as ``00042`` or
a column that changes its kind in row 200 stays what it was.
"""

from __future__ import annotations

import difflib
import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.errors import SchemaError, SourceError
from journeymine.events.schema import EventSchema
from journeymine.events.timestamps import check_sample
from journeymine.files import check_name

__all__ = ["LogFile", "Source", "check_first_rows", "open_source", "unreadable"]

_SAMPLE_ROWS = 1_000
_FEWEST_ROWS_PER_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Source:
    """One source of events with a schema of its own, to be read together with others into one log.

    Parameters
    ----------
    data : path, glob, list of paths, Polars frame, or anything with ``__arrow_c_stream__``.
    schema : an `EventSchema`. By default the one given to `read_events`.
    name : what reports and the quarantine call the source. By default its path, or ``source 1`` and so on.
    """

    data: Any
    schema: EventSchema | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file or frame of a source, opened but not read."""

    source: int
    source_name: str
    path: str
    schema: EventSchema
    frame: pl.LazyFrame
    dtypes: Mapping[str, pl.DataType]


def open_source(source: Source, schema: EventSchema, index: int) -> list[LogFile]:
    """Open every file of `source` and check that each holds the columns of `schema`.

    Raises
    ------
    SourceError : nothing is there, or it cannot be opened.
    SchemaError : a column is missing; names the file and the nearest columns.
    """
    name = source.name or (str(source.data) if isinstance(source.data, str | Path) else f"source {index + 1}")
    opened: list[LogFile] = []
    for path, scan in _parts(source.data, name):
        try:
            frame, dtypes = scan(schema.used_columns)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(path, error, "opened") from error
        used = _used(dtypes, schema, path, [file.path for file in opened])
        opened.append(LogFile(index, name, path, schema, frame.select(schema.used_columns), used))
    return opened


def unreadable(path: str, error: Exception, what: str = "read") -> SourceError:
    """The error of a file that cannot be read: what is wrong, without the advice that Polars gives to its own callers."""
    said = str(error).rpartition("Original error: ```")[2].split("\n", 1)[0]
    hint = "look at the file; a text file must be UTF-8, with the same number of fields in every line"
    return SourceError(f"{path} cannot be {what}: {said}", hint=hint)


Scan = Callable[[Sequence[str]], tuple[pl.LazyFrame, Mapping[str, pl.DataType]]]


def _parts(data: Any, name: str) -> list[tuple[str, Scan]]:
    """Every part of a source: its label, and how to scan it."""
    if isinstance(data, str | Path):
        paths = _expand(str(data))
        for path in paths:
            check_name(path, SourceError)
        return [(path, _file_scan(path)) for path in paths]
    if isinstance(data, list | tuple):
        if not data:
            raise SourceError(f"{name} is an empty list", hint="name at least one file or frame")
        parts = [part for i, item in enumerate(data) for part in _parts(item, f"{name}[{i}]")]
        return parts
    return [(f"<{name}>", _frame_scan(data, name))]


def _frame_scan(data: Any, name: str) -> Scan:
    if isinstance(data, pl.LazyFrame):
        return lambda _: (data, data.collect_schema())
    if isinstance(data, pl.DataFrame):
        frame = data
    elif hasattr(data, "__arrow_c_stream__"):
        frame = pl.DataFrame(data)
    else:
        raise SourceError(
            f"{name} is a {type(data).__name__}, which is no source",
            hint="a path, a glob, a list, a Polars frame, or anything with __arrow_c_stream__",
        )

    def scan(columns: Sequence[str]) -> tuple[pl.LazyFrame, Mapping[str, pl.DataType]]:
        used = frame.select([column for column in columns if column in frame.columns])
        # engines that hand over batches of 2,048 rows would make every expression pay per batch
        scattered = used.width and used.n_chunks() > 1 + used.height // _FEWEST_ROWS_PER_CHUNK
        return (used.rechunk() if scattered else used).lazy(), frame.schema

    return scan


def _expand(path: str) -> list[str]:
    if "://" in path:
        return [path]
    there = Path(path).expanduser()
    if there.is_dir():
        raise SourceError(f"{path} is a folder", hint=f"name its files with a glob, e.g. {str(there / '*.parquet')!r}")
    if there.exists():
        return [str(there)]
    if not glob.has_magic(path):
        raise SourceError(f"{path} does not exist", hint=_near_files(there))
    found = sorted(match for match in glob.glob(str(there), recursive=True) if Path(match).is_file())
    if not found:
        raise SourceError(f"no file matches {path}", hint="check the folder and the pattern")
    return found


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {str(path.parent)!r} does not exist either"
    names = sorted(file.name for file in path.parent.iterdir())
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    where = f"in {str(path.parent)!r}"
    return f"nearest {where}: {', '.join(map(repr, near))}" if near else f"nothing {where} has a similar name"


def _file_scan(path: str) -> Scan:
    name = path.split("?", 1)[0].lower() if "://" in path else path.lower()
    for ending in (".gz", ".zst"):
        if name.endswith((".csv" + ending, ".tsv" + ending, ".ndjson" + ending, ".jsonl" + ending)):
            name = name.removesuffix(ending)
    is_pattern = "://" in path  # on disk, patterns are already resolved, and a name may hold brackets
    if name.endswith((".parquet", ".pq")):
        return lambda _: _with_schema(pl.scan_parquet(path, glob=is_pattern))
    if name.endswith((".csv", ".tsv")):
        separator = "\t" if name.endswith(".tsv") else ","
        return lambda _: _with_schema(pl.scan_csv(path, infer_schema=False, separator=separator, glob=is_pattern))
    if name.endswith((".ndjson", ".jsonl")):
        return lambda columns: _scan_ndjson(path if is_pattern else glob.escape(path), columns)
    if name.endswith((".arrow", ".ipc", ".feather")):
        return lambda _: _with_schema(pl.scan_ipc(path, glob=is_pattern))
    raise SourceError(
        f"{path} has no known format",
        hint="name it .parquet, .csv, .csv.gz, .csv.zst, .ndjson, .jsonl, .arrow, .ipc or .feather",
    )


def _with_schema(frame: pl.LazyFrame) -> tuple[pl.LazyFrame, Mapping[str, pl.DataType]]:
    return frame, frame.collect_schema()


def _scan_ndjson(path: str, columns: Sequence[str]) -> tuple[pl.LazyFrame, Mapping[str, pl.DataType]]:
    """Used keys as text. A key may first occur far down, so names are looked for in the whole file if need be."""
    names = pl.scan_ndjson(path, infer_schema_length=1_000).collect_schema()
    if any(column not in names for column in columns):
        names = pl.scan_ndjson(path, infer_schema_length=None).collect_schema()
    present = {column: pl.String() for column in names}
    return pl.scan_ndjson(path, schema={c: pl.String() for c in columns if c in names} or present), present


def _used(
    dtypes: Mapping[str, pl.DataType],
    schema: EventSchema,
    path: str,
    before: Sequence[str],
) -> dict[str, pl.DataType]:
    missing = [column for column in schema.used_columns if column not in dtypes]
    if not missing:
        return {column: dtypes[column] for column in schema.used_columns}
    column = missing[0]
    by_lower = {known.lower(): known for known in dtypes}
    near = [by_lower[m] for m in difflib.get_close_matches(column.lower(), list(by_lower), n=3, cutoff=0.5)]
    listed = near or list(dtypes)[:12]
    kind = "nearest: " if near else "columns are: "
    also = f" (nor {', '.join(map(repr, missing[1:]))})" if missing[1:] else ""
    held = f", which the files before it have ({len(before)}, the last {before[-1]})" if before else ""
    way = "; rename it there, or read that file as a Source with a schema of its own" if before else ""
    way += _other_separator(path, list(dtypes))
    for name in ("touchpoint", "channel"):
        if column == getattr(schema, name):
            way += f"; where every row is {column!r}: constant_{name}={column!r}"
    raise SchemaError(f"{path} has no column {column!r}{also}{held}", hint=kind + ", ".join(map(repr, listed)) + way)


def _other_separator(path: str, columns: Sequence[str]) -> str:
    """The way out where the one column of a text file is a whole header."""
    found = next((mark for mark in ";\t|," if len(columns) == 1 and mark in columns[0]), None)
    if found is None:
        return ""
    scan = f"pl.scan_csv({path!r}, separator={found!r}, infer_schema=False)"
    return f"; if {found!r} separates them, write the file with commas, or in Python give {scan}"


def check_first_rows(file: LogFile) -> bool:
    """Raise at once when the first timestamps show that the schema does not say how to read them.

    Returns whether there was anything to judge by.
    """
    if file.dtypes[file.schema.timestamp] != pl.String:
        return True
    try:
        sample = file.frame.select(file.schema.timestamp).head(_SAMPLE_ROWS).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(file.path, error) from error
    return check_sample(file.schema, sample, file.path)
