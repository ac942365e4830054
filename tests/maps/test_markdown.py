from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from journeymine.maps.markdown import to_markdown
from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import hostile


def test_it_reads_as_one_title_and_tables(any_map: MapSpecification) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(any_map))
    kinds = [token.type for token in tokens]
    assert sum(token.type == "heading_open" and token.tag == "h1" for token in tokens) == 1
    assert kinds.count("table_open") >= 3
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
