"""Bucket files give the numbers of counting in memory, whatever the log, and finish what a killed run began."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.counting import Measure
from journeymine.engines import Buckets, Mined, mine
from journeymine.engines.buckets import bytes_of
from journeymine.engines.partition import _run
from journeymine.errors import (
    EngineError,
    QuarantineLimitError,
    QuestionError,
    SourceError,
    UnknownLabelError,
    WildTimestampError,
)
from journeymine.events import Events, EventSchema, read_events
from journeymine.graph import Markov, Transitions, Variants
from journeymine.journeys import build_journeys
from journeymine.metrics import Conversion, DropOff
from tests.engines.logs import RULES, SCHEMA, STAGES, dirty_sources, events_of, write_log

ASKED: list[Measure] = [
    Transitions(),
    Variants(),
    Conversion(by="channel"),
    Conversion(by=("plan", "stage"), channel_of="any"),
    DropOff(by="channel"),
]
MANIFEST = "journeymine-buckets.json"


def assert_same(found: Mined, expected: Mined) -> None:
    """Counts to the last integer, frames to the byte, and the same report on the log."""
    assert_same_numbers(found, expected)
    assert found.report == expected.report


def assert_same_numbers(found: Mined, expected: Mined) -> None:
    assert found.context == expected.context
    for name, counts in expected.counts.items():
        assert found.counts[name].equals(counts), name
    assert found.tables.keys() == expected.tables.keys()
    for name, frame in expected.tables.items():
        assert to_bytes(found.tables[name]) == to_bytes(frame), name


def to_bytes(frame: pl.DataFrame) -> str:
    """Names, types and every value; floats in full. (Arrow files pad with whatever was in memory.)"""
    return f"{frame.schema}\n{frame.write_ndjson()}"


def log(path: str, **more: Any) -> Events:
    return read_events(path, SCHEMA, stages=STAGES, **more)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_log(tmp_path_factory.mktemp("log"), 40_000, 2_000, files=4)


@pytest.fixture(scope="module")
def expected(pattern: str) -> Mined:
    return mine(log(pattern), ASKED, **RULES)


@pytest.mark.parametrize("n_buckets", [1, 2, 7, 40])
def test_any_number_of_buckets_gives_the_same(pattern: str, expected: Mined, n_buckets: int) -> None:
    assert_same(mine(log(pattern), ASKED, engine=Buckets(n_buckets=n_buckets), **RULES), expected)


def test_the_number_of_buckets_follows_the_memory(pattern: str, expected: Mined, tmp_path: Path) -> None:
    few, many = Buckets(memory="1 GiB"), Buckets(memory=400 << 20)
    events = log(pattern)
    assert few._fitting(events) == 1
    assert few._fitting(events) <= many._fitting(events)
    big = Events.__new__(Events)
    big.__dict__ |= events.__dict__ | {"_kept": dict(events._kept)}
    from dataclasses import replace

    big._kept["survey"] = replace(events.survey(), usable=(100_000_000,))
    assert 20 <= few._fitting(big) <= 60


def test_many_groups_of_files_are_read_in_input_order(
    pattern: str, expected: Mined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeymine.engines.partition.GROUP_ROWS", 9_000)
    assert_same(mine(log(pattern), ASKED, engine=Buckets(n_buckets=3), **RULES), expected)


def test_one_user_with_a_third_of_the_log(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", 30_000, 800, files=2, skew=0.3)
    assert_same(mine(log(path), ASKED, engine=Buckets(n_buckets=6), **RULES), mine(log(path), ASKED, **RULES))


def test_a_dirty_log_of_several_sources(tmp_path: Path) -> None:
    def read() -> Events:
        return read_events(
            dirty_sources(tmp_path), stages=STAGES, max_quarantine_share=0.5,
            event_rules={"never_before": [["account_closed", "touch_00"]]},
        )  # fmt: skip

    assert read().report.quarantined_by_reason["duplicate event_id"] > 100
    assert len(read().report.quarantined_by_reason) >= 4
    for n_buckets in (1, 5):
        assert_same(mine(read(), ASKED, engine=Buckets(n_buckets=n_buckets), **RULES), mine(read(), ASKED, **RULES))


def test_company_touches_and_a_goal_that_only_some_channels_bring(tmp_path: Path) -> None:
    toml = """
    [[sources]]
    path = "log.parquet"
    user = "user"
    timestamp = "ts"
    touchpoint = "touchpoint"
    channel = "channel"
    cost = "cost"
    [[touchpoints]]
    match = "touch_00"
    by_company = true
    [[touchpoints]]
    match = { touchpoint = "order_placed", channel = "email" }
    by_company = true
    """
    events_of(8_000, 500).write_parquet(tmp_path / "log.parquet")
    (tmp_path / "journey.toml").write_text(textwrap.dedent(toml), encoding="utf-8")
    asked = [Transitions(), Conversion(by="channel")]
    # so many buckets that in some of them order_placed comes by e-mail only
    found = mine(read_events(tmp_path / "journey.toml"), asked, engine=Buckets(n_buckets=200), **RULES)
    assert_same(found, mine(read_events(tmp_path / "journey.toml"), asked, **RULES))


def test_a_frame_in_memory_is_a_source_too() -> None:
    frame = events_of(5_000, 300)
    events = read_events(frame, SCHEMA)
    assert_same(mine(events, ASKED[:3], engine=Buckets(n_buckets=3), **RULES), mine(events, ASKED[:3], **RULES))


def test_the_users_of_a_bucket_may_all_be_set_aside() -> None:
    frame = pl.DataFrame(
        {"user": [f"u{i}" for i in range(30)] * 2, "t": list(range(60)), "touchpoint": ["won"] * 30 + ["met"] * 30}
    )
    events = read_events(
        frame, timestamp="t", time_unit="s", event_rules={"never_before": [["won", "met"]]}, max_quarantine_share=0.6
    )
    assert_same(mine(events, [Transitions()], engine=Buckets(n_buckets=20)), mine(events, [Transitions()]))


# -- errors ----------------------------------------------------------------------------------------------------------


def errors_alike(read: Any, asked: Iterable[Measure], kind: type[Exception], **rules: Any) -> None:
    with pytest.raises(kind) as ours:
        mine(read(), list(asked), engine=Buckets(n_buckets=4), **rules)
    with pytest.raises(kind) as theirs:
        mine(read(), list(asked), **rules)
    assert str(ours.value) == str(theirs.value)


def test_the_quarantine_limit_holds_over_the_whole_log(tmp_path: Path) -> None:
    errors_alike(lambda: read_events(dirty_sources(tmp_path)), [Transitions()], QuarantineLimitError)
    nulls = events_of(1_000, 50).with_columns(user=pl.when(pl.int_range(pl.len()) % 10 > 0).then("user"))
    errors_alike(lambda: read_events(nulls, SCHEMA), [Transitions()], QuarantineLimitError)


def test_a_wild_timestamp_is_found_before_and_after_counting() -> None:
    frame = events_of(20_000, 900, days=30).with_columns(id=pl.int_range(pl.len()).cast(pl.String))
    wild = frame.tail(1).with_columns(pl.col("ts").dt.offset_by("1y"), id=pl.lit("late"))
    plain = {"timestamp": "ts"}
    errors_alike(lambda: read_events(pl.concat([frame, wild]), **plain), [Transitions()], WildTimestampError)
    errors_alike(
        lambda: read_events(pl.concat([frame, wild]), event_id="id", **plain), [Transitions()], WildTimestampError
    )
    # the same row delivered twice is one row
    twice = pl.concat([frame.head(15_000), wild, wild])
    errors_alike(lambda: read_events(twice, event_id="id", **plain), [Transitions()], WildTimestampError)


def test_a_log_without_rows_and_one_without_usable_rows() -> None:
    errors_alike(lambda: read_events(events_of(0, 10), SCHEMA), [Transitions()], SourceError)
    unusable = events_of(10, 5).with_columns(user=pl.lit(None, dtype=pl.String))
    errors_alike(lambda: read_events(unusable, SCHEMA, max_quarantine_share=1.0), [Transitions()], SourceError)


def test_a_column_that_is_not_there(pattern: str) -> None:
    errors_alike(lambda: log(pattern), [Conversion(by="nowhere")], UnknownLabelError, **RULES)


def test_journeys_are_no_source(pattern: str) -> None:
    with pytest.raises(QuestionError, match="not from a Journeys"):
        mine(build_journeys(log(pattern), **RULES), [Transitions()], engine=Buckets())


@pytest.mark.parametrize("fields", [{"n_buckets": 0}, {"n_buckets": 100_000}, {"memory": "much"}, {"keep": True}])
def test_wrong_options(fields: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match="Hint:"):
        Buckets(**fields)
    assert bytes_of("2 GB") == 2_000_000_000


def test_a_folder_of_somebody_elses_is_left_alone(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(EngineError, match=r"thesis\.txt"):
        mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path), **RULES)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    work = tmp_path / "work"
    (work / "events").mkdir(parents=True)
    with pytest.raises(EngineError, match="other files"):
        mine(log(pattern), ASKED[:1], engine=Buckets(work), **RULES)


def test_a_folder_that_cannot_be_made(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot be used"):
        mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path / "file" / "work"), **RULES)


def test_two_processes_do_not_share_a_folder(pattern: str, tmp_path: Path) -> None:
    def meddle(what: str, done: float) -> None:
        if done > 0.4:
            mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path / "work"), **RULES)

    with pytest.raises(EngineError, match="another process"):
        mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path / "work"), progress=meddle, **RULES)


@pytest.mark.parametrize("broken", [False, True])
def test_a_log_that_changes_while_it_is_read(tmp_path: Path, broken: bool) -> None:
    path = write_log(tmp_path / "log", 2_000, 100, files=2)

    def append(what: str, done: float) -> None:
        if what == "writing buckets":
            events_of(1_001, 100).write_parquet(tmp_path / "new")
            (tmp_path / "new").replace(tmp_path / "log" / "log-0001.parquet")
            if broken:  # read half from the old and half from the new
                raise EngineError("the log cannot be written", hint="look at it")

    with pytest.raises(EngineError, match="changed while it was read"):
        mine(log(path), ASKED[:1], engine=Buckets(tmp_path / "work", n_buckets=2), progress=append, **RULES)


def test_whoever_cancels_learns_nothing_of_how_the_query_ended(tmp_path: Path) -> None:
    class Running:
        def fetch(self) -> None:
            return None

        def cancel(self) -> None:
            return None

        def fetch_blocking(self) -> None:
            raise pl.exceptions.ComputeError("the page header reported the wrong page size")

    class Query:
        def collect(self, *, background: bool) -> Running:
            assert background
            return Running()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(Query(), stop, tmp_path)  # type: ignore[arg-type]


# -- directories -----------------------------------------------------------------------------------------------------


def test_what_was_made_is_removed_unless_kept(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    mine(log(pattern), ASKED[:1], engine=Buckets(n_buckets=2), **RULES)
    mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path / "work", n_buckets=2), **RULES)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    mine(log(pattern), ASKED[:1], engine=Buckets(tmp_path / "mine", n_buckets=2), **RULES)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_cancelled_run_in_a_temporary_folder_leaves_nothing(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def stop(what: str, done: float) -> None:
        if what.startswith("counting bucket 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine(log(pattern), ASKED[:1], engine=Buckets(n_buckets=4), progress=stop, **RULES)
    assert list(tmp_path.iterdir()) == []


# -- again -----------------------------------------------------------------------------------------------------------


class Watch:
    """What an engine said that it did."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, what: str, done: float) -> None:
        self.said.append(what)

    @property
    def partitioned(self) -> bool:
        return "writing buckets" in self.said


