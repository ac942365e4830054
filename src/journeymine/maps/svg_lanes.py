"""Draw the lane map: lanes, cells with their drop-off, touchpoints, and the flows between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeymine.maps.first_screen import is_claimed, worst_place
from journeymine.maps.layout import LANE_NAME_WIDTH
from journeymine.maps.markup import Svg, element, group, join, label, number, title
from journeymine.maps.palette import N_LANE_COLOURS
from journeymine.maps.text_metrics import fit, width, wrap
from journeymine.maps.wording import compact, count, duration, legible, plural, share, share_interval

if TYPE_CHECKING:
    from journeymine.maps.flow_routes import Route
    from journeymine.maps.layout import Band, Cell, MapLayout, PlacedNode
    from journeymine.maps.specification import Flow, MapSpecification

__all__ = ["channel_name", "default_flow_count", "draw_lanes", "flow_name", "name_lanes", "node_name", "path_data"]

HEAT_LEAST, HEAT_MOST = 0.03, 0.19
"""Opacity of the loss colour on a cell's ground; the most keeps the caption readable on it."""

_ERRORS = frozenset({"error", "complaint", "support"})


def default_flow_count(n_nodes: int, n_routes: int) -> int:
    """How many flows a map shows before anybody moves a slider: enough to follow, few enough to see.

    >>> default_flow_count(12, 80), default_flow_count(100, 400), default_flow_count(5, 9)
    (30, 110, 9)
    """
    return min(n_routes, 110, max(30, round(n_nodes * 1.7)))


def channel_name(name: str) -> str:
    """Name a channel for people; the one lane of a log without channels has no name."""
    return legible(name) or "all channels"


def node_name(placed: PlacedNode) -> str:
    """Name a box in one line, for those who hover or listen."""
    if placed.node is None:
        return f"{len(placed.bundled)} more touchpoints in this cell"
    node = placed.node
    where = ", ".join(part for part in (legible(node.channel), legible(node.stage)) if part)
    return f"{legible(node.touchpoint)}{f' ({where})' if where else ''}: {plural(node.n_journeys, 'journey')}" + (
        f", {share(node.converted)} convert" if node.converted and node.converted.value is not None else ""
    )


def flow_name(names: dict[str, str], route: Route) -> str:
    """Name a flow in one line."""
    flow = route.flow
    kind = (
        "repeats: "
        if route.kind == "loop"
        else "back-step: "
        if flow.is_back
        else "hand-over: "
        if flow.is_handover
        else ""
    )
    time = f", median {duration(flow.p50_s)}" if flow.p50_s is not None else ""
    return f"{kind}{names[flow.source]} → {names[flow.target]}: {_how_many(flow)}{time}"


def draw_lanes(spec: MapSpecification, layout: MapLayout, *, prefix: str, live: bool) -> Svg:
    """Draw everything between the stage rows above and the drop-off row below."""
    n_shown = len(layout.routes) if live else default_flow_count(len(layout.nodes), len(layout.routes))
    names = {node.id: legible(node.touchpoint) for node in spec.nodes}
    lane_of = {placed.id: placed.lane for placed in layout.nodes}
    flows = [_flow(route, names, lane_of, prefix, live) for route in reversed(layout.routes[:n_shown])]
    most = max((placed.node.n_journeys or 0 for placed in layout.nodes if placed.node), default=0) or 1
    worst, worst_share = worst_place(spec), _worst_share(layout)
    worst = worst if worst is not None and is_claimed(worst) else None
    return join(
        group(*(_rule(layout, band) for band in layout.bands if band.index)),
        group(
            *(_ground(cell, worst_share, cell.drop_off is not None and cell.drop_off is worst) for cell in layout.cells)
        ),
        group(*flows, class_="flows"),
        group(
            *(_node(placed, most, prefix, live, whose=layout.bands[placed.lane].shared) for placed in layout.nodes),
            class_="nodes",
        ),
        group(*(_caption(cell) for cell in layout.cells if cell.caption)),
        group(*_badges(spec, layout)),
    )


