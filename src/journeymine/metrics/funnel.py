"""Funnel: which share of those that enter gets through a sequence of steps in time, and how long they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import NONE
from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, Merge, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key, integer_key, pack
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, describe, microseconds
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.funnel_answer import StepGrid, funnel_answers
from journeymine.metrics.funnel_count import count_steps, count_times
from journeymine.metrics.funnel_entries import Entries
from journeymine.metrics.funnel_match import match_any, match_loose, match_strict
from journeymine.metrics.funnel_question import (
    check_combination,
    check_known,
    check_labels,
    parse_exclusions,
    parse_steps,
)
from journeymine.metrics.funnel_runs import runs_of
from journeymine.metrics.periods import check_zone, period_of
from journeymine.parallel import take

__all__ = ["Funnel", "funnel"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_OPTIONS: dict[str, tuple[str | None, ...]] = {
    "sequence": ("loose", "strict", "any"),
    "ties": ("order", "favour"),
    "unit": ("journey", "user", "session"),
    "trend": (None, "day", "week", "month"),
}


@dataclass(frozen=True)
class Funnel:
    """The measure behind `funnel`, for `mine`. Parameters as in `funnel`."""

    steps: Sequence[Any]
    within: Duration | None = "7d"
    sequence: str = "loose"
    exclude: Any = None
    same: str | None = None
    by: str | Sequence[str] | None = None
    at: str | int = "first"
    ties: str = "order"
    unit: Literal["journey", "user", "session"] = "journey"
    trend: str | None = None
    timezone: str = "UTC"

    name: ClassVar[str] = "funnel"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "steps", parse_steps(self.steps))
        put(self, "exclude", parse_exclusions(self.exclude, self.steps))
        put(self, "by", as_names(self.by))
        if self.within is not None:
            put(self, "within", describe(microseconds(self.within, name="within")))
        check_combination(self.steps, self.exclude, self.sequence)
        self._check_options()

    def _check_options(self) -> None:
        for name, options in _OPTIONS.items():
            if getattr(self, name) not in options:
                known = ", ".join(map(repr, options))
                raise QuestionError(f"{name}={getattr(self, name)!r}", hint=f"give one of {known}")
        number = isinstance(self.at, int) and not isinstance(self.at, bool) and 1 <= self.at <= len(self.steps)
        if self.at not in ("first", "last") and not number:
            raise QuestionError(
                f"at={self.at!r}", hint=f"give 'first', 'last' or the number of a step, 1 to {len(self.steps)}"
            )
        check_zone(self.timezone)

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def required(self) -> list[int]:
        """Numbers of the required steps, from 0."""
        return [k for k, step in enumerate(self.steps) if not step.optional]

    @property
    def step_names(self) -> list[str]:
        """What the rows of the answer are called."""
        if self.sequence == "any":
            return [f"any {k} of {len(self.steps)}" for k in range(1, len(self.steps) + 1)]
        return [step.name for step in self.steps]

    @property
    def question(self) -> str:
        """The question in words."""
        names = [f"({step.name})" if step.optional else step.name for step in self.steps]
        through = " and ".join(names) + " in any order" if self.sequence == "any" else " → ".join(names)
        detail = ", nothing between," if self.sequence == "strict" else ""
        within = f" within {self.within}" if self.within is not None else ""
        which = f"step {self.at}" if isinstance(self.at, int) else f"the {self.at} step"
        per = f", per {' × '.join(self.names)} at {which}" if self.names else ""
        return f"What share of {self.unit}s gets through {through}{detail}{within}{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_known([each.condition for each in (*self.steps, *self.exclude)], labels)

    def specs(self) -> Mapping[str, TableSpec]:
        """Units by the steps they reach, and histograms of the times to get there."""
        keys = dict.fromkeys(self.names, pl.String)
        numbers = range(1, len(self.steps) + 1)
        kinds: dict[str, Merge] = {"n": "sum", "immature": "sum", "users": "users"}
        reached = {f"{what}_{k}": merge for what, merge in kinds.items() for k in numbers}
        specs = {
            "steps": TableSpec(keys, reached),
            "times": TableSpec({**keys, "nth": pl.Int64, "_bucket": pl.Int64}, {"n": "sum"}),
        }
        if self.trend is not None:
            specs["trend"] = TableSpec({**keys, "period": pl.Int64}, reached)
        return specs

    def count(self, journeys: Journeys) -> Counts:
        """Find the matches of each unit and count how far they go."""
        specs = self.specs()
        every = self._entries(journeys)
        if self.sequence == "any" and (self.names or self.trend is not None):
            every = every.outermost()
        best, keys = self._best(journeys, every, {})
        user = self._users(journeys, best)
        tables = {
            "steps": count_steps(specs["steps"], journeys, best, keys, user),
            "times": count_times(specs["times"], journeys, best, keys, user),
        }
        if self.trend is not None:
            period = period_of(take(journeys.coded.time, every.row(0)), self.trend, self.timezone)
            best, keys = self._best(journeys, every, {"period": integer_key(period)})
            tables["trend"] = count_steps(specs["trend"], journeys, best, keys, self._users(journeys, best))
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def matches(self, journeys: Journeys) -> tuple[Ints, Bools, Ints]:
        """The match that counts, for each unit with an entry, in order.

        Returns
        -------
        Step of the journeys that fills each step of the funnel, -1 where none does, shape [steps, units]; whether
        the window of the entry has closed, shape [units]; and which units these are, counted from 0.
        """
        every = self._entries(journeys)
        best = every.take(every.furthest()).filled()
        return best.rows(), best.closed, best.unit

    def _entries(self, journeys: Journeys) -> Entries:
        """Every event that fills step 1, and how far it goes."""
        runs = runs_of(
            journeys,
            [step.condition for step in self.steps],
            [each.condition for each in self.exclude],
            unit=self.unit,
            same=self.same,
            favour=self.ties == "favour",
            consecutive=self.sequence == "strict",
        )
        within = None if self.within is None else microseconds(self.within)
        spans = [(each.first - 1, each.last - 1) for each in self.exclude]
        if self.sequence == "any":
            matches = match_any(runs, within)
        elif self.sequence == "strict":
            matches = match_strict(runs, self.required, within)
        else:
            matches = match_loose(runs, self.required, spans, within)
        entry = matches.at[0]
        if within is None:
            of = np.searchsorted(journeys.offsets, runs.row_at(entry), side="right") - 1
            closed = journeys.heads.mature[of]
        else:
            closed = take(runs.time, entry) <= journeys.context.observed_until - within
        unfilled = self.sequence == "loose" and len(self.required) < len(self.steps)
        return Entries(runs, matches, closed, self.required, spans if unfilled else None, within)

    def _best(self, journeys: Journeys, every: Entries, keys: Mapping[str, Key]) -> tuple[Entries, dict[str, Key]]:
        """The entries that count, and what they go by: one for each unit, label at a step that is numbered, and key given."""
        keys = dict(keys)
        if self.names and self.at != "last":
            step = 0 if self.at == "first" else int(self.at) - 1
            every = every.filled() if self.steps[step].optional else every
            if step:
                there = np.flatnonzero(every.reaching(step, *pack(list(keys.values()), len(every))))
                every, keys = every.take(there), {name: key.take(there) for name, key in keys.items()}
            keys |= self._labels(journeys, every.row(step))
        best = every.furthest(*pack(list(keys.values()), len(every))) if keys else every.furthest()
        every, keys = every.take(best).filled(), {name: key.take(best) for name, key in keys.items()}
        if self.names and self.at == "last":
            at = every.rows()
            row = at[len(at) - 1 - np.argmax(at[::-1] >= 0, axis=0), np.arange(at.shape[1])]
            keys |= self._labels(journeys, row)
        return every, keys

    def _labels(self, journeys: Journeys, row: Ints) -> dict[str, Key]:
        """The labels of some steps of the journeys; -1 is none of them."""
        found = {}
        for name, key in step_keys(journeys, self.names).items():
            if (row >= 0).all():
                found[name] = key.take(row)
            else:
                codes = np.where(row >= 0, key.codes[row].astype(np.int64), len(key.values))
                found[name] = Key(codes, key.values.cast(pl.String).append(pl.Series([NONE])))
        return found

    def _users(self, journeys: Journeys, best: Entries) -> Ints:
        """The user of each unit."""
        if self.unit == "user":
            return best.unit
        return take(journeys.heads.user, best.unit if self.unit == "journey" else journeys.journey_at(best.row(0)))

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares and times from the counts."""
        grid = StepGrid.of(self.step_names, [step.optional for step in self.steps])
        return funnel_answers(grid, tallies, basis, None if self.within is None else str(self.within))


