"""Retention against a loop over users with Python's own calendar."""

from __future__ import annotations

import bisect
from collections import defaultdict
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError, RulesError, UnknownLabelError
from journeymine.metrics import Retention, retention
from journeymine.metrics.retention_members import first_at_or_after
from tests.metrics.months import HOUR, ZONES, by_user, ended, first_day, later, monthly_logs
from tests.oracles.logs import START, Row, build

LENGTHS = {"24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "100h": 100 * HOUR}
COHORTS = {"24h": "day", "7d": "week", "100h": "day"}


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "entry": draw(st.sampled_from([None, "visit", ["order", "review"], {"goal": True}])),
        "returned": draw(st.sampled_from([None, "order", {"goal": True}, {"value": {">": 0}}])),
        "period": draw(st.sampled_from(["day", "week", "month", "24h", "7d", "100h"])),
        "periods": draw(st.sampled_from([1, 4, 9])),
        "kind": draw(st.sampled_from(["bounded", "unbounded", "rolling", "cumulative"])),
        "recurring": draw(st.booleans()),
        "cohort": draw(st.sampled_from([None, None, "month", "day"])),
        "timezone": draw(st.sampled_from(ZONES)),
    }


def holds(form: Any, row: Row) -> bool:
    if form is None:
        return True
    if form == {"goal": True}:
        return row.touchpoint == "order"
    if isinstance(form, dict):
        return row.value is not None and row.value > 0
    return row.touchpoint in ([form] if isinstance(form, str) else form)


def by_hand(log: tuple[Row, ...], asked: dict[str, Any], until: int) -> tuple[dict[Any, list[Any]], dict[Any, int]]:
    """(cohort, k) → [n, retained, value], and the size of each cohort."""
    period, zone = asked["period"], asked["timezone"]
    cohort_period = asked["cohort"] or COHORTS.get(period, period)
    cells: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, 0.0])
    sizes: dict[Any, int] = defaultdict(int)
    for rows in by_user(log).values():
        seen: set[date] = set()
        for i, row in enumerate(rows):
            cohort = first_day(row.us, cohort_period, zone)
            if not holds(asked["entry"], row) or cohort in seen or (seen and not asked["recurring"]):
                continue
            seen.add(cohort)
            sizes[cohort] += 1
            for k in range(asked["periods"] + 1):

                def number(us: int, begin: int = row.us, k: int = k) -> int:
                    """-1 before period k, 0 in it, 1 after."""
                    if period in LENGTHS:
                        low, high = begin + k * LENGTHS[period], begin + (k + 1) * LENGTHS[period]
                        return -1 if us < low else 0 if us < high else 1
                    here, asked_for = first_day(us, period, zone), later(first_day(begin, period, zone), period, k)
                    return -1 if here < asked_for else 0 if here == asked_for else 1

                cell = cells[cohort, k]
                if number(until) < 1:
                    continue
                cell[0] += 1
                again = asked["entry"] if asked["returned"] is None else asked["returned"]
                returns = [number(other.us) for other in rows[i + 1 :] if holds(again, other) and other.us <= until]
                cell[1] += {
                    "bounded": 0 in returns,
                    "cumulative": any(at < 1 for at in returns),
                }.get(asked["kind"], any(at >= 0 for at in returns))
                cell[2] += sum(o.value or 0 for o in rows[i + 1 :] if holds(again, o) and number(o.us) == 0)
                cell[2] += (row.value or 0) if k == 0 else 0
    return cells, sizes


@given(monthly_logs, questions(), st.sampled_from([0, 1, 30, -20, -60]))
def test_cells_are_those_of_a_loop_over_users(log: tuple[Row, ...], asked: dict[str, Any], more_days: int) -> None:
    until = ended(log, more_days)
    journeys = build(log, goal="order", observed_until=until)
    labels = {label for form in (asked["entry"], asked["returned"]) for label in _labels(form)}
    if not labels <= {row.touchpoint for row in log}:
        with pytest.raises(UnknownLabelError):
            retention(journeys, **asked)
        return
    cells, sizes = by_hand(log, asked, until)
    result = retention(journeys, **asked)
    frame = result.frame
    assert {(c, k) for c, k in frame.select("cohort", "period").rows()} == set(cells)
    total: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in frame.iter_rows(named=True):
        n, retained, value = cells[row["cohort"], row["period"]]
        assert row["n_cohort"] == sizes[row["cohort"]]
        assert (row["n"], row["retained"]) == (n, retained), (row, asked)
        assert row["share"] == (pytest.approx(retained / n) if n else None)
        assert (row["reason"] is not None) or n
        if row["value_per_user"] is not None:
            assert row["value_per_user"] == pytest.approx(value / n)
        total[row["period"]][0] += n
        total[row["period"]][1] += retained
    for row in result.tables["overall"].iter_rows(named=True):
        assert [row["n"], row["retained"]] == total[row["period"]]


def _labels(form: Any) -> list[str]:
    return [form] if isinstance(form, str) else list(form) if isinstance(form, list) else []


