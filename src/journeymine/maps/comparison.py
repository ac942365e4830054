"""The part of a map that sets two groups or periods side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate

__all__ = ["FIGURES", "Compared", "Comparison"]

FIGURES = {
    "converted": "Convert",
    "went_on": "Go on to a later stage",
    "converted_later": "Convert later",
    "lost": "Lost here",
    "used": "Journeys that go this way",
}
"""What is compared, in words; all are shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One share in both groups, and the difference a − b.

    `significant` is judged by the adjusted p-value over all that was compared in the same way; the rest is shown
    without colour. `source` and `target` name a flow.
    """

    figure: Literal["converted", "went_on", "converted_later", "lost", "used"]
    a: Estimate
    b: Estimate
    difference: Estimate
    significant: bool = False
    p_adjusted: float | None = None
    stage: str = ""
    channel: str = ""
    source: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two groups or periods: `name_a` is what the map itself shows, `name_b` what it is set against."""

    name_a: str
    name_b: str
    n_journeys_a: int | None
    n_journeys_b: int | None
    rows: tuple[Compared, ...]
    false_discovery: float = 0.05
    note: str = ""
