"""Every Python block of the README and of docs/ runs, page by page, from top to bottom.

Blocks fenced as ``py`` need what a laptop has not, a cluster or a bucket, and are only read.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import polars as pl
import pytest

import journeymine as jm

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader would have it: ``events.parquet`` with a user, a time, an event, a channel and a value."""
    folder = tmp_path_factory.mktemp("reader")
    frame = jm.sample(users=600).frame
    names = {"order_placed": "order", "basket_filled": "basket", "search_ad_clicked": "ad_search"}
    events = frame.select(
        user_id="user", ts="timestamp", event=pl.col("touchpoint").replace(names), channel="channel", value="value"
    )
    events.write_parquet(folder / "events.parquet")
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _BLOCK.search(page.read_text("utf-8"))], ids=lambda p: p.stem
)
def test_the_examples_of_a_page_run(page: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    names: dict[str, object] = {"__name__": "example"}
    blocks = _BLOCK.findall(page.read_text("utf-8"))
    with contextlib.redirect_stdout(io.StringIO()):
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{page.name}, block {number}", "exec"), names)
    assert blocks


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_lists_every_page() -> None:
    listed = re.findall(r"^\| \[docs/(\S+\.md)\]", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))
