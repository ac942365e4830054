"""Touches of journeys: what may earn credit for a conversion, and what a lost journey saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded, narrow
from journeymine.journeys.heads import CONVERTED
from journeymine.journeys.journeys import Journeys, pair_codes
from journeymine.journeys.rules import JourneyRules
from journeymine.parallel import take

__all__ = ["Touches", "check_lookback", "touch_labels", "touches_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


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

    def pick(self, kept: Bools) -> Touches:
        """Touches of the journeys of a mask."""
        if kept.all():
            return self
        there = np.flatnonzero(np.repeat(kept, self.lengths))
        return Touches(
            self.journey[kept],
            _offsets(self.lengths[kept]),
            self.coded.take(there),
            take(self.time, there),
            {name: take(mark, there) for name, mark in self.marks.items()},
        )


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
    which: Bools,
    labels: tuple[Coded, Coded],
    marks: Mapping[str, tuple[Bools, Bools]],
    *,
    include_goal: bool = False,
    lookback: int | None = None,
    timed: bool = True,
) -> Touches:
    """Touches of the journeys of a mask.

    `labels` and `marks` are given for all steps and for all company touches; times are 0 where they are not asked for.
    Of a converted journey, those strictly before its first goal; of any other, all. A company touch at the very instant
    of the goal is not before it; at the instant of another step it comes first.
    """
    heads = journeys.heads
    goal = np.where(heads.status == CONVERTED, heads.goal_step + include_goal, journeys.lengths)
    n_own = np.where(which, goal, 0)
    some = np.flatnonzero(n_own)
    begin = take(journeys.offsets, some)
    steps = np.zeros(len(journeys.coded) + 1, dtype=np.int8)
    steps[begin] += 1
    steps[begin + take(n_own, some)] -= 1
    inside = np.flatnonzero(np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_))
    codes, company = take(labels[0].codes, inside), len(journeys.company) > 0
    needed = timed or company or lookback is not None
    time = take(journeys.coded.time, inside) if needed else np.zeros(len(codes), dtype=np.int64)
    journey = np.flatnonzero(which)
    marked = {name: take(own, inside) for name, (own, _) in marks.items()}
    touches = Touches(journey, _offsets(n_own[journey]), Coded(codes, labels[0].labels), time, marked)
    if company:
        touches = _with_company(journeys, touches, labels[1], {name: theirs for name, (_, theirs) in marks.items()})
    return touches if lookback is None else _within(journeys, touches, lookback)


def _with_company(journeys: Journeys, own: Touches, labels: Coded, marks: Mapping[str, Bools]) -> Touches:
    company, heads = journeys.company, journeys.heads
    position = np.full(len(journeys), -1, dtype=np.int64)
    position[own.journey] = np.arange(len(own.journey))
    until = np.where(heads.status == CONVERTED, _goal_time(journeys), -MISSING - 1)
    kept = np.flatnonzero((position[company.journey] >= 0) & (company.time < until[company.journey]))
    of = np.concatenate((position[company.journey[kept]], np.repeat(np.arange(len(own.journey)), own.lengths)))
    time = np.concatenate((company.time[kept], own.time))
    order = np.lexsort((time, of))  # stable: at one instant the company's come first, steps keep their order
    codes = np.concatenate((labels.codes[kept], own.coded.codes))[order]
    marked = {name: np.concatenate((theirs[kept], own.marks[name]))[order] for name, theirs in marks.items()}
    offsets = _offsets(np.bincount(of, minlength=len(own.journey)))
    return Touches(own.journey, offsets, Coded(narrow(codes, len(labels.labels)), labels.labels), time[order], marked)


def _within(journeys: Journeys, touches: Touches, lookback: int) -> Touches:
    """Touches at most `lookback` before the goal, or before the end of a journey without one; inclusive."""
    heads = journeys.heads
    anchor = np.where(heads.status == CONVERTED, _goal_time(journeys), heads.end)[touches.journey]
    kept = touches.time >= np.repeat(anchor - lookback, touches.lengths)
    before = np.concatenate(([0], np.cumsum(kept)))
    return Touches(
        touches.journey,
        before[touches.offsets],
        Coded(touches.coded.codes[kept], touches.coded.labels),
        touches.time[kept],
        {name: mark[kept] for name, mark in touches.marks.items()},
    )


def _goal_time(journeys: Journeys) -> Ints:
    """µs of the first goal; of the first step where there is none."""
    at = journeys.offsets[:-1] + np.maximum(journeys.heads.goal_step, 0)
    return journeys.coded.time[at] if len(at) else journeys.heads.start


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
