"""The one full pass in memory: from opened files to `CodedEvents`, with what was set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.errors import SchemaError
from journeymine.events.batches import read_batches, suits_batches
from journeymine.events.coded import Coded, CodedEvents, recode
from journeymine.events.event_rules import judge_users
from journeymine.events.faults import ACCEPTED
from journeymine.events.identity import Identity, learn_identity
from journeymine.events.raw_log import RawLog, collect_files, memory_queries

__all__ = ["LoadedLog", "check_currencies", "code_frame", "load"]

_JUDGED = {"file": pl.UInt32, "row": pl.Int64, "reason": pl.UInt8}


@dataclass(frozen=True, slots=True)
class LoadedLog:
    """What one pass over the log yields beside its events.

    Attributes
    ----------
    heights : rows read per file.
    faulty : per file, the positions of rows that are unusable in themselves.
    judged : rows that failed a check over their whole user; columns file, row, reason.
    accepted : accepted rows per file; accepted events are in file order.
    spans : per file, first and last timestamp in µs of the rows usable in themselves; None where there are none.
    identity : what was learnt about anonymous ids; None without them.
    currency : of all money, None when not declared.
    """

    heights: tuple[int, ...]
    faulty: tuple[npt.NDArray[np.int64], ...]
    judged: pl.DataFrame
    accepted: tuple[int, ...]
    spans: tuple[tuple[int, int] | None, ...]
    identity: Identity | None
    currency: str | None


def load(log: RawLog) -> tuple[CodedEvents, LoadedLog]:
    """Read `log` whole: its accepted events, and the rest.

    Raises
    ------
    SourceError : a file cannot be read.
    SchemaError : money in several currencies.
    """
    if suits_batches(log):
        read = read_batches(log)
        nobody = pl.DataFrame(schema=_JUDGED)
        currency = check_currencies(log, [set() for _ in log.files])
        return read.coded, LoadedLog(
            read.heights, read.faulty, nobody, read.accepted, read.spans, identity=None, currency=currency
        )
    # one pool of codes per label, so that codes are dense; random names, so that nothing outlives the pass
    categories = {name: pl.Categories.random(name) for name in log.labels}
    frames = collect_files(memory_queries(log, categories), log.files)
    heights = tuple(frame.height for frame in frames)
    faulty = tuple(_faulty(frame) for frame in frames)
    frames = [frame if not len(bad) else frame.filter("usable") for frame, bad in zip(frames, faulty, strict=True)]
    spans = tuple(_span(frame.get_column("timestamp")) for frame in frames)
    currency = check_currencies(log, _currencies(frames))
    accepted = tuple(frame.height for frame in frames)
    if log.judges_users:
        frames = [_with_origin(frame, log, i, heights[i], faulty[i]) for i, frame in enumerate(frames)]
    events = pl.concat([frame.drop("usable", "currency", strict=False) for frame in frames])
    del frames
    identity = None
    if log.has_anonymous:
        identity = learn_identity(events.lazy().select("user", "anonymous"))
        events = identity.resolve(events.lazy()).collect()
    judged = pl.DataFrame(schema=_JUDGED)
    if log.judges_users:
        events = judge_users(events, log.rules)
        judged = events.filter(pl.col("reason") != ACCEPTED).select("file", "row", "reason")
        events = events.filter(pl.col("reason") == ACCEPTED)
        accepted = tuple(int((events["file"] == i).sum()) for i in range(len(heights)))
    coded = code_frame(events, attributes=log.labels, tie_breaks=log.tie_breaks, numbers=log.numbers)
    return coded, LoadedLog(heights, faulty, judged, accepted, spans, identity, currency)


def code_frame(
    frame: pl.DataFrame, *, attributes: tuple[str, ...], numbers: tuple[str, ...] = (), tie_breaks: tuple[str, ...] = ()
) -> CodedEvents:
    """Code canonical events, all of them accepted and in input order.

    Parameters
    ----------
    frame : columns user, timestamp, and those named; labels as strings or categoricals, null where absent.
    attributes, numbers, tie_breaks : the label, number and tie-break columns to keep.

    Examples
    --------
    >>> rows = pl.DataFrame({"user": ["a", "b"], "timestamp": [1, 2], "touchpoint": ["x", "y"], "channel": ["", "web"]})
    >>> code_frame(rows, attributes=("touchpoint", "channel")).labels["channel"].decode().to_list()
    ['(unknown)', 'web']
    """
    plain = {name: _numbers(frame.get_column(name)) for name in (*numbers, *tie_breaks)}
    return CodedEvents(
        user=frame.get_column("user"),
        timestamp=_numbers(frame.get_column("timestamp")),
        labels={name: _code(frame.get_column(name)) for name in attributes},
        numbers={name: plain[name] for name in numbers},
        tie_break=tuple(plain[name] for name in tie_breaks),
    )


def _code(labels: pl.Series) -> Coded:
    if labels.dtype == pl.String:
        labels = labels.cast(pl.Categorical(pl.Categories.random(labels.name)))
    dtype = labels.dtype
    assert isinstance(dtype, pl.Categorical)
    known: list[str | None] = [label or None for label in dtype.categories]
    codes = labels.to_physical()
    if codes.null_count():
        codes = codes.fill_null(len(known))
        known.append(None)
    return recode(_pieces(codes), known)


def _numbers(numbers: pl.Series) -> npt.NDArray[np.int64]:
    pieces = _pieces(numbers.fill_null(MISSING) if numbers.null_count() else numbers)
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _pieces(numbers: pl.Series) -> list[npt.NDArray[Any]]:
    """The pieces that a series without nulls consists of, none of them copied."""
    return [piece.to_numpy() for piece in numbers.get_chunks()] or [numbers.to_numpy()]


def _faulty(frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    usable = frame.get_column("usable")
    if usable.all():
        return np.empty(0, dtype=np.int64)
    return (~usable).arg_true().cast(pl.Int64).to_numpy()


def _span(timestamps: pl.Series) -> tuple[int, int] | None:
    first, last = timestamps.min(), timestamps.max()
    return (first, last) if isinstance(first, int) and isinstance(last, int) else None


def _with_origin(
    frame: pl.DataFrame,
    log: RawLog,
    file: int,
    height: int,
    faulty: npt.NDArray[np.int64],
) -> pl.DataFrame:
    """Add file, row, source and an accepting reason to the usable rows of one file."""
    rows = np.delete(np.arange(height, dtype=np.int64), faulty)
    return frame.with_columns(
        pl.Series("row", rows),
        pl.lit(file, dtype=pl.UInt32).alias("file"),
        pl.lit(log.files[file].source, dtype=pl.UInt16).alias("source"),
        pl.lit(ACCEPTED, dtype=pl.UInt8).alias("reason"),
    )


def _currencies(frames: list[pl.DataFrame]) -> list[set[str]]:
    """The currencies named in each file's rows."""
    return [set(frame["currency"].drop_nulls().unique()) if "currency" in frame.columns else set() for frame in frames]


def check_currencies(log: RawLog, named: list[set[str]]) -> str | None:
    """The one currency of all money; `named` are those in each file's currency column.

    Raises
    ------
    SchemaError : several currencies, or money with and without one; names the sources.
    """
    found: dict[str | None, list[str]] = {}
    for file, in_rows in zip(log.files, named, strict=True):
        schema = file.schema
        if schema.value is None and schema.cost is None:
            continue
        own: Mapping[str | None, None] = (
            dict.fromkeys(sorted(in_rows))
            if schema.currency_column
            else {schema.currency.strip().upper() if schema.currency else None: None}
        )
        for currency in own:
            found.setdefault(currency, []).append(file.path)
    if len(found) > 1:
        listed = "; ".join(
            f"{currency or 'no currency'} in {', '.join(dict.fromkeys(paths))}" for currency, paths in found.items()
        )
        raise SchemaError(
            f"money in several currencies: {listed}",
            hint="convert to one currency before reading, or read them as separate logs",
        )
    return next(iter(found), None)
