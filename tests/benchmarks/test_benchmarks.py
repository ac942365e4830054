from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import journeymine as jm
from benchmarks import logs, ours, peers
from benchmarks.__main__ import main
from benchmarks.bare_queries import BARE
from benchmarks.case import Case
from benchmarks.queries import QUERIES
from benchmarks.worker import main as run_case


def test_the_program_measures_our_cases_and_writes_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parent.parent.parent
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(root))
    main(["--sizes", "5e3", "--no-peers", "--repeat", "1", "--cases", "way", "transitions"])
    written = json.loads(Path("build/benchmarks.json").read_text())
    assert {row["case"] for row in written["cases"]} == {"way", "transitions"}
    for row in written["cases"]:
        assert row["n_events"] == 5_000
        assert row["seconds"] > 0
        assert row["ns_per_event"] == pytest.approx(row["seconds"] / 5_000 * 1e9)
    assert "transitions" in capsys.readouterr().out


@pytest.mark.parametrize("case", ours.CASES, ids=lambda case: case.name)
def test_each_of_our_cases_runs(case: Case, tmp_path: Path) -> None:
    small = str(logs.write_log(tmp_path, 2_000, case.shape))
    taken = run_case(str(ours.__file__), case.name, small, small)
    assert taken["seconds"] > 0
    assert taken["peak_bytes"] >= taken["baseline_bytes"] > 0


def test_every_measure_has_a_case(tmp_path: Path) -> None:
    asked = set()
    for shape, measures in (("plain", ours.MEASURES), ("rich", ours.RICH_MEASURES)):
        journeys = ours.read_journeys(str(logs.write_log(tmp_path, 2_000, shape)), shape)
        results = [run(journeys) for _, run in measures.values()]
        asked |= {getattr(getattr(each, "result", each), "name", None) for each in results}
    public = [getattr(jm, name) for name in jm.__all__]
    assert {each.name for each in public if hasattr(each, "count") and hasattr(each, "schema_version")} <= asked


def test_all_that_is_compared_is_there() -> None:
    known = {case.name for case in [*ours.CASES, *peers.CASES]} | {"pm4py", "retentioneering"}
    known |= {
        f"chdb {name}" for name in ("lead", *QUERIES, *(f"{each} bare" for each in BARE))
    }  # where chdb is not installed
    for case in ours.CASES:
        assert {*case.against, *case.after} <= known
    assert set(BARE) <= set(QUERIES) <= {case.name for case in ours.CASES}


def test_measures_have_their_share_of_building_and_their_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parent.parent.parent
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(root))
    names = ["build", "way", "activity", "duckdb activity", "duckdb activity bare", "duckdb lead", "build rich",
             "customer_value"]  # fmt: skip
    main(["--sizes", "3e3", "4e3", "--repeat", "1", "--measures", "--cases", *names])
    written = json.loads(Path("build/benchmarks.json").read_text())
    by = {(row["case"], row["log"]): row for row in written["cases"]}
    # No `way`, no `lead`: those are no measures on journeys already built.
    assert {name for name, _ in by} == {
        "build",
        "activity",
        "duckdb activity",
        "duckdb activity bare",
        "build rich",
        "customer_value",
    }
    assert len(by) == 12
    # Compared is what ran one after the other.
    assert [name for name, log in by if log == "3,000"][2:5] == ["activity", "duckdb activity", "duckdb activity bare"]
    for found, column, other in (("shares_of_build", "seconds", "build"), ("ratios", "cpu_seconds", "duckdb activity"),
                                 ("ratios", "seconds", "duckdb activity bare")):  # fmt: skip
        each = next(
            row for row in written[found] if (row["case"], row["log"], row["against"]) == ("activity", "3,000", other)
        )
        assert each[column] == pytest.approx(by["activity", "3,000"][column] / by[other, "3,000"][column])
    assert {row["against"] for row in written["shares_of_build"]} == {"build", "build rich"}
    assert "÷ build" in capsys.readouterr().out


@pytest.mark.parametrize("shape", logs.SHAPES)
def test_logs_are_seeded_and_of_their_shape(shape: str, tmp_path: Path) -> None:
    log = pl.read_parquet(logs.write_log(tmp_path / "a", 4_000, shape))
    assert log.equals(pl.read_parquet(logs.write_log(tmp_path / "b", 4_000, shape)))
    assert log.height == 4_000
    assert log["ts"].is_sorted() == (shape not in ("unsorted", "user_sorted"))
    if shape == "long_ids":
        assert set(log["user_id"].str.len_chars()) == {36}
    if shape == "one_big_user":
        assert log["user_id"].value_counts()["count"].max() > 100
