"""The figures of one map that privacy is judged by, read from the finished frames once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from journeymine.counting.result import Result
from journeymine.maps.compose_places import node_id
from journeymine.maps.privacy_counts import ENDS, Key, edge_keys, edge_name, is_few, least, place_key, rows_with_users

__all__ = ["CONVERSIONS", "Edge", "Layer", "Part", "Passed", "read_part"]

CONVERSIONS = ("conversion", "conversion_rest", "immature")
"""Who converts, who does not, and who cannot be judged yet: they flow through the map, too."""


class Edge(NamedTuple):
    """An edge of the graph: how often it is gone, and by how many users at least; `judged` counts mature ends only."""

    key: Key
    tail: str | None
    head: str | None
    status: str
    n: int
    users: int
    judged: int
    judged_users: int
    few: bool


class Passed(NamedTuple):
    """A touchpoint, and how often it is passed by how many users."""

    key: Key
    n: int
    users: int


class Layer(NamedTuple):
    """An edge or a touchpoint, with the users at least behind one of `CONVERSIONS`."""

    key: Key
    n: int
    status: str
    users: int


_Moved = TypeVar("_Moved", Edge, Layer)


@dataclass(frozen=True, slots=True)
class Part:
    """What can be subtracted from what, in one set of journeys."""

    header: Mapping[str, Any]
    edges: list[Edge]
    touchpoints: list[Passed]
    layers: Mapping[str, list[Layer]]
    places: Mapping[str, tuple[str, str]]
    lost: Mapping[Key, int]
    few: frozenset[Key]


def read_part(results: Mapping[str, Result], min_group: int, gone: Collection[Key]) -> Part:
    """Read the answers of one set of journeys; `few` are the figures of too few users, taken by themselves.

    Flows that are `gone` are never shown; of them a spanning forest says as much as all, see `_forest`.
    """
    header, behind = next(iter(rows_with_users(results["conversion"])))
    users = {"converted": behind.get("share", 0), "mature": header["n_users"]}
    edges = list(_edges(results["flows"], min_group))
    passed = results["flows"].tables["nodes"]
    touchpoints = [
        Passed(("node", label), n, n_users)
        for label, n, n_users in zip(passed["label"], passed["n"], passed["n_users"], strict=True)
    ]
    lost, few_places = _lost(results, min_group)
    names = {"converted": header["converted"], "lost": header["lost"], "open": header["open"], "mature": header["n"]}
    few: set[Key] = {
        ("header", name)
        for name, n in names.items()
        if is_few(least(n, header["n"], header["n_users"], users.get(name, 0)), min_group)
    }
    few |= {edge.key for edge in edges if edge.few} | {node.key for node in touchpoints if node.users < min_group}
    frame = results["nodes"].frame
    named = frame.select(name for name in ("stage", "channel", "touchpoint") if name in frame.columns)
    return Part(
        header=header,
        edges=list(_forest(edges, gone, min_group)),
        touchpoints=touchpoints,
        layers={
            name: [*_forest(flows, gone, min_group), *nodes]
            for name, flows, nodes in zip(
                CONVERSIONS, _layers(results["flows"], None), _layers(results["flows"], "nodes"), strict=True
            )
        },
        places={node_id(row): _stage_and_channel(row) for row in named.rows(named=True)},
        lost=lost,
        few=frozenset(few | few_places),
    )


def _stage_and_channel(row: Mapping[str, Any]) -> tuple[str, str]:
    stage, channel = place_key(row)
    return stage, channel


def _edges(result: Result, min_group: int) -> Iterator[Edge]:
    frame = result.frame
    columns = (frame[name].to_list() for name in ("from", "to", "status", "n", "n_journeys", "n_users", "mature"))
    for tail, head, status, n, n_journeys, users, mature in zip(*columns, strict=True):
        ends = head is None and status in ENDS
        judged = mature if ends else n
        counted = least(mature, n_journeys, users) if ends else users
        few = users < min_group or is_few(counted, min_group)
        name = edge_name(tail, head, status)
        yield Edge(name, tail, head, status or "", n, users, judged, least(judged, n, users) if ends else users, few)


def _layers(result: Result, table: str | None) -> list[list[Layer]]:
    """Edges or touchpoints, for each of `CONVERSIONS`."""
    frame = result.frame if table is None else result.tables[table]
    behind = result.least_users.get(table or result.name)
    known = behind is not None and behind.height == frame.height
    folds = [
        behind[name].to_list() if known and behind is not None and name in behind.columns else [0] * frame.height
        for name in CONVERSIONS
    ]
    n, n_journeys, users, mature, won = (
        frame[name].to_list() for name in ("n", "n_journeys", "n_users", "mature", "converted")
    )
    rest = [a - b for a, b in zip(mature, won, strict=True)]
    young = [a - b for a, b in zip(n_journeys, mature, strict=True)]
    keys: list[Key]
    if table is None:
        keys, status = edge_keys(frame), [name or "" for name in frame["status"].to_list()]
    else:
        keys, status = [("node", label) for label in frame["label"].to_list()], [""] * frame.height
    return [
        [
            Layer(key, times, end, least(part, among, people, most))
            for key, times, end, part, among, people, most in zip(
                keys, n, status, parts, n_journeys, users, found, strict=True
            )
        ]
        for parts, found in zip((won, rest, young), folds, strict=True)
    ]


def _forest(figures: Iterable[_Moved], gone: Collection[Key], min_group: int) -> Iterator[_Moved]:
    """Leave out those of the flows that are gone which change nothing: all but a spanning forest.

    Ends of a withheld flow of many users are one place to a reader (see `disclosure`). A further one between two places
    that are one already says nothing, nor does one of few users; and most flows of a large log are of these two kinds.
    """
    merged: dict[tuple[str, str], tuple[str, str]] = {}

    def find(place: tuple[str, str]) -> tuple[str, str]:
        while (above := merged.get(place, place)) != place:
            merged[place] = place = merged.get(above, above)
        return place

    few = []
    for figure in figures:
        key = figure.key
        if key[4] or key not in gone:
            yield figure
        elif figure.users >= min_group:
            tail, head = find(("out", key[1])), find(("in", key[2]))
            if tail != head:
                merged[head] = tail
                yield figure
        else:
            few.append(figure)
    for figure in few:
        if figure.users and find(("out", figure.key[1])) != find(("in", figure.key[2])):
            yield figure


def _lost(results: Mapping[str, Result], min_group: int) -> tuple[dict[Key, int], set[Key]]:
    """Fewest users lost in each stage × channel and in each stage, and the keys of those that are too few."""
    lost: dict[Key, int] = {}
    few: set[Key] = set()
    for kind, name in (("cell", "places"), ("stage", "stages")):
        for row, behind in rows_with_users(results[name]) if name in results else ():
            key = (kind, *place_key(row)) if kind == "cell" else (kind, row["stage"], "lost")
            lost[key] = _behind(row, behind, "lost_share", row["lost_here"])
            rest = _behind(row, behind, "lost_share_rest", row["n"] - row["lost_here"])
            if row["n_users"] < min_group or is_few(lost[key], min_group) or is_few(rest, min_group):
                few.add(key)
            if kind == "stage" and (
                row["n_users"] < min_group or is_few(_behind(row, behind, "open_share", row["open_here"]), min_group)
            ):
                few.add((kind, row["stage"], "open"))
    return lost, few


def _behind(row: Mapping[str, Any], behind: Mapping[str, Any], share: str, part: int) -> int:
    return least(part, row["n"], row["n_users"], behind.get(share, 0))
