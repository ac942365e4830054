"""Why a log has no headline share: it is shorter than what its rules must wait for."""

from __future__ import annotations

from journeymine.counting.counts import Basis
from journeymine.durations import Duration, rounded_down
from journeymine.journeys.context import longest_idle

__all__ = ["NO_GOAL", "too_short"]

NO_GOAL = "no goal was named, so nothing can convert"


def too_short(basis: Basis, horizon: Duration | None = None) -> str:
    """The reason for a null share where no journey is old enough."""
    if horizon is not None:
        return f"no journey here was observed for the whole horizon of {horizon}"
    return (
        f"no journey here is mature: none started at least {basis.rules.mature_after} before the log ends; "
        f"the longest idle that this log supports is {rounded_down(longest_idle(basis.context, basis.rules))}"
    )
