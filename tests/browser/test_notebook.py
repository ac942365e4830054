"""A map in a notebook: as nbconvert writes it, in Chromium with the network off; trusted, and where HTML is not let through."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import journeymine as jm
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.specification import MapSpecification

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def book(shop: MapSpecification) -> Any:
    """A notebook whose one cell shows the map."""
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbconvert")
    pytest.importorskip("vl_convert", reason="extra 'maps' missing")
    bundle = JourneyMap(shop)._repr_mimebundle_()
    data = {kind: base64.b64encode(v).decode() if isinstance(v, bytes) else v for kind, v in bundle.items()}
    cell = nbformat.v4.new_code_cell("shown", outputs=[nbformat.v4.new_output("execute_result", data=data)])
    return nbformat.v4.new_notebook(cells=[cell])


def converted(book: Any, **options: Any) -> str:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    first = options.pop("first", None)
    config = Config()
    if first:
        config.NbConvertBase.display_data_priority = [first, "text/html", "text/plain"]
    with warnings.catch_warnings(action="ignore"):
        return str(HTMLExporter(config=config, **options).from_notebook_node(book)[0])


@pytest.fixture
def opened(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 1000})
    yield context.new_page()
    context.close()


def shown(page: Page, html: str, path: Path) -> Page:
    path.write_text(html, "utf-8")
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    return page


def test_a_trusted_notebook_shows_the_page(opened: Page, book: Any, tmp_path: Path) -> None:
    page = shown(opened, converted(book), tmp_path / "trusted.html")
    frame = page.wait_for_selector("iframe").content_frame()
    assert frame is not None
    frame.wait_for_selector("html[data-ready]", state="attached")
    assert frame.locator(".canvas:visible .node").count() > 5


STRIPPED = r"<iframe.*?</iframe>|<script.*?</script>|<style>@media.*?</style>"
"""What an untrusted JupyterLab takes away: frames, scripts, style sheets. The styles of single elements stay, as pictures do."""


def test_where_frames_are_stripped_the_still_picture_shows(opened: Page, book: Any, tmp_path: Path) -> None:
    html = re.sub(STRIPPED, "", converted(book), flags=re.DOTALL)
    assert ".journeymine-map{" not in html
    page = shown(opened, html, tmp_path / "untrusted.html")
    assert page.locator("iframe").count() == 0
    picture = page.locator("img")
    assert picture.count() == 1
    assert picture.evaluate("image => image.naturalWidth") > 1000
    high, holder = picture.evaluate(
        "image => [image, image.parentElement].map(element => element.getBoundingClientRect().height)"
    )
    assert high > 700
    assert holder >= high, "a front end that cuts what sticks out of its output must not cut the picture"


def test_the_frame_is_as_high_as_a_screen_and_on_paper_the_picture_stands_for_it(
    opened: Page, book: Any, tmp_path: Path
) -> None:
    page = shown(opened, converted(book), tmp_path / "framed.html")
    frame = page.locator("iframe")
    assert 640 <= frame.evaluate("frame => frame.getBoundingClientRect().height") <= 900
    page.emulate_media(media="print")
    assert not frame.is_visible()
    assert page.locator("img").evaluate("image => image.parentElement.getBoundingClientRect().height") > 900


@pytest.mark.parametrize("reset", ["", "*{margin:0;padding:0}table{border-collapse:collapse;text-indent:0}"])
def test_figures_of_a_result_stand_apart_whatever_the_front_end_takes_away(
    opened: Page, tmp_path: Path, reset: str
) -> None:
    """marimo sets all paddings to nothing; JupyterLab breaks long sentences into cells as high as a screen."""
    journeys = jm.build_journeys(jm.sample(users=300))
    html = f"<style>{reset}</style><div style='width:700px'>{jm.conversion(journeys, by='channel')._repr_html_()}</div>"
    page = shown(opened, html, tmp_path / "result.html")
    cells = page.evaluate(
        """() => Array.from(document.querySelectorAll('td')).filter(cell => cell.textContent).map(cell => {
          const text = document.createRange(); text.selectNodeContents(cell);
          const [a, b] = [text.getBoundingClientRect(), cell.getBoundingClientRect()];
          return [a.left - b.left, b.right - a.right, b.height]; })"""
    )
    assert len(cells) > 50
    assert all(left >= 4 and right >= 4 and high < 40 for left, right, high in cells)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a wide table scrolls by itself"


def test_where_no_html_passes_the_png_shows(opened: Page, book: Any, tmp_path: Path) -> None:
    page = shown(opened, converted(book, sanitize_html=True, first="image/png"), tmp_path / "sanitised.html")
    assert page.locator("img").evaluate("image => image.naturalWidth") == 760


def test_a_map_is_light_enough_to_save(book: Any) -> None:
    import nbformat

    assert len(nbformat.writes(book)) < 1_500_000
