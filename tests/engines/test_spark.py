"""Spark gives the numbers of counting in memory, to the last integer, however its partitions and batches fall."""

from __future__ import annotations

import logging
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from journeymine.engines import Mined, Spark, mine
from journeymine.engines.spark import _counted, _plan
from journeymine.engines.spark_counts import COUNTED, count_rows, to_counts
from journeymine.engines.spark_log import ddl, spark_log
from journeymine.errors import (
    EngineError,
    MissingExtraError,
    QuarantineLimitError,
    QuestionError,
    SchemaError,
    SourceError,
    UnknownLabelError,
    WildTimestampError,
)
from journeymine.events import Config, EventSchema, Source, read_config, read_events
from journeymine.graph import Transitions, Variants
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff
from tests.contracts.measures import MEASURES
from tests.engines.logs import (
    BY_THE_MINUTE,
    EVERY_COLUMN,
    EVERY_STAGE,
    RULES,
    SCHEMA,
    STAGES,
    dirty_sources,
    events_of,
    write_log,
)
from tests.engines.spark_session import arrow_rows, spark_session
from tests.engines.test_buckets import ASKED, assert_same_numbers, log

pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets that Spark's own client leaves open
]
ORDERED = pl.int_range(pl.len()).alias("seq")


def spark(n_partitions: int = 3, **fields: Any) -> Spark:
    return Spark(session=spark_session(), n_partitions=n_partitions, **({"schema": SCHEMA, "stages": STAGES} | fields))


def assert_same(found: Mined, expected: Mined, *, ordered: bool = True) -> None:
    """The same numbers, and the same report, but for what Spark does not know: single files, and order without one."""
    assert_same_numbers(found, expected)
    ours, theirs = found.report, expected.report
    assert ours is not None
    assert theirs is not None
    unknown: dict[str, Any] = {} if ordered else {"out_of_order": 0}
    plain = [
        replace(each, sources=tuple(replace(source, n_files=1, name="") for source in each.sources), **unknown)
        for each in (ours, theirs)
    ]
    assert plain[0] == plain[1]


