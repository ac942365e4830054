"""Stickiness: of the users active in a week or a month, which share is active on a given day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Share
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.metrics.period_clock import date_of_number, number_of
from journeymine.metrics.periods import check_zone
from journeymine.metrics.stickiness_counts import count_days
from journeymine.metrics.survival import groups_of

__all__ = ["Stickiness", "stickiness"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_DAY = 86_400_000_000
NOT_WHOLE = "the window reaches beyond the days that the log covers whole"
NO_DAY = "no window lies inside the days that the log covers whole"


@dataclass(frozen=True)
class Stickiness:
    """The measure behind `stickiness`, for `mine`. Parameters as in `stickiness`."""

    windows: Sequence[Duration] = ("7d", "30d")
    event: Any = None
    timezone: str = "UTC"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "stickiness"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        check_zone(self.timezone)
        put(self, "event", Occurrence.parse(self.event, name="event"))
        put(self, "windows", tuple(f"{days}d" for days in _days_of(self.windows)))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return (
            f"Of the users active within {' and '.join(map(str, self.windows))}, which share is active on a day{per}?"
        )

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Users active on each day, and by how much the users active within each window change on it."""
        keys: dict[str, Any] = {**dict.fromkeys(self.names, pl.String), "window_days": pl.Int64}
        days = TableSpec({**keys, "day": pl.Int64}, {"active": "sum", "_change": "sum"})
        return {"days": days, "users": TableSpec(keys, {"n_users": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Where each user enters and leaves each window that ends on a day."""
        specs, widths = self.specs(), _days_of(self.windows)
        tables = count_days(journeys, self.event, self.names, widths, self.timezone, specs)
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: days are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Stickiness over all days, and day by day."""
        tally, people = tallies["days"], tallies["users"]
        bounds = np.array([basis.context.log_start, basis.context.observed_until])
        begin, now = (int(day) for day in number_of(bounds, "day", self.timezone))
        width, day = tally.rows["window_days"].to_numpy(), tally.rows["day"].to_numpy()
        seen, change = tally.by_fold("active"), tally.by_fold("_change")
        within, lasts = np.zeros_like(change), np.zeros(len(day))
        won, tried = np.zeros((len(seen), len(people))), np.zeros((len(seen), len(people)))
        whole = (day < now) & (day - width + 1 >= begin)
        for row, (_, rows) in enumerate(groups_of(tally.rows.drop("day"), len(day))):
            within[:, rows] = np.cumsum(change[:, rows], axis=1)
            lasts[rows] = _lasting(day[rows], begin + width[rows] - 1, now)
            won[:, row] = seen[:, rows] @ whole[rows]
            tried[:, row] = within[:, rows] @ lasts[rows]
        n_days = np.maximum(now - begin - people.rows["window_days"].to_numpy() + 1, 0)
        users = people.total("n_users")
        with np.errstate(divide="ignore", invalid="ignore"):
            means = {name: pl.Series(part.sum(axis=0) / n_days).fill_nan(None) for name, part in
                     (("mean_active_1d", won), ("mean_active", tried))}  # fmt: skip
        summary = Answer(
            keys=people.rows,
            columns={"n_users": users, "n_days": n_days, **means, "share": Share(won, tried, users, regular=True)},
            users=users,
            reasons=[NO_DAY if n == 0 else None for n in n_days],
        )
        return {"summary": summary, "days": _daily(tally, day, seen, within, whole, now)}


def _daily(tally: Tally, day: Ints, seen: Floats, within: Floats, whole: npt.NDArray[np.bool_], now: int) -> Answer:
    """One row per window and day up to today."""
    shown = np.flatnonzero(day <= now)
    keys = tally.rows.with_columns(date_of_number(day, "day").alias("day"))[shown.tolist()]
    trials = np.where(whole, within, 0.0)[:, shown]
    return Answer(
        keys=keys,
        columns={
            "active_1d": seen.sum(axis=0).astype(np.int64)[shown],
            "active": within.sum(axis=0).astype(np.int64)[shown],
            "share": Share(np.where(whole, seen, 0.0)[:, shown], trials, once=np.ones(len(shown), dtype=bool)),
        },
        reasons=[None if good else NOT_WHOLE for good in whole[shown]],
    )


def _lasting(day: Ints, begin: Ints, end: int) -> Floats:
    """On how many days from `begin` up to `end` (exclusive) the number of each row stands, until the next row's day."""
    until = np.append(day[1:], max(end, int(day[-1])))
    days: Floats = np.maximum(np.minimum(until, end) - np.maximum(day, begin), 0).astype(np.float64)
    return days


def _days_of(windows: Any) -> list[int]:
    if isinstance(windows, str) or not isinstance(windows, Sequence) or not windows:
        raise QuestionError(f"windows={windows!r}", hint="give a list such as ['7d', '30d']")
    lengths = [microseconds(window, name="windows") for window in windows]
    for window, length in zip(windows, lengths, strict=True):
        if length % _DAY or length < 2 * _DAY:
            raise QuestionError(f"a window of {window!r}", hint="give two whole days or more, e.g. '7d'")
    if len(set(lengths)) != len(lengths):
        raise QuestionError(f"windows={list(windows)!r} names a window twice", hint="name each once")
    return sorted(length // _DAY for length in lengths)


def stickiness(
    journeys: Journeys,
    *,
    windows: Sequence[Duration] = ("7d", "30d"),
    event: Any = None,
    timezone: str = "UTC",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Of the users active in the 7 or 30 days up to a day, the share active on that day: DAU ÷ WAU and DAU ÷ MAU.

    share = Σ over days |users active on the day| / Σ over days |users active in the window that ends on the day|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    windows : lengths of the windows in whole days, the day itself included.
    event : what makes a user active: None for any step, ``{"goal": True}`` for the goal, or a touchpoint, a set of
        touchpoints or a predicate.
    timezone : the zone whose days are used, e.g. ``"Europe/Berlin"``.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the step. A user may be active under
        several labels. By default one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and window:
        window_days i64: length of the window
        n_users i64: users ever active; n_days i64: days whose whole window the log covers
        mean_active_1d, mean_active f64: mean number of users active on such a day, and in its window
        share f64: 0–1, with interval
        sparse bool: few users behind the row; reason str: why the share is null
    tables["days"] has one row per value of `by`, window and day on which either number changes:
        window_days i64 · day date · active_1d, active i64 · share f64 · reason str
    Estimates have …_lower and …_upper.

    Raises
    ------
    QuestionError : a window is under two days or not of whole days, the zone is unknown, or the goal is asked for and
        the rules name none.
    UnknownLabelError : a label or column does not occur in the log.

    Notes
    -----
    A day counts if it is over at `observed_until` and its whole window lies in the log; the day on which the log starts
    counts as whole. Every journey counts, whatever its status; touches by the company do not. Steps at one instant are
    one activity. Null labels are ``"(unknown)"``. Counts merge exactly over users. Interval: Wilson, clustered by user
    through the 64 folds; for a single day the plain one, as each user counts once in it. An active day is in as many
    windows as they are long, so the share varies less than that of as many tosses; the interval follows (design effect
    below 1).
    """
    measure = Stickiness(windows=windows, event=event, timezone=timezone, by=by)
    check_occurs(journeys, measure.event)
    return answer(measure, journeys, confidence=confidence)
