"""What the page's script shows when somebody clicks: every figure worded already, so that the script formats nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from journeymine.maps.tables import column_of
from journeymine.maps.wording import count, duration, legible, money, share, share_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from journeymine.maps.evidence import Estimate, ExampleJourney, Neighbour
    from journeymine.maps.layout import MapLayout, PlacedNode
    from journeymine.maps.process_layout import ProcessLayout
    from journeymine.maps.specification import Flow, MapSpecification, Node

__all__ = ["embed_json", "map_data", "process_data"]

_STATUS = {
    "start": "begin here",
    "converted": "end converted",
    "lost": "lost here",
    "open": "still open here",
    "ended": "end here",
    "service": "end as service",
}


def embed_json(data: object) -> str:
    r"""Write JSON that can stand inside a script element: nothing in it can close the element or end a line.

    >>> embed_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def map_data(spec: MapSpecification, layout: MapLayout, *, prefix: str) -> dict[str, Any]:
    """Collect what stands behind each box and each flow of one map, by its key on the page."""
    names = {node.id: _place(node) for node in spec.nodes}
    shown = {placed.id for placed in layout.nodes}
    data: dict[str, Any] = {}
    for placed in layout.nodes:
        data[prefix + placed.id] = _bundle(placed) if placed.node is None else _node(spec, placed.node, shown, prefix)
    for route in layout.routes:
        data[f"{prefix}f{route.rank}"] = _flow(route.flow, names, prefix)
    return data


def process_data(spec: MapSpecification, layout: ProcessLayout, *, prefix: str) -> dict[str, Any]:
    """Collect what stands behind each box and each line of the process map."""
    names = {node.id: _place(node) for node in spec.nodes}
    shown = {placed.node.id for placed in layout.nodes if placed.node}
    data = {prefix + n.node.id: _node(spec, n.node, shown, prefix) for n in layout.nodes if n.node}
    flows = {f"{prefix}f{i}": _flow(edge.flow, names, prefix) for i, edge in enumerate(layout.edges) if edge.flow}
    return data | flows


def _place(node: Node) -> str:
    return " · ".join(legible(part) for part in (node.touchpoint, node.channel) if part)


def _figure(name: str, estimate: Estimate | None) -> list[list[str]]:
    return [] if estimate is None else [[name, share(estimate), share_interval(estimate)]]


def _column(spec: MapSpecification, stage: str) -> str:
    word, name = column_of(spec, stage)
    return name if spec.stages_are == "given" or not name else f"{word.lower()}: {name}"


def _node(spec: MapSpecification, node: Node, shown: set[str], prefix: str) -> dict[str, Any]:
    figures = [
        ["Journeys", count(node.n_journeys), ""],
        ["Times", count(node.n), ""],
        *_figure("Convert", node.converted),
    ]
    if node.value is not None:
        figures.append(["Value", money(node.value, spec.header.currency), ""])
    figures += [[_STATUS[t.status].capitalize(), count(t.n_journeys), ""] for t in spec.terminals if t.node == node.id]
    facts = [
        legible(part)
        for part in (
            _column(spec, node.stage),
            node.channel,
            f"owner: {node.owner}" if node.owner else "",
            node.kind,
            "sent by the company" if node.by_company else "",
            "loses by definition (lost_at)" if node.is_lost_at else "",
        )
        if part
    ]
    examples = {example.id: example for example in spec.examples}
    return {
        "title": legible(node.touchpoint),
        "facts": facts,
        "figures": figures,
        "before": _neighbours(node.before, shown, prefix),
        "after": _neighbours(node.after, shown, prefix),
        "examples": [_example(examples[name]) for name in node.examples],
    }


def _neighbours(neighbours: Iterable[Neighbour], shown: set[str], prefix: str) -> list[list[str]]:
    return [
        [
            legible(n.label),
            count(n.n),
            share(n.share) if n.share is not None else "",
            prefix + n.node if n.node in shown else "",
        ]
        for n in neighbours
    ]


def _example(example: ExampleJourney) -> dict[str, Any]:
    user = f" · {legible(example.user)}" if example.user else ""
    return {
        "title": f"{legible(example.id)} · {example.status}{user}",
        "steps": [
            [legible(step.touchpoint), legible(step.channel), f"+{duration(step.after_s)}" if step.after_s else ""]
            for step in example.steps
        ],
    }


def _bundle(placed: PlacedNode) -> dict[str, Any]:
    return {
        "title": f"{len(placed.bundled)} more touchpoints",
        "facts": ["too many to draw in this cell"],
        "figures": [
            [legible(node.touchpoint), count(node.n_journeys), share(node.converted) if node.converted else ""]
            for node in placed.bundled[:100]
        ],
        "before": [],
        "after": [],
        "examples": [],
    }


def _flow(flow: Flow, names: dict[str, str], prefix: str) -> dict[str, Any]:
    kind = (
        "repeats"
        if flow.source == flow.target
        else "back-step"
        if flow.is_back
        else "hand-over between channels"
        if flow.is_handover
        else "stays in its channel"
    )
    figures = [
        ["Journeys", count(flow.n_journeys), ""],
        ["Times", count(flow.n), ""],
        ["Median time between", duration(flow.p50_s), ""],
        ["9 in 10 within", duration(flow.p90_s), ""],
        *_figure("Convert", flow.converted),
    ]
    return {
        "title": f"{names[flow.source]} → {names[flow.target]}",
        "facts": [kind],
        "examples": [],
        "figures": [figure for figure in figures if figure[1] != "–"],
        "before": [[names[flow.source], "", "", prefix + flow.source]],
        "after": [[names[flow.target], "", "", prefix + flow.target]],
    }
