"""Repeat purchases against a loop over customers, and SciPy's survival function."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from journeymine.columns import MICRO
from journeymine.errors import QuestionError
from journeymine.metrics import repeat_rate
from journeymine.stats.histogram import bucket_of, bucket_value
from tests.metrics.months import HOUR, by_user, ended, monthly_logs
from tests.metrics.walk import known_at, waiting_share
from tests.oracles.logs import START, Row, build

DAY = 24 * HOUR


@given(monthly_logs, st.sampled_from(["goal", "visit", ["visit", "review"]]), st.sampled_from([0, 40, -30, -90]))
def test_rows_are_those_of_a_loop_over_customers(log: tuple[Row, ...], event: Any, more_days: int) -> None:
    names = ["order"] if event == "goal" else [event] if isinstance(event, str) else event
    if event != "goal" and not set(names) <= {row.touchpoint for row in log}:
        return
    until = ended(log, more_days)
    people: dict[int, list[tuple[int | None, int, str]]] = defaultdict(list)
    for user, rows in by_user(log).items():
        bought = [row.us for row in rows if row.touchpoint in names]
        for i, us in enumerate(bought):
            took = bought[i + 1] - us if i + 1 < len(bought) else None
            people[min(i + 1, 3)].append((took, until - us, user))
    journeys = build(log, goal="order", observed_until=until)
    result = repeat_rate(journeys, event=None if event == "goal" else event, bin="10d", horizon="40d", max_nth=3)
    assert set(result.frame["nth"]) == set(people)
    for row in result.frame.iter_rows(named=True):
        each = people[row["nth"]]
        took = sorted(t for t, _, _ in each if t is not None)
        assert (row["n"], row["repeated"]) == (len(each), len(took))
        assert row["n_users"] == len({user for _, _, user in each})
        assert row["users_back"] == len({user for t, _, user in each if t is not None})
        if took:
            middle = bucket_of(took[(len(took) + 1) // 2 - 1])
            assert row["p50_s"] == pytest.approx(float(bucket_value(middle)) / MICRO)
        pairs = [(t, watched) for t, watched, _ in each]
        if known_at(pairs, 10 * DAY, 4):
            share = waiting_share(pairs, 10 * DAY, 4)
            assert row["repeated_share"] == pytest.approx(1 - float(share))
        else:
            assert row["repeated_share"] is None
    everybody = [(t, watched) for each in people.values() for t, watched, _ in each]
    for point in result.tables["hazard"].iter_rows(named=True):
        k = round(point["time_s"] / 86_400 / 10)
        now = waiting_share(everybody, 10 * DAY, k)
        assert point["repeated_share"] == pytest.approx(1 - float(now))
        before = waiting_share(everybody, 10 * DAY, k - 1) if k else 1
        if before:
            assert point["hazard_share"] == pytest.approx(1 - float(now / before))
        if point["lapsed_share"] is not None:
            assert point["lapsed_share"] == pytest.approx(float(waiting_share(everybody, 10 * DAY, 4) / now))


def test_scipy_finds_the_same_curve() -> None:
    draw = np.random.default_rng(5)
    start, took = draw.integers(0, 60, 200), draw.integers(1, 80, 200)
    log = tuple(Row(f"u{i}", int(d) * DAY, "order", "web", *[None] * 4) for i, d in enumerate(start))
    log += tuple(
        Row(f"u{i}", int(a + b) * DAY, "order", "web", *[None] * 4)
        for i, (a, b) in enumerate(zip(start, took, strict=True))
        if a + b <= 100
    )
    result = repeat_rate(build(log, goal="order", observed_until=START + 100 * DAY), bin="1d", horizon="30d", max_nth=2)
    happened = start + took <= 100
    data = scipy_stats.CensoredData(uncensored=took[happened], right=(100 - start)[~happened])
    # All second purchases together with the censored third ones would be another question: take the first row.
    expected = 1 - scipy_stats.ecdf(data).sf.evaluate(30)
    assert result.frame.filter(pl.col("nth") == 1)["repeated_share"].item() == pytest.approx(expected)


def test_purchases_need_a_goal_or_a_touchpoint() -> None:
    journeys = build((Row("a", 0, "visit", "web", *[None] * 4),))
    with pytest.raises(QuestionError, match="goal"):
        repeat_rate(journeys)
    with pytest.raises(QuestionError, match="max_nth"):
        repeat_rate(journeys, event="visit", max_nth=0)
    with pytest.raises(QuestionError, match="horizon=14d is shorter than bin=30d"):
        repeat_rate(journeys, event="visit", horizon="14d")
