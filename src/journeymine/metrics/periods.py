"""Calendar periods in a named zone: the day, week or month that an instant lies in."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError

__all__ = ["PERIODS", "check_zone", "period_of"]

PERIODS = {"day": "1d", "week": "1w", "month": "1mo"}
"""Names of periods, and how Polars calls their lengths; weeks begin on Monday."""


def check_zone(zone: str) -> str:
    """Refuse a zone that the time zone database does not know."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
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
    local = pl.Series(time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    return local.dt.truncate(PERIODS[period]).cast(pl.Int64).to_numpy()
