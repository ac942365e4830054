"""Customers over time: a log in which nothing changes is not told to have changed, whatever is asked of its two halves."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.metrics import before_after, compare
from journeymine.metrics.compare_sides import n_cut_users

DAY = 86_400
CHANGE = "1970-05-31"
FOLLOWING: list[Any] = [
    jm.Retention(period="30d", periods=4), jm.Stickiness(), jm.LifeCycle(), jm.RepeatRate(horizon="60d"), jm.CustomerValue(),
    jm.CustomerValue(within="60d"), jm.FirstContact(support="support"),
]  # fmt: skip


@cache
def stationary(users: int = 1200, days: int = 300, *, seed: int = 2) -> jm.Journeys:
    """Every user orders or asks for help all the time at one rate."""
    draws = np.random.default_rng(seed)
    rows = [
        (f"u{user}", int(t * DAY), ("order", "support")[int(draws.integers(2))], 10.0)
        for user in range(users)
        for t in np.cumsum(draws.exponential(15.0, 60))
        if t < days
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "value"], orient="row")
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", value="value")
    return jm.build_journeys(events, goal="order", idle="10d")


@pytest.mark.parametrize("measure", FOLLOWING, ids=lambda measure: str(measure.name))
def test_what_follows_users_is_refused_over_a_date(measure: Any) -> None:
    journeys = stationary()
    with pytest.raises(QuestionError, match=r"cuts them in two(?s:.*)Hint(?s:.*)first entry"):
        before_after(journeys, CHANGE, measure)
    with pytest.raises(QuestionError, match=r"cuts them in two(?s:.*)Hint"):
        compare(journeys.between(CHANGE, "1971-01-01"), journeys.between("1970-01-01", CHANGE), measure)
    with pytest.raises(QuestionError, match=r"of the [\d,]+ users of 'b' [\d,]+ have other journeys(?s:.*)Hint"):
        compare(journeys, journeys.between("1970-01-01", CHANGE), measure)


def test_cohorts_of_whole_users_are_compared_and_nothing_is_claimed() -> None:
    journeys = stationary()
    first = pl.col("start").min().over("user")
    when = datetime(1970, 1, 12, tzinfo=UTC)
    late, early = journeys.where(first >= when), journeys.where(first < when)
    for measure, columns in (
        (FOLLOWING[0], "share"), (jm.RepeatRate(horizon="60d"), "repeated_share"), (FOLLOWING[5], "value_per_customer"),
    ):  # fmt: skip
        found = compare(late, early, measure, columns=columns)
        assert found.frame["p_adjusted"].drop_nulls().len(), measure.name
        assert found.frame["p_adjusted"].min() > 0.05, measure.name
        assert found.tables["global"]["p_value"][0] > 0.01, measure.name


def test_win_back_is_compared_between_periods_within_its_horizon_only() -> None:
    journeys = stationary()
    found = before_after(journeys, CHANGE, jm.WinBack(horizon="20d"))
    assert found.frame["estimate"].to_list() == ["came_back_share"]
    assert found.frame["p_value"][0] > 0.05
    assert any("so_far_share" in note for note in found.notes)
    after = journeys.between(CHANGE, "1971-01-01")
    own = jm.win_back(after, horizon="20d").frame["came_back_share"][0]
    assert found.frame["a"][0] == pytest.approx(own)
    with pytest.raises(QuestionError, match=r"so_far_share goes by the time watched(?s:.*)Hint"):
        before_after(journeys, CHANGE, jm.WinBack(), columns="so_far_share")
    web = stationary(seed=4)
    assert "so_far_share" in compare(journeys, web, jm.WinBack()).frame["estimate"].to_list()


def test_users_with_journeys_left_out_are_counted() -> None:
    journeys = stationary()
    table = journeys.table
    whole = dict(table.group_by("user").len().rows())
    assert n_cut_users(journeys) == 0
    for part in (
        journeys.between("1970-02-01", CHANGE),
        journeys.where(pl.col("status") == "lost"),
        journeys.range(0, 0),
    ):
        kept = dict(part.table.group_by("user").len().rows())
        assert n_cut_users(part) == sum(n < whole[user] for user, n in kept.items())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"measure": jm.Conversion}, "Conversion is no measure"),
        ({"measure": jm.conversion}, "function is no measure"),
        ({"measure": "conversion"}, "str is no measure"),
        ({"names": ("x",)}, "names="),
        ({"names": "ab"}, "names="),
        ({"columns": 5}, "columns=5"),
        ({"columns": []}, "columns="),
        ({"a": pl.DataFrame()}, "DataFrame"),
    ],
)
def test_what_is_no_comparison_says_so(asked: dict[str, Any], said: str) -> None:
    journeys = stationary()
    given: dict[str, Any] = {"a": journeys, "b": journeys, "measure": jm.Conversion(), **asked}
    a, b, measure = (given.pop(name) for name in ("a", "b", "measure"))
    with pytest.raises(QuestionError, match=rf"{said}(?s:.*)Hint"):
        compare(a, b, measure, **given)


def test_an_estimate_that_does_not_exist_is_named_beside_one_that_does() -> None:
    journeys = stationary()
    with pytest.raises(UnknownLabelError, match=r"no estimate 'shares'(?s:.*)Hint: nearest: 'share'"):
        compare(journeys, journeys, jm.Conversion(), columns=["p50_s", "shares"])


def test_sides_built_by_different_rules_say_so() -> None:
    journeys = stationary()
    shorter = jm.build_journeys(journeys.events, goal="order", idle="5d")
    told = [note for note in compare(journeys, shorter, jm.Conversion()).notes if "different rules" in note]
    assert told == ["a and b were built by different rules or stages, which alone can make them differ"]
    assert not any("different rules" in note for note in compare(journeys, journeys, jm.Conversion()).notes)


def test_a_comparison_says_that_the_stages_hold_other_touchpoints() -> None:
    frame = pl.DataFrame({"user": ["u", "u", "v"], "t": [0, 60, 0], "what": ["look", "buy", "look"]})

    def built(stages: dict[str, list[str]]) -> jm.Journeys:
        events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", stages=stages)
        return jm.build_journeys(events, goal="buy", idle="1d", observed_until="1970-02-01")

    one, other = built({"first": ["look"], "last": ["buy"]}), built({"first": [], "last": ["look", "buy"]})
    told = "a and b were built by different rules or stages, which alone can make them differ"
    assert told in jm.compare(one, other, jm.StageReach()).notes
    assert told not in jm.compare(one, one, jm.StageReach()).notes


@pytest.mark.parametrize("names", [("x",), "ab", None, (1, 2), ("x", "x")], ids=str)
def test_two_sides_have_two_names(names: Any) -> None:
    journeys = stationary()
    for ask in (jm.decompose, jm.compare_maps):
        with pytest.raises(QuestionError, match=r"names=(?s:.*)Hint"):
            ask(journeys, journeys, names=names)


@pytest.mark.parametrize("when", ["20.2.1970", "1970-13-01", "", "soon"])
def test_text_that_is_no_instant_says_so(when: str) -> None:
    journeys = stationary()
    with pytest.raises(QuestionError, match=r"not an instant(?s:.*)Hint(?s:.*)ISO"):
        before_after(journeys, when, jm.Conversion())
    with pytest.raises(QuestionError, match=r"not an instant(?s:.*)Hint"):
        journeys.between(when, "1970-03-01")
    with pytest.raises(QuestionError, match=r"not an instant(?s:.*)Hint"):
        journeys.between("1970-03-01", when)


@pytest.mark.parametrize("measure", [jm.WinBack(), jm.RepeatRate(), jm.TimeToConvert(), jm.CustomerValue(), jm.Markov()],
                         ids=lambda measure: str(measure.name))  # fmt: skip
def test_where_there_is_nothing_to_compare_there_are_no_rows(measure: Any) -> None:
    journeys = stationary()
    nobody = journeys.pick(np.zeros(len(journeys), dtype=bool))
    none_lost = journeys.where(pl.col("status") == "converted") if measure.name == "win_back" else nobody
    for a, b in ((nobody, nobody), (journeys, nobody), (nobody, journeys), (none_lost, none_lost)):
        found = compare(a, b, measure)
        assert found.frame["difference"].null_count() == found.frame.height
        for name, table in found.tables.items():
            assert name == "global" or table["difference"].null_count() == table.height


def test_a_compared_chain_is_drawn_with_its_states_as_paths() -> None:
    journeys = jm.build_journeys(jm.sample(users=300))
    drawn = str(compare(journeys, journeys, jm.Markov(order=2)).plot().to_dict())
    assert "product_viewed → " in drawn


def test_a_curve_of_one_point_is_compared_at_its_time() -> None:
    times = {"u": 5 * 3_600, "v": 5 * DAY}
    rows = [
        (f"{side}{i}", t, what)
        for side, later in times.items()
        for i in range(60)
        for t, what in ((0, "visit"), (later, "order"))
    ]
    rows += [("first", -60 * DAY, "visit"), ("last", 100 * DAY, "visit")]
    frame = pl.DataFrame(rows, schema=["user", "t", "what"], orient="row")
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events, goal="order", idle="10d")
    a, b, nobody = (journeys.where(pl.col("user").str.starts_with(side)) for side in ("u", "v", "x"))
    for other, days in ((b, [1, 5]), (nobody, [1])):
        curves = compare(a, other, jm.TimeToConvert(horizon="10d")).tables["curves"].filter(estimate="converted_share")
        assert curves["time_s"].to_list() == [day * DAY for day in days]
        assert curves["difference"].null_count() == len(days)


@cache
def coin_tosses(seed: int, users: int = 1200, days: int = 200) -> jm.Journeys:
    """Users who come at one rate all the time, for up to five steps of the same four each time."""
    draws = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        begin = -60 + draws.exponential(40.0)
        while begin < days:
            at = begin + np.cumsum(draws.exponential(2.0, draws.integers(1, 6)))
            steps = draws.choice(list("abco"), len(at), p=[0.35, 0.3, 0.25, 0.1])
            rows += [(f"u{user}", t, what) for t, what in zip(at, steps, strict=True)]
            begin += draws.exponential(40.0)
    frame = pl.DataFrame(rows, schema={"user": pl.String, "day": pl.Float64, "what": pl.String}, orient="row")
    frame = frame.filter(pl.col("day").is_between(0, days)).select(
        "user", "what", t=(pl.col("day") * DAY).cast(pl.Int64)
    )
    events = jm.read_events(
        frame,
        user="user",
        timestamp="t",
        time_unit="s",
        touchpoint="what",
        stages={"1": ["a", "b"], "2": ["c"], "3": ["o"]},
    )
    return jm.build_journeys(events, goal="o", idle="10d")


@pytest.mark.parametrize(
    "measure", [jm.Transitions(), jm.Markov(), jm.DropOff(by="stage"), jm.StageReach()], ids=lambda m: str(m.name)
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_two_periods_alike_nothing_is_claimed(measure: Any, seed: int) -> None:
    found = before_after(coin_tosses(seed), "1970-04-10", measure)
    assert found.tables["global"]["p_value"].min() > 0.01
    for frame in (found.frame, *(table for name, table in found.tables.items() if name != "global")):
        assert frame["p_adjusted"].min() > 0.05


@pytest.mark.parametrize(
    ("measure", "left_out"),
    [
        (jm.DropOff(by="stage"), {"open_share", "came_back_share"}),
        (jm.Markov(), {"open", "steps", "seconds", "visits"}),
    ],
    ids=["drop_off", "markov"],
)
def test_what_goes_by_the_time_watched_is_compared_between_groups_only(measure: Any, left_out: set[str]) -> None:
    journeys = coin_tosses(0)
    periods = before_after(journeys, "1970-04-10", measure)
    assert not left_out & set(periods.frame["estimate"])
    assert any(all(name in note for name in left_out) for note in periods.notes)
    with pytest.raises(QuestionError, match=r"goes by the time watched(?s:.*)Hint"):
        before_after(journeys, "1970-04-10", measure, columns=min(left_out))
    even = pl.col("user").str.slice(1).cast(pl.Int64) % 2 == 0
    groups = compare(journeys.where(even), journeys.where(~even), measure)
    assert left_out <= set(groups.frame["estimate"])


def test_sums_are_told_to_be_sums() -> None:
    journeys = coin_tosses(0)
    found = before_after(journeys, "1970-04-10", jm.Attribution(grain="touchpoint"))
    after = len(journeys.between("1970-04-10", "1971-01-01"))
    told = [note for note in found.notes if "sums" in note]
    assert len(told) == 1
    assert told[0].startswith("conversions, value are sums")
    assert f"{after:,} in after and {len(journeys) - after:,} in before" in told[0]
    shares = before_after(journeys, "1970-04-10", jm.Attribution(grain="touchpoint"), columns="share")
    assert not any("sums" in note for note in shares.notes)
    assert shares.tables["global"]["p_value"].min() > 0.01
