"""Large Parquet files read batch by batch: memory that one batch was decoded into serves the next.

Reading a file whole holds every column twice for a while, as decoded and as kept. Here only the ids are kept as they
come; times, codes and numbers go straight to where they stay. Labels that the file holds as codes are read as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.events.coded import Coded, CodedEvents, Codes, narrow, recode
from journeymine.events.parquet_labels import ParquetLabels, UnreadableLabelsError, label_columns
from journeymine.events.raw_log import RawLog, memory_queries, naming_file
from journeymine.events.sources import LogFile
from journeymine.parallel import on_all_cores

__all__ = ["BatchedLog", "read_batches", "suits_batches"]

_MOST_FILES = 8
"""More are read several at once, each whole."""
_MANY_ROWS = 1 << 22
"""From here on, importing what reads dictionaries costs less than it saves."""


@dataclass(frozen=True, slots=True)
class BatchedLog:
    """A log as read; see `LoadedLog`, whose parts these are."""

    coded: CodedEvents
    heights: tuple[int, ...]
    faulty: tuple[npt.NDArray[np.int64], ...]
    accepted: tuple[int, ...]
    spans: tuple[tuple[int, int] | None, ...]


def suits_batches(log: RawLog) -> bool:
    """Whether the log is a few Parquet files, which say how long they are, and whose rows are each judged by themselves."""
    plain = not log.judges_users and not log.has_anonymous and not any(schema.currency_column for schema in log.schemas)
    return plain and len(log.files) <= _MOST_FILES and all(f.path.endswith((".parquet", ".pq")) for f in log.files)


def read_batches(log: RawLog) -> BatchedLog:
    """Read and code the log.

    Raises
    ------
    SourceError : a file cannot be read.
    """
    categories = {name: pl.Categories.random(name) for name in log.labels}
    lengths = [_length(file) for file in log.files]
    columns = [label_columns(file) if n >= _MANY_ROWS else {} for file, n in zip(log.files, lengths, strict=True)]
    queries = memory_queries(log, categories, columns)
    kept = _Kept(log, categories, sum(lengths))
    heights, faulty, accepted, spans = [], [], [], []
    for file, query, coded in zip(log.files, queries, columns, strict=True):
        before, height, bad, span = kept.n, 0, [np.zeros(0, dtype=np.int64)], _Span()
        try:
            with closing(ParquetLabels(file, coded, categories)) as reader:
                for batch in query.collect_batches(maintain_order=True):
                    good, labels, unusable = _usable_rows(batch, reader.read(batch.height))
                    bad.append(unusable + height)
                    height += batch.height
                    span.widen(good.get_column("timestamp"))
                    kept.add(good, labels)
        except (pl.exceptions.PolarsError, UnreadableLabelsError, OSError) as error:
            raise naming_file([(query, file)], error) from error
        heights.append(height)
        faulty.append(np.concatenate(bad))
        accepted.append(kept.n - before)
        spans.append(span.known)
    return BatchedLog(kept.coded(), tuple(heights), tuple(faulty), tuple(accepted), tuple(spans))


def _length(file: LogFile) -> int:
    query = file.frame.select(pl.len())
    try:
        return int(query.collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise naming_file([(query, file)], error) from error


def _usable_rows(
    batch: pl.DataFrame, labels: Mapping[str, Codes]
) -> tuple[pl.DataFrame, Mapping[str, Codes], npt.NDArray[np.int64]]:
    """The usable rows of a batch, the codes of their labels, and where the other rows are."""
    usable = batch.get_column("usable")
    if "touchpoint" in labels:
        usable &= pl.Series(labels["touchpoint"] != 0)
    if usable.all():
        return batch, labels, np.zeros(0, dtype=np.int64)
    mask = usable.to_numpy()
    return batch.filter(usable), {name: codes[mask] for name, codes in labels.items()}, np.flatnonzero(~mask)


class _Span:
    """First and last timestamp, µs."""

    def __init__(self) -> None:
        self.known: tuple[int, int] | None = None

    def widen(self, timestamps: pl.Series) -> None:
        first, last = timestamps.min(), timestamps.max()
        if isinstance(first, int) and isinstance(last, int):
            low, high = self.known or (first, last)
            self.known = (min(low, first), max(high, last))


class _Kept:
    """Columns that batches are written into; room for all rows, of which some may turn out to be unusable."""

    def __init__(self, log: RawLog, categories: Mapping[str, pl.Categories], n_rows: int) -> None:
        self.n = 0
        self._categories = categories
        # Categories forget their labels with the last series of theirs.
        self._pools = [pl.Series([], dtype=pl.Categorical(pool)) for pool in categories.values()]
        self._users: list[pl.Series] = [pl.Series("user", [], dtype=pl.String)]
        self._numbers = {name: np.empty(n_rows, np.int64) for name in ("timestamp", *log.numbers, *log.tie_breaks)}
        self._log = log
        # 0 stands for null, any other number for the category before it
        self._codes: dict[str, npt.NDArray[Any]] = {name: np.empty(n_rows, np.uint8) for name in categories}

    def add(self, batch: pl.DataFrame, labels: Mapping[str, Codes]) -> None:
        """Add rows, all of them usable, and the codes of the labels that are not in the batch."""
        there = slice(self.n, self.n + batch.height)
        self._users.append(batch.get_column("user"))
        for name, numbers in self._numbers.items():
            column = batch.get_column(name)
            numbers[there] = (column.fill_null(MISSING) if column.null_count() else column).to_numpy()
        for name in self._codes:
            codes = labels[name] if name in labels else _codes_of(batch.get_column(name))
            if (most := int(codes.max(initial=0))) > np.iinfo(self._codes[name].dtype).max:
                self._codes[name] = narrow(self._codes[name], most + 1)
            self._codes[name][there] = codes
        self.n += batch.height

    def coded(self) -> CodedEvents:
        """The rows, coded."""

        def coded(name: str) -> Coded:
            known = [None, *(label or None for label in self._categories[name])]
            return recode([self._codes.pop(name)[: self.n]], known)

        labels = dict(zip(self._categories, on_all_cores(coded, self._categories), strict=True))
        numbers = {name: numbers[: self.n] for name, numbers in self._numbers.items()}
        return CodedEvents(
            user=pl.concat(self._users),
            timestamp=numbers["timestamp"],
            labels=labels,
            numbers={name: numbers[name] for name in self._log.numbers},
            tie_break=tuple(numbers[name] for name in self._log.tie_breaks),
        )


def _codes_of(column: pl.Series) -> Codes:
    """One more than the code of each category, 0 for null."""
    return (column.to_physical().cast(pl.UInt32) + 1).fill_null(0).to_numpy()
