"""Periods to count in: days, weeks or months by the calendar of a zone, or spans of a fixed length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.durations import Duration, describe, microseconds
from journeymine.errors import QuestionError, RulesError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.periods import PERIODS, WallClock, by_quarter_hour, check_zone, first_day

__all__ = ["PeriodClock", "check_calendar", "date_of_number", "number_of", "numbers_between", "numbers_of"]

Ints = npt.NDArray[np.int64]
_MONDAY = 3  # days from Thursday 1970-01-01 back to a Monday


def check_calendar(period: str, *, name: str = "period") -> str:
    """Refuse what is no calendar period."""
    if period not in tuple(PERIODS):
        raise QuestionError(f"{name}={period!r}", hint=f"give one of {', '.join(map(repr, PERIODS))}")
    return period


def number_of(time: Ints, period: str, zone: str) -> Ints:
    """Number of the calendar period that each instant lies in, so that neighbours differ by 1.

    >>> (
    ...     number_of(np.array([0, 86_400_000_000]), "day", "UTC"),
    ...     number_of(np.array([31 * 86_400_000_000]), "month", "UTC"),
    ... )
    (array([0, 1]), array([1]))
    """
    return by_quarter_hour(time, lambda instants: _number(instants, period, zone))


def numbers_of(journeys: Journeys, period: str, zone: str) -> WallClock[np.int32]:
    """The same for steps of the journeys, asked block by block."""
    return WallClock.of(journeys, lambda instants: _number(instants, period, zone).astype(np.int32))


def numbers_between(journeys: Journeys, period: str, zone: str) -> tuple[int, int]:
    """Numbers of the first and the last period in which the journeys have a step."""
    heads = journeys.heads
    bounds = np.array([heads.start.min(), heads.end.max()] if len(heads) else [0, 0])
    low, high = number_of(bounds, period, zone)
    return int(low), int(high)


def _number(time: Ints, period: str, zone: str) -> Ints:
    days = first_day(time, period, zone)
    if period == "week":
        return (days + _MONDAY) // 7
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) if period == "month" else days


def date_of_number(numbers: Ints, period: str) -> pl.Series:
    """First day of each numbered period.

    >>> date_of_number(np.array([0, 1]), "week").to_list()
    [datetime.date(1969, 12, 29), datetime.date(1970, 1, 5)]
    """
    if period == "month":
        days = numbers.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    else:
        days = numbers * 7 - _MONDAY if period == "week" else numbers
    return pl.Series(days.astype(np.int32), dtype=pl.Int32).cast(pl.Date)


@dataclass(frozen=True, slots=True)
class PeriodClock:
    """Periods after a start.

    Attributes
    ----------
    period : ``"day"``, ``"week"``, ``"month"`` of the calendar, or a length of time such as ``"24h"``.
    zone : of the calendar.
    """

    period: str
    zone: str

    @classmethod
    def of(cls, period: Duration, zone: str) -> PeriodClock:
        """Check and normalise.

        >>> PeriodClock.of("1440m", "UTC").period, PeriodClock.of("day", "UTC").calendar
        ('1d', True)
        """
        if isinstance(period, str) and period in PERIODS:
            return cls(period, check_zone(zone))
        try:
            length = microseconds(period, name="period")
        except RulesError as error:
            known = ", ".join(map(repr, PERIODS))
            raise RulesError(error.message, hint=f"give one of {known}, or a length such as '7d'") from None
        return cls(describe(length), check_zone(zone))

    @property
    def calendar(self) -> bool:
        """Whether periods follow the calendar, and not the clock from each start."""
        return self.period in PERIODS

    def read(self, time: Ints) -> Ints:
        """Numbers of calendar periods; for a fixed length, the µs as they are."""
        return number_of(time, self.period, self.zone) if self.calendar else time

    def reader(self, journeys: Journeys) -> Callable[[Ints], npt.NDArray[np.integer]]:
        """`read` for steps of the journeys, asked block by block."""
        return numbers_of(journeys, self.period, self.zone).at if self.calendar else lambda time: time

    @property
    def step(self) -> int:
        """How far one period is on that scale."""
        return 1 if self.calendar else microseconds(self.period)
