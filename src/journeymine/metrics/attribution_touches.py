"""Touches of journeys: what may earn credit for a conversion, and what a lost journey saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.counting.runs import ranges
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded
from journeymine.journeys.heads import CONVERTED
from journeymine.journeys.journeys import Journeys, pair_codes
from journeymine.journeys.rules import JourneyRules
from journeymine.parallel import take
from journeymine.stretches import search_stretches

__all__ = ["Touches", "check_lookback", "touch_blocks", "touch_labels", "touches_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_BLOCK, _AT_ONCE = 1 << 17, 1 << 14
"""Touches at a time that are counted, and journeys whose touches are looked up: a dozen arrays of them stay in the cache."""
_CODES, _TIME = "codes", "time"


@dataclass(frozen=True, slots=True)
class Touches:
    """Touches of some journeys, journey after journey, in order of time.

    Attributes
    ----------
    journey : the journeys, by index; those without a touch are among them.
    offsets : where the touches of each begin, and the end of the last.
    coded : the label of each touch.
    time : µs of each.
    marks : which touches are marked, by name of the mark.
    """

    journey: Ints
    offsets: Ints
    coded: Coded
    time: Ints
    marks: Mapping[str, Bools]

    @property
    def lengths(self) -> Ints:
        """Touches of each journey."""
        return np.diff(self.offsets)

    @property
    def touched(self) -> Touches:
        """Without the journeys that have no touch."""
        kept = np.flatnonzero(self.lengths)
        offsets = np.append(take(self.offsets, kept), self.offsets[-1])
        return Touches(take(self.journey, kept), offsets, self.coded, self.time, self.marks)


def check_lookback(lookback: Duration | None, rules: JourneyRules) -> int | None:
    """The window in µs, once it is known that journeys reach that far.

    Raises
    ------
    QuestionError : journeys are cut at pauses shorter than the window, so touches inside it belong to other journeys.
    """
    if lookback is None:
        return None
    window = microseconds(lookback, name="lookback")
    name, reach = {None: ("idle", rules.idle_us), "session": ("session_gap", rules.session_gap_us)}.get(
        rules.split, ("split", window)
    )
    if window > reach:
        raise QuestionError(
            f"lookback={lookback!r} reaches further back than journeys do: a pause longer than "
            f"{name}={getattr(rules, name)} begins a new one, so earlier touches are in another journey",
            hint=f"build the journeys with {name}={lookback!r} or more, or shorten the lookback",
        )
    return window


def touch_labels(journeys: Journeys, grain: str) -> tuple[Coded, Coded]:
    """Labels at a grain of all steps and of all company touches, over one vocabulary."""
    company = journeys.company
    if not len(company):
        coded = journeys.codes(grain)
        return coded, Coded(coded.codes[:0], coded.labels)
    n = len(journeys.coded)
    if grain == "channel:touchpoint" and "channel" in journeys.coded.labels:
        both = [
            Coded(np.concatenate((journeys.coded.labels[name].codes, company.labels[name].codes)),
                  journeys.coded.labels[name].labels)
            for name in ("channel", "touchpoint")
        ]  # fmt: skip
        coded = pair_codes(both[0], both[1])
        return Coded(coded.codes[:n], coded.labels), Coded(coded.codes[n:], coded.labels)
    return journeys.codes(grain), company.labels[grain]


def touches_of(
    journeys: Journeys,
    journey: Ints,
    labels: tuple[Coded, Coded],
    marks: Mapping[str, tuple[Bools, Bools]],
    *,
    include_goal: bool = False,
    lookback: int | None = None,
    timed: bool = True,
) -> Touches:
    """Touches of some journeys, given in ascending order.

    `labels` and `marks` are given for all steps and for all company touches; times are 0 where they are not asked for.
    Of a converted journey, those strictly before its first goal; of any other, all. A company touch at the very instant
    of the goal is not before it; at the instant of another step it comes first.
    """
    lengths, company = _n_steps(journeys, journey, include_goal=include_goal), len(journeys.company) > 0
    columns: dict[str, npt.NDArray[Any]] = {name: own for name, (own, _) in marks.items()}
    columns |= {_CODES: labels[0].codes}
    if timed or company or lookback is not None:
        columns |= {_TIME: journeys.coded.time}
    found = _along(columns, take(journeys.offsets, journey), lengths)
    codes = found.pop(_CODES)
    time = found.pop(_TIME) if _TIME in found else np.zeros(len(codes), dtype=np.int64)
    touches = Touches(journey, _offsets(lengths), Coded(codes, labels[0].labels), time, found)
    if company and len(journey):
        touches = _with_company(journeys, touches, labels[1], {name: theirs for name, (_, theirs) in marks.items()})
    return touches if lookback is None else _within(journeys, touches, lookback)


def touch_blocks(
    journeys: Journeys, which: Bools, *args: Any, include_goal: bool = False, **kwargs: Any
) -> Iterator[Touches]:
    """Touches of the journeys of a mask, whole users at a time, few enough to stay in the processor's cache."""
    journey = np.flatnonzero(which)
    user = take(journeys.heads.user, journey)
    ends = np.cumsum(_n_steps(journeys, journey, include_goal=include_goal))
    full = np.searchsorted(ends, np.arange(_BLOCK, int(ends[-1]) if len(ends) else 0, _BLOCK))
    cuts = np.searchsorted(user, take(user, full), side="right")
    for low, high in pairwise(np.unique(np.concatenate(([0], cuts, [len(journey)]))).tolist()):
        yield touches_of(journeys, journey[low:high], *args, include_goal=include_goal, **kwargs)


