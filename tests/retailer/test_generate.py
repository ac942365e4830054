"""The clean log: deterministic, well formed, and like a shop."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from journeymine.errors import QuestionError
from journeymine.retailer import generate, true_journeys
from journeymine.retailer.blueprint import STAGES, TOUCHPOINTS


def test_the_same_arguments_give_the_same_log_and_another_seed_another() -> None:
    assert generate(users=300).equals(generate(users=300))
    assert not generate(users=300).equals(generate(users=300, seed=2))
    assert not generate(users=300).equals(generate(users=300, planted=False))


def test_the_log_is_in_order_and_inside_its_window(log: pl.DataFrame) -> None:
    first = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    assert log["timestamp"].is_sorted()
    assert log["timestamp"].min() >= first  # type: ignore[operator]
    assert log["timestamp"].max() < first + dt.timedelta(days=180)  # type: ignore[operator]
    assert log.select("user", "timestamp", "touchpoint", "channel").null_count().sum_horizontal().item() == 0
    assert set(log["touchpoint"]) <= {touchpoint.name for touchpoint in TOUCHPOINTS}


def test_money_and_scores_stand_where_they_belong(log: pl.DataFrame) -> None:
    assert set(log.filter(pl.col("value").is_not_null())["touchpoint"]) == {"order_placed"}
    assert log.filter(touchpoint="order_placed")["value"].null_count() == 0
    assert log["value"].drop_nulls().min() > 0  # type: ignore[operator]
    assert set(log.filter(pl.col("cost").is_not_null())["channel"]) == {
        "display",
        "paid_search",
        "social",
        "retargeting",
    }
    assert set(log["satisfaction"].drop_nulls()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    asked = log.filter(pl.col("satisfaction").is_not_null())
    assert set(asked["channel"]) == {"store", "call_centre", "delivery"}


def test_no_user_has_two_events_at_one_instant(log: pl.DataFrame) -> None:
    assert log.select("user", "timestamp").is_duplicated().sum() == 0


def test_journeys_are_like_those_of_a_shop(steps: pl.DataFrame) -> None:
    window = pl.col("start").is_between(dt.datetime(2026, 2, 4, tzinfo=dt.UTC), dt.datetime(2026, 5, 5, tzinfo=dt.UTC))
    journeys = (
        steps.filter(window)
        .group_by("journey", "user")
        .agg(
            converted=(pl.col("touchpoint") == "order_placed").any(),
            channels=pl.col("channel").n_unique(),
            steps=pl.len(),
        )
    )
    assert 0.12 < journeys["converted"].mean() < 0.26  # type: ignore[operator]
    assert 2 < journeys["channels"].mean() < 4  # type: ignore[operator]
    assert 4 < journeys["steps"].mean() < 9  # type: ignore[operator]
    per_user = journeys.group_by("user").len()["len"]
    assert (per_user > 1).mean() > 0.15  # type: ignore[operator]


def test_days_have_hours_and_weeks_have_days(steps: pl.DataFrame) -> None:
    local = steps.with_columns(local=pl.col("timestamp").dt.convert_time_zone("Europe/Berlin"))
    hour = np.bincount(local["local"].dt.hour().to_numpy(), minlength=24)
    assert hour[19:21].sum() > 8 * hour[2:4].sum()
    starts = local.filter(pl.col("timestamp") == pl.col("start"))
    weekday = np.bincount(starts["local"].dt.weekday().to_numpy(), minlength=8)[1:]
    assert weekday[5] > 1.15 * weekday[2:5].mean()  # Saturdays are busy
    in_store = local.filter(pl.col("channel") == "store").filter(pl.col("touchpoint") == "store_visited")
    assert (in_store["local"].dt.weekday() < 7).mean() > 0.98  # type: ignore[operator]  # closed on Sundays


def test_some_stay_anonymous_and_some_come_back(truth: pl.DataFrame) -> None:
    users = truth["user"].unique()
    assert 0.1 < users.str.starts_with("anonymous:").mean() < 0.3  # type: ignore[operator]
    assert truth["nth_journey"].max() > 3  # type: ignore[operator]


def test_stages_are_those_of_a_customer_journey() -> None:
    assert {touchpoint.stage for touchpoint in TOUCHPOINTS} == set(STAGES)
    assert len({touchpoint.name for touchpoint in TOUCHPOINTS}) == len(TOUCHPOINTS)


@pytest.mark.parametrize(
    "given",
    [
        {"seed": -1},
        {"users": 0},
        {"users": 10**9},
        {"days": 10},
        {"days": 400},
        {"users": "a"},
        {"seed": 1.5},
        {"days": None},
    ],
    ids=str,
)
def test_what_cannot_be_simulated_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match="Hint:"):
        generate(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [70, 360])
@pytest.mark.parametrize("planted", [True, False])
def test_the_smallest_and_the_longest_retailer_work(days: int, planted: bool) -> None:
    assert generate(users=200, days=days, planted=planted).height > 200
    assert true_journeys(users=200, days=days, planted=planted).height > 50
