"""The report of a night: files that say as of when, chances of open journeys, exit codes for a scheduler."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from journeymine.cli.app import run
from journeymine.events import EventSchema
from journeymine.graph import Markov, markov
from journeymine.journeys import JourneyRules, build_journeys
from journeymine.maps.questions import map_measures
from journeymine.nightly import NightlyState

START = date(2026, 1, 5)
N_NIGHTS = 24
END = START + timedelta(days=N_NIGHTS)
TOML = """
max_quarantine_share = 0.2
[[sources]]
name = "shop"
path = "*.parquet"
user = "user"
timestamp = "ts"
touchpoint = "what"
channel = "where"
event_id = "id"
[[stages]]
name = "look"
touchpoints = ["visit"]
[[stages]]
name = "buy"
touchpoints = ["basket", "order"]
[journeys]
goal = "order"
idle = "2d"
"""


def dump(day: int, *, n: int = 240, basket: float = 0.5, order: float = 0.5) -> pl.DataFrame:
    """One day: users who visit, some of whom fill a basket, some of whom order."""
    draw = np.random.default_rng(day)
    n = int(draw.poisson(n))
    at = np.sort(draw.integers(0, 20 * 3600, n))
    begin = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=day)
    users = draw.choice(4 * n, n, replace=False)
    filled = draw.random(n) < basket
    bought = filled & (draw.random(n) < order)
    parts = [("visit", 0, np.ones(n, dtype=bool)), ("basket", 300, filled), ("order", 900, bought)]
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "user": [f"u{u}" for u in users[there]],
                    "ts": [begin + timedelta(seconds=int(s) + later) for s in at[there]],
                    "what": what,
                    "where": ["web" if u % 3 else "app" for u in users[there]],
                    "id": [f"{day}-{what}-{u}" for u in users[there]],
                }
            )
            for what, later, there in parts
        ]
    ).sort("ts")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state of some weeks, and a dump that is broken in the checkout."""
    folder = tmp_path_factory.mktemp("nightly")
    (folder / "journey.toml").write_text(TOML)
    asked = map_measures(["touchpoint", "channel", "stage"])
    few = {name: asked[name] for name in ("conversion", "nodes", "flows", "paths", "stages", "channels")} | {
        "chances": Markov()
    }
    state = NightlyState.create(folder / "state", config=folder / "journey.toml", measures=few)
    for day in range(N_NIGHTS):
        state.advance(dump(day), until=START + timedelta(days=day))
    state.report(folder / "quiet")
    dump(N_NIGHTS, basket=0.1).with_columns(where=pl.col("where").replace("app", "kiosk")).write_parquet(
        folder / "broken.parquet"
    )
    return folder


def test_a_report_says_as_of_when_in_every_row(home: Path) -> None:
    tables = {path.stem: pl.read_parquet(path) for path in (home / "quiet").glob("*.parquet")}
    assert {"conversion", "nodes", "flows", "paths", "daily", "nights", "open_journeys"} <= set(tables)
    for name, frame in tables.items():
        assert {"as_of", "run_id", "mature"} <= set(frame.columns), name
        assert frame["as_of"].n_unique() <= 1
        assert not frame["mature"].null_count()
    assert tables["conversion"]["as_of"][0] == f"{END}T00:00:00.000000Z"
    assert len(set(pl.concat([frame["run_id"] for frame in tables.values()]))) == 1
    assert "<svg" in (home / "quiet" / "map.html").read_text("utf-8")
    told = json.loads((home / "quiet" / "watch.json").read_text("utf-8"))
    assert (told["flagged"], told["alarm_rate"], told["missing_nights"]) == (False, 0.01, 0)
    assert told["n_compared"] >= 3


def test_the_page_names_the_columns(home: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "nightly.md").read_text("utf-8")
    for name in ("open_journeys", "daily", "nights"):
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", page, re.MULTILINE)
        told = [
            column.strip().split(" ")[0]
            for group in row.split(" · ")
            for column in re.sub(r" (str|i64|f64|bool|date|datetime)\b.*", "", group).split(",")
        ]
        found = pl.read_parquet(home / "quiet" / f"{name}.parquet").columns
        assert told == [column for column in found if column not in ("as_of", "run_id")], name


