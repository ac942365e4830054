"""What Spark's workers run before the shuffle: raw rows to canonical ones, and the light first look at them.

Each Arrow batch is read by the expressions that read a local log (`scan_files`), so a row means the same on Spark.
This module and `spark_counts` run on executors; neither imports Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa

from journeymine.events.event_rules import EventRules
from journeymine.events.faults import ACCEPTED
from journeymine.events.identity import Identity
from journeymine.events.raw_log import RawLog, scan_files
from journeymine.events.schema import EventSchema
from journeymine.events.sources import LogFile
from journeymine.events.survey import cells_of

__all__ = [
    "FILE", "LOOKED", "ROW", "SparkSource", "canonical_schema", "file_ranks", "resolve", "survey_rows", "to_batches",
    "usable_rows",
]  # fmt: skip

FILE, ROW = "__file", "__row"
"""Columns that say where a row of a Parquet file comes from: the file's URI, and the number of the row in it."""

_ROWS_AT_A_TIME = 100_000
"""Rows that a worker reads at once."""

_ROWS_PER_FILE = 1 << 36
"""Room for the row number below the rank of the file in one int64."""


@dataclass(frozen=True, slots=True)
class SparkSource:
    """One source as the executors need to know it.

    Attributes
    ----------
    name, schema : as of `Source`.
    dtypes : columns and their Polars types.
    ordered : whether its rows carry `FILE` and `ROW`.
    """

    name: str
    schema: EventSchema
    dtypes: Mapping[str, pl.DataType]
    ordered: bool


def _log(sources: tuple[SparkSource, ...], number: int, frame: pl.DataFrame) -> RawLog:
    """A log of all sources, of which only one has rows."""
    files = []
    for index, source in enumerate(sources):
        rows = frame if index == number else pl.DataFrame(schema=source.dtypes)
        files.append(LogFile(index, source.name, source.name, source.schema, rows.lazy(), dict(rows.schema)))
    return RawLog(tuple(files), EventRules())


def _canonical(
    sources: tuple[SparkSource, ...], number: int, frame: pl.DataFrame, ranks: Mapping[str, int]
) -> pl.DataFrame:
    """Canonical rows of one batch, the unusable ones among them."""
    rows = scan_files(_log(sources, number, frame), None)[number].collect()
    rows = rows.with_columns(pl.col("source", "file", "reason").cast(pl.Int64))
    if not sources[number].ordered:
        return rows.with_columns(row=pl.lit(None, dtype=pl.Int64))
    rank = frame.get_column(FILE).replace_strict(ranks, default=0, return_dtype=pl.Int64)
    return rows.with_columns((rank * _ROWS_PER_FILE + frame.get_column(ROW).cast(pl.Int64)).alias("row"))


def file_ranks(files: Iterable[str]) -> dict[str, int]:
    """Order of files by name, as a local glob sorts them."""
    return {name: rank for rank, name in enumerate(sorted(files, key=lambda uri: (unquote(uri), uri)))}


def canonical_schema(sources: tuple[SparkSource, ...]) -> pa.Schema:
    """Arrow schema of canonical rows: plain strings and 64-bit integers, which every Spark takes."""
    empty = _canonical(sources, 0, pl.DataFrame(schema=_dtypes(sources[0])), {})
    return pa.schema([(n, pa.string() if t == pl.String else pa.int64()) for n, t in empty.schema.items()])


def _dtypes(source: SparkSource) -> dict[str, Any]:
    order = {FILE: pl.String, ROW: pl.Int64} if source.ordered else {}
    return {**source.dtypes, **order}


def to_batches(frame: pl.DataFrame, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows as Spark takes them."""
    yield from frame.select(schema.names).to_arrow().cast(schema).to_batches()


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    """The rows of several batches together: reading a batch of 10,000 rows costs nearly what reading ten of them does."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(map(len, gathered)) >= _ROWS_AT_A_TIME:
            yield _frame(gathered)
            gathered = []
    if gathered:
        yield _frame(gathered)


def _frame(batches: list[pa.RecordBatch]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def usable_rows(
    batches: Iterable[pa.RecordBatch], sources: tuple[SparkSource, ...], number: int, ranks: Mapping[str, int]
) -> Iterator[pa.RecordBatch]:
    """Canonical rows of source `number` that are usable in themselves."""
    schema = canonical_schema(sources)
    for frame in _frames(batches):
        rows = _canonical(sources, number, frame, ranks)
        yield from to_batches(rows.filter(pl.col("reason") == ACCEPTED), schema)


def resolve(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Give events of anonymous ids the user that the column ``known_user`` says they belong to."""
    for frame in _frames(batches):
        known = frame.select("anonymous", "known_user").drop_nulls().unique("anonymous", maintain_order=True)
        rows = Identity(known, ()).resolve(frame.drop("known_user").lazy()).collect()
        yield from to_batches(rows, schema)


def survey_rows(
    batches: Iterable[pa.RecordBatch], sources: tuple[SparkSource, ...], number: int
) -> Iterator[pa.RecordBatch]:
    """What the rows of one partition of source `number` hold, as rows of `LOOKED`.

    Cells of the survey, and beside them each label that occurs, and each file.
    """
    cells = [pl.DataFrame(schema=_LOOKED)]
    for frame in _frames(batches):
        log = _log(sources, number, frame)
        rows = _canonical(sources, number, frame, {}).filter(pl.col("reason") == ACCEPTED)
        cells.append(cells_of(log, number).collect())
        cells += [_seen(name, rows.get_column(name)) for name in log.labels]
        if sources[number].ordered:
            cells.append(_seen(FILE, frame.get_column(FILE)))
        if len(cells) > _SUM_AFTER:
            cells = [_summed(cells)]
    yield from to_batches(_summed(cells).with_columns(number=pl.lit(number, dtype=pl.Int64)), LOOKED)


_KEYS = ("reason", "touchpoint", "channel", "currency", "column", "label")
_LOOKED: dict[str, Any] = {
    "reason": pl.Int64, **dict.fromkeys(_KEYS[1:], pl.String), **dict.fromkeys(("n", "first", "last"), pl.Int64),
}  # fmt: skip
LOOKED = pa.schema(
    [("number", pa.int64()), *((n, pa.string() if t == pl.String else pa.int64()) for n, t in _LOOKED.items())]
)
"""Shape of what workers tell of the log; rows with equal keys add up."""

_SUM_AFTER = 200


def _seen(column: str, labels: pl.Series) -> pl.DataFrame:
    return labels.unique().alias("label").to_frame().with_columns(column=pl.lit(column))


def _summed(cells: list[pl.DataFrame]) -> pl.DataFrame:
    together = pl.concat(
        [cell.cast({n: t for n, t in _LOOKED.items() if n in cell.columns}) for cell in cells], how="diagonal"
    )
    return together.group_by(_KEYS).agg(pl.col("n").sum(), pl.col("first").min(), pl.col("last").max())