def kept(pattern: str, folder: Path, asked: list[Measure], **rules: Any) -> tuple[Mined, Watch]:
    watch = Watch()
    return mine(
        log(pattern), asked, engine=Buckets(folder, n_buckets=4, keep=True), progress=watch, **(RULES | rules)
    ), watch


def test_kept_buckets_answer_again_and_answer_more(pattern: str, expected: Mined, tmp_path: Path) -> None:
    _, watch = kept(pattern, tmp_path / "work", ASKED[:2])
    assert watch.partitioned
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("*.parquet")}
    again, watch = kept(pattern, tmp_path / "work", ASKED)
    assert not watch.partitioned
    assert_same(again, expected)
    assert before.items() <= {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("*.parquet")}.items()
    other, watch = kept(pattern, tmp_path / "work", ASKED, idle="5d")
    assert not watch.partitioned
    assert_same(other, mine(log(pattern), ASKED, **(RULES | {"idle": "5d"})))


def test_another_log_or_other_buckets_are_made_anew(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", 4_000, 200, files=2)
    kept(path, tmp_path / "work", ASKED[:1])
    write_log(tmp_path / "log", 4_000, 200, files=2, seed=2)
    found, watch = kept(path, tmp_path / "work", ASKED[:1])
    assert watch.partitioned
    assert_same(found, mine(log(path), ASKED[:1], **RULES))
    watch = Watch()
    found = mine(log(path), ASKED[:1], engine=Buckets(tmp_path / "work", n_buckets=9), progress=watch, **RULES)
    assert watch.partitioned
    assert_same(found, mine(log(path), ASKED[:1], **RULES))


def damage(path: Path) -> None:
    """Flip a byte in the middle; the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "victim", ["events", "counts", "manifest", "no manifest file", "a counts folder", "half a manifest"]
)
def test_what_is_damaged_is_made_anew(
    pattern: str, expected: Mined, tmp_path: Path, victim: str, caplog: pytest.LogCaptureFixture
) -> None:
    work = tmp_path / "work"
    kept(pattern, work, ASKED)
    manifest = work / MANIFEST
    if victim == "events":
        damage(sorted((work / "events").rglob("*.parquet"))[1])
    elif victim == "counts":
        damage(sorted((work / "counts").rglob("*.parquet"))[3])
    elif victim == "a counts folder":
        for path in sorted((work / "counts").rglob("0002/*")):
            path.unlink()
    elif victim == "manifest":
        manifest.write_text(json.dumps({"format": 1, "files": 3}), encoding="utf-8")
    elif victim == "half a manifest":
        manifest.write_bytes(manifest.read_bytes()[:100])
    else:
        manifest.unlink()
    with caplog.at_level(logging.WARNING, logger="journeymine"):
        found, watch = kept(pattern, work, ASKED)
    assert_same(found, expected)
    assert watch.partitioned == (victim not in ("counts", "a counts folder"))
    assert bool(caplog.messages) == (victim != "no manifest file")


KILLED = """
    import os, signal, sys
    from journeymine.engines import Buckets, mine
    from tests.engines.logs import RULES
    from tests.engines.test_buckets import ASKED, log

    pattern, folder, moment = sys.argv[1:]

    def die(what, done):
        if what.startswith(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    mine(log(pattern), ASKED, engine=Buckets(folder, n_buckets=6), progress=die, **RULES)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("moment", ["writing buckets", "counting bucket 4", "merging"])
def test_a_killed_run_is_finished_by_the_next(
    pattern: str, expected: Mined, tmp_path: Path, moment: str, repository: Path
) -> None:
    work = tmp_path / "work"
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), pattern, str(work), moment],
        cwd=repository, env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])}, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert (work / MANIFEST).exists()
    finished = {p: p.stat().st_mtime_ns for p in (work / "counts").rglob("*.parquet")}
    assert (
        len({path.parent.name for path in finished})
        == {"writing buckets": 0, "counting bucket 4": 3, "merging": 6}[moment]
    )
    watch = Watch()
    found = mine(log(pattern), ASKED, engine=Buckets(work, n_buckets=6, keep=True), progress=watch, **RULES)
    assert_same(found, expected)
    assert watch.partitioned == (moment == "writing buckets")
    assert finished.items() <= {p: p.stat().st_mtime_ns for p in (work / "counts").rglob("*.parquet")}.items()


