"""What was planted, found again in the log by plain SQL that knows nothing of the simulation."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pytest
from scipy import stats

from journeymine.retailer import planted_in
from journeymine.retailer.blueprint import TOUCHPOINTS


def mature(steps: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Steps of the journeys `planted.json` counts; which of them begin before the log, no log can tell."""
    starts = truth.filter("mature").select("user", start="start")
    return steps.with_columns(start=pl.col("start").dt.truncate("1s")).join(starts, on=["user", "start"], how="semi")


@pytest.fixture(scope="module")
def counted(steps: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    found = mature(steps, truth)
    assert found["journey"].n_unique() == truth["mature"].sum()
    return found


def test_the_headline_counts_are_those_of_the_log(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    assert counted["journey"].n_unique() == facts["mature_journeys"]
    assert counted.filter(touchpoint="order_placed")["journey"].n_unique() == facts["mature_converted"]


def test_the_app_fault_stands_out_in_its_week(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    fault = facts["facts"]["app_checkout_fault"]
    weeks = duckdb.sql(
        """
        WITH baskets AS (
            SELECT journey, min(timestamp AT TIME ZONE 'Europe/Berlin') AS filled FROM counted
            WHERE touchpoint = 'basket_filled' AND channel = 'app' GROUP BY journey
        ), fates AS (
            SELECT journey, bool_or(touchpoint = 'app_payment_error') AS failed,
                   bool_or(touchpoint = 'payment_help_called') AS called, bool_or(touchpoint = 'order_placed') AS ordered
            FROM counted GROUP BY journey
        )
        SELECT strftime(filled, '%G-W%V') AS week, count(*) AS n,
               countif(failed)::BIGINT AS failed, countif(called)::BIGINT AS called, countif(ordered)::BIGINT AS ordered
        FROM baskets JOIN fates USING (journey) GROUP BY week ORDER BY week
        """
    ).pl()
    that = weeks.filter(week=fault["week"]).row(0, named=True)
    rest = weeks.filter(pl.col("week") != fault["week"]).sum().row(0, named=True)
    assert that["failed"] >= fault["journeys_hit"] > 0.7 * that["n"]
    assert that["failed"] - fault["journeys_hit"] <= 4  # errors of every day
    assert rest["failed"] / rest["n"] < 0.12
    assert that["called"] / that["n"] > 2 * rest["called"] / rest["n"]
    table = [[that["ordered"], that["n"] - that["ordered"]], [rest["ordered"], rest["n"] - rest["ordered"]]]
    assert that["ordered"] / that["n"] < 0.6 * rest["ordered"] / rest["n"]
    assert stats.fisher_exact(table).pvalue < 1e-4
    # Had the week been like the others, about as many more would have ordered as the simulation counts.
    missing = that["n"] * rest["ordered"] / rest["n"] - that["ordered"]
    assert missing == pytest.approx(fault["orders_lost"], abs=3 * (that["n"] * 0.25) ** 0.5)
    assert fault["value_lost"] == pytest.approx(fault["orders_lost"] * 72, rel=0.5)


def test_retargeting_takes_last_touches_and_moves_nobody(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    overrated = facts["facts"]["overrated_channel"]
    before_order = (
        counted.sort("journey", "timestamp")
        .with_columns(before=pl.col("channel").shift(1).over("journey"))
        .filter(touchpoint="order_placed")
    )
    share = (before_order["before"] == "retargeting").mean()
    assert share == pytest.approx(overrated["share_of_orders_by_last_touch"], abs=1e-4)
    assert share > 0.25  # type: ignore[operator]
    online = (
        counted.group_by("journey")
        .agg(
            checkout=((pl.col("touchpoint") == "basket_filled") & (pl.col("channel") != "store")).any(),
            saw=(pl.col("channel") == "retargeting").any(),
            ordered=(pl.col("touchpoint") == "order_placed").any(),
        )
        .filter("checkout")
    )
    table = [[online.filter(saw=saw, ordered=ordered).height for ordered in (True, False)] for saw in (True, False)]
    assert sum(table[0]) == overrated["journeys_reached"]
    assert table[0][0] == overrated["orders_right_after_it"]
    assert stats.fisher_exact(table).pvalue > 0.05
    assert overrated["true_incremental_orders"] == 0
    worth = facts["true_incremental_orders"]
    assert worth["email"] > 15
    assert worth["paid_search"] > 10


def test_the_handover_from_email_to_store_leaks(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    handover = facts["facts"]["leaking_handover"]
    pairs = duckdb.sql(
        """
        WITH pairs AS (
            SELECT journey, channel AS from_channel, touchpoint AS left_at,
                   lead(channel) OVER w AS to_channel, lead(touchpoint) OVER w AS arrived_at,
                   lead(channel, 2) OVER w AS after, row_number() OVER w AS place
            FROM counted WINDOW w AS (PARTITION BY journey ORDER BY timestamp)
        )
        SELECT journey, from_channel, to_channel, after IS NULL AS ends FROM pairs
        WHERE to_channel IS NOT NULL AND left_at IN ('newsletter_clicked', 'offer_mail_clicked')
          AND arrived_at IN ('store_visited', 'product_tried', 'account_closed')
        QUALIFY row_number() OVER (PARTITION BY journey, from_channel, to_channel ORDER BY place) = 1
        """
    ).pl()
    crossing = pairs.filter(from_channel="email", to_channel="store")
    assert crossing.height == handover["journeys_that_cross"]
    assert crossing["ends"].sum() == handover["lost_right_after_crossing"]
    assert 0.28 < crossing["ends"].mean() < 0.40  # type: ignore[operator]
    steps_in_store = (
        counted.sort("journey", "timestamp")
        .with_columns(
            before=pl.col("channel").shift(1).over("journey"),
            after=pl.col("channel").shift(-1).over("journey"),
        )
        .filter(
            pl.col("channel") == "store",
            pl.col("before").is_in(["web", "app"]),
            pl.col("touchpoint").is_in(["store_visited", "product_tried", "account_closed"]),
        )
    )
    assert steps_in_store["after"].is_null().mean() < 0.22  # type: ignore[operator]  # from elsewhere, few leave


def test_consideration_on_the_web_loses_most(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    stage = facts["facts"]["leaking_stage"]
    stage_of = {touchpoint.name: touchpoint.stage for touchpoint in TOUCHPOINTS}
    ends = (
        counted.sort("journey", "timestamp")
        .group_by("journey")
        .agg(pl.col("touchpoint", "channel").last(), ordered=(pl.col("touchpoint") == "order_placed").any())
        .filter(~pl.col("ordered"))
        .with_columns(stage=pl.col("touchpoint").replace_strict(stage_of))
    )
    assert ends.height == stage["lost"]
    assert dict(ends.group_by("stage").len().iter_rows()) == stage["lost_by_stage"]
    places = ends.group_by("stage", "channel").len().sort("len", descending=True)
    assert places.row(0) == ("consideration", "web", stage["lost_in_consideration_on_web"])
    assert stage["lost_by_stage"]["consideration"] > stage["lost"] / 2


def test_deliveries_disappoint(counted: pl.DataFrame, facts: dict[str, Any]) -> None:
    dip = facts["facts"]["delivery_dip"]
    parcels = counted.filter(touchpoint="parcel_delivered")["satisfaction"]
    rest = counted.filter(pl.col("touchpoint") != "parcel_delivered")["satisfaction"].drop_nulls()
    assert len(parcels) == dip["asked"]
    assert parcels.count() == dip["answered"]
    assert parcels.mean() == pytest.approx(dip["mean_of_answers"], abs=1e-4)
    assert dip["mean_of_answers"] < dip["mean_of_all"] < dip["mean_elsewhere"] - 0.5
    assert rest.mean() == pytest.approx(dip["mean_elsewhere"], abs=0.15)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_every_seed_plants_them(seed: int) -> None:
    found = planted_in(seed=seed)["facts"]
    assert found["app_checkout_fault"]["orders_lost"] >= 8
    assert found["overrated_channel"]["true_incremental_orders"] == 0
    assert 0.27 < found["leaking_handover"]["share_lost_right_after_crossing"] < 0.42
    assert found["leaking_stage"]["onward_from_web"] < found["leaking_stage"]["onward_from_elsewhere"] - 0.15
    lost = found["leaking_stage"]["lost_by_stage"]
    assert lost["consideration"] > lost["awareness"] + lost["purchase"]


def test_nothing_is_planted_in_the_null_case() -> None:
    null = planted_in(planted=False)
    assert null["facts"] == {}
    assert all(abs(share - 0.6) < 0.05 for share in null["onward_share"].values())
