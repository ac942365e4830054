"""What a reader of numbers made of journeys must know of their goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from journeymine.columns import escape_reserved
from journeymine.errors import UnknownLabelError
from journeymine.events.stage_map import StageMap
from journeymine.journeys.context import sale_rank
from journeymine.journeys.predicate import Predicate
from journeymine.journeys.rules import JourneyRules

__all__ = ["UNSTAGED_GOAL", "is_unstaged", "mergeable_notes", "notes_of"]

UNSTAGED_GOAL = (
    "the goal names no touchpoint that a stage is declared for (it is of no stage, a pattern, or a condition on "
    "something else), so its stage is not known: journeys end with their goal and have no after-sale part; say it with "
    "goal_stage="
)


def notes_of(rules: JourneyRules, stages: StageMap | None, labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What there is to know of the goal, in sentences, with the nearest labels to those that nobody has.

    Parameters
    ----------
    labels : the labels of each column over the whole log.
    """
    if rules.goal is None:
        return ()
    missing = _absent(rules.goal, labels)
    found = [f"{_told(*each)} ({_nearest(*each, tuple(labels[each[0]]))})" for each in missing]
    if not rules.goal.possible(labels):
        found.append("the goal occurs nowhere in this log, and nothing converts")
    return (*found, UNSTAGED_GOAL) if is_unstaged(rules, stages) else tuple(found)


def mergeable_notes(rules: JourneyRules, labels: Mapping[str, Sequence[str]], *, unstaged: bool) -> tuple[str, ...]:
    """The same as far as all parts of a log, each with its own labels, say what the whole says."""
    if rules.goal is None:
        return ()
    found = [_told(*each) for each in _absent(rules.goal, labels)]
    return (*found, UNSTAGED_GOAL) if unstaged else tuple(found)


def is_unstaged(rules: JourneyRules, stages: StageMap | None) -> bool:
    """Whether an after-sale part might be expected, and no stage is known to begin it."""
    stays = rules.goal is not None and rules.split is None and rules.after_goal is None
    return stays and stages is not None and bool(stages.names) and sale_rank(rules, stages) is None


def _absent(goal: Predicate, labels: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What the goal names that nobody has: column and label."""
    return [
        (column, label)
        for column, label in sorted(goal.named())
        if column in labels and label not in labels[column] and escape_reserved(label) not in labels[column]
    ]


def _told(column: str, label: str) -> str:
    return f"the goal names the {column} {label!r}, which occurs nowhere in this log"


@lru_cache(maxsize=64)  # every part asks the same, and to find the nearest of many labels takes time
def _nearest(column: str, label: str, known: tuple[str, ...]) -> str:
    return UnknownLabelError.naming(column, label, known).hint
