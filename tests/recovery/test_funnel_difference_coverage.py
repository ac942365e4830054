"""Funnels and differences of simulated logs: their 95 % intervals cover the truth in 95 % of logs.

Some logs in every run, so the bounds are wide there; `make evidence` makes 2,000 of each kind. The figures stand in
docs/coverage.md.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import polars as pl
import pytest

from journeymine.metrics import Conversion, DropOff, compare, funnel
from tests.recovery.retail import DAY, Scenario, simulate
from tests.recovery.test_headline_shares import SCENARIOS, coverage

SHARE, OTHER = 0.2, 0.3
"""True shares of the two groups that are compared."""
MANY = int(os.environ.get("JOURNEYMINE_SIMULATIONS", "2000"))


def funnels(scenario: Scenario, n: int, seed: int) -> dict[str, float]:
    """Coverage of the share that gets through, per journey: who converts does so within 1.5 × idle of the start."""
    within = f"{scenario.idle * 36}h"
    frame = funnel(simulate(scenario, n, seed), steps=["visit", "won"], within=within, by="log").frame
    through = frame.filter(step="won")
    assert through.height == n
    return {"funnel": coverage(through, "share", SHARE)}


def differences(scenario: Scenario, n: int, seed: int) -> dict[str, float]:
    """Coverage of differences between other users, and between two periods of the same."""
    first, second = simulate(scenario, n, seed), simulate(replace(scenario, share=OTHER), n, 10_000 + seed)
    apart = compare(first, second, Conversion(by="log"), columns=["share", "p50_s"]).frame
    found = {"difference, other users": coverage(apart.filter(estimate="share"), "difference", SHARE - OTHER)}
    # Who converts takes as long in either group.
    medians = apart.filter(estimate="p50_s")
    told = medians.filter(pl.col("difference_lower").is_not_null())
    # Of some small logs one fold holds a tenth of the times on either side: no interval, and the reason given.
    assert told.height >= 0.96 * medians.height
    found["difference, median time to convert"] = coverage(told, "difference", 0.0)
    if scenario.journeys > 1:
        middle = pl.lit(int(scenario.days * 0.4) * DAY)
        early = pl.col("start").dt.epoch("us") < middle
        halves = compare(first.where(~early), first.where(early), Conversion(by="log"), columns="share").frame
        found["difference, two periods of the same users"] = coverage(halves, "difference", 0.0)
    lost = compare(first, second, DropOff(by=("touchpoint", "log")), columns="converted_share").frame
    found["difference, converted after a visit"] = coverage(
        lost.filter(touchpoint="visit"), "difference", SHARE - OTHER
    )
    return found


@pytest.mark.parametrize("scenario", [SCENARIOS[0], SCENARIOS[4]], ids=str)
def test_funnels_and_differences_cover(scenario: Scenario) -> None:
    for name, covered in (funnels(scenario, 200, 5) | differences(scenario, 200, 5)).items():
        assert 0.905 <= covered <= 0.99, name  # three standard errors about 95 %


@pytest.mark.evidence
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_funnels_and_differences_cover_over_many_simulations(scenario: Scenario) -> None:
    size = min(250, MANY)
    runs = [funnels(scenario, size, seed) | differences(scenario, size, seed) for seed in range(max(MANY // size, 1))]
    for name in runs[0]:
        covered = sum(run[name] for run in runs) / len(runs)
        sys.stdout.write(f"| {scenario} | {name} | {len(runs) * size:,} | {covered:.1%} |\n")
        if MANY >= 1_000:
            # Quantiles end at the edges of their buckets, and so do the limits: rather wide than narrow.
            assert 0.93 <= covered <= (0.98 if "median" in name else 0.97), name
