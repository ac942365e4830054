from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import journeymine as jm
from journeymine.maps.html import PAGE_BYTES, to_html
from journeymine.maps.specification import MapSpecification
from tests.browser.conftest import Opened
from tests.browser.logs import every_touchpoint_on_every_channel
from tests.browser.views import one_customer, side_by_side, zoomed
from tests.maps.fixtures import bare_log, hostile, sized
from tests.maps.retailer import retailer

pytestmark = pytest.mark.browser
Show = Callable[..., Opened]
MAPS = {
    "retailer": retailer,
    "bare": bare_log,
    "hostile": hostile,
    "smallest": lambda: sized(5, 1, 1),
    "largest": lambda: sized(200, 12, 20),
}
FURTHER = {"side by side": side_by_side, "one customer": one_customer, "zoomed": zoomed}

CORNERS = [(5, 1, 20), (5, 12, 20), (60, 12, 1), (200, 1, 1), (200, 1, 20), (200, 12, 1)]

BOXES = """selector => Array.from(document.querySelectorAll(selector)).filter(e => e.getClientRects().length).map(e => {
  const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height, e.textContent.slice(0, 40)]; })"""


def overlaps(boxes: list[Any], slack: float = 0.6) -> list[tuple[str, str]]:
    return [
        (a[4], b[4])
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if a[0] + slack < b[0] + b[2]
        and b[0] + slack < a[0] + a[2]
        and a[1] + slack < b[1] + b[3]
        and b[1] + slack < a[1] + a[3]
    ]


@pytest.mark.parametrize("name", MAPS)
def test_it_opens_in_silence_and_asks_for_nothing(show: Show, name: str) -> None:
    opened = show(MAPS[name]())
    assert opened.said == []
    assert opened.asked == []


@pytest.mark.parametrize("name", MAPS)
def test_no_box_and_no_text_lies_over_another(show: Show, name: str) -> None:
    page = show(MAPS[name]()).page
    boxes = page.evaluate(BOXES, ".canvas:not([hidden]) .node .box")
    assert len(boxes) >= 5
    assert overlaps(boxes) == []
    texts = page.evaluate(BOXES, ".canvas:not([hidden]) svg text:not(.badge-text)")
    assert overlaps(texts, slack=2.5) == []


@pytest.mark.parametrize("corner", CORNERS)
def test_nothing_overlaps_at_the_corners_of_what_is_promised(show: Show, corner: tuple[int, int, int]) -> None:
    """Touchpoints, stages, channels: boxes with each other, texts with each other, texts with the boxes of others."""
    page = show(sized(*corner)).page
    boxes = page.evaluate(BOXES, ".canvas:not([hidden]) .node .box")
    assert overlaps(boxes) == []
    texts = page.evaluate(BOXES, ".canvas:not([hidden]) svg text:not(.badge-text)")
    assert overlaps(texts, slack=2.5) == []
    loose = page.evaluate(BOXES, ".canvas:not([hidden]) .strip[data-row=lanes] text:not(.badge-text):not(.node text)")
    for box in boxes:
        assert overlaps([box, *loose], slack=2.5) == []


def test_every_touchpoint_on_every_channel_stays_readable(show: Show) -> None:
    """A log of 4,000 nodes: the 200 that matter most are drawn, in 20 lanes and 12 stages, and the page stays light."""
    spec = jm.journey_map(every_touchpoint_on_every_channel(3_000), min_group=1).spec
    assert (len(spec.nodes), len(spec.lanes), len(spec.stages)) == (200, 20, 12)
    assert len(to_html(spec).encode()) < PAGE_BYTES
    opened = show(spec)
    assert opened.said == []
    boxes = opened.page.evaluate(BOXES, ".canvas:not([hidden]) .node .box")
    assert len(boxes) > 150
    assert overlaps(boxes) == []
    texts = opened.page.evaluate(BOXES, ".canvas:not([hidden]) svg text:not(.badge-text)")
    assert overlaps(texts, slack=2.5) == []


@pytest.mark.parametrize("name", MAPS)
def test_labels_stay_inside_their_boxes(show: Show, name: str) -> None:
    page = show(MAPS[name]()).page
    outside = page.evaluate("""() => Array.from(document.querySelectorAll('.canvas:not([hidden]) .node')).filter(node => {
      const box = node.querySelector('.box').getBoundingClientRect();
      return Array.from(node.querySelectorAll('text')).some(text => {
        const r = text.getBoundingClientRect(); return r.left < box.left - 1 || r.right > box.right + 1; });
    }).map(node => node.textContent)""")
    assert outside == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", MAPS)
