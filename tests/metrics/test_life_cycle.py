"""Life cycle and stickiness against loops over users with Python's own calendar."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.metrics import life_cycle, stickiness
from tests.metrics.months import HOUR, ZONES, by_user, first_day, later, monthly_logs
from tests.oracles.logs import START, Row, build

DAY = 24 * HOUR


def active(log: tuple[Row, ...], period: str, zone: str, channel: str | None = None) -> dict[str, list[date]]:
    found = {}
    for user, rows in by_user(log).items():
        days = {first_day(row.us, period, zone) for row in rows if channel is None or row.channel == channel}
        if days:
            found[user] = sorted(days)
    return found


@given(monthly_logs, st.sampled_from(["day", "week", "month"]), st.sampled_from(ZONES), st.sampled_from([0, 1, 45]))
def test_states_are_those_of_a_loop_over_users(log: tuple[Row, ...], period: str, zone: str, more_days: int) -> None:
    until = max(row.us for row in log) + START + more_days * DAY
    frame = life_cycle(build(log, observed_until=until), period=period, timezone=zone).frame
    today = first_day(until, period, zone)
    expected: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for periods in active(log, period, zone).values():
        for at in periods:
            before = later(at, period, -1)
            state = "new" if at == periods[0] else "returning" if before in periods else "resurrected"
            expected[at][state] += 1
            following = later(at, period, 1)
            if following not in periods and following <= today:
                expected[following]["dormant"] += 1
    assert frame["period"].to_list() == sorted(expected)
    total = 0
    for row in frame.iter_rows(named=True):
        want = expected[row["period"]]
        assert [row[name] for name in ("new", "returning", "resurrected")] == [
            want[name] for name in ("new", "returning", "resurrected")
        ]
        assert row["complete"] == (row["period"] < today)
        assert row["dormant"] == (want["dormant"] if row["complete"] else None)
        before = want["returning"] + want["dormant"]
        assert row["retained_share"] == (
            pytest.approx(want["returning"] / before) if before and row["complete"] else None
        )
        if row["complete"]:
            total += row["new"] + row["resurrected"] - row["dormant"]
            assert total == row["active"]


@given(monthly_logs, st.sampled_from(ZONES), st.sampled_from([0, 1, 45]), st.sampled_from([None, "web"]))
def test_windows_are_those_of_a_loop_over_days(
    log: tuple[Row, ...], zone: str, more_days: int, channel: str | None
) -> None:
    until = max(row.us for row in log) + START + more_days * DAY
    begin, today = first_day(min(row.us for row in log) + START, "day", zone), first_day(until, "day", zone)
    by = None if channel is None else "channel"
    result = stickiness(build(log, observed_until=until), windows=["30d", "7d"], timezone=zone, by=by)
    days = active(log, "day", zone, channel)
    for width in (7, 30):
        seen = within = n_days = 0
        mine = result.tables["days"].filter(pl.col("window_days") == width)
        mine = mine if channel is None else mine.filter(pl.col("channel") == channel)
        known = {row["day"]: row for row in mine.iter_rows(named=True)}
        day = begin
        while day <= today:
            window = {day - timedelta(days=i) for i in range(width)}
            now = sum(day in each for each in days.values())
            lately = sum(not window.isdisjoint(each) for each in days.values())
            whole = day < today and day - timedelta(days=width - 1) >= begin
            if whole:
                seen, within, n_days = seen + now, within + lately, n_days + 1
            if day in known:
                assert (known[day]["active_1d"], known[day]["active"]) == (now, lately)
                assert known[day]["share"] == (pytest.approx(now / lately) if whole and lately else None)
            else:
                assert now == 0
            day += timedelta(days=1)
        row = result.frame.filter(pl.col("window_days") == width)
        row = row if channel is None else row.filter(pl.col("channel") == channel)
        if not days:
            assert row.is_empty()
            continue
        found = row.row(0, named=True)
        assert (found["n_users"], found["n_days"]) == (len(days), n_days)
        assert found["share"] == (pytest.approx(seen / within) if within else None)
        assert found["mean_active"] == (pytest.approx(within / n_days) if n_days else None)
        assert found["mean_active_1d"] == (pytest.approx(seen / n_days) if n_days else None)


def test_within_a_channel_a_user_has_a_life_of_their_own() -> None:
    log = tuple(
        Row("a", month * 31 * DAY, "visit", channel, *[None] * 4)
        for month, channel in ((0, "web"), (1, "store"), (2, "web"), (3, "web"), (5, "web"))
    )
    frame = life_cycle(build(log), by="channel").frame
    web = frame.filter(pl.col("channel") == "web")
    states = web.select("new", "returning", "resurrected", "dormant").rows()
    assert states == [(1, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1), (0, 0, 1, None)]
    assert web["reason"].to_list()[-1].startswith("this period is not over")


@pytest.mark.parametrize(
    ("ask", "fields", "error", "match"),
    [
        (life_cycle, {"period": "year"}, QuestionError, "'month'"),
        (life_cycle, {"timezone": "Nowhere"}, QuestionError, "time zone"),
        (life_cycle, {"event": {"goal": True}}, QuestionError, "goal"),
        (life_cycle, {"event": "vist"}, UnknownLabelError, "visit"),
        (life_cycle, {"by": "period"}, QuestionError, "another name"),
        (stickiness, {"windows": ["1d"]}, QuestionError, "whole days"),
        (stickiness, {"windows": ["36h"]}, QuestionError, "whole days"),
        (stickiness, {"windows": []}, QuestionError, "'30d'"),
        (stickiness, {"windows": ["7d", "1w"]}, QuestionError, "twice"),
        (stickiness, {"windows": "7d"}, QuestionError, "list"),
    ],
)
def test_what_cannot_be_answered_says_why(ask: Any, fields: dict[str, Any], error: type[Exception], match: str) -> None:
    journeys = build((Row("a", 0, "visit", "web", *[None] * 4),))
    with pytest.raises(error, match=match):
        ask(journeys, **fields)
