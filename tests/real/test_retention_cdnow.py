"""Questions about customers on real purchases, against SQL and SciPy."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from journeymine.events import read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import customer_value, life_cycle, repeat_rate, retention, stickiness

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def journeys(real_data: Path) -> Journeys:
    events = read_events(
        real_data / "cdnow.csv", user="customer_id", timestamp="date", time_format="%Y%m%d", timezone="UTC",
        constant_touchpoint="purchase", value="dollar_value", currency="USD",
    )  # fmt: skip
    return build_journeys(events, goal="purchase")


@pytest.fixture(scope="module")
def purchases(real_data: Path) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute(
        f"""create table purchases as
            select customer_id as who, strptime(date, '%Y%m%d')::date as day, dollar_value::double as value, row,
                   row_number() over (partition by customer_id order by date, row) as nth,
                   lead(strptime(date, '%Y%m%d')::date) over (partition by customer_id order by date, row) as next
            from (select *, row_number() over () as row
                  from read_csv('{real_data / "cdnow.csv"}', all_varchar=true, parallel=false))"""
    )
    return database


def test_the_repeat_rate(journeys: Journeys, purchases: duckdb.DuckDBPyConnection) -> None:
    expected = purchases.sql(
        """select least(nth, 5) as n, count(*), count(distinct who), count(next),
                  count(distinct case when next is not null then who end) from purchases group by 1 order by 1"""
    ).fetchall()
    frame = repeat_rate(journeys).frame
    assert frame.select("nth", "n", "n_users", "repeated", "users_back").rows() == expected
    first = frame.row(0, named=True)
    assert (first["n"], first["repeated"]) == (23_570, 11_662)
    assert first["so_far_share"] == pytest.approx(0.4948, abs=5e-5)


def test_scipy_finds_the_same_share_within_90_days_and_quantiles(
    journeys: Journeys, purchases: duckdb.DuckDBPyConnection
) -> None:
    days = purchases.sql(
        "select (next - day), (select max(day) from purchases) - day from purchases where nth = 1"
    ).fetchnumpy()
    took, watched = (np.ma.filled(np.ma.asarray(column).astype(float), np.nan) for column in days.values())
    censored = np.isnan(took)
    data = scipy_stats.CensoredData(uncensored=took[~censored], right=watched[censored])
    row = repeat_rate(journeys, bin="1d", horizon="90d", max_nth=2).frame.row(0, named=True)
    assert row["repeated_share"] == pytest.approx(1 - scipy_stats.ecdf(data).sf.evaluate(90))
    for q, name in ((0.5, "p50_s"), (0.9, "p90_s")):
        exact = np.quantile(took[~censored], q, method="inverted_cdf") * 86_400
        assert row[name] == pytest.approx(exact, rel=0.008)
        assert row[f"{name}_lower"] <= exact <= row[f"{name}_upper"]


@pytest.mark.parametrize(("kind", "test"), [("bounded", "="), ("unbounded", ">="), ("cumulative", "<=")])
def test_monthly_retention(journeys: Journeys, purchases: duckdb.DuckDBPyConnection, kind: str, test: str) -> None:
    # Months up to May 1998 are over on 30 June, the last day of the log; a return is a later row than the entry.
    expected = purchases.sql(
        f"""with first as (select who, date_trunc('month', day) as cohort, row as entry from purchases where nth = 1),
                 k as (select unnest(range(0, 8)) as k)
            select cohort::date, k, count(distinct f.who),
                   count(distinct case when p.row <> f.entry and datediff('month', cohort, p.day) {test} k then p.who end)
            from first f join purchases p using (who) cross join k
            where cohort + to_months(k::int + 1) <= date '1998-06-30' group by 1, 2 order by 1, 2"""
    ).fetchall()
    frame = retention(journeys, period="month", periods=7, kind=kind).frame
    assert frame.select("cohort", "period", "n", "retained").rows() == expected
    assert frame["n_cohort"].unique(maintain_order=True).to_list() == [7_846, 8_476, 7_248]


def test_weekly_states_of_customers(journeys: Journeys, purchases: duckdb.DuckDBPyConnection) -> None:
    expected = purchases.sql(
        """with w as (select distinct who, date_trunc('week', day)::date as week from purchases),
                o as (select *, lag(week) over (partition by who order by week) as before,
                             lead(week) over (partition by who order by week) as after from w),
                s as (select week, case when before is null then 'new' when before = week - 7 then 'returning'
                                   else 'resurrected' end as state from o
                      union all select week + 7, 'dormant' from o where after is null or after > week + 7)
           select week, count(*) filter (state = 'new'), count(*) filter (state = 'returning'),
                  count(*) filter (state = 'resurrected'), count(*) filter (state = 'dormant')
           from s where week < date '1998-06-29' group by 1 order by 1"""
    ).fetchall()
    frame = life_cycle(journeys, period="week").frame.filter(pl.col("complete"))
    assert frame.select("period", "new", "returning", "resurrected", "dormant").rows() == expected


def test_customers_of_a_day_and_of_its_30_days(journeys: Journeys, purchases: duckdb.DuckDBPyConnection) -> None:
    expected = purchases.sql(
        """with d as (select distinct who, day from purchases), days as (select distinct day from d)
           select day, (select count(*) from d where d.day = days.day),
                  (select count(distinct who) from d where d.day between days.day - 29 and days.day)
           from days where day between date '1997-01-30' and date '1998-06-29' order by 1"""
    ).fetchall()
    result = stickiness(journeys, windows=["30d"])
    frame = result.tables["days"].filter(pl.col("share").is_not_null() & (pl.col("active_1d") > 0))
    assert frame.select("day", "active_1d", "active").rows() == expected
    row = result.frame.row(0, named=True)
    assert row["share"] == pytest.approx(sum(n for _, n, _ in expected) / sum(n for _, _, n in expected))
    assert row["n_days"] == len(expected)


def test_value_per_customer_within_half_a_year(journeys: Journeys, purchases: duckdb.DuckDBPyConnection) -> None:
    bought, value, again = purchases.sql(
        """with first as (select who, day as begin from purchases where nth = 1),
                each as (select who, count(*) as n, sum(value) as value from purchases join first using (who)
                         where day <= begin + 180 and begin + 180 <= date '1998-06-30' group by who)
           select sum(n), sum(value), count(*) filter (n > 1) from each"""
    ).fetchall()[0]
    row = customer_value(journeys, within="180d").frame.row(0, named=True)
    assert (row["customers"], row["purchases"], row["repeated"]) == (23_570, bought, again)
    assert row["value_per_customer"] == pytest.approx(value / 23_570)
    assert row["value_per_customer_lower"] < row["value_per_customer"] < row["value_per_customer_upper"]