def _n_steps(journeys: Journeys, journey: Ints, *, include_goal: bool) -> Ints:
    """Own steps of journeys that are touches."""
    heads, offsets = journeys.heads, journeys.offsets
    until_goal = take(heads.goal_step, journey) + include_goal
    every = take(offsets, journey + 1) - take(offsets, journey)
    return np.where(take(heads.status, journey) == CONVERTED, until_goal, every)


def _along(columns: Mapping[str, npt.NDArray[Any]], begins: Ints, lengths: Ints) -> dict[str, npt.NDArray[Any]]:
    """What columns hold from each of `begins` on, so many rows."""
    offsets = _offsets(lengths)
    found = {name: np.empty(int(offsets[-1]), dtype=column.dtype) for name, column in columns.items()}
    for low in range(0, len(begins), _AT_ONCE):
        each = slice(low, low + _AT_ONCE)
        there = slice(int(offsets[low]), int(offsets[min(low + _AT_ONCE, len(begins))]))
        rows = ranges(begins[each], lengths[each])
        for name, column in columns.items():
            np.take(column, rows, out=found[name][there], mode="clip")
    return found


def _with_company(journeys: Journeys, own: Touches, labels: Coded, marks: Mapping[str, Bools]) -> Touches:
    company, status = journeys.company, take(journeys.heads.status, own.journey)
    low, high = np.searchsorted(company.journey, (own.journey[0], own.journey[-1] + 1))
    position = np.searchsorted(own.journey, company.journey[low:high])
    until = np.where(status == CONVERTED, _goal_time(journeys, own.journey), -MISSING - 1)
    kept = np.flatnonzero(
        (own.journey[position] == company.journey[low:high]) & (company.time[low:high] < until[position])
    )
    of, kept = take(position, kept), kept + low
    time, n = take(company.time, kept), len(own.time) + len(kept)
    # Both come journey after journey and in order of time: each of the company's goes behind what is earlier than itself.
    before = search_stretches(own.time, take(own.offsets, of), take(own.offsets, of + 1), time)
    theirs = before + np.arange(len(kept))
    mine = np.ones(n, dtype=bool)
    mine[theirs] = False
    ours = np.flatnonzero(mine)

    def merged(own_column: npt.NDArray[Any], company_column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        column = np.empty(n, dtype=np.result_type(own_column, company_column))
        column[theirs], column[ours] = take(company_column, kept), own_column
        return column

    return Touches(
        own.journey,
        own.offsets + _offsets(np.bincount(of, minlength=len(own.journey))),
        Coded(merged(own.coded.codes, labels.codes), labels.labels),
        merged(own.time, company.time),
        {name: merged(own.marks[name], mark) for name, mark in marks.items()},
    )


def _within(journeys: Journeys, touches: Touches, lookback: int) -> Touches:
    """Touches at most `lookback` before the goal, or before the end of a journey without one; inclusive."""
    heads, journey = journeys.heads, touches.journey
    anchor = np.where(take(heads.status, journey) == CONVERTED, _goal_time(journeys, journey), take(heads.end, journey))
    kept = touches.time >= np.repeat(anchor - lookback, touches.lengths)
    before = np.concatenate(([0], np.cumsum(kept)))
    return Touches(
        touches.journey,
        before[touches.offsets],
        Coded(touches.coded.codes[kept], touches.coded.labels),
        touches.time[kept],
        {name: mark[kept] for name, mark in touches.marks.items()},
    )


def _goal_time(journeys: Journeys, journey: Ints) -> Ints:
    """µs of the first goal; of the first step where there is none."""
    at = take(journeys.offsets, journey) + np.maximum(take(journeys.heads.goal_step, journey), 0)
    return take(journeys.coded.time, at)


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
