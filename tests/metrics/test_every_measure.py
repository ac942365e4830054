"""What every measure of the package must have: a breakdown, an interval, a chart, a page, and words for what is left out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.charts import chart_of
from tests.contracts.measures import MEASURES
from tests.metrics.test_bad_arguments import SHORT, ask, built

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
LISTS = {"schemas.md", "switching.md", "tour.md", "performance.md", "charts.md"}
"""Pages that name every measure and define none."""
EVERY = pytest.mark.parametrize("name", sorted(SHORT))
WITHOUT_INTERVAL = {"variants"}
"""Its table keeps no folds, and the result says so."""


def result_of(name: str, **arguments: Any) -> jm.Result:
    found = ask(name, built(), **arguments)
    return getattr(found, "result", found)  # type: ignore[no-any-return]


@EVERY
def test_a_breakdown_by_several_at_once(name: str) -> None:
    """By a channel, an attribute and a segment; a row for each combination that occurs, their labels plain text."""
    by = ["plan", "new_or_returning", *(["channel"] if name not in ("handoffs", "attribution", "friction") else [])]
    frame = result_of(name, by=by).frame
    assert set(by) <= set(frame.columns), frame.columns
    for column in by:
        assert frame.schema[column] == result_of("conversion", by=column).frame.schema[column]
    whole = result_of("conversion", by=by).frame.select(by).unique()
    assert frame.select(by).unique().height <= whole.height


@pytest.mark.parametrize("name", sorted(set(SHORT) - {"dwell", "drop_off", "satisfaction"}))  # these always have places
def test_one_group_is_all(name: str) -> None:
    """A breakdown by what all journeys share changes no number."""
    found = ask(name, built().segment("everybody", pl.lit("yes")), by="everybody")
    parted, whole = getattr(found, "result", found).frame, result_of(name).frame
    shared = [column for column in whole.columns if column in parted.columns]
    assert shared == [column for column in parted.columns if column != "everybody"]
    assert parted.select(shared).equals(whole.select(shared))


@EVERY
def test_an_interval_or_a_word_on_why_there_is_none(name: str) -> None:
    result = result_of(name)
    with_limits = [column for column in result.frame.columns if f"{column}_lower" in result.frame.columns]
    assert with_limits or (name in WITHOUT_INTERVAL and any("interval" in note for note in result.notes))
    assert re.search("interval|Wilson|jackknife", inspect.getdoc(getattr(jm, name)) or "", re.IGNORECASE)


@EVERY
def test_a_chart(name: str) -> None:
    pytest.importorskip("altair")
    assert chart_of(result_of(name)) is not None


@EVERY
def test_a_page_that_shows_and_names_it(name: str) -> None:
    assert [page for page, text in PAGES.items() if f"jm.{name}(" in text and page not in LISTS]


@EVERY
@pytest.mark.parametrize(
    ("matter", "words"),
    [
        ("open and immature journeys", "open|mature|status"),
        ("ties", "instant|ties|documented order"),
        ("nulls", r"null labels|\(unknown\)|null is|absent"),
    ],
)
def test_words_for_what_is_easily_taken_two_ways(name: str, matter: str, words: str) -> None:
    assert re.search(words, inspect.getdoc(getattr(jm, name)) or "", re.IGNORECASE), (
        f"{name} does not speak of {matter}"
    )


def test_the_contract_suite_tries_each_measure_plain_and_broken_down() -> None:
    public = {
        thing
        for thing in (getattr(jm, name) for name in jm.__all__)
        if isinstance(thing, type) and hasattr(thing, "specs") and thing.__name__ != "Measure"
    }
    assert {type(measure) for measure in MEASURES} == public
    assert {type(measure) for measure in MEASURES if len(measure.names) > 1 or measure.names == ("plan",)} == public  # type: ignore[attr-defined]
