"""What Spark's workers run after the shuffle: whole users to counts, and counts to fewer counts.

Counts travel as rows (item, table, payload): the position of the measure, the name of its table, and the table as an
Arrow file. Item −1 is the tally of the log, item −2 an error of ours, told to whoever asked.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from journeymine import errors
from journeymine.counting.counts import Basis, Counts
from journeymine.counting.measure import Measure, question_of
from journeymine.engines.part import PartPlan, count_part
from journeymine.engines.tally import LogTally
from journeymine.errors import JourneymineError
from journeymine.events.stage_map import StageMap
from journeymine.journeys.facts import declared_labels
from journeymine.journeys.notes import is_unstaged, mergeable_notes

__all__ = ["COUNTED", "SparkPlan", "count_rows", "merge_rows", "to_counts"]

COUNTED = pa.schema([("item", pa.int64()), ("name", pa.string()), ("payload", pa.binary())])
"""Shape of counts between workers."""

TALLY, ERROR = -1, -2

Row = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class SparkPlan:
    """All that a worker needs beside the rows.

    Attributes
    ----------
    part : plan of the kernel.
    measures : what to count.
    ordered : whether every row carries its place in the input.
    """

    part: PartPlan
    measures: tuple[Measure, ...]
    ordered: bool


def count_rows(batches: Iterable[pa.RecordBatch], plan: SparkPlan) -> Iterator[pa.RecordBatch]:
    """Count the users of one partition: **all** batches of it, for a batch ends in the middle of a user."""
    gathered = list(batches)
    if not gathered:
        return
    frame = pl.from_arrow(pa.Table.from_batches(gathered))
    assert isinstance(frame, pl.DataFrame)
    del gathered
    try:
        frame, n_content_ties = _in_some_order(frame, plan)
        counts, tally = count_part(frame, plan.measures, plan.part)
    except JourneymineError as error:
        told = json.dumps([type(error).__name__, error.message, error.hint])
        yield from _batches([(ERROR, "", told.encode())])
        return
    rows = [(item, name, _pack(table)) for item, part in enumerate(counts) for name, table in part.tables.items()]
    tallied = json.dumps([n_content_ties, tally.to_json()])
    yield from _batches([*rows, (TALLY, "", tallied.encode())])


def _in_some_order(frame: pl.DataFrame, plan: SparkPlan) -> tuple[pl.DataFrame, int]:
    """Rows that know their place in the input, if need be one made up from their content.

    Also the number of ties that only the content could break.
    """
    typed = frame.with_columns(
        pl.col("file").cast(pl.UInt32), pl.col("source").cast(pl.UInt16), pl.col("reason").cast(pl.UInt8)
    )
    if plan.ordered:
        return typed, 0
    first = ["file", "row", "user", "timestamp", *plan.part.tie_breaks]
    content = [name for name in typed.columns if name not in (*first, "source", "reason")]
    typed = typed.sort(first + content)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in first)
    alike = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in content)
    # the first row is compared with nothing
    tied = typed.select(pl.col("row").is_null() & same & ~alike).to_series().slice(1)
    return typed.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)), int(tied.sum())


def merge_rows(batches: Iterable[pa.RecordBatch], plan: SparkPlan) -> Iterator[pa.RecordBatch]:
    """Add the counts of several partitions."""
    rows = [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
    yield from _batches(_merge(rows, plan))


def _merge(rows: Iterable[Row], plan: SparkPlan) -> list[Row]:
    grouped: dict[tuple[int, str], list[bytes]] = defaultdict(list)
    for item, name, payload in rows:
        grouped[item, name].append(payload)
    merged = []
    for (item, name), payloads in sorted(grouped.items()):
        if len(payloads) == 1:
            merged.append((item, name, payloads[0]))
        elif item == ERROR:
            merged.append((item, name, min(payloads)))
        elif item == TALLY:
            told = [json.loads(payload) for payload in payloads]
            tally = LogTally.merge((LogTally.from_json(text) for _, text in told), plan.part.n_latest)
            merged.append((item, name, json.dumps([sum(n for n, _ in told), tally.to_json()]).encode()))
        else:
            spec = plan.measures[item].specs()[name]
            merged.append((item, name, _pack(spec.merge([_unpack(payload) for payload in payloads]))))
    return merged


def to_counts(rows: Sequence[Row], plan: SparkPlan) -> tuple[list[Counts], LogTally, int]:
    """Counts per measure, the tally, and how many ties only content could break.

    Raises
    ------
    JourneymineError : whatever a worker raised, as itself.
    """
    merged = {(item, name): payload for item, name, payload in _merge(rows, plan)}
    if (ERROR, "") in merged:
        kind, message, hint = json.loads(merged[ERROR, ""])
        raise getattr(errors, kind)(message, hint=hint)
    stages = plan.part.stages or StageMap()
    labels = {**plan.part.labels, **declared_labels(plan.part.stages)}
    unstaged = is_unstaged(plan.part.rules, plan.part.stages)
    notes = mergeable_notes(plan.part.rules, labels, unstaged=unstaged)
    basis = Basis(plan.part.rules, plan.part.context, stages.names, stages.fingerprint, notes)
    counts = []
    for item, measure in enumerate(plan.measures):
        specs = measure.specs()
        tables = {name: _unpack(merged[item, name]) for name in specs}
        counts.append(Counts(question_of(measure), basis, specs, tables))
    n_content_ties, text = json.loads(merged[TALLY, ""])
    return counts, LogTally.from_json(text), n_content_ties


def _batches(rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """A batch per table: together they may be longer than one Arrow column of bytes."""
    for row in rows:
        columns = [pa.array([value], type=kind) for value, kind in zip(row, COUNTED.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=COUNTED)


def _pack(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None, compression="lz4").getvalue()


def _unpack(payload: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(payload))
