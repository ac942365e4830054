"""Withhold from finished results what fewer than `min_group` users stand behind, also by difference.

The results come back with the rows left out, and the numbers emptied, that a shared map must not show; `compose` then
draws what is left. Where exactly many users are not known, the least number they can be decides.

A count of zero stays: nobody stands behind it. Numbers about the log (rows read, rows set aside) are not about users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from journeymine.counting.result import Result
from journeymine.maps.compose_flows import MAX_FLOWS
from journeymine.maps.compose_places import node_id
from journeymine.maps.disclosure import Figure, complement
from journeymine.maps.privacy_counts import ENDS, Key, edge_key, is_few, least, place_key, rows_with_users, unpublished
from journeymine.maps.privacy_tables import emptied

__all__ = ["withhold"]

_COST = {"edge": 1.0, "end": 1.0, "cell": 4.0, "node": 25.0, "stage": 25.0, "lost": 40.0, "header": 1e6}
"""How much a reader would miss a figure; the headline is the last to go."""


def withhold(
    results: Mapping[str, Result],
    min_group: int,
    beside: Sequence[Mapping[str, Result]] = (),
    *,
    max_flows: int = MAX_FLOWS,
) -> dict[str, Result]:
    """Return the results without what fewer than `min_group` users stand behind.

    Parameters
    ----------
    results : answers to `map_measures`, by its names.
    min_group : fewest users; 1 or less withholds nothing.
    beside : answers about the journeys that a reader can set these against: the whole log and the other journeys, for a map
        of some. What is withheld of one is withheld of all, so that no difference between two maps gives it back.
    max_flows : most flows that the map carries: what it does not show anyway helps to hide the rest.
    """
    if min_group <= 1:
        return dict(results)
    parts = [results, *beside]
    few = unpublished(results, max_flows).union(*(_few(part, min_group) for part in parts))
    n_few = -1
    while n_few != len(few):
        n_few = len(few)
        for part in parts:
            figures = list(_figures(part, few, _users_lost(part)))
            few |= {figures[i][0] for i in complement([f for _, f in figures], min_group, _sums(figures, min_group))}
            while more := _shares_to_withhold(part, few, min_group):
                few |= more
    shown = [_shown(part, few, min_group) for part in parts]
    return {name: _also(result, [other.get(name) for other in shown[1:]]) for name, result in shown[0].items()}


def _shown(results: Mapping[str, Result], few: set[Key], min_group: int) -> dict[str, Result]:
    shown = {name: replace(result, **emptied(name, result, few, min_group)) for name, result in results.items()}
    return shown | _totals(shown, min_group)


def _also(result: Result, others: Sequence[Result | None]) -> Result:
    """Empty what another map's table of the same places has emptied."""
    names = [name for name in ("stage", "channel") if name in result.frame.columns]
    if not names or "converted_share" not in result.frame.columns:
        return result
    rows = result.frame.rows(named=True)
    for other in others:
        there = {tuple(row[n] for n in names): row for row in other.frame.rows(named=True)} if other else {}
        same = [(row, there.get(tuple(row[n] for n in names), {})) for row in rows]
        rows = [{name: None if other_row.get(name, 0) is None and name != "reason" else value for name, value in row.items()}
                for row, other_row in same]  # fmt: skip
    return replace(result, frame=pl.DataFrame(rows, schema=result.frame.schema))


def _behind(row: Mapping[str, Any], behind: Mapping[str, Any], share: str, part: int) -> int:
    return least(part, row["n"], row["n_users"], behind.get(share, 0))