def test_a_period_that_is_not_over_is_empty_and_not_zero() -> None:
    log = tuple(Row(f"u{i}", i * 24 * HOUR, "visit", "web", *[None] * 4) for i in range(21))
    frame = retention(build(log), period="week", periods=3).frame
    last = frame.filter(pl.col("cohort") == frame["cohort"].max())
    assert last["n"].to_list() == [0, 0, 0, 0]
    assert last["share"].to_list() == [None] * 4
    assert all("not over" in reason for reason in last["reason"])
    first = frame.filter(pl.col("cohort") == frame["cohort"].min())
    assert first["share"].to_list()[:2] == [0.0, 0.0]
    assert first["share_upper"][0] > 0


def test_by_takes_the_label_of_the_entry_step() -> None:
    log = (
        Row("a", 0, "visit", "web", *[None] * 4),
        Row("a", 24 * HOUR, "visit", "store", *[None] * 4),
        Row("b", HOUR, "visit", "store", *[None] * 4),
        Row("c", 90 * 24 * HOUR, "visit", "store", *[None] * 4),
    )
    frame = retention(build(log), period="day", periods=1, by="channel").frame
    found = frame.filter(pl.col("period") == 1).select("channel", "cohort", "n", "retained").rows()
    assert found == [
        ("store", date(2020, 1, 1), 1, 0), ("store", date(2020, 3, 31), 0, 0), ("web", date(2020, 1, 1), 1, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"period": "year"}, RulesError, "period"),
        ({"kind": "sometimes"}, QuestionError, "bounded"),
        ({"periods": 0}, QuestionError, "periods"),
        ({"timezone": "Mars/Olympus"}, QuestionError, "time zone"),
        ({"cohort": "quarter"}, QuestionError, "cohort"),
        ({"by": "period"}, QuestionError, "another name"),
        ({"entry": {"goal": True}}, QuestionError, "goal"),
        ({"entry": "vist"}, UnknownLabelError, "visit"),
        ({"by": "country"}, UnknownLabelError, "country"),
    ],
)
def test_what_cannot_be_answered_says_why(fields: dict[str, Any], error: type[Exception], match: str) -> None:
    journeys = build((Row("a", 0, "visit", "web", *[None] * 4),))
    with pytest.raises(error, match=match):
        retention(journeys, **fields)


@given(st.lists(st.lists(st.integers(0, 30), max_size=40).map(sorted), max_size=8), st.data())
def test_searches_in_ranges_are_those_of_bisection(ranges: list[list[int]], data: st.DataObject) -> None:
    wanted = [data.draw(st.integers(-1, 32)) for _ in ranges]
    lengths = np.array([len(each) for each in ranges], dtype=np.int64)
    high = np.cumsum(lengths)
    values = np.array([value for each in ranges for value in each], dtype=np.int64)
    found = first_at_or_after(values, high - lengths, high, np.array(wanted, dtype=np.int64))
    begins = (high - lengths).tolist()
    assert found.tolist() == [
        begin + bisect.bisect_left(each, want) for begin, each, want in zip(begins, ranges, wanted, strict=True)
    ]


def test_rolling_is_another_name_of_unbounded() -> None:
    assert Retention(kind="rolling") == Retention(kind="unbounded")


def test_who_comes_again_in_the_period_of_the_entry_is_back_in_period_0() -> None:
    day = 24 * HOUR
    came = {"a": [0, day], "b": [0], "c": [0, 8 * day], "d": [40 * day]}
    log = tuple(
        Row(user, START + us, "visit", None, None, None, None, None) for user, times in came.items() for us in times
    )
    frame = retention(build(log), period="week").frame
    assert frame.filter(pl.col("cohort") == pl.col("cohort").min())["retained"][:3].to_list() == [1, 1, 0]


def test_a_return_after_the_end_of_the_watch_is_none_whatever_the_kind() -> None:
    day = 24 * HOUR
    came = {"a": [0, 30 * day], "b": [0, 15 * day], "c": [0]}
    log = tuple(Row(user, us, "visit", *[None] * 5) for user, times in came.items() for us in times)
    journeys = build(log, observed_until=START + 20 * day)
    overall = retention(journeys, period="7d", periods=1, kind="unbounded").tables["overall"]
    assert overall.select("n", "retained").rows() == [(3, 1), (3, 1)]


def test_the_value_of_the_entry_belongs_to_period_0_whether_or_not_it_is_a_return() -> None:
    day = 24 * HOUR
    steps = [("visit", 0, 3.0), ("order", day, 10.0), ("visit", 2 * day, 5.0), ("order", 8 * day, 7.0)]
    log = tuple(Row("a", us, name, "web", value, None, None, None) for name, us, value in steps)
    log += (Row("b", 0, "order", "web", 100.0, None, None, None), Row("b", 20 * day, "visit", *[None] * 5))
    for period in ("7d", "week"):  # from a Wednesday on: day 8 is a Thursday, one week later
        frame = retention(build(log), entry="visit", returned="order", period=period, periods=1).frame
        first = frame.filter(pl.col("cohort") == frame["cohort"].min())
        assert first["value_per_user"].to_list() == [3 + 10, 7]
        frame = retention(build(log), entry="visit", period=period, periods=1).frame
        assert frame.filter(pl.col("cohort") == frame["cohort"].min())["value_per_user"].to_list() == [3 + 5, 0]
