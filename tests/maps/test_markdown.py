from __future__ import annotations

import re

import polars as pl
import pytest
from markdown_it import MarkdownIt

import journeymine as jm
from journeymine.maps import journey_map_of_user
from journeymine.maps.html import to_html
from journeymine.maps.markdown import to_markdown
from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import bare_log, hostile


def test_it_reads_as_one_title_and_tables(any_map: MapSpecification) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(any_map))
    kinds = [token.type for token in tokens]
    assert sum(token.type == "heading_open" and token.tag == "h1" for token in tokens) == 1
    assert kinds.count("table_open") >= 2
    assert to_markdown(any_map) == to_markdown(any_map)


def test_hostile_names_are_no_markup() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(hostile()))
    children = [child for token in tokens for child in token.children or ()]
    assert not {token.type for token in tokens} & {"html_block", "fence", "code_block"}
    assert not {child.type for child in children} & {"html_inline", "link_open", "image", "code_inline"}


def test_it_says_what_the_first_screen_says(shop: MapSpecification) -> None:
    text = to_markdown(shop)
    for words in ("20.3", "purchase × app", "€84,300", "Owner: App team", "Not known yet"):
        assert words in text


@pytest.mark.parametrize("heading", ["What to mend, in order", "Stages", "Data quality", "Method", "written by hand"])
def test_every_part_is_there(shop: MapSpecification, heading: str) -> None:
    assert heading in to_markdown(shop)


def test_without_stages_no_number_of_a_column_passes_for_one() -> None:
    """The columns are the usual order of touchpoints, 1, 2, 3: they have no figures, and are no phases of anything."""
    text = to_markdown(bare_log())
    assert "## Stages" not in text
    assert "| Touchpoint | Usual order |" in text
    assert not re.search(r"\| Stage \|", text)
    assert "stages: map touchpoints to stages" in text
    page = to_html(bare_log())
    assert "usual order: 1" in page
    assert "<summary>Touchpoints " in page
    assert "<summary>Stages " not in page


def test_the_map_of_one_customer_without_stages_has_no_column_of_ones() -> None:
    rows = {"user": ["a"] * 3, "s": [0, 60, 120], "what": ["see", "chat", "order"]}
    events = jm.read_events(pl.DataFrame(rows), user="user", timestamp="s", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events, goal="order", idle="1h", observed_until=10**12)
    text = journey_map_of_user(journeys, "a").to_markdown()
    assert "Usual order" not in text
    assert "Stage" not in text