def test_the_same_state_writes_the_same_bytes(home: Path, tmp_path: Path) -> None:
    state = NightlyState.open(home / "state")
    for name in ("one", "other"):
        state.report(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


def test_days_are_mature_when_all_their_journeys_are(home: Path) -> None:
    daily = pl.read_parquet(home / "quiet" / "daily.parquet")
    state = NightlyState.open(home / "state")
    everything = pl.concat([dump(day) for day in range(N_NIGHTS)])
    schema = EventSchema(timestamp="ts", touchpoint="what", channel="where")
    from journeymine.events import read_events

    journeys = build_journeys(
        read_events(everything, schema, stages=state.settings.config.stages), state.settings.rules
    )
    table = journeys.table.with_columns(day=pl.col("start").dt.date())
    expected = table.group_by("day").agg(
        n=pl.len().cast(pl.Int64), won=(pl.col("status") == "converted").sum().cast(pl.Int64)
    )
    mature = daily.filter("mature").join(expected, on="day", how="left")
    assert mature.height > 12
    assert mature["n_journeys"].equals(mature["n_right"], check_names=False)
    assert mature["converted"].equals(mature["won"], check_names=False)
    assert daily.filter(~pl.col("mature"))["day"].min() > mature["day"].max()  # type: ignore[operator]


def test_open_journeys_get_the_chance_of_the_chain(home: Path) -> None:
    open_now = pl.read_parquet(home / "quiet" / "open_journeys.parquet")
    assert open_now.columns[:8] == [
        "user", "nth_journey", "start", "last_seen", "n_steps", "touchpoint", "chance", "mature",
    ]  # fmt: skip
    assert set(open_now["touchpoint"]) <= {"visit", "basket"}
    from journeymine.events import read_events

    everything = pl.concat([dump(day) for day in range(N_NIGHTS)])
    schema = EventSchema(timestamp="ts", touchpoint="what", channel="where")
    stages = NightlyState.open(home / "state").settings.config.stages
    until = int(datetime(END.year, END.month, END.day, tzinfo=UTC).timestamp()) * 1_000_000
    journeys = build_journeys(
        read_events(everything, schema, stages=stages), JourneyRules(goal="order", idle="2d", observed_until=until)
    )
    chain = markov(journeys).states
    expected = dict(zip(chain["state"].list.first(), chain["converted"], strict=True))
    for touchpoint, chance in open_now.select("touchpoint", "chance").unique().iter_rows():
        assert chance == pytest.approx(expected[touchpoint], abs=1e-12)
    n_open = journeys.table.filter(pl.col("status") == "open").height
    assert open_now.height == n_open


def test_the_command_line_flags_a_broken_night(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(home / "state")
    assert run(["nightly", "report", state, "--out", str(tmp_path / "a"), "--quiet"]) == 0
    assert run(["nightly", "advance", state, str(home / "broken.parquet"), "--until", END.isoformat(), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["night"], told["changed"], told["missing_nights"], told["replaceable"]) == (
        N_NIGHTS + 1,
        True,
        0,
        True,
    )
    assert told["new_labels"] == {"channel": ["kiosk"]}
    assert run(["nightly", "report", state, "--out", str(tmp_path / "b"), "--json"]) == 6
    told = json.loads(capsys.readouterr().out)
    found = {(flag["what"], flag["place"]) for flag in told["flags"]}
    assert {("unseen channel", "kiosk"), ("went on", "look × web")} <= found
    assert run(["nightly", "advance", state, str(home / "broken.parquet"), "--until", END.isoformat()]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_the_command_line_tells_errors_apart(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(home / "state")
    assert run(["nightly", "advance", str(tmp_path), str(home / "broken.parquet")]) == 5
    assert run(["nightly", "advance", state, str(tmp_path / "absent.parquet")]) == 3
    assert run(["nightly", "create", state, "--config", str(home / "journey.toml")]) == 5
    assert run(["nightly", "report", state, "--out", str(tmp_path / "r"), "--start", "soon"]) == 5
    assert "Traceback" not in capsys.readouterr().err
    assert run(["nightly", "verify", state, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["damaged"] == []
    assert run(["nightly", "nights", state, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) >= N_NIGHTS
    assert run(["nightly", "repair", state, "--json"]) == 0
    assert run(["nightly", "erase", state, "--user", "nobody", "--json"]) == 0


def test_a_report_that_cannot_be_written_says_so_and_leaves_no_half_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "nights.parquet" in self.name:
            written(self, data[:100])
            raise OSError(28, "No space left on device")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "out"
    assert run(["nightly", "report", str(home / "state"), "--out", str(out), "--json"]) == 5
    told = json.loads(capsys.readouterr().err)
    assert told["error"] == "StateError"
    assert "No space left" in told["message"]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert not (out / "watch.json").exists()
    monkeypatch.undo()
    taken = tmp_path / "taken"
    taken.write_text("")
    assert run(["nightly", "report", str(home / "state"), "--out", str(taken)]) == 5
