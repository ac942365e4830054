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
from journeymine.counting.finish import finish
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.occurrences import Occurrences
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.active_periods import ActivePeriods, active_periods
from journeymine.metrics.occurrence import Occurrence, check_free, check_occurs, check_vocabulary
from journeymine.metrics.period_clock import date_of_number, number_of
from journeymine.metrics.periods import check_zone
from journeymine.metrics.survival import groups_of
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["Stickiness", "stickiness"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_DAY = 86_400_000_000
_DENSE = 1 << 20
"""Up to this many possible numbers are counted without sorting."""
NOT_WHOLE = "the window reaches beyond the days that the log covers whole"
NO_DAY = "no window lies inside the days that the log covers whole"


@dataclass(frozen=True)
class Stickiness:
    """The measure behind `stickiness`, for `mine`. Parameters as there."""

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
        check_free(self.names, "day", "window_days")
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
        """Refuse touchpoints that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Users active on each day, and by how much the users active within each window change on it."""
        keys: dict[str, Any] = {**dict.fromkeys(self.names, pl.String), "window_days": pl.Int64}
        days = TableSpec({**keys, "day": pl.Int64}, {"active": "sum", "change": "sum"})
        return {"days": days, "users": TableSpec(keys, {"n_users": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Where each user enters and leaves each window that ends on a day."""
        specs = self.specs()
        found = active_periods(journeys, self.event, self.names, "day", self.timezone)
        people = _people(found, specs["users"], journeys.folds)
        widths = _days_of(self.windows)
        cells = _Cells.of(found, journeys.folds, max(widths))
        active, days = cells.counted(cells.cell), []
        for width in widths:
            # A window of w days that ends on a day holds a user from an active day until w days after it, or until the
            # next active day takes over: whoever leaves does so before somebody enters.
            enters = np.flatnonzero(found.first | (found.number - _before(found.number) >= width))
            leaves = np.append(enters[1:] - 1, len(found.number) - 1) if len(enters) else enters
            window = pl.lit(width, dtype=pl.Int64).alias("window_days")
            changes_by = {+1: take(cells.cell, enters), -1: take(cells.cell, leaves) + width * FOLDS}
            change = [cells.frame(*cells.counted(there), sign) for sign, there in changes_by.items()]
            days += [part.with_columns(window) for part in (cells.frame(*active, 0), *change)]
        table = pl.concat(days).select(list(specs["days"].schema))
        users = pl.concat([people.with_columns(pl.lit(w, dtype=pl.Int64).alias("window_days")) for w in widths])
        tables = {"days": table, "users": users.select(list(specs["users"].schema))}
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Stickiness over all days, and day by day."""
        tally, people = tallies["days"], tallies["users"]
        bounds = np.array([basis.context.log_start, basis.context.observed_until])
        begin, now = (int(day) for day in number_of(bounds, "day", self.timezone))
        width, day = tally.rows["window_days"].to_numpy(), tally.rows["day"].to_numpy()
        seen, change = tally.by_fold("active"), tally.by_fold("change")
        within, lasts = np.zeros_like(change), np.zeros(len(day))
        won, tried = np.zeros((len(seen), len(people))), np.zeros((len(seen), len(people)))
        whole = (day < now) & (day - width + 1 >= begin)
        for row, (_, rows) in enumerate(groups_of(tally.rows.drop("day"), len(day))):
            within[:, rows] = np.cumsum(change[:, rows], axis=1)
            lasts[rows] = _lasting(day[rows], begin + width[rows] - 1, now)
            won[:, row] = np.where(whole, seen, 0.0)[:, rows].sum(axis=1)
            tried[:, row] = within[:, rows] @ lasts[rows]
        n_days = np.maximum(now - begin - people.rows["window_days"].to_numpy() + 1, 0)
        users = people.total("n_users")
        with np.errstate(divide="ignore", invalid="ignore"):
            means = {name: pl.Series(part.sum(axis=0) / n_days).fill_nan(None) for name, part in
                     (("mean_active_1d", won), ("mean_active", tried))}  # fmt: skip
        summary = Answer(
            keys=people.rows,
            columns={"n_users": users, "n_days": n_days, **means, "share": Share(won, tried, users=users)},
            users=users,
            reasons=[NO_DAY if n == 0 else None for n in n_days],
        )
        return {"summary": summary, "days": _daily(tally, day, seen, within, whole, now)}


@dataclass(frozen=True, slots=True)
class _Cells:
    """Each active day of a user as one number: its group, the day from `low`, and the user's fold in the lowest digit."""

    keys: Mapping[str, Key]
    n_groups: int
    cell: Ints
    low: int
    span: int

    @classmethod
    def of(cls, found: ActivePeriods, folds: npt.NDArray[np.uint8], reach: int) -> _Cells:
        """Number the days; the span has room for `reach` days more."""
        packed, _ = pack(list(found.keys.values()), len(found.number))
        new = changes(packed)  # rows of a group are together
        low = int(found.number.min()) if len(new) else 0
        span = (int(found.number.max()) if len(new) else 0) - low + 1 + reach
        cell = found.number - low
        if found.keys:
            cell += (np.cumsum(new) - 1) * span
        cell *= FOLDS
        cell += take(folds, found.user)
        at = np.flatnonzero(new)
        return cls({name: key.take(at) for name, key in found.keys.items()}, len(at), cell, low, span)

    def counted(self, cells: Ints) -> tuple[Ints, Ints]:
        """The numbers that occur among `cells`, and how often."""
        size = self.n_groups * self.span * FOLDS
        if size <= _DENSE:
            n = np.bincount(cells, minlength=size)
            there = np.flatnonzero(n)
            return there, n[there]
        seen = Occurrences(size)
        seen.add(cells.astype(seen.kind))
        return seen.counted()

    def frame(self, there: Ints, n: Ints, sign: int) -> pl.DataFrame:
        """Rows of the table of days: who was active, or, with a sign, who enters or leaves."""
        day, fold = there // FOLDS, (there % FOLDS).astype(np.uint8)
        keys = {name: key.take(day // self.span) for name, key in self.keys.items()}
        labels = {name: key.values.gather(pl.Series(key.codes).cast(pl.UInt32)) for name, key in keys.items()}
        nobody = np.zeros(len(n), dtype=np.int64)
        return pl.DataFrame(
            {
                **labels,
                "day": self.low + day % self.span,
                "fold": fold,
                "active": nobody if sign else n,
                "change": sign * n,
            }
        )


def _people(found: ActivePeriods, spec: TableSpec, folds: npt.NDArray[np.uint8]) -> pl.DataFrame:
    """Distinct users of each group."""
    rows = np.flatnonzero(found.first)
    of_group = TableSpec({name: pl.String for name in spec.keys if name != "window_days"}, spec.values)
    some = {name: key.take(rows) for name, key in found.keys.items()}
    return tabulate(of_group, some, {}, take(folds, take(found.user, rows)))


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


def _before(number: Ints) -> Ints:
    before = np.empty_like(number)
    before[:1], before[1:] = 0, number[:-1]
    return before


def _days_of(windows: Sequence[Duration]) -> list[int]:
    if isinstance(windows, str) or not len(windows):
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
    windows : lengths in whole days, the day itself included.
    event : what makes a user active: None for any step, ``{"goal": True}`` for the goal, or a touchpoint, a set of them
        or a predicate.
    timezone : whose days, e.g. ``"Europe/Berlin"``.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the step; a user may be active under
        several labels.
    confidence : of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and window:
        window_days i64 · n_users i64 ever active · n_days i64 days whose window the log covers · mean_active_1d,
        mean_active f64 users active on such a day, and in its window · share f64 · sparse bool · reason str.
    tables["days"] has one row per value of `by`, window and day on which either number changes:
        window_days i64 · day date · active_1d, active i64 · share f64 · reason str.
    Estimates have …_lower and …_upper.

    Raises
    ------
    QuestionError : a window of less than two or of broken days, an unknown zone, or a goal that is not named.
    UnknownLabelError : a touchpoint or a column that does not occur.

    Notes
    -----
    Only days that are over at `observed_until`, and whose whole window lies in the log, are asked; the day on which the
    log starts counts as whole. Every journey counts, whatever its status; touches by the company do not; steps at one instant are one activity. Null labels are
    ``"(unknown)"``. Merges exactly over users. Interval: Wilson, clustered by user through the 64 folds; for one day
    plain, as each user stands in it once.
    """
    measure = Stickiness(windows=windows, event=event, timezone=timezone, by=by)
    check_occurs(journeys, measure.event)
    return finish(measure, count_in_memory(measure, journeys), confidence=confidence)
