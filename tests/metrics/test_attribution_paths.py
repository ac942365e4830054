"""Attribution from tables of paths, and the choice of the order."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeymine as jm
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.metrics import attribution, attribution_from_paths, choose_order, choose_order_from_paths
from journeymine.metrics.attribution_rules import apportion, apportion_value
from tests.metrics.test_attribution import journeys_from

PATHS = pl.DataFrame(
    {"path": ["ad > email > web", "ad", "", None, "direct>web", " web > direct "], "n": [3, 1, 2, 1, 0, 2],
     "worth": [30.0, 5.0, 8.0, 1.0, 0.0, 20.0], "lost": [4, 9, 5, 0, 1, 0]}
)  # fmt: skip


def credits_of(result, rule, column="conversions"):
    rows = result.frame.filter((pl.col("rule") == rule) & (pl.col("conversions") != 0))
    return dict(rows.select("label", column).iter_rows())


def test_credits_by_hand():
    found = attribution_from_paths(PATHS, conversions="n", value="worth", nulls="lost", middle="email")
    assert credits_of(found, "first") == {"ad": 4, "web": 2, "(none)": 3}
    assert credits_of(found, "last_non_direct") == {"web": 5, "ad": 1, "(none)": 3}
    assert credits_of(found, "position") == pytest.approx(
        {"ad": 2.2, "email": 0.6, "web": 2.2, "direct": 1, "(none)": 3}
    )
    assert credits_of(found, "w_shaped") == pytest.approx({"ad": 2, "email": 1, "web": 2, "direct": 1, "(none)": 3})
    assert credits_of(found, "linear", "value") == pytest.approx(
        {"ad": 15, "email": 10, "web": 20, "direct": 10, "(none)": 9}
    )
    n = dict(found.frame.filter(rule="first").select("label", "n").iter_rows())
    assert n == {"ad": 4, "direct": 2, "direct>web": 0, "email": 3, "web": 5, "(none)": 3}
    assert "carries no intervals" in found.notes[0]


def test_text_and_lists_are_the_same():
    lists = PATHS.with_columns(pl.col("path").str.split(" > ").list.eval(pl.element().str.strip_chars()).list.eval(
        pl.element().filter(pl.element() != "")))  # fmt: skip
    given_text, given_lists = (
        attribution_from_paths(table, conversions="n", nulls="lost", order=2).frame for table in (PATHS, lists)
    )
    assert given_text.equals(given_lists)


def test_rows_of_the_same_path_add_up_and_split():
    twice = pl.concat([PATHS, PATHS])
    one, two = (attribution_from_paths(t, conversions="n", nulls="lost").frame for t in (PATHS, twice))
    assert two["conversions"].to_numpy() == pytest.approx(2 * one["conversions"].to_numpy())


def test_without_nulls_only_the_channels_of_a_path_matter():
    # Every path converts, so a channel's removal loses the paths that hold it.
    found = attribution_from_paths(pl.DataFrame({"path": ["a > b", "a", "a", "b"]}), rules="markov")
    effect = {"a": 0.75, "b": 0.5}
    assert credits_of(found, "markov") == pytest.approx({c: 4 * e / 1.25 for c, e in effect.items()})


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"path": "pfad"}, UnknownLabelError, "no column 'pfad' in this table of paths"),
        ({"conversions": "m"}, UnknownLabelError, "'m'"),
        ({"rules": "time_decay"}, QuestionError, "without times"),
        ({"rules": "w_shaped"}, QuestionError, "named middle"),
        ({"order": 12}, QuestionError, "order=12"),
        ({"conversions": "bad"}, QuestionError, "2 of 6 rows of 'bad'"),
    ],
)
def test_bad_questions(fields, error, message):
    table = PATHS.with_columns(bad=pl.Series([1.0, -1.0, None, 1, 1, 1]))
    with pytest.raises(error, match=message):
        attribution_from_paths(table, **fields)


def test_an_empty_table():
    found = attribution_from_paths(PATHS.clear(), conversions="n", nulls="lost", value="worth")
    assert found.frame.height == 0
    assert found.frame.columns == ["rule", "label", "conversions", "share", "value", "n"]
    with pytest.raises(QuestionError, match="nothing can be foretold"):
        choose_order_from_paths(PATHS.clear(), conversions="n")


def paths_of_order(order, n, seed=5):
    """Paths whose next touch depends on exactly the last `order` ones."""
    rng, chances, paths = np.random.default_rng(seed), {}, []
    for _ in range(n):
        path: list[int] = []
        while len(path) < 25:
            context = tuple(path[-order:])
            chances.setdefault(context, rng.dirichlet([0.6, 0.6, 0.4]))
            touch = rng.choice(3, p=chances[context])
            if touch == 2 and path:
                break
            path.append(int(touch))
        paths.append(" > ".join("abc"[touch] for touch in path))
    return paths


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_order_of_a_simulated_process_is_found(order):
    found = choose_order_from_paths(pl.DataFrame({"path": paths_of_order(order, 1_500)}))
    assert found.order == order
    assert found.frame["chosen"].to_list() == [k == order for k in (1, 2, 3, 4)]


def test_the_likelihood_by_definition():
    journeys = journeys_from(
        [(f"u{u}", t * 60, "order" if t == 3 and u % 3 else "visit", "ab"[(u // (t + 1)) % 2])
         for u in range(40) for t in range(4)] + [("end", 90 * 86_400, "visit", "a")],
        columns=("user", "s", "what", "channel"),
    )  # fmt: skip
    steps = journeys.steps.filter(pl.col("user") != "end")
    paths = {user: rows["channel"].to_list() for (user,), rows in
             steps.filter(~pl.col("is_goal")).group_by("user", maintain_order=True)}  # fmt: skip
    status = dict(journeys.table.select("user", "status").iter_rows())
    part = {user: int(fold) % 8 for user, fold in zip(journeys.users, journeys.folds, strict=True)}
    tokens = [
        (part[user], tuple(["^"] * 2 + path)[: i + 2], nxt)
        for user, path in paths.items()
        for i, nxt in enumerate([*path, status[user]])
    ]

    def chance(k, history, nxt, held):
        if k < 0:
            return 1 / 4  # a, b, converted, lost
        context = history[len(history) - k :]
        seen = [(h[len(h) - k :], x) for p, h, x in tokens if p != held]
        n = sum(c == context for c, _ in seen)
        return (sum(c == context and x == nxt for c, x in seen) + chance(k - 1, history, nxt, held)) / (n + 1)

    found = choose_order(journeys, max_order=2).frame["log_likelihood"]
    for k in (1, 2):
        expected = sum(math.log(chance(k, history, nxt, held)) for held, history, nxt in tokens)
        assert found[k - 1] == pytest.approx(expected)


@given(
    st.lists(st.lists(st.integers(0, 4_194_304), min_size=1, max_size=9).filter(any), min_size=1, max_size=8),
    st.integers(-(2**62), 2**62),
)
def test_apportioned_shares_sum_exactly_and_are_rounded_fairly(paths, value):
    weights = np.array([w for path in paths for w in path], dtype=np.int64)
    offsets = np.cumsum([0, *(len(path) for path in paths)])
    share, upto = apportion(weights, offsets, np.repeat(np.arange(len(paths)), np.diff(offsets)))
    worth = apportion_value(np.full(len(weights), value), share, upto)
    for path, a, b in zip(paths, offsets[:-1], offsets[1:], strict=True):
        assert share[a:b].sum() == 1_000_000
        assert sum(map(int, worth[a:b])) == value
        for w, s, v in zip(path, share[a:b].tolist(), worth[a:b].tolist(), strict=True):
            assert abs(s * sum(path) - 1_000_000 * w) <= sum(path)
            assert abs(v * 1_000_000 - value * s) <= 1_000_000


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"middle": "zzz"}, UnknownLabelError, "no label 'zzz' in this table of paths"),
        ({"middle": 5}, UnknownLabelError, "label 5"),
        ({"direct": "zzz"}, UnknownLabelError, "no label 'zzz' in this table of paths"),
        ({"direct": ["web", "zzz"]}, UnknownLabelError, "label 'zzz'"),
        ({"direct": None}, QuestionError, "direct=None"),
        ({"direct": 5}, QuestionError, "direct=5"),
        ({"rules": 5}, QuestionError, "rules=5"),
        ({"sep": None}, QuestionError, "sep=None"),
        ({"sep": ""}, QuestionError, "sep=''"),
        ({"path": None}, UnknownLabelError, "column None"),
        ({"path": "n"}, QuestionError, "are Int64"),
        ({"conversions": "path"}, QuestionError, "6 of 6 rows of 'path' hold no number or a negative one"),
        ({"value": "gap"}, QuestionError, "1 of 6 rows of 'gap' hold no number\n"),
        ({"conversions": "day"}, QuestionError, "holds Date"),
    ],
    ids=str,
)
def test_likely_mistakes_are_told(fields, error, message):
    table = PATHS.with_columns(gap=pl.Series([1.0, -1.0, None, 1, 1, 1]), day=pl.date(2026, 1, 1))
    with pytest.raises(error, match=rf"{message}(?s:.*)Hint"):
        attribution_from_paths(table, **fields)


def test_a_value_that_no_conversion_brought_in_is_noticed():
    table = pl.DataFrame({"path": ["a > b", "a", "b"], "n": [2, 0, 0], "worth": [10.0, -4.0, 0.0]})
    with pytest.raises(QuestionError, match=r"1 of 3 rows hold a value in 'worth' and no conversion in 'n'(?s:.*)Hint"):
        attribution_from_paths(table, conversions="n", value="worth")
    assert attribution_from_paths(table, conversions="n").frame.height


def test_a_chain_of_too_many_labels_is_refused_and_other_rules_are_not():
    table = pl.DataFrame({"path": [f"page {i} > page {i + 1}" for i in range(10_000)]})
    with pytest.raises(QuestionError, match=r"Markov chain of 10,001 labels(?s:.*)Hint: leave 'markov' out"):
        attribution_from_paths(table)
    assert attribution_from_paths(table, rules=["linear", "shapley"]).frame.height == 2 * 10_001
    rows = [(f"u{i}", 0, "visit", f"page {i}", None, None) for i in range(10_001)]
    rows += [(f"u{i}", 9, "order", "web", None, None) for i in range(10_001)]
    journeys = journeys_from(rows)
    with pytest.raises(QuestionError, match=r"Markov chain of 10,001 labels(?s:.*)Hint"):
        attribution(journeys)
    assert attribution(journeys, rules="first").frame.height == 10_001


def test_no_rule_that_asks_means_no_direct_channel_to_know():
    assert attribution_from_paths(PATHS, rules="linear", direct="zzz").frame.height


def test_no_table_at_all():
    with pytest.raises(QuestionError, match=r"int is no table(?s:.*)Hint"):
        attribution_from_paths(5)


def test_paths_of_any_kind_that_holds_labels():
    text = pl.DataFrame({"path": ["a > b", "b > a", "b > b"]})
    lists = text.with_columns(pl.col("path").str.split(" > "))
    expected = attribution_from_paths(text, order=2).frame
    for table in (
        text.lazy(), text.with_columns(pl.col("path").cast(pl.Categorical)), text.to_dict(as_series=False), lists,
        lists.with_columns(pl.col("path").list.to_array(2)), lists.with_columns(pl.col("path").cast(pl.List(pl.Categorical))),
    ):  # fmt: skip
        assert attribution_from_paths(table, order=2).frame.equals(expected)
    odd = attribution_from_paths(pl.DataFrame({"path": [["a", None, ""], None]}), rules="linear")
    assert credits_of(odd, "linear") == {"(unknown)": 0.5, "a": 0.5, "(none)": 1.0}


def test_another_separator_than_the_one_said_is_noticed():
    table = pl.DataFrame({"path": ["a>b>c", "a", None, "b>c"]})
    with pytest.raises(QuestionError, match=r"2 of 4 hold '>'(?s:.*)Hint: say sep='>'"):
        attribution_from_paths(table)
    assert credits_of(attribution_from_paths(table, sep=">"), "last") == {"c": 2, "a": 1, "(none)": 1}
    whole = attribution_from_paths(table.with_columns(pl.concat_list("path").alias("path")), rules="last")
    assert "a>b>c" in credits_of(whole, "last")
    some = pl.DataFrame({"path": ["a>b > c", "a"]})  # where one path is split, the others are what they say
    assert credits_of(attribution_from_paths(some, rules="first"), "first") == {"a>b": 1, "a": 1}


def test_effects_that_add_up_to_nothing_tell_no_shares_of_the_value():
    # Without a nothing is left: its effect on value is 1 - 2 = -1. Without b the gain of 1 is lost: +1.
    table = pl.DataFrame({"path": ["a > b", "a"], "worth": [1.0, -2.0]})
    found = attribution_from_paths(table, value="worth", rules=["linear", "markov"])
    assert credits_of(found, "markov", "value") == {"a": None, "b": None}
    assert credits_of(found, "linear", "value") == {"a": -1.5, "b": 0.5}
    assert sum(credits_of(found, "markov").values()) == pytest.approx(2)
    assert any("add up to 0" in note for note in found.notes)
    tilted = attribution_from_paths(table.with_columns(worth=pl.Series([1.0, -3.0])), value="worth", rules="markov")
    assert credits_of(tilted, "markov", "value") == pytest.approx({"a": -4.0, "b": 2.0})
    assert len(tilted.notes) == 1


@pytest.mark.parametrize("seed", ["x", -1, None, 1.5, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(QuestionError, match=r"seed=(?s:.*)Hint"):
        choose_order_from_paths(PATHS, conversions="n", seed=seed)


def test_fractions_of_an_occurrence_are_not_held_out():
    table = pl.DataFrame(
        {"path": ["a > b > c", "b > a", "a"] * 20, "won": [0.9, 0.5, 0.7] * 20, "lost": [4, 3, 2] * 20}
    )
    with pytest.raises(QuestionError, match=r"60 of 60 rows of 'won' hold a fraction(?s:.*)Hint(?s:.*)multiply"):
        choose_order_from_paths(table, conversions="won", nulls="lost")
    whole = table.with_columns(pl.col("won") * 10)
    assert choose_order_from_paths(whole, conversions="won", nulls="lost").frame["log_likelihood"].is_finite().all()
    with pytest.raises(QuestionError, match=r"nothing can be foretold(?s:.*)Hint(?s:.*)conversions="):
        choose_order_from_paths(table.with_columns(won=0), conversions="won")


def test_a_direct_channel_of_another_name_is_pointed_out() -> None:
    paths = pl.DataFrame({"path": ["ad > (direct)", "mail > (direct)", "ad"]})
    found = attribution_from_paths(paths, rules=["last", "last_non_direct"])
    assert any("last_non_direct is the same as last; direct='(direct)'" in note for note in found.notes)
    for named in (attribution_from_paths(paths, direct="(direct)"), attribution_from_paths(paths, rules="last")):
        assert not any("(direct)" in note for note in named.notes)
    rows = [("u", 0, "ad", "direct_traffic"), ("u", 1, "order", "web"), ("v", 0, "ad", "web")]
    log = pl.DataFrame(rows, schema=["user", "t", "what", "where"], orient="row")
    events = jm.read_events(log, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="where")
    journeys = jm.build_journeys(events, goal="order")
    assert any("direct='direct_traffic'" in note for note in jm.attribution(journeys).notes)
    assert not any("direct_traffic" in note for note in jm.attribution(journeys, direct="direct_traffic").notes)
