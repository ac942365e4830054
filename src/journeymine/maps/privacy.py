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
from journeymine.maps.evidence import WITHHELD
from journeymine.maps.privacy_counts import ENDS, Key, is_few, least, place_key, rows_with_users, unpublished
from journeymine.maps.privacy_nested import close_to_all, nested
from journeymine.maps.privacy_part import CONVERSIONS, Layer, Part, read_part
from journeymine.maps.privacy_rounding import rounded, step_of
from journeymine.maps.privacy_tables import emptied, withheld_too

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
    beside : answers about the journeys that a reader can set these against: the whole log and the other journeys, for a
        map of some. What is withheld of one is withheld of all, so that no difference between two maps gives it back.
    max_flows : most flows that the map carries: what it does not show anyway helps to hide the rest.
    """
    if min_group <= 1:
        return dict(results)
    gone = unpublished(results, max_flows)
    parts = [read_part(answers, min_group, gone) for answers in (results, *beside)]
    few = gone.union(*(part.few for part in parts))
    n_few = -1
    while n_few != len(few):
        n_few = len(few)
        for part in parts:
            figures = list(_figures(part, few))
            few |= {figures[i][0] for i in complement([f for _, f in figures], min_group, _sums(figures, min_group))}
            while more := _shares_to_withhold(part, few, min_group):
                few |= more
    shown = [_shown(answers, few, min_group) for answers in (results, *beside)]
    close = set[Key]().union(*(nested(answers, min_group) for answers in shown))
    shown = [
        _finished(tables, answers, close, min_group) for tables, answers in zip(shown, (results, *beside), strict=True)
    ]
    others = list(zip(shown[1:], beside, strict=True))
    return shown[0] | {
        name: _also(shown[0][name], [(told[name], all_[name]) for told, all_ in others if name in told], min_group)
        for name in ("channels", "stages", "places")
        if name in shown[0]
    }


def _shown(results: Mapping[str, Result], few: set[Key], min_group: int) -> dict[str, Result]:
    alone = _alone(results)
    passed = results["flows"].tables["nodes"].select("label", "n_users").rows()
    met = {label for label, users in passed if users >= min_group}
    shown = {
        name: replace(result, **emptied(name, result, few, alone, met, min_group)) for name, result in results.items()
    }
    step = step_of(min_group)
    shown = {name: replace(result, **rounded(name, result, step)) for name, result in shown.items()}
    return shown | _totals(shown, min_group)


def _finished(
    shown: Mapping[str, Result], results: Mapping[str, Result], close: set[Key], min_group: int
) -> dict[str, Result]:
    """Without what is told of nearly all of a larger group, and what follows from other figures that are gone."""
    shown = {**shown, **close_to_all(shown, close, min_group)}
    shown |= _stakes(shown)
    return shown | _returns(shown, results, min_group)


def _alone(results: Mapping[str, Result]) -> dict[str, dict[tuple[str, ...], Key]]:
    """Places, stages and channels with one touchpoint only, and the key of that: their figures are its figures."""
    frame = results["nodes"].frame
    by = {"places": ("stage", "channel"), "stages": ("stage",), "channels": ("channel",)}
    found: dict[str, dict[tuple[str, ...], Key]] = {}
    for name, kinds in by.items():
        names = [kind for kind in kinds if kind in frame.columns]
        inside: dict[tuple[str, ...], list[str]] = {}
        for row in frame.select({*names, "touchpoint", *(c for c in ("channel",) if c in frame.columns)}).rows(
            named=True
        ):
            inside.setdefault(tuple(row[kind] for kind in names), []).append(node_id(row))
        found[name] = {place: ("node", labels[0]) for place, labels in inside.items() if len(labels) == 1}
    return found


def _also(result: Result, others: Sequence[tuple[Result, Result]], min_group: int) -> Result:
    """Empty what another map's table of the same places has emptied, and leave out places that few of the others reach.

    `others` : what each shows, and all that was counted.
    """
    names = [name for name in ("stage", "channel") if name in result.frame.columns]
    rows = result.frame.rows(named=True)
    for shown, answer in others:
        there = {tuple(row[n] for n in names): row for row in shown.frame.rows(named=True)}
        few = pl.any_horizontal(pl.col("^n_users(_all)?$").is_between(1, min_group - 1))
        gone = set(answer.frame.filter(few).select(names).rows())
        same = [(row, tuple(row[n] for n in names)) for row in rows]
        rows = [withheld_too(row, there.get(place, {})) for row, place in same if place not in gone]
    return replace(result, frame=pl.DataFrame(rows, schema=result.frame.schema))


def _figures(part: Part, few: set[Key]) -> Iterator[tuple[Key, Figure]]:
    """The map as one circulation: what starts, moves, stays in a touchpoint, ends in a place, and comes out of it all."""

    def figure(key: Key, tail: Any, head: Any, n: int, users: int, kind: str) -> tuple[Key, Figure]:
        return key, Figure(tail, head, max(users, part.lost.get(key, 0)), key not in few, n * _COST[kind])

    inside: dict[tuple[str, ...], list[int]] = {}
    for key, tail, head, status, n, users, judged, judged_users, _ in part.edges:
        if tail is None:
            yield figure(key, "begun", ("in", head), n, users, "edge")
        elif head is not None:
            yield figure(key, ("out", tail), ("in", head), n, users, "edge")
        else:
            stage, channel = part.places.get(tail, ("", ""))
            here: tuple[str, ...] = ("stage", status, stage)
            if status == "lost" and ("cell", stage, channel) not in few:
                here = ("cell", stage, channel)  # A withheld one is an unknown sum of unknown ends: it tells nothing.
            if judged:
                yield figure(key, ("out", tail), here, judged, judged_users, "end")
                total = inside.setdefault(here, [0, 0])
                total[0] += judged
                total[1] = max(total[1], judged_users)
            if young := n - judged:
                yield ("young", tail, status), Figure(("out", tail), "young", least(young, n, users), False)
    for key, n, users in part.touchpoints:
        yield figure(key, ("in", key[1]), ("out", key[1]), n, users, "node")
    yield from _outcomes(inside, part.header, figure)


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


def _shares_to_withhold(part: Part, few: set[Key], min_group: int) -> set[Key]:
    """Conversions of flows and touchpoints to withhold: those who convert, who do not, and who cannot be judged yet flow too."""
    alone = {
        ("share", *layer.key)
        for layers in part.layers.values()
        for layer in layers
        if is_few(layer.users, min_group) and (layer.key[0] == "node" or layer.key[4] == "")
    }
    withheld = few | alone
    found = alone - few
    for name in CONVERSIONS:
        figures = list(_layer(part.layers[name], name, withheld))
        found |= {figures[k][0] for k in complement([f for _, f in figures], min_group)} - few
    return found


def _layer(layers: list[Layer], name: str, withheld: set[Key]) -> Iterator[tuple[Key, Figure]]:
    for key, n, status, users in layers:
        if not users:
            continue
        if key[0] == "node":
            shown = key not in withheld and ("share", *key) not in withheld
            yield ("share", *key), Figure(("in", key[1]), ("out", key[1]), users, shown, n * 4.0)
        elif key[4] == "in":
            yield key, Figure("begun", ("in", key[2]), users, False)
        elif key[4] == "out":
            judged = name != "immature" and status in ENDS
            yield key, Figure(("out", key[1]), ("end", status), users, judged and key not in withheld, 1e9)
        else:
            shown = key not in withheld and ("share", *key) not in withheld
            yield ("share", *key), Figure(("out", key[1]), ("in", key[2]), users, shown, n)
    for end in (*ENDS, "ended", "service"):
        yield ("header", name, end), Figure(("end", end), "over", 1 << 40, True, 1e12)
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
            inside[part.get(by, "")] = inside.get(part.get(by, ""), 0) + (part["n"] or 0)
        frame = shown[name].frame
        kept = [
            row[total] is None
            or not is_few(least(row[total] - inside.get(row[by], 0), row[total], row["n_users"]), min_group)
            for row in frame.rows(named=True)
        ]
        found[name] = replace(shown[name], frame=frame.filter(pl.Series(kept, dtype=pl.Boolean)))
    return found


def _stakes(shown: Mapping[str, Result]) -> dict[str, Result]:
    """Places without what is at stake where the conversion that they are held against is withheld."""
    if "places" not in shown or "comparable" not in shown["places"].frame.columns:
        return {}
    frame = shown["places"].frame
    kinds = [kind for kind in ("stage", "channel") if kind in frame.columns]
    told = frame.filter(pl.col("converted_share").is_not_null()).select(kinds).rows()
    apart = kinds[-1]
    known = [
        row["comparable"] is None or tuple(row["comparable"] if kind == apart else row[kind] for kind in kinds) in told
        for row in frame.rows(named=True)
    ]
    names = [name for name in frame.columns if "_at_stake" in name] + ["comparable"]
    is_known = pl.Series(known, dtype=pl.Boolean)
    why = pl.when(is_known | pl.col("value_at_stake").is_null()).then("reason").otherwise(
        pl.col("reason").fill_null(pl.lit(WITHHELD))
    )  # fmt: skip
    return {"places": replace(shown["places"], frame=frame.with_columns(
        *(pl.when(is_known).then(pl.col(name)).alias(name) for name in names), reason=why
    ))}  # fmt: skip


def _returns(shown: Mapping[str, Result], results: Mapping[str, Result], min_group: int) -> dict[str, Result]:
    """Places without the share that came back where that of their stage, less those of its other places, would be of a few.

    Besides the places of which it is not shown anyway, the smallest others of the stage go, until enough users are
    hidden.
    """
    if "stages" not in shown or "places" not in shown:
        return {}
    told = {place_key(row) for row in shown["places"].frame.rows(named=True) if row["came_back_share"] is not None}
    by_stage: dict[str, list[_Place]] = {}
    for row, behind in rows_with_users(results["places"]):
        if row["lost_here"]:
            by_stage.setdefault(row["stage"], []).append((row, behind))
    for places in by_stage.values():
        places.sort(key=lambda place: (place[0]["lost_here"], place_key(place[0])))
        hidden = [place for place in places if place_key(place[0]) not in told]
        others = [place for place in places if place_key(place[0]) in told]
        while others and any(is_few(_came_back(hidden, rest=rest), min_group) for rest in (False, True)):
            hidden.append(others.pop(0))
            told.discard(place_key(hidden[-1][0]))
    frame = shown["places"].frame
    is_told = pl.Series([place_key(row) in told for row in frame.rows(named=True)], dtype=pl.Boolean)
    names = [name for name in frame.columns if name.startswith("came_back")]
    hidden_why = pl.col("reason").fill_null(pl.lit(WITHHELD))
    frame = frame.with_columns(
        *(pl.when(is_told).then(pl.col(name)).alias(name) for name in names),
        reason=pl.when(is_told | (pl.col("lost_here") == 0)).then("reason").otherwise(hidden_why),
    )
    return {"places": replace(shown["places"], frame=frame)}


_Place = tuple[Mapping[str, Any], Mapping[str, int]]


def _came_back(hidden: Sequence[_Place], *, rest: bool) -> int:
    """Fewest users of some places who came back, or (`rest`) who did not: at least those of the place with most."""
    ends = [(row["lost_here"] - row["came_back"] if rest else row["came_back"], row, behind) for row, behind in hidden]
    name = "came_back_share_rest" if rest else "came_back_share"
    return max((least(n, row["n"], row["n_users"], behind.get(name, 0)) for n, row, behind in ends), default=0)
