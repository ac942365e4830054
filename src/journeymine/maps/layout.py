"""Where everything on the lane map goes: stages as columns, channels as lanes, touchpoints as boxes in their cells.

The plane is cut into boxes and two kinds of road. *Gutters* run down between columns, *corridors* run across between
lanes, and flows use nothing else, so a flow can never run through a touchpoint (`flow_routes`). A crowded cell keeps
its most used touchpoints and bundles the tail into one box. Pure and deterministic: the same map, the same geometry.

y runs downwards from the top of the first lane; px throughout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from journeymine.maps.flow_routes import Box, Plan, Route, corridor_heights, drawable, route_flows
from journeymine.maps.text_metrics import wrap
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from journeymine.maps.findings import DropOff
    from journeymine.maps.specification import Flow, Lane, MapSpecification, Node

__all__ = ["Band", "Cell", "Column", "MapLayout", "PlacedNode", "lay_out"]

LABEL_WIDTH = 128.0
LANE_NAME_WIDTH = 100.0
NODE_HEIGHT = 30.0
NODE_GAP = 7.0
CAPTION_HEIGHT = 18.0
CELL_PADDING = 7.0
TARGET_WIDTH = 1372.0
MIN_COLUMN, MAX_COLUMN = 152.0, 250.0
MIN_GUTTER, MAX_GUTTER = 56.0, 124.0
MAX_ROUTES = 400
MOST_LANES = 20
"""Beyond so many channels, the least used share the last lane: a drawing of fifty lanes is ten screens high."""


@dataclass(frozen=True, slots=True)
class Column:
    """One stage: its place in the order, left edge and width."""

    index: int
    name: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Band:
    """One lane: its place in the order, top edge and height, and the channels in it: one, or all that have no lane of their own."""

    index: int
    name: str
    y: float
    height: float
    lanes: tuple[Lane, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether it holds several channels."""
        return len(self.lanes) > 1


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A touchpoint's box, or (with `bundled`) one box for the tail of a crowded cell; `rank` 0 is the most used."""

    id: str
    box: Box
    column: int
    lane: int
    rank: int
    node: Node | None
    bundled: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A stage × lane: the ground behind its touchpoints, and the room for its drop-off caption."""

    column: int
    lane: int
    box: Box
    caption: Box | None
    drop_off: DropOff | None


@dataclass(frozen=True, slots=True)
class MapLayout:
    """The geometry of a lane map."""

    width: float
    height: float
    gutter: float
    columns: tuple[Column, ...]
    bands: tuple[Band, ...]
    cells: tuple[Cell, ...]
    nodes: tuple[PlacedNode, ...]
    routes: tuple[Route, ...]
    n_flows: int
    overlays: Mapping[tuple[str, str], Route] = field(default_factory=dict)

    @property
    def n_bundled(self) -> int:
        """Touchpoints that stand behind a bundle."""
        return sum(len(placed.bundled) for placed in self.nodes)


def lay_out(spec: MapSpecification, *, most_flows: int = MAX_ROUTES) -> MapLayout:
    """Place stages, lanes, touchpoints, and the `most_flows` strongest flows.

    Returns
    -------
    MapLayout; boxes never overlap each other, flows never cross a box.
    """
    columns, gutter = _columns(spec)
    lanes = _shared_out(spec.lanes)
    members = _members(spec, lanes)
    kept = {cell: _split(nodes, _cell_limit(len(lanes))) for cell, nodes in members.items()}
    drops = {(drop.stage, drop.channel): drop for drop in spec.drop_offs if drop.n_lost}
    ends = {node.id: (cell[0], cell[1]) for cell, (shown, _) in kept.items() for node in shown}
    flows = _ranked_flows(spec, ends)[:most_flows]
    overlaid = _overlaid(spec, ends)
    every = (*flows, *(step for name, step in overlaid.items() if name not in {(f.source, f.target) for f in flows}))
    heights = corridor_heights(every, ends, n_lanes=len(lanes))
    bands, corridors = _bands(lanes, kept, drops, heights)
    nodes, cells = _place(spec, columns, bands, kept, drops)
    boxes = {placed.id: placed.box for placed in nodes if placed.node is not None}
    plan = Plan(gutter=gutter, corridors=corridors, boxes=boxes, cells=ends)
    routes = route_flows(every, plan)
    last = columns[-1] if columns else Column(0, "", LABEL_WIDTH, 0.0)
    return MapLayout(
        width=last.x + last.width + gutter,
        height=corridors[-1][0] + corridors[-1][1],
        gutter=gutter,
        columns=columns,
        bands=bands,
        cells=cells,
        nodes=nodes,
        routes=routes[: len(flows)],
        n_flows=len(spec.flows),
        overlays={(r.flow.source, r.flow.target): r for r in routes if (r.flow.source, r.flow.target) in overlaid},
    )


def _columns(spec: MapSpecification) -> tuple[tuple[Column, ...], float]:
    """Share the page among the stages; more of them than fit make the map wider, never the columns unreadable."""
    n = max(len(spec.stages), 1)
    pitch = (TARGET_WIDTH - LABEL_WIDTH) / n
    gutter = min(max(pitch * 0.3, MIN_GUTTER), MAX_GUTTER)
    column = min(max(pitch - gutter, MIN_COLUMN), MAX_COLUMN)
    left = LABEL_WIDTH + gutter / 2
    return tuple(
        Column(i, stage.name, round(left + i * (column + gutter), 2), column) for i, stage in enumerate(spec.stages)
    ), gutter


def _shared_out(lanes: Sequence[Lane]) -> tuple[tuple[Lane, ...], ...]:
    """The channels of each lane that is drawn, in their order: one each, and at the end those for which there is no room."""
    if len(lanes) <= MOST_LANES:
        return tuple((lane,) for lane in lanes)
    most = sorted(lanes, key=lambda lane: -(lane.n_journeys or 0))[: MOST_LANES - 1]
    alone = {lane.name for lane in most}
    return (
        *((lane,) for lane in lanes if lane.name in alone),
        tuple(lane for lane in lanes if lane.name not in alone),
    )


def _cell_limit(n: int) -> int:
    """How many boxes a cell may hold: fewer where there are many lanes, so that the map stays a page."""
    return 14 if n == 1 else 9 if n == 2 else 6 if n <= 6 else 4 if n <= 10 else 3


def _members(spec: MapSpecification, lanes: Sequence[tuple[Lane, ...]]) -> dict[tuple[int, int], list[Node]]:
    column = {stage.name: i for i, stage in enumerate(spec.stages)}
    lane = {each.name: i for i, together in enumerate(lanes) for each in together}
    members: dict[tuple[int, int], list[Node]] = defaultdict(list)
    for node in sorted(spec.nodes, key=_use):
        members[column[node.stage], lane[node.channel]].append(node)
    return dict(sorted(members.items()))


def _use(node: Node) -> tuple[int, int, str]:
    return (-node.weight, -(node.n or 0), node.id)


def _split(nodes: list[Node], limit: int) -> tuple[list[Node], list[Node]]:
    return (nodes, []) if len(nodes) <= limit else (nodes[: limit - 1], nodes[limit - 1 :])


def _ranked_flows(spec: MapSpecification, ends: dict[str, tuple[int, int]]) -> tuple[Flow, ...]:
    """The flows between drawn touchpoints, most used first, cut where more ink would show less."""
    flows = sorted(drawable(spec.flows, ends), key=lambda flow: (-flow.weight, -flow.n, flow.source, flow.target))
    return tuple(flows[:MAX_ROUTES])


def _overlaid(spec: MapSpecification, ends: dict[str, tuple[int, int]]) -> dict[tuple[str, str], Flow]:
    """The steps of the overlays between drawn touchpoints, as flows that nobody takes: roads are laid for them, too."""
    from journeymine.maps.specification import Flow

    steps = (step for overlay in spec.overlays for path in overlay.paths for step in pairwise(path.nodes))
    drawn = (step for step in steps if step[0] in ends and step[1] in ends)
    return {step: Flow(source=step[0], target=step[1], n=0, n_journeys=0) for step in drawn}


def _bands(
    lanes: Sequence[tuple[Lane, ...]],
    kept: dict[tuple[int, int], tuple[list[Node], list[Node]]],
    drops: dict[tuple[str, str], DropOff],
    heights: tuple[float, ...],
) -> tuple[tuple[Band, ...], tuple[tuple[float, float], ...]]:
    """Stack corridor, lane, corridor, …; each lane is as high as its fullest cell. Corridors are (top, height)."""
    from journeymine.maps.specification import Lane

    y, bands, corridors = 0.0, [], []
    for i, together in enumerate(lanes):
        lane = together[0] if len(together) == 1 else Lane(name=f"{len(together)} further channels")
        corridors.append((y, heights[i]))
        y += heights[i]
        n = max((len(shown) + bool(tail) for (_, row), (shown, tail) in kept.items() if row == i), default=1)
        caption = CAPTION_HEIGHT if any(channel == lane.name for _, channel in drops) else 0.0
        height = max(2 * CELL_PADDING + n * NODE_HEIGHT + (n - 1) * NODE_GAP + caption, _name_height(lane))
        bands.append(Band(i, lane.name, y, height, together))
        y += height
    corridors.append((y, heights[-1]))
    return tuple(bands), tuple(corridors)


def _name_height(lane: Lane) -> float:
    """Room for a lane's name in the margin, with what is said below it."""
    said = (lane.n_journeys is not None) + (lane.converted_later is not None)
    lines = wrap(legible(lane.name), 13, LANE_NAME_WIDTH, lines=2, bold=True)
    return 8.0 + 15.0 * (len(lines) + said) if lane.name else 0.0


