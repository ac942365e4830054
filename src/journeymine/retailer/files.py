"""Writing the sample to a folder: the same bytes for the same arguments, by whoever and whenever it is written."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.retailer.blueprint import NOTHING_PLANTED, Facts, Retailer
from journeymine.retailer.draws import Draws
from journeymine.retailer.journey_toml import journey_toml
from journeymine.retailer.log import log_of
from journeymine.retailer.planted import planted_facts
from journeymine.retailer.readme import readme
from journeymine.retailer.simulate import simulate
from journeymine.retailer.sources import RawSource, raw_sources

__all__ = ["SampleFiles", "sample_files"]


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """The sample before it is written: the exports, and the texts beside them."""

    sources: tuple[RawSource, ...]
    config: str
    planted: dict[str, Any]
    readme: str

    def contents(self) -> dict[str, bytes]:
        """File name → bytes."""
        texts = {"journey.toml": self.config, "planted.json": as_json(self.planted), "README.md": self.readme}
        made = {source.file_name: _encoded(source.rows, source.file_name) for source in self.sources}
        return made | {name: text.encode() for name, text in texts.items()}


def sample_files(retailer: Retailer, *, planted: bool) -> SampleFiles:
    """Everything that is written for `retailer`, in memory."""
    world = simulate(retailer, Facts() if planted else NOTHING_PLANTED)
    log = log_of(world)
    sources = tuple(raw_sources(Draws(retailer.seed), log))
    facts = planted_facts(world)
    facts["rows"] = {
        "clean": log.height,
        "by_source": {source.name: source.rows.height for source in sources},
        "dirty": {source.name: source.dirty for source in sources},
    }
    return SampleFiles(sources, journey_toml(), facts, readme(facts, sources))


def as_json(plain: dict[str, Any]) -> str:
    """Plain values as indented JSON text."""
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def write_all(directory: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write every file, each at once under its own name or not at all; returns the paths, sorted."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in sorted(contents)]
    for path in paths:
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(contents[path.name])
        part.replace(path)
    return paths


def _encoded(rows: pl.DataFrame, file_name: str) -> bytes:
    buffer = io.BytesIO()
    if file_name.endswith(".parquet"):
        rows.write_parquet(buffer, compression="zstd", compression_level=19, statistics=False)
    elif file_name.endswith((".arrow", ".feather")):
        rows.write_ipc(buffer, compression="zstd")
    elif file_name.endswith(".ndjson"):
        rows.write_ndjson(buffer)
    else:
        rows.write_csv(buffer)
    plain = buffer.getvalue()
    if file_name.endswith(".gz"):
        return gzip.compress(plain, compresslevel=9, mtime=0)  # the time of writing is part of the format
    return _zstandard(plain) if file_name.endswith(".zst") else plain


def _zstandard(plain: bytes) -> bytes:
    import pyarrow as pa

    packed: bytes = pa.Codec("zstd", compression_level=19).compress(plain, asbytes=True)
    return packed
