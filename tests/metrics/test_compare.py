"""Comparisons: the same numbers as asking twice, intervals by hand, calm under the null, and loud about what was planted."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import MergeError, QuestionError, UnknownLabelError
from journeymine.journeys.heads import CONVERTED
from journeymine.metrics import before_after, compare
from journeymine.stats.folds import jackknife_variance
from journeymine.stats.intervals import score_limits, student_quantile
from journeymine.stats.multiple import benjamini_hochberg
from journeymine.stats.skewed import skewed_student


@cache
def sample(*, planted: bool = True, users: int = 1500) -> jm.Journeys:
    return jm.build_journeys(jm.sample(planted=planted, users=users))


def halves(journeys: jm.Journeys, seed: int, *, by_user: bool = False) -> tuple[jm.Journeys, jm.Journeys]:
    """Two random halves of the journeys, or of the users."""
    draws = np.random.default_rng(seed)
    first = (
        (draws.random(len(journeys.users)) < 0.5)[journeys.heads.user] if by_user else draws.random(len(journeys)) < 0.5
    )
    return journeys.pick(first), journeys.pick(~first)


def test_both_sides_are_what_the_measure_says_of_each() -> None:
    a, b = halves(sample(), 1)
    measure = jm.Conversion(by="channel")
    found = compare(a, b, measure).frame
    for side, journeys in (("a", a), ("b", b)):
        own = jm.conversion(journeys, by="channel").frame
        for estimate in ("share", "p50_s", "mean_value"):
            got = dict(found.filter(pl.col("estimate") == estimate).select("channel", side).rows())
            for channel, value in own.select("channel", estimate).rows():
                assert got[channel] == (pytest.approx(value) if value is not None else None)
    both = found.drop_nulls(["a", "b"])
    assert both["difference"].to_list() == pytest.approx((both["a"] - both["b"]).to_list())


def test_a_numbers_interval_is_the_jackknife_over_shared_folds() -> None:
    a, b = halves(sample(), 2)
    row = compare(a, b, jm.Conversion(), columns="mean_value").frame.row(0, named=True)
    means = []
    for fold in range(64):
        kept = [each.pick(each.folds[each.heads.user] != fold) for each in (a, b)]
        shares = [jm.conversion(each).frame["mean_value"][0] for each in kept]
        means.append(shares[0] - shares[1])
    spread = np.array(means)
    half = float(student_quantile(63, 0.95)) * float(np.sqrt(jackknife_variance(spread)))
    bent_lower, bent_upper = skewed_student(row["difference"], spread, jackknife_variance(spread), 63)
    assert row["difference_lower"] == pytest.approx(min(row["difference"] - half, float(bent_lower)))
    assert row["difference_upper"] == pytest.approx(max(row["difference"] + half, float(bent_upper)))


def test_groups_that_are_the_same_differ_by_nothing_for_sure() -> None:
    row = compare(sample(), sample(), jm.Conversion(), columns="mean_value").frame.row(0, named=True)
    assert [row[name] for name in ("difference", "difference_lower", "difference_upper")] == [0, 0, 0]


def test_times_differ_by_seconds_and_not_by_at_most_one() -> None:
    a, b = halves(sample(), 3)
    found = compare(a, b, jm.Conversion(by="channel"), columns=["p50_s", "p90_s"])
    each = [jm.conversion(side, by="channel").frame for side in (a, b)]
    for row in found.frame.drop_nulls("difference_lower").iter_rows(named=True):
        first, second = (side.row(by_predicate=pl.col("channel") == row["channel"], named=True) for side in each)
        q = row["estimate"]
        below = np.hypot(first[q] - first[f"{q}_lower"], second[f"{q}_upper"] - second[q])
        above = np.hypot(first[f"{q}_upper"] - first[q], second[q] - second[f"{q}_lower"])
        assert row["difference_lower"] == pytest.approx(row["difference"] - below)
        assert row["difference_upper"] == pytest.approx(row["difference"] + above)
        assert row["difference_upper"] - row["difference_lower"] > 3_600
    # Two random halves: with limits cut at one second nearly every time would differ.
    assert (found.frame["p_value"].drop_nulls() < 0.06).mean() < 0.3


def test_stages_come_in_their_order() -> None:
    a, b = halves(sample(), 4)
    found = compare(a, b, jm.DropOff(by="stage"), columns="lost_share").frame
    assert found["stage"].to_list() == jm.drop_off(sample(), by="stage").frame["stage"].to_list()


def test_a_group_against_itself_differs_nowhere() -> None:
    found = compare(sample(), sample(), jm.Conversion())
    share = found.frame.row(by_predicate=pl.col("estimate") == "share", named=True)
    assert (share["difference"], share["p_value"]) == (0, 1)
    # The two go together entirely: squared and added with their correlation nothing is left of the limits.
    assert share["difference_upper"] < 0.005
    assert found.tables["global"]["p_value"][0] == 1


def test_p_values_agree_with_the_intervals_and_are_adjusted() -> None:
    journeys = sample()
    found = compare(journeys.through("offer_mail_clicked"), journeys, jm.DropOff(), names=("offer", "all")).frame
    tested = found.filter(pl.col("p_value").is_not_null())
    assert tested.height > 20
    outside = (tested["difference_lower"] > 0) | (tested["difference_upper"] < 0)
    assert (outside == (tested["p_value"] < 0.05)).all()
    assert outside.any()
    assert tested["p_adjusted"].to_list() == pytest.approx(benjamini_hochberg(tested["p_value"].to_numpy()).tolist())


@pytest.mark.parametrize("by_user", [True, False])
def test_under_the_null_the_global_test_keeps_its_level(by_user: bool) -> None:
    journeys = sample(planted=False)
    measure = jm.Conversion(by="channel")
    p = [
        compare(*halves(journeys, seed, by_user=by_user), measure, columns="share").tables["global"]["p_value"][0]
        for seed in range(80)
    ]
    # 4 expected of 80 at 5 %; more than 10 happen by chance in 0.2 % of all cases.
    assert sum(value < 0.05 for value in p) <= 10
    assert 0.35 < float(np.mean(p)) < 0.65


def test_a_planted_difference_is_found() -> None:
    x, y = halves(sample(), 6, by_user=True)
    lucky = x.pick((x.heads.status == CONVERTED) | (np.arange(len(x)) % 4 == 0))
    found = compare(lucky, y, jm.Conversion(by="channel"), columns="share")
    assert found.tables["global"]["p_value"][0] < 1e-3
    assert (found.frame.drop_nulls("p_value")["difference"] > 0).all()


def test_graphs_are_compared_by_how_many_journeys_use_each_edge() -> None:
    a, b = halves(sample(), 3)
    found = compare(a, b, jm.Transitions(grain="stage"))
    used = found.frame.filter(pl.col("estimate") == "n_journeys_share")
    for side, journeys in (("a", a), ("b", b)):
        edges = jm.transitions(journeys, grain="stage").edges
        mature = journeys.table.filter(pl.col("mature"), pl.col("status") != "service").height
        own = {row[:3]: row[3] / mature for row in edges.select("from", "to", "status", "mature").rows()}
        for row in used.select("from", "to", "status", side).rows():
            assert row[3] == pytest.approx(own.get(row[:3], 0.0))
    assert "nodes" in found.tables
    split = compare(a, b, jm.Transitions(grain="stage", by="device"), columns="n_journeys_share").frame
    starts = split.filter(pl.col("from").is_null()).group_by("device").agg(pl.col("a").sum())
    assert starts["a"].to_list() == pytest.approx([1.0] * starts.height)


def test_an_edge_that_one_side_never_uses_is_tested_by_its_users() -> None:
    # 0 of 500 against 20 of 500, once each; by the 64 folds alone the limits of 0 would reach to 5.9 %.
    def visits(name: str, calls: int) -> jm.Journeys:
        rows = [(f"{name}{u}", s, what) for u in range(500) for s, what in ((0, "visit"), (60, "call"), (90, "order"))
                if what != "call" or u < calls]  # fmt: skip
        log = pl.DataFrame(rows, schema=["user", "s", "what"], orient="row")
        events = jm.read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="what")
        return jm.build_journeys(events, goal="order", idle="1d", observed_until=10**12)

    found = compare(visits("a", 0), visits("b", 20), jm.Transitions(), columns="n_journeys_share")
    row = found.frame.row(by_predicate=pl.col("from") == "call", named=True)
    t = float(student_quantile(63, 0.95))
    zero, twenty = score_limits(0.0, 500, t), score_limits(0.04, 500, t)
    assert row["difference_upper"] == pytest.approx(-0.04 + np.hypot(zero[1], 0.04 - twenty[0]), abs=3e-3)
    assert row["p_value"] < 1e-3
    node = found.tables["nodes"].row(by_predicate=pl.col("label") == "call", named=True)
    assert node["p_value"] == row["p_value"]


def test_before_and_after_split_at_the_instant() -> None:
    journeys = sample()
    found = before_after(journeys, "2026-03-01", jm.Conversion(), window="30d")
    after, before = journeys.between("2026-03-01", "2026-03-31"), journeys.between("2026-01-30", "2026-03-01")
    share = found.frame.row(by_predicate=pl.col("estimate") == "share", named=True)
    assert share["a"] == pytest.approx(jm.conversion(after).frame["share"][0])
    assert share["b"] == pytest.approx(jm.conversion(before).frame["share"][0])
    assert "after against before" in found.question


def test_curves_are_compared_at_each_time() -> None:
    a, b = halves(sample(), 4)
    found = compare(a, b, jm.TimeToConvert(bin="1d", horizon="10d"))
    curves = found.tables["curves"]
    assert curves.filter(pl.col("estimate") == "converted_share")["time_s"].is_unique().all()


def test_what_cannot_be_compared_says_so() -> None:
    a, b = halves(sample(), 5)
    with pytest.raises(QuestionError, match="no estimates"):
        compare(a, b, jm.Variants())
    with pytest.raises(UnknownLabelError, match="no estimate 'shares' in this measure"):
        compare(a, b, jm.Conversion(), columns="shares")
    with pytest.raises(MergeError, match="measure given"):
        compare(jm.Conversion().count(a), b, jm.Conversion(by="channel"))
    with pytest.raises(QuestionError, match="instant"):
        before_after(a, 5, jm.Conversion())
    empty = a.pick(np.zeros(len(a), dtype=bool))
    assert compare(empty, b, jm.Conversion(by="channel")).frame["difference"].null_count() > 0
