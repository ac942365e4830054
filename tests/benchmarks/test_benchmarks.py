from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from benchmarks import logs, ours
from benchmarks.__main__ import main
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


@pytest.mark.parametrize("case", [case.name for case in ours.CASES])
def test_each_of_our_cases_runs(case: str, tmp_path: Path) -> None:
    small = str(logs.write_log(tmp_path, 2_000))
    taken = run_case(str(ours.__file__), case, small, small)
    assert taken["seconds"] > 0
    assert taken["peak_bytes"] >= taken["baseline_bytes"] > 0


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
