"""Parts of a map that say how sure it is: estimates, sentences with their figures, examples, data quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "NEARLY_ALL",
    "WITHHELD",
    "Definition",
    "Estimate",
    "ExampleJourney",
    "ExampleStep",
    "FigureRef",
    "Filtered",
    "Hint",
    "Neighbour",
    "QualityRow",
    "Sentence",
]


NEARLY_ALL = "all but"
"""How a reason begins where a size is withheld because too few are left beside it."""
WITHHELD = "not shown, for privacy"
"""Why a figure is withheld: too few users stand behind it, or it would give such a figure away; a map never tells which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval; `value` None means not known, and `reason` says why.

    Shares are 0–1, money in units of the map's currency, durations in seconds. `n` is what the number stands on.

    Examples
    --------
    >>> Estimate(value=0.2, lower=0.18, upper=0.22, n=1500).has_interval
    True
    >>> Estimate(value=None, reason="fewer than 20 users").has_interval
    False
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: int | None = None
    sparse: bool = False
    reason: str = ""

    @property
    def has_interval(self) -> bool:
        """Whether value and both bounds are known."""
        return self.value is not None and self.lower is not None and self.upper is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """What usually comes before or after: a label, how often, and its share (0–1) of all befores or afters."""

    label: str
    n: int
    share: float | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRef:
    """The figure behind a sentence.

    `ref` names the place in the map: ``"header"``, ``"stage:NAME"``, ``"channel:NAME"``, ``"node:ID"``,
    ``"drop_off:STAGE|CHANNEL"``, ``"opportunity:RANK"``, ``"pain_point:RANK"``, ``"quality"`` or ``"emotion"``.
    """

    label: str
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A plain sentence and the figures that support it."""

    text: str
    figures: tuple[FigureRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """What was left out of the picture, and how many journeys that were."""

    what: str
    n_journeys: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Which row of the map is missing, and in one line what would fill it."""

    row: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleStep:
    """One step of an example journey; `after_s` is seconds since the journey's first step."""

    touchpoint: str
    channel: str = ""
    stage: str = ""
    after_s: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleJourney:
    """One journey, step by step. `id` is a name of this map's own, never a user id unless the caller asked for it."""

    id: str
    status: Literal["converted", "lost", "open", "ended", "service"]
    steps: tuple[ExampleStep, ...]
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """One line of the data-quality report; `level` is how much a reader should care."""

    what: str
    n: int | None = None
    share: float | None = None
    note: str = ""
    level: Literal["info", "watch", "problem"] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A word (or a package) and what it means (or its version)."""

    term: str
    text: str
