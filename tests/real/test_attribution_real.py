"""Attribution on the real path tables: published values, and an independent computation."""

from __future__ import annotations

import polars as pl
import pytest

from journeymine.events import read_events
from journeymine.journeys import build_journeys
from journeymine.metrics import attribution, attribution_from_paths, choose_order_from_paths
from tests.oracles.attribution import removal_credit

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def pathdata(real_data):
    return pl.read_csv(real_data / "pathdata.csv")


def credits_of(frame, rule, column="conversions"):
    return dict(frame.filter(pl.col("rule") == rule).select("label", column).iter_rows())


def of_pathdata(table, **options):
    return attribution_from_paths(
        table, conversions="total_conversions", value="total_conversion_value", nulls="total_null", **options
    ).frame


@pytest.mark.parametrize(
    ("rule", "order", "label", "expected"),
    [
        # heuristic_models() and the closed form of markov_model() of the R package ChannelAttribution on its PathData.
        ("first", 1, "eta", 3164), ("last", 1, "eta", 4167), ("linear", 1, "eta", 3539.9512),
        ("markov", 1, "eta", 3340.8474), ("markov", 1, "kappa", 274.3633), ("markov", 1, "delta", 4.6136),
        ("markov", 3, "alpha", 5748.0986),
        ("shapley", 1, "alpha", 7627.9440), ("shapley", 1, "mi", 2.6667),
    ],
)  # fmt: skip
def test_published_values(pathdata, rule, order, label, expected):
    assert credits_of(of_pathdata(pathdata, rules=rule, order=order), rule)[label] == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_credits_sum_to_the_conversions_and_their_value(pathdata, order):
    totals = of_pathdata(pathdata, order=order).group_by("rule").agg(pl.col("conversions", "value", "share").sum())
    assert totals["conversions"].to_numpy() == pytest.approx(19_785, rel=1e-12)
    assert totals["value"].to_numpy() == pytest.approx(pathdata["total_conversion_value"].sum(), rel=1e-12)
    assert totals["share"].to_numpy() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_removal_effects_by_deleting_states(pathdata, order):
    # Collapsed states and a dense solve without each channel, by conversions and by value.
    rows = pathdata.select("path", "total_conversions", "total_conversion_value", "total_null").rows()
    expected = removal_credit([(p.split(" > "), n, v, z) for p, n, v, z in rows], order)
    found = of_pathdata(pathdata, rules="markov", order=order)
    for label, (conversions, value) in expected.items():
        assert credits_of(found, "markov")[label] == pytest.approx(conversions, rel=1e-9)
        assert credits_of(found, "markov", "value")[label] == pytest.approx(value, rel=1e-9)


def test_the_order_of_pathdata(pathdata):
    found = choose_order_from_paths(pathdata, conversions="total_conversions", nulls="total_null")
    # The example data repeats whole paths, so that each further touch foretells better.
    assert found.order == 4
    assert (found.frame["gain"].drop_nulls() > 0).all()


@pytest.fixture(scope="module")
def merchandise(real_data):
    """Paths of the Google Merchandise Store: `#TP` repeats a campaign, revenue stands on the first row of a path.

    Rows are in order; the number of a step is blank in some.
    """
    steps = pl.read_parquet(real_data / "google_merch_paths.parquet")
    return (
        steps.with_columns(pl.col("Campaign").repeat_by(pl.col("#TP").cast(pl.Int64)))
        .group_by("Path ID", maintain_order=True)
        .agg(
            path=pl.col("Campaign").list.explode(), revenue=pl.col("Total Revenue").cast(pl.Float64).drop_nulls().sum()
        )
    )


def test_merchandise_with_revenue(merchandise):
    found = attribution_from_paths(merchandise, value="revenue", direct=["(direct)"]).frame
    assert merchandise.height == 93_629
    for rule in found["rule"].unique():
        assert sum(credits_of(found, rule).values()) == pytest.approx(93_629)
        assert sum(credits_of(found, rule, "value").values()) == pytest.approx(merchandise["revenue"].sum())
    first = merchandise.group_by(pl.col("path").list.first().alias("label")).agg(
        pl.len().alias("n"), pl.col("revenue").sum()
    )
    for label, n, revenue in first.iter_rows():
        assert credits_of(found, "first")[label] == n
        assert credits_of(found, "first", "value")[label] == pytest.approx(revenue)
    # The export has dropped direct touches at the end of mixed paths already: last is last non-direct.
    only = merchandise.filter(pl.col("path").list.unique().list.len() == 1, pl.col("path").list.first() == "(direct)")
    assert credits_of(found, "last_non_direct")["(direct)"] == only.height
    assert credits_of(found, "last") == credits_of(found, "last_non_direct")
    assert credits_of(found, "first")["(direct)"] >= only.height


def test_a_bank_credits_its_activities(real_data):
    path = real_data / "bpic2012.parquet"
    events = read_events(path, user="case_id", touchpoint="activity", timestamp="timestamp")
    journeys = build_journeys(events, goal="A_ACTIVATED", lost_at=["A_DECLINED", "A_CANCELLED"], split="user")
    found = attribution(journeys, grain="touchpoint", rules=("first", "linear", "markov", "shapley")).frame
    assert found.group_by("rule").agg(pl.col("conversions").sum())["conversions"].to_numpy() == pytest.approx(2_246)
    # Every application begins with its submission.
    assert credits_of(found, "first")["A_SUBMITTED"] == 2_246
    # Linear by an independent computation: steps before the first activation, in the order of the file.
    steps = journeys.steps.with_columns(before=pl.col("is_goal").cum_sum().over("user") == 0)
    won = steps.filter(pl.col("is_goal").any().over("user"), pl.col("before"))
    expected = won.with_columns(share=1 / pl.len().over("user")).group_by("touchpoint").agg(pl.col("share").sum())
    for label, share in expected.iter_rows():
        assert credits_of(found, "linear")[label] == pytest.approx(share, abs=1e-3)
    assert found["conversions_lower"].drop_nulls().len() > 20
