"""Seeded logs to measure on, written once into a cache folder.

The plain log is what a web shop's looks like to a computer: string ids, 20 events per user, 30 touchpoints of unequal
weight, 8 channels, time-ordered Parquet. The rich log is the plain one with values of orders and scores of calls and
reviews. In both everything is a coin toss, at any hour of 180 days: nine days pass between two steps of a user. The
retailer's log is that of the sample data, of more customers: they come in sessions, follow ads and newsletters, and
leave. The others are plain logs with one thing changed, to find cliffs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from journeymine.retailer import generate

__all__ = ["CHANNELS", "SHAPES", "TOUCHPOINTS", "write_log"]

TOUCHPOINTS = (
    "page_view", "search", "product", "cart", "checkout", "order_placed", "email_open", "email_click", "ad_click",
    "call", "review", "refund", "login", "wishlist", "store_visit", "push", *(f"page_{i:02d}" for i in range(14)),
)  # fmt: skip
CHANNELS = ("web", "app", "email", "paid_search", "social", "store", "call_centre", "direct")
SHAPES = (
    "plain", "rich", "retailer", "one_big_user", "zipf_users", "many_touchpoints", "even_touchpoints", "unsorted", "long_ids", "user_sorted",
)  # fmt: skip
"""Plain; with value and score; the sample's retailer; one user with 5 % of all events (a million of 2e7); users by Zipf's law; 10,000 touchpoints by Zipf's law, as
pages of a site are visited; 10,000 each as likely, so that hardly an edge occurs twice; rows shuffled; ids of 36 characters; rows user by user."""

_DAYS, _START, _US_PER_DAY = 180, 1_700_000_000_000_000, 86_400_000_000
_EVENTS_PER_USER = 20
_EVENTS_PER_CUSTOMER, _FEWEST_CUSTOMERS = 11, 200
"""Of the retailer, at least; and what it cannot do without."""


def write_log(folder: Path, n_events: int, shape: str = "plain") -> Path:
    """Path of the log of `n_events` events; made first if it is not there."""
    path = folder / f"events-{n_events}-{shape}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        made = _retailer(n_events) if shape == "retailer" else _log(n_events, shape)
        made.write_parquet(unfinished)
        unfinished.replace(path)
    return path


def _log(n: int, shape: str) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    n_users = max(n // _EVENTS_PER_USER, 1)
    users = rng.integers(0, n_users, n)
    if shape == "one_big_user":
        users[rng.random(n) < 0.05] = 0
    elif shape == "zipf_users":
        users = np.minimum(rng.zipf(1.3, n), n_users) - 1
    many = shape in ("many_touchpoints", "even_touchpoints")
    names = [*TOUCHPOINTS, *(f"page_{i:05d}" for i in range(10_000 - len(TOUCHPOINTS)))] if many else TOUCHPOINTS
    weight = np.ones(len(names)) if shape == "even_touchpoints" else 1 / np.arange(1, len(names) + 1)
    touchpoints = rng.choice(len(names), n, p=weight / weight.sum())
    time = np.sort(rng.integers(0, _DAYS * _US_PER_DAY, n)) + _START
    frame = pl.DataFrame(
        {
            "user_id": _ids(users, long=shape == "long_ids"),
            "ts": pl.Series(time).cast(pl.Datetime("us", "UTC")),
            "touchpoint": pl.Series(names).gather(touchpoints),
            "channel": pl.Series(CHANNELS).gather(rng.integers(0, len(CHANNELS), n)),
        }
    )
    if shape == "rich":
        return frame.with_columns(_value(rng, frame["touchpoint"]), _score(rng, frame["touchpoint"]))
    if shape == "unsorted":
        return frame[rng.permutation(n)]
    return frame.sort("user_id", maintain_order=True) if shape == "user_sorted" else frame


def _retailer(n: int) -> pl.DataFrame:
    """The first events of enough customers."""
    log = generate(users=n // _EVENTS_PER_CUSTOMER + _FEWEST_CUSTOMERS).head(n)
    names = {"user": "user_id", "timestamp": "ts", "satisfaction": "score"}
    return log.rename(names).select("user_id", "ts", "touchpoint", "channel", "value", "score")


def _value(rng: np.random.Generator, touchpoint: pl.Series) -> pl.Series:
    """What each order is worth; log-normal, around 60."""
    worth = pl.Series("value", rng.lognormal(4.0, 0.7, len(touchpoint)).round(2))
    return worth.set(touchpoint != "order_placed", None)


def _score(rng: np.random.Generator, touchpoint: pl.Series) -> pl.Series:
    """1 to 5, after one call or review of three."""
    score = pl.Series("score", rng.integers(1, 6, len(touchpoint)))
    silent = pl.Series(rng.random(len(touchpoint)) > 1 / 3)
    return score.set(silent | ~touchpoint.is_in(["call", "review"]), None)


def _ids(users: np.ndarray, *, long: bool) -> pl.Series:
    number = pl.Series("user_id", users).cast(pl.String)
    frame = pl.DataFrame({"n": number})
    if long:
        return frame.select(pl.lit("3f2504e0-4f89-41d3-9a0c-") + pl.col("n").str.zfill(12)).to_series()
    return frame.select(pl.lit("u") + pl.col("n").str.zfill(9)).to_series()
