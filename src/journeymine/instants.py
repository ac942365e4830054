"""Instants as people write them: a date, a datetime, ISO text, or microseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from journeymine.errors import JourneymineError

__all__ = ["until_us"]


def until_us(given: Any, *, name: str, error: type[JourneymineError], zone: str = "UTC") -> int:
    """µs since 1970 UTC of the end of a date, of a datetime, of ISO text of either, or of µs; naive ones are local to `zone`.

    Parameters
    ----------
    name, error : how the argument is called, and what to raise where it is no instant.

    Examples
    --------
    >>> from journeymine.errors import RulesError
    >>> until_us("2026-03-01", name="until", error=RulesError)
    1772409600000000
    >>> until_us("2026-03-02T01:00", name="until", error=RulesError, zone="Europe/Berlin")
    1772409600000000
    """
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    said = given
    if isinstance(given, str):
        try:
            given = date.fromisoformat(given) if len(given) == 10 else datetime.fromisoformat(given)
        except ValueError as wrong:
            raise error(f"{name}={said!r} is no instant", hint="e.g. 2026-03-01 or 2026-03-01T23:59:59Z") from wrong
    if isinstance(given, date) and not isinstance(given, datetime):
        try:  # a date means all of that day
            given = datetime.fromordinal(given.toordinal() + 1).replace(tzinfo=ZoneInfo(zone))
        except (OverflowError, ValueError) as wrong:
            raise error(f"{name}={said} lies outside the times that events can have", hint="check the year") from wrong
    if not isinstance(given, datetime):
        raise error(f"{name}={said!r} is no instant", hint="give a date, a datetime, ISO text, or µs since 1970 UTC")
    aware = given if given.tzinfo else given.replace(tzinfo=ZoneInfo(zone))
    span = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
