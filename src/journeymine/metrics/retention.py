"""Cohort retention: of the users who came in one period, which share comes again in the periods after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Share, unless_alike
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.metrics.period_clock import PeriodClock, check_calendar, date_of_number
from journeymine.metrics.retention_counts import count_cells
from journeymine.metrics.switches import check_switch

__all__ = ["Retention", "retention"]

Floats = npt.NDArray[np.float64]
KINDS = {"bounded": "bounded", "unbounded": "unbounded", "rolling": "unbounded", "cumulative": "cumulative"}
"""Ways to count a return; *rolling* is what others call the unbounded one."""
MAX_PERIODS = 1_000
NOT_YET = "this period is not over for any user of the cohort"
_DAY, _WEEK = 86_400_000_000, 7 * 86_400_000_000


@dataclass(frozen=True)
class Retention:
    """The measure behind `retention`, for `mine`. Parameters as in `retention`."""

    entry: Any = None
    returned: Any = None
    period: Duration = "week"
    periods: int = 12
    kind: str = "bounded"
    recurring: bool = False
    cohort: str | None = None
    timezone: str = "UTC"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "retention"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        put(self, "entry", Occurrence.parse(self.entry, name="entry"))
        put(self, "returned", self.entry if self.returned is None else Occurrence.parse(self.returned, name="returned"))
        if self.kind not in tuple(KINDS):
            raise QuestionError(f"kind={self.kind!r}", hint=f"give one of {', '.join(map(repr, KINDS))}")
        put(self, "kind", KINDS[self.kind])
        clock = self.clock
        put(self, "period", clock.period)
        put(self, "cohort", check_calendar(_cohort_of(clock) if self.cohort is None else self.cohort, name="cohort"))
        check_switch(self.recurring, name="recurring")
        if type(self.periods) is not int or not 1 <= self.periods <= MAX_PERIODS:
            raise QuestionError(f"periods={self.periods!r}", hint=f"give a whole number from 1 to {MAX_PERIODS:,}")

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def clock(self) -> PeriodClock:
        """The periods after entry."""
        return PeriodClock.of(self.period, self.timezone)

    @property
    def question(self) -> str:
        """The question in words."""
        how = {
            "bounded": "come again in each {} after",
            "unbounded": "come again in each {} after, or later",
            "cumulative": "have come again by the end of each {} after",
        }[self.kind]
        who = "a" if self.recurring else "their first"
        return (
            f"Which share of users {how.format(self.period)} {who} entry ({self.entry.words} → {self.returned.words})?"
        )

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.entry, self.returned)

    def specs(self) -> Mapping[str, TableSpec]:
        """Members of each cohort, and those that came again per period, by cohort and over all."""
        keys = dict.fromkeys(self.names, pl.String)
        cohort = {**keys, "cohort": pl.Int64}
        cell: dict[str, Any] = {"n": "sum", "retained": "sum", "value": "wide"}
        return {
            "cells": TableSpec({**cohort, "period": pl.Int64}, cell),
            "cohorts": TableSpec(cohort, {"n_cohort": "sum", "left_truncated": "sum"}, folded=False),
            "overall": TableSpec({**keys, "period": pl.Int64}, {**cell, "n_users": "sum", "users_retained": "sum"}),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Find each user's entries and what came after."""
        specs = self.specs()
        tables = count_cells(
            journeys, specs, self.entry, self.returned, self.clock, str(self.cohort),
            names=self.names, periods=self.periods, kind=self.kind, recurring=self.recurring,
        )  # fmt: skip
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: members are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares per cohort and period, and over all cohorts."""
        cells, overall = tallies["cells"], tallies["overall"]
        sizes = tallies["cohorts"].rows.with_columns(
            pl.Series(name, tallies["cohorts"].total(name)) for name in tallies["cohorts"].spec.values
        )
        found = cells.rows.join(sizes, on=tallies["cohorts"].rows.columns, how="left", maintain_order="left")
        n = cells.total("n")
        keys = cells.rows.with_columns(
            date_of_number(cells.rows["cohort"].to_numpy(), str(self.cohort)).alias("cohort")
        )
        per_cohort = Answer(
            keys=keys,
            columns={
                **{name: found[name] for name in ("n_cohort", "left_truncated")},
                "n": n,
                "retained": cells.total("retained"),
                "share": Share(
                    cells.by_fold("retained"), cells.by_fold("n"), users=n, once=np.ones(len(n), dtype=bool)
                ),
                "value_per_user": _value(cells),
            },
            users=n,
            converting=cells.total("retained"),
            reasons=[None if count else NOT_YET for count in n],
        )
        total, users = overall.total("n"), overall.total("n_users")
        over_all = Answer(
            keys=overall.rows,
            columns={
                "n": total,
                "n_users": users,
                "retained": overall.total("retained"),
                "share": Share(overall.by_fold("retained"), overall.by_fold("n"), users=users, once=users == total),
                "value_per_user": _value(overall),
            },
            users=users,
            converting=overall.total("users_retained"),
            reasons=[None if count else NOT_YET for count in total],
        )
        return {"retention": per_cohort, "overall": over_all}


def _cohort_of(clock: PeriodClock) -> str:
    if clock.calendar:
        return clock.period
    return "day" if clock.step < _WEEK else "week" if clock.step < 4 * _WEEK else "month"


def _value(tally: Tally) -> Number:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = tally.spread("value") / MICRO / tally.spread("n")
    has_value = tally.told("value")
    known = unless_alike(value) if has_value else np.full(value.shape, np.nan)  # nobody paid in a small cohort so far
    return Number(known, tally.by_fold("n")[tally.present], skewed=True)


def retention(
    journeys: Journeys,
    *,
    entry: Any = None,
    returned: Any = None,
    period: Duration = "week",
    periods: int = 12,
    kind: str = "bounded",
    recurring: bool = False,
    cohort: str | None = None,
    timezone: str = "UTC",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Share of a cohort's users that come again in each period after their entry.

    share(cohort, k) = |members with a return in period k| / |members whose period k is over|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    entry : what makes a user a member: None for any step, ``{"goal": True}`` for the goal, or a touchpoint, a set of
        touchpoints or a predicate.
    returned : what counts as coming again, in the same forms. By default the same as `entry`.
    period : ``"day"``, ``"week"`` (from Monday) or ``"month"`` of the calendar in `timezone`; or a length such as
        ``"24h"``, counted from each member's own entry.
    periods : number of the last period to look at. Period 0 is that of the entry itself.
    kind : ``"bounded"`` counts a return in period k; ``"unbounded"`` (or ``"rolling"``, as others call it) one in
        period k or any later one up to `observed_until`; ``"cumulative"`` one in any period up to k.
    recurring : True makes a user a member of every cohort in which they enter, not only of their first one.
    cohort : calendar period of entry that makes a cohort. By default `period`, or the one nearest to its length.
    timezone : the zone whose calendar is used, e.g. ``"Europe/Berlin"``.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the entry step. By default one
        group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`, cohort and period:
        cohort date: first day of the cohort's period; period i64: number of the period after the entry, from 0
        n_cohort i64: members of the cohort
        left_truncated i64: of these, the ones that entered within `idle` of the log's start, so perhaps not for the
        first time
        n i64: of the members, those whose period is over; retained i64: of n, those that came again
        share f64: retained ÷ n, 0–1
        value_per_user f64: units of money per member, on returns in the period, and in period 0 also on the entry
        sparse bool: few users behind the row; reason str: why the share is null
    tables["overall"] has the same over all cohorts, with n_users i64: distinct users in n.
    Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : a label or column does not occur in the log.
    QuestionError : the period, kind or zone is unknown, or the goal is asked for and the rules name none.

    Notes
    -----
    A return is a step after the entry, in the documented order of steps. The entry itself is no return, so the share of
    period 0 says how many came again at once, and is not 100 % by definition. A period that is not over at
    `observed_until` is right-censored: its cell is null, with the reason, or holds only the members for whom it is
    over. The unbounded share of a young cohort still grows, because fewer of its later periods were watched. Every
    journey counts, whatever its status; touches by the company do not. Null labels are ``"(unknown)"``. Empty input
    gives no row. Counts merge exactly over users. Intervals: Wilson (1927), each user counting once in a cell; over all
    cohorts clustered by user where users recur; for values the jackknife with limits that follow the skewness (Hall 1992).

    Examples
    --------
    >>> import polars as pl
    >>> from journeymine import build_journeys, read_events
    >>> log = pl.DataFrame({"user": ["ann", "ann", "bob", "cem"], "day": [0, 7, 1, 22], "event": ["visit"] * 4})
    >>> log = log.with_columns(s=pl.col("day") * 86_400 + 4 * 86_400)  # from Monday, 5 January 1970
    >>> events = read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="event")
    >>> result = retention(build_journeys(events), periods=2)
    >>> result.frame.select("cohort", "period", "n", "retained", "share").rows()[:3]
    [(datetime.date(1970, 1, 5), 0, 2, 0, 0.0), (datetime.date(1970, 1, 5), 1, 2, 1, 0.5), (datetime.date(1970, 1, 5), 2, 2, 0, 0.0)]
    """
    measure = Retention(
        entry=entry, returned=returned, period=period, periods=periods, kind=kind, recurring=recurring, cohort=cohort,
        timezone=timezone, by=by,
    )  # fmt: skip
    check_occurs(journeys, measure.entry, measure.returned)
    return answer(measure, journeys, confidence=confidence)
