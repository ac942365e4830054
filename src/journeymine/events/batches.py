"""Large Parquet files read batch by batch: memory that one batch was decoded into serves the next.

Reading a file whole holds every column twice for a while, as decoded and as kept. Here only the ids are kept as they come;
times, codes and numbers go straight to where they stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.events.coded import CodedEvents, narrow, recode
from journeymine.events.raw_log import RawLog, memory_queries, naming_file

__all__ = ["BatchedLog", "read_batches", "suits_batches"]

_MOST_FILES = 8
"""More are read several at once, each whole."""


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
    queries = memory_queries(log, categories)
    lengths = []
    for file in log.files:
        query = file.frame.select(pl.len())
        try:
            lengths.append(int(query.collect().item()))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise naming_file([(query, file)], error) from error
    kept = _Kept(log, categories, sum(lengths))
    heights, faulty, accepted, spans = [], [], [], []
    for file, query in zip(log.files, queries, strict=True):
        before, height, bad, span = kept.n, 0, [np.zeros(0, dtype=np.int64)], _Span()
        try:
            for batch in query.collect_batches(maintain_order=True):
                usable = batch.get_column("usable")
                if not usable.all():
                    bad.append((~usable).arg_true().cast(pl.Int64).to_numpy() + height)
                height += batch.height
                good = batch if len(bad) == 1 else batch.filter("usable")
                span.widen(good.get_column("timestamp"))
                kept.add(good)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise naming_file([(query, file)], error) from error
        heights.append(height)
        faulty.append(np.concatenate(bad))
        accepted.append(kept.n - before)
        spans.append(span.known)
    return BatchedLog(kept.coded(), tuple(heights), tuple(faulty), tuple(accepted), tuple(spans))


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
        self._users: list[pl.Series] = [pl.Series("user", [], dtype=pl.String)]
        self._numbers = {name: np.empty(n_rows, np.int64) for name in ("timestamp", *log.numbers, *log.tie_breaks)}
        self._log = log
        # 0 stands for null, any other number for the category before it
        self._codes: dict[str, npt.NDArray[Any]] = {name: np.empty(n_rows, np.uint8) for name in categories}

    def add(self, batch: pl.DataFrame) -> None:
        """Add rows, all of them usable."""
        there = slice(self.n, self.n + batch.height)
        self._users.append(batch.get_column("user"))
        for name, numbers in self._numbers.items():
            column = batch.get_column(name)
            numbers[there] = (column.fill_null(MISSING) if column.null_count() else column).to_numpy()
        for name in self._categories:
            column = batch.get_column(name).to_physical()
            nulls = column.is_null().to_numpy() if column.null_count() else None
            codes = (column if nulls is None else column.fill_null(0)).to_numpy()
            if (most := int(codes.max(initial=0)) + 1) > np.iinfo(self._codes[name].dtype).max:
                self._codes[name] = narrow(self._codes[name], most + 1)
            here = self._codes[name][there]
            np.add(codes, 1, out=here, casting="unsafe")
            if nulls is not None:
                here[nulls] = 0
        self.n += batch.height

    def coded(self) -> CodedEvents:
        """The rows, coded."""
        labels = {}
        for name, known in self._categories.items():
            labels[name] = recode([self._codes.pop(name)[: self.n]], [None, *(label or None for label in known)])
        numbers = {name: numbers[: self.n] for name, numbers in self._numbers.items()}
        return CodedEvents(
            user=pl.concat(self._users),
            timestamp=numbers["timestamp"],
            labels=labels,
            numbers={name: numbers[name] for name in self._log.numbers},
            tie_break=tuple(numbers[name] for name in self._log.tie_breaks),
        )
