from __future__ import annotations

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting.result_html import _text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"), (0.25, "0.25"), (0.99996, "0.99996"), (1 - 1e-12, "0.999999999999"), (1.0, "1"), (1234.6, "1,235"),
        (12345, "12,345"), (True, "True"), (pl.Series(["a", "b"]), "a, b"),
    ],
)  # fmt: skip
def test_a_number_below_one_is_never_written_as_one(cell: object, text: str) -> None:
    if text.startswith("0.999999"):
        assert float(_text(cell)) < 1
    else:
        assert _text(cell) == text


def test_reasons_are_notes_below_and_hostile_names_are_text() -> None:
    log = pl.DataFrame({"u": ["a", "b"], "t": ["2026-01-01", "2026-01-02"], "e": ["<img onerror=x>", "goal"]})
    events = jm.read_events(log, user="u", timestamp="t", touchpoint="e", timezone="UTC")
    html = jm.drop_off(jm.build_journeys(events, goal="goal"), by="touchpoint")._repr_html_()
    assert "<img" not in html
    assert "&lt;img onerror=x&gt;" in html
    assert ">(1)</td>" in html
    assert "<small>(1) " in html
