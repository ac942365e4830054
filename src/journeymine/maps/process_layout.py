"""The process map: the strongest touchpoints and flows, laid in layers by `graphlay` (extra ``maps``).

A layered drawing of everything is a ball of wool. So the map is simplified first: the most used touchpoints, the
strongest flows among them, and for each touchpoint at least its strongest way in and its strongest way out, so that
none hangs loose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from journeymine.maps.flow_routes import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from journeymine.maps.flow_routes import Point
    from journeymine.maps.specification import Flow, MapSpecification, Node

__all__ = ["ProcessEdge", "ProcessLayout", "ProcessNode", "lay_out_process", "simplify"]

NODE_WIDTH, NODE_HEIGHT = 172.0, 36.0
END_WIDTH, END_HEIGHT = 86.0, 26.0
FAST_ABOVE = 40
EndKind = Literal["start", "converted", "lost", "open", "ended", "service"]


@dataclass(frozen=True, slots=True)
class ProcessNode:
    """A touchpoint's box, or one of the ends of all journeys (`end`), with how many journeys pass."""

    box: Box
    n_journeys: int
    node: Node | None = None
    end: EndKind | None = None


@dataclass(frozen=True, slots=True)
class ProcessEdge:
    """A flow as a line of corners (`flow` None: from or to an end of journeys); `n_journeys` gives its width."""

    source: int
    target: int
    flow: Flow | None
    n_journeys: int
    p50_s: float | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class ProcessLayout:
    """The geometry of a process map."""

    width: float
    height: float
    nodes: tuple[ProcessNode, ...]
    edges: tuple[ProcessEdge, ...]


def simplify(spec: MapSpecification, *, nodes: int = 18, flows: int = 28) -> tuple[list[Node], list[Flow]]:
    """Keep the most used touchpoints and the strongest flows among them.

    Parameters
    ----------
    nodes : how many touchpoints at most.
    flows : how many flows at most, besides each touchpoint's strongest way in and way out.
    """
    kept = sorted(spec.nodes, key=lambda node: (-node.weight, node.id))[:nodes]
    ids = {node.id for node in kept}
    among = sorted(
        (flow for flow in spec.flows if flow.source in ids and flow.target in ids and flow.source != flow.target),
        key=lambda flow: (-flow.weight, -flow.n, flow.source, flow.target),
    )
    chosen = {(flow.source, flow.target) for flow in (*among[:flows], *_strongest(among))}
    return kept, [flow for flow in among if (flow.source, flow.target) in chosen]


def _strongest(flows: Iterable[Flow]) -> list[Flow]:
    """Each touchpoint's first way in and first way out; `flows` are sorted, strongest first."""
    into: dict[str, Flow] = {}
    out_of: dict[str, Flow] = {}
    for flow in flows:
        into.setdefault(flow.target, flow)
        out_of.setdefault(flow.source, flow)
    return [*into.values(), *out_of.values()]


def lay_out_process(spec: MapSpecification) -> ProcessLayout | None:
    """Lay the simplified map in layers.

    Returns
    -------
    ProcessLayout; None where there is no flow to draw, or `graphlay` is not installed.
    """
    try:
        import graphlay
    except ImportError:
        return None
    kept, flows = simplify(spec)
    if not flows:
        return None
    ends, arcs = _ends(spec, kept)
    index = {node.id: i for i, node in enumerate(kept)}
    arcs = [(index[f.source], index[f.target], f.weight, f.p50_s) for f in flows] + arcs
    graph = graphlay.Graph()
    for i in range(len(kept) + len(ends)):
        inner = i < len(kept)
        graph.node(i, width=NODE_WIDTH if inner else END_WIDTH, height=NODE_HEIGHT if inner else END_HEIGHT)
    for source, target, n, _ in arcs:
        graph.edge(source, target, weight=float(max(n, 1)))
    options: dict[str, Any] = {
        "direction": "topbottom",
        "spacing": {"layer_gap": 54.0, "node_gap": 26.0, "dummy_gap": 14.0, "port_gap": 9.0},
    }
    if len(kept) > FAST_ABOVE:
        options["effort"] = "fast"
    drawn = graphlay.layout(graph, options=options)
    return _finished(drawn, kept, ends, arcs, flows)


_Arc = tuple[int, int, int, float | None]


def _ends(spec: MapSpecification, kept: list[Node]) -> tuple[list[tuple[EndKind, int]], list[_Arc]]:
    """Where journeys begin, convert and are lost: one end each, tied to the touchpoints that matter most for it."""
    index = {node.id: i for i, node in enumerate(kept)}
    ends: list[tuple[EndKind, int]] = []
    arcs: list[_Arc] = []
    header = spec.header
    totals: dict[EndKind, int | None] = {
        "start": header.n_journeys, "converted": header.n_converted, "lost": header.n_lost,
    }  # fmt: skip
    for status, total in totals.items():
        here = sorted(
            (t for t in spec.terminals if t.status == status and t.node in index and t.n_journeys),
            key=lambda t: (-t.n_journeys, t.node),
        )
        if not here:
            continue
        at = len(kept) + len(ends)
        ends.append((status, sum(t.n_journeys for t in here) if total is None else total))
        for terminal in here[:5]:
            ends_of = (at, index[terminal.node]) if status == "start" else (index[terminal.node], at)
            arcs.append((*ends_of, terminal.n_journeys, None))
    return ends, arcs


def _finished(
    drawn: Any, kept: list[Node], ends: list[tuple[EndKind, int]], arcs: list[_Arc], flows: list[Flow]
) -> ProcessLayout:
    """Move the drawing to the origin and give it our names."""
    corners = [(p["x"], p["y"]) for edge in drawn.edges for p in edge["points"]]
    boxes = [
        (
            n["center"]["x"] - n["size"]["width"] / 2,
            n["center"]["y"] - n["size"]["height"] / 2,
            n["size"]["width"],
            n["size"]["height"],
        )
        for n in drawn.nodes
    ]
    left = min([x for x, _ in corners] + [box[0] for box in boxes]) - 8
    top = min([y for _, y in corners] + [box[1] for box in boxes]) - 8
    right = max([x for x, _ in corners] + [box[0] + box[2] for box in boxes]) + 8
    bottom = max([y for _, y in corners] + [box[1] + box[3] for box in boxes]) + 8
    nodes = []
    for i, (x, y, width, height) in enumerate(boxes):
        box = Box(round(x - left, 2), round(y - top, 2), width, height)
        if i < len(kept):
            nodes.append(ProcessNode(box, kept[i].n_journeys or 0, node=kept[i]))
        else:
            kind, n = ends[i - len(kept)]
            nodes.append(ProcessNode(box, n, end=kind))
    edges = []
    for i, ((source, target, n, p50_s), edge) in enumerate(zip(arcs, drawn.edges, strict=True)):
        points = tuple((round(p["x"] - left, 2), round(p["y"] - top, 2)) for p in edge["points"])
        edges.append(ProcessEdge(source, target, flows[i] if i < len(flows) else None, n, p50_s, points))
    return ProcessLayout(round(right - left, 2), round(bottom - top, 2), tuple(nodes), tuple(edges))
