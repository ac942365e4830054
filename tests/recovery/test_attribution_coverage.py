"""Credits of simulated users cover their expectation about 95 % of the time, by every rule.

All simulations of a run are one log: each is a segment, and a segment's users are in no other. Users differ in how many
journeys they make, in their channels and in their propensity, so that journeys of one user are alike.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest

from journeymine.events import read_events
from journeymine.journeys import build_journeys
from journeymine.metrics import attribution

CHANNELS = np.array(["search", "email", "social", "direct"])
BOOST = np.array([1.0, 1.4, 0.6, 1.2])
USERS, HOUR, DAY = 500, 3_600, 86_400
GAP_DAYS = 20
FEW_USERS = 350  # about 60 conversions per channel
FEW_LARGE = "few large amounts"


def gamma(rng, n):
    return np.round(rng.gamma(4, 5, n), 2)


def log_normal(rng, n):
    """The same mean, of which few orders bring in much."""
    return rng.lognormal(np.log(20) - 0.5, 1, n)


def simulated(n_users, rng, amounts=gamma):
    """Raw events of some users: journeys of a geometric number of touches, which convert by user and last channel."""
    liking, propensity = rng.dirichlet([1.2] * 4, n_users), rng.beta(2, 5, n_users)
    user = np.repeat(np.arange(n_users), rng.geometric(0.45, n_users))
    nth = np.arange(len(user)) - np.searchsorted(user, user)
    alive, last = np.arange(len(user)), np.full(len(user), -1)
    parts, cumulative = [], liking.cumsum(axis=1)
    for step in range(12):
        fresh = (rng.random(len(alive))[:, None] > cumulative[user[alive]]).sum(axis=1).clip(max=3)
        stays = (rng.random(len(alive)) < 0.3) & (last[alive] >= 0)
        last[alive] = np.where(stays, last[alive], fresh)
        parts.append((alive, np.full(len(alive), step), last[alive].copy()))
        done = (rng.random(len(alive)) < 0.35) | (step == 11)
        won = done & (rng.random(len(alive)) < propensity[user[alive]] * BOOST[last[alive]])
        parts.append((alive[won], np.full(int(won.sum()), step + 1), np.full(int(won.sum()), -1)))
        alive = alive[~done]
    journey, step, channel = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return pl.DataFrame(
        {
            "user": user[journey],
            "s": nth[journey] * GAP_DAYS * DAY + step * HOUR,
            "what": np.where(channel < 0, "order", "touch"),
            "channel": CHANNELS[channel],
            "value": np.where(channel < 0, amounts(rng, len(channel)), 0.0),
        }
    )


def credits_of(frame, by=None):
    events = read_events(frame, user="id", timestamp="s", time_unit="s", touchpoint="what", channel="channel",
                         value="value", attributes=["sim"])  # fmt: skip
    until = (int(frame["s"].max()) + 90 * DAY) * 1_000_000
    journeys = build_journeys(events, goal="order", idle="10d", observed_until=until, segments={"sim": "sim"})
    return attribution(journeys, by=by, half_life="2h").frame


@pytest.fixture(scope="module")
def truth():
    """Credit per user in a population of many."""
    n = 120_000
    frame = simulated(n, np.random.default_rng(999)).with_columns(id=pl.col("user").cast(pl.String), sim=pl.lit("0"))
    return credits_of(frame).select("rule", "label", pl.col("conversions", "value") / n, pl.col("share"))


def covered(truth, n_simulations, seed, users=USERS, amounts=gamma):
    rng = np.random.default_rng(seed)
    # How many users come is chance as well: a credit is a total, and its interval says so.
    drawn = rng.integers(0, n_simulations, users * n_simulations)
    frame = simulated(users * n_simulations, rng, amounts)
    frame = frame.with_columns(
        sim=pl.Series(drawn[frame["user"].to_numpy()]).cast(pl.String), id="u" + pl.col("user").cast(pl.String)
    )
    pair = credits_of(frame, by="sim").join(truth, on=["rule", "label"], suffix="_true")
    assert pair.height == n_simulations * truth.height
    # Where one fold happens to hold a tenth of the credit there is no interval, and the reason says so.
    assert pair["reason"].null_count() > (0.97 if users == USERS else 0.9) * pair.height
    pair = pair.filter(pl.col("reason").is_null())
    within = [
        ((pl.col(f"{c}_true") * n).is_between(pl.col(f"{c}_lower"), pl.col(f"{c}_upper"))).alias(c)
        for c, n in (("conversions", users), ("value", users), ("share", 1))
    ]
    return pair.with_columns(within).group_by("rule").agg(pl.col("conversions", "value", "share").mean())


def of_few(truth, n_simulations, seed):
    """The same for the value where few orders bring in much."""
    found = covered(truth, n_simulations, seed, FEW_USERS, log_normal)
    return found.select("rule", pl.col("value").alias(FEW_LARGE))


def test_credits_cover_their_expectation(truth):
    found = covered(truth, 150, 1).join(of_few(truth, 150, 2), on="rule")
    # 600 correlated intervals each: the standard error of a coverage is about 1 %.
    for column in ("conversions", "value", "share", FEW_LARGE):
        assert found[column].min() > 0.915, found
        assert found[column].max() < 0.985, found


@pytest.mark.evidence
def test_credits_cover_their_expectation_2000(truth):
    runs = pl.concat(
        [covered(truth, 250, seed).join(of_few(truth, 250, 50 + seed), on="rule") for seed in range(100, 108)]
    )
    found = runs.group_by("rule").agg(pl.exclude("rule").mean()).sort("rule")
    for rule, *shares in found.iter_rows():
        sys.stdout.write(f"| {rule} | 2,000 | {' | '.join(f'{share:.1%}' for share in shares)} |\n")
    for column in ("conversions", "value", "share", FEW_LARGE):
        assert found[column].min() > 0.93, found
        assert found[column].max() < 0.975, found
