"""From numbers to people: what is narrowed down is what plain Polars on the table would keep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.graph import transitions
from journeymine.journeys import Journeys
from journeymine.metrics import conversion, drop_off
from tests.oracles.logs import MINUTE, START, Row, build, logs, rule_fields

conditions = st.sampled_from(
    [
        pl.col("n_steps") > 1,
        pl.col("status") == "converted",
        pl.col("furthest_stage") == "purchase",
        pl.col("goal_at").is_null(),
        pl.lit(False),
        pl.lit(True),
    ]
)


@given(log=logs, fields=rule_fields(), condition=conditions)
def test_where_keeps_the_rows_of_the_table(log: tuple[Row, ...], fields: dict[str, Any], condition: pl.Expr) -> None:
    whole = build(log, **fields)
    kept = whole.where(condition)
    assert kept.table.equals(whole.table.filter(condition))
    ids = kept.table.select("user", "nth_journey")
    assert kept.steps.equals(whole.steps.join(ids, on=["user", "nth_journey"], how="semi", maintain_order="left"))
    # What is kept can be counted in any parts.
    assert sum(len(part) for part in kept.parts(3)) == len(kept)
    assert transitions(kept).edges.filter(pl.col("from").is_null())["n"].sum() == len(kept)
    assert kept.where(condition).table.equals(kept.table)


STEPS = pl.col("n_steps")
in_order = st.sampled_from(
    [
        STEPS.diff() > 0,
        pl.when(STEPS.cum_sum() % 2 == 0).then(pl.col("mature")).otherwise(pl.col("left_truncated")),
        pl.max_horizontal(STEPS, STEPS.shift(1)).is_between(1, STEPS.diff() + 2),
        pl.int_range(pl.len()) % 2 == 0,
        pl.col("start") == pl.col("start").min().over("user"),
        STEPS.is_in(STEPS.head(2).implode()),
        pl.col("user").is_first_distinct() & (STEPS > 1),
    ]
)


@given(log=logs, fields=rule_fields(), condition=in_order)
def test_a_condition_that_looks_at_other_rows_sees_them_as_the_table_shows_them(
    log: tuple[Row, ...], fields: dict[str, Any], condition: pl.Expr
) -> None:
    whole = build(log, **fields)
    assert whole.where(condition).table.equals(whole.table.filter(condition))
    labels = whole.segment("which", condition.cast(pl.Int8)).table["which"]
    expected = whole.table.select(condition.cast(pl.Int8).cast(pl.String).fill_null("(unknown)")).to_series()
    assert labels.to_list() == expected.to_list()


@given(log=logs, fields=rule_fields())
def test_dropped_and_through_keep_who_was_there(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    whole = build(log, **fields)
    table = whole.table
    for stage in whole.codes("stage").labels:
        lost = table.filter(status="lost", exit_stage=stage)
        assert whole.dropped(stage=stage).table.equals(lost.filter("mature"))
        assert whole.dropped(stage=stage, immature=True).table.equals(lost)
    for channel in whole.codes("channel").labels:
        lost = table.filter(status="lost", exit_channel=channel)
        assert whole.dropped(channel=channel).table.equals(lost.filter("mature"))
    assert whole.dropped(immature=True).table.equals(table.filter(status="lost"))
    # From a number back to its people, as many as the number says.
    for row in drop_off(whole, by=["stage", "channel"]).frame.iter_rows(named=True):
        assert len(whole.dropped(stage=row["stage"], channel=row["channel"])) == row["lost_here"]
    for touchpoint in whole.codes("touchpoint").labels:
        there = whole.steps.filter(~pl.col("by_company") & (pl.col("touchpoint") == touchpoint))
        expected = table.join(there, on=["user", "nth_journey"], how="semi", maintain_order="left")
        assert whole.through(touchpoint).table.equals(expected)


@given(log=logs, fields=rule_fields(), low=st.integers(0, 45), length=st.integers(0, 45))
def test_between_is_half_open(log: tuple[Row, ...], fields: dict[str, Any], low: int, length: int) -> None:
    whole = build(log, **fields)
    start = datetime.fromtimestamp(START / 1e6, UTC) + timedelta(minutes=low)
    end = start + timedelta(minutes=length)
    expected = whole.table.filter((pl.col("start") >= start) & (pl.col("start") < end))
    assert whole.between(start, end).table.equals(expected)
    assert whole.between(start.isoformat(), end.replace(tzinfo=None)).table.equals(expected)


def small() -> Journeys:
    rows = [Row("a", 0, "visit", "web", None, None, "pro", None), Row("b", 60, "order", None, 5.0, None, None, None)]
    return build(tuple(rows), goal="order", idle="10m", session_gap="3m")


def test_between_dates() -> None:
    journeys = small()
    assert len(journeys.between(date(2020, 1, 1), date(2020, 1, 2))) == 2
    assert len(journeys.between(date(2020, 1, 2), date(2020, 1, 3))) == 0
    with pytest.raises(QuestionError, match="Hint"):
        journeys.between(3, 4)


def test_a_segment_is_a_breakdown() -> None:
    journeys = small().segment("long", pl.when(pl.col("n_steps") > 1).then(pl.lit("long")))
    assert conversion(journeys, by="long").frame.select("long", "n_journeys").rows() == [("(unknown)", 2)]
    named = small().segment("who", pl.col("user").str.to_uppercase())
    assert named.table["who"].to_list() == ["A", "B"]
    assert conversion(named, by=["who", "channel"]).frame.select("who", "channel").rows() == [
        ("A", "web"),
        ("B", "(unknown)"),
    ]
    with pytest.raises(QuestionError, match="taken"):
        small().segment("status", pl.lit("x"))
    with pytest.raises(UnknownLabelError, match="Hint"):
        small().segment("x", pl.col("n_stpes"))
    with pytest.raises(QuestionError, match=r"1 rows|2 rows|3 rows|Hint"):
        small().segment("x", pl.col("user").head(0))


def test_users_are_joined_by_their_id() -> None:
    people = pl.DataFrame({"id": ["b", "z"], "tier": ["gold", "tin"], "age": [31, 9]})
    journeys = small().join_users(people, on="id")
    assert journeys.table.select("user", "tier", "age").rows() == [("a", "(unknown)", "(unknown)"), ("b", "gold", "31")]
    with pytest.raises(QuestionError, match="1 rows"):
        small().join_users(pl.DataFrame({"user": ["a", "a"], "x": [1, 2]}))
    with pytest.raises(UnknownLabelError, match="'user'"):
        small().join_users(people)


def test_what_does_not_occur_is_named() -> None:
    for ask in (
        lambda: small().through("vist"),
        lambda: small().dropped(stage="purchse"),
        lambda: small().dropped(channel="wbe"),
        lambda: small().where(pl.col("n_stepz") > 1),
        lambda: small().codes("plaan"),
    ):
        with pytest.raises(UnknownLabelError, match=r"(?s)nearest|there are"):
            ask()
    with pytest.raises(QuestionError, match="condition"):
        small().where(pl.col("n_steps"))


def test_a_column_of_the_table_selects_the_rows_it_was_taken_from() -> None:
    rows = tuple(Row(f"u{i * 7 % 40}", i * MINUTE, "visit", "web", None, None, None, None) for i in range(60))
    journeys = build(rows, goal="order", idle="10m", session_gap="3m")
    table = journeys.table
    assert journeys.users.to_list() != sorted(journeys.users)  # or the order would not matter
    held = table["user"].is_in(["u3", "u12"]) | (table["nth_journey"] > 1)
    for condition in (held, pl.lit(held), pl.int_range(pl.len()).is_in(held.arg_true().to_list())):
        assert journeys.where(condition).table.equals(table.filter(held))
    shouted = journeys.segment("who", table["user"].str.to_uppercase()).table
    assert shouted["who"].to_list() == shouted["user"].str.to_uppercase().to_list()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda j: j.where("n_steps > 3"), "no expression"),
        (lambda j: j.where(pl.col("user") > 3), "does not fit"),
        (lambda j: j.where(pl.Series([True, False, True])), "3 rows for 2 journeys"),
        (lambda j: j.segment("x", pl.concat_list("n_steps")), "one label each"),
        (lambda j: j.join_users(pl.LazyFrame({"user": ["a"], "x": [1]})), "LazyFrame"),
        (lambda j: j.join_users(pl.DataFrame({"user": [1.0], "x": [1]})), "Float64"),
    ],
    ids=["text", "types", "length", "list", "lazy", "float-ids"],
)
def test_what_is_no_selection_is_refused(ask: Callable[[Journeys], object], told: str) -> None:
    with pytest.raises(QuestionError, match=rf"(?s){told}.*Hint"):
        ask(small())
