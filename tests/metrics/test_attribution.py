"""Attribution on logs small enough to credit by hand, its intervals, and its errors."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from journeymine.counting import count_in_memory, finish
from journeymine.errors import QuestionError, RulesError, UnknownLabelError
from journeymine.events import StageMap, read_events
from journeymine.journeys import build_journeys
from journeymine.metrics import Attribution, attribution
from journeymine.stats.shares import number_interval

HOUR = 3600


def journeys_from(rows, *, stages=None, columns=("user", "s", "what", "channel", "value", "cost"), **rules):
    frame = pl.DataFrame(rows, schema=list(columns), orient="row", infer_schema_length=None)
    optional = {name: name for name in ("value", "cost") if name in columns}
    channel = {"channel": "channel"} if "channel" in columns else {}
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="what", stages=stages,
                         **channel, **optional)  # fmt: skip
    return build_journeys(events, **({"goal": "order", "idle": "30d"} | rules))


def credits_by(result, rule, column="conversions"):
    rows = result.frame.filter((pl.col("rule") == rule) & (pl.col("conversions") != 0))
    return dict(rows.select("label", column).iter_rows())


ONE = [
    ("a", 0, "ad", "search", None, 1.0),
    ("a", 24 * HOUR, "open", "email", None, 0.25),
    ("a", 48 * HOUR, "visit", "direct", None, None),
    ("a", 72 * HOUR, "visit", "social", None, 2.0),
    ("a", 96 * HOUR, "order", "direct", 100.0, None),
]
LAST_DIRECT = [*ONE[:4], ("a", 80 * HOUR, "visit", "direct", None, None), ONE[4]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("first", {"search": 1}),
        ("last", {"direct": 1}),
        ("last_non_direct", {"social": 1}),
        ("linear", {"search": 0.2, "email": 0.2, "direct": 0.4, "social": 0.2}),
        ("position", {"search": 0.4, "email": 0.2 / 3, "direct": 0.4 + 0.2 / 3, "social": 0.2 / 3}),
        ("w_shaped", {"search": 0.3, "email": 0.3, "direct": 0.3 + 0.05, "social": 0.05}),
        ("shapley", {"search": 0.25, "email": 0.25, "direct": 0.25, "social": 0.25}),
        # Half of the visits to direct lead to the goal, so without social half of the conversions remain.
        ("markov", {"search": 2 / 7, "email": 2 / 7, "direct": 2 / 7, "social": 1 / 7}),
    ],
)
def test_one_journey(rule, expected):
    result = attribution(journeys_from(LAST_DIRECT), middle="open")
    assert credits_by(result, rule) == pytest.approx(expected, abs=2e-6)
    assert credits_by(result, rule, "value") == pytest.approx({k: 100 * v for k, v in expected.items()}, abs=2e-4)


def test_time_decay_halves_every_half_life():
    # 72, 48, 24 and 0 hours before the last touch, with a half-life of a day: 1/8, 1/4, 1/2, 1.
    found = credits_by(attribution(journeys_from(ONE), half_life="24h"), "time_decay")
    assert found == pytest.approx({"search": 1 / 15, "email": 2 / 15, "direct": 4 / 15, "social": 8 / 15}, abs=1e-6)


def test_the_direct_channel_alone_keeps_its_credit():
    rows = [("a", 0, "visit", "direct", None, None), ("a", 60, "order", "web", None, None)]
    assert credits_by(attribution(journeys_from(rows)), "last_non_direct") == {"direct": 1}


def test_direct_is_a_channel_at_every_grain():
    found = attribution(journeys_from(LAST_DIRECT), grain="touchpoint", rules="last_non_direct")
    assert credits_by(found, "last_non_direct") == {"visit": 1}
    found = attribution(journeys_from(LAST_DIRECT), grain="channel:touchpoint", rules="last_non_direct")
    assert credits_by(found, "last_non_direct") == {"social:visit": 1}


def test_the_goal_counts_only_when_asked():
    with_goal = attribution(journeys_from(ONE), rules="last", include_goal=True, grain="touchpoint")
    assert credits_by(with_goal, "last") == {"order": 1}
    assert credits_by(attribution(journeys_from(ONE), rules="last", grain="touchpoint"), "last") == {"visit": 1}


def test_touches_after_the_first_goal_earn_nothing():
    rows = [*ONE, ("a", 97 * HOUR, "review", "forum", None, 5.0), ("a", 98 * HOUR, "order", "store", 7.0, None)]
    stages = StageMap.of({"shop": ["ad", "open", "visit"], "buy": ["order"], "after": ["review"]})
    found = attribution(journeys_from(rows, stages=stages))
    assert "forum" not in credits_by(found, "linear")
    assert found.frame.filter(rule="linear", label="forum")["cost"].item() == 5.0
    assert found.frame.filter(rule="linear")["value"].sum() == pytest.approx(107.0)


def test_a_user_who_converts_twice_is_one_user():
    rows = [(user, 10 * day + i, what, "web", None, None)
            for user, n in (("a", 3), ("b", 1)) for day in range(n) for i, what in enumerate(("ad", "ad", "order"))]  # fmt: skip
    found = attribution(journeys_from(rows, columns=("user", "s", "what", "channel", "value", "cost")))
    assert set(found.frame.select("n", "n_users").iter_rows()) == {(4, 2)}


def test_a_conversion_without_touch_goes_to_none():
    rows = [("a", 0, "order", "web", 5.0, None), ("b", 0, "ad", "web", None, None), ("b", 9, "order", "web", 2.0, None),
            ("c", 0, "ad", "(none)", None, None), ("c", 9, "order", "web", 1.0, None)]  # fmt: skip
    found = attribution(journeys_from(rows))
    for rule in found.frame["rule"].unique():
        # A caller's own label that reads like ours is quoted.
        assert credits_by(found, rule) == pytest.approx({"web": 1, "(none)": 1, '"(none)"': 1})
        assert credits_by(found, rule, "value") == pytest.approx({"web": 2, "(none)": 5, '"(none)"': 1})
    none = found.frame.filter(label="(none)", rule="first").row(0, named=True)
    assert (none["n"], none["n_users"], none["cost"], none["cpa"], none["roas"]) == (1, 1, None, None, None)
    assert any("1 conversions had no touch" in note for note in found.notes)


def test_company_touches_earn_credit_but_are_no_steps():
    stages = StageMap.of({}, touchpoints=[{"match": "mail", "by_company": True}])
    rows = [
        ("a", 0, "mail", "email", None, 0.1),
        ("a", HOUR, "visit", "web", None, None),
        ("a", 2 * HOUR, "mail", "push", None, 0.2),  # the very instant of the goal: not before it
        ("a", 2 * HOUR, "order", "web", 9.0, None),
        ("b", 0, "mail", "email", None, 0.1),  # no step of their own: outside every journey
    ]
    journeys = journeys_from(rows, stages=stages)
    assert journeys.table["n_steps"].to_list() == [2]
    found = attribution(journeys)
    assert credits_by(found, "linear") == {"email": 0.5, "web": 0.5}
    assert credits_by(found, "first") == {"email": 1}
    costs = dict(found.frame.filter(rule="first").select("label", "cost").iter_rows())
    assert costs == {"email": pytest.approx(0.1), "push": pytest.approx(0.2), "web": None}


def test_a_company_touch_comes_before_a_step_at_the_same_instant():
    stages = StageMap.of({}, touchpoints=[{"match": "mail", "by_company": True}])
    rows = [
        ("a", 0, "visit", "web", None, None),
        ("a", 0, "mail", "email", None, None),
        ("a", 9, "order", "web", 1.0, None),
    ]
    found = attribution(journeys_from(rows, stages=stages))
    assert (credits_by(found, "first"), credits_by(found, "last")) == ({"email": 1}, {"web": 1})


def test_cost_per_conversion_and_return():
    found = attribution(journeys_from(ONE)).frame.filter(rule="linear")
    by_label = {row["label"]: row for row in found.iter_rows(named=True)}
    assert by_label["search"]["cpa"] == pytest.approx(1.0 / 0.25)
    assert by_label["search"]["roas"] == pytest.approx(25.0)
    assert by_label["email"]["roas"] == pytest.approx(100.0)
    assert by_label["direct"]["roas"] is None  # no cost is known
    last = attribution(journeys_from(ONE)).frame.filter(rule="last", label="search")
    assert last["cpa"].item() is None  # nothing was earned
    bare = journeys_from([row[:4] for row in ONE], columns=("user", "s", "what", "channel"))
    assert attribution(bare).frame.select("cost", "cpa", "roas", "value").null_count().row(0) == (32, 32, 32, 32)


def test_lost_journeys_are_null_paths_and_open_ones_are_left_out():
    # By hand: start → A 3/4, B 1/4; A → won 1/3, B 1/3, lost 1/3; B → won 1/2, lost 1/2.
    day = 24 * HOUR
    rows = [("a", 0, "x", "A"), ("a", 9, "order", "A"),
            ("b", 0, "x", "A"), ("b", 5, "x", "B"), ("b", 9, "order", "A"),
            ("c", 0, "x", "A"), ("d", 0, "x", "B"),
            ("open", 99 * day, "x", "B"), ("open", 100 * day, "x", "A")]  # fmt: skip
    found = attribution(journeys_from(rows, columns=("user", "s", "what", "channel")), rules="markov")
    # x = 3/4 (1/3 + 1/3 · 1/2) + 1/4 · 1/2 = 1/2; without A 1/8, without B 1/4: effects 3/4 and 1/2.
    assert credits_by(found, "markov") == pytest.approx({"A": 2 * 0.75 / 1.25, "B": 2 * 0.5 / 1.25})
    behind = found.tables["journeys"].row(0, named=True)
    assert (behind["converted"], behind["lost"], behind["open"]) == (2, 2, 1)
    assert "1 open journeys" in found.notes[0]


def test_by_breaks_down_and_adds_up():
    rng = np.random.default_rng(7)
    rows = [
        (f"u{u}", int(t), "order" if rng.random() < 0.2 else "visit", str(rng.choice(["web", "email", "store"])),
         float(rng.integers(1, 9)), float(rng.integers(0, 3)))
        for u in range(150) for t in np.sort(rng.integers(0, 40 * 24 * HOUR, 6))
    ]  # fmt: skip
    journeys = journeys_from(rows, idle="10d").segment("even", pl.col("nth_journey") % 2)
    whole, parts = attribution(journeys), attribution(journeys, by=("even", "channel"))
    summed = ["first", "last", "last_non_direct", "linear", "position", "time_decay", "shapley"]
    keep = pl.col("rule").is_in(summed)
    together = parts.frame.filter(keep).group_by("rule", "label").agg(pl.col("conversions", "value", "cost").sum())
    pair = whole.frame.filter(keep).join(together, on=["rule", "label"], suffix="_parts")
    assert pair.height == whole.frame.filter(keep).height
    for column in ("conversions", "value", "cost"):
        both = pair.drop_nulls(column)
        assert both[column].to_numpy() == pytest.approx(both[f"{column}_parts"].to_numpy(), abs=1e-9)
    one = journeys.where((pl.col("nth_journey") % 2 == 1) & (pl.col("entry_channel") == "web"))
    alone = attribution(one, rules="markov").frame.select("label", "conversions").sort("label")
    group = parts.frame.filter(pl.col("rule") == "markov", pl.col("even") == "1", pl.col("channel") == "web")
    group = group.filter(pl.col("conversions") > 0).select("label", "conversions").sort("label")
    assert group["label"].to_list() == alone["label"].to_list()
    assert group["conversions"].to_numpy() == pytest.approx(alone["conversions"].to_numpy())


@pytest.mark.parametrize("order", [1, 2])
def test_intervals_are_the_jackknife_over_folds_of_users(order):
    rng = np.random.default_rng(3)
    rows = [
        (f"u{u}", int(t), "order" if rng.random() < 0.25 else "visit", str(rng.choice(["web", "email", "store"])),
         float(rng.integers(1, 9)), 1.0)
        for u in range(1500) for t in np.sort(rng.integers(0, 40 * 24 * HOUR, 5))
    ]  # fmt: skip
    journeys = journeys_from(rows, idle="10d")
    found = attribution(journeys, order=order).frame.filter(pl.col("label") != "(none)")
    present = np.unique(journeys.folds)
    k = len(present)
    replicates = []
    for fold in present:  # really without those users, not by subtracting counts
        rest = journeys.pick(journeys.folds[journeys.heads.user] != fold)
        one = attribution(rest, order=order).frame.filter(pl.col("label") != "(none)")
        assert one.select("rule", "label").equals(found.select("rule", "label"))
        replicates.append(one.select("conversions", "value", "share", "cpa", "roas").to_numpy().T)
    series = np.stack(replicates)
    series[:, :2] *= k / (k - 1)
    for i, column in enumerate(("conversions", "value", "share", "cpa", "roas")):
        expected = number_interval(found[column].to_numpy(), series[:, i], skewed=True)
        assert found[f"{column}_lower"].to_numpy() == pytest.approx(expected.lower, rel=1e-5)
        assert found[f"{column}_upper"].to_numpy() == pytest.approx(expected.upper, rel=1e-5)


def test_a_chain_of_order_three_says_why_it_has_no_interval():
    rows = [(f"u{u}", t * 60, "order" if t == 4 else "visit", "ab"[(u + t) % 2]) for u in range(400) for t in range(5)]
    journeys = journeys_from(rows, columns=("user", "s", "what", "channel"))
    found = attribution(journeys, order=3, rules=("linear", "markov")).frame
    assert found.filter(rule="markov")["conversions_lower"].null_count() == 2
    assert set(found.filter(rule="markov")["reason"]) == {
        "a chain of order 3 keeps no folds, and so carries no interval"
    }
    assert found.filter(rule="linear")["conversions_lower"].null_count() == 0


def test_reach_of_the_lookback():
    journeys = journeys_from(ONE, idle="3d")
    assert credits_by(attribution(journeys, lookback="2d"), "first") == {"direct": 1}
    assert credits_by(attribution(journeys, lookback=timedelta(days=3)), "first") == {"email": 1}  # inclusive
    with pytest.raises(QuestionError, match=r"lookback='4d' reaches further back.*idle=3d"):
        attribution(journeys, lookback="4d")
    assert credits_by(attribution(journeys_from(ONE, idle="3d", split="user"), lookback="90d"), "first")
    with pytest.raises(QuestionError, match="session_gap=30m"):
        attribution(journeys_from(ONE, split="session"), lookback="1h")


def test_a_lookback_that_leaves_no_touch():
    found = attribution(journeys_from(ONE), lookback="1h")
    assert credits_by(found, "last") == {"(none)": 1}
    assert credits_by(found, "markov") == {"(none)": 1}


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"rules": ("first", "fisrt")}, QuestionError, "fisrt"),
        ({"rules": ()}, QuestionError, "rules="),
        ({"rules": ("first", "first")}, QuestionError, "each once"),
        ({"rules": "w_shaped"}, QuestionError, "named middle"),
        ({"order": 0}, QuestionError, "order=0"),
        ({"order": True}, QuestionError, "order=True"),
        ({"half_life": 7}, RulesError, "half_life"),
        ({"half_life": "0s"}, RulesError, "half_life"),
        ({"lookback": "0d"}, RulesError, "lookback"),
        ({"grain": "chanel"}, UnknownLabelError, "nearest: 'channel'"),
        ({"by": "chanel"}, UnknownLabelError, "chanel"),
        ({"by": "label"}, QuestionError, "a column of that name"),
        ({"middle": 3}, RulesError, "middle=3"),
    ],
)
def test_bad_questions(fields, error, message):
    with pytest.raises(error, match=message):
        attribution(journeys_from(ONE), **fields)


def test_nothing_to_credit():
    lost = journeys_from(ONE[:4])
    for journeys in (lost, lost.where(pl.lit(value=False))):
        found = attribution(journeys, middle="open", by="channel")
        assert found.frame["conversions"].sum() == 0
        assert found.frame["share"].null_count() == found.frame.height
        assert found.frame.columns[:4] == ["rule", "channel", "label", "conversions"]


def test_a_log_without_channels_asks_for_another_grain():
    journeys = journeys_from([row[:3] for row in ONE], columns=("user", "s", "what"))
    with pytest.raises(UnknownLabelError, match="channel"):
        attribution(journeys)
    assert credits_by(attribution(journeys, grain="touchpoint"), "first") == {"ad": 1}


def test_counts_finish_like_the_short_form():
    journeys = journeys_from(ONE)
    measure = Attribution(middle={"channel": "email"})
    counts = count_in_memory(measure, journeys)
    assert finish(measure, counts).frame.equals(attribution(journeys, middle={"channel": "email"}).frame)


def test_schema_is_pinned():
    found = attribution(journeys_from(ONE))
    with_limits = [f"{n}{end}" for n in ("conversions", "share", "value") for end in ("", "_lower", "_upper")]
    ratios = [f"{n}{end}" for n in ("cpa", "roas") for end in ("", "_lower", "_upper")]
    assert found.schema_version == 1
    assert found.frame.columns == ["rule", "label", *with_limits, "n", "n_users", "cost", *ratios, "sparse", "reason"]


def test_value_that_adds_up_to_nothing_is_not_unknown():
    rows = [("u1", 0, "ad", None), ("u1", 1, "order", 5.0), ("u2", 0, "mail", None), ("u2", 1, "order", -5.0)]
    for worth, known in ((1.0, True), (0.0, False)):
        frame = pl.DataFrame(rows, schema=["user", "t", "what", "value"], orient="row").with_columns(
            pl.col("value") * worth
        )
        events = read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", value="value")
        journeys = build_journeys(events, goal="order")
        found = attribution(journeys, grain="touchpoint", rules="linear").frame
        assert dict(found.select("label", "value").rows()) == (
            {"ad": 5.0, "mail": -5.0} if known else {"ad": None, "mail": None}
        )


@pytest.mark.parametrize("bad", [{"include_goal": "yes"}, {"direct": None}, {"direct": 5}, {"rules": 5}], ids=str)
def test_likely_mistakes_are_told(bad):
    with pytest.raises(QuestionError, match=rf"{next(iter(bad))}=(?s:.*)Hint"):
        Attribution(**bad)
