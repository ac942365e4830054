"""Clocks looked up by the quarter of an hour against Python's own, also where zones were no whole quarters apart."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import journeymine as jm
from journeymine.metrics.activity_hours import hour_of_week
from journeymine.metrics.periods import by_quarter_hour, period_of
from tests.metrics.test_bad_arguments import built

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Monrovia",
]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("year", [2024, 1935])
@pytest.mark.parametrize("days", [3, 400])
def test_days_and_hours_are_those_of_the_zone(zone: str, year: int, days: int) -> None:
    random = np.random.default_rng(days)
    epoch, start = datetime(1970, 1, 1, tzinfo=UTC), datetime(year, 3, 30, tzinfo=UTC)
    low = int((start - epoch) / timedelta(microseconds=1))
    time = low + random.integers(0, days * 86_400_000_000, 3_000)
    time[:4] = low + np.array([0, 1, 900_000_000, 899_999_999])
    local = [(epoch + timedelta(microseconds=int(t))).astimezone(ZoneInfo(zone)) for t in time]
    hours = by_quarter_hour(time, lambda instants: hour_of_week(instants, zone))
    assert hours.tolist() == [each.weekday() * 24 + each.hour for each in local]
    assert period_of(time, "day", zone).tolist() == [each.date().toordinal() - 719_163 for each in local]
    mondays = [each.date() - timedelta(days=each.weekday()) for each in local]
    assert period_of(time, "week", zone).tolist() == [each.toordinal() - 719_163 for each in mondays]


def test_stickiness_counts_the_same_with_a_place_for_each_number_and_by_sorting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dense = jm.stickiness(built(), by=["channel", "plan"], windows=["2d", "9d"])
    monkeypatch.setattr(sys.modules["journeymine.counting.occurrences"], "_DENSE", 0)
    sparse = jm.stickiness(built(), by=["channel", "plan"], windows=["2d", "9d"])
    assert dense.frame.equals(sparse.frame)
    assert dense.tables["days"].equals(sparse.tables["days"])
