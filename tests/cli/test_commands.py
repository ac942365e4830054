"""The command line as a batch job sees it: files, stdout, stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

import journeymine as jm
from journeymine import __version__
from journeymine.cli.app import run
from journeymine.events import read_events
from journeymine.nightly import NightlyState

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A small log: three users, two of whom order."""
    rows = pl.DataFrame(
        {
            "who": ["a", "a", "b", "c", "c", "c"],
            "at": [0, 60, 10, 5, 65, 125],
            "what": ["visit", "order", "visit", "visit", "visit", "order"],
            "where": ["web", "web", "app", "web", "app", "app"],
        }
    )
    path = tmp_path / "log.parquet"
    rows.write_parquet(path)
    return path


COLUMNS = ["--user", "who", "--timestamp", "at", "--time-unit", "s", "--touchpoint", "what", "--channel", "where"]


def test_map_writes_the_page_and_says_so(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.html"
    assert run(["map", str(log), *COLUMNS, "--goal", "order", "-o", str(out), "--min-group", "1"]) == 0
    assert out.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    printed = capsys.readouterr()
    assert "map.html" in printed.out
    assert printed.err == ""  # no progress bar where stderr is no terminal


def test_map_for_machines_is_one_json_object(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.json"
    assert run(["map", str(log), *COLUMNS, "--goal", "order", "--min-group", "1", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["users"], told["journeys"], told["rows_read"], told["quarantined"]) == (3, 3, 6, 0)
    assert json.loads(out.read_text(encoding="utf-8"))["header"]["n_users"] == 3


def test_map_of_the_sample_is_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.html"
    assert run(["map", str(SAMPLE), "--config", str(SAMPLE / "journey.toml"), "-o", str(out)]) == 0
    assert "of mature journeys convert" in capsys.readouterr().out
    again = tmp_path / "again.html"
    assert run(["map", str(SAMPLE / "journey.toml"), "-o", str(again), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert again.stat().st_size == out.stat().st_size


def test_check_reports_and_leaves_with_0(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(log), *COLUMNS]) == 0
    printed = capsys.readouterr().out
    assert "rows read" in printed
    assert "touchpoints" in printed


def test_check_leaves_with_1_above_the_quarantine_limit(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = pl.read_parquet(log).with_columns(who=pl.when(pl.col("at") > 50).then(None).otherwise("who"))
    path, kept = tmp_path / "bad.parquet", tmp_path / "quarantine.csv"
    bad.write_parquet(path)
    assert run(["check", str(path), *COLUMNS, "--quarantine", str(kept)]) == 1
    assert "the limit is 5.00%" in capsys.readouterr().out
    assert pl.read_csv(kept).height == 3
    assert run(["check", str(path), *COLUMNS, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["quarantined_by_reason"] == {"user missing": 3}
    assert told["over_limit"] is True
    assert run(["check", str(path), *COLUMNS, "--max-quarantine-share", "0.6"]) == 0


def test_map_of_a_log_above_the_limit_is_refused_without_a_traceback(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.parquet"
    pl.read_parquet(log).with_columns(who=pl.lit(None, dtype=pl.String)).write_parquet(path)
    assert run(["map", str(path), *COLUMNS, "-o", str(tmp_path / "map.html")]) in (1, 3)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert "Hint:" in printed.err
    assert not (tmp_path / "map.html").exists()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_mine_writes_every_table(log: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tables"
    assert run(["mine", str(log), *COLUMNS, "--goal", "order", "--out", str(out), "--format", form, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["tables"]
    assert set(told) == {path.name for path in out.iterdir()} - {"report.json"}
    read = pl.read_parquet if form == "parquet" else pl.read_csv
    journeys = read(out / f"journeys.{form}")
    assert journeys["status"].to_list() == ["converted", "open", "converted"]
    assert read(out / f"flows.{form}").height == told[f"flows.{form}"]
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["accepted"] == 6


def test_mine_writes_the_tables_that_are_asked_for(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, out = tmp_path / "asked.toml", tmp_path / "tables"
    asked.write_text('[[measures]]\nmeasure = "retention"\nname = "daily"\nperiod = "day"\nperiods = 2\n')
    command = ["mine", str(log), *COLUMNS, "--goal", "order", "--out", str(out), "--measures", str(asked)]
    assert run([*command, "-q"]) == 0
    assert {path.name for path in out.iterdir()} == {
        "daily.parquet", "daily_overall.parquet", "journeys.parquet", "quarantine.parquet", "report.json",
    }  # fmt: skip
    daily = pl.read_parquet(out / "daily.parquet")
    ours = read_events(log, user="who", timestamp="at", time_unit="s", touchpoint="what", channel="where")
    expected = jm.retention(jm.build_journeys(ours, goal="order"), period="day", periods=2).frame
    assert daily.equals(expected)
    asked.write_text("map = true\n[[measures]]\nmeasure = 'stickines'\n")
    assert run(command) == 3
    assert "stickiness" in capsys.readouterr().err
    asked.write_text("map = true\n")
    assert run([*command, "-q"]) == 0
    assert (out / "flows.parquet").exists()


def test_mine_tells_of_scores_like_the_map(tmp_path: Path) -> None:
    run(["sample", str(tmp_path / "shop"), "-q"])
    run(["mine", str(tmp_path / "shop" / "journey.toml"), "--out", str(tmp_path / "out"), "-q"])
    asked = jm.satisfaction(jm.build_journeys(jm.sample()), by="stage").frame
    assert pl.read_parquet(tmp_path / "out" / "satisfaction.parquet").equals(asked)


def test_csv_cells_cannot_become_formulas(tmp_path: Path) -> None:
    rows = pl.DataFrame({"who": ["a", "a"], "at": [0, 60], "what": ["=1+1", "@x"], "where": ["-2", "+3"]})
    rows.write_parquet(tmp_path / "log.parquet")
    run(["mine", str(tmp_path / "log.parquet"), *COLUMNS, "--out", str(tmp_path / "out"), "--format", "csv", "-q"])
    journeys = pl.read_csv(tmp_path / "out" / "journeys.csv")
    assert journeys["entry_touchpoint"].to_list() == ["'=1+1"]
    assert journeys["entry_channel"].to_list() == ["'-2"]


def test_sample_writes_the_files_that_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "journey.toml").read_bytes() == (SAMPLE / "journey.toml").read_bytes()
    assert "journeymine map" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "no/such/file.parquet"], 3, "does not exist"),
        (["map", "LOG", "--user", "nobody", *COLUMNS[2:]], 3, "no column 'nobody'"),
        (["map", "LOG", *COLUMNS, "--idle", "30"], 3, "not a length of time"),
        (["map", "LOG", *COLUMNS, "-o", "map.docx"], 3, "saved as '.docx'"),
        (["check", "LOG", "--config", "no.toml"], 3, "cannot be read"),
    ],
)
def test_bad_input_gets_a_code_a_reason_and_a_way_out(
    arguments: list[str], code: int, said: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(log) if word == "LOG" else word for word in arguments]) == code
    printed = capsys.readouterr()
    assert said in " ".join(printed.err.split())
    assert "Hint:" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_errors_for_machines_are_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "no/such/file.parquet", "--json"]) == 3
    told = json.loads(capsys.readouterr().err)
    assert told["error"] == "SourceError"
    assert told["exit_code"] == 3
    assert told["hint"]


def test_an_unknown_option_leaves_with_2() -> None:
    assert run(["check", "x", "--no-such-option"]) == 2


@pytest.mark.parametrize(
    "program",
    [[str(Path(sys.executable).with_name("journeymine"))], [sys.executable, "-m", "journeymine"]],
    ids=["script", "module"],
)
def test_the_program_runs_as_installed(program: list[str]) -> None:
    done = subprocess.run([*program, "version"], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.strip() == __version__


def test_names_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"who": ["a"], "at": [0], "what": ["\x1b[31mred\x07"], "where": ["web"]})
    rows.write_parquet(tmp_path / "log.parquet")
    config = tmp_path / "journey.toml"
    config.write_text(
        f'[[sources]]\npath = "{tmp_path / "log.parquet"}"\nuser = "who"\ntimestamp = "at"\ntime_unit = "s"\n'
        'touchpoint = "what"\nchannel = "where"\n[[stages]]\nname = "s"\ntouchpoints = ["other"]\n',
        encoding="utf-8",
    )
    assert run(["check", str(config)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["rows.json", "rows", "rows.csv.gz"])
def test_a_table_of_another_format_is_refused_before_anything_is_written(
    log: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(log), *COLUMNS, "--quarantine", str(tmp_path / name)]) == 3
    assert "use one of .parquet, .csv" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_what_cannot_be_written_ends_with_the_way_out(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert run(["mine", str(log), *COLUMNS, "--out", str(tmp_path / "taken")]) == 3
    printed = capsys.readouterr().err
    assert "taken" in printed
    assert "Hint: check the path" in printed
    assert run(["mine", str(log), *COLUMNS, "--out", str(tmp_path / "taken" / "x"), "--json"]) == 3
    told = json.loads(capsys.readouterr().err)
    assert (told["error"], told["exit_code"]) == ("OSError", 3)


def test_every_command_says_in_one_line_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ([], ["nightly"]):
        assert run([*group, "--help"]) == 0
        listed = capsys.readouterr().out.partition("Commands:")[2]
        assert len(listed.splitlines()) > 6
        assert "..." not in listed


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state of one night, of which rows set aside hold what a spreadsheet would run."""
    config = tmp_path / "journey.toml"
    config.write_text(
        '[[sources]]\npath = "log.parquet"\nuser = "who"\ntimestamp = "at"\ntime_unit = "s"\ntouchpoint = "what"\n'
        'channel = "where"\n[journeys]\ngoal = "order"\n',
        encoding="utf-8",
    )
    rows = {"who": ["=1+1", "b", "c"], "at": [None, 60, None], "what": ["@x", "order", "visit"], "where": ["web"] * 3}
    assert run(["nightly", "create", str(tmp_path / "state"), "-c", str(config), "-q"]) == 0
    opened = NightlyState.open(tmp_path / "state")
    dump = read_events(
        pl.DataFrame(rows), user="who", timestamp="at", time_unit="s", touchpoint="what", channel="where",
        max_quarantine_share=1.0,
    )  # fmt: skip
    opened.advance(dump, until="1970-01-01")
    return tmp_path / "state"


def test_rows_set_aside_cannot_become_formulas(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "aside.csv"
    assert run(["nightly", "quarantine", str(state), "--out", str(out), "-q"]) == 0
    aside = pl.read_csv(out)
    assert (aside["user"][0], aside["touchpoint"][0]) == ("'=1+1", "'@x")
    assert run(["nightly", "quarantine", str(state), "--out", str(tmp_path / "aside.txt")]) == 3


def test_nights_names_every_column_in_eighty_columns(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("journeymine.cli.nightly.output", lambda: Console(width=80, highlight=False, markup=False))
    assert run(["nightly", "nights", str(state)]) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    for part in ("night", "dump", "until", "accep-", "quaran-", "late", "dupli-", "missing", "replace-"):
        assert part in printed


def test_a_dump_s_name_cannot_steer_the_terminal(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / "\x1b[31mnext.parquet"
    pl.DataFrame({"who": ["b"], "at": [90000], "what": ["visit"], "where": ["web"]}).write_parquet(dump)
    assert run(["nightly", "advance", str(state), str(dump), "--until", "1970-01-02"]) == 0
    assert run(["nightly", "nights", str(state)]) == 0
    assert run(["nightly", "advance", str(state), str(dump) + "x"]) == 3
    printed = capsys.readouterr()
    assert "next.parquet" in printed.out
    assert "\x1b" not in printed.out + printed.err


@pytest.mark.parametrize("name", ["../up", "journeys", "quarantine", ".hidden"])
def test_a_table_asked_for_is_written_nowhere_else_and_over_no_other(
    log: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "asked.toml"
    asked.write_text(f'[[measures]]\nmeasure = "conversion"\nname = "{name}"\n')
    out = tmp_path / "deep" / "out"
    assert run(["mine", str(log), *COLUMNS, "--goal", "order", "--out", str(out), "-m", str(asked)]) == 3
    assert "cannot be named" in capsys.readouterr().err
    assert not out.parent.exists()


def test_a_terminal_without_the_letters_does_not_end_a_job(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("journeymine")
    rows = pl.DataFrame({"who": ["a", "a"], "at": [0, 60], "what": ["größer 🦊", "order"], "where": ["→"] * 2})
    rows.write_parquet(tmp_path / "log.parquet")
    for more in ([], ["--json"]):
        done = subprocess.run(
            [str(program), "check", str(tmp_path / "log.parquet"), *COLUMNS, *more],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
        if more:
            assert "größer 🦊" in json.loads(done.stdout)["touchpoints"]
