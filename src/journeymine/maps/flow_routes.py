"""How flows run: curves that keep to the gutters between columns and the corridors between lanes.

A flow leaves the right edge of its source and enters the left edge of its target; a back-step the other way round. To
the next column it is one S-curve inside the gutter. Over more columns it turns into the corridor beside the source's
lane, crosses there, and turns out again. Inside one column it bows out into the gutter and returns. Every control point
of a Bézier curve lies in its own road, and a Bézier curve stays inside the hull of its control points, so no flow can
touch a box.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from journeymine.maps.specification import Flow

__all__ = ["Box", "Plan", "Point", "Route", "corridor_heights", "drawable", "route_flows"]

Point = tuple[float, float]
RouteKind = Literal["forward", "back", "within", "loop"]

CORRIDOR = 18.0
TRACK = 4.0
MAX_TRACKS = 9
MAX_STROKE = 11.0
MIN_STROKE = 0.9
PORT_ROOM = 24.0
STUB = 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The y of the centre."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What the routes are laid over: gutter width, corridors as (top, height), boxes, and (column, lane) per node id."""

    gutter: float
    corridors: tuple[tuple[float, float], ...]
    boxes: Mapping[str, Box]
    cells: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Route:
    """One flow as drawn.

    `points` are the start, then three points (two controls and an end) per cubic Bézier piece; straight pieces are
    cubic too. `arrow` is where an arrow head sits and whether it points right; None where left-to-right says it
    already.
    """

    flow: Flow
    rank: int
    kind: RouteKind
    stroke: float
    points: tuple[Point, ...]
    arrow: tuple[float, float, bool] | None


def drawable(flows: Iterable[Flow], cells: Mapping[str, tuple[int, int]]) -> list[Flow]:
    """Return the flows whose two ends are both drawn."""
    return [flow for flow in flows if flow.source in cells and flow.target in cells]


def _kind(flow: Flow, cells: Mapping[str, tuple[int, int]]) -> RouteKind:
    if flow.source == flow.target:
        return "loop"
    source, target = cells[flow.source][0], cells[flow.target][0]
    return "within" if source == target else "forward" if source < target else "back"


def _corridor(flow: Flow, cells: Mapping[str, tuple[int, int]]) -> int | None:
    """The corridor a flow over several columns takes: on the way to its target, else above (back-steps: below)."""
    (column, lane), (to_column, to_lane) = cells[flow.source], cells[flow.target]
    if abs(to_column - column) < 2:
        return None
    if to_lane == lane:
        return lane if to_column > column else lane + 1
    return lane + 1 if to_lane > lane else lane


