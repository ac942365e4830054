from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.maps.flow_routes import Box, Point, Route
from journeymine.maps.layout import MapLayout, lay_out
from journeymine.maps.specification import MapSpecification
from journeymine.maps.svg_lanes import draw_lanes, name_lanes
from tests.maps.fixtures import sized


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def along(route: Route, n: int = 24) -> list[Point]:
    """Points on the curve by de Casteljau's construction, independent of the hull that the router argues with."""
    out = []
    for i in range(0, len(route.points) - 1, 3):
        for k in range(n + 1):
            t, points = k / n, list(route.points[i : i + 4])
            while len(points) > 1:
                points = [(x + (to_x - x) * t, y + (to_y - y) * t) for (x, y), (to_x, to_y) in pairwise(points)]
            out.append(points[0])
    return out


def check(spec: MapSpecification, layout: MapLayout) -> None:
    boxes = [placed.box for placed in layout.nodes]
    for i, a in enumerate(boxes):
        assert not any(overlap(a, b) for b in boxes[i + 1 :])
        assert a.x >= 0
        assert a.right <= layout.width
        assert 0 <= a.y <= a.y + a.height <= layout.height
    cells = [cell.box for cell in layout.cells]
    for i, a in enumerate(cells):
        assert not any(overlap(a, b) for b in cells[i + 1 :])
    captions = [cell.caption for cell in layout.cells if cell.caption]
    assert not any(overlap(caption, box) for caption in captions for box in boxes)
    for route in layout.routes:
        for x, y in along(route):
            assert 0 <= x <= layout.width
            assert 0 <= y <= layout.height
            assert not any(b.x + 0.1 < x < b.right - 0.1 and b.y < y < b.y + b.height for b in boxes), route
    shown = {placed.node.id for placed in layout.nodes if placed.node}
    bundled = [node.id for placed in layout.nodes for node in placed.bundled]
    assert len(shown) + len(bundled) == len(spec.nodes)
    assert shown | set(bundled) == {node.id for node in spec.nodes}


@pytest.mark.parametrize("n_touchpoints", [5, 60, 200])
@pytest.mark.parametrize("n_stages", [1, 5, 12])
@pytest.mark.parametrize("n_channels", [1, 7, 20, 45])
def test_nothing_overlaps_at_any_size(n_touchpoints: int, n_stages: int, n_channels: int) -> None:
    spec = sized(n_touchpoints, n_stages, n_channels)
    check(spec, lay_out(spec))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
def test_nothing_overlaps_wherever_touchpoints_fall(n: int, stages: int, channels: int, seed: int) -> None:
    spec = sized(n, stages, channels, seed=seed)
    check(spec, lay_out(spec))


def test_the_same_map_has_the_same_geometry(any_map: MapSpecification) -> None:
    again = MapSpecification.from_json(any_map.to_json())
    assert lay_out(any_map) == lay_out(again)


def test_kinds_of_flow_are_told_apart(shop: MapSpecification) -> None:
    layout = lay_out(shop)
    column = {placed.id: placed.column for placed in layout.nodes}
    kinds = set()
    for route in layout.routes:
        step = column[route.flow.target] - column[route.flow.source]
        expected = "loop" if route.flow.source == route.flow.target else "within" if step == 0 else None
        assert route.kind == (expected or ("forward" if step > 0 else "back"))
        kinds.add(route.kind)
    assert kinds == {"loop", "within", "forward", "back"}


def test_width_grows_with_journeys(shop: MapSpecification) -> None:
    routes = [route for route in lay_out(shop).routes if route.kind != "loop"]
    assert [route.stroke for route in routes] == sorted((route.stroke for route in routes), reverse=True)


def test_a_crowded_cell_keeps_its_most_used(shop: MapSpecification) -> None:
    spec = sized(60, 1, 3)
    for placed in lay_out(spec).nodes:
        if placed.bundled:
            least = min(
                other.node.n_journeys or 0
                for other in lay_out(spec).nodes
                if other.node and (other.column, other.lane) == (placed.column, placed.lane)
            )
            assert all((node.n_journeys or 0) <= least for node in placed.bundled)
            break
    else:
        pytest.fail("no cell was crowded")


def test_of_many_channels_the_least_used_share_the_last_lane() -> None:
    spec = sized(200, 3, 45)
    spec = replace(spec, lanes=tuple(replace(lane, n_journeys=n * 37 % 45) for n, lane in enumerate(spec.lanes)))
    journeys = {lane.name: lane.n_journeys or 0 for lane in spec.lanes}
    *alone, shared = lay_out(spec).bands
    assert (len(alone) + 1, shared.shared, shared.name) == (20, True, "26 further channels")
    assert all(band.lanes[0].name == band.name for band in alone)
    assert [lane.name for band in alone for lane in band.lanes] == [n for n in journeys if n in {b.name for b in alone}]
    assert min(journeys[band.name] for band in alone) >= max(journeys[lane.name] for lane in shared.lanes)
    assert sorted(journeys) == sorted([band.name for band in alone] + [lane.name for lane in shared.lanes])
    drawn = str(draw_lanes(spec, lay_out(spec), prefix="", live=False)) + str(name_lanes(lay_out(spec)))
    whose = next(placed.node for placed in lay_out(spec).nodes if placed.lane == shared.index and placed.node)
    assert f">{whose.channel}: {whose.touchpoint}"[:16] in drawn
    assert "Channels without a lane of their own" in drawn


def test_twenty_channels_have_a_lane_each_in_their_order() -> None:
    spec = sized(60, 2, 20)
    spec = replace(spec, lanes=tuple(replace(lane, n_journeys=n) for n, lane in enumerate(spec.lanes, 1)))
    assert [band.name for band in lay_out(spec).bands] == [lane.name for lane in spec.lanes]
