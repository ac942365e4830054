"""Logs over months for questions about users, and the calendar as Python's own datetime tells it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from journeymine.columns import MICRO
from tests.oracles.logs import START, Row

HOUR = 3_600 * MICRO
ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo")

# Whole hours over half a year from 2020-01-01: days' ends, summer time in Berlin, a leap day; often the same instant.
monthly_rows = st.builds(
    Row,
    user=st.sampled_from([*"abcdefgh", "🦊"]),
    us=st.builds(
        lambda day, hour: day * 24 * HOUR + hour * HOUR, st.integers(0, 170), st.sampled_from([0, 0, 3, 22, 23])
    ),
    touchpoint=st.sampled_from(["visit", "visit", "order", "review"]),
    channel=st.sampled_from(["web", "store", None]),
    value=st.sampled_from([None, 1.5, 10.0, -2.0]),
    cost=st.none(),
    plan=st.sampled_from(["pro", None]),
    score=st.none(),
)
monthly_logs = st.lists(monthly_rows, min_size=1, max_size=50).map(tuple)


def local(us: int, zone: str) -> datetime:
    """The wall clock at an instant given in µs since 1970."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


def first_day(us: int, period: str, zone: str) -> date:
    """First day of the calendar period that an instant lies in."""
    day = local(us, zone).date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def later(day: date, period: str, k: int) -> date:
    """First day of the k-th period after the one that begins on `day`."""
    if period == "month":
        month = day.year * 12 + day.month - 1 + k
        return date(month // 12, month % 12 + 1, 1)
    return day + timedelta(days=k * (7 if period == "week" else 1))


def ended(log: tuple[Row, ...], more_days: int) -> int:
    """µs since 1970, so many days after the last row, or before it, but not before the first."""
    times = [row.us for row in log]
    return max(max(times) + more_days * 24 * HOUR, min(times)) + START


def by_user(log: tuple[Row, ...]) -> dict[str, list[Row]]:
    """Rows of each user in order of time, ties as they came; times count from 1970."""
    users: dict[str, list[Row]] = {}
    for row in sorted(log, key=lambda row: row.us):
        users.setdefault(row.user, []).append(row._replace(us=row.us + START))
    return users
