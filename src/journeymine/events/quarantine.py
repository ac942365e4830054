"""The rows set aside, with their reason and origin, fetched when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from journeymine.errors import QuarantineLimitError
from journeymine.events.canonical import canonical
from journeymine.events.event_rules import reason_names
from journeymine.events.faults import ACCEPTED, first_fault
from journeymine.events.memory_pass import LoadedLog
from journeymine.events.raw_log import RawLog, collect_files, free_name
from journeymine.percents import percent

__all__ = ["check_limit", "enforce_limit", "quarantine_frame", "reason_counts"]


def _set_aside(log: RawLog, loaded: LoadedLog, *, raw: bool) -> list[pl.DataFrame]:
    """Per file: row, reason code, and the used columns as text if `raw`, of the rows set aside, by row."""
    queries, files = [], []
    for number, (file, faulty) in enumerate(zip(log.files, loaded.faulty, strict=True)):
        judged = loaded.judged.filter(pl.col("file") == number)
        if not len(faulty) and not len(judged):
            continue
        index = free_name(file)
        texts = [pl.col(column).cast(pl.String).alias(f"raw_{column}") for column in file.schema.used_columns] * raw
        read = canonical(file)
        code = first_fault(read.faults).alias("reason")
        rows = pl.concat([pl.Series("row", faulty), judged.get_column("row")])
        query = (
            read.frame.with_row_index(index)
            .select(pl.col(index).cast(pl.Int64).alias("row"), code, *texts)
            .filter((pl.col("reason") != ACCEPTED) | pl.col("row").is_in(rows.implode()))
        )
        late = judged.select("row", late="reason").lazy()
        queries.append(
            query.join(late, on="row", how="left")
            .with_columns(reason=pl.coalesce("late", "reason"))
            .drop("late")
            .sort("row")
            .with_columns(file=pl.lit(file.path), source=pl.lit(file.source_name))
        )
        files.append(file)
    return collect_files(queries, files)


def quarantine_frame(log: RawLog, loaded: LoadedLog) -> pl.DataFrame:
    """All rows set aside: reason, source, file, row, then the used columns of all sources as text."""
    names = reason_names(log.rules)
    empty = pl.DataFrame(
        schema={
            "reason": pl.String,
            "source": pl.String,
            "file": pl.String,
            "row": pl.Int64,
            **{f"raw_{column}": pl.String for schema in log.schemas for column in schema.used_columns},
        }
    )
    parts = [part.with_columns(reason=_named(part["reason"], names)) for part in _set_aside(log, loaded, raw=True)]
    return pl.concat([empty, *parts], how="diagonal") if parts else empty


def _named(codes: pl.Series, names: tuple[str, ...]) -> pl.Series:
    return pl.Series("reason", names, dtype=pl.String).gather(codes.cast(pl.UInt32))


def reason_counts(log: RawLog, loaded: LoadedLog) -> dict[str, int]:
    """Rows set aside by reason, the largest first."""
    parts = [part.select("reason") for part in _set_aside(log, loaded, raw=False)]
    if not parts:
        return {}
    counted = pl.concat(parts).group_by("reason").len().sort("len", "reason", descending=[True, False])
    names = reason_names(log.rules)
    return {names[code]: count for code, count in counted.iter_rows()}


def check_limit(log: RawLog, loaded: LoadedLog, limit: float) -> None:
    """Raise when more than `limit` of the rows of `loaded` were set aside."""
    read, kept = sum(loaded.heights), sum(loaded.accepted)
    # counted only on the way out: reasons cost a second look at the files
    if read and read - kept > limit * read:
        by_file = {
            file.path: height - accepted
            for file, height, accepted in zip(log.files, loaded.heights, loaded.accepted, strict=True)
        }
        enforce_limit(read, reason_counts(log, loaded), by_file, limit)


def enforce_limit(read: int, by_reason: Mapping[str, int], by_file: Mapping[str, int], limit: float) -> None:
    """Raise when more than `limit` of the rows read were set aside.

    Parameters
    ----------
    read : rows read.
    by_reason, by_file : rows set aside.
    limit : largest share (0-1) that is accepted.

    Raises
    ------
    QuarantineLimitError : names reasons with counts, files, and the way out.
    """
    aside = sum(by_reason.values())
    if not read or aside <= limit * read:
        return
    reasons = "; ".join(f"{reason}: {count:,}" for reason, count in by_reason.items())
    worst = sorted((-count, path) for path, count in by_file.items() if count)
    files = ", ".join(f"{path} ({-count:,})" for count, path in worst[:5])
    more = f" and {len(worst) - 5} more" if len(worst) > 5 else ""
    raise QuarantineLimitError(
        f"{aside:,} of {read:,} rows ({percent(aside / read)}%) cannot be used, more than {percent(limit)}%: "
        f"{reasons}. In {files}{more}",
        hint="look at events.quarantine, mend the schema or the data, or allow more with max_quarantine_share=…",
    )
