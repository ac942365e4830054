"""Check that the parts of a map refer only to stages, lanes, nodes and examples that are in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from journeymine.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from journeymine.maps.findings import MomentOfTruth, Opportunity, PainPoint
    from journeymine.maps.specification import MapSpecification

__all__ = ["check_references"]


def check_references(spec: MapSpecification) -> None:
    """Raise `SchemaError` for the first name that occurs twice or does not occur at all."""
    stages = _unique("stage", (stage.name for stage in spec.stages))
    lanes = _unique("lane", (lane.name for lane in spec.lanes))
    nodes = _unique("node id", (node.id for node in spec.nodes))
    examples = _unique("example id", (example.id for example in spec.examples))
    _unique("flow", ((flow.source, flow.target) for flow in spec.flows))
    _unique("drop-off", ((drop.stage, drop.channel) for drop in spec.drop_offs))
    for kind, known, names in _references(spec, stages, lanes, nodes, examples):
        missing = sorted({name for name in names if name not in known})
        if missing:
            listed = ", ".join(map(repr, missing[:5]))
            raise SchemaError(
                f"the map names {len(missing)} unknown {kind}: {listed}",
                hint=f"add each {kind} to the map, or leave out the parts that name it",
            )


def _unique(kind: str, names: Iterable[object]) -> set[object]:
    counts = Counter(names)
    twice = [name for name, n in counts.items() if n > 1]
    if twice:
        raise SchemaError(
            f"{len(twice)} {kind}(s) occur more than once in the map, first {twice[0]!r}",
            hint=f"give every {kind} a name of its own",
        )
    return set(counts)


def _references(
    spec: MapSpecification, stages: set[object], lanes: set[object], nodes: set[object], examples: set[object]
) -> Iterator[tuple[str, set[object], Iterable[str]]]:
    placed: tuple[PainPoint | MomentOfTruth | Opportunity, ...] = (
        *spec.pain_points,
        *spec.moments_of_truth,
        *spec.opportunities,
    )
    yield "stage", stages, (node.stage for node in spec.nodes)
    yield "stage", stages, (drop.stage for drop in spec.drop_offs)
    yield "stage", stages, (finding.stage for finding in placed if finding.stage)
    yield "stage", stages, (cell.stage for row in spec.written_rows for cell in row.cells)
    yield "stage", stages, (point.stage for point in (spec.emotion.points if spec.emotion else ()))
    yield "channel", lanes, (node.channel for node in spec.nodes)
    yield "channel", lanes, (drop.channel for drop in spec.drop_offs)
    yield "channel", lanes, (finding.channel for finding in placed if finding.channel)
    yield "node", nodes, (end for flow in spec.flows for end in (flow.source, flow.target))
    yield "node", nodes, (terminal.node for terminal in spec.terminals)
    yield "node", nodes, (node for overlay in spec.overlays for path in overlay.paths for node in path.nodes)
    yield "example", examples, (name for node in spec.nodes for name in node.examples)
