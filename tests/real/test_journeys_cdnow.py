"""Repeat purchases with a value: every purchase ends a journey."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from journeymine.events import read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import conversion

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def journeys(real_data: Path) -> Journeys:
    events = read_events(
        real_data / "cdnow.csv", user="customer_id", timestamp="date", time_format="%Y%m%d", timezone="UTC",
        constant_touchpoint="purchase", value="dollar_value", currency="USD", attributes=["cds"],
    )  # fmt: skip
    return build_journeys(events, goal="purchase")


def test_every_purchase_is_a_journey_with_its_value(journeys: Journeys, real_data: Path) -> None:
    assert (len(journeys), len(journeys.users)) == (69_659, 23_570)
    sql = f"""select customer_id, list(cast(dollar_value as decimal(18, 2)) order by date, row) from (
                  select *, row_number() over () as row
                  from read_csv('{real_data / "cdnow.csv"}', all_varchar=true, parallel=false)
              ) group by 1 order by 1"""
    expected = [(user, float(value)) for user, values in duckdb.sql(sql).fetchall() for value in values]
    assert journeys.table.select("user", "value").rows() == expected
    table = journeys.table
    assert set(table["status"]) == {"converted"}
    assert (table["nth_journey"] == table["prior_goals"] + 1).all()


def test_value_per_conversion_of_new_and_returning_customers(journeys: Journeys, real_data: Path) -> None:
    sql = f"""with p as (select *, row_number() over () as row from read_csv('{real_data / "cdnow.csv"}', all_varchar=true,
                                parallel=false)),
                   q as (select row_number() over (partition by customer_id order by date, row) = 1 as first,
                                cast(dollar_value as decimal(18, 2)) as value, strptime(date, '%Y%m%d') as day from p)
              select case when first then 'new' else 'returning' end, count(*), sum(value)
              from q where day <= (select max(day) from q) - interval 60 day group by 1 order by 1"""
    expected = [(label, n, float(value)) for label, n, value in duckdb.sql(sql).fetchall()]
    frame = conversion(journeys, by="new_or_returning").frame
    found = frame.select("new_or_returning", "converted", "value").rows()
    assert found == [(label, n, pytest.approx(value)) for label, n, value in expected]
    for row, (_, n, value) in zip(frame.iter_rows(named=True), expected, strict=True):
        assert row["mean_value"] == pytest.approx(value / n)
        assert row["mean_value_lower"] < row["mean_value"] < row["mean_value_upper"]


def test_repeat_purchases_cluster_and_widen_no_share_of_one(journeys: Journeys) -> None:
    row = conversion(journeys).frame.row(0, named=True)
    assert row["share"] == 1
    assert row["share_upper"] == 1
    # At a share of 1 a customer counts once, however many purchases they made.
    assert 1 - row["share_lower"] == pytest.approx(1 - row["n_users"] / (row["n_users"] + 1.959964**2), rel=0.06)
