"""A map in a notebook: as nbconvert writes it, in Chromium with the network off; trusted, and where HTML is not let through."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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


def test_where_frames_are_stripped_the_still_picture_shows(opened: Page, book: Any, tmp_path: Path) -> None:
    """As an untrusted JupyterLab does: scripts and frames go, pictures with their data inside stay."""
    html = re.sub(r"<iframe.*?</iframe>|<script.*?</script>", "", converted(book), flags=re.DOTALL)
    page = shown(opened, html, tmp_path / "untrusted.html")
    assert page.locator("iframe").count() == 0
    picture = page.locator("img")
    assert picture.count() == 1
    assert picture.evaluate("image => image.naturalWidth") > 1000
    assert picture.evaluate("image => image.getBoundingClientRect().height") > 300


def test_where_no_html_passes_the_png_shows(opened: Page, book: Any, tmp_path: Path) -> None:
    page = shown(opened, converted(book, sanitize_html=True, first="image/png"), tmp_path / "sanitised.html")
    assert page.locator("img").evaluate("image => image.naturalWidth") == 760


def test_a_map_is_light_enough_to_save(book: Any) -> None:
    import nbformat

    assert len(nbformat.writes(book)) < 1_500_000