def _place(
    spec: MapSpecification,
    columns: tuple[Column, ...],
    bands: tuple[Band, ...],
    kept: dict[tuple[int, int], tuple[list[Node], list[Node]]],
    drops: dict[tuple[str, str], DropOff],
) -> tuple[tuple[PlacedNode, ...], tuple[Cell, ...]]:
    ranks = {node.id: rank for rank, node in enumerate(sorted(spec.nodes, key=_use))}
    nodes: list[PlacedNode] = []
    cells: list[Cell] = []
    for column in columns:
        for band in bands:
            shown, tail = kept.get((column.index, band.index), ([], []))
            drop = drops.get((column.name, band.name))
            if not shown and drop is None:
                continue
            y = band.y + CELL_PADDING
            for node in shown:
                place = Box(column.x + 6, y, column.width - 12, NODE_HEIGHT)
                nodes.append(PlacedNode(node.id, place, column.index, band.index, ranks[node.id], node))
                y += NODE_HEIGHT + NODE_GAP
            if tail:
                place = Box(column.x + 6, y, column.width - 12, NODE_HEIGHT)
                nodes.append(
                    PlacedNode(
                        f"bundle-{column.index}-{band.index}",
                        place,
                        column.index,
                        band.index,
                        min(ranks[node.id] for node in tail),
                        None,
                        tuple(tail),
                    )
                )
                y += NODE_HEIGHT + NODE_GAP
            caption = Box(column.x + 6, y - NODE_GAP + 3, column.width - 12, CAPTION_HEIGHT) if drop else None
            bottom = caption.y + caption.height + 3 if caption else y - NODE_GAP + CELL_PADDING
            cells.append(
                Cell(column.index, band.index, Box(column.x, band.y, column.width, bottom - band.y), caption, drop)
            )
    return tuple(nodes), tuple(cells)
