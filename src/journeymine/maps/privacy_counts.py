"""How many users a figure of a finished result has at least, and what the figures of a map are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from journeymine.columns import SINGLE_CHANNEL
from journeymine.counting.result import Result
from journeymine.maps.compose_flows import NEIGHBOURS
from journeymine.maps.compose_places import MAX_NODES, node_id

__all__ = [
    "ENDS",
    "Key",
    "edge_key",
    "edge_keys",
    "edge_name",
    "is_few",
    "least",
    "place_key",
    "rows_with_users",
    "unpublished",
]

Key = tuple[str, ...]
"""Name of a figure: its kind, then its labels."""
ENDS = ("converted", "lost", "open")
"""Outcomes that are judged on mature journeys."""


def least(part: int, n: int, users: int, folds: int = 0) -> int:
    """Fewest users that `part` of `n` journeys of `users` users can have.

    At most ``n − users`` journeys are somebody's second or later one; and people of different folds are different
    people.

    >>> least(30, n=100, users=90), least(0, n=100, users=90), least(30, n=100, users=20, folds=12)
    (20, 0, 12)
    """
    return max(part - (n - users), folds, 1) if part > 0 else 0


def is_few(users: int, min_group: int) -> bool:
    """Whether somebody stands behind a figure, but too few. Nobody stands behind a zero."""
    return 0 < users < min_group


def rows_with_users(result: Result, table: str | None = None) -> Iterator[tuple[dict[str, Any], Mapping[str, int]]]:
    """Rows of a result, each with the least number of users behind its shares (nothing where that is not known)."""
    frame = result.frame if table is None else result.tables[table]
    found = result.least_users.get(table or result.name)
    behind = found.rows(named=True) if found is not None and found.height == frame.height else [{}] * frame.height
    yield from zip(frame.rows(named=True), behind, strict=True)


def edge_name(tail: str | None, head: str | None, status: str | None) -> Key:
    """Name of an edge of the graph; ``in`` and ``out`` tell those that begin and end a journey from real labels."""
    side = "in" if tail is None else "out" if head is None else ""
    return ("edge", tail or "", head or "", status or "", side)


def edge_key(row: Mapping[str, Any]) -> Key:
    """Name of the edge in a row."""
    return edge_name(row["from"], row["to"], row["status"])


def edge_keys(frame: pl.DataFrame) -> list[Key]:
    """Names of all edges of a frame, in its order."""
    return [edge_name(*ends) for ends in zip(frame["from"], frame["to"], frame["status"], strict=True)]


def place_key(row: Mapping[str, Any]) -> Key:
    """Stage and channel of a row."""
    return (row.get("stage") or "", row.get("channel") or SINGLE_CHANNEL)


def unpublished(results: Mapping[str, Result], max_flows: int) -> set[Key]:
    """Names of what a map has no room for: touchpoints seldom met, flows that are neither strong nor usual for their ends."""
    ranked = results["nodes"].frame.sort("n_reached", descending=True, maintain_order=True).head(MAX_NODES)
    labels = [node_id(row) for row in ranked.rows(named=True)]
    edges = results["flows"].frame
    inner = edges.filter(pl.col("from").is_in(labels) & pl.col("to").is_in(labels))
    by_n = inner.sort("n", "from", "to", descending=[True, False, False])
    room = [
        inner.sort("n_journeys", "from", "to", descending=[True, False, False]).head(max_flows),
        *(by_n.group_by(side, maintain_order=True).head(NEIGHBOURS).select(edges.columns) for side in ("from", "to")),
        edges.filter(pl.col("from").is_null() & pl.col("to").is_in(labels)),
        edges.filter(pl.col("to").is_null() & pl.col("from").is_in(labels)),
    ]
    shown = {key for frame in room for key in edge_keys(frame)}
    names = set(edge_keys(edges))
    every = {("node", label) for label in results["flows"].tables["nodes"]["label"]}
    return (names - shown) | (every - {("node", label) for label in labels})
