"""Headline shares of simulated logs: unbiased, and their 95 % intervals cover the truth in 95 % of logs."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from journeymine.metrics import conversion, drop_off
from tests.recovery.retail import Scenario, simulate

SCENARIOS = [
    Scenario(60, 7),
    Scenario(90, 14),
    Scenario(180, 30),
    Scenario(60, 3, journeys=4),
    Scenario(90, 5, journeys=5),
    Scenario(180, 7, journeys=8),
    Scenario(180, 7, users=400, journeys=8, spread=1.0),
]
EVERY = pytest.mark.parametrize("scenario", SCENARIOS, ids=str)


def tried(scenario: Scenario, n: int, seed: int) -> pl.DataFrame:
    """One row per simulated log: the headline, its interval, and what others would have said."""
    journeys = simulate(scenario, n, seed)
    headline = conversion(journeys, by="log").frame
    assert headline.height == n
    lost = drop_off(journeys, by=["touchpoint", "log"]).frame.filter(touchpoint="visit")
    naive = journeys.table.group_by("log").agg(
        naive=(pl.col("status") == "converted").sum() / (pl.col("status") != "open").sum()
    )
    return headline.select(
        "log", "n", "n_users", "converted", "open", "sparse", "share", "share_lower", "share_upper", "mean_value",
        "mean_value_lower", "mean_value_upper",
    ).join(lost.select("log", "lost_share", "lost_share_lower", "lost_share_upper"), on="log").join(naive, on="log")  # fmt: skip


def coverage(frame: pl.DataFrame, name: str, truth: float) -> float:
    lower, upper = pl.col(f"{name}_lower"), pl.col(f"{name}_upper")
    # In a few of thousands of small logs one fold holds a tenth of the conversions: no interval, and the reason given.
    assert frame[f"{name}_lower"].null_count() <= 0.01 * frame.height
    return float(frame.select(((lower <= truth) & (truth <= upper)).mean()).item())


@EVERY
def test_headline_shares_are_unbiased_and_their_intervals_cover(scenario: Scenario) -> None:
    n = 300
    frame = tried(scenario, n, seed=11)
    assert frame["n_users"].min() >= 200
    assert not frame["sparse"].mean() > 0.05
    error = frame["share"].std() / n**0.5
    assert frame["share"].mean() == pytest.approx(scenario.share, abs=4 * error)
    # 300 logs: two and a half standard errors about 95 %.
    assert 0.918 <= coverage(frame, "share", scenario.share) <= 0.982
    assert 0.918 <= coverage(frame, "mean_value", 50.0) <= 0.982
    # What converted ÷ (converted + lost) would have said of the same logs.
    lead = 10 if scenario.journeys == 1 else 1
    assert frame["naive"].mean() > scenario.share + lead * frame["naive"].std() / n**0.5


def test_a_log_shorter_than_its_rules_need_has_no_headline() -> None:
    frame = conversion(simulate(Scenario(60, 30), 3, seed=1), by="log").frame
    assert frame["share"].null_count() == frame.filter(pl.col("n") == 0).height
    short = conversion(simulate(Scenario(40, 30), 3, seed=1), by="log").frame
    assert short["share"].null_count() == 3
    assert all("20d" in reason for reason in short["reason"])


@pytest.mark.evidence
@EVERY
def test_coverage_over_many_simulations(scenario: Scenario, repository: Path) -> None:
    n = int(os.environ.get("JOURNEYMINE_SIMULATIONS", "2000"))
    frame = pl.concat([tried(scenario, min(250, n), seed) for seed in range(max(n // 250, 1))])
    covered = coverage(frame, "share", scenario.share)
    value = coverage(frame, "mean_value", 50.0)
    write_row(
        repository / "docs" / "coverage.md",
        f"| {scenario} | {frame.height:,} | {scenario.share:.1%} | {frame['share'].mean():.2%} | {covered:.1%} | "
        f"{value:.1%} | {frame['naive'].mean():.1%} |",
    )
    if frame.height >= 1_000:
        assert 0.93 <= covered <= 0.97
        assert 0.93 <= value <= 0.97


HEAD = """# Do the intervals cover?

Simulated logs with a known truth; `make evidence` fills this page. A nominal 95 % interval should hold the truth in
93–97 % of the logs. The last column is what converted ÷ (converted + lost) says of the same logs.

| log | simulations | true share | mean headline | covered | mean value covered | converted ÷ (converted + lost) |
|---|---|---|---|---|---|---|
"""


def write_row(path: Path, row: str) -> None:
    """Put a row into the table, in place of the one with the same first cell."""
    text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    table, *others = text.rstrip("\n").split("\n\n## ")  # the first section only: those after it are of other tests
    lines, first = table.splitlines(), row.split("|")[1]
    kept = [line for line in lines if line.split("|")[1:2] != [first]]
    at = max(i for i, line in enumerate(kept) if line.startswith("|")) + 1
    written = "\n".join([*kept[:at], row, *kept[at:]])
    path.write_text("\n\n## ".join([written, *others]) + "\n", encoding="utf-8")
