"""The true journeys against the log, cut in plain SQL."""

from __future__ import annotations

import datetime as dt

import polars as pl

INSIDE = (dt.datetime(2026, 2, 10, tzinfo=dt.UTC), dt.datetime(2026, 5, 20, tzinfo=dt.UTC))


def seen(steps: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("touchpoint") == "order_placed"
    return (
        steps.sort("user", "timestamp")
        .group_by("user", "journey", maintain_order=True)
        .agg(
            start=pl.col("timestamp").min().dt.truncate("1s"),
            end=pl.col("timestamp").max().dt.truncate("1s"),
            goal_at=pl.col("timestamp").filter(order).min().dt.truncate("1s"),
            orders=order.sum(),
            value=pl.col("value").sum(),
            entry_channel=pl.col("channel").first(),
            last_channel=pl.col("channel").last(),
        )
        .filter(pl.col("start").is_between(*INSIDE))
        .sort("user", "start")
    )


def test_every_true_journey_is_found_in_the_log_by_its_gaps(steps: pl.DataFrame, truth: pl.DataFrame) -> None:
    found = seen(steps)
    known = truth.filter(pl.col("start").is_between(*INSIDE), pl.col("ends_in_log")).sort("user", "start")
    assert known.height > 2_500
    joined = known.join(found, on=["user", "start"], how="left", suffix="_seen")
    assert joined["journey"].null_count() == 0
    assert (joined["end"] == joined["end_seen"]).all()
    assert joined["goal_at"].eq_missing(joined["goal_at_seen"]).all()
    assert ((joined["outcome"] == "converted") == (joined["orders"] == 1)).all()
    assert joined["value"].fill_null(0).equals(joined["value_seen"])
    assert (joined["entry_channel"] == joined["entry_channel_seen"]).all()
    lost = joined.filter(outcome="lost")
    assert (lost["exit_channel"] == lost["last_channel"]).all()


def test_no_journey_is_in_the_log_that_is_not_true(steps: pl.DataFrame, truth: pl.DataFrame) -> None:
    found = seen(steps)
    assert found.join(truth, on=["user", "start"], how="anti").height == 0


def test_nothing_happens_after_a_closed_account(steps: pl.DataFrame, truth: pl.DataFrame) -> None:
    closed = truth.filter("closes_account")
    assert closed.height > 20
    assert (closed["outcome"] == "lost").all()
    last = steps.sort("timestamp").group_by("user").agg(pl.col("touchpoint").last())
    users = steps.filter(touchpoint="account_closed").select("user")
    assert set(last.join(users, on="user", how="semi")["touchpoint"]) == {"account_closed"}


def test_some_journeys_are_cut_off_at_either_end_of_the_log(truth: pl.DataFrame) -> None:
    assert truth.filter(~pl.col("starts_in_log")).height > 50
    assert truth.filter(~pl.col("ends_in_log")).height > 50