def _rule(layout: MapLayout, band: Band) -> Svg:
    return element("line", x1=0, x2=layout.width, y1=band.y - 9, y2=band.y - 9, class_="rule")


def name_lanes(layout: MapLayout) -> Svg:
    """Name the lanes in the margin, each with its colour, how many journeys touch it and how many convert later."""
    return join(*(_lane_name(band) for band in layout.bands if band.name))


def _lane_name(band: Band) -> Svg:
    lane = band.lanes[0]
    y = band.y + 19.0
    parts = [element("rect", x=0, y=band.y + 2, width=4, height=band.height - 4, rx=2, class_="fill")]
    for line in wrap(legible(band.name), 13, LANE_NAME_WIDTH, lines=2, bold=True):
        parts.append(label(14, y, line, "t13"))
        y += 15
    if band.shared:
        note = f"Channels without a lane of their own: {', '.join(legible(each.name) for each in band.lanes)}"
        return group(title(note), *parts, class_=f"c{band.index % N_LANE_COLOURS}")
    if lane.n_journeys is not None:
        parts.append(label(14, y + 1, plural(lane.n_journeys, "journey"), "quiet"))
        y += 15
    note = f"{legible(band.name)}: {plural(lane.n_journeys, 'journey')}"
    if lane.converted_later is not None and lane.converted_later.value is not None:
        parts.append(label(14, y + 1, f"{share(lane.converted_later)} convert later", "quiet"))
        note += f"; {share(lane.converted_later)} of the mature ones reach the goal after they first came here"
    return group(title(note), *parts, class_=f"c{band.index % N_LANE_COLOURS}")


def _how_many(flow: Flow) -> str:
    return plural(flow.n, "time") if flow.n_journeys is None else plural(flow.n_journeys, "journey")


def _worst_share(layout: MapLayout) -> float:
    shares = [cell.drop_off.lost.value or 0.0 for cell in layout.cells if cell.drop_off and cell.drop_off.lost]
    return max(shares, default=0.0) or 1.0


def _ground(cell: Cell, worst_share: float, is_worst: bool) -> Svg:
    box, drop = cell.box, cell.drop_off
    parts = [element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=7, class_="cell")]
    lost = drop.lost.value if drop and drop.lost else None
    if lost:
        parts.append(
            element(
                "rect",
                x=box.x,
                y=box.y,
                width=box.width,
                height=box.height,
                rx=7,
                class_="heat",
                fill_opacity=round(HEAT_LEAST + (HEAT_MOST - HEAT_LEAST) * lost / worst_share, 3),
            )
        )
    if is_worst:
        parts.append(element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=7, class_="worst"))
    return join(*parts)


def _caption(cell: Cell) -> Svg:
    drop, box = cell.drop_off, cell.caption
    if drop is None or box is None:
        return Svg("")
    text = f"{count(drop.n_lost)} lost" + (
        f" · {share(drop.lost)}" if drop.lost and drop.lost.value is not None else ""
    )
    note = f"{plural(drop.n_lost, 'journey')} lost here, of {count(drop.n_reached)} that came; {share(drop.lost)}"
    detail = share_interval(drop.lost)
    x, y = box.x + 2, box.y + 6
    mark = element("path", d=f"M{number(x)} {number(y)}h8l-4 6z", class_="bad")
    return group(
        title(f"{note} ({detail})" if detail else note),
        mark,
        label(box.x + 14, box.y + 13, fit(text, 11, box.width - 14, bold=True), "bad"),
        class_="drop",
    )


