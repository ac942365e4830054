from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from journeymine.maps.evidence import Hint
from journeymine.maps.specification import Header, Lane, MapSpecification, Node, Stage
from journeymine.maps.svg import draw_map, size, to_svg
from journeymine.maps.wording import legible
from tests.maps.fixtures import HOSTILE, hostile

NS = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "g", "path", "rect", "line", "circle", "text", "title", "style"}


def test_it_is_well_formed_and_holds_no_script(any_map: MapSpecification) -> None:
    root = ET.fromstring(to_svg(any_map))
    for element in root.iter():
        assert element.tag.removeprefix(NS) in ALLOWED
        assert not any(name.lower().startswith("on") or "href" in name.lower() for name in element.attrib)


@pytest.mark.parametrize("dark", [False, True])
def test_a_file_resolves_every_colour(shop: MapSpecification, dark: bool) -> None:
    text = to_svg(shop, dark=dark)
    assert "var(" not in text
    assert text == to_svg(shop, dark=dark)


def test_hostile_names_are_text_and_nothing_else() -> None:
    texts = [element.text or "" for element in ET.fromstring(to_svg(hostile())).iter(f"{NS}title")]
    for name in HOSTILE:
        assert any(legible(name) in text for text in texts), name


def test_every_drop_off_is_marked_where_it_happens(shop: MapSpecification) -> None:
    text = to_svg(shop)
    for drop in shop.drop_offs:
        assert f"{drop.n_lost:,} lost" in text


def test_size_is_what_the_file_says(any_map: MapSpecification) -> None:
    root = ET.fromstring(to_svg(any_map))
    wide, high = size(any_map)
    assert float(root.attrib["width"]) == pytest.approx(wide, abs=0.01)
    assert float(root.attrib["height"]) == pytest.approx(high, abs=0.01)


def test_rows_without_figures_are_left_out(shop: MapSpecification) -> None:
    def rows(spec: MapSpecification) -> set[str]:
        return {g.attrib["data-row"] for g in ET.fromstring(draw_map(spec)).iter("g") if "data-row" in g.attrib}

    nothing = MapSpecification(
        header=Header(title="t", n_users=1, n_journeys=2),
        stages=(Stage(name="s"),),
        lanes=(Lane(name=""),),
        nodes=(Node(id="n", touchpoint="p", stage="s", channel="", n=1, n_journeys=1),),
        hints=(Hint(row="value", text="name a value column"),),
    )
    assert rows(nothing) == {"stages", "lanes", "legend"}
    assert {"reach", "dwell", "lost", "emotion", "written Customer's goal"} <= rows(shop)


def test_an_empty_map_draws() -> None:
    empty = MapSpecification(header=Header(title="nothing", n_users=0, n_journeys=0), stages=(), lanes=(), nodes=())
    ET.fromstring(to_svg(empty))
