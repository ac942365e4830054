"""The intervals of nearly all measures, asked of the same simulated customers: what holds in truth is told by many of them.

Customers differ in how often they come, where they like to be, how ready they are to buy, how much they spend, how long
they take and how content they are. `make evidence` asks 400 logs; every run asks a few, with wide bounds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import polars as pl
import pytest

import journeymine as jm

DAY, DAYS, USERS = 86_400, 120, 400
TOUCHPOINTS = np.array(["ad", "visit", "product", "cart", "help", "order"])
AD, VISIT, PRODUCT, CART, HELP, ORDER = range(6)
CHANNELS = np.array(["app", "phone", "store", "web"])
STAGES = {"aware": ["ad"], "look": ["visit", "product"], "buy": ["cart", "order"], "help": ["help"]}
SUMS = ["value", "conversions"]
"""Estimates that grow with the number of customers."""

MEASURES: dict[str, tuple[Callable[[jm.Journeys], pl.DataFrame], list[str]]] = {
    "conversion": (lambda j: jm.conversion(j, by="channel").frame, ["channel"]),
    "customer value": (lambda j: jm.customer_value(j, event="order").frame, []),
    "decision points": (lambda j: jm.decision_points(j).frame, ["label"]),
    "drop-off": (lambda j: jm.drop_off(j, by="stage").frame.drop(_AT_STAKE), ["stage"]),
    "dwell": (lambda j: jm.dwell(j, by="touchpoint").frame, ["touchpoint"]),
    "friction": (lambda j: jm.friction(j).frame.drop(_AT_STAKE), ["friction", "channel", "touchpoint"]),
    "funnel": (lambda j: jm.funnel(j, steps=["visit", "product", "cart"], within="3d").frame, ["step"]),
    "handoffs": (lambda j: jm.handoffs(j).frame, ["from", "to"]),
    "life cycle": (lambda j: jm.life_cycle(j).frame, ["period"]),
    "Markov chain": (lambda j: jm.markov(j).summary, []),
    "the same, without help": (lambda j: jm.markov(j).what_if(remove="help").summary, []),
    "repeat rate": (lambda j: jm.repeat_rate(j, event="visit", bin="5d", horizon="30d").frame, ["nth"]),
    "satisfaction": (lambda j: jm.satisfaction(j).frame, ["stage"]),
    "satisfaction, dips": (lambda j: jm.satisfaction(j).tables["dips"], ["touchpoint"]),
    "stage reach": (lambda j: jm.stage_reach(j).frame, ["stage"]),
    "time to convert": (lambda j: jm.time_to_convert(j, horizon="10d", bin="1d").tables["curves"], ["time_s"]),
    "transitions": (lambda j: jm.transitions(j).edges, ["from", "to", "status"]),
    "typical order": (lambda j: jm.typical_order(j).frame, ["touchpoint"]),
    "waiting": (lambda j: jm.waiting(j, start="product", until=["cart", "visit"]).frame, []),
    "win-back": (lambda j: jm.win_back(j, bin="5d", horizon="30d").frame, []),
}
_AT_STAKE = pl.selectors.contains("at_stake")


def simulated(n_users: int, seed: tuple[int, int]) -> jm.Journeys:
    """Journeys of some customers; all begin within the log, in any number."""
    rng = np.random.default_rng(seed)
    ready, likes = rng.beta(2, 4, n_users), rng.dirichlet([1.5, 0.7, 1, 2], n_users).cumsum(axis=1)
    mood, spends, slow = rng.normal(0, 0.8, n_users), rng.normal(0, 0.5, n_users), rng.normal(0, 0.5, n_users)
    of = np.repeat(np.arange(n_users), 1 + rng.poisson(3 * rng.gamma(1.5, 1 / 1.5, n_users)))
    now, at = rng.random(len(of)) * DAYS * DAY, rng.choice([AD, VISIT, PRODUCT], len(of), p=[0.4, 0.45, 0.15])
    channel, alive, rows = np.full(len(of), -1), np.arange(len(of)), []
    for _ in range(12):
        user, here = of[alive], at[alive]
        fresh = (rng.random(len(alive))[:, None] > likes[user]).sum(axis=1).clip(max=3)
        stays = (rng.random(len(alive)) < 0.7) & (channel[alive] >= 0)
        channel[alive] = np.where(here == HELP, 1, np.where(stays, channel[alive], fresh))
        score = np.clip(np.rint(3 + mood[user] - 0.7 * (here == HELP) + rng.normal(size=len(alive))), 1, 5)
        paid = np.exp(3 + spends[user] + 0.6 * rng.normal(size=len(alive)))
        rows.append(pl.DataFrame({
            "user": user, "s": now[alive].astype(np.int64), "what": TOUCHPOINTS[here], "channel": CHANNELS[channel[alive]],
            "score": np.where(rng.random(len(alive)) < 0.35, score, np.nan), "paid": np.where(here == ORDER, paid, np.nan),
        }))  # fmt: skip
        after = onward(rng.random(len(alive)), here, ready[user], channel[alive] == 2)
        alive = alive[after >= 0]
        at[alive] = after[after >= 0]
        now[alive] += np.exp(9 + 1.2 * rng.normal(size=len(alive)) + slow[of[alive]])
    log = pl.concat(rows).filter(pl.col("s") < DAYS * DAY).with_columns(pl.col("score", "paid").fill_nan(None))
    events = jm.read_events(
        log.with_columns(user=pl.format("{}-{}", pl.lit(seed[1]), "user")), user="user", timestamp="s", time_unit="s",
        touchpoint="what", channel="channel", value="paid", currency="EUR", satisfaction="score",
        satisfaction_scale=(1, 5), stages=jm.StageMap.of(STAGES),
    )  # fmt: skip
    return jm.build_journeys(events, goal="order", idle="7d", observed_until=DAYS * DAY * 1_000_000)


def onward(toss: np.ndarray, here: np.ndarray, ready: np.ndarray, store: np.ndarray) -> np.ndarray:
    """Where each goes next; −1 where the journey ends."""
    found, none = np.full(len(here), -1), np.zeros(len(here))
    ways = {
        AD: [(VISIT, none + 0.6), (PRODUCT, none + 0.2)],
        VISIT: [(PRODUCT, none + 0.5), (AD, none + 0.1)],
        PRODUCT: [(CART, 0.35 + 0.3 * ready), (VISIT, none + 0.2)],
        CART: [(ORDER, 0.15 + 0.6 * ready + 0.1 * store), (PRODUCT, none + 0.15), (HELP, none + 0.12)],
        HELP: [(CART, none + 0.5)],
    }
    for at, choices in ways.items():
        begin = none
        for there, chance in choices:
            found[(here == at) & (toss >= begin) & (toss < begin + chance)] = there
            begin = begin + chance
    return found


def told(journeys: jm.Journeys, per_user: int) -> Iterator[pl.DataFrame]:
    """Every estimate that has limits, one below the other; sums per customer."""
    for measure, (ask, keys) in MEASURES.items():
        frame = ask(journeys)
        row = pl.concat_str([pl.col(key).cast(pl.String).fill_null("") for key in keys] or [pl.lit("")], separator="|")
        for name in frame.columns:
            if f"{name}_lower" in frame.columns:
                scale = per_user if name in SUMS else 1
                yield frame.select(
                    pl.lit(measure).alias("measure"), pl.lit(name).alias("estimate"), row.alias("row"),
                    *((pl.col(f"{name}{end}").cast(pl.Float64) / scale).alias(f"value{end}")
                      for end in ("", "_lower", "_upper")),
                )  # fmt: skip


@cache
def truth(n_users: int) -> pl.DataFrame:
    return pl.concat(told(simulated(n_users, (1, 0)), n_users)).select("measure", "estimate", "row", truth="value")


def covered(n: int, n_in_truth: int) -> pl.DataFrame:
    """How often each estimate's limits hold the truth, over its rows that have limits in nine of ten logs or more.

    What is certain by definition, or never happens, is left out.
    """
    found = pl.concat([frame for log in range(n) for frame in told(simulated(USERS, (2, log)), USERS)])
    pair = found.join(truth(n_in_truth), on=["measure", "estimate", "row"]).drop_nulls(["truth", "value_lower"])
    within = pl.col("truth").is_between("value_lower", "value_upper")
    rows = pair.filter(~pl.col("truth").is_in([0.0, 1.0])).group_by("measure", "estimate", "row")
    return (
        rows.agg(within.mean(), n=pl.len())
        .rename({"truth": "covered"})
        .filter(pl.col("n") >= 0.9 * n)
        .group_by("measure", "estimate")
        .agg(
            pl.len().alias("rows"),
            pl.col("covered").mean(),
            least=pl.col("covered").min(),
            most=pl.col("covered").max(),
        )
        .sort("measure", "estimate")
    )


def test_few_logs_cover() -> None:
    found = covered(12, 6_000)
    assert found["measure"].n_unique() == len(MEASURES)
    assert float((found["covered"] * found["rows"]).sum() / found["rows"].sum()) > 0.9, found


@pytest.mark.evidence
def test_every_interval_covers() -> None:
    found = covered(400, 150_000)
    for measure, rows in found.group_by("measure", maintain_order=True):
        told = (f"`{row['estimate']}` {row['covered']:.1%}" for row in rows.iter_rows(named=True))
        sys.stdout.write(f"| {measure[0]} | {', '.join(told)} |\n")
    # The standard error of a single row's coverage is 1.1 %, and there are some seventy of them.
    assert found["covered"].min() > 0.915, found
    assert found["covered"].max() < 0.985, found
    assert 0.945 < found["covered"].mean() < 0.965, found