def _few(results: Mapping[str, Result], min_group: int) -> set[Key]:
    """Figures that too few users stand behind, taken by themselves."""
    few: set[Key] = set()
    row, behind = next(iter(rows_with_users(results["conversion"])))
    header = {"converted": row["converted"], "lost": row["lost"], "open": row["open"], "mature": row["n"]}
    users = {"converted": behind.get("share", 0), "mature": row["n_users"]}
    for name, n in header.items():
        if is_few(least(n, row["n"], row["n_users"], users.get(name, 0)), min_group):
            few.add(("header", name))
    for edge in results["flows"].frame.rows(named=True):
        ends = edge["to"] is None and edge["status"] in ENDS
        counted = least(edge["mature"], edge["n_journeys"], edge["n_users"]) if ends else edge["n_users"]
        if edge["n_users"] < min_group or is_few(counted, min_group):
            few.add(edge_key(edge))
    few |= {("node", n["label"]) for n in results["flows"].tables["nodes"].rows(named=True) if n["n_users"] < min_group}
    for kind, name in (("cell", "places"), ("stage", "stages")):
        for row, behind in rows_with_users(results[name]) if name in results else ():
            lost = _behind(row, behind, "lost_share", row["lost_here"])
            rest = _behind(row, behind, "lost_share_rest", row["n"] - row["lost_here"])
            if row["n_users"] < min_group or is_few(lost, min_group) or is_few(rest, min_group):
                few.add((kind, *place_key(row)) if kind == "cell" else (kind, row["stage"], "lost"))
            if kind == "stage" and (
                row["n_users"] < min_group or is_few(_behind(row, behind, "open_share", row["open_here"]), min_group)
            ):
                few.add((kind, row["stage"], "open"))
    return few


def _users_lost(results: Mapping[str, Result]) -> dict[Key, int]:
    """Fewest users lost in each stage × channel and in each stage."""
    found: dict[Key, int] = {}
    for name in ("places", "stages"):
        for row, behind in rows_with_users(results[name]) if name in results else ():
            key = ("cell", *place_key(row)) if name == "places" else ("stage", row["stage"], "lost")
            found[key] = _behind(row, behind, "lost_share", row["lost_here"])
    return found


def _figures(results: Mapping[str, Result], few: set[Key], known: Mapping[Key, int]) -> Iterator[tuple[Key, Figure]]:
    """The map as one circulation: what starts, moves, stays in a touchpoint, ends in a place, and comes out of it all."""

    def figure(key: Key, tail: Any, head: Any, n: int, users: int, kind: str) -> tuple[Key, Figure]:
        return key, Figure(tail, head, max(users, known.get(key, 0)), key not in few, n * _COST[kind])

    places = {node_id(row): place_key(row) for row in results["nodes"].frame.rows(named=True)}
    header = results["conversion"].frame.row(0, named=True)
    inside: dict[tuple[str, ...], list[int]] = {}
    for row in results["flows"].frame.rows(named=True):
        key, a, b, status = edge_key(row), row["from"], row["to"], row["status"]
        if a is None:
            yield figure(key, "begun", ("in", b), row["n"], row["n_users"], "edge")
        elif b is not None:
            yield figure(key, ("out", a), ("in", b), row["n"], row["n_users"], "edge")
        else:
            judged = row["mature"] if status in ENDS else row["n"]
            stage, channel = places.get(a, ("", ""))
            here: tuple[str, ...] = ("stage", status, stage)
            if status == "lost" and ("cell", stage, channel) not in few:
                here = ("cell", stage, channel)  # A withheld one is an unknown sum of unknown ends: it tells nothing.
            users = least(judged, row["n"], row["n_users"])
            if judged:
                yield figure(key, ("out", a), here, judged, users, "end")
                total = inside.setdefault(here, [0, 0])
                total[0] += judged
                total[1] = max(total[1], users)
            if young := row["n"] - judged:
                yield ("young", a, status), Figure(("out", a), "young", least(young, row["n"], row["n_users"]), False)
    for row in results["flows"].tables["nodes"].rows(named=True):
        yield figure(
            ("node", row["label"]), ("in", row["label"]), ("out", row["label"]), row["n"], row["n_users"], "node"
        )
    yield from _outcomes(inside, header, figure)


def _sums(figures: list[tuple[Key, Figure]], min_group: int) -> list[Any]:
    """Stages of which nothing is shown but a total that enough users stand behind."""
    partly = {figure.head for _, figure in figures if figure.shown or figure.users >= min_group}
    totals = [figure for key, figure in figures if key[0] == "stage"]
    return [figure.tail for figure in totals if figure.users >= min_group and figure.tail not in partly]


