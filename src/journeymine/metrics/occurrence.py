"""What a user-level question is asked over: any step, steps that satisfy a predicate, or the goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.mature import NO_GOAL
from journeymine.errors import QuestionError
from journeymine.flags import places_of
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.predicate import Predicate
from journeymine.metrics.funnel_question import check_known, check_labels
from journeymine.parallel import take

__all__ = ["Occurrence", "at_steps", "check_occurs", "check_vocabulary"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Which steps count.

    Attributes
    ----------
    condition : a row-wise condition; None for any step.
    goal : the goal of the rules instead.
    """

    condition: Predicate | None = None
    goal: bool = False

    @classmethod
    def parse(cls, form: Any, *, name: str) -> Occurrence:
        """Read None (any step), ``{"goal": True}``, or the data form of a `Predicate`; `name` is named in errors.

        >>> Occurrence.parse({"goal": True}, name="event").words, Occurrence.parse(["a", "b"], name="event").words
        ('the goal', "'a' or 'b'")
        """
        if isinstance(form, Occurrence):
            return form
        if form is None:
            return cls()
        if isinstance(form, Mapping) and set(form) == {"goal"} and form["goal"] is True:
            return cls(goal=True)
        return cls(Predicate.parse(form, name=name))

    def to_data(self) -> Any:
        """The form that `parse` reads back."""
        return {"goal": True} if self.goal else None if self.condition is None else self.condition.to_data()

    @property
    def words(self) -> str:
        """What counts, in words."""
        if self.goal:
            return "the goal"
        if self.condition is None:
            return "any step"
        names = self.condition.touchpoints()
        return " or ".join(map(repr, names)) if names and len(names) <= 3 else "a step as asked for"

    @property
    def any_step(self) -> bool:
        """Whether every step counts."""
        return self.condition is None and not self.goal

    def steps(self, journeys: Journeys) -> Ints:
        """Positions of the steps that count, ascending: user after user, each in order of time.

        Raises
        ------
        QuestionError : the goal is asked for, and the rules name none.
        UnknownLabelError : the condition looks at a column that the log does not have.
        """
        condition, n = self.condition, len(journeys.coded)
        if self.goal:
            condition = journeys.rules.goal
            if condition is None:
                raise QuestionError(
                    NO_GOAL, hint="build_journeys(events, goal=…), or name what to count: event='order_placed'"
                )
        if condition is None:
            return np.arange(n)
        return places_of(condition.holds(journeys.coded.labels, journeys.coded.numbers, n))

    def steps_and_journeys(self, journeys: Journeys) -> tuple[Ints, Ints]:
        """The same, and the journey that each of them is in.

        Where a goal ends its journey, the journeys tell: no step needs to be looked at.
        """
        rules = journeys.rules
        ends = rules.split is None and (rules.after_goal == "cut" or not journeys.stages)
        if self.goal and rules.goal is not None and ends:
            journey = np.flatnonzero(journeys.heads.goal_step >= 0)
            return take(journeys.offsets, journey) + take(journeys.heads.goal_step, journey), journey
        step = self.steps(journeys)
        return step, journeys.journey_at(step)


def at_steps(values: npt.NDArray[Any], step: Ints) -> npt.NDArray[Any]:
    """One value per step of the journeys, at the steps that count; all of them need no copy."""
    return values if len(step) == len(values) else take(values, step)


def check_occurs(journeys: Journeys, *asked: Occurrence) -> None:
    """Refuse labels that the whole log does not have."""
    check_labels([each.condition for each in asked if each.condition is not None], journeys)


def check_vocabulary(labels: Mapping[str, Sequence[str]], *asked: Occurrence) -> None:
    """The same from the labels of the whole log alone."""
    check_known([each.condition for each in asked if each.condition is not None], labels)
