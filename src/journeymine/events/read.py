"""`read_events`: the front door of the events room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from journeymine.errors import SchemaError, SourceError
from journeymine.events.canonical import canonical
from journeymine.events.config import DEFAULT_QUARANTINE_SHARE, Config, read_config
from journeymine.events.event_rules import EventRules
from journeymine.events.log import Events
from journeymine.events.memory_pass import check_currencies
from journeymine.events.raw_log import RawLog
from journeymine.events.schema import EventSchema
from journeymine.events.sources import LogFile, Source, check_first_rows, open_source
from journeymine.events.stage_map import StageMap

__all__ = ["read_events"]


def read_events(
    source: Any,
    schema: EventSchema | None = None,
    *,
    stages: StageMap | Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]] | None = None,
    event_rules: EventRules | Mapping[str, Any] | None = None,
    max_quarantine_share: float | None = None,
    **schema_fields: Any,
) -> Events:
    """Open a log of touchpoint events. Columns and options are checked at once; rows are read when they are needed.

    Parameters
    ----------
    source : a path, a glob (sorted by name), a list of paths, a URL, a Polars frame, anything with
        ``__arrow_c_stream__`` (pandas, pyarrow, DuckDB), a `Source` or a list of them, a `Config`, or the path of a
        ``.toml`` file that `read_config` understands. A lazy frame must give the same rows in the same order each time.
    schema : names the columns. Instead, the fields of `EventSchema` may be given as keyword arguments.
    stages : which touchpoints belong to which stage: a `StageMap`, or ``{stage: [touchpoint patterns]}`` in order. By
        default there are no stages, except those of a configuration.
    event_rules : rules about whole users: `EventRules`, or its fields:
        ``{"never_before": [["won", "first_contact"]]}``.
    max_quarantine_share : share of rows (0–1) that may be set aside; reading raises above it. By default 0.05, or what
        a configuration says.

    Returns
    -------
    Events

    Raises
    ------
    SourceError : nothing is there, or it cannot be opened.
    SchemaError : a column is missing, a unit, zone or format is not declared, or options contradict each other.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({"user": ["a", "a", None], "t": [0, 60, 61], "what": ["visit", "order", "visit"]})
    >>> events = read_events(rows, timestamp="t", time_unit="s", touchpoint="what", max_quarantine_share=0.5)
    >>> len(events.coded()), events.quarantine["reason"].to_list()
    (2, ['user missing'])
    """
    if isinstance(source, str | Path) and str(source).lower().endswith(".toml"):
        source = read_config(source)
    if schema is not None and schema_fields:
        raise SchemaError(
            "both a schema and schema fields are given", hint="give one, or dataclasses.replace(schema, …)"
        )
    if schema is not None and not isinstance(schema, EventSchema):
        raise SchemaError(
            f"the schema is a {type(schema).__name__}",
            hint="EventSchema(user=…, …), or its fields as keyword arguments",
        )
    own = schema or (EventSchema.from_fields(schema_fields) if schema_fields else None)
    config = source if isinstance(source, Config) else _config(source)
    if isinstance(source, Config) and own is not None:
        raise SchemaError(
            "schema fields are given beside a configuration that has its own", hint="write them into the configuration"
        )
    limit = config.max_quarantine_share if max_quarantine_share is None else max_quarantine_share
    if not isinstance(limit, Real) or not 0 <= limit <= 1:
        raise SchemaError(f"max_quarantine_share {limit!r} is no share", hint="a number from 0 to 1")
    if not config.sources:
        raise SourceError("the configuration names no source", hint="[[sources]] with a path, or pass the log itself")
    files = _open(config.sources, own)
    log = RawLog(tuple(files), EventRules.of(config.event_rules if event_rules is None else event_rules))
    if not any(file.schema.currency_column for file in files):
        check_currencies(log, [set() for _ in files])
    return Events(
        log,
        stages=config.stages if stages is None else StageMap.of(stages),
        max_quarantine_share=limit,
        journeys=config.journeys,
    )


def _config(source: Any) -> Config:
    """A configuration of nothing but sources."""
    if isinstance(source, Source):
        sources: tuple[Source, ...] = (source,)
    elif isinstance(source, list | tuple) and any(isinstance(item, Source) for item in source):
        stray = [item for item in source if not isinstance(item, Source)]
        if stray:
            raise SourceError(
                f"a list of sources also holds a {type(stray[0]).__name__}",
                hint="wrap every item as Source(data, schema)",
            )
        sources = tuple(source)
    else:
        sources = (Source(source),)
    return Config(sources=sources, max_quarantine_share=DEFAULT_QUARANTINE_SHARE)


def _open(sources: Sequence[Source], schema: EventSchema | None) -> list[LogFile]:
    files: list[LogFile] = []
    names: set[str] = set()
    for index, source in enumerate(sources):
        opened = open_source(source, source.schema or schema or EventSchema(), index)
        if opened[0].source_name in names:
            raise SourceError(f"two sources are called {opened[0].source_name!r}", hint="Source(…, name='…')")
        names.add(opened[0].source_name)
        for file in opened:
            canonical(file)
        # one file speaks for its source: a stray later one is judged row by row
        any(check_first_rows(file) for file in opened)
        files += opened
    return files
