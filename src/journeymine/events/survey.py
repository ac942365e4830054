"""One light streaming pass that says what a log holds without holding its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNKNOWN, escape_reserved
from journeymine.events.canonical import canonical
from journeymine.events.faults import ACCEPTED, REASONS, first_fault
from journeymine.events.memory_pass import check_currencies
from journeymine.events.raw_log import RawLog, collect_files

__all__ = ["LogSurvey", "cells_of", "sum_up", "survey"]


@dataclass(frozen=True, slots=True)
class LogSurvey:
    """What one streaming pass learnt; checks over whole users are not in it.

    Attributes
    ----------
    heights : rows per file.
    usable : rows per file that are usable in themselves.
    faults : rows set aside by reason, the largest first.
    faults_by_file : rows set aside per file.
    spans : per file, first and last timestamp in µs of the usable rows; None where there are none.
    pairs : touchpoint, channel (``"(unknown)"`` where null, empty in a log without channels), n_events of the usable
        rows, sorted.
    currency : of all money, None when not declared.
    """

    heights: tuple[int, ...]
    usable: tuple[int, ...]
    faults: dict[str, int]
    faults_by_file: dict[str, int]
    spans: tuple[tuple[int, int] | None, ...]
    pairs: pl.DataFrame
    currency: str | None

    @property
    def touchpoints(self) -> tuple[str, ...]:
        """Touchpoint labels, sorted."""
        return tuple(self.pairs["touchpoint"].unique().sort())

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel labels, sorted; none in a log without channels."""
        return tuple(channel for channel in self.pairs["channel"].unique().sort() if channel != SINGLE_CHANNEL)


def survey(log: RawLog) -> LogSurvey:
    """Look `log` over.

    Raises
    ------
    SourceError : a file cannot be read.
    SchemaError : money in several currencies.
    """
    cells = collect_files([cells_of(log, number) for number in range(len(log.files))], log.files)
    return sum_up(log, cells)


def cells_of(log: RawLog, number: int) -> pl.LazyFrame:
    """What the survey needs of one file: rows, first and last timestamp, by reason, touchpoint, channel, currency."""
    read = canonical(log.files[number])
    currency = pl.lit(None, dtype=pl.String) if read.currency is None else read.currency
    return (
        read.frame.select(
            read.timestamp.alias("timestamp"),
            read.labels["touchpoint"].alias("touchpoint"),
            read.labels.get("channel", pl.lit(None, dtype=pl.String)).alias("channel"),
            currency.alias("currency"),
            first_fault(read.faults).alias("reason"),
        )
        .group_by("reason", "touchpoint", "channel", "currency")
        .agg(n=pl.len(), first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
    )


def sum_up(log: RawLog, cells: Sequence[pl.DataFrame]) -> LogSurvey:
    """The survey from the cells of every file; a cell may come in several rows, which add up."""
    good = [cell.filter(pl.col("reason") == ACCEPTED) for cell in cells]
    heights = tuple(int(cell["n"].sum()) for cell in cells)
    usable = tuple(int(cell["n"].sum()) for cell in good)
    aside = pl.concat(cells).filter(pl.col("reason") != ACCEPTED).group_by("reason").agg(pl.col("n").sum())
    return LogSurvey(
        heights,
        usable,
        {REASONS[code]: n for code, n in aside.sort("n", "reason", descending=[True, False]).iter_rows()},
        {file.path: height - kept for file, height, kept in zip(log.files, heights, usable, strict=True)},
        tuple(_span(cell) for cell in good),
        _pairs(pl.concat(good), absent=UNKNOWN if "channel" in log.labels else SINGLE_CHANNEL),
        check_currencies(log, [set(cell["currency"].drop_nulls()) for cell in good]),
    )


def _span(cells: pl.DataFrame) -> tuple[int, int] | None:
    first, last = cells["first"].min(), cells["last"].max()
    return (first, last) if isinstance(first, int) and isinstance(last, int) else None


def _pairs(cells: pl.DataFrame, absent: str) -> pl.DataFrame:
    """Labels as handed out: absent ones named, the caller's own kept apart from ours."""
    summed = (
        cells.with_columns(channel=pl.when(pl.col("channel") != "").then("channel"))
        .group_by("touchpoint", "channel")
        .agg(n_events=pl.col("n").sum())
    )
    channels = [absent if channel is None else escape_reserved(channel) for channel in summed["channel"]]
    touchpoints = [escape_reserved(touchpoint) for touchpoint in summed["touchpoint"]]
    return summed.with_columns(
        pl.Series("touchpoint", touchpoints, dtype=pl.String), pl.Series("channel", channels, dtype=pl.String)
    ).sort("touchpoint", "channel")
