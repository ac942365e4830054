"""What a map says is at stake: the money of the list of opportunities, and none where conversions cost."""

from __future__ import annotations

import pytest

import journeymine as jm
from tests.metrics.test_opportunities_by_hand import PAID, journeys_of, two_channels


def test_a_place_where_nobody_converts_is_priced_as_in_the_list() -> None:
    journeys = journeys_of([PAID, (100, [("pay", "app")], [])])
    spec = jm.journey_map(journeys, min_group=1).spec
    (place,) = (place for place in spec.drop_offs if (place.stage, place.channel) == ("buy", "app"))
    assert place.value_at_stake is not None
    assert place.value_at_stake.value == pytest.approx(100 * 0.5 * 60)
    assert place.value_at_stake.has_interval
    first = spec.opportunities[0]
    assert (first.title, first.value_at_stake) == ("Keep journeys in buy on app", place.value_at_stake)


def test_where_conversions_cost_journeys_are_at_stake_and_no_money() -> None:
    shown = jm.journey_map(two_channels(-50, -50), min_group=1)
    (claim,) = shown.spec.opportunities  # the other one is told with it
    assert claim.value_at_stake is None
    assert claim.journeys_at_stake is not None
    assert claim.journeys_at_stake.value == pytest.approx(200 * (0.5 - 0.15))
    assert {place.value_at_stake.reason for place in shown.spec.drop_offs if place.value_at_stake} == {
        "a conversion brings no money in the mean"
    }
    page = shown.to_html()
    assert "70 journeys at stake" in page
    assert "a conversion brings no money in the mean" in page
    assert "worth −" not in page
