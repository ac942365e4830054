"""The further views of a map, composed from the sample: two periods side by side, one customer, and zooms."""

from __future__ import annotations

from functools import cache

import journeymine as jm
from journeymine.maps.specification import MapSpecification

__all__ = ["one_customer", "side_by_side", "zoomed"]


@cache
def _journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=1500))


@cache
def side_by_side() -> MapSpecification:
    """Two periods of the sample."""
    spring, winter = (
        _journeys().between(*days) for days in (("2026-03-01", "2026-05-01"), ("2026-01-05", "2026-03-01"))
    )
    return jm.compare_maps(spring, winter, names=("spring", "winter"), kind="period").spec


@cache
def one_customer() -> MapSpecification:
    """Who took the most steps, by a pseudonym."""
    user = _journeys().table.sort("n_steps", "user", descending=True)["user"][0]
    return jm.journey_map_of_user(_journeys(), user, show_users="a key of sixteen bytes").spec


@cache
def zoomed() -> MapSpecification:
    """The map with one view for each of three channels."""
    return jm.journey_map(_journeys(), zoom="channel").spec
