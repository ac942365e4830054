"""Customers with a known chance to convert, drawn in one go: many simulated logs side by side in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from journeymine.events.coded import Coded, CodedEvents, narrow
from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext

DAY = 86_400_000_000


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes
    ----------
    days : length of the log.
    idle : days of silence that lose a journey.
    users : per simulation.
    journeys : mean number of journeys per user; 1 means exactly one.
    share : the truth: how likely a journey is to convert.
    spread : of the users' own chances, as the sum a + b of a beta distribution; the smaller, the more users differ.
    """

    days: int
    idle: int
    users: int = 600
    journeys: int = 1
    share: float = 0.2
    spread: float = 4.0

    def __str__(self) -> str:
        each = "1 journey" if self.journeys == 1 else f"{self.journeys} journeys"
        return f"{self.days} days, idle {self.idle} d, {self.users} users, {each} each"


def simulate(scenario: Scenario, n: int, seed: int) -> Journeys:
    """Journeys of `n` independent logs, told apart by the attribute ``log``.

    A journey is: a visit, half-way another, and the goal after at most 1.5 × idle; a lost one lacks the goal. Starts of
    journeys are fixed before anything is known of their outcome, so that every journey has the same chance.
    """
    draw = np.random.default_rng(seed)
    s, idle = scenario, scenario.idle * DAY
    users = n * s.users
    chance = draw.beta(s.share * s.spread, (1 - s.share) * s.spread, users)
    count = np.ones(users, np.int64) if s.journeys == 1 else draw.geometric(1 / s.journeys, users)
    user = np.repeat(np.arange(users), count)
    nth = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    # With one journey each, starts are spread over the log; else they queue up behind a random first one.
    room = s.days if s.journeys == 1 else s.days / 2
    start = (draw.random(users) * room * DAY).astype(np.int64)[user] + nth * int(2.6 * idle)
    won = draw.random(len(user)) < chance[user]
    delay = (draw.random(len(user)) * 1.5 * idle).astype(np.int64) + 1
    time = np.concatenate((start, start + delay // 2, (start + delay)[won]))
    who = np.concatenate((user, user, user[won]))
    touchpoint = np.repeat([0, 1], [2 * len(user), int(won.sum())]).astype(np.uint8)
    value = np.where(touchpoint == 1, (draw.gamma(2.0, 25.0, len(time)) * 1e6).astype(np.int64), 0)
    seen = np.flatnonzero(time < s.days * DAY)
    rows = seen[draw.permutation(len(seen))]
    log = who[rows] // s.users
    events = CodedEvents(
        user=pl.Series("user", who[rows]).cast(pl.String) + f"-{seed}",
        timestamp=time[rows],
        labels={
            "touchpoint": Coded(touchpoint[rows], ("visit", "won")),
            "log": Coded(narrow(log, n), tuple(f"{i:05}" for i in range(n))),
        },
        numbers={"value": value[rows]},
    )
    rules = JourneyRules(goal="won", idle=f"{s.idle}d", observed_until=s.days * DAY, segments={"log": "log"})
    return build_coded(events, rules, LogContext(0, s.days * DAY), None)
