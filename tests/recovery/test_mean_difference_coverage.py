"""Differences of means to which few give much, of groups of like and of unlike size: their 95 % intervals cover the truth.

1,000 logs of two groups in every run; `make evidence` makes 4,000 of each kind. The figures stand in docs/coverage.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from journeymine.events.coded import Coded, CodedEvents, narrow
from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.metrics import Conversion, compare
from tests.recovery.retail import DAY

AT_ONCE = 250
"""Logs side by side in one."""
Draw = Callable[[np.random.Generator, int], Any]


def lognormal(sigma: float) -> Draw:
    """Amounts whose mean is 1: with σ = 1, a tenth of them makes up 39 % of the money."""
    return lambda draw, n: draw.lognormal(-(sigma**2) / 2, sigma, n)


def normal(draw: np.random.Generator, n: int) -> Any:
    return draw.normal(1, 0.2, n).clip(0)


def buyers(draw: np.random.Generator, amounts: Draw, size: int, name: str) -> Journeys:
    """In each log so many customers, who each buy once."""
    users = AT_ONCE * size
    events = CodedEvents(
        user=pl.Series("user", np.arange(users)).cast(pl.String) + name,
        timestamp=draw.integers(0, DAY, users),
        labels={
            "touchpoint": Coded(np.zeros(users, np.uint8), ("won",)),
            "log": Coded(narrow(np.arange(users) // size, AT_ONCE), tuple(f"{i:03}" for i in range(AT_ONCE))),
        },
        numbers={"value": (amounts(draw, users) * 1e6).astype(np.int64)},
    )
    rules = JourneyRules(goal="won", idle="1d", observed_until=10 * DAY, segments={"log": "log"})
    return build_coded(events, rules, LogContext(0, 10 * DAY), None)


def differences(amounts: Draw, sizes: tuple[int, int], n: int) -> pl.DataFrame:
    """The difference of the mean values of two groups that spend alike, one row per log."""
    found = []
    for seed in range(n // AT_ONCE):
        draw = np.random.default_rng([*sizes, seed])
        a, b = (buyers(draw, amounts, size, f"-{seed}{name}") for size, name in zip(sizes, "ab", strict=True))
        found.append(compare(a, b, Conversion(by="log"), columns="mean_value").frame)
    return pl.concat(found).drop_nulls("difference_lower")


@pytest.mark.parametrize("n", [1_000, pytest.param(4_000, marks=pytest.mark.evidence)])
@pytest.mark.parametrize(
    ("amounts", "sizes", "low"),
    [
        (normal, (80, 800), 0.93),
        (lognormal(0.5), (80, 800), 0.93),
        (lognormal(1), (80, 80), 0.93),
        (lognormal(1), (80, 800), 0.93),  # straight limits: 92 %
        (lognormal(1), (800, 80), 0.93),
        (lognormal(1.5), (80, 80), 0.93),
        (lognormal(1.5), (80, 800), 0.88),  # straight limits: 88 %
    ],
)
def test_differences_of_skewed_means_cover(amounts: Draw, sizes: tuple[int, int], low: float, n: int) -> None:
    found = differences(amounts, sizes, n)
    assert found.height > 0.99 * n
    holds = (found["difference_lower"] <= 0) & (found["difference_upper"] >= 0)
    if n > 1_000:
        width = (found["difference_upper"] - found["difference_lower"]).mean()
        sys.stdout.write(f"| {sizes[0]} against {sizes[1]} | {holds.mean():.1%} | {width:.2f} |\n")
    assert low <= holds.mean() <= 0.97
    assert (found.filter(~holds)["p_value"] < 0.05).all()
    assert (found.filter(holds)["p_value"] >= 0.05).all()
