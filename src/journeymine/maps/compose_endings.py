"""What is lost by definition, because the rules name a touchpoint that loses a journey (`lost_at`): no finding, and told so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from journeymine.maps.findings import DropOff
from journeymine.maps.specification import Node, Stage, Terminal

__all__ = ["by_definition", "closing", "ended_by_definition"]


def ended_by_definition(drawn: Mapping[str, Node], ends: Iterable[Terminal]) -> Counter[tuple[str, str]]:
    """Journeys lost at a touchpoint of `lost_at` in each stage × channel, as far as it is shown how many these are."""
    ended = Counter[tuple[str, str]]()
    for end in ends:
        node = drawn[end.node]
        ended[node.stage, node.channel] += end.n_journeys if node.is_lost_at and end.status == "lost" else 0
    return ended


def closing(stages: Sequence[Stage], ended: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Stages most of whose losses are by definition."""
    inside = Counter[str]()
    for (stage, _), n in ended.items():
        inside[stage] += n
    return tuple(stage.name for stage in stages if 2 * inside[stage.name] > (stage.n_lost_here or 0))


def by_definition(places: Iterable[DropOff], ended: Mapping[tuple[str, str], int]) -> tuple[DropOff, ...]:
    """The places, saying of which most losses are by definition."""
    return tuple(
        replace(place, by_definition=2 * ended.get((place.stage, place.channel), 0) > (place.n_lost or 0))
        for place in places
    )
