"""The sample as events, read by the same rules as everybody's logs."""

from __future__ import annotations

import tomllib

from journeymine.events import Config, Events, EventSchema, Source, StageMap, read_events
from journeymine.retailer.files import SampleFiles

__all__ = ["read_sample"]


def read_sample(files: SampleFiles) -> Events:
    """Read the exports straight from memory, as ``journey.toml`` says."""
    tables = tomllib.loads(files.config)
    schemas = {
        fields["name"]: EventSchema.from_fields({k: v for k, v in fields.items() if k not in ("name", "path")})
        for fields in tables["sources"]
    }
    sources = tuple(Source(source.rows, schemas[source.name], source.name) for source in files.sources)
    return read_events(
        Config(
            sources=sources,
            stages=StageMap.of(tables["stages"], touchpoints=tables["touchpoints"]),
            journeys=tables["journeys"],
            max_quarantine_share=tables["max_quarantine_share"],
        )
    )
