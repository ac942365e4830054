"""Nights that are over, put away into tables, so that the manifest does not grow with the history.

The manifest is written anew every night, and everything in it costs time every night. It lists the last nights, with
which a report compares, and the older ones of which something may still change; the rest lie in runs of Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from journeymine.nightly.runs import add_piece, read_runs
from journeymine.nightly.store import Store

__all__ = ["all_nights", "nights_of_content", "number_of_nights", "put_away"]

RECENT = 90
"""Nights that stay in the manifest at least: more than a report compares with."""
AT_ONCE = 30
"""Nights that are put away together."""
_SCHEMA: Mapping[str, Any] = {"id": pl.Int32, "content": pl.List(pl.String), "night": pl.String}


def number_of_nights(manifest: Mapping[str, Any]) -> int:
    """How many nights were taken in."""
    return int(manifest["nights"][-1]["id"]) if manifest["nights"] else 0


def all_nights(store: Store, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every night, from the first on."""
    past = read_runs(store, manifest["past"], _SCHEMA).sort("id")
    return [*(json.loads(text) for text in past["night"]), *manifest["nights"]]


def nights_of_content(store: Store, manifest: Mapping[str, Any], content: str) -> list[dict[str, Any]]:
    """The nights that took in a dump of this content, or replaced it."""
    past = read_runs(store, manifest["past"], _SCHEMA, pl.col("content").list.contains(content)).sort("id")
    recent = [night for night in manifest["nights"] if content in (night["content"], *night["superseded"])]
    return [*(json.loads(text) for text in past["night"]), *recent]


def put_away(store: Store, manifest: dict[str, Any]) -> None:
    """Move the oldest nights out of a manifest that is about to be committed, where nothing of them can change."""
    nights = manifest["nights"]
    over = 0
    while over < len(nights) - RECENT and _is_over(nights[over]):
        over += 1
    if over < AT_ONCE:
        return
    gone = pl.DataFrame(
        {
            "id": [night["id"] for night in nights[:over]],
            "content": [[night["content"], *night["superseded"]] for night in nights[:over]],
            "night": [json.dumps(night, sort_keys=True, ensure_ascii=True) for night in nights[:over]],
        },
        schema=_SCHEMA,
    )
    manifest["past"] = add_piece(store, manifest["past"], gone, pl.concat)
    manifest["past_until"] = max(night["observed_until"] for night in nights[:over])
    manifest["nights"] = nights[over:]


def _is_over(night: Mapping[str, Any]) -> bool:
    """Whether it can no longer be replaced, and no detail of it is kept."""
    return night["aside"] is None and (night["used"] > 0 or not night["accepted"])
