"""A log on Spark as the driver sees it: where its rows come from, and what one light pass says of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from journeymine.engines.part import vocabulary
from journeymine.engines.spark_rows import (
    FILE,
    LOOKED,
    ROW,
    SparkSource,
    canonical_schema,
    file_ranks,
    survey_rows,
    to_batches,
    usable_rows,
)
from journeymine.engines.spark_rows import resolve as resolve_rows
from journeymine.errors import QuestionError, SchemaError
from journeymine.events.config import Config
from journeymine.events.faults import ACCEPTED
from journeymine.events.log import Events
from journeymine.events.read import read_events
from journeymine.events.schema import EventSchema
from journeymine.events.sources import Source

__all__ = ["SparkLog", "ddl", "local_log", "spark_log"]

Frame = Any
"""A Spark DataFrame; its type cannot be named without Spark."""

Kernel = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class SparkLog:
    """A log whose rows are on Spark.

    Attributes
    ----------
    events : schemas, rules, stages and survey; it has no rows.
    rows : canonical rows that are usable in themselves, each with the user it belongs to; a Spark DataFrame.
    labels : vocabulary of the whole log by label column.
    ordered : whether every row carries its place in the input.
    ids : numbers of anonymous ids seen with exactly one, with several users.
    """

    events: Events
    rows: Frame
    labels: Mapping[str, tuple[str, ...]]
    ordered: bool
    ids: tuple[int, int] = (0, 0)


def local_log(events: Events, session: Any) -> SparkLog:
    """Hand the rows of a log that this process can read to Spark."""
    frame = pl.concat(events.scan()).filter(pl.col("reason") == ACCEPTED).collect()
    schema = pa.schema([(n, pa.string() if t == pl.String else pa.int64()) for n, t in frame.schema.items()])
    labels = {name: vocabulary(frame.get_column(name).unique().to_list()) for name in events.labels}
    table = pa.Table.from_batches(list(to_batches(frame, schema)), schema=schema)
    known = events.identity()
    ids = (len(known.users), len(known.ambiguous)) if known is not None else (0, 0)
    return SparkLog(events, session.createDataFrame(table), labels, ordered=True, ids=ids)


def spark_log(config: Config, schema: EventSchema | None, session: Any) -> SparkLog:
    """Open sources that are Spark DataFrames or paths that Spark reads, and look them over in one Spark job."""
    frames = [_frame(source.data, session) for source in config.sources]
    sources, empties = _sources(config.sources, frames, schema)
    events = read_events(replace(config, sources=tuple(empties)))
    raw = [_used(frame, source) for frame, source in zip(frames, sources, strict=True)]
    looked = _look_over(raw, sources)
    cells = looked.filter(pl.col("column").is_null())
    ranks = [file_ranks(_labels(looked, FILE, number)) for number in range(len(sources))]
    rows, ids = _canonical_rows(raw, sources, ranks)
    return SparkLog(
        events.surveyed([cells.filter(pl.col("number") == number) for number in range(len(sources))]),
        rows,
        {name: vocabulary(_labels(looked, name)) for name in events.labels},
        all(source.ordered for source in sources),
        ids,
    )


def _labels(looked: pl.DataFrame, column: str, number: int | None = None) -> list[Any]:
    of = pl.col("column") == column
    of = of if number is None else of & (pl.col("number") == number)
    return looked.filter(of).get_column("label").unique().to_list()


def _frame(data: Any, session: Any) -> Frame:
    """A Spark DataFrame of a path; of Parquet with the place of each row."""
    if hasattr(data, "mapInArrow"):
        return data
    paths = [data] if isinstance(data, str | Path) else data
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str | Path) for path in paths):
        raise QuestionError(
            f"Spark cannot read a {type(data).__name__}", hint="give a Spark DataFrame, a path, or a list of paths"
        )
    names = [str(path) for path in paths]
    plain = names[0].lower().removesuffix(".gz").removesuffix(".zst")
    if plain.endswith((".csv", ".tsv")):
        # quotes are doubled inside quotes, and a quoted line break is no new row, as in every local reader
        separator = "\t" if plain.endswith(".tsv") else ","
        return session.read.options(header=True, escape='"', multiLine=True, sep=separator).csv(names)
    if plain.endswith((".ndjson", ".jsonl", ".json")):
        return session.read.options(primitivesAsString=True).json(names)
    frame = session.read.parquet(*names)
    return frame.selectExpr("*", f"_metadata.file_path AS {FILE}", f"_metadata.row_index AS {ROW}")


def _sources(
    given: Sequence[Source], frames: Sequence[Frame], schema: EventSchema | None
) -> tuple[tuple[SparkSource, ...], list[Source]]:
    """Sources as the workers know them, and as empty local ones, by which every name and type is checked."""
    sources, empties = [], []
    for number, (source, frame) in enumerate(zip(given, frames, strict=True)):
        own = source.schema or schema or EventSchema()
        name = source.name or (str(source.data) if isinstance(source.data, str | Path) else f"source {number + 1}")
        columns = [column for column in own.used_columns if column in frame.columns]
        used = pl.from_arrow(_picked(frame, columns).limit(0).toArrow())
        assert isinstance(used, pl.DataFrame)
        ordered = FILE in frame.columns
        if not ordered and not own.tie_break:
            raise SchemaError(
                f"the rows of {name} come from Spark in no order, and no tie_break says which of two events of one "
                "user at one instant was first",
                hint='name the columns that do, e.g. tie_break=["sequence_number"], or read Parquet files by their path',
            )
        sources.append(SparkSource(name, own, dict(used.schema), ordered))
        # the others are only named: Arrow may know nothing of their types
        others = {column: pl.Null() for column in frame.columns if column not in (*columns, FILE, ROW)}
        empties.append(Source(used.with_columns(pl.lit(None, t).alias(n) for n, t in others.items()), own, name))
    return tuple(sources), empties


def _used(frame: Frame, source: SparkSource) -> Frame:
    return _picked(frame, [*source.schema.used_columns, *([FILE, ROW] if source.ordered else [])])


def _picked(frame: Frame, columns: Sequence[str]) -> Frame:
    return frame.select(*(f"`{name.replace('`', '``')}`" for name in columns))


def _look_over(raw: Sequence[Frame], sources: tuple[SparkSource, ...]) -> pl.DataFrame:
    """What each source holds: `LOOKED` rows, told by the workers and added by Spark."""

    def look(number: int) -> Kernel:
        return lambda batches: survey_rows(batches, sources, number)

    from pyspark.sql import functions

    looks = _union([frame.mapInArrow(look(number), ddl(LOOKED)) for number, frame in enumerate(raw)])
    keys = [name for name in LOOKED.names if name not in ("n", "first", "last")]
    summed = looks.groupBy(*keys).agg(
        functions.sum("n").alias("n"), functions.min("first").alias("first"), functions.max("last").alias("last")
    )
    found = pl.from_arrow(summed.toArrow())
    assert isinstance(found, pl.DataFrame)
    return found


def _canonical_rows(
    raw: Sequence[Frame], sources: tuple[SparkSource, ...], ranks: Sequence[Mapping[str, int]]
) -> tuple[Frame, tuple[int, int]]:
    """Usable rows of all sources together, each with its user, and how many anonymous ids had one, had several."""
    schema = canonical_schema(sources)

    def read(number: int) -> Kernel:
        return lambda batches: usable_rows(batches, sources, number, ranks[number])

    rows = _union([frame.mapInArrow(read(number), ddl(schema)) for number, frame in enumerate(raw)])
    return _with_users(rows, schema) if "anonymous" in schema.names else (rows, (0, 0))


def _with_users(rows: Frame, schema: pa.Schema) -> tuple[Frame, tuple[int, int]]:
    """Back-fill anonymous ids that were seen with exactly one user."""
    from pyspark.sql import functions

    seen = (
        rows.where("user IS NOT NULL AND anonymous IS NOT NULL")
        .groupBy("anonymous")
        .agg(functions.min("user").alias("known_user"), functions.max("user").alias("last"))
    )
    told = seen.selectExpr("count_if(known_user = last) AS single", "count(*) AS n").collect()[0]
    known = seen.where("known_user = last").drop("last")
    named = schema.remove(schema.get_field_index("anonymous"))

    def fill(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return resolve_rows(batches, named)

    resolved = rows.join(known, "anonymous", "left").mapInArrow(fill, ddl(named))
    return resolved, (told["single"], told["n"] - told["single"])


def _union(frames: Sequence[Frame]) -> Frame:
    return functools.reduce(lambda whole, frame: whole.union(frame), frames)


_DDL = {pa.string(): "string", pa.int64(): "long", pa.binary(): "binary"}


def ddl(schema: pa.Schema) -> str:
    """An Arrow schema as Spark writes it."""
    return ", ".join(f"`{field.name.replace('`', '``')}` {_DDL[field.type]}" for field in schema)
