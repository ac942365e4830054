from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import journeymine as jm
from journeymine.errors import EngineError, SchemaError, SourceError, StateError
from journeymine.events import Events, EventSchema, Source, read_events

SCHEMA = EventSchema(
    user="customer id",
    timestamp="ts",
    timezone="UTC",
    touchpoint="what",
    channel="where",
    value="eur",
    currency="EUR",
    attributes=["device"],
)


def log() -> pl.DataFrame:
    at = [datetime(2024, 5, 1, 10, 0, s, 123456, tzinfo=UTC) for s in (5, 1, 1, 9, 7)]
    return pl.DataFrame(
        {
            "unused": [[1], [2], [3], [4], [5]],
            "customer id": ["00042", "ä", "ä", "a,b", 'q"q'],
            "ts": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            "what": ["visit", "</script>", "😀", "line\nbreak", "start"],
            "where": ["web", None, "unknown", "(unknown)", "web"],
            "eur": [1.5, None, -2.25, 0.0, 1e6],
            "device": ["phone", None, "tv", "tv", "phone"],
        }
    )


def text_log() -> pl.DataFrame:
    return (
        log()
        .drop("unused")
        .with_columns(pl.col("ts").dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z"), pl.col("eur").cast(pl.String))
    )


EXPECTED = pl.DataFrame(
    {
        "user": log()["customer id"],
        "timestamp": log()["ts"],
        "touchpoint": log()["what"],
        "channel": ["web", "(unknown)", "unknown", '"(unknown)"', "web"],
        "device": ["phone", "(unknown)", "tv", "tv", "phone"],
        "value": log()["eur"],
    }
)


def write(folder: Path, ending: str) -> str:
    path = folder / f"log [1].{ending}"
    if ending == "parquet":
        log().write_parquet(path)
    elif ending in ("arrow", "feather", "ipc"):
        log().write_ipc(path)
    elif ending in ("ndjson", "jsonl"):
        text_log().with_columns(pl.col("eur").cast(pl.Float64)).write_ndjson(path)
    else:
        plain = text_log().write_csv(separator="\t" if "tsv" in ending else ",").encode()
        if ending.endswith(".gz"):
            plain = gzip.compress(plain)
        if ending.endswith(".zst"):
            plain = pa.compress(plain, codec="zstd", asbytes=True)
        path.write_bytes(plain)
    return str(path)


ENDINGS = ["parquet", "arrow", "feather", "ipc", "ndjson", "jsonl", "csv", "tsv", "csv.gz", "csv.zst"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_events(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path, ending)
    assert_frame_equal(read_events(path, SCHEMA).frame, EXPECTED)
    assert_frame_equal(read_events(Path(path), SCHEMA).frame, EXPECTED)


def in_pandas() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({name: log()[name].to_list() for name in log().columns})


def in_duckdb() -> Any:
    return pytest.importorskip("duckdb").from_arrow(log().to_arrow())


FRAMES: dict[str, Callable[[], Any]] = {
    "eager": log,
    "lazy": lambda: log().lazy(),
    "pyarrow": lambda: log().to_arrow(),
    "chunked pyarrow": lambda: pa.concat_tables([log().to_arrow().slice(i, 1) for i in range(5)]),
    "record batches": lambda: log().to_arrow().to_reader(),
    "pandas": in_pandas,
    "pandas sliced": lambda: in_pandas().iloc[::-1].iloc[::-1],
    "duckdb": in_duckdb,
}


@pytest.mark.parametrize("kind", list(FRAMES))
def test_every_frame_gives_the_same_events(kind: str) -> None:
    events = read_events(FRAMES[kind](), SCHEMA)
    assert_frame_equal(events.frame, EXPECTED)
    assert events.report.rows_read == 5
    assert events.quarantine.is_empty()


def test_inputs_are_never_modified() -> None:
    pandas = pytest.importorskip("pandas")
    frame, table = log(), log().to_arrow()
    of_pandas = pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})
    before = of_pandas.copy(deep=True)
    for source in (frame, table, of_pandas):
        events = read_events(source, SCHEMA, event_rules={"never_before": [["start", "visit"]]})
        events.check()
        events.frame.with_columns(user=pl.lit("changed"))
    assert_frame_equal(frame, log())
    assert table.equals(log().to_arrow())
    pandas.testing.assert_frame_equal(of_pandas, before)


