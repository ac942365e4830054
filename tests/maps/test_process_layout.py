from __future__ import annotations

import sys

import pytest

from journeymine.maps.process_layout import lay_out_process, simplify
from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import sized
from tests.maps.test_layout import overlap

pytest.importorskip("graphlay", reason="extra 'maps' missing")


def test_boxes_keep_apart_and_inside(any_map: MapSpecification) -> None:
    layout = lay_out_process(any_map)
    assert layout is not None
    boxes = [placed.box for placed in layout.nodes]
    for i, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[i + 1 :])
        assert 0 <= box.x <= box.right <= layout.width
        assert 0 <= box.y <= box.y + box.height <= layout.height


def test_lines_run_from_box_to_box(shop: MapSpecification) -> None:
    layout = lay_out_process(shop)
    assert layout is not None
    for edge in layout.edges:
        for index, (x, y) in ((edge.source, edge.points[0]), (edge.target, edge.points[-1])):
            box = layout.nodes[index].box
            assert box.x - 1 <= x <= box.right + 1
            assert box.y - 1 <= y <= box.y + box.height + 1


def test_the_strongest_stay_and_none_hangs_loose() -> None:
    spec = sized(80, 5, 5)
    nodes, flows = simplify(spec, nodes=20, flows=15)
    least = min(node.n_journeys or 0 for node in nodes)
    ids = {node.id for node in nodes}
    assert all((node.n_journeys or 0) <= least for node in spec.nodes if node.id not in ids)
    among = [f for f in spec.flows if f.source in ids and f.target in ids and f.source != f.target]
    linked = {end for flow in flows for end in (flow.source, flow.target)}
    assert linked == {end for flow in among for end in (flow.source, flow.target)}
    strongest = sorted((flow.n_journeys for flow in among), reverse=True)[:15]
    assert sorted((flow.n_journeys for flow in flows), reverse=True)[:15] == strongest


def test_the_same_map_gives_the_same_drawing(shop: MapSpecification) -> None:
    assert lay_out_process(shop) == lay_out_process(MapSpecification.from_json(shop.to_json()))


def test_without_the_extra_there_is_no_process_map(shop: MapSpecification, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphlay", None)
    assert lay_out_process(shop) is None
