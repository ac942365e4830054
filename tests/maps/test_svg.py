from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from journeymine.errors import SchemaError
from journeymine.maps.evidence import Estimate, Hint
from journeymine.maps.findings import Emotion, EmotionPoint
from journeymine.maps.html import to_html
from journeymine.maps.markdown import to_markdown
from journeymine.maps.specification import Header, Lane, MapSpecification, Node, Overlay, OverlayPath, Stage
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
    root = ET.fromstring(to_svg(empty))
    assert root.tag == f"{NS}svg"
    assert "nothing" in "".join(root.itertext())


def overlaid(shop: MapSpecification) -> MapSpecification:
    planned = OverlayPath(nodes=tuple(node.id for node in shop.nodes[:5]), label="as designed")
    typical = OverlayPath(nodes=tuple(node.id for node in shop.nodes[2:6]), label="window shoppers", share=0.31)
    return replace(
        shop,
        overlays=(
            Overlay(kind="planned", paths=(planned,)),
            Overlay(kind="representative", paths=(typical,)),
            Overlay(kind="of a later version", paths=(typical,), label="not to be drawn"),
        ),
    )


def test_overlays_are_drawn_over_the_map_and_read_back(shop: MapSpecification) -> None:
    spec = overlaid(shop)
    assert MapSpecification.from_json(spec.to_json()) == spec
    drawn = [g for g in ET.fromstring(to_svg(spec)).iter(f"{NS}g") if g.attrib.get("class", "").startswith("overlay")]
    groups = [g for g in drawn if g.find(f"{NS}g") is not None]
    assert [g.attrib["class"] for g in groups] == ["overlay planned", "overlay representative"]
    assert len(groups[0].findall(f"{NS}g/{NS}path")) == 2 * 4
    assert "window shoppers · 31.0\u00a0% of journeys" in to_svg(spec)
    assert "not to be drawn" not in to_svg(spec) + to_html(spec)
    assert "Paths laid over the map" in to_markdown(spec)


def test_without_overlays_nothing_of_the_map_changes(shop: MapSpecification) -> None:
    unknown = replace(shop, overlays=(Overlay(kind="of a later version", paths=()),))
    assert to_svg(unknown) == to_svg(shop)
    assert to_html(unknown) == to_html(shop)


def test_an_overlay_names_touchpoints_of_the_map(shop: MapSpecification) -> None:
    with pytest.raises(SchemaError, match="nobody knows"):
        replace(shop, overlays=(Overlay(kind="planned", paths=(OverlayPath(nodes=("nobody knows",)),)),))


@pytest.mark.parametrize(("upper", "is_low"), [(-0.02, True), (0.05, False), (None, False)])
def test_a_stage_is_marked_as_low_only_where_it_surely_is(
    shop: MapSpecification, upper: float | None, is_low: bool
) -> None:
    score = Estimate(value=-0.1, lower=None if upper is None else -0.3, upper=upper, n=400)
    emotion = Emotion(points=tuple(EmotionPoint(stage=stage.name, score=score) for stage in shop.stages))
    assert ('class="point low"' in to_svg(replace(shop, emotion=emotion))) is is_low


def test_a_stage_says_of_which_journeys_it_tells_the_share(shop: MapSpecification) -> None:
    for reached, words in ((Estimate(value=0.5, n=900), "% of mature journeys<"), (None, "% of journeys<")):
        stages = tuple(replace(stage, reached=reached) for stage in shop.stages)
        assert words in to_svg(replace(shop, stages=stages))


def test_the_emotion_line_has_gaps(shop: MapSpecification) -> None:
    """Between stages that are not neighbours there is no line, whatever lies between."""
    points = tuple(
        EmotionPoint(stage=stage.name, score=Estimate(value=None if i == 2 else 0.5, reason="nobody answered"))
        for i, stage in enumerate(shop.stages)
    )
    text = to_svg(replace(shop, emotion=Emotion(points=points)))
    assert text.count('class="curve') == len(shop.stages) - 3
    assert "nobody answered" in text


def test_names_that_run_from_right_to_left_stand_apart(shop: MapSpecification) -> None:
    """By the bidirectional algorithm, "50%" beside Arabic turns with it only where the name is a whole of its own."""
    name, other = "\u0639\u0631\u0636 50%", "\u05e1\u05dc (A)"
    nodes = tuple(replace(node, touchpoint=(name, other)[i % 2]) for i, node in enumerate(shop.nodes))
    svg = to_svg(replace(shop, nodes=nodes))
    texts = [each.text or "" for each in ET.fromstring(svg).iter() if (each.text or "").strip()]
    with_name, with_other = ([text for text in texts if word in text] for word in (name[:3], other[:2]))
    assert with_name
    assert with_other
    assert all(f"\u2068{name}\u2069" in text or "\u2068\u0639\u0631\u0636\u2069" in text for text in with_name)
    assert all("\u2068\u05e1\u05dc\u2069" in text for text in with_other)
    assert any(text == f"\u2068{name}\u2069" for text in with_name), "alone in its line, a name is one whole"


def test_a_lane_says_whose_conversion_it_tells(shop: MapSpecification) -> None:
    said = [element.text or "" for element in ET.fromstring(to_svg(shop)).iter(f"{NS}title")]
    known = [lane for lane in shop.lanes if lane.converted_later is not None and lane.converted_later.value is not None]
    assert known
    for lane in known:
        (note,) = (text for text in said if text.startswith(f"{lane.name}: ") and "goal" in text)
        assert note.endswith("% of the mature ones reach the goal after they first came here")
    margin = [element.text or "" for element in ET.fromstring(to_svg(shop)).iter(f"{NS}text")]
    assert sum(text.endswith("% convert later") for text in margin) == len(known)
    assert not [text for text in margin if text.endswith("% convert")]