def test_globs_are_sorted_by_name_and_lists_are_not(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        pl.DataFrame({"user": [name], "timestamp": [1], "touchpoint": ["x"]}).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    (tmp_path / "folder.parquet").mkdir()
    events = read_events(str(tmp_path / "*.parquet"), time_unit="s")
    assert events.frame["user"].to_list() == ["a", "b", "c"]
    assert [Path(path).name for path in events.files] == ["a.parquet", "b.parquet", "c.parquet"]
    listed = read_events([str(tmp_path / "c.parquet"), tmp_path / "[ab].parquet"], time_unit="s")
    assert listed.frame["user"].to_list() == ["c", "a", "b"]


def test_integer_and_odd_ids_become_text() -> None:
    ids = {"int": [1, 2], "cat": pl.Series(["1", "2"], dtype=pl.Categorical), "day": pl.Series([0, 1], dtype=pl.Date)}
    for values, expected in zip(ids.values(), (["1", "2"], ["1", "2"], ["1970-01-01", "1970-01-02"]), strict=True):
        frame = pl.DataFrame({"user": values, "timestamp": [1, 2], "touchpoint": [True, False]})
        read = read_events(frame, time_unit="s").frame
        assert read["user"].to_list() == expected
        assert read["touchpoint"].to_list() == ["true", "false"]
    with pytest.raises(SchemaError, match=r"user column 'user' of <source 1> is Float64"):
        read_events(pl.DataFrame({"user": [1.0], "timestamp": [1], "touchpoint": ["x"]}), time_unit="s")


def test_the_first_filled_user_column_wins() -> None:
    frame = pl.DataFrame(
        {"crm": ["a", None, "", None], "mail": ["m", "n", "o", ""], "timestamp": [1, 2, 3, 4], "touchpoint": ["x"] * 4}
    )
    events = read_events(frame, user=["crm", "mail"], time_unit="s", max_quarantine_share=1)
    assert events.frame["user"].to_list() == ["a", "n", "o"]
    assert events.quarantine.select("row", "reason").rows() == [(3, "user missing")]


def test_ndjson_keys_may_come_late_and_change_their_kind(tmp_path: Path) -> None:
    lines = ['{"user": 1, "timestamp": "2024-01-01T00:00:00Z", "touchpoint": "x"}'] * 1_500
    lines.append(
        '{"user": "b", "timestamp": "2024-01-01T00:00:00Z", "touchpoint": "buy", "value": 1.5, "new": {"a": 1}}'
    )
    (tmp_path / "late.ndjson").write_text("\n".join(lines))
    frame = read_events(str(tmp_path / "late.ndjson"), value="value").frame
    assert frame["value"].drop_nulls().to_list() == [1.5]
    assert set(frame["user"]) == {"1", "b"}


def test_only_used_columns_are_read(tmp_path: Path) -> None:
    log().write_parquet(tmp_path / "log.parquet")
    plan = pl.concat(read_events(str(tmp_path / "log.parquet"), SCHEMA).scan()).explain()
    assert "PROJECT 6/7 COLUMNS" in plan


# --- what cannot be read -----------------------------------------------------------------------------------------


def test_a_missing_column_names_the_file_and_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("Client_ID,time,event\n1,2024-01-01T00:00:00Z,x\n")
    with pytest.raises(SchemaError, match=r"web\.csv has no column 'client_id'(.|\n)*nearest: 'Client_ID'"):
        read_events(str(path), user="client_id", timestamp="time", touchpoint="event")
    with pytest.raises(
        SchemaError, match=r"no column 'user' \(nor 'timestamp', 'touchpoint'\)(.|\n)*columns are: 'Client_ID'"
    ):
        read_events(str(path))


def test_a_column_renamed_half_way_names_the_file_that_differs(tmp_path: Path) -> None:
    (tmp_path / "day1.csv").write_text("user,timestamp,touchpoint,source\n1,2024-01-01T00:00:00Z,x,web\n")
    (tmp_path / "day2.csv").write_text("user,timestamp,touchpoint,utm_source\n1,2024-01-02T00:00:00Z,x,web\n")
    with pytest.raises(
        SchemaError, match=r"day2\.csv has no column 'source', which the files before it have(.|\n)*'utm_source'"
    ):
        read_events(str(tmp_path / "day*.csv"), channel="source")
    own = [
        Source(str(tmp_path / f"day{i}.csv"), EventSchema(channel=name))
        for i, name in ((1, "source"), (2, "utm_source"))
    ]
    assert read_events(own).frame["channel"].to_list() == ["web", "web"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.parquet", r"does not exist(.|\n)*nearest"),
        ("nowhere/no.parquet", r"does not exist(.|\n)*folder"),
        ("*.ipc", "no file matches"),
        ("", "is a folder"),
        ("notes.txt", "no known format"),
        ("empty.csv", "cannot be opened"),
        ("broken.parquet", "cannot be opened"),
    ],
)
def test_what_is_not_there_or_not_readable(tmp_path: Path, name: str, message: str) -> None:
    log().write_parquet(tmp_path / "on.parquet")
    for other in ("notes.txt", "empty.csv", "broken.parquet"):
        (tmp_path / other).write_text("" if other == "empty.csv" else "nothing")
    with pytest.raises(SourceError, match=message):
        read_events(f"{tmp_path}/{name}", SCHEMA)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "empty list"),
        (42, "a int, which is no source"),
        ({"a": [1]}, "dict"),
        ([Source(log()), "x.csv"], "also holds a str"),
    ],
)
def test_what_is_no_source(source: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_events(source, SCHEMA)


def test_a_damaged_file_is_named_when_it_is_read(tmp_path: Path) -> None:
    head = "user,timestamp,touchpoint\n"
    (tmp_path / "a.csv").write_text(head + "1,2024-01-01T00:00:00Z,x\n")
    (tmp_path / "b.csv").write_bytes(head.encode() + b"1,2024-01-01T00:00:00Z,\xff\xfe\n" * 3)
    events = read_events(str(tmp_path / "*.csv"))
    with pytest.raises(SourceError, match=r"b\.csv cannot be read"):
        events.coded()


def test_two_sources_of_one_name_are_told_apart() -> None:
    schema = EventSchema(user="customer id", timestamp="ts", touchpoint="what")
    with pytest.raises(SourceError, match="two sources are called 'web'"):
        read_events([Source(log(), schema, "web"), Source(log(), schema, "web")])


# --- several sources ---------------------------------------------------------------------------------------------


def two_sources() -> list[Source]:
    web = pl.DataFrame({"u": ["a", "b"], "ms": [2_000, 3_000], "page": ["home", "home"]})
    till = pl.DataFrame({"card": ["a", "c"], "at": ["1970-01-01 01:00:01", "1970-01-01 01:00:09"], "sum": ["5", None]})
    return [
        Source(web, EventSchema(user="u", timestamp="ms", time_unit="ms", touchpoint="page"), "web"),
        Source(
            till,
            EventSchema(
                user="card",
                timestamp="at",
                timezone="Europe/Berlin",
                constant_touchpoint="order",
                constant_channel="store",
                value="sum",
            ),
            "till",
        ),
    ]


def test_a_source_without_rows_is_named(tmp_path: Path) -> None:
    web, till = two_sources()
    for source in ([web, replace(till, data=till.data.clear())], [replace(web, data=web.data.clear()), till]):
        name = next(each.name for each in source if not each.data.height)
        with pytest.raises(SourceError, match=rf"1 of 2 sources have no rows: '{name}'(?s:.*)Hint"):
            read_events(source).check()
        with pytest.raises(SourceError, match=rf"1 of 2 sources have no rows: '{name}'"):
            jm.mine(read_events(source), [jm.Conversion()], engine=jm.Buckets(tmp_path / name), goal="order")
    # A file of a source may be empty: somebody may have stayed at home all day.
    days = [till.data, till.data.clear()]
    assert read_events([web, replace(till, data=days)]).check().rows_read == 4


def test_several_sources_become_one_log_in_their_order() -> None:
    events = read_events(two_sources())
    assert events.frame.with_columns(pl.col("timestamp").dt.epoch("s")).rows() == [
        ("a", 2, "home", "(unknown)", None),
        ("b", 3, "home", "(unknown)", None),
        ("a", 1, "order", "store", 5.0),
        ("c", 9, "order", "store", None),
    ]
    report = events.report
    assert [(source.name, source.rows_read, source.null_channels) for source in report.sources] == [
        ("web", 2, None),
        ("till", 2, 0),
    ]
    assert report.out_of_order == 1
    assert (events.span.first, events.span.last, dict(events.span.ends)) == (
        1_000_000,
        9_000_000,
        {"web": 3_000_000, "till": 9_000_000},
    )
    assert events.span.observed_until == 3_000_000


def test_money_in_two_currencies_raises() -> None:
    frame = pl.DataFrame(
        {"user": ["a", "b"], "timestamp": [1, 2], "touchpoint": ["x", "x"], "v": [1.0, 2.0], "cur": ["EUR", "USD"]}
    )
    with pytest.raises(SchemaError, match="EUR in <source 1>; USD in <source 1>"):
        read_events(frame, time_unit="s", value="v", currency_column="cur").coded()
    with pytest.raises(SchemaError, match="EUR in <source 1>; USD in <source 1>"):
        read_events(frame, time_unit="s", value="v", currency_column="cur").survey()
    one = EventSchema(time_unit="s", value="v", currency="EUR")
    other = EventSchema(time_unit="s", cost="v", currency="CHF")
    none = EventSchema(time_unit="s", value="v")
    for schema in (other, none):
        with pytest.raises(SchemaError, match="several currencies: EUR in <p>"):
            read_events([Source(frame, one, "p"), Source(frame, schema, "q")])
    same = frame.with_columns(cur=pl.Series([" eur", "EUR"]))
    assert read_events(same, time_unit="s", value="v", currency_column="cur").currency == "EUR"
    missing = frame.with_columns(cur=pl.Series(["EUR", None]))
    events = read_events(missing, time_unit="s", value="v", currency_column="cur", max_quarantine_share=1)
    assert events.quarantine["reason"].to_list() == ["value without currency"]


def test_tie_breaks_are_whole_numbers_or_times_with_null_first() -> None:
    frame = pl.DataFrame(
        {"user": ["a"] * 5, "timestamp": [1] * 5, "touchpoint": list("vwxyz"), "seq": ["10", "9", None, "first", " "]}
    )
    events = read_events(frame, time_unit="s", tie_break=["seq"], max_quarantine_share=1)
    assert events.coded().tie_break[0].tolist() == [10, 9, -(2**63), -(2**63)]
    assert events.quarantine.select("row", "reason").rows() == [(3, "tie_break unparsable")]
    with pytest.raises(SchemaError, match="no order of its own"):
        read_events(frame.with_columns(seq=pl.lit([1])), time_unit="s", tie_break=["seq"])


def test_one_pass_serves_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from journeymine.events import log as log_module

    passes = []
    load = log_module.load
    monkeypatch.setattr(log_module, "load", lambda raw: passes.append(1) or load(raw))
    events: Events = read_events(log(), SCHEMA)
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(events.coded())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passes) == 1
    assert all(coded is seen[0] for coded in seen)


