"""Permit receipts with a real channel and offsets that change with summer time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from journeymine.columns import MICRO
from journeymine.events import read_events
from journeymine.graph import transitions, variants
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import conversion
from tests.real.duckdb_graph import edges

pytestmark = pytest.mark.real
GOAL = "T10 Determine necessity to stop indication"


@pytest.fixture(scope="module")
def journeys(real_data: Path) -> Journeys:
    events = read_events(
        real_data / "receipt.csv.gz", user="case:concept:name", timestamp="time:timestamp", touchpoint="concept:name",
        channel="case:channel",
    )  # fmt: skip
    return build_journeys(events, goal=GOAL, split="user")


@pytest.fixture(scope="module")
def raw(real_data: Path) -> pl.DataFrame:
    sql = f"""select "case:concept:name" as who, "concept:name" as what, epoch_us("time:timestamp"::timestamptz) as us,
                     "case:channel" as channel from read_csv('{real_data / "receipt.csv.gz"}', all_varchar=true)"""
    return duckdb.sql(sql).pl()


def test_the_graph_is_that_of_duckdb(journeys: Journeys, raw: pl.DataFrame) -> None:
    assert (len(journeys.coded), len(journeys)) == (8_577, 1_434)
    steps = transitions(journeys).steps.sort("from", "to")
    expected = edges(raw)
    assert steps.height == 99
    assert steps.select("from", "to", "n").rows() == [row[:3] for row in expected]
    assert steps["min_s"].to_list() == [row[6] / MICRO for row in expected]
    assert steps["max_s"].to_list() == [row[7] / MICRO for row in expected]
    assert variants(journeys).frame.height == 116


def test_the_graph_is_that_of_rust4pm(journeys: Journeys, raw: pl.DataFrame) -> None:
    r4pm = pytest.importorskip("r4pm")
    log = raw.select(
        pl.col("who").alias("case:concept:name"), pl.col("what").alias("concept:name"),
        pl.from_epoch("us", time_unit="us").dt.replace_time_zone("UTC").alias("time:timestamp"),
    )  # fmt: skip
    item = r4pm.import_item_from_df("EventLog", log)
    dfg = r4pm.bindings.discover_dfg(item)
    steps = transitions(journeys).steps
    assert {(a, b): n for a, b, n in steps.select("from", "to", "n").iter_rows()} == {
        (a, b): n for (a, b), n in dfg["directly_follows_relations"]
    }


def test_conversion_by_the_real_channel(journeys: Journeys, raw: pl.DataFrame) -> None:
    until = raw["us"].max() - 60 * 86_400_000_000
    cases = raw.group_by("who").agg(
        channel=pl.col("channel").sort_by("us").first(), start=pl.col("us").min(), won=(pl.col("what") == GOAL).any()
    )
    expected = {
        channel: (everybody, n, won)
        for channel, everybody, n, won in cases.group_by("channel")
        .agg(pl.len(), n=(pl.col("start") <= until).sum(), won=(pl.col("won") & (pl.col("start") <= until)).sum())
        .iter_rows()
    }
    frame = conversion(journeys, by="channel").frame
    found = {row["channel"]: (row["n_journeys"], row["n"], row["converted"]) for row in frame.iter_rows(named=True)}
    assert found == expected
    assert set(found) == {"Internet", "Desk", "Post", "e-mail", "Intern"}
    for row in frame.iter_rows(named=True):
        assert row["share"] == row["converted"] / row["n"]
        assert row["share_lower"] < row["share"] <= row["share_upper"]
        assert row["sparse"] == (row["n_users"] < 300 or row["converted"] < 30)