def _outcomes(
    inside: Mapping[tuple[str, ...], list[int]], header: Mapping[str, Any], figure: Any
) -> Iterator[tuple[Key, Figure]]:
    stages: dict[tuple[str, ...], list[int]] = {}
    for here, (n, users) in inside.items():
        stage = here if here[0] == "stage" else ("stage", "lost", here[1])
        if here is not stage:
            yield figure(here, here, stage, n, users, "cell")
        total = stages.setdefault(stage, [0, 0])
        total[0] += n
        total[1] = max(total[1], users)
    for stage, (n, users) in stages.items():
        _, status, name = stage
        yield figure(("stage", name, status), stage, ("end", status), n, users, "stage")
    for status in ENDS:
        if header[status]:
            cost = "header" if status == "converted" else "lost"
            yield figure(("header", status), ("end", status), "judged", header[status], header[status], cost)
    for status in ("ended", "service"):
        yield ("header", status), Figure(("end", status), "over", header["n_users_all"], True, 1e12)
    yield figure(("header", "mature"), "judged", "over", header["n"], header["n_users"], "header")
    yield ("header", "young"), Figure("young", "over", header["n_users_all"], True, 1e12)
    yield ("header", "all"), Figure("over", "begun", header["n_users_all"], True, 1e12)


def _shares_to_withhold(results: Mapping[str, Result], few: set[Key], min_group: int) -> set[Key]:
    """Conversions of flows and touchpoints to withhold: those who convert, who do not, and who cannot be judged yet flow too."""
    rows = [(edge_key(r), r, b) for r, b in rows_with_users(results["flows"])]
    rows += [(("node", r["label"]), r, b) for r, b in rows_with_users(results["flows"], "nodes")]
    layers = []
    for key, row, behind in rows:
        n, users, mature, won = row["n_journeys"], row["n_users"], row["mature"], row["converted"]
        parts = {"conversion": won, "conversion_rest": mature - won, "immature": n - mature}
        layers.append((key, row, {name: least(part, n, users, behind.get(name, 0)) for name, part in parts.items()}))
    inner = {key for key, _, _ in layers if key[0] == "node" or key[4] == ""}
    alone = {
        ("share", *key)
        for key, _, parts in layers
        if key in inner and any(is_few(u, min_group) for u in parts.values())
    }
    withheld = few | alone
    found = alone - few
    for name in ("conversion", "conversion_rest", "immature"):
        figures = list(_layer(layers, name, withheld))
        found |= {figures[i][0] for i in complement([f for _, f in figures], min_group)} - few
    return found


def _layer(
    layers: list[tuple[Key, dict[str, Any], dict[str, int]]], name: str, withheld: set[Key]
) -> Iterator[tuple[Key, Figure]]:
    for key, row, parts in layers:
        users = parts[name]
        if not users:
            continue
        shown = key not in withheld and ("share", *key) not in withheld
        if key[0] == "node":
            yield ("share", *key), Figure(("in", key[1]), ("out", key[1]), users, shown, row["n"] * 4.0)
        elif key[4] == "in":
            yield key, Figure("begun", ("in", key[2]), users, False)
        elif key[4] == "out":
            judged = name != "immature" and row["status"] in ENDS
            yield key, Figure(("out", key[1]), ("end", row["status"]), users, judged and key not in withheld, 1e9)
        else:
            yield ("share", *key), Figure(("out", key[1]), ("in", key[2]), users, shown, row["n"])
    for status in (*ENDS, "ended", "service"):
        yield ("header", name, status), Figure(("end", status), "over", 1 << 40, True, 1e12)
    yield ("header", name), Figure("over", "begun", 1 << 40, True, 1e12)


def _totals(shown: Mapping[str, Result], min_group: int) -> dict[str, Result]:
    """Channels and stages without those whose total exceeds all that is shown inside by too few users."""
    found = {}
    weights = {row["label"]: row["n_journeys"] for row in shown["flows"].tables["nodes"].rows(named=True)}
    nodes = [({**row, "n": weights.get(node_id(row)) or 0}) for row in shown["nodes"].frame.rows(named=True)]
    cells = shown["places"].frame.rows(named=True) if "places" in shown else []
    for name, by, total, parts in (("channels", "channel", "n_journeys", nodes), ("stages", "stage", "n", cells)):
        if name not in shown:
            continue
        inside: dict[str, int] = {}
        for part in parts:
            inside[part.get(by, "")] = inside.get(part.get(by, ""), 0) + part["n"]
        frame = shown[name].frame
        kept = [
            not is_few(least(row[total] - inside.get(row[by], 0), row[total], row["n_users"]), min_group)
            for row in frame.rows(named=True)
        ]
        found[name] = replace(shown[name], frame=frame.filter(pl.Series(kept, dtype=pl.Boolean)))
    return found
