"""A page of a map in headless Chromium with the network off, and everything it said or asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeymine.maps.html import to_html
from journeymine.maps.specification import MapSpecification
from tests.maps.retailer import retailer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = "axe-core@4.14.1"


@dataclass
class Opened:
    """An open page, with its complaints and its requests."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """``show(spec, width=…, height=…)``: the map's page, ready."""
    contexts = []

    def open_page(spec: MapSpecification, *, width: int = 1440, height: int = 900, **options: Any) -> Opened:
        path = tmp_path / f"map{len(contexts)}.html"
        path.write_text(to_html(spec), "utf-8")
        context = browser.new_context(offline=True, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.goto(path.as_uri())
        opened.page.wait_for_selector("html[data-ready]")
        opened.asked.remove(path.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm."""
    npm = shutil.which("npm")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm or "npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", AXE]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120) if npm else None
    if done is None or done.returncode:
        message = "axe-core cannot be installed: " + ("npm failed" if done else "npm is missing")
        if os.environ.get("JOURNEYMINE_REQUIRE_ALL") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def shop() -> MapSpecification:
    """The retailer's map."""
    return retailer()
