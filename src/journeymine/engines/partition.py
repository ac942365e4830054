"""A log larger than memory, brought into bucket files that each hold whole users.

One streaming query per group of files reads, checks and codes the rows and writes each to the bucket of its user. The
bucket is a hash of the user that is good within this process only: a partition that was not finished is made anew, a
finished one needs the hash no more. Labels are written as small integers; what they stand for is written beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.engines.part import vocabulary
from journeymine.errors import EngineError
from journeymine.events.faults import ACCEPTED
from journeymine.events.log import Events
from journeymine.journeys.context import n_latest

__all__ = ["BucketFiles", "Tick", "partition"]

Tick = Callable[[float], None]
"""Called with the share of the work that is done; raise from it to cancel."""

GROUP_ROWS = 20_000_000
"""Rows written by one query: few files per bucket, and progress that moves."""

_POLL_S = 0.05

_KEY = "__bucket"
"""Column and folders of a row's bucket; no attribute can be called so."""


@dataclass(frozen=True, slots=True)
class BucketFiles:
    """A finished partition.

    Attributes
    ----------
    buckets : files of each bucket, relative to the folder; rows in input order within a file and from file to file.
    codes : per label column, what each code in the files stands for.
    labels : per label column, the sorted vocabulary of usable rows as it is handed out.
    latest : the latest timestamps of usable rows, µs.
    """

    buckets: tuple[tuple[str, ...], ...]
    codes: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]]
    latest: npt.NDArray[np.int64]

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "buckets": self.buckets,
            "codes": dict(self.codes),
            "labels": dict(self.labels),
            "latest": self.latest.tolist(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> BucketFiles:
        """Read what `to_data` wrote."""
        return cls(
            tuple(map(tuple, data["buckets"])),
            {name: tuple(known) for name, known in data["codes"].items()},
            {name: tuple(known) for name, known in data["labels"].items()},
            np.array(data["latest"], dtype=np.int64),
        )

    def read(self, folder: Path, bucket: int) -> pl.DataFrame:
        """The rows of one bucket as `Events.scan` gives them, labels as categoricals, all usable in themselves."""
        frame = pl.concat(
            [pl.read_parquet(folder / name, glob=False, hive_partitioning=False) for name in self.buckets[bucket]],
            rechunk=True,
        )
        decoded = []
        for name, known in self.codes.items():
            categories = pl.Categorical(pl.Categories.random(name))
            labels = pl.Series(name, known, dtype=pl.String).cast(categories)
            decoded.append(labels.gather(frame.get_column(name)))
        return frame.with_columns(*decoded, pl.lit(ACCEPTED, dtype=pl.UInt8).alias("reason"))


def partition(events: Events, n_buckets: int, folder: Path, tick: Tick) -> BucketFiles:
    """Write the usable rows of `events` into `n_buckets` buckets under `folder`, which does not exist yet.

    Memory stays at a few hundred megabytes whatever the size of the log.

    Raises
    ------
    EngineError : the files cannot be written.
    """
    categories = {name: pl.Categories.random(name) for name in events.labels}
    queries = [_bucketed(frame, categories, n_buckets) for frame in events.scan()]
    heights = events.survey().heights
    folder.mkdir(parents=True)
    done, whole = 0, max(1, sum(heights))
    for number, group in enumerate(_groups(heights)):
        target = pl.PartitionBy(
            folder / f"group-{number:04}", key=_KEY, include_key=False, approximate_bytes_per_file=None
        )
        # zstd costs more time than the bytes that it saves on files that live for minutes
        query = pl.concat([queries[i] for i in group]).sink_parquet(
            target, mkdir=True, lazy=True, compression="lz4", statistics=False
        )
        share = done / whole
        _run(query, lambda share=share: tick(share), folder)  # type: ignore[misc]
        done += sum(heights[i] for i in group)
    codes = {name: tuple(label or "" for label in known) for name, known in categories.items()}
    return _look(folder, n_buckets, codes, sum(events.survey().usable))


def _bucketed(frame: pl.LazyFrame, categories: Mapping[str, pl.Categories], n_buckets: int) -> pl.LazyFrame:
    coded = [pl.col(name).cast(pl.Categorical(known)).to_physical() for name, known in categories.items()]
    bucket = (pl.col("user").hash(seed=0) % n_buckets).cast(pl.UInt32).alias(_KEY)
    # origin of a row: for its order, and for what is set aside later
    unused = ["reason"] if "event_id" in frame.collect_schema() else ["reason", "source"]
    return frame.filter(pl.col("reason") == ACCEPTED).with_columns(*coded, bucket).drop(unused)


def _groups(heights: Sequence[int]) -> Iterator[list[int]]:
    """Consecutive files with about `GROUP_ROWS` rows together."""
    group: list[int] = []
    rows = 0
    for number, height in enumerate(heights):
        if group and rows + height > GROUP_ROWS:
            yield group
            group, rows = [], 0
        group.append(number)
        rows += height
    yield group


def _run(query: pl.LazyFrame, tick: Callable[[], None], folder: Path) -> None:
    """Run a query beside this thread, so that whoever waits can cancel."""
    running = query.collect(background=True)
    try:
        while running.fetch() is None:
            tick()
            time.sleep(_POLL_S)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise EngineError(
            f"the log cannot be written into buckets in {folder}: {error}", hint="look at the free space there"
        ) from error
    except BaseException:
        running.cancel()
        with suppress(pl.exceptions.PolarsError, OSError):  # what it ends with says less than why it was to end
            running.fetch_blocking()
        raise


def _look(folder: Path, n_buckets: int, codes: Mapping[str, tuple[str, ...]], n_rows: int) -> BucketFiles:
    """What the written files hold, from their label and time columns alone."""
    files = sorted(folder.glob(f"group-*/{_KEY}=*/*.parquet"))
    buckets: list[list[str]] = [[] for _ in range(n_buckets)]
    for file in files:
        buckets[int(file.parent.name.removeprefix(f"{_KEY}="))].append(str(file.relative_to(folder)))
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=False)
    labels = {}
    for name, known in codes.items():
        used = rows.select(pl.col(name).unique()).collect().get_column(name).to_list()
        labels[name] = vocabulary([None if code is None else known[code] for code in used])
    latest = rows.select(pl.col("timestamp").top_k(n_latest(n_rows))).collect().get_column("timestamp").to_numpy()
    return BucketFiles(tuple(map(tuple, buckets)), codes, labels, latest)
