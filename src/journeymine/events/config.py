"""The TOML file that says everything about a log: sources, stages, rules."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journeymine.errors import SchemaError, SourceError
from journeymine.events.event_rules import EventRules
from journeymine.events.schema import EventSchema
from journeymine.events.sources import Source
from journeymine.events.stage_map import StageMap

__all__ = ["DEFAULT_QUARANTINE_SHARE", "Config", "read_config"]

DEFAULT_QUARANTINE_SHARE = 0.05

_TABLES = ("sources", "stages", "touchpoints", "event_rules", "journeys", "max_quarantine_share")


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file that was read; see `read_config`.

    Attributes
    ----------
    sources : the sources, each with its schema; paths are relative to the file.
    stages : stages and facts about touchpoints.
    event_rules : rules about whole users.
    journeys : the ``[journeys]`` table as written.
    max_quarantine_share : share of rows (0–1) that may be set aside.
    """

    sources: tuple[Source, ...]
    stages: StageMap = field(default_factory=StageMap)
    event_rules: EventRules = field(default_factory=EventRules)
    journeys: Mapping[str, Any] = field(default_factory=dict)
    max_quarantine_share: float = DEFAULT_QUARANTINE_SHARE


def read_config(path: str | Path) -> Config:
    """Read the TOML file that describes a log: its sources, stages and rules.

    Parameters
    ----------
    path : of the file. Paths of sources in it are relative to the file.

    Returns
    -------
    Config : to give to `read_events` or an engine.

    Raises
    ------
    SourceError : the file cannot be read.
    SchemaError : it is not valid TOML, or says something that is not understood.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path} is not valid TOML: {error}", hint="see the line and column named above") from error
    unknown = sorted(set(tables) - set(_TABLES))
    if unknown:
        raise SchemaError(f"{path}: unknown table or field {unknown[0]!r}", hint=f"there are: {', '.join(_TABLES)}")
    _check_shapes(tables, path)
    share = tables.get("max_quarantine_share", DEFAULT_QUARANTINE_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise SchemaError(f"{path}: max_quarantine_share {share!r} is no number", hint="a number from 0 to 1")
    return Config(
        tuple(_source(fields, path, number) for number, fields in enumerate(tables.get("sources", ()), start=1)),
        StageMap.of(tables.get("stages", ()), touchpoints=tables.get("touchpoints", ())),
        EventRules.of(tables.get("event_rules")),
        tables.get("journeys", {}),
        float(share),
    )


def _check_shapes(tables: Mapping[str, Any], path: Path) -> None:
    for name in ("sources", "stages", "touchpoints"):
        listed = tables.get(name, [])
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise SchemaError(f"{path}: {name} is not a list of tables", hint=f"write [[{name}]], with two brackets")
    for name in ("event_rules", "journeys"):
        if not isinstance(tables.get(name, {}), dict):
            raise SchemaError(f"{path}: {name} is not a table", hint=f"write [{name}]")


def _source(fields: Mapping[str, Any], config: Path, number: int) -> Source:
    fields = dict(fields)
    data, name = fields.pop("path", None), fields.pop("name", "")
    listed = [data] if isinstance(data, str) else data
    if not isinstance(listed, list) or not listed or not all(isinstance(item, str) for item in listed):
        raise SchemaError(f"{config}: source {number} names no path", hint='path = "web/*.parquet", or a list of paths')
    paths = [
        item if "://" in item or Path(item).expanduser().is_absolute() else str(config.parent / item) for item in listed
    ]
    try:
        schema = EventSchema.from_fields(fields)
    except SchemaError as error:
        raise SchemaError(f"{config}: source {name or number}: {error.message}", hint=error.hint) from error
    return Source(paths[0] if isinstance(data, str) else paths, schema, name or (data if isinstance(data, str) else ""))
