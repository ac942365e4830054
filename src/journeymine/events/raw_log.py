"""A log before it is read: opened files, the rules, and the queries over them.

Two kinds of query share the expressions of `canonical`: `memory_queries` ask for codes, for one pass in memory;
`scan_files` asks for plain strings with their origin, for engines that stream what does not fit in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from journeymine.errors import SourceError
from journeymine.events.canonical import TOUCHPOINT_MISSING, canonical, label_names, number_names, tie_break_names
from journeymine.events.event_rules import EventRules
from journeymine.events.faults import first_fault, usable
from journeymine.events.identity import Identity, learn_identity
from journeymine.events.schema import EventSchema
from journeymine.events.sources import LogFile, unreadable

__all__ = ["RawLog", "collect_files", "learn_log_identity", "memory_queries", "naming_file", "scan_files"]

_FILES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RawLog:
    """Opened files in input order, and what all of them together hold."""

    files: tuple[LogFile, ...]
    rules: EventRules
    labels: tuple[str, ...] = field(init=False)
    numbers: tuple[str, ...] = field(init=False)
    tie_breaks: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        schemas = self.schemas
        object.__setattr__(self, "labels", tuple(label_names(schemas)))
        object.__setattr__(self, "numbers", tuple(number_names(schemas)))
        object.__setattr__(self, "tie_breaks", tuple(tie_break_names(schemas)))

    @property
    def schemas(self) -> list[EventSchema]:
        """The schema of each file."""
        return [file.schema for file in self.files]

    @property
    def source_names(self) -> tuple[str, ...]:
        """Sources in input order."""
        return tuple(dict.fromkeys(file.source_name for file in self.files))

    @property
    def has_anonymous(self) -> bool:
        """Whether any source knows people by an anonymous id."""
        return any(schema.anonymous for schema in self.schemas)

    @property
    def has_event_id(self) -> bool:
        """Whether any source names its events."""
        return any(schema.event_id for schema in self.schemas)

    @property
    def judges_users(self) -> bool:
        """Whether anything has to be checked over whole users."""
        return self.has_event_id or bool(self.rules.never_before)


def _extra_ids(log: RawLog) -> list[str]:
    return ["anonymous"] * log.has_anonymous + ["event_id"] * log.has_event_id


def _absent(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(None, dtype=dtype).alias(name)


def memory_queries(
    log: RawLog, categories: Mapping[str, pl.Categories], apart: Sequence[Collection[str]] | None = None
) -> list[pl.LazyFrame]:
    """One query per file: ids as strings, labels as codes of `categories`, numbers, and ``usable``.

    Parameters
    ----------
    apart : labels that somebody else reads, per file; a missing touchpoint among them is not looked for.
    """
    queries = []
    for file, others in zip(log.files, apart or [()] * len(log.files), strict=True):
        read = canonical(file)
        faults = [fault for fault in read.faults if fault.reason != TOUCHPOINT_MISSING or "touchpoint" not in others]
        # casting inside the streaming query keeps the label strings from ever being held for all rows
        coded = [
            read.labels[name].cast(pl.Categorical(categories[name])).alias(name)
            if name in read.labels
            else _absent(name, pl.Categorical(categories[name]))
            for name in log.labels
            if name not in others
        ]
        ids = [
            read.ids["user"].alias("user"),
            *(
                read.ids[name].alias(name) if name in read.ids else _absent(name, pl.String())
                for name in _extra_ids(log)
            ),
        ]
        numbers = [
            read.numbers[name].alias(name) if name in read.numbers else _absent(name, pl.Int64())
            for name in (*log.numbers, *log.tie_breaks)
        ]
        money = [] if read.currency is None else [read.currency.alias("currency")]
        queries.append(
            read.frame.select(
                *ids, read.timestamp.alias("timestamp"), *coded, *numbers, *money, usable(faults).alias("usable")
            )
        )
    return queries


def scan_files(log: RawLog, identity: Identity | None) -> list[pl.LazyFrame]:
    """One lazy frame per file, in input order, of all rows with plain strings, their origin and ``reason``."""
    frames = []
    for number, file in enumerate(log.files):
        read = canonical(file)
        index = free_name(file)
        labels = [
            (read.labels[name] if name in read.labels else pl.lit(None, dtype=pl.String)).alias(name)
            for name in log.labels
        ]
        ids = [
            (read.ids[name] if name in read.ids else pl.lit(None, dtype=pl.String)).alias(name)
            for name in ("user", *_extra_ids(log))
        ]
        numbers = [
            (read.numbers[name] if name in read.numbers else pl.lit(None, dtype=pl.Int64)).alias(name)
            for name in (*log.numbers, *log.tie_breaks)
        ]
        frame = read.frame.with_row_index(index).select(
            *ids,
            read.timestamp.alias("timestamp"),
            *labels,
            *numbers,
            pl.lit(file.source, dtype=pl.UInt16).alias("source"),
            pl.lit(number, dtype=pl.UInt32).alias("file"),
            pl.col(index).cast(pl.Int64).alias("row"),
            first_fault(read.faults).alias("reason"),
        )
        frames.append(identity.resolve(frame) if identity is not None else frame)
    return frames


def learn_log_identity(log: RawLog) -> Identity:
    """One streaming pass over the ids of usable rows."""
    pairs = []
    for file in log.files:
        read = canonical(file)
        if "anonymous" in read.ids:
            pairs.append(
                read.frame.select(
                    read.ids["user"].alias("user"),
                    read.ids["anonymous"].alias("anonymous"),
                    usable(read.faults).alias("usable"),
                ).filter("usable")
            )
    return learn_identity(pl.concat(pairs))


def free_name(file: LogFile) -> str:
    """A column name that the file does not use."""
    name = "row"
    while name in file.dtypes:
        name += "_"
    return name


def collect_files(queries: Iterable[pl.LazyFrame], files: Iterable[LogFile]) -> list[pl.DataFrame]:
    """Collect one query per file, several at once; an unreadable file is named."""
    pending, frames = list(zip(queries, files, strict=True)), []
    for start in range(0, len(pending), _FILES_AT_ONCE):
        batch = pending[start : start + _FILES_AT_ONCE]
        try:
            frames += pl.collect_all([query for query, _ in batch])
        except (pl.exceptions.PolarsError, OSError) as error:
            raise naming_file(batch, error) from error
    return frames


def naming_file(batch: Sequence[tuple[pl.LazyFrame, LogFile]], error: Exception) -> SourceError:
    """The error of reading some files, naming the one that it came from."""
    if len(batch) == 1:
        return unreadable(batch[0][1].path, error)
    for query, file in batch:
        try:
            query.collect()
        except (pl.exceptions.PolarsError, OSError) as own:
            return unreadable(file.path, own)
    return unreadable("the log", error)
