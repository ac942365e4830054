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

__all__ = ["UNSTAGED_GOAL", "notes_of"]

UNSTAGED_GOAL = (
    "the goal names no touchpoint that a stage is declared for (it is of no stage, a pattern, or a condition on something "
    "else), so its stage is not known: journeys end with their goal and have no after-sale part; say it with goal_stage="
)


def notes_of(
    rules: JourneyRules, stages: StageMap | None, labels: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """What there is to know of the goal, in sentences: the same in every part of a log.

    Parameters
    ----------
    labels : the labels of each column over the whole log; None where they are not known.
    """
    if rules.goal is None:
        return ()
    absent = [] if labels is None else _absent(rules.goal, labels)
    if labels is not None and not rules.goal.possible(labels):
        return ("; ".join(["the goal occurs nowhere in this log, and nothing converts", *absent]),)
    found = [f"part of the goal occurs nowhere: {'; '.join(absent)}"] if absent else []
    stays = stages is not None and stages.names and rules.split is None and rules.after_goal is None
    return (*found, UNSTAGED_GOAL) if stays and sale_rank(rules, stages) is None else tuple(found)


def _absent(goal: Predicate, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """What the goal names that nobody has, with the nearest that there is."""
    return [
        _nearest(column, label, tuple(labels[column]))
        for column, label in sorted(goal.named())
        if column in labels and not {label, escape_reserved(label)} & set(labels[column])
    ]


@lru_cache(maxsize=64)  # every part asks the same, and to find the nearest of many labels takes time
def _nearest(column: str, label: str, known: tuple[str, ...]) -> str:
    missing = UnknownLabelError.naming(column, label, known)
    return f"{missing.message} ({missing.hint})"