def test_the_page_never_scrolls_sideways(show: Show, name: str, width: int) -> None:
    page = show(MAPS[name](), width=width, height=844).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_screen_answers(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    for words in ("All customers, Germany", "31\u00a0May\u00a02026", "94.2", "20.3", "purchase × app", "€84,300",
                  "60,700", "Stop the payment error in the app", "App team", "4,730 journeys are still open"):  # fmt: skip
        box = page.get_by_text(words).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900, words
    canvas = page.locator(".canvas:not([hidden]) svg").bounding_box()
    assert canvas is not None
    assert canvas["y"] < 500


def test_hostile_names_are_inert_and_legible(show: Show) -> None:
    page = show(hostile()).page
    for node in page.locator(".canvas:not([hidden]) .node").all():
        node.dispatch_event("click")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#details img, #details script, main img").count() == 0
    assert "<img src=x onerror=window.hacked=1>" in page.locator("body").inner_text()


def test_sliders_show_more_and_less(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    nodes, flows = ".canvas[data-view=m] .node:not([hidden])", ".canvas[data-view=m] .flow[data-key]:not([hidden])"
    assert page.locator(nodes).count() == len(shop.nodes)
    before = page.locator(flows).count()
    page.locator(".sliders[data-for=m] .by-nodes").fill("6")
    assert page.locator(nodes).count() == 6
    assert page.locator(flows).count() < before
    page.locator(".sliders[data-for=m] .by-nodes").fill(str(len(shop.nodes)))
    page.locator(".sliders[data-for=m] .by-flows").fill("0")
    assert page.locator(flows).count() == 0
    assert page.locator(".sliders[data-for=m] output").nth(1).inner_text().startswith("0 of")


def test_a_click_shows_the_figures_and_escape_takes_them_away(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    page.locator(".canvas[data-view=m] .node", has_text="payment error").first.click()
    panel = page.locator("#details")
    text = panel.inner_text()
    for words in ("payment error", "purchase", "app", "2,100", "Most often before", "Most often after", "Example J1"):
        assert words in text
    panel.locator("td button").first.click()
    assert panel.locator("h2").inner_text() != "payment error"
    page.keyboard.press("Escape")
    assert panel.is_hidden()


def test_a_flow_can_be_clicked(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    page.locator(".canvas[data-view=m] .flow[data-rank='0']").dispatch_event("click")
    assert "→" in page.locator("#details h2").inner_text()
    assert "Median time between" in page.locator("#details").inner_text()


def test_the_keyboard_reaches_everything(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    kinds = []
    for _ in range(24):
        page.keyboard.press("Tab")
        kinds.append(page.evaluate("document.activeElement.getAttribute('class') || document.activeElement.tagName"))
    assert any(kind.startswith("node") for kind in kinds)
    assert any(kind.startswith("flow") for kind in kinds)
    page.evaluate("document.querySelector('.canvas[data-view=m] .node[tabindex=\"0\"]').focus()")
    first = page.evaluate("document.activeElement.dataset.key")
    moved = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        moved.add(page.evaluate("document.activeElement.dataset.key"))
    assert moved - {first}
    here = page.evaluate("document.activeElement.dataset.key")
    page.keyboard.press("Enter")
    assert page.locator("#details").is_visible()
    assert page.evaluate("document.activeElement.id") == "details"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.key") == here
    page.evaluate("document.querySelector('.canvas[data-view=m] .flow[tabindex=\"0\"]').focus()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.rank") == "1"


def test_views_can_be_changed(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    names = page.locator("#view option").all_inner_texts()
    assert names[0] == "Journey map"
    assert "channel: app" in names
    page.select_option("#view", label="channel: app")
    assert page.locator(".canvas:visible").count() == 1
    assert page.locator(".canvas:visible .node").count() == sum(node.channel == "app" for node in shop.nodes)


def test_the_process_map_has_its_boxes_apart(show: Show, shop: MapSpecification) -> None:
    pytest.importorskip("graphlay", reason="extra 'maps' missing")
    page = show(shop).page
    page.select_option("#view", "p")
    assert overlaps(page.evaluate(BOXES, ".canvas[data-view=p] .node .box")) == []
    assert page.locator(".canvas[data-view=p] .by-time").first.is_hidden()
    page.locator(".sliders[data-for=p] .by-label").select_option("time")
    assert page.locator(".canvas[data-view=p] .by-time").first.is_visible()
    page.locator(".canvas[data-view=p] .node").first.click()
    assert page.locator("#details").is_visible()


def test_links_in_sentences_open_the_table_behind_them(show: Show, shop: MapSpecification) -> None:
    page = show(shop).page
    page.get_by_role("link", name="drop-off").click()
    page.wait_for_function("document.getElementById('table-drop-offs').open")
    assert "purchase" in page.locator("tr:target").inner_text()


def test_dark_is_followed_and_can_be_switched(show: Show, shop: MapSpecification) -> None:
    page = show(shop, color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(19, 21, 24)"
    page.click("#theme")
    assert page.evaluate(ground) == "rgb(250, 249, 247)"


@pytest.mark.parametrize("name", ["retailer", "largest"])
def test_print_is_light_whole_and_without_controls(show: Show, name: str) -> None:
    page = show(MAPS[name](), color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".bar, .tools").evaluate_all("all => all.every(e => getComputedStyle(e).display === 'none')")
    wide = page.evaluate("document.querySelector('.canvas:not([hidden]) svg').getBoundingClientRect().right")
    assert wide <= 1440
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_lane_names_stay_in_sight_when_a_wide_map_scrolls(show: Show) -> None:
    page = show(sized(200, 12, 20)).page
    page.evaluate("document.querySelector('.canvas:not([hidden]) .scroll').scrollLeft = 600")
    page.wait_for_selector("svg.scrolled")
    box = page.locator(".canvas:visible .pin text", has_text="channel 1").first.bounding_box()
    assert box is not None
    assert box["x"] < 120


def test_it_is_ready_in_under_a_second(show: Show) -> None:
    page = show(sized(200, 12, 20)).page
    timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    assert page.evaluate(timing) < 5_000  # a second on a quiet machine; the margin is for a shared one


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["retailer", "bare", "hostile", "side by side", "one customer", "zoomed"])
def test_axe_finds_no_violation(show: Show, axe: str, name: str, scheme: str) -> None:
    """Every view of the page in turn, all its tables open, and the panel of a touchpoint beside it."""
    page = show((MAPS | FURTHER)[name](), color_scheme=scheme, bypass_csp=True).page
    for summary in page.locator("summary").all():
        summary.click()
    page.evaluate(axe)
    for view in page.locator("#view option").all() or [None]:
        if view is not None:
            page.select_option("#view", str(view.get_attribute("value")))
        if page.locator(".canvas:visible .node").count():
            page.locator(".canvas:visible .node").first.dispatch_event("click")
        found = page.evaluate(
            "async () => (await axe.run()).violations.map(v => [v.id, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary])"
        )
        assert found == []


@pytest.mark.parametrize("name", FURTHER)
def test_further_pages_are_silent_and_apart(show: Show, name: str) -> None:
    opened = show(FURTHER[name]())
    page = opened.page
    assert opened.said == opened.asked == []
    for view in page.locator("#view option").all():
        page.select_option("#view", str(view.get_attribute("value")))
        assert overlaps(page.evaluate(BOXES, ".canvas:not([hidden]) .node .box")) == []
        texts = page.evaluate(BOXES, ".canvas:not([hidden]) svg:not(.process) text:not(.badge-text)")
        assert overlaps(texts, slack=2.5) == []
        numbers = page.evaluate(BOXES, ".canvas:not([hidden]) svg.process .by-frequency")
        assert overlaps(numbers, slack=0.5) == []


@pytest.mark.parametrize("name", FURTHER)
def test_further_pages_on_a_phone_in_print_and_by_keyboard(show: Show, name: str) -> None:
    page = show(FURTHER[name](), width=390, height=844).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.select_option("#view", "m")
    page.evaluate("document.querySelector('.canvas[data-view=m] .node[tabindex=\"0\"]').focus()")
    page.keyboard.press("Enter")
    assert page.locator("#details").is_visible()
    box = page.locator("#details").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
