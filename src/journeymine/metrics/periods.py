"""Calendar periods in a named zone: the day, week or month that an instant lies in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take

__all__ = ["PERIODS", "WallClock", "by_quarter_hour", "check_zone", "first_day", "local_time", "period_of"]

Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
_QUARTER = 900_000_000
_FEW = 256

PERIODS = {"day": "1d", "week": "1w", "month": "1mo"}
"""Names of periods, and how Polars calls their lengths; weeks begin on Monday."""


def check_zone(zone: str) -> str:
    """Refuse a zone that the time zone database does not know."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError) as error:
        raise QuestionError(f"timezone={zone!r} is no time zone", hint="give a name such as 'Europe/Berlin'") from error
    return zone


def period_of(time: npt.NDArray[np.int64], period: str, zone: str) -> npt.NDArray[np.int64]:
    """First day of the period that each instant lies in, by the calendar of the zone.

    Parameters
    ----------
    time : µs since 1970 UTC.
    period : ``"day"``, ``"week"`` or ``"month"``.

    Returns
    -------
    Days since 1970.

    Examples
    --------
    >>> sunday_evening = np.array([1_704_063_600_000_000])  # 2023-12-31 23:00 UTC
    >>> [
    ...     pl.Series(period_of(sunday_evening, "week", z)).cast(pl.Int32).cast(pl.Date)[0].isoformat()
    ...     for z in ("UTC", "Europe/Berlin")
    ... ]
    ['2023-12-25', '2024-01-01']
    """
    return by_quarter_hour(time, lambda instants: first_day(instants, period, zone))


def first_day(time: Ints, period: str, zone: str) -> Ints:
    """As `period_of`, each instant read."""
    return local_time(time, zone).dt.date().dt.truncate(PERIODS[period]).cast(pl.Int64).to_numpy()


def local_time(time: Ints, zone: str) -> pl.Series:
    """Date and time of each instant on the wall clock of the zone."""
    return pl.Series(time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def by_quarter_hour(time: Ints, read: Callable[[Ints], npt.NDArray[Number]]) -> npt.NDArray[Number]:
    """``read(time)`` of what wall clocks tell to the hour, looked up where that pays; see `WallClock`."""
    if len(time) < _FEW:
        return read(time)
    return WallClock.between(int(time.min()), int(time.max()), len(time), read).at(time)


@dataclass(frozen=True, slots=True)
class WallClock(Generic[Number]):
    """What wall clocks tell to the hour, read once for each quarter of an hour and then looked up.

    Zones differ from UTC by whole quarters of an hour, today. Where one did not, in years before that, or where there
    are more quarters than instants, each instant is read.

    Attributes
    ----------
    read : what the clock tells at instants.
    first : the quarter of an hour, since 1970, that the table begins with.
    table : what it tells in each quarter; None where each instant is read.
    """

    read: Callable[[Ints], npt.NDArray[Number]]
    first: int
    table: npt.NDArray[Number] | None

    @classmethod
    def between(
        cls, low: int, high: int, n_instants: int, read: Callable[[Ints], npt.NDArray[Number]]
    ) -> WallClock[Number]:
        """A clock for about `n_instants` instants from `low` to `high`."""
        first, last = low // _QUARTER, high // _QUARTER
        if last - first >= n_instants:
            return cls(read, first, None)
        begins = np.arange(first, last + 1) * _QUARTER
        table = read(begins)
        return cls(read, first, table if np.array_equal(table, read(begins + (_QUARTER - 1))) else None)

    @classmethod
    def of(cls, journeys: Journeys, read: Callable[[Ints], npt.NDArray[Number]]) -> WallClock[Number]:
        """A clock for the steps of some journeys."""
        if not len(journeys):
            return cls(read, 0, None)
        return cls.between(int(journeys.heads.start.min()), int(journeys.heads.end.max()), len(journeys.coded), read)

    def at(self, time: Ints) -> npt.NDArray[Number]:
        """What it tells at each instant."""
        if self.table is None:
            return self.read(time)
        quarter = time // _QUARTER
        quarter -= self.first
        return take(self.table, quarter)
