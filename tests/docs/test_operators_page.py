"""Every command of docs/nightly.md is run, in its order, by a shell, on a week of dumps; the cron line and Airflow's too."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from journeymine.nightly import NightlyState

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "nightly.md").read_text("utf-8")
TOML = """
[[sources]]
name = "shop"
path = "*.parquet"
user = "user"
timestamp = "ts"
touchpoint = "what"
channel = "where"
event_id = "id"
[journeys]
goal = "order"
idle = "7d"
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def dump(day: int) -> pl.DataFrame:
    """One day of March 2026."""
    draw = np.random.default_rng(day)
    at = np.sort(draw.integers(0, 22 * 3600, 200))
    begin = datetime(2026, 3, day, tzinfo=UTC)
    return pl.DataFrame(
        {
            "user": [f"customer-{user}" for user in draw.integers(0, 60, 200)],
            "ts": [begin + timedelta(seconds=int(second)) for second in at],
            "what": draw.choice(["visit", "basket", "order"], 200, p=[0.6, 0.3, 0.1]),
            "where": draw.choice(["web", "app"], 200),
            "id": [f"{day}-{number}" for number in range(200)],
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder as the page supposes it, and the command first in the path."""
    (tmp_path / "journey.toml").write_text(TOML)
    (tmp_path / "measures.toml").write_text(blocks("toml")[0])
    (tmp_path / "dumps").mkdir()
    for day in range(1, 8):
        dump(day).write_parquet(tmp_path / "dumps" / f"2026-03-0{day}.parquet")
    dump(4).head(150).write_parquet(tmp_path / "fixed.parquet")
    dump(4).clear().write_parquet(tmp_path / "empty.parquet")
    (tmp_path / "bin").mkdir()
    for name, script in (
        ("journeymine", f'exec {sys.executable} -c "from journeymine.cli import main; main()" "$@"'),
        ("pip", '[ "$*" = "install journeymine" ]'),  # it is installed, or this would not run
        ("date", '[ "$*" = "-d yesterday +%F" ] && echo 2026-03-07'),
    ):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def sh(script: str, home: Path) -> str:
    """Run a script, which must end well; returns what it prints."""
    environment = {
        **os.environ,
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        check=False, capture_output=True, text=True, cwd=home, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_of_the_page_runs(home: Path) -> None:
    told = [sh(block, home) for block in blocks("sh")]
    assert len(told) >= 9
    nights = NightlyState.open(home / "state").nights
    assert nights["dump"].to_list() == [
        "2026-03-01.parquet", "2026-03-02.parquet", "2026-03-03.parquet", "fixed.parquet",
        "2026-03-06.parquet", "2026-03-05.parquet", "empty.parquet",
    ]  # fmt: skip
    old = NightlyState.open(home / "state-old").nights
    assert nights.drop("replaceable", "missing_before").equals(old.drop("replaceable", "missing_before"))
    assert nights["accepted"].to_list() == [200, 200, 200, 150, 200, 200, 0]
    assert {"monthly_retention", "funnel", "flows"} <= set(NightlyState.open(home / "anew").settings.measures)
    assert NightlyState.open(home / "anew").nights["accepted"].to_list() == [200, 200, 200, 150]
    assert (home / "report" / "map.html").exists()
    users = [pl.read_parquet(path) for path in (home / "state" / "objects").glob("*.parquet")]
    assert not any("user" in frame.columns and "customer-17" in frame["user"] for frame in users)
    assert "customer-17" in dump(1)["user"]


def test_the_lines_of_cron_and_airflow_run(home: Path) -> None:
    sh(blocks("sh")[0], home)
    (home / "report").rename(home / "first")
    (home / "report").mkdir()
    line = re.fullmatch(r"(\S+ ){5} *(.*)\n", blocks("cron")[0])
    assert line is not None
    command = line[2].replace(r"\%", "%").replace("/srv", str(home))
    sh(command, home)
    sh(command, home)  # cron may run twice
    assert (home / "report" / "2026-03-07.json").stat().st_size > 100
    tasks = [
        {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        for call in ast.walk(ast.parse(blocks("airflow")[0]))
        if isinstance(call, ast.Call)
    ]
    assert [task["task_id"] for task in tasks] == ["advance", "report"]
    for task in tasks:
        sh(task["bash_command"].replace("{{ ds }}", "2026-03-07").replace("/srv", str(home)), home)
    assert NightlyState.open(home / "state").nights.height == 2


def test_every_command_of_the_page_stands_in_a_block_that_is_run() -> None:
    run = "".join(blocks("sh") + blocks("cron") + blocks("airflow"))
    for name in ("create", "advance", "report", "nights", "verify", "repair", "erase", "rebuild", "--replaces"):
        assert name in run, name
    kinds = set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE))
    assert kinds == {"sh", "cron", "airflow", "toml", "python"}
