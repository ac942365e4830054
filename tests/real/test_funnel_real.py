"""A funnel with re-entry over the loan applications, against SQL that tries every pair and triple of events."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from journeymine.events import read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import funnel

pytestmark = pytest.mark.real
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def applications(request: pytest.FixtureRequest) -> Journeys:
    path = request.getfixturevalue("real_data") / "bpic2012.parquet"
    events = read_events(path, user="case_id", timestamp="timestamp", touchpoint="activity", attributes=["lifecycle"])
    return build_journeys(events, split="user")


def triples(path: Path, steps: tuple[str, str, str], days: int, *, same: bool = False) -> list[tuple[int, ...]]:
    """Cases that enter with a closed window, and those of them that get two and three steps far."""
    held = "and b.lifecycle = a.lifecycle" if same else ""
    held_on = "and c.lifecycle = a.lifecycle" if same else ""
    first, second, third = steps
    return duckdb.sql(
        f"""
        with e as (select case_id as u, epoch_us("timestamp") as t, activity as what, lifecycle,
                          row_number() over () as row from read_parquet('{path}')),
        o as (select *, row_number() over (partition by u order by t, row) as i from e),
        a as (select * from o where what = '{first}' and t + {days * DAY} <= (select max(t) from e)),
        b as (select distinct a.u, a.i as entry, a.t, b.i, a.lifecycle from a join o b
              on b.u = a.u and b.i > a.i and b.t <= a.t + {days * DAY} and b.what = '{second}' {held}),
        c as (select distinct a.u from b a join o c
              on c.u = a.u and c.i > a.i and c.t <= a.t + {days * DAY} and c.what = '{third}' {held_on})
        select (select count(distinct u) from a), (select count(distinct u) from b), (select count(*) from c)
        """
    ).fetchall()


@pytest.mark.parametrize("days", [1, 14, 40])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(
    "steps",
    [
        ("A_SUBMITTED", "A_ACCEPTED", "A_ACTIVATED"),
        ("O_SENT", "O_CANCELLED", "O_SENT"),
        ("W_Nabellen offertes", "W_Nabellen offertes", "W_Valideren aanvraag"),
    ],
)
def test_it_equals_sql_over_all_triples(
    applications: Journeys, real_data: Path, steps: tuple[str, str, str], same: bool, days: int
) -> None:
    result = funnel(applications, steps=steps, within=f"{days}d", same="lifecycle" if same else None)
    assert [tuple(result.frame["n"])] == triples(real_data / "bpic2012.parquet", steps, days, same=same)


def test_each_clerk_and_month_equals_sql_over_all_pairs(real_data: Path) -> None:
    path, days = real_data / "bpic2012.parquet", 3
    events = read_events(path, user="case_id", timestamp="timestamp", touchpoint="activity", attributes=["resource"])
    steps = ("W_Nabellen offertes", "W_Valideren aanvraag")
    found = funnel(build_journeys(events, split="user"), steps=steps, within=f"{days}d", by="resource", trend="month")
    trend = found.tables["trend"].with_columns(period=pl.col("period").cast(pl.String)).sort("nth")
    got = trend.group_by("resource", "period", maintain_order=True).agg("n", "immature")
    rows = duckdb.sql(
        f"""
        with e as (select case_id as u, epoch_us("timestamp") as t, activity as what,
                          coalesce(cast(resource as varchar), '(unknown)') as clerk,
                          row_number() over () as row from read_parquet('{path}')),
        o as (select *, row_number() over (partition by u order by t, row) as i from e),
        a as (select u, clerk, strftime(date_trunc('month', make_timestamp(t)), '%Y-%m-%d') as month,
                     t + {days * DAY} <= (select max(t) from e) as closed,
                     exists (select 1 from o b where b.u = a.u and b.i > a.i and b.t <= a.t + {days * DAY}
                             and b.what = '{steps[1]}') as went
              from o a where what = '{steps[0]}'),
        g as (select u, clerk, month, bool_or(closed) as closed, bool_or(closed and went) as through,
                     bool_or(went) as went from a group by all)
        select clerk, month, [count(*) filter (closed), count(*) filter (through)],
               [count(*) filter (not closed), count(*) filter (not closed and went)] from g group by all
        """
    ).fetchall()
    assert len(rows) > 200
    assert sorted(got.rows()) == sorted(rows)
