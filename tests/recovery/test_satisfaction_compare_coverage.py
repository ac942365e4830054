"""Customers with moods and habits of their own: scores, differences and decompositions cover the truth about 95 % of the time,
and a retailer with nothing planted has neither opportunities nor dips.

A few simulations in every run, so the bounds are wide there; `make evidence` does 2,000 and asks for 93–97 %.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest

import journeymine as jm

USERS, EACH, DAY = 300, 4, 86_400
CHANGE = 400
"""Day of the change: half of everybody's journeys lie before it."""

EVIDENCE = pytest.mark.parametrize(
    ("n", "low", "high"), [(80, 0.87, 1.0), pytest.param(2_000, 0.93, 0.97, marks=pytest.mark.evidence)]
)
TRUE_CHANGE = 0.1 - 0.2 * 0.3
"""After the change somebody of propensity θ converts with 0.8 θ + 0.1; the mean of θ is 0.3."""


def simulated(salt: int) -> jm.Journeys:
    """Journeys 40 days apart: a visit with a score, and perhaps an order a minute later."""
    rng = np.random.default_rng([7, salt])
    theta, mood = rng.beta(1.5, 3.5, USERS), rng.normal(0, 0.7, USERS)
    user = np.repeat(np.arange(USERS), 2 * EACH)
    nth = np.tile(np.arange(2 * EACH), USERS)
    day = np.where(nth < EACH, 40 * nth, CHANGE + 40 * (nth - EACH))
    second = day * DAY + rng.integers(0, DAY, len(user))
    chance = np.where(nth < EACH, theta[user], 0.8 * theta[user] + 0.1)
    won = rng.random(len(user)) < chance
    score = np.clip(np.rint(3 + mood[user] + rng.normal(0, 0.8, len(user))), 1, 5)
    answered = rng.random(len(user)) < 0.4
    channel = np.where(rng.random(len(user)) < 0.5, "web", "store")
    visits = pl.DataFrame({
        "user": user, "s": second, "what": "visit", "channel": channel,
        "score": pl.Series(score).set(pl.Series(~answered), None),
    })  # fmt: skip
    orders = visits.filter(pl.Series(won)).with_columns(
        pl.col("s") + 60, what=pl.lit("order"), score=pl.lit(None, pl.Float64)
    )
    log = pl.concat([visits, orders]).with_columns(user=pl.format("u{}-{}", pl.lit(salt), "user"))
    events = jm.read_events(log, timestamp="s", time_unit="s", touchpoint="what", channel="channel", satisfaction="score",
                            satisfaction_scale=(1, 5))  # fmt: skip
    return jm.build_journeys(events, goal="order", observed_until=(CHANGE + 1_000) * DAY * 1_000_000)


@EVIDENCE
def test_intervals_cover(n: int, low: float, high: float) -> None:
    found = []
    for salt in range(n):
        journeys = simulated(salt)
        scores = jm.satisfaction(journeys, by="touchpoint").frame.row(0, named=True)
        change = jm.before_after(journeys, "1971-02-05", jm.Conversion(), columns="share").frame.row(0, named=True)
        after, before = journeys.between("1971-02-05", "1980-01-01"), journeys.between("1970-01-01", "1971-02-05")
        parts = {row["part"]: row for row in jm.decompose(after, before).tables["total"].iter_rows(named=True)}
        found.append((
            scores["mean_lower"] <= 3 <= scores["mean_upper"],
            change["difference_lower"] <= TRUE_CHANGE <= change["difference_upper"],
            parts["change"]["effect_lower"] <= TRUE_CHANGE <= parts["change"]["effect_upper"],
            parts["mix"]["effect_lower"] <= 0 <= parts["mix"]["effect_upper"],
        ))  # fmt: skip
    covered = np.mean(found, axis=0)
    if n >= 1_000:
        for what, share in zip(
            ("mean score", "before and after", "change", "mix effect, 0 in truth"), covered, strict=True
        ):
            sys.stdout.write(f"| {what} | {n:,} | {share:.1%} |\n")
    # A mix effect is a product of two small differences, both near 0: its interval is wide rather than narrow.
    assert (covered[:3] >= low).all(), covered
    assert (covered[:3] <= high).all(), covered
    assert covered[3] >= low, covered


def claims(seed: int) -> tuple[bool, bool]:
    """Whether nothing planted makes the list of opportunities, or the dips, claim anything."""
    journeys = jm.build_journeys(jm.sample(planted=False, seed=seed, users=1_500))
    dips = jm.satisfaction(journeys).tables["dips"]
    return not jm.opportunities(journeys).frame.is_empty(), bool((dips["p_adjusted"].drop_nulls() <= 0.05).any())


@pytest.mark.parametrize(("n", "most"), [(4, 1), pytest.param(200, 17, marks=pytest.mark.evidence)])
def test_nothing_is_claimed_where_nothing_is_planted(n: int, most: int) -> None:
    counted = np.sum([claims(seed) for seed in range(1_000, 1_000 + n)], axis=0)
    assert (counted <= most).all(), counted
