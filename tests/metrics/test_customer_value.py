"""Value per customer against a loop over customers."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeymine as jm
from journeymine.metrics import customer_value
from journeymine.stats.histogram import bucket_of, bucket_value
from tests.metrics.months import HOUR, by_user, monthly_logs
from tests.oracles.logs import START, Row, build

DAY = 24 * HOUR


@given(monthly_logs, st.sampled_from([None, 20, 60]), st.sampled_from([0, 40]))
def test_rows_are_those_of_a_loop_over_customers(log: tuple[Row, ...], within: int | None, more_days: int) -> None:
    until = max(row.us for row in log) + START + more_days * DAY
    people, buyers, worth = by_user(log), 0, []
    for rows in people.values():
        bought = [row for row in rows if row.touchpoint == "order"]
        buyers += bool(bought)
        if not bought or (within is not None and bought[0].us + within * DAY > until):
            continue
        counted = [row for row in bought if within is None or row.us <= bought[0].us + within * DAY]
        worth.append((len(counted), sum(row.value or 0 for row in counted)))
    journeys = build(log, goal="order", observed_until=until)
    row = customer_value(journeys, within=None if within is None else f"{within}d").frame.row(0, named=True)
    assert (row["n_users"], row["buyers"], row["customers"]) == (len(people), buyers, len(worth))
    assert row["purchases"] == sum(n for n, _ in worth)
    assert row["repeated"] == sum(n > 1 for n, _ in worth)
    assert row["value"] == pytest.approx(sum(value for _, value in worth))
    assert row["buyer_share"] == pytest.approx(buyers / len(people))
    if not worth:
        assert row["value_per_customer"] is None
        assert (row["reason"] is not None) or not buyers
    elif row["value"]:
        assert row["value_per_customer"] == pytest.approx(row["value"] / len(worth))
        assert row["value_per_purchase"] == pytest.approx(row["value"] / row["purchases"])
        assert row["purchases_per_customer"] == pytest.approx(row["purchases"] / len(worth))
        middle = max(sorted(value for _, value in worth)[(len(worth) + 1) // 2 - 1], 0)
        assert row["p50_value"] == pytest.approx(float(bucket_value(bucket_of(middle * 1e6))) / 1e6)


def test_a_log_without_values_still_counts_purchases() -> None:
    log = tuple(Row(user, i * DAY, "order", "web", *[None] * 4) for user in "ab" for i in range(2))
    row = customer_value(build(log, goal="order"), by="channel").frame.row(0, named=True)
    assert (row["channel"], row["purchases_per_customer"], row["repeated_share"]) == ("web", 2.0, 1.0)
    assert row["value_per_customer"] is None
    assert row["reason"] == "no purchase here has a value"


@pytest.mark.parametrize(("customers", "sparse"), [(299, True), (300, False)])
def test_few_customers_make_a_row_sparse_and_not_few_who_buy_again(customers: int, *, sparse: bool) -> None:
    log = tuple(Row(f"u{i}", day * DAY, "order", "web", 5.0, *[None] * 3)
                for i in range(customers) for day in range(2 if i < 5 else 1))  # fmt: skip
    row = customer_value(build(log, goal="order")).frame.row(0, named=True)
    assert (row["customers"], row["repeated"], row["sparse"]) == (customers, 5, sparse)


def test_values_that_add_up_to_0_are_values() -> None:
    """Every second customer gives back what the one before paid: nothing is earned, which is not to know nothing."""
    rows = [(f"u{i}", at, what, worth) for i in range(100) for at, what, worth in
            ((0, "visit", None), (60, "order", 5.0 if i % 2 else -5.0))]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["user", "t", "touchpoint", "value"], orient="row")
    fields = {"user": "user", "timestamp": "t", "time_unit": "s", "touchpoint": "touchpoint"}
    rules = {"goal": "order", "observed_until": 100 * 86_400 * 1_000_000, "idle": "2d"}
    valued = jm.build_journeys(jm.read_events(frame, **fields, value="value"), **rules)
    assert jm.customer_value(valued).frame.select("value", "value_per_customer", "value_per_purchase").row(0) == (
        0,
        0,
        0,
    )
    asked = {"entry": "visit", "returned": "order", "period": "7d", "periods": 1}
    kept = jm.retention(valued, **asked)
    assert [table["value_per_user"].to_list() for table in (kept.frame, kept.tables["overall"])] == [[0.0, 0.0]] * 2
    assert jm.conversion(valued).frame["mean_value"].to_list() == [0.0]
    bare = jm.build_journeys(jm.read_events(frame, **fields), **rules)
    assert jm.customer_value(bare).frame["value_per_customer"].to_list() == [None]
    assert jm.retention(bare, **asked).frame["value_per_user"].to_list() == [None, None]
    assert jm.conversion(bare).frame["mean_value"].to_list() == [None]
