"""The null retailer: whether a journey goes on has nothing to do with anything that a test could look at."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from journeymine.retailer import generate, true_journeys
from journeymine.retailer.blueprint import TOUCHPOINTS
from tests.retailer.conftest import cut

SEEDS = range(100, 120)
LABELS = ["channel", "touchpoint", "device", "week", "n_steps", "crossing"]


@pytest.fixture(scope="module")
def stages() -> list[pl.DataFrame]:
    """Per seed: one mature journey per user, one row per stage it reached, with what was seen in the stage."""
    return [reached(seed) for seed in SEEDS]


def reached(seed: int, *, planted: bool = False) -> pl.DataFrame:
    stage_of = {touchpoint.name: touchpoint.stage for touchpoint in TOUCHPOINTS}
    order = {"awareness": 0, "consideration": 1, "purchase": 2}
    truth = true_journeys(seed=seed, users=1_500, planted=planted)
    first = truth.filter("mature").unique("user", keep="first", maintain_order=True)
    steps = cut(generate(seed=seed, users=1_500, planted=planted))
    steps = steps.with_columns(
        start=pl.col("start").dt.truncate("1s"), stage=pl.col("touchpoint").replace_strict(stage_of)
    )
    steps = steps.join(first.select("user", "start", "exit_stage", "outcome"), on=["user", "start"])
    steps = steps.filter(
        pl.col("stage").is_in(list(order)), ~pl.col("touchpoint").is_in(["order_placed", "account_closed"])
    )
    rows = (
        steps.sort("journey", "timestamp")
        .group_by("journey", "stage", maintain_order=True)
        .agg(
            pl.col("channel", "touchpoint").last(),
            pl.col("device").first(),
            week=pl.col("start").first().dt.week(),
            n_steps=pl.len().clip(upper_bound=5),
            crossing=(pl.col("channel").shift(1) + ">" + pl.col("channel")).last(),
            went_on=(
                (pl.col("outcome") == "converted")
                | (pl.col("stage").replace_strict(order) < pl.col("exit_stage").replace_strict(order))
            ).first(),
        )
    )
    return rows.with_columns(pl.col(LABELS).cast(pl.String).fill_null("-"))


def p_value(rows: pl.DataFrame, label: str) -> float:
    """Chi-squared test of going on against a label, labels of fewer than 25 journeys put together."""
    counts = rows.group_by(label).agg(n=pl.len(), on=pl.col("went_on").sum()).sort(label)
    few = counts.filter(pl.col("n") < 25)
    table = counts.filter(pl.col("n") >= 25).select(
        pl.col("on").cast(pl.Int64), off=(pl.col("n") - pl.col("on")).cast(pl.Int64)
    )
    if few["n"].sum() >= 25:
        table = pl.concat(
            [table, pl.DataFrame({"on": [int(few["on"].sum())], "off": [int((few["n"] - few["on"]).sum())]})]
        )
    return float(stats.chi2_contingency(table.to_numpy(), correction=False).pvalue) if table.height > 1 else 1.0


@pytest.mark.parametrize("stage", ["awareness", "consideration", "purchase"])
@pytest.mark.parametrize("label", LABELS)
def test_going_on_depends_on_nothing_seen_in_the_stage(stages: list[pl.DataFrame], stage: str, label: str) -> None:
    p = np.array([p_value(rows.filter(pl.col("stage") == stage), label) for rows in stages])
    assert (p < 0.05).sum() <= stats.binom.ppf(0.9995, len(p), 0.05)
    assert (p < 0.001).sum() <= 1


def test_planted_differences_would_have_been_seen() -> None:
    """The same test on the planted retailer, so that the test above can fail."""
    seen = reached(100, planted=True)
    assert p_value(seen.filter(pl.col("stage") == "consideration"), "channel") < 1e-6


def test_orders_come_as_soon_and_bring_as_much_from_every_channel() -> None:
    waits, values, shares = [], [], []
    for seed in SEEDS:
        journeys = true_journeys(seed=seed, users=1_500, planted=False).filter("mature")
        by_channel = journeys.filter(outcome="converted").with_columns(wait=pl.col("goal_at") - pl.col("start"))
        groups = by_channel.partition_by("entry_channel")
        waits.append(stats.kruskal(*[group["wait"].dt.total_seconds().to_numpy() for group in groups]).pvalue)
        values.append(stats.kruskal(*[group["value"].to_numpy() for group in groups]).pvalue)
        first = journeys.unique("user", keep="first", maintain_order=True)
        shares.append(
            stats.chi2_contingency(
                pl.DataFrame(
                    first.group_by("entry_channel").agg(
                        on=(pl.col("outcome") == "converted").sum(),
                        off=(pl.col("outcome") != "converted").sum(),
                    )
                )
                .select(pl.col("on", "off").cast(pl.Int64))
                .to_numpy()
            ).pvalue
        )
    for p in (waits, values, shares):
        assert (np.array(p) < 0.05).sum() <= stats.binom.ppf(0.9995, len(p), 0.05)


def test_scores_are_the_same_everywhere() -> None:
    p = []
    for seed in SEEDS:
        scores = generate(seed=seed, users=1_500, planted=False).filter(pl.col("satisfaction").is_not_null())
        table = scores.pivot("satisfaction", index="channel", values="user", aggregate_function="len").fill_null(0)
        p.append(stats.chi2_contingency(table.drop("channel").to_numpy()).pvalue)
    assert (np.array(p) < 0.05).sum() <= stats.binom.ppf(0.9995, len(p), 0.05)
