"""Parts of a map that a reader acts on: drop-offs, feelings, pain points, moments of truth, opportunities, own notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate, Neighbour

__all__ = [
    "DropOff",
    "Emotion",
    "EmotionPoint",
    "MomentOfTruth",
    "Opportunity",
    "PainPoint",
    "WrittenCell",
    "WrittenRow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOff:
    """One stage × channel: how many of those who reached it were lost there, what they did last, what it costs.

    `significant` says whether what is at stake is more than chance once all places, frictions and crossings were asked
    about (false discovery rate 5 %); None where that was not tested. The interval of `value_at_stake` is of this place
    alone. `by_definition`: most are lost here at a touchpoint of `lost_at`, as far as it is shown how many these are.
    """

    stage: str
    channel: str
    n_reached: int | None
    n_lost: int | None
    lost: Estimate | None = None
    came_back: Estimate | None = None
    last_touchpoints: tuple[Neighbour, ...] = ()
    value_at_stake: Estimate | None = None
    owner: str = ""
    significant: bool | None = None
    by_definition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionPoint:
    """A mean score at a stage (or at one of its touchpoints), and how many of those asked answered."""

    stage: str
    score: Estimate
    touchpoint: str = ""
    n_answered: int | None = None
    n_asked: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emotion:
    """The emotion curve. A stage without a point is a gap in the curve; `note` states the response bias."""

    points: tuple[EmotionPoint, ...]
    scale_min: float = -2.0
    scale_max: float = 2.0
    label: str = "Mean score"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PainPoint:
    """Friction: how many journeys meet it, and how much their conversion differs from comparable ones (`effect`)."""

    rank: int
    title: str
    evidence: str
    stage: str = ""
    channel: str = ""
    touchpoint: str = ""
    owner: str = ""
    n_journeys: int | None = None
    effect: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentOfTruth:
    """Where converting and lost journeys part: `lift` is conversion with it divided by conversion without."""

    rank: int
    title: str
    evidence: str
    stage: str = ""
    channel: str = ""
    touchpoint: str = ""
    n_journeys: int | None = None
    lift: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """What to mend, who owns it, and what is at stake: money, or journeys where the log has no values."""

    rank: int
    title: str
    evidence: str
    owner: str = ""
    stage: str = ""
    channel: str = ""
    value_at_stake: Estimate | None = None
    journeys_at_stake: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCell:
    """What somebody wrote about one stage."""

    stage: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow:
    """A row written by hand (goals, thoughts, quotes), shown as such: it is not mined from data."""

    title: str
    cells: tuple[WrittenCell, ...]
