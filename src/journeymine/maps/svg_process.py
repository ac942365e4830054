"""Draw the process map: boxes in layers, lines as wide as journeys are many, the usual time on the strongest."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from journeymine.maps.flow_routes import Box
from journeymine.maps.markup import Svg, element, group, label, number, title
from journeymine.maps.palette import N_LANE_COLOURS
from journeymine.maps.text_metrics import fit, width
from journeymine.maps.wording import compact, duration, legible, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journeymine.maps.flow_routes import Point
    from journeymine.maps.process_layout import ProcessEdge, ProcessLayout, ProcessNode
    from journeymine.maps.specification import MapSpecification

__all__ = ["draw_process"]

MOST_LABELS = 20
"""Lines that bear a number, the strongest; all of them say theirs when hovered."""

_END_NAMES = {
    "start": "begin",
    "converted": "convert",
    "lost": "lost",
    "open": "open",
    "ended": "end",
    "service": "service",
}


def draw_process(spec: MapSpecification, layout: ProcessLayout, *, prefix: str) -> Svg:
    """Draw the process map for the page; keys are those of the lane map with another prefix."""
    lanes = {lane.name: i % N_LANE_COLOURS for i, lane in enumerate(spec.lanes)}
    most = max((edge.n_journeys for edge in layout.edges), default=1) or 1
    labels = _label_points(layout)
    names = [legible(n.node.touchpoint) if n.node else _END_NAMES[n.end or "start"] for n in layout.nodes]
    keys = [f"{prefix}{n.node.id}" if n.node else "" for n in layout.nodes]
    drawing = group(
        group(
            *(_edge(edge, names, keys, most, labels.get(i), f"{prefix}f{i}", i) for i, edge in enumerate(layout.edges))
        ),
        group(*(_node(n, lanes, keys[i], i) for i, n in enumerate(layout.nodes))),
    )
    return element(
        "svg",
        drawing,
        class_="jm process",
        viewBox=f"0 0 {number(layout.width)} {number(layout.height)}",
        width=layout.width,
        height=layout.height,
        role="group",
        aria_label=f"Process map: {spec.header.title}",
    )


def _node(placed: ProcessNode, lanes: dict[str, int], key: str, i: int) -> Svg:
    box = placed.box
    if placed.node is None:
        kind = placed.end or "start"
        text = f"{_END_NAMES[kind]} {compact(placed.n_journeys)}"
        return group(
            title(f"{plural(placed.n_journeys, 'journey')} {_END_NAMES[kind]}"),
            element(
                "rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=box.height / 2, class_=f"end {kind}"
            ),
            label(box.x + box.width / 2, box.y + 17, text, "end-text", anchor="middle"),
            class_="terminal",
        )
    node = placed.node
    n = compact(node.n_journeys)
    middle = box.y + (16 if node.channel else 22)
    room = box.width - 24 - width(n, 11)
    name = f"{legible(node.touchpoint)}{f' ({legible(node.channel)})' if node.channel else ''}: {plural(node.n_journeys, 'journey')}"
    return group(
        title(name),
        element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=5, class_="box"),
        element("rect", x=box.x, y=box.y + 5, width=3.5, height=box.height - 10, rx=1.5, class_="fill"),
        label(box.x + 11, middle, fit(legible(node.touchpoint), 12, room), "t12"),
        label(box.x + 11, box.y + 29, fit(legible(node.channel), 9.5, box.width - 20), "quiet t9"),
        label(box.right - 8, middle, n, "quiet", anchor="end"),
        class_=f"node c{lanes[node.channel]}",
        data_key=key,
        data_rank=str(i),
        tabindex="-1",
        role="button",
    )


def _label_points(layout: ProcessLayout) -> dict[int, Point]:
    """Where the numbers of the strongest lines stand: on the line, clear of boxes and of each other; else there is none."""
    taken = [node.box for node in layout.nodes]
    found: dict[int, Point] = {}
    for i, edge in sorted(enumerate(layout.edges), key=lambda item: (-item[1].n_journeys, item[0]))[:MOST_LABELS]:
        texts = (_often(edge), duration(edge.p50_s) if edge.p50_s is not None else "")
        wide = max(width(text, 9.5) for text in texts) + 4
        for x, y in _along(edge.points):
            box = Box(x - wide / 2, y - 7, wide, 14)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found[i] = (x, y)
                break
    return found


def _in_times(edge: ProcessEdge) -> bool:
    """Whether the number of journeys is withheld, and it is told how many times instead."""
    return edge.flow is not None and edge.flow.n_journeys is None


def _often(edge: ProcessEdge) -> str:
    return compact(edge.n_journeys) + ("×" if _in_times(edge) else "")


def _along(points: tuple[Point, ...]) -> Iterator[Point]:
    """Points on a line to try, those in the middle of its longest pieces first."""
    pieces = sorted(pairwise(points), key=lambda ends: -(abs(ends[1][0] - ends[0][0]) + abs(ends[1][1] - ends[0][1])))
    for part in (0.5, 0.35, 0.65, 0.2, 0.8):
        for (ax, ay), (bx, by) in pieces[:3]:
            yield ax + (bx - ax) * part, ay + (by - ay) * part


def _overlap(a: Box, b: Box) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.y + b.height and b.y < a.y + a.height


def _edge(
    edge: ProcessEdge, names: list[str], keys: list[str], most: int, at: Point | None, key: str, rank: int
) -> Svg:
    stroke = round(max(1.0, 7.0 * edge.n_journeys / most), 2)
    time = f", median {duration(edge.p50_s)}" if edge.p50_s is not None else ""
    note = f"{names[edge.source]} → {names[edge.target]}: {plural(edge.n_journeys, 'time' if _in_times(edge) else 'journey')}{time}"
    parts = [title(note), element("path", d=_rounded(edge.points), stroke_width=stroke)]
    (x, y), (to_x, to_y) = edge.points[-2], edge.points[-1]
    along = (1 if to_x > x else -1) if abs(to_x - x) > abs(to_y - y) else 0
    down = 0 if along else (1 if to_y > y else -1)
    size = 4 + stroke * 0.5
    tip = (
        f"M{number(to_x)} {number(to_y)}L{number(to_x - along * size * 1.6 - down * size)} "
        f"{number(to_y - down * size * 1.6 - along * size)}L{number(to_x - along * size * 1.6 + down * size)} "
        f"{number(to_y - down * size * 1.6 + along * size)}Z"
    )
    parts.append(element("path", d=tip, class_="tip"))
    if at is not None:
        x, y = at[0], at[1] + 3
        parts.append(label(x, y, _often(edge), "t9 halo by-frequency", anchor="middle"))
        if edge.p50_s is not None:
            parts.append(label(x, y, duration(edge.p50_s), "t9 halo by-time", anchor="middle"))
    if edge.flow is None:
        return group(*parts, class_="edge terminal")
    parts.insert(1, element("path", d=_rounded(edge.points), class_="hit"))
    return group(
        *parts,
        class_="flow edge",
        data_key=key,
        data_rank=str(rank),
        tabindex="-1",
        role="button",
        data_from=keys[edge.source],
        data_to=keys[edge.target],
    )


def _rounded(points: tuple[Point, ...], radius: float = 7.0) -> str:
    """Write a line of corners with its corners rounded off."""
    out = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (ax, ay), (x, y), (bx, by) in zip(points, points[1:], points[2:], strict=False):
        before, after = max(abs(x - ax), abs(y - ay)), max(abs(bx - x), abs(by - y))
        r = min(radius, before / 2, after / 2)
        if r <= 0:
            continue
        start = (x + (ax - x) * r / before, y + (ay - y) * r / before)
        end = (x + (bx - x) * r / after, y + (by - y) * r / after)
        out.append(f"L{number(start[0])} {number(start[1])}Q{number(x)} {number(y)} {number(end[0])} {number(end[1])}")
    return "".join(out) + f"L{number(points[-1][0])} {number(points[-1][1])}"
