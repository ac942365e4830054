"""The rules that cut a user's events into journeys: one frozen value with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from journeymine.columns import JOURNEY_COLUMNS
from journeymine.durations import Duration, describe, microseconds
from journeymine.errors import RulesError
from journeymine.instants import until_us
from journeymine.journeys.predicate import Predicate

__all__ = ["JourneyRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyRules:
    """How a user's events become journeys, and when a journey counts as converted, lost or open.

    Parameters
    ----------
    goal : what converts a journey, in the data form of `Predicate`; None where nothing does.
    lost_at : what ends a journey as lost, if it comes before the goal, in the same form. By default nothing does.
    session_gap : a pause strictly longer than this starts a new session.
    idle : a pause strictly longer than this ends a journey, and a journey that has been silent for longer is lost.
    split : by default journeys are cut at `idle` and after the goal; ``"user"``, ``"session"`` or a column cuts there
        and nowhere else.
    after_goal : ``"stay"`` keeps later steps in the goal's stage or a later one as the journey's after-sale part;
        ``"cut"`` makes the goal the last step. By default ``"stay"`` with stages and ``"cut"`` without.
    goal_stage : the stage from which on a step is after-sale. By default the earliest stage of the goal's touchpoints.
    mature_after : journeys that started less than this before `observed_until` are immature and left out of headline
        shares. By default 2 × `idle`.
    observed_until : the instant up to which the log is complete: a date (to its end), a datetime, ISO text, or µs since
        1970 UTC; naive ones are UTC. By default the last timestamp; with several sources the earliest of their ends.
    value_from : the steps whose value counts for a journey. By default the goal steps, or every step where there is no
        goal; ``"any"`` counts every step.
    segments : name of a segment → the label column whose first known value in the journey is the segment.

    Raises
    ------
    RulesError : a length of time is a bare number, an option is unknown, or rules contradict one another.

    Examples
    --------
    >>> rules = JourneyRules(goal="order_placed", idle="14d")
    >>> rules.mature_after, JourneyRules.from_data(rules.to_data()) == rules
    ('28d', True)
    """

    goal: Any = None
    lost_at: Any = None
    session_gap: Duration = "30m"
    idle: Duration = "30d"
    split: str | None = None
    after_goal: str | None = None
    goal_stage: str | None = None
    mature_after: Duration | None = None
    observed_until: int | str | date | datetime | None = None
    value_from: Any = None
    segments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("goal", "lost_at"):
            form = getattr(self, name)
            put(self, name, None if form is None else Predicate.parse(form, name=name))
        if self.value_from is not None and not (isinstance(self.value_from, str) and self.value_from == "any"):
            put(self, "value_from", Predicate.parse(self.value_from, name="value_from"))
        for name in ("session_gap", "idle"):
            put(self, name, describe(microseconds(getattr(self, name), name=name)))
        mature = 2 * self.idle_us if self.mature_after is None else microseconds(self.mature_after, name="mature_after")
        put(self, "mature_after", describe(mature))
        if self.observed_until is not None:
            put(self, "observed_until", until_us(self.observed_until, name="observed_until", error=RulesError))
        check_segments(self.segments)
        put(self, "segments", dict(sorted(self.segments.items())))
        self._check()

    def _check(self) -> None:
        for name in ("split", "after_goal", "goal_stage"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, str):
                raise RulesError(f"{name}={given!r} is no text", hint="give one name, or leave it out")
        if self.after_goal not in (None, "stay", "cut"):
            raise RulesError(f"after_goal={self.after_goal!r}", hint="give 'stay', 'cut' or leave it out")
        if self.goal is None and (self.after_goal or self.goal_stage):
            raise RulesError("after_goal and goal_stage need a goal", hint="name the goal, or leave them out")
        if self.split is not None and self.after_goal is not None:
            raise RulesError(
                f"split={self.split!r} cuts there and nowhere else, so after_goal cannot apply",
                hint="leave one of the two out",
            )
        if self.session_gap_us > self.idle_us:
            raise RulesError(
                f"session_gap={self.session_gap} is longer than idle={self.idle}",
                hint="a session lies inside a journey",
            )

    @property
    def observed_until_us(self) -> int | None:
        """`observed_until` in µs since 1970 UTC, as it is kept."""
        return self.observed_until if isinstance(self.observed_until, int) else None

    @property
    def idle_us(self) -> int:
        """`idle` in µs."""
        return microseconds(self.idle)

    @property
    def session_gap_us(self) -> int:
        """`session_gap` in µs."""
        return microseconds(self.session_gap)

    @property
    def mature_after_us(self) -> int:
        """`mature_after` in µs."""
        return microseconds(self.mature_after or self.idle)

    def to_data(self) -> dict[str, Any]:
        """The rules as plain data for TOML or JSON; what is at its default None is left out."""
        data: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or value == {}:
                continue
            data[each.name] = value.to_data() if isinstance(value, Predicate) else value
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> JourneyRules:
        """Read what `to_data` wrote, or the ``[journeys]`` table of a TOML file."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise RulesError(
                f"unknown journey rule(s) {', '.join(unknown)}", hint=f"there are: {', '.join(sorted(known))}"
            )
        return cls(**data)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the rules as canonical JSON, 16 hex digits: the same rules, the same text, on any machine."""
        text = json.dumps(self.to_data(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_segments(given: Any) -> None:
    """Refuse what names no segments, or would take the place of a column of the table of journeys."""
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for pair in given.items() for each in pair):
        raise RulesError(f"segments={given!r}", hint="give names with the column of each: {'size': 'company_size'}")
    if clash := sorted(set(given) & set(JOURNEY_COLUMNS)):
        raise RulesError(
            f"the segment {', '.join(map(repr, clash))} would take the place of that column of the journeys",
            hint="give it another name",
        )
