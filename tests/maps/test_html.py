from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from journeymine.maps.evidence import Sentence
from journeymine.maps.html import PAGE_BYTES, to_html
from journeymine.maps.page_data import embed_json
from journeymine.maps.specification import MapSpecification, Zoom
from tests.maps.fixtures import HOSTILE, bare_log, hostile, sized


class Page(HTMLParser):
    """Tags, attributes, and what stands in scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        (self.scripts if self.tags and self.tags[-1][0] == "script" else self.text).append(data)


def test_the_policy_names_the_one_script(any_map: MapSpecification) -> None:
    page = Page(to_html(any_map))
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert [attrs.get("type") for attrs in scripts] == ["application/json", None]
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    code = re.search(r"<script>(.*?)</script>", to_html(any_map), re.DOTALL)
    assert code is not None
    digest = base64.b64encode(hashlib.sha256(code[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_it_asks_for_nothing_from_elsewhere(any_map: MapSpecification) -> None:
    page = Page(to_html(any_map))
    for tag, attrs in page.tags:
        assert tag not in {"img", "iframe", "link", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in attrs)
        assert (attrs.get("href") or "#").startswith("#")
        assert "src" not in attrs


def test_hostile_names_stay_inert_and_whole() -> None:
    html = to_html(hostile())
    page = Page(html)
    assert html.count("<script") == 2
    text = "".join(page.text)
    for name in HOSTILE[:2]:
        assert name in text
    data = json.loads(page.scripts[0])
    assert any("<img src=x" in entry["title"] for entry in data.values())


@pytest.mark.parametrize("name", HOSTILE)
def test_json_cannot_close_its_element(name: str) -> None:
    text = embed_json({name: name})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {name: name}


def test_the_same_map_gives_the_same_bytes(any_map: MapSpecification) -> None:
    assert to_html(any_map) == to_html(MapSpecification.from_json(any_map.to_json()))


LONG = tuple(f"{i} " + "x" * 290 for i in range(40))


@pytest.mark.parametrize("names", [(), LONG])
def test_the_page_stays_light_and_says_what_it_has_no_room_for(names: tuple[str, ...]) -> None:
    spec = sized(200, 12, 20, names=names)
    zooms = tuple(Zoom(kind="channel", label=f"channel {i}", map=spec) for i in range(20))
    html = to_html(replace(spec, zooms=zooms))
    assert len(html.encode()) <= PAGE_BYTES
    said = re.search(r"Not on this page, which would grow too large: ([^.]*)", html)
    assert said is not None
    drawn = set(re.findall(r'<option value="z(\d+)"', html))
    first = re.search(r"channel (\d+)", said[1])
    assert first is not None
    assert drawn == {str(i) for i in range(int(first[1]))}
    assert len(drawn) >= (0 if names else 2)


def test_a_page_that_has_room_leaves_no_zoom_out(shop: MapSpecification) -> None:
    html = to_html(replace(shop, zooms=tuple(Zoom(kind="channel", label=str(i), map=shop) for i in range(3))))
    assert html.count('<option value="z') == 3
    assert "Not on this page" not in html


def test_ids_are_unique_and_links_lead_somewhere(any_map: MapSpecification) -> None:
    page = Page(to_html(any_map))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in page.tags:
        href = attrs.get("href")
        assert href is None or href[1:] in ids


def test_what_is_missing_is_left_out_and_says_what_would_fill_it(shop: MapSpecification) -> None:
    bare, full = to_html(bare_log()), to_html(shop)
    for section in ('id="opportunities"', 'id="pain-points"', 'id="quality"', 'id="method"', 'class="figures"'):
        assert section not in bare
        assert section in full
    assert "name a channel column to get swim lanes" in bare
    assert 'id="hints"' not in full


def test_each_figure_has_its_table(shop: MapSpecification) -> None:
    html = to_html(shop)
    for key in ("stages", "drop-offs", "channels", "touchpoints", "flows", "emotion"):
        assert f'id="table-{key}"' in html


def test_names_from_right_to_left_turn_nothing_around_them(shop: MapSpecification) -> None:
    """Between an Arabic name and a Latin one, a day of the month would else be set before the name."""
    spec = replace(shop, header=replace(shop.header, scenario="", goal="طلب مؤكد"),
                   summary=(Sentence(text="ربيع: 1 of 2 <b>"),))  # fmt: skip
    page = to_html(spec)
    assert "<h2>Reach <bdi>طلب مؤكد</bdi></h2>" in page
    assert '<bdi dir="ltr"><bdi>ربيع</bdi>: 1 of 2 &lt;b&gt;</bdi>' in page
