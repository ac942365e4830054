"""Logs to try engines on: several dirty files of different formats, and big ones written piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from journeymine.events import EventSchema, Source
from tests.oracles import logs as minutes

DAY = 86_400_000_000
TOUCHPOINTS = [*(f"touch_{i:02d}" for i in range(18)), "order_placed", "account_closed"]
CHANNELS = ["paid_search", "email", "store", "app", "social", "web", "(none)", None]
STAGES = {
    "awareness": ["touch_00", "touch_01", "touch_02"],
    "consideration": [f"touch_{i:02d}" for i in range(3, 15)],
    "purchase": ["order_placed"],
    "service": ["touch_15", "account_closed"],
}
RULES: dict[str, Any] = {"goal": "order_placed", "lost_at": "account_closed", "idle": "20d", "session_gap": "30m"}
SCHEMA = EventSchema(
    user="user",
    timestamp="ts",
    touchpoint="touchpoint",
    channel="channel",
    value="value",
    cost="cost",
    satisfaction="csat",
    satisfaction_scale=(1, 5),
    attributes=("plan",),
)


def events_of(
    n: int, n_users: int, *, seed: int = 1, days: int = 200, skew: float = 0.0, first_day: int = 0
) -> pl.DataFrame:
    """Events in order of time; a share `skew` of them are of one user."""
    draw = np.random.default_rng(seed)
    weight = np.array([1 / (i + 2) for i in range(18)] + [0.06, 0.02])
    what = draw.choice(len(TOUCHPOINTS), n, p=weight / weight.sum())
    who = draw.integers(0, n_users, n)
    # whole seconds, so that there are ties
    seconds = np.sort(draw.integers(0, days * 86_400, n)) + 1_700_000_000 + first_day * 86_400
    who = np.where(draw.random(n) < skew, 0, who)
    users = pl.Series(who).cast(pl.String).str.zfill(9)
    return pl.DataFrame(
        {
            "user": "user-" + users,
            "ts": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "touchpoint": pl.Series(TOUCHPOINTS).gather(what),
            "channel": pl.Series(CHANNELS, dtype=pl.String).gather(draw.integers(0, len(CHANNELS), n)),
            "value": pl.Series(np.where(what == 18, np.round(draw.random(n) * 300, 2), np.nan)).fill_nan(None),
            "cost": pl.Series(np.where(what < 3, 0.25, np.nan)).fill_nan(None),
            "csat": pl.Series(np.where(what == 15, draw.integers(1, 6, n), -1)).replace(-1, None),
            "plan": pl.Series(["pro", "free", None], dtype=pl.String).gather(draw.integers(0, 3, n)),
        }
    )


def write_log(folder: Path, n: int, n_users: int, *, files: int, skew: float = 0.0, seed: int = 1) -> str:
    """Write a log of `n` events as Parquet files, one after another; returns the pattern that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    days = max(1, 400 // files)
    for number in range(files):
        part = events_of(n // files, n_users, seed=seed * 1_000 + number, days=days, skew=skew, first_day=number * days)
        part.write_parquet(folder / f"log-{number:04}.parquet")
    return str(folder / "log-*.parquet")


EVERY_STAGE = minutes.STAGES
EVERY_COLUMN = EventSchema(
    user="user",
    timestamp="us",
    time_unit="us",
    touchpoint="touchpoint",
    channel="channel",
    value="value",
    currency="EUR",
    cost="cost",
    attributes=("plan",),
    satisfaction="score",
    satisfaction_scale=(1, 5),
)
BY_THE_MINUTE: dict[str, Any] = {"goal": "order", "lost_at": "quit", "idle": "10m", "session_gap": "3m"}
"""Rules and schema under which every measure of ``tests/contracts/measures.py`` has something to count."""


def write_every_column(folder: Path, n: int, n_users: int, *, files: int, skew: float = 0.0, seed: int = 1) -> str:
    """Write `n` events in order of time, with all that any measure asks for; a share `skew` are of one user.

    Users come for five hours on one of twenty days; the instants are whole minutes, so one event in three is tied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    who = np.where(draw.random(n) < skew, 0, draw.integers(0, n_users, n))
    minute = (draw.integers(0, 28_800, n_users)[who] + draw.integers(0, 300, n)) % 28_800
    value, cost, plan, score = draw.random((4, n))
    frame = pl.DataFrame(
        {
            "user": "user-" + pl.Series(who).cast(pl.String).str.zfill(9),
            "us": minute * minutes.MINUTE + minutes.START,
            "touchpoint": pl.Series(minutes.TOUCHPOINTS).gather(draw.integers(0, len(minutes.TOUCHPOINTS), n)),
            "channel": pl.Series(minutes.CHANNELS, dtype=pl.String).gather(draw.integers(0, len(minutes.CHANNELS), n)),
            "value": pl.Series(np.where(value < 0.5, np.nan, np.round(value * 200, 2))).fill_nan(None),
            "cost": pl.Series(np.where(cost < 0.5, np.nan, 0.25)).fill_nan(None),
            "plan": pl.Series(["pro", "free", None], dtype=pl.String).gather((plan * 3).astype(np.int64)),
            "score": pl.Series(np.where(score < 0.5, np.floor(score * 10) + 1, np.nan)).fill_nan(None),
        }
    ).sort("us", maintain_order=True)
    for number, part in enumerate(frame.iter_slices(-(-n // files))):
        part.write_parquet(folder / f"log-{number:04}.parquet")
    return str(folder / "log-*.parquet")


def dirty_sources(folder: Path) -> list[Source]:
    """Two sources of different formats and columns: anonymous people, repeated deliveries, unusable rows, no order."""
    draw = np.random.default_rng(5)
    web = events_of(3_000, 150, seed=2, days=90).sample(fraction=1.0, shuffle=True, seed=3)
    n = web.height
    web = web.with_columns(
        cookie=pl.Series([f"c{i}" for i in draw.integers(0, 300, n)]),
        id=pl.Series([f"e{i}" for i in draw.integers(0, int(n * 20), n)]),
        user=pl.when(pl.Series(draw.random(n) < 0.4)).then(None).otherwise("user"),
        seq=pl.Series(draw.integers(0, 3, n)),
    )
    # every cookie is of one user, but for a few that two people shared
    of_cookie = pl.col("user").drop_nulls().first().over("cookie")
    web = web.with_columns(
        user=pl.when(pl.col("user").is_not_null() & (pl.col("cookie") != "c7")).then(of_cookie).otherwise("user")
    )
    web.write_parquet(folder / "web-1.parquet")
    web.head(400).write_parquet(folder / "web-2.parquet")
    shop = events_of(1_200, 150, seed=9, days=90).select(
        customer="user",
        at=pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        what="touchpoint",
        amount="value",
        seq=pl.int_range(pl.len()),
    )
    broken = pl.DataFrame(
        {"customer": ["user-000000001", "", "user-000000002"], "at": ["soon", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"],
         "what": ["touch_01", "touch_01", ""], "amount": [None, None, None], "seq": [-1, -2, -3]},
        schema_overrides={"amount": pl.Float64},
    )  # fmt: skip
    pl.concat([shop, broken]).write_csv(folder / "shop.csv")
    own = EventSchema(
        user="user", timestamp="ts", touchpoint="touchpoint", channel="channel", value="value", cost="cost",
        satisfaction="csat", satisfaction_scale=(1, 5), attributes=("plan",), anonymous="cookie", event_id="id",
        tie_break=("seq",),
    )  # fmt: skip
    theirs = EventSchema(
        user="customer", timestamp="at", touchpoint="what", value="amount", constant_channel="store", tie_break=("seq",)
    )
    return [
        Source(str(folder / "web-*.parquet"), own, name="web"),
        Source(str(folder / "shop.csv"), theirs, name="shop"),
    ]