def funnel(
    journeys: Journeys,
    *,
    steps: Sequence[Any],
    within: Duration | None = "7d",
    sequence: str = "loose",
    exclude: Any = None,
    same: str | None = None,
    by: str | Sequence[str] | None = None,
    at: str | int = "first",
    ties: str = "order",
    unit: Literal["journey", "user", "session"] = "journey",
    trend: str | None = None,
    timezone: str = "UTC",
    confidence: float = 0.95,
) -> Result:
    """Share of those that enter which gets through a sequence of steps, in order and in time.

    share_k = |units whose best entry reaches step k| / |units with an entry whose window has closed|

    Every event that fills step 1 is an entry. From there the match goes on with later events, each for one step, until
    `within` after the entry. Each unit counts once, by the entry that goes furthest, or the earliest of several such;
    with `by` and in the trend, once for each label and period of its entries.
    ``docs/funnel.md`` has the definition in full, and where other tools answer differently.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    steps : two or more; each a touchpoint, a list of touchpoints, a predicate (see `Predicate`), or
        ``{"step": …, "optional": True, "name": "…"}``.
    within : time allowed from the entry on, inclusive. None means as long as the unit lasts.
    sequence : ``"loose"`` (other events may lie between), ``"strict"`` (consecutive steps of the unit), or ``"any"``
        (in any order, from the earliest of them on; row k then means "k different steps").
    exclude : an event that voids a match when it lies strictly between its first and its last step, or a list of
        ``{"step": …, "between": [i, j]}``. Only that match is void: the unit may have another.
    same : a label column that must have one value throughout a match. An absent value matches nothing.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment. By default one group.
    at : the step whose label counts for `by`: ``"first"``, ``"last"`` (the furthest reached), or its number, from 1.
        A unit counts once for each label that its entries have at a numbered step, by the best entry with that label.
        Units that do not reach that step are ``"(none)"``.
    ties : the order of events at one instant: the documented one (``"order"``), or that of the steps they fill
        (``"favour"``).
    unit : what is counted, and what a match stays inside: ``"journey"``, ``"user"`` or ``"session"``.
    trend : ``"day"``, ``"week"`` (from Monday) or ``"month"`` of the entry, in `timezone`: adds the table ``trend``, in
        which a unit counts once in each period, by its best entry there.
    timezone : the zone of `trend`, e.g. ``"Europe/Berlin"``.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and step:
        nth i64: number of the step; step str: its name
        n i64: units that reach it; n_entrants i64: units in the denominator of the share
        share f64: n ÷ n_entrants, 0–1
        share_of_previous f64: n ÷ n of the required step before, 0–1
        dropped i64: units that reach the required step before and not this one
        p50_s, p90_s f64: seconds from the entry
        immature i64: units that are this far and have no entry whose window has closed
        n_users i64: distinct users in n
        sparse bool: few users behind the row; reason str: why the share is null
        Estimates have …_lower and …_upper.
    tables["times"] has the times as a histogram: nth, step, low_s, high_s, n.
    tables["trend"] has the columns of the frame, without the times, per period (date of its first day).

    Raises
    ------
    QuestionError : there are fewer than two steps, an option is unknown, exclusions are out of range, or options
        exclude each other.
    RulesError : `within` is not a positive length of time, or a step is no condition.
    UnknownLabelError : the log does not have a label or column; the nearest that it has is named.

    Notes
    -----
    A window is closed when it ends by ``observed_until``; with ``within=None`` an entry counts when its journey is
    mature. Left-truncated journeys count, because each entry was seen. Where no unit is in the denominator, shares are
    null, and the reason says whether nobody entered or no window has closed. Counts merge exactly. Intervals: Wilson
    (1927), clustered by user through the 64 folds; Woodruff (1952) for the times. Cost: a few passes over the events
    per step.

    Examples
    --------
    >>> import polars as pl
    >>> from journeymine import build_journeys, read_events
    >>> rows = pl.DataFrame(
    ...     {
    ...         "user": ["a", "a", "a", "b", "b", "c"],
    ...         "t": [0, 10, 30, 0, 50, 99],
    ...         "what": ["visit", "visit", "order", "visit", "order", "visit"],
    ...     }
    ... )
    >>> journeys = build_journeys(read_events(rows, user="user", timestamp="t", time_unit="s", touchpoint="what"))
    >>> found = funnel(journeys, steps=["visit", "order"], within="20s")
    >>> found.frame.select("step", "n", "n_entrants", "share", "immature").rows()
    [('visit', 2, 2, 1.0, 1), ('order', 1, 2, 0.5, 0)]
    """
    measure = Funnel(
        steps=steps, within=within, sequence=sequence, exclude=exclude, same=same, by=by, at=at, ties=ties, unit=unit,
        trend=trend, timezone=timezone,
    )  # fmt: skip
    check_labels([each.condition for each in (*measure.steps, *measure.exclude)], journeys)
    return answer(measure, journeys, confidence=confidence)