def test_what_was_handed_out_stays_as_it_was_when_events_are_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    from journeymine.events import order as order_module

    # Chunks and buckets of a few rows, as a log of millions has: rows change places.
    monkeypatch.setattr(order_module, "_CHUNK_BITS", 3)
    monkeypatch.setattr(order_module, "_BUCKET", 1)
    events: Events = read_events(log(), SCHEMA)
    before = events.coded()
    copy = before.user.to_list(), before.timestamp.tolist(), {n: c.decode().to_list() for n, c in before.labels.items()}
    ordered = events.ordered()
    assert ordered is events.ordered()
    for coded in (before, events.coded()):
        labels = {name: column.decode().to_list() for name, column in coded.labels.items()}
        assert (coded.user.to_list(), coded.timestamp.tolist(), labels) == copy
    frame = events.frame
    assert frame["user"].to_list() == copy[0]
    assert read_events(log(), SCHEMA).frame.equals(frame)


def test_events_are_read_again_when_ordering_them_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    from journeymine.events import log as log_module

    order = log_module.order_events

    def fails(*given: Any, **options: Any) -> Any:
        monkeypatch.setattr(log_module, "order_events", order)
        raise MemoryError

    events, expected = read_events(log(), SCHEMA), read_events(log(), SCHEMA).frame
    monkeypatch.setattr(log_module, "order_events", fails)
    with pytest.raises(MemoryError):
        events.ordered()
    assert events.ordered().in_input_order().user.to_list() == expected["user"].to_list()


