"""Why conversion changed: mix and rate effects of simulated logs cover the truth, where both are there.

Some logs in every run; `make evidence` makes 2,000 of each length. The figures stand in docs/coverage.md.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from journeymine.events.coded import Coded, CodedEvents
from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.metrics import Conversion, compare, decompose
from tests.recovery.retail import DAY

MANY = int(os.environ.get("JOURNEYMINE_SIMULATIONS", "2000"))
HOUR = DAY // 24
CHANNELS = ("store", "web")
WEB = (0.6, 0.4)
"""Share of the journeys that begin on the web, before and after the change."""
WON = ((0.35, 0.15), (0.35, 0.25))
"""Share that converts in the store and on the web, before and after."""


@dataclass(frozen=True)
class Log:
    """A log of so many days with a change in the middle, users with several journeys on either side of it."""

    days: int
    users: int = 500
    each: int = 4

    def __str__(self) -> str:
        return f"{self.days} days, {self.users} users, {2 * self.each} journeys each"


LOGS = [Log(60), Log(90), Log(180)]


def truth() -> dict[str, float]:
    """Effects of the population, by the definition in docs/compare.md."""
    (b, a) = ({"store": (1 - web, won[0]), "web": (web, won[1])} for web, won in zip(WEB, WON, strict=True))
    overall = [sum(w * p for w, p in side.values()) for side in (a, b)]
    found = {}
    for name in CHANNELS:
        (w_a, p_a), (w_b, p_b) = a[name], b[name]
        found[f"mix, {name}"] = (w_a - w_b) * ((p_a + p_b) / 2 - sum(overall) / 2)
        found[f"rate, {name}"] = (w_a + w_b) / 2 * (p_a - p_b)
    found |= {part: sum(found[f"{part}, {name}"] for name in CHANNELS) for part in ("mix", "rate")}
    return found | {"change": overall[0] - overall[1], "rate of the web": WON[1][1] - WON[0][1]}


def simulate(log: Log, seed: int) -> tuple[Journeys, Journeys]:
    """Journeys after and before the change. A user likes the web, and buys, more or less than others throughout."""
    draw = np.random.default_rng([log.days, seed])
    # Both are 1 on average.
    liking, ease = 0.4 + 1.2 * draw.beta(1.5, 1.5, log.users), 2 * draw.beta(1.5, 1.5, log.users)
    half = log.days * DAY / 2
    slot = half * 0.8 / log.each
    user, after = np.repeat(np.arange(log.users), 2 * log.each), np.tile(np.arange(2 * log.each) >= log.each, log.users)
    nth = np.tile(np.arange(2 * log.each) % log.each, log.users)
    kept = draw.random(len(user)) < 0.8
    user, after, nth = user[kept], after[kept], nth[kept]
    start = (after * half + (nth + draw.random(len(user)) * 0.2) * slot).astype(np.int64)
    web = draw.random(len(user)) < np.take(WEB, after.astype(int)) * liking[user]
    share = np.array(WON)[after.astype(int), web.astype(int)]
    won = draw.random(len(user)) < share * ease[user]
    events = CodedEvents(
        user=pl.Series("user", np.concatenate((user, user[won]))).cast(pl.String) + f"-{seed}",
        timestamp=np.concatenate((start, start[won] + HOUR)),
        labels={
            "touchpoint": Coded(np.repeat([0, 1], [len(user), int(won.sum())]).astype(np.uint8), ("visit", "won")),
            "channel": Coded(np.concatenate((web, web[won])).astype(np.uint8), CHANNELS),
        },
        numbers={},
    )
    end = log.days * DAY
    rules = JourneyRules(goal="won", idle=f"{int(slot * 0.5 // HOUR)}h", observed_until=end)
    journeys = build_coded(events, rules, LogContext(0, end), None)
    return journeys.pick(journeys.heads.start >= half), journeys.pick(journeys.heads.start < half)


def covered(log: Log, n: int) -> dict[str, float]:
    """Share of simulations in which each interval holds the truth."""
    known, hits = truth(), dict.fromkeys(truth(), 0)
    for seed in range(n):
        after, before = simulate(log, seed)
        found = decompose(after, before, by="channel")
        rows = {row["part"]: (row["effect_lower"], row["effect_upper"]) for row in found.tables["total"].to_dicts()}
        for row in found.frame.iter_rows(named=True):
            for part in ("mix", "rate"):
                rows[f"{part}, {row['channel']}"] = row[f"{part}_effect_lower"], row[f"{part}_effect_upper"]
        web = compare(after, before, Conversion(by="channel"), columns="share").frame.filter(channel="web")
        rows["rate of the web"] = web["difference_lower"][0], web["difference_upper"][0]
        for name, (lower, upper) in rows.items():
            hits[name] += lower <= known[name] <= upper
    return {name: hit / n for name, hit in hits.items()}


def test_effects_cover_what_is_there() -> None:
    for name, share in covered(LOGS[0], 120).items():
        assert 0.88 <= share <= 1.0, name  # more than three standard errors


@pytest.mark.evidence
@pytest.mark.parametrize("log", LOGS, ids=str)
def test_effects_cover_what_is_there_over_many_simulations(log: Log) -> None:
    found = covered(log, MANY)
    for name, share in found.items():
        sys.stdout.write(f"| {log} | {name} | {MANY:,} | {share:.1%} |\n")
    if MANY >= 1_000:
        assert min(found.values()) >= 0.93, found
        assert max(found.values()) <= 0.97, found
