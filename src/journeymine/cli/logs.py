"""From command-line options to events and journeys."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from journeymine.errors import SchemaError
from journeymine.events.config import Config, read_config
from journeymine.events.log import Events
from journeymine.events.read import read_events
from journeymine.events.sources import Source

__all__ = [
    "ConfigOption", "LogArgument", "LogOptions", "open_log", "rule_fields",
]  # fmt: skip

LogArgument = Annotated[
    str,
    typer.Argument(help="A file, a glob, a folder, or a journey.toml. With --config: where its files are."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A TOML file with sources, stages and rules.")
]


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """Columns and rules named on the command line; None where they are not."""

    schema: dict[str, Any]
    rules: dict[str, Any]

    @classmethod
    def of(cls, **given: Any) -> LogOptions:
        """Split what was given into the schema's fields and the rules'."""
        rule_names = {"goal", "lost_at", "idle", "session_gap", "split"}
        kept = {name: value for name, value in given.items() if value not in (None, [], ())}
        return cls(
            {name: value for name, value in kept.items() if name not in rule_names},
            {name: value for name, value in kept.items() if name in rule_names},
        )


def open_log(log: str, config: Path | None, options: LogOptions, max_quarantine_share: float | None) -> Events:
    """Open the log that the arguments name.

    A configuration without sources describes the log itself; with sources, `log` is the folder (or, for a single
    source, the file) that they are found in.
    """
    if config is None and log.lower().endswith(".toml"):
        return read_events(log, max_quarantine_share=max_quarantine_share)
    if config is None:
        return read_events(_files(log), max_quarantine_share=max_quarantine_share, **options.schema)
    read = read_config(config)
    if not read.sources:
        return read_events(
            _files(log), stages=read.stages, event_rules=read.event_rules, max_quarantine_share=max_quarantine_share,
            **options.schema,
        )  # fmt: skip
    if options.schema:
        raise SchemaError(
            f"{', '.join('--' + name for name in options.schema)} given beside a configuration with sources",
            hint=f"write them into {config}",
        )
    return read_events(_rebased(read, config, log), max_quarantine_share=max_quarantine_share)


def rule_fields(events: Events, config: Path | None, options: LogOptions) -> dict[str, Any]:
    """Journey rules: those of the configuration, with what the command line says instead."""
    written = dict(events.journey_fields) if config is None else dict(read_config(config).journeys)
    return {**written, **options.rules}


def _files(log: str) -> str:
    """A folder stands for the Parquet files in it."""
    return str(Path(log) / "*.parquet") if Path(log).is_dir() else log


def _rebased(read: Config, config: Path, log: str) -> Config:
    """The configuration with its relative paths found under `log`."""
    if len(read.sources) == 1 and not Path(log).is_dir():
        only = read.sources[0]
        return dataclasses.replace(read, sources=(Source(log, only.schema, only.name),))
    home = config.parent

    def moved(path: str) -> str:
        return str(Path(log) / Path(path).relative_to(home)) if Path(path).is_relative_to(home) else path

    def source(each: Source) -> Source:
        data = moved(each.data) if isinstance(each.data, str) else [moved(path) for path in each.data]
        return Source(data, each.schema, each.name)

    if not Path(log).is_dir():
        raise SchemaError(
            f"{config} names {len(read.sources)} sources, and {log} is no folder",
            hint="give the folder that holds their files",
        )
    return dataclasses.replace(read, sources=tuple(source(each) for each in read.sources))