@pytest.mark.parametrize("mark", [";", "\t"])
def test_another_separator_is_told_with_what_reads_it(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "web.csv"
    path.write_text("user,timestamp,touchpoint\n7,2024-01-01T00:00:00Z,x\n".replace(",", mark))
    with pytest.raises(SchemaError, match=r"(?s)Hint:.*give pl\.scan_csv\(.*separator=.*\)$") as told:
        read_events(str(path))
    way_out = str(told.value).rpartition("give ")[2]
    assert read_events(eval(way_out, {"pl": pl})).frame["user"].to_list() == ["7"]


def test_an_unreadable_file_is_told_without_the_advice_of_polars(tmp_path: Path) -> None:
    for name, text in (("long", "1,2024-01-01T00:00:00Z,x,more\n"), ("open", '1,2024-01-01T00:00:00Z,"x\n')):
        path = tmp_path / f"{name}.csv"
        path.write_text("user,timestamp,touchpoint\n" + text)
        with pytest.raises(SourceError) as told:
            read_events(str(path)).coded()
        assert told.value.message.startswith(f"{path} cannot be read: ")
        assert not any(advice in str(told.value) for advice in ("infer_schema", "truncate_ragged_lines"))
        assert len(str(told.value).splitlines()) == 2


def test_a_name_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    """Polars takes a path as text, and such a name is none."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    for name, content in (("log.csv", b"user,timestamp,touchpoint\na,2024-05-01T10:00:00Z,visit\n"), ("log.pq", b"")):
        (folder / name).write_bytes(content)
        for given in (folder / name, str(folder / name), [str(folder / name)], str(tmp_path / "*" / name)):
            with pytest.raises(SourceError, match=rf"caf\\udce9/{name} is not UTF-8\nHint: rename"):
                read_events(given)
    with pytest.raises(SourceError, match="does not exist"):
        read_events(folder / "other.csv")
    rows = pl.DataFrame({"user": ["a"], "timestamp": ["2024-05-01T10:00:00Z"], "touchpoint": ["visit"]})
    schema = EventSchema()
    with pytest.raises(StateError, match=r"caf\\udce9 is not UTF-8\nHint: rename"):
        jm.NightlyState.create(folder, schema=schema, rules=jm.JourneyRules(goal="visit"))
    with pytest.raises(EngineError, match=r"caf\\udce9/b is not UTF-8\nHint: rename"):
        jm.mine(read_events(rows, schema), [jm.Conversion()], engine=jm.Buckets(folder / "b"))