@pytest.mark.parametrize("what", ["journeymine-buckets.json.new", "tally.json", "outcomes.parquet", "partition.json"])
def test_a_disk_that_is_full_is_an_error_of_the_engine_and_the_next_run_goes_on(
    pattern: str, expected: Mined, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Buckets(tmp_path / "work", n_buckets=3)
    opened = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if self.name == what and "w" in mode:
            raise OSError(28, "No space left on device")
        return opened(self, mode, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(EngineError, match=r"cannot be written.*No space left") as told:
            mine(log(pattern), ASKED, engine=engine, **RULES)
    assert "make room" in told.value.hint
    assert_same(mine(log(pattern), ASKED, engine=engine, **RULES), expected)


@pytest.mark.parametrize("name", ["bucket", "codes", "position", "n", "_row"])
def test_an_attribute_may_be_called_anything(name: str) -> None:
    frame = events_of(2_000, 100).with_columns(pl.Series(name, ["p", None, "q", "r"] * 500))
    asked: list[Measure] = [DropOff(by="channel"), Markov(by=name) if name not in ("n", "_row") else Markov()]

    def read() -> Events:
        return read_events(frame, EventSchema(**{**SCHEMA.to_fields(), "attributes": [name]}))

    assert_same(mine(read(), asked, engine=Buckets(n_buckets=4), **RULES), mine(read(), asked, **RULES))