def on_spark(frame: pl.DataFrame) -> Any:
    """A Spark DataFrame in no particular order."""
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=7)
    table = shuffled.with_columns(pl.col("ts").dt.convert_time_zone("UTC")).to_arrow()
    plain = pa.schema([(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in table.schema])
    return spark_session().createDataFrame(table.cast(plain)).repartition(4)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_log(tmp_path_factory.mktemp("log"), 20_000, 1_000, files=3)


@pytest.fixture(scope="module")
def expected(pattern: str) -> Mined:
    return mine(log(pattern), ASKED, **RULES)


@pytest.mark.parametrize("n_partitions", [2, 7])
def test_parquet_files_by_their_path_keep_their_order(pattern: str, expected: Mined, n_partitions: int) -> None:
    assert_same(mine(pattern, ASKED, engine=spark(n_partitions), **RULES), expected)


def test_users_stay_whole_when_arrow_batches_end_inside_them(tmp_path: Path) -> None:
    pattern = write_log(tmp_path / "log", 4_000, 200, files=2)
    with arrow_rows(40):
        assert_same(mine(pattern, ASKED, engine=spark(2), **RULES), mine(log(pattern), ASKED, **RULES))
        opened = spark_log(Config((Source(pattern),)), SCHEMA, spark_session())
        plan = _plan(opened, [Variants()], JourneyRules(**RULES))
        counts, _, _ = to_counts(_counted(opened.rows, plan, 2), plan)

        def batch_by_batch(batches: Any) -> Any:
            for batch in batches:
                yield from count_rows([batch], plan)

        split = opened.rows.repartition(2, "user").mapInArrow(batch_by_batch, ddl(COUNTED)).collect()
        wrong, _, _ = to_counts([tuple(row) for row in split], plan)
    # otherwise the test above would not notice
    assert wrong[0].tables["variants"]["n"].sum() > counts[0].tables["variants"]["n"].sum()


def test_spark_adds_the_counts_and_hands_over_one_table_of_each_name(
    pattern: str, expected: Mined, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[list[tuple[int, str, bytes]]] = []

    def counted(*given: Any) -> list[tuple[int, str, bytes]]:
        handed.append(_counted(*given))
        return handed[0]

    monkeypatch.setattr("journeymine.engines.spark._AT_A_TIME", 3)  # 9 parts in two rounds
    monkeypatch.setattr("journeymine.engines.spark._counted", counted)
    assert_same(mine(pattern, ASKED, engine=spark(9), **RULES), expected)
    tables = [(item, name) for item, measure in enumerate(ASKED) for name in measure.specs()]
    assert sorted((item, name) for item, name, _ in handed[0]) == [(-1, ""), *sorted(tables)]


def test_one_user_with_a_third_of_the_log_in_a_frame_without_order() -> None:
    frame = events_of(9_000, 300, skew=0.3).with_columns(ORDERED)
    schema = EventSchema(**(SCHEMA.to_fields() | {"tie_break": ["seq"]}))
    found = mine(on_spark(frame), ASKED, engine=spark(7, schema=schema), **RULES)
    assert_same(found, mine(read_events(frame, schema, stages=STAGES), ASKED, **RULES))


def test_a_dirty_log_of_several_sources_and_formats(tmp_path: Path) -> None:
    rules = {"never_before": [["account_closed", "touch_00"]]}
    sources = dirty_sources(tmp_path)
    local = read_events(sources, stages=STAGES, event_rules=rules, max_quarantine_share=0.5)
    found = mine(sources, ASKED, engine=spark(3, event_rules=rules, max_quarantine_share=0.5), **RULES)
    assert_same(found, mine(local, ASKED, **RULES), ordered=False)
    with pytest.raises(QuarantineLimitError) as ours:
        mine(sources, ASKED[:1], engine=spark(3), **RULES)
    with pytest.raises(QuarantineLimitError) as theirs:
        mine(read_events(sources, stages=STAGES), ASKED[:1], **RULES)
    assert str(ours.value).split("In ")[0] == str(theirs.value).split("In ")[0]


def test_a_configuration_whose_paths_spark_reads(tmp_path: Path) -> None:
    frame = events_of(2_000, 100).with_columns(ORDERED, pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    frame.write_ndjson(tmp_path / "log.ndjson")
    (tmp_path / "journey.toml").write_text(
        """
        [[sources]]
        path = "log.ndjson"
        timestamp = "ts"
        channel = "channel"
        value = "value"
        tie_break = "seq"
        [[stages]]
        name = "buy"
        touchpoints = ["order_placed"]
        [journeys]
        goal = "order_placed"
        idle = "20d"
        """,
        encoding="utf-8",
    )
    engine = Spark(session=spark_session(), n_partitions=2)
    found = mine(read_config(tmp_path / "journey.toml"), [Conversion()], engine=engine)
    assert_same(found, mine(read_events(tmp_path / "journey.toml"), [Conversion()]))


def test_ties_that_remain_are_broken_by_content_and_told(caplog: pytest.LogCaptureFixture) -> None:
    frame = events_of(3_000, 3, days=1).with_columns(seq=pl.lit(0))
    schema = EventSchema(**(SCHEMA.to_fields() | {"tie_break": ["seq"]}))
    with caplog.at_level(logging.WARNING, logger="journeymine"):
        found = mine(on_spark(frame), ASKED[:2], engine=spark(2, schema=schema), **RULES)
    ties = frame.group_by("user", "ts").agg(n=pl.struct(pl.exclude("user", "ts")).n_unique() - 1)["n"].sum()
    assert ties > 5
    assert any(f"{ties} ties inside a user were broken by content" in message for message in caplog.messages)
    content = [name for name in frame.columns if name not in ("user", "ts", "seq")]
    in_content_order = frame.sort("user", "ts", "seq", *content)
    assert_same(found, mine(read_events(in_content_order, SCHEMA, stages=STAGES), ASKED[:2], **RULES))


def test_a_frame_may_have_columns_that_arrow_does_not_know() -> None:
    frame = events_of(400, 20).with_columns(ORDERED)
    odd = on_spark(frame).selectExpr("*", "make_ym_interval(1, 2) AS age", "parse_json('[1]') AS raw", "1 AS `a.b``c`")
    schema = EventSchema(**(SCHEMA.to_fields() | {"tie_break": ["seq"]}))
    assert_same(
        mine(odd, ASKED[:1], engine=spark(2, schema=schema), **RULES),
        mine(read_events(frame, schema, stages=STAGES), ASKED[:1], **RULES),
    )
    with pytest.raises(SchemaError, match="'raw'"):
        mine(odd, ASKED[:1], engine=spark(schema=EventSchema(timestamp="ts", touchpoint="rav", tie_break=["seq"])))


def test_a_log_that_changes_between_the_first_look_and_the_count_is_refused() -> None:
    from pyspark.sql import functions

    schema = EventSchema(**(SCHEMA.to_fields() | {"tie_break": ["seq"]}))
    draw = functions.udf(lambda: os.urandom(1)[0] < 128, "boolean").asNondeterministic()
    frame = on_spark(events_of(3_000, 100).with_columns(ORDERED)).where(draw())
    with pytest.raises(EngineError, match="the log changed while it was read"):
        mine(frame, ASKED[:1], engine=spark(2, schema=schema), **RULES)


def test_errors_are_those_of_a_local_log(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="tie_break"):
        mine(on_spark(events_of(50, 5)), ASKED[:1], engine=spark())
    with pytest.raises(SchemaError, match="nearest: 'touchpoint'"):
        mine(pattern, ASKED[:1], engine=spark(schema=EventSchema(timestamp="ts", touchpoint="touch_point")))
    with pytest.raises(UnknownLabelError, match="nowhere"):
        mine(pattern, [Conversion(by="nowhere")], engine=spark(), **RULES)
    with pytest.raises(QuestionError, match="Spark cannot read a int"):
        mine(3, ASKED[:1], engine=spark())
    events_of(0, 5).write_parquet(tmp_path / "empty.parquet")
    with pytest.raises(SourceError, match="no rows"):
        mine(str(tmp_path / "empty.parquet"), ASKED[:1], engine=spark())
    with pytest.raises(EngineError, match="PATH_NOT_FOUND"):
        mine(str(tmp_path / "nothing.parquet"), ASKED[:1], engine=spark())


def test_a_wild_timestamp_and_a_mix_of_currencies(tmp_path: Path) -> None:
    frame = events_of(2_000, 100, days=30).with_columns(currency=pl.lit("EUR"))
    wild = frame.tail(1).with_columns(pl.col("ts").dt.offset_by("1y"), currency=pl.lit("USD"))
    pl.concat([frame, wild]).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(WildTimestampError, match="1 of 2,001"):
        mine(str(tmp_path / "log.parquet"), ASKED[:1], engine=spark(2), **RULES)
    money = EventSchema(timestamp="ts", value="cost", currency_column="currency")
    frame.with_columns(cost=1.0, currency=pl.lit("USD")).write_parquet(tmp_path / "usd.parquet")
    frame.with_columns(cost=1.0).write_parquet(tmp_path / "eur.parquet")
    with pytest.raises(SchemaError, match="several currencies"):
        mine(str(tmp_path / "[ue]*.parquet"), ASKED[:1], engine=spark(2, schema=money), **RULES)


def test_without_spark_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"journeymine\[spark\]"):
        Spark()
    monkeypatch.undo()
    with pytest.raises(QuestionError, match="n_partitions=0"):
        Spark(n_partitions=0)


def test_errors_of_ours_survive_the_way_through_pickle() -> None:
    error = pickle.loads(pickle.dumps(UnknownLabelError("what", hint="so")))  # noqa: S301
    assert (error.message, error.hint) == ("what", "so")


@pytest.mark.real
def test_the_loan_applications(real_data: Path) -> None:
    path = str(real_data / "bpic2012.parquet")
    fields = {"user": "case_id", "touchpoint": "activity", "channel": "resource"}
    rules: dict[str, Any] = {"goal": "A_ACTIVATED", "lost_at": ["A_DECLINED", "A_CANCELLED"]}
    asked = [Transitions(), Variants(), Conversion(), DropOff(by="touchpoint")]
    engine = Spark(session=spark_session(), schema=EventSchema(**fields), n_partitions=2)
    assert_same(mine(path, asked, engine=engine, **rules), mine(read_events(path, **fields), asked, **rules))


@pytest.mark.real
@pytest.mark.evidence
@pytest.mark.parametrize("skewed", [False, True])
def test_every_measure_of_the_loan_applications(real_data: Path, tmp_path: Path, skewed: bool) -> None:
    # their activities under the names that the suite's measures ask for, and every column that one of them needs
    names = {
        "A_SUBMITTED": "ad", "A_PARTLYSUBMITTED": "mail", "W_Completeren aanvraag": "visit", "O_SENT_BACK": "review",
        "W_Nabellen offertes": "call", "A_ACTIVATED": "order", "A_DECLINED": "quit",
    }  # fmt: skip
    case, amount = pl.col("case_id"), pl.col("amount_requested")
    pl.read_parquet(real_data / "bpic2012.parquet").select(
        user=pl.when(case.cast(pl.Int64) % 10 < 3).then(pl.lit("one of many")).otherwise(case) if skewed else case,
        us=pl.col("timestamp").dt.epoch("us"),
        touchpoint=pl.col("activity").replace(names),
        channel="resource",
        value=amount.cast(pl.Float64),
        cost=pl.lit(0.5),
        plan="lifecycle",
        score=amount.str.len_chars().cast(pl.Int64).clip(1, 5),
    ).write_parquet(tmp_path / "loans.parquet")
    path, rules = str(tmp_path / "loans.parquet"), BY_THE_MINUTE | {"idle": "30d", "session_gap": "8h"}
    expected = mine(read_events(path, EVERY_COLUMN, stages=EVERY_STAGE), MEASURES, **rules)
    assert expected.report.accepted == 262_200
    for n_partitions in (2, 7):
        engine = spark(n_partitions, schema=EVERY_COLUMN, stages=EVERY_STAGE)
        assert_same(mine(path, MEASURES, engine=engine, **rules), expected)
