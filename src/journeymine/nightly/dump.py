"""Read one night's dump: accepted rows in order of arrival, and everything that is set aside, with its reason."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from journeymine.errors import SchemaError, StateError, WildTimestampError
from journeymine.events.config import Config
from journeymine.events.event_rules import clean_users
from journeymine.events.faults import ACCEPTED
from journeymine.events.log import Events
from journeymine.events.quarantine import enforce_limit
from journeymine.events.read import read_events
from journeymine.events.sources import Source
from journeymine.events.timestamps import EARLIEST_US, LATEST_US
from journeymine.instants import until_us
from journeymine.journeys.context import check_latest, n_latest
from journeymine.nightly.rows import RowShape
from journeymine.nightly.settings import Settings

__all__ = ["Dump", "instant", "open_dump", "read_dump", "shape_of"]


@dataclass(frozen=True)
class Dump:
    """What a dump holds, before it meets what is known already.

    Attributes
    ----------
    content : SHA-256 of the files, or of the rows where there are none.
    name : what the report calls it.
    accepted : rows usable in themselves, one per event, with source and event_id beside the columns of the shape.
    aside : reason, source, file, row and what could be read of the rows set aside.
    rows_read : all rows.
    last : µs of the last usable timestamp, with several sources the earliest of their ends; None without any.
    currency : that the rows name for their money; None where no column does, or no row has any.
    """

    content: str
    name: str
    accepted: pl.DataFrame
    aside: pl.DataFrame
    rows_read: int
    last: int | None
    currency: str | None


def instant(given: Any, zone: str) -> int | None:
    """µs since 1970 UTC of a date (its end), a datetime, ISO text or µs; naive ones are local to `zone`.

    >>> instant("2026-03-01", "UTC") == instant("2026-03-02T00:00:00+00:00", "Europe/Berlin")
    True
    """
    return None if given is None else _in_range(until_us(given, name="until", error=StateError, zone=zone), given)


def _in_range(us: int, said: Any) -> int:
    """The instant, where an event could have been then."""
    if not EARLIEST_US <= us <= LATEST_US:
        raise StateError(
            f"until={said} lies outside the times that events can have", hint="check the year and the unit, µs"
        )
    return us


def open_dump(settings: Settings, dump: Any) -> Events:
    """Open a dump with the schema of the state.

    Parameters
    ----------
    dump : a file; a folder, in which the sources' own paths are looked for; a frame; or `Events` already opened.

    Raises
    ------
    SchemaError, SourceError : the dump does not hold what the state was created for.
    """
    config = settings.config
    if isinstance(dump, Events):
        return dump
    if isinstance(dump, str | Path) and Path(dump).is_dir():
        sources = tuple(replace(s, data=_below(Path(dump), s.data)) for s in config.sources)
    elif len(config.sources) == 1:
        sources = (
            Source(str(dump) if isinstance(dump, Path) else dump, config.sources[0].schema, config.sources[0].name),
        )
    else:
        raise SchemaError(
            f"this state reads {len(config.sources)} sources, and the dump is one",
            hint="give the folder that holds them",
        )
    opened = Config(sources, config.stages, config.event_rules, {}, config.max_quarantine_share)
    return read_events(opened)


def _below(folder: Path, path: Any) -> Any:
    if isinstance(path, list):
        return [_below(folder, each) for each in path]
    return str(folder / path) if path else str(folder / "*.parquet")


def shape_of(events: Events) -> RowShape:
    """The columns of the rows of a log."""
    tie_breaks = max((len(schema.tie_break) for schema in events.schemas), default=0)
    return RowShape(events.labels, events.numbers, tuple(f"tie_break_{level}" for level in range(tie_breaks)))


def read_dump(settings: Settings, dump: Any) -> Dump:
    """Read a dump whole.

    Raises
    ------
    SourceError : a file of it cannot be read.
    SchemaError : its money is in several currencies.
    QuarantineLimitError : too large a share of its rows cannot be used.
    """
    events = open_dump(settings, dump)
    shape = shape_of(events)
    frames = events.rows()
    currency = events.currency if any(schema.currency_column for schema in events.schemas) else None
    rows = pl.concat(frames)
    content = _content(events, rows, currency)
    accepted, late = clean_users(rows.filter(pl.col("reason") == ACCEPTED), events.rules)
    aside = pl.concat([rows.filter(pl.col("reason") != ACCEPTED), late]).sort("file", "row")
    named = _named(aside, events)
    by_reason = Counter(named["reason"].to_list())
    by_file = Counter(named["file"].to_list())
    enforce_limit(rows.height, dict(by_reason.most_common()), by_file, events.max_quarantine_share)
    ends = [
        int(last) for frame in frames for last in [frame.filter(pl.col("reason") == ACCEPTED)["timestamp"].max()]
        if isinstance(last, int)
    ] if len(events.sources) == 1 else list(_ends(frames).values())  # fmt: skip
    last = (max(ends) if len(events.sources) == 1 else min(ends)) if ends else None
    names = [*([] if "event_id" not in accepted.columns else ["event_id"]), "source"]
    kept = [c for c in shape.columns if c != "night"] + names
    return Dump(content, _name(dump, events), accepted.select(kept), named, rows.height, last, currency)


def check_times(dump: Dump, settings: Settings) -> None:
    """Refuse a dump whose own last timestamp would decide for good what is late, where it stands apart from the rest."""
    time = dump.accepted["timestamp"].to_numpy()
    if len(time):
        n = n_latest(len(time))
        check_latest(len(time), np.sort(time)[-n:], settings.rules)


def check_jump(until: int, before: int | None, settings: Settings) -> None:
    """Refuse an unstated jump ahead by more than `idle`: one stray timestamp would close every journey."""
    if before is not None and until - before > settings.rules.idle_us:
        raise WildTimestampError(
            f"the dump ends at {np.datetime64(until, 'us')}, which is {(until - before) / 86_400_000_000:.0f} days "
            f"after the last night at {np.datetime64(before, 'us')} and more than idle={settings.rules.idle}",
            hint="mend a stray timestamp, or say until when the log is complete with --until",
        )


def _ends(frames: list[pl.DataFrame]) -> dict[int, int]:
    """Last usable timestamp of each source that has any."""
    ends = pl.concat([f.filter(pl.col("reason") == ACCEPTED).select("source", "timestamp") for f in frames])
    return dict(ends.group_by("source").agg(pl.col("timestamp").max()).sort("source").iter_rows())


def _named(aside: pl.DataFrame, events: Events) -> pl.DataFrame:
    """Rows set aside with their reason, source and file in words."""
    files = pl.Series(events.files, dtype=pl.String)
    sources = pl.Series(events.sources, dtype=pl.String)
    reasons = pl.Series(events.reasons, dtype=pl.String)
    return aside.select(
        reasons.gather(aside["reason"].cast(pl.UInt32)).alias("reason"),
        sources.gather(aside["source"].cast(pl.UInt32)).alias("source"),
        files.gather(aside["file"]).alias("file"),
        "row",
        "user",
        "timestamp",
        "touchpoint",
    )


def _content(events: Events, rows: pl.DataFrame, currency: str | None) -> str:
    """What the dump says, by its bytes: those of its files, or those of its rows and the currency they name."""
    paths = [Path(path) for path in events.files]
    digest = hashlib.sha256()
    if all(path.is_file() for path in paths):
        for path in paths:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()
    out = io.BytesIO()
    rows.rechunk().write_ipc(out)
    digest.update(out.getvalue() + (currency or "").encode())
    return digest.hexdigest()


def _name(dump: Any, events: Events) -> str:
    if not isinstance(dump, str | Path):
        return f"<{', '.join(events.sources)}>"
    name = Path(dump).name
    return name if name.strip(".") else Path(dump).resolve().name


def counts_by_reason(aside: pl.DataFrame) -> Mapping[str, int]:
    """Rows set aside by reason, the largest first."""
    counted = aside.group_by("reason").len().sort("len", "reason", descending=[True, False])
    return dict(counted.iter_rows())
