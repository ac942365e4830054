from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from journeymine.errors import QuestionError
from journeymine.maps import export
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.pdf_order import fixed_order
from journeymine.maps.specification import MapSpecification
from journeymine.maps.svg import size
from tests.maps.fixtures import bare_log, hostile

needs_converter = pytest.mark.skipif(importlib.util.find_spec("vl_convert") is None, reason="extra 'maps' missing")
BEGINS = {".html": b"<!doctype html>", ".svg": b"<svg ", ".md": b"# ", ".json": b"{"}


@pytest.mark.parametrize("suffix", BEGINS)
def test_each_form_is_written_whole_and_the_same(tmp_path: Path, shop: MapSpecification, suffix: str) -> None:
    path = JourneyMap(shop).save(tmp_path / f"map{suffix}")
    first = path.read_bytes()
    assert first.startswith(BEGINS[suffix])
    assert JourneyMap(shop).save(str(path)).read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [f"map{suffix}"]


@needs_converter
def test_png_has_twice_the_size_on_screen(tmp_path: Path) -> None:
    spec = bare_log()
    data = JourneyMap(spec).save(tmp_path / "map.PNG").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    assert (width, height) == pytest.approx([2 * side for side in size(spec)], abs=2)


@needs_converter
@pytest.mark.parametrize("make", [bare_log, hostile])
def test_pdf_is_the_same_to_the_byte(make: object) -> None:
    assert callable(make)
    first = export.render(make(), ".pdf")
    assert first.startswith(b"%PDF")
    assert export.render(make(), ".pdf") == first


@needs_converter
def test_the_table_of_a_pdf_points_at_its_objects() -> None:
    data = export.render(bare_log(), ".pdf")
    start = int(re.findall(rb"startxref\n(\d+)", data)[0])
    entries = re.findall(rb"(\d{10}) \d{5} n", data[start:])
    for i, offset in enumerate(entries, start=1):
        assert data[int(offset) :].startswith(b"%d 0 obj" % i)
    assert b"/Size %d" % (len(entries) + 1) in data[start:]


def test_a_pdf_of_another_build_is_left_alone() -> None:
    assert fixed_order(b"%PDF-1.7 something else") == b"%PDF-1.7 something else"


def test_an_unknown_suffix_says_which_there_are(tmp_path: Path, shop: MapSpecification) -> None:
    with pytest.raises(QuestionError, match=r"'\.doc'") as caught:
        JourneyMap(shop).save(tmp_path / "map.doc")
    assert ".html" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, shop: MapSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.md"
    path.write_text("old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        JourneyMap(shop).save(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.md"]


def test_a_notebook_shows_a_frame_and_keeps_a_still_picture() -> None:
    html = JourneyMap(hostile())._repr_html_()
    assert html.count("<iframe") == 1
    assert 'sandbox="allow-scripts allow-downloads"' in html
    assert html.count("<img") == 1
    assert 'src="data:image/svg+xml;base64,' in html
    assert "<script" not in html