def _node(placed: PlacedNode, most: int, prefix: str, live: bool, *, whose: bool) -> Svg:
    """A touchpoint; with `whose`, its channel is said as well."""
    box, node = placed.box, placed.node
    marks = (
        {
            "data_key": f"{prefix}{placed.id}",
            "tabindex": "-1",
            "role": "button",
            "data_rank": str(placed.rank),
        }
        if live
        else {}
    )
    outline = element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=5, class_="box")
    if node is None:
        text = f"+ {len(placed.bundled)} more"
        return group(
            title(node_name(placed)),
            outline,
            label(box.x + 10, box.y + 19, text, "quiet"),
            class_=f"node bundle c{placed.lane % N_LANE_COLOURS}",
            **marks,
        )
    number_text = compact(node.n_journeys)
    room = box.width - 22 - width(number_text, 11)
    x, parts = box.x + 9, [title(node_name(placed)), outline]
    if node.kind in _ERRORS:
        parts.append(label(x, box.y + 18, "!", "t12 bad"))
        x, room = x + 8, room - 8
    name = f"{legible(node.channel)}: {legible(node.touchpoint)}" if whose else legible(node.touchpoint)
    parts.append(label(x, box.y + 18, fit(name, 12, room), "t12"))
    parts.append(label(box.right - 8, box.y + 18, number_text, "quiet", anchor="end"))
    bar = max(2.0, (box.width - 16) * (node.n_journeys or 0) / most)
    parts.append(
        element("rect", x=box.x + 8, y=box.y + box.height - 6, width=round(bar, 1), height=2.5, rx=1.2, class_="fill")
    )
    company = " company" if node.by_company else ""
    return group(*parts, class_=f"node c{placed.lane % N_LANE_COLOURS}{company}", **marks)


def _flow(route: Route, names: dict[str, str], lane_of: dict[str, int], prefix: str, live: bool) -> Svg:
    d = path_data(route)
    flow = route.flow
    kind = "back" if route.kind == "back" else "handover" if flow.is_handover else "same"
    name = flow_name(names, route)
    parts = [title(name), element("path", d=d, stroke_width=route.stroke)]
    if route.arrow:
        x, y, right = route.arrow
        reach = 6 if right else -6
        parts.append(element("path", d=f"M{number(x)} {number(y - 3.5)}l{reach} 3.5l{-reach} 3.5z", class_="tip"))
    marks: dict[str, str] = {}
    if live:
        parts.append(element("path", d=d, class_="hit"))
        marks = {
            "data_key": f"{prefix}f{route.rank}",
            "data_rank": str(route.rank),
            "tabindex": "-1",
            "role": "button",
            "data_from": f"{prefix}{flow.source}",
            "data_to": f"{prefix}{flow.target}",
        }
    return group(*parts, class_=f"flow {kind} {route.kind} c{lane_of[flow.source] % N_LANE_COLOURS}", **marks)


def path_data(route: Route) -> str:
    """Write a route as SVG path data."""
    (x, y), rest = route.points[0], route.points[1:]
    pieces = [" ".join(f"{number(a)} {number(b)}" for a, b in rest[i : i + 3]) for i in range(0, len(rest), 3)]
    return f"M{number(x)} {number(y)}" + "".join(f"C{piece}" for piece in pieces)


def _badges(spec: MapSpecification, layout: MapLayout) -> list[Svg]:
    """Number the places that the list of opportunities speaks of."""
    column = {c.name: c.index for c in layout.columns}
    lane = {each.name: band.index for band in layout.bands for each in band.lanes}
    cells = {(cell.column, cell.lane): cell for cell in layout.cells}
    used: dict[tuple[int, int], int] = {}
    badges = []
    for finding in sorted(spec.opportunities, key=lambda found: found.rank)[:9]:
        place = (column.get(finding.stage, -1), lane.get(finding.channel, -1))
        if place not in cells:
            continue
        box, shift = cells[place].box, used.get(place, 0)
        used[place] = shift + 1
        x, y = box.right - 4 - shift * 20, box.y - 1
        badges.append(
            group(
                title(f"Opportunity {finding.rank}: {finding.title}"),
                element("circle", cx=x, cy=y, r=8.5, class_="badge"),
                label(x, y + 3.5, str(finding.rank), "badge-text", anchor="middle"),
            )
        )
    return badges
