"""The loan applications of BPI Challenge 2012 as journeys."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from journeymine.columns import MICRO
from journeymine.events import Events, StageMap, read_events
from journeymine.graph import transitions, variants
from journeymine.journeys import build_journeys
from journeymine.metrics import conversion, drop_off
from tests.real.duckdb_graph import edges

pytestmark = pytest.mark.real
GOAL, LOST = "A_ACTIVATED", ["A_DECLINED", "A_CANCELLED"]
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def path(real_data: Path) -> Path:
    return real_data / "bpic2012.parquet"


@pytest.fixture(scope="module")
def events(path: Path) -> Events:
    return read(path)


def read(path: Path, stages: StageMap | None = None) -> Events:
    return read_events(
        path, stages=stages, user="case_id", timestamp="timestamp", touchpoint="activity", value="amount_requested",
        currency="EUR", attributes=["lifecycle"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def raw(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path).select(who="case_id", what="activity", us=pl.col("timestamp").dt.epoch("us"))


def test_the_graph_is_that_of_duckdb_to_the_microsecond(events: Events, raw: pl.DataFrame) -> None:
    journeys = build_journeys(events, goal=GOAL, lost_at=LOST, split="user")
    assert (len(journeys.coded), len(journeys)) == (262_200, 13_087)
    steps = transitions(journeys).steps
    assert (steps.height, steps["n"].sum()) == (125, 249_113)
    expected = edges(raw)
    found = steps.select("from", "to", "n", "n_journeys", "n_users").sort("from", "to").rows()
    assert found == [row[:5] for row in expected]
    times = steps.sort("from", "to").select("mean_s", "min_s", "max_s").rows()
    for (mean, least, greatest), row in zip(times, expected, strict=True):
        assert (least, greatest) == (row[6] / MICRO, row[7] / MICRO)
        assert mean == pytest.approx(int(row[5]) / row[2] / MICRO, rel=1e-14)


def test_the_counts_hold_the_exact_microseconds(events: Events, raw: pl.DataFrame) -> None:
    from journeymine.counting import count_in_memory
    from journeymine.graph import Transitions
    from journeymine.stats.wide import to_python_ints

    journeys = build_journeys(events, goal=GOAL, split="user")
    times = count_in_memory(Transitions(), journeys, n_steps=50_000).tables["times"]
    exact = dict(
        zip(times.select("from", "to").rows(), to_python_ints(times["_time_hi"], times["_time_lo"]), strict=True)
    )
    assert exact == {(row[0], row[1]): int(row[5]) for row in edges(raw)}


def test_the_variants_are_those_of_duckdb(events: Events, raw: pl.DataFrame) -> None:
    numbered = raw.with_row_index("row")  # noqa: F841  # read by name in the query
    sql = """select path, count(*) from (select list(what order by us, row) as path from numbered group by who)
             group by path"""
    expected = {tuple(path): n for path, n in duckdb.sql(sql).fetchall()}
    frame = variants(build_journeys(events, goal=GOAL, split="user")).frame
    found = {tuple(path): n for path, n in frame.select("path", "n").iter_rows()}
    assert len(found) == frame.height == 4_366
    assert found == expected
    assert frame["n"].is_sorted(descending=True)
    assert frame["covered"][-1] == pytest.approx(1)


def test_the_graph_and_the_variants_are_those_of_rust4pm(events: Events, real_data: Path) -> None:
    r4pm = pytest.importorskip("r4pm")
    log = r4pm.import_item("EventLog", str(real_data / "bpic2012.xes.gz"))
    dfg = r4pm.bindings.discover_dfg(log)
    expected = {(a, b): n for (a, b), n in dfg["directly_follows_relations"]}
    journeys = build_journeys(events, split="user")
    graph = transitions(journeys)
    assert {(a, b): n for a, b, n in graph.steps.select("from", "to", "n").iter_rows()} == expected
    assert dict(graph.nodes.select("label", "n").iter_rows()) == dfg["activities"]
    assert set(graph.edges.filter(pl.col("from").is_null())["to"]) == set(dfg["start_activities"])
    assert set(graph.edges.filter(pl.col("to").is_null())["from"]) == set(dfg["end_activities"])
    projection = r4pm.bindings.log_to_activity_projection(log)
    assert variants(journeys).frame.height == r4pm.bindings.get_num_variants(projection)


def test_outcomes_of_whole_applications(events: Events, raw: pl.DataFrame) -> None:
    journeys = build_journeys(events, goal=GOAL, lost_at=LOST, split="user")
    status = dict(journeys.table.group_by("status").len().iter_rows())
    won = raw.group_by("who").agg(
        won=(pl.col("what") == GOAL).any(), lost=pl.col("what").is_in(LOST).any(), end=pl.col("us").max()
    )
    until = raw["us"].max()
    expected = won.select(
        pl.when("won").then(pl.lit("converted"))
        .when(pl.col("lost") | (until - pl.col("end") > 30 * DAY)).then(pl.lit("lost")).otherwise(pl.lit("open")).alias("s")
    )  # fmt: skip
    assert status == dict(expected.group_by("s").len().iter_rows())
    assert (status["converted"], sum(status.values())) == (2_246, 13_087)
    row = conversion(journeys).frame.row(0, named=True)
    starts = raw.group_by("who").agg(start=pl.col("us").min(), won=(pl.col("what") == GOAL).any())
    mature = starts.filter(pl.col("start") <= until - 60 * DAY)
    assert (row["n"], row["converted"], row["n_journeys"]) == (mature.height, mature["won"].sum(), 13_087)
    assert row["share"] == mature["won"].sum() / mature.height
    assert row["share_lower"] < row["share"] < row["share_upper"]


def test_cut_at_goal_and_idle_those_after_an_activation_stand_apart(events: Events) -> None:
    journeys = build_journeys(events, goal=GOAL)
    assert len(journeys) == 15_344
    assert int((journeys.heads.prior_goals > 0).sum()) == 2_247
    table = conversion(journeys, by="new_or_returning").frame
    by = {row["new_or_returning"]: row for row in table.iter_rows(named=True)}
    assert (by["new"]["n_journeys"], by["returning"]["n_journeys"]) == (15_344 - 2_247, 2_247)
    assert by["returning"]["converted"] == 0
    # The share of new customers is that of the applications themselves, up to the ten that idled in between.
    whole = conversion(build_journeys(events, goal=GOAL, split="user")).frame
    assert by["new"]["share"] == pytest.approx(whole["share"][0], abs=0.001)
    lost = drop_off(journeys, by=["touchpoint", "new_or_returning"]).frame
    new = lost.filter(new_or_returning="new")["lost_here"].sum()
    status = journeys.table.filter(pl.col("mature") & (pl.col("status") == "lost"))
    assert new == status.filter(pl.col("prior_goals") == 0).height
    assert lost["lost_here"].sum() == status.height


STAGES = StageMap.of(
    {
        "application": ["A_SUBMITTED", "A_PARTLYSUBMITTED", "A_PREACCEPTED", "W_Completeren aanvraag",
                        "W_Afhandelen leads", "A_ACCEPTED", "A_FINALIZED", "A_DECLINED", "A_CANCELLED",
                        "W_Beoordelen fraude"],
        "offer": ["O_SELECTED", "O_CREATED", "O_SENT", "O_SENT_BACK", "O_CANCELLED", "O_DECLINED"],
        "loan": ["A_ACTIVATED", "A_APPROVED", "A_REGISTERED", "O_ACCEPTED", "W_*"],
    }
)  # fmt: skip


def test_with_stages_what_follows_an_activation_is_service_or_after_sale(path: Path) -> None:
    events = read(path, STAGES)
    cut = build_journeys(events, goal=GOAL, after_goal="cut")
    status = dict(cut.table.group_by("status").len().iter_rows())
    assert len(cut) == 15_344
    assert (status["converted"], status["service"]) == (2_246, 2_247)
    row = conversion(cut).frame.row(0, named=True)
    assert (row["service"], row["n_journeys"]) == (2_247, 15_344)
    assert (
        drop_off(cut).frame["lost_here"].sum()
        == cut.where(pl.col("mature") & (pl.col("status") == "lost")).table.height
    )
    # Kept in the journey instead: what follows the activation is its after-sale part.
    stay = build_journeys(events, goal=GOAL)
    assert dict(stay.table.group_by("status").len().iter_rows())["converted"] == 2_246
    assert len(stay) - stay.table.filter(status="service").height == 15_344 - 2_247


def test_ties_follow_the_order_of_rows_and_nothing_else_does(path: Path, raw: pl.DataFrame) -> None:
    frame = pl.read_parquet(path)
    assert variants(build_journeys(read_frame(frame.reverse()), split="user")).frame.height == 4_395
    # Shuffled, with the old order as tie-break: everything as before.
    shuffled = frame.with_row_index("seq").sample(fraction=1.0, shuffle=True, seed=5)
    whole = read_events(shuffled, user="case_id", timestamp="timestamp", touchpoint="activity", tie_break=["seq"])
    before = transitions(build_journeys(read_frame(frame), split="user"))
    again = transitions(build_journeys(whole, split="user"))
    assert again.edges.equals(before.edges)
    by_label = read_events(
        frame.sort("activity", maintain_order=True), user="case_id", timestamp="timestamp", touchpoint="activity"
    )
    journeys = build_journeys(by_label, split="user")
    assert (transitions(journeys).steps.height, variants(journeys).frame.height) == (102, 3_792)


def read_frame(frame: pl.DataFrame) -> Events:
    return read_events(frame, user="case_id", timestamp="timestamp", touchpoint="activity")
