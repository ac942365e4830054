"""The days that a report is asked about."""

from __future__ import annotations

from datetime import date, datetime

from journeymine.errors import StateError

__all__ = ["Day", "days_between"]

Day = date | datetime | str | None


def days_between(start: Day, end: Day) -> tuple[int | None, int | None]:
    """Days since 1970 of the first day of a period and of the one after its last; None is without bound.

    >>> days_between("1970-01-02", None)
    (1, None)

    Raises
    ------
    StateError : one is no day, or no day lies between them.
    """
    low, high = _day(start), _day(end)
    if low is not None and high is not None and low >= high:
        raise StateError(
            f"no day lies from start={start} on and before end={end}", hint="end is the day after the last one meant"
        )
    return low, high


def _day(given: Day) -> int | None:
    if given is None:
        return None
    try:
        when = datetime.fromisoformat(given) if isinstance(given, str) else given
        day = date(when.year, when.month, when.day)
    except (ValueError, AttributeError) as error:
        raise StateError(f"{given!r} is no day", hint="e.g. 2026-03-01") from error
    return day.toordinal() - date(1970, 1, 1).toordinal()
