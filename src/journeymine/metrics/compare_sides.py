"""What a comparison takes: two sides, a measure and their names; and which numbers two periods can be compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.counting.counts import Counts
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import Measure, check_measure, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.runs import changes
from journeymine.errors import MergeError, QuestionError, UnknownLabelError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.compare_columns import is_estimate
from journeymine.metrics.compare_periods import go_by_time, two_periods
from journeymine.stats.folds import FOLDS

__all__ = [
    "check_asked",
    "check_followed",
    "check_followed_over",
    "check_two_names",
    "counts_of",
    "folds_of",
    "n_cut_users",
    "rules_told",
    "sums_told",
    "wanted_estimates",
]

SUMS = frozenset({"conversions", "value", "conversions_at_stake", "value_at_stake"})
"""Estimates, of whichever measure, that add up over journeys."""

_WATCHED_ALIKE = (
    "name others, compare groups of one time, or choose earlier periods, in which fewer journeys are still open; of "
    "who comes back, jm.WinBack tells what no time changes"
)
COHORTS = (
    "compare whole users, e.g. by their first entry: first = pl.col('start').min().over('user'), then "
    "compare(journeys.where(first >= when), journeys.where(first < when), …)"
)


def check_asked(sides: Sequence[Any], measure: Any, columns: Any, names: Any) -> None:
    """Refuse what is no side, no measure, no estimate's name, or no pair of names."""
    check_measure(measure)
    for side in sides:
        if not isinstance(side, Journeys | Counts):
            raise QuestionError(
                f"cannot compare a {type(side).__name__}", hint="give Journeys, or Counts of the measure"
            )
    check_two_names(names)
    if columns is not None and not isinstance(columns, str) and not (_texts(columns) and len(columns)):
        raise QuestionError(f"columns={columns!r}", hint="name one or several estimates, or leave columns out")


def check_two_names(names: Any) -> None:
    """Refuse what does not name both sides."""
    if isinstance(names, str) or not _texts(names) or len(names) != 2:
        raise QuestionError(f"names={names!r}", hint="give two texts, the name of a and that of b")
    if names[0] == names[1]:
        raise QuestionError(f"names={names!r} are the same", hint="give each side a name of its own")


def _texts(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(each, str) for each in given)


def check_followed_over(measure: Measure) -> None:
    """Refuse a measure that follows users from journey to journey where journeys of one user fall on both sides.

    Raises
    ------
    QuestionError : of the customers of the earlier side all would seem to leave at its end, and the later one would
        take old customers for new.
    """
    if _follows(measure):
        raise QuestionError(
            f"{measure.name} follows users from journey to journey, and a date cuts them in two: before it everybody "
            "would seem to leave, after it old customers would seem new",
            hint=COHORTS,
        )


def check_followed(measure: Measure, sides: Sequence[Journeys | Counts], names: Sequence[str]) -> None:
    """Refuse a measure that follows users from journey to journey where a side lacks journeys of its users.

    Counts do not say what they were counted of, and are taken as they are.

    Raises
    ------
    QuestionError : as `check_followed_over`; or the sides are two periods.
    """
    if not _follows(measure):
        return
    if two_periods(sides):
        check_followed_over(measure)
    for side, name in zip(sides, names, strict=True):
        if isinstance(side, Journeys) and (cut := n_cut_users(side)):
            raise QuestionError(
                f"{measure.name} follows users from journey to journey, and of the {len(side.users):,} users of "
                f"{name!r} {cut:,} have other journeys that were left out: what they did there would seem not to have "
                "happened",
                hint=COHORTS,
            )


def n_cut_users(journeys: Journeys) -> int:
    """Users who have journeys in the log that are not among these."""
    heads = journeys.heads
    first = np.flatnonzero(changes(heads.user))
    last = np.append(first[1:], len(heads))[: len(first)] - 1
    whole = (heads.next_start[last] == MISSING) & (heads.nth[last] == last - first + 1)
    return int(np.count_nonzero(~whole))


def rules_told(counted: Sequence[Counts], names: Sequence[str]) -> list[str]:
    """What to know of sides whose journeys were cut or judged differently."""
    a, b = (counts.basis for counts in counted)
    maps = {each.stage_map for each in (a, b)} - {None}
    if (a.rules, a.stages) == (b.rules, b.stages) and len(maps) < 2:
        return []
    return [f"{names[0]} and {names[1]} were built by different rules or stages, which alone can make them differ"]


def sums_told(estimates: Iterable[str], sides: Sequence[Journeys | Counts], names: Sequence[str]) -> list[str]:
    """What to know of sums among the estimates, which a longer period or a larger group has more of."""
    sums = sorted(SUMS.intersection(estimates))
    if not sums:
        return []
    sizes = [f"{len(side):,} in {name}" for side, name in zip(sides, names, strict=True) if isinstance(side, Journeys)]
    told = f": {' and '.join(sizes)}" if sizes else ""
    return [f"{', '.join(sums)} are sums, which differ with the number of journeys{told}; shares and means do not"]


def wanted_estimates(
    answers: Mapping[str, Answer], columns: str | Sequence[str] | None, so_far: Sequence[str]
) -> Sequence[str]:
    """The estimates to compare: those named, or all that can be compared."""
    known = {name for answer in answers.values() for name, value in answer.columns.items() if is_estimate(value)}
    if columns is None:
        if known and known <= set(so_far):
            raise QuestionError(_not_between(sorted(known)), hint=_WATCHED_ALIKE)
        return sorted(known - set(so_far))
    wanted = (columns,) if isinstance(columns, str) else tuple(columns)
    if known and (unknown := [name for name in wanted if name not in known]):
        raise UnknownLabelError.naming("estimate", unknown[0], known, place="this measure")
    if grown := sorted(set(wanted) & set(so_far)):
        raise QuestionError(_not_between(grown), hint=_WATCHED_ALIKE)
    return wanted


def _not_between(estimates: Sequence[str]) -> str:
    return f"{go_by_time(estimates)}, which differs between two periods"


def counts_of(each: Journeys | Counts, measure: Measure) -> Counts:
    """The counts of one side."""
    counts = each if isinstance(each, Counts) else count_in_memory(measure, each)
    if counts.question != question_of(measure):
        raise MergeError(
            f"these counts answer {counts.question}, not {question_of(measure)}",
            hint="compare counts of the measure given",
        )
    return counts


def folds_of(counted: Sequence[Counts]) -> npt.NDArray[np.bool_]:
    """Folds that hold anybody in either group."""
    present = np.zeros(FOLDS, dtype=bool)
    for counts in counted:
        for name, spec in counts.specs.items():
            if spec.folded:
                present[counts.tables[name]["fold"].unique().to_numpy()] = True
    return present


def _follows(measure: Measure) -> bool:
    """Whether it asks what users did in other journeys; one with `so_far` takes that from what each journey knows."""
    return measure.unit == "user" and not hasattr(measure, "so_far")
