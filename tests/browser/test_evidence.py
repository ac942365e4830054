"""The long run behind the claim about a million journeys; its figures go to ``build/evidence-map-*.json`` and `docs/journey-map.md`."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import journeymine as jm
from journeymine.maps.html import PAGE_BYTES
from tests.browser.logs import many_journeys

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.evidence, pytest.mark.browser]


@pytest.mark.parametrize(("name", "touchpoints", "channels", "stages"), [("usual", 30, 8, 5), ("hostile", 200, 20, 12)])
def test_a_million_journeys(
    browser: Browser, tmp_path: Path, repository: Path, name: str, touchpoints: int, channels: int, stages: int
) -> None:
    journeys = many_journeys(1_300_000, touchpoints=touchpoints, channels=channels, stages=stages)
    assert len(journeys) >= 1_000_000
    took: dict[str, float] = {}

    def clock(what: str, began: float) -> None:
        took[what] = round(time.perf_counter() - began, 2)

    began = time.perf_counter()
    jm.journey_map(journeys)
    clock("compose_s", began)
    began = time.perf_counter()
    shown = jm.journey_map(journeys, zoom="channel")
    clock("compose_with_zooms_s", began)
    for suffix in (".html", ".svg", ".png", ".md", ".json"):
        began = time.perf_counter()
        shown.save(tmp_path / f"map{suffix}")
        clock(f"save{suffix}_s", began)
    page = (tmp_path / "map.html").read_bytes()
    ready = [_ready(browser, tmp_path / "map.html") for _ in range(7)]
    found = {
        "journeys": len(journeys), "touchpoints": len(shown.spec.nodes), "flows": len(shown.spec.flows),
        "zooms": len(shown.spec.zooms), "page_bytes": len(page), "ready_s": sorted(round(s, 3) for s in ready), **took,
    }  # fmt: skip
    out = repository / "build"
    out.mkdir(exist_ok=True)
    (out / f"evidence-map-{name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    assert len(page) <= PAGE_BYTES
    assert shown.to_html().encode() == page
    assert statistics.median(ready) < 1
    assert took["save.html_s"] < 10


def _ready(browser: Browser, path: Path) -> float:
    """Seconds from asking for the page until its script has said that everything is in place."""
    context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    took = time.perf_counter() - began
    context.close()
    return took