def _tracks(flows: Sequence[Flow], cells: Mapping[str, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Give each corridor flow the lowest track free over its columns: flow's index -> (corridor, track)."""
    taken: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    tracks: dict[int, tuple[int, int]] = {}
    for i, flow in enumerate(flows):
        corridor = _corridor(flow, cells)
        if corridor is None:
            continue
        low, high = sorted((cells[flow.source][0], cells[flow.target][0]))
        free = (t for t in range(MAX_TRACKS) if all(high <= a or low >= b for a, b in taken[corridor, t]))
        track = next(free, i % MAX_TRACKS)
        taken[corridor, track].append((low, high))
        tracks[i] = (corridor, track)
    return tracks


def corridor_heights(flows: Sequence[Flow], cells: Mapping[str, tuple[int, int]], *, n_lanes: int) -> tuple[float, ...]:
    """Return the height of each corridor: above every lane, and below the last; more tracks make it higher."""
    used = [0] * (n_lanes + 1)
    for corridor, track in _tracks(flows, cells).values():
        used[corridor] = max(used[corridor], track + 1)
    return tuple(CORRIDOR + max(0, n - 2) * TRACK for n in used)


def route_flows(flows: Sequence[Flow], plan: Plan) -> tuple[Route, ...]:
    """Lay each flow's curve; `flows` are sorted, most used first."""
    strokes = _strokes(flows, plan)
    ports = _ports(flows, plan, strokes)
    tracks = _tracks(flows, plan.cells)
    routes = []
    points: tuple[Point, ...]
    arrow: tuple[float, float, bool] | None
    for i, flow in enumerate(flows):
        kind = _kind(flow, plan.cells)
        if kind == "loop":
            points, arrow = _loop(plan.boxes[flow.source])
        elif kind == "within":
            points, arrow = _within(plan, flow, ports[i, 0], ports[i, 1])
        else:
            sign = 1 if kind == "forward" else -1
            source, target = plan.boxes[flow.source], plan.boxes[flow.target]
            start = (source.right if sign > 0 else source.x, ports[i, 0])
            end = (target.x if sign > 0 else target.right, ports[i, 1])
            end = (end[0] - sign * (STUB if sign < 0 else 0), end[1])
            points = _across(plan, start, end, sign, _track_y(plan, tracks.get(i)))
            arrow = None if sign > 0 else (*end, False)
        rounded = tuple((round(x, 2), round(y, 2)) for x, y in points)
        routes.append(Route(flow, i, kind, strokes[i], rounded, arrow))
    return tuple(routes)


def _strokes(flows: Sequence[Flow], plan: Plan) -> list[float]:
    """Width in proportion to journeys, so that what meets at the fullest edge of a box just fits it."""
    sides: dict[tuple[str, bool], int] = defaultdict(int)
    for flow in flows:
        if flow.source != flow.target:
            right = plan.cells[flow.source][0] <= plan.cells[flow.target][0]
            sides[flow.source, right] += flow.weight
            sides[flow.target, plan.cells[flow.source][0] >= plan.cells[flow.target][0]] += flow.weight
    largest = max((flow.weight for flow in flows if flow.source != flow.target), default=1) or 1
    scale = min(PORT_ROOM / (max(sides.values(), default=1) or 1), MAX_STROKE / largest)
    widest = {True: 3.0, False: MAX_STROKE}
    return [round(min(max(MIN_STROKE, flow.weight * scale), widest[flow.source == flow.target]), 2) for flow in flows]


def _ports(flows: Sequence[Flow], plan: Plan, strokes: Sequence[float]) -> dict[tuple[int, int], float]:
    """Where each flow meets its boxes: spread over the edge in the order of where it goes. (flow, end) -> y."""
    edges: dict[tuple[str, bool], list[tuple[float, int, int]]] = defaultdict(list)
    for i, flow in enumerate(flows):
        if flow.source == flow.target:
            continue
        source, target = plan.boxes[flow.source], plan.boxes[flow.target]
        step = plan.cells[flow.target][0] - plan.cells[flow.source][0]
        edges[flow.source, step >= 0].append((target.middle, i, 0))
        edges[flow.target, step <= 0].append((source.middle, i, 1))
    ports: dict[tuple[int, int], float] = {}
    for (name, _), meeting in edges.items():
        total = sum(strokes[i] for _, i, _ in meeting)
        squeeze = min(1.0, PORT_ROOM / total)
        y = plan.boxes[name].middle - total * squeeze / 2
        for _, i, end in sorted(meeting):
            ports[i, end] = y + strokes[i] * squeeze / 2
            y += strokes[i] * squeeze
    return ports


def _track_y(plan: Plan, track: tuple[int, int] | None) -> float | None:
    if track is None:
        return None
    top, height = plan.corridors[track[0]]
    tracks = max(1, int((height - CORRIDOR) / TRACK) + 2)
    return top + (height - (tracks - 1) * TRACK) / 2 + min(track[1], tracks - 1) * TRACK


def _across(plan: Plan, start: Point, end: Point, sign: int, track_y: float | None) -> tuple[Point, ...]:
    """One S-curve to the next column; into the corridor, along it and out again for more."""
    (x, y), (to_x, to_y) = start, end
    if track_y is None:
        return (start, ((x + to_x) / 2, y), ((x + to_x) / 2, to_y), end)
    turn = plan.gutter * 0.92 * sign
    a, b = x + turn, to_x - turn + (STUB if sign < 0 else 0)
    return (
        start,
        (x + turn / 2, y),
        (x + turn / 2, track_y),
        (a, track_y),
        (a, track_y),
        (b, track_y),
        (b, track_y),
        ((b + to_x) / 2, track_y),
        ((b + to_x) / 2, to_y),
        end,
    )


def _within(plan: Plan, flow: Flow, y: float, to_y: float) -> tuple[tuple[Point, ...], tuple[float, float, bool]]:
    """Out into the gutter on the right and back into the same column."""
    x = plan.boxes[flow.source].right
    tip = x + STUB
    bow = min(plan.gutter * 0.8, 16 + abs(to_y - y) * 0.22)
    return ((x, y), (x + bow, y), (x + bow, to_y), (tip, to_y)), (tip, to_y, False)


def _loop(box: Box) -> tuple[tuple[Point, ...], tuple[float, float, bool]]:
    """A small ear on the right shoulder of a box, inside the gutter."""
    x, y = box.right, box.y
    return ((x, y + 3), (x + 15, y - 5), (x + 17, y + 16), (x + STUB - 1, y + 11)), (x + STUB - 1, y + 11, False)
