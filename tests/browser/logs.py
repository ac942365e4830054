"""Logs of a million journeys, made in memory from a seed: steps of several stages and channels, with values and scores."""

from __future__ import annotations

import numpy as np
import polars as pl

import journeymine as jm

START = 1_700_000_000
DAYS = 180


def many_journeys(n: int, *, touchpoints: int, channels: int, stages: int, seed: int = 11) -> jm.Journeys:
    """About `n` journeys of five steps on average.

    Each touchpoint occurs on two channels, and any may follow any other, by unequal weights: the map then has more
    different flows than that of a log with habits, which makes it the harder case.
    """
    rng = np.random.default_rng(seed)
    length = rng.geometric(0.2, n).clip(1, 40)
    of = np.repeat(np.arange(n), length)
    place = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    what = rng.choice(touchpoints, len(of), p=_weights(touchpoints, 1.0))
    where = (what * 7 + 3 * (rng.random(len(of)) < 0.3)) % channels
    seconds = START + rng.integers(0, DAYS * 86_400, n)[of] + place * rng.integers(30, 40_000, len(of))
    goal = touchpoints // 4
    names = [f"touchpoint_{i:03d}" for i in range(touchpoints)]
    log = pl.DataFrame(
        {
            "user": pl.Series(rng.integers(0, n * 2 // 3, n)[of]).cast(pl.String),
            "at": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "what": pl.Series(names).gather(what),
            "where": pl.Series([f"channel_{i:02d}" for i in range(channels)]).gather(where),
            "worth": pl.Series(np.where(what == goal, rng.gamma(2, 30, len(of)).round(2), np.nan)).fill_nan(None),
            "score": pl.Series(np.where(rng.random(len(of)) < 0.05, rng.integers(1, 6, len(of)), np.nan)).fill_nan(
                None
            ),
        }
    )
    phases = {
        f"stage_{s:02d}": [name for i, name in enumerate(names) if i * stages // touchpoints == s]
        for s in range(stages)
    }
    events = jm.read_events(
        log, user="user", timestamp="at", touchpoint="what", channel="where", value="worth", currency="EUR",
        satisfaction="score", satisfaction_scale=(1, 5), stages=phases,
    )  # fmt: skip
    return jm.build_journeys(events, goal=names[goal], idle="30d")


def _weights(n: int, fall: float) -> np.ndarray:
    weight = 1 / np.arange(1, n + 1) ** fall
    return weight / weight.sum()


def every_touchpoint_on_every_channel(n: int, *, seed: int = 5) -> jm.Journeys:
    """About `n` journeys over 200 touchpoints, each on each of 20 channels, in 12 stages: 4,000 nodes, no habit at all."""
    rng = np.random.default_rng(seed)
    length = rng.geometric(0.2, n).clip(1, 40)
    of = np.repeat(np.arange(n), length)
    names = [f"touchpoint_{i:03d}" for i in range(200)]
    channels = [f"channel_{i:02d}" for i in range(20)]
    seconds = START + rng.integers(0, DAYS * 86_400, n)[of] + np.arange(len(of)) % 40 * 3_000
    log = pl.DataFrame(
        {
            "user": pl.Series(rng.integers(0, n * 2 // 3, n)[of]).cast(pl.String),
            "at": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "what": pl.Series(names).gather(rng.integers(0, 200, len(of))),
            "where": pl.Series(channels).gather(rng.integers(0, 20, len(of))),
        }
    )
    phases = {f"stage_{s:02d}": [name for i, name in enumerate(names) if i * 12 // 200 == s] for s in range(12)}
    events = jm.read_events(log, user="user", timestamp="at", touchpoint="what", channel="where", stages=phases)
    return jm.build_journeys(events, goal=names[50], idle="30d")
