"""The opportunities as bars on one scale, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeymine.maps.first_screen import place_name, stake_words
from journeymine.maps.markup import number
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate
    from journeymine.maps.findings import Opportunity
    from journeymine.maps.specification import MapSpecification

__all__ = ["StakeBar", "stake_bars"]


@dataclass(frozen=True, slots=True)
class StakeBar:
    """One opportunity in words, with its interval as CSS percentages of the common scale."""

    rank: int
    title: str
    owner: str
    where: str
    stake: str
    evidence: str
    left: str = ""
    width: str = ""
    tick: str = ""
    zero: str = ""


def stake_bars(spec: MapSpecification) -> tuple[StakeBar, ...]:
    """Word the opportunities by rank, and place their intervals on a scale that holds all of them and zero."""
    found = sorted(spec.opportunities, key=lambda o: o.rank)
    estimates = [_stake(o) for o in found]
    ends = [
        0.0,
        *(
            end
            for e in estimates
            if e and e.value is not None
            for end in (e.value, e.lower, e.upper)
            if end is not None
        ),
    ]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def at(value: float) -> str:
        return number(100 * (value - low) / span)

    bars = []
    for finding, estimate in zip(found, estimates, strict=True):
        place = {}
        if estimate is not None and estimate.value is not None:
            bottom = estimate.value if estimate.lower is None else estimate.lower
            top = estimate.value if estimate.upper is None else estimate.upper
            place = {
                "left": at(bottom),
                "width": number(100 * (top - bottom) / span),
                "tick": at(estimate.value),
                "zero": at(0.0),
            }
        bars.append(
            StakeBar(
                finding.rank,
                legible(finding.title),
                legible(finding.owner),
                place_name(finding.stage, finding.channel),
                stake_words(finding, spec.header.currency),
                legible(finding.evidence),
                **place,
            )
        )
    return tuple(bars)


def _stake(finding: Opportunity) -> Estimate | None:
    """The stake to draw: money where any is known, else journeys."""
    money = finding.value_at_stake
    return money if money is not None and money.value is not None else finding.journeys_at_stake
