from __future__ import annotations

from dataclasses import replace

from journeymine.maps.compose_words import summary
from journeymine.maps.evidence import NEARLY_ALL, Estimate
from journeymine.maps.specification import Header, MapSpecification, Stage
from journeymine.maps.svg import to_svg

HEADER = Header(title="t", n_users=900, n_journeys=1000, n_mature=1000, n_lost=600)


def said(*lost: int | None, closing: tuple[str, ...] = ()) -> str:
    stages = tuple(Stage(name=f"s{i}", n_reached=500, n_lost_here=n) for i, n in enumerate(lost))
    return " ".join(sentence.text for sentence in summary(HEADER, stages, (), closing=closing))


def test_the_stage_that_loses_most_is_named_against_all_that_are_lost() -> None:
    assert said(400, 150, 50) == "Most lost journeys leave from s0: 400 of 600."
    assert said(250, 200, 150) == "No stage loses more journeys than s0: 250 of 600."


def test_nothing_is_said_where_a_stage_that_is_not_shown_could_lose_more() -> None:
    assert said(200, 100, None) == ""
    assert said(400, 100, None) == "Most lost journeys leave from s0: 400 of 600."


def test_where_journeys_are_lost_by_definition_it_is_said_and_the_next_stage_named() -> None:
    by_definition = "Most lost journeys leave from s0, where most are lost by definition (lost_at): 400 of 600."
    of_the_rest = f"{by_definition} Of the stages where that is not so, none loses more than s1: 150."
    assert said(400, 150, 50, closing=("s0",)) == of_the_rest
    assert said(400, 50, 150, closing=("s0", "s2")) == of_the_rest.replace("150", "50")
    assert said(400, 100, None, closing=("s0",)) == by_definition, "the one that is not shown may lose as many"
    assert said(400, 200, closing=("s0", "s1")) == by_definition
    assert said(400, 150, 50, closing=("s1",)) == said(400, 150, 50)


def test_a_place_worth_mending_that_loses_by_definition_is_told_with_that(shop: MapSpecification) -> None:
    for by_definition in (True, False):
        places = [replace(drop, significant=True, by_definition=by_definition) for drop in shop.drop_offs]
        (text,) = (s.text for s in summary(shop.header, (), places) if "would be earned" in s.text)
        assert ("of those who reach it, most by definition (lost_at); were it" in text) is by_definition


def test_a_stage_that_nearly_all_reach_is_drawn_as_wide_as_all(shop: MapSpecification) -> None:
    most = replace(
        shop.stages[-1], n_reached=None, reached=Estimate(value=None, reason=f"{NEARLY_ALL} fewer than 10 users")
    )
    assert "nearly all" in to_svg(replace(shop, stages=(*shop.stages[:-1], most)))
    assert "nearly all" not in to_svg(shop)
