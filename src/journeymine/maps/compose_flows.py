"""Flows, ends, neighbours and example paths of a map, from finished frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from journeymine.maps.compose_places import estimate
from journeymine.maps.evidence import ExampleJourney, ExampleStep, Neighbour
from journeymine.maps.specification import Flow, Node, Terminal, TerminalStatus
from journeymine.maps.wording import plural

__all__ = ["MAX_FLOWS", "NEIGHBOURS", "examples", "flows", "last_touchpoints", "neighbours", "terminals"]

MAX_FLOWS = 800
"""Most flows that a page carries; the rest is counted and said."""
NEIGHBOURS = 5
EXAMPLES_PER_STATUS = 4


def flows(
    edges: pl.DataFrame, drawn: Mapping[str, Node], stages: Iterable[str], most: int = MAX_FLOWS
) -> tuple[Flow, ...]:
    """The heaviest flows between the nodes that are drawn."""
    rank = {name: i for i, name in enumerate(stages)}
    labels = list(drawn)
    between = edges.filter(pl.col("from").is_in(labels) & pl.col("to").is_in(labels))
    heaviest = pl.coalesce("n_journeys", "n")
    kept = between.sort(heaviest, "from", "to", descending=[True, False, False]).head(most)
    return tuple(
        Flow(
            source=row["from"],
            target=row["to"],
            n=row["n"],
            n_journeys=row["n_journeys"],
            p50_s=row["p50_s"],
            p90_s=row["p90_s"],
            converted=estimate(row, "conversion", "mature"),
            is_back=rank.get(drawn[row["to"]].stage, 0) < rank.get(drawn[row["from"]].stage, 0),
            is_handover=drawn[row["from"]].channel != drawn[row["to"]].channel,
        )
        for row in kept.iter_rows(named=True)
    )


def terminals(edges: pl.DataFrame, drawn: Mapping[str, Node]) -> tuple[Terminal, ...]:
    """Where journeys start, and where the mature ones end with which status."""
    found = []
    for row in edges.filter(pl.col("from").is_null() | pl.col("to").is_null()).iter_rows(named=True):
        node = row["to"] if row["from"] is None else row["from"]
        if node in drawn:
            status: TerminalStatus = "start" if row["from"] is None else row["status"]
            n = row["mature"] if status in ("converted", "lost", "open") else row["n_journeys"]
            if n:
                found.append(Terminal(node=node, status=status, n_journeys=n))
    return tuple(found)


def neighbours(
    edges: pl.DataFrame, names: Mapping[str, str], side: str, times: Mapping[str, int | None]
) -> dict[str, tuple[Neighbour, ...]]:
    """What usually comes before (``side="before"``) or after each node.

    Parameters
    ----------
    names : what to call each node.
    times : how often each node is passed: shares are of these, starts and ends included.
    """
    here, other = ("to", "from") if side == "before" else ("from", "to")
    inner = edges.filter(pl.col("from").is_not_null() & pl.col("to").is_not_null())
    ranked = inner.sort("n", other, descending=[True, False]).group_by(here, maintain_order=True).head(NEIGHBOURS)
    found: dict[str, list[Neighbour]] = {}
    for row in ranked.iter_rows(named=True):
        label = row[other]
        node = label if label in names else ""
        passed = times.get(row[here])
        found.setdefault(row[here], []).append(
            Neighbour(label=names.get(label, label), n=row["n"], share=row["n"] / passed if passed else None, node=node)
        )
    return {label: tuple(listed) for label, listed in found.items()}


def last_touchpoints(
    frame: pl.DataFrame, by: tuple[str, ...], places: pl.DataFrame | None
) -> dict[Any, tuple[Neighbour, ...]]:
    """What the lost did last, at each place: three touchpoints and their share of all that the place loses.

    A touchpoint of which any part is withheld is not among them.
    """
    keys = [name for name in by if name in frame.columns]
    if not keys or places is None:
        return {}
    ranked = (
        frame.group_by([*keys, "touchpoint"])
        .agg(pl.col("lost_here").sum(), _is_told=pl.col("lost_here").is_not_null().all())
        .filter(pl.col("_is_told") & (pl.col("lost_here") > 0))
        .join(places.select(*keys, _lost="lost_here"), on=keys, how="inner")
        .with_columns(share=pl.col("lost_here") / pl.col("_lost"))
        .sort("lost_here", "touchpoint", descending=[True, False])
        .group_by(keys, maintain_order=True)
        .head(3)
    )
    found: dict[Any, list[Neighbour]] = {}
    for row in ranked.iter_rows(named=True):
        place = tuple(row.get(name, "") for name in by)
        found.setdefault(place if len(by) > 1 else place[0], []).append(
            Neighbour(label=row["touchpoint"], n=row["lost_here"], share=row["share"])
        )
    return {place: tuple(listed) for place, listed in found.items()}


def examples(
    paths: pl.DataFrame, drawn: Mapping[str, Node], *, is_rounded: bool
) -> tuple[tuple[ExampleJourney, ...], dict[str, tuple[str, ...]]]:
    """The most frequent paths of each outcome as examples, and the examples of each node.

    A path is an example only where enough users took it: it shows what many did, never one person.
    """
    found: list[ExampleJourney] = []
    for status in ("converted", "lost", "open", "ended"):
        often = paths.filter((pl.col(status) > 0) & pl.col("path").is_not_null() & (pl.col("n_steps") > 1))
        for row in (
            often.filter(pl.col("path").list.eval(pl.element().is_in(list(drawn))).list.all())
            .sort(status, "n_steps", descending=True, maintain_order=True)
            .head(EXAMPLES_PER_STATUS)
            .rows(named=True)
        ):
            steps = tuple(
                ExampleStep(touchpoint=drawn[s].touchpoint, channel=drawn[s].channel, stage=drawn[s].stage)
                for s in row["path"]
            )
            # Of those that took it, `row[status]` had this outcome; the others are told under theirs.
            n = f"{'about ' if is_rounded else ''}{plural(row[status], f'{status} journey')} took it"
            name = f"{status} {len([e for e in found if e.status == status]) + 1}: {n}"
            found.append(ExampleJourney(id=name, status=status, steps=steps))
    through: dict[str, list[str]] = {}
    by_place = {(node.touchpoint, node.channel): label for label, node in drawn.items()}
    for example in found:
        for label in {by_place[step.touchpoint, step.channel] for step in example.steps}:
            through.setdefault(label, []).append(example.id)
    return tuple(found), {label: tuple(ids[:3]) for label, ids in through.items()}
