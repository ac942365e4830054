"""The Markov chain against means over journeys, dense inverses, power iteration, and published values."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.counting import count_in_memory, finish
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.events import read_events
from journeymine.graph import Markov, markov, markov_solve
from journeymine.graph.markov_solve import DENSE, Flow, removal_effects
from journeymine.graph.markov_states import labels_of_state, state_texts, unpack, walks
from journeymine.journeys import build_journeys
from journeymine.stats.shares import number_interval
from journeymine.stats.solved_shares import solved_share_interval
from tests.oracles.logs import build, logs, rule_fields

DAY = 86_400


def journeys_from(paths, goal="order"):
    """Journeys that each take one path; a path that ends in "!" converts."""
    rows = [
        (f"{path}-{i}", step * 60, "order" if what == "!" else what)
        for i, path in enumerate(paths)
        for step, what in enumerate(path)
    ]
    frame = pl.DataFrame(rows, schema=["user", "s", "what"], orient="row")
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="what")
    return build_journeys(events, goal=goal, idle="30d", observed_until=400 * DAY * 1_000_000)


def of(chain, state, column):
    return chain.states.filter(pl.col("state") == [state] if isinstance(state, str) else pl.col("state") == state)[
        column
    ].item()


def test_by_hand():
    # a → won 1/2, b 1/2; b → won 1/3, a 1/3, lost 1/3. So x_a = 1/2 + x_b/2, x_b = 1/3 + x_a/3: 4/5 and 3/5.
    chain = markov(journeys_from(["a!", "ab!", "ba!", "b"]))
    # moves: a→! 2, a→b 1; b→! 1, b→a 1, b→lost 1.
    x = np.linalg.solve([[1, -1 / 3], [-1 / 3, 1]], [2 / 3, 1 / 3])
    assert of(chain, "a", "converted") == pytest.approx(x[0])
    assert of(chain, "b", "converted") == pytest.approx(x[1])
    assert of(chain, "b", "lost") == pytest.approx(1 - x[1])
    assert chain.conversion == pytest.approx(3 / 4)
    # Steps with the goal: 2, 3, 3, 1; seconds: 60, 120, 120, 0.
    assert chain.summary["steps"].item() == pytest.approx(9 / 4)
    assert chain.summary["seconds"].item() == pytest.approx(75)


def test_a_published_chain():
    # Grinstead & Snell, Introduction to Probability, example 11.13 (the drunkard's walk): from corners 1, 2, 3 of five,
    # absorbed at either end; N = [[1.5, 1, .5], [1, 2, 1], [.5, 1, 1.5]], B to the right end = 1/4, 1/2, 3/4.
    moves = [(1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4)]
    inner = [(a - 1, b - 1) for a, b in moves if 0 < b < 4]
    source = np.array([-1, *(a for a, _ in inner), 0, 2])
    target = np.array([1, *(b for _, b in inner), -1, -1])
    flow = Flow(3, source, target, np.array([[1.0] * len(source)]))
    right = np.zeros((1, len(source)))
    right[0, -1] = 1.0
    from journeymine.graph.markov_solve import expected

    visits, x = expected(3, *flow.moves(), flow.start(), flow.per_visit(right)[:, :, None])
    assert visits[0] == pytest.approx([1, 2, 1])
    assert x[0, :, 0] == pytest.approx([0.25, 0.5, 0.75])


@settings(max_examples=40)
@given(logs, rule_fields())
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_chain_returns_the_journeys_it_was_counted_from(order, log, fields):
    journeys = build(log, **fields)
    chain = markov(journeys, order=order)
    table = journeys.table.filter(pl.col("mature"), pl.col("status") != "service")
    assert chain.n_journeys == table.height
    if not table.height:
        return
    own = journeys.steps.filter(~pl.col("by_company"))
    walked = own.join(table.select("user", "nth_journey"), on=["user", "nth_journey"], maintain_order="left")
    until = pl.when(pl.col("is_goal").any()).then(pl.col("is_goal").arg_max() + 1).otherwise(pl.len())
    means = walked.group_by("user", "nth_journey", maintain_order=True).agg(
        steps=until.cast(pl.Float64),
        seconds=(pl.col("timestamp").get(until - 1) - pl.col("timestamp").first()).dt.total_microseconds() / 1e6,
    )
    summary = chain.summary
    has_goal = journeys.rules.goal is not None
    for status in ("converted", "lost", "open", "ended")[not has_goal :]:
        assert summary[status].item() == pytest.approx((table["status"] == status).mean(), abs=1e-9)
    assert summary["steps"].item() == pytest.approx(means["steps"].mean(), abs=1e-9)
    assert summary["seconds"].item() == pytest.approx(means["seconds"].mean(), abs=1e-6)
    outcomes = chain.states.select(pl.sum_horizontal("converted", "lost", "open", "ended")).to_series()
    assert outcomes.to_numpy() == pytest.approx(1.0)
    # Visits per journey are the visits counted.
    assert (chain.states["visits"] * chain.n_journeys).to_numpy() == pytest.approx(chain.states["n"].to_numpy())


def random_chain(seed, n_states, n_moves=3):
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(n_states), n_moves)
    target = rng.integers(0, n_states, n_states * n_moves)
    ends = np.arange(n_states)
    source = np.concatenate(([-1] * 5, source, ends, ends))
    target = np.concatenate((rng.integers(0, n_states, 5), target, np.full(2 * n_states, -1)))
    n = rng.integers(1, 9, (1, len(source))).astype(float)
    won = np.zeros_like(n)
    won[0, -n_states:] = n[0, -n_states:]
    return Flow(n_states, source, target, n), won


def by_power_iteration(flow, won, without=()):
    """Conversions per path by walking on, step after step, until nobody is left."""
    source, target, p = flow.moves()
    b, here, total = flow.per_visit(won)[0].copy(), flow.start()[0].copy(), 0.0
    b[list(without)] = here[list(without)] = 0
    for _ in range(5_000):
        total += here @ b
        there = np.zeros_like(here)
        np.add.at(there, target, here[source] * p[0])
        there[list(without)] = 0
        here = there
        if here.sum() < 1e-15:
            break
    return total


@pytest.mark.parametrize(("n_states", "once"), [(3, 3_000), (17, 3_000), (DENSE + 40, 3_000), (DENSE + 40, 0)])
def test_removal_effects_against_walking_on_without_the_states(monkeypatch, n_states, once):
    monkeypatch.setattr(markov_solve, "_DENSE_ONCE", once)
    flow, won = random_chain(n_states, n_states)
    groups = [np.array([0]), np.array([1, 2]), np.arange(0, n_states, 2), np.arange(n_states), np.arange(0)]
    (effect,) = removal_effects(flow, groups, [flow.per_visit(won)])
    whole = by_power_iteration(flow, won)
    for g, states in enumerate(groups):
        expected = 1 - by_power_iteration(flow, won, states.tolist()) / whole
        assert effect[0, g] == pytest.approx(expected, abs=1e-10)


def test_large_chains_are_solved_sparse_and_agree_with_networkx():
    from journeymine.graph.markov_solve import expected

    flow, won = random_chain(1, DENSE + 100)
    source, target, p = flow.moves()
    visits, x = expected(flow.n_states, source, target, p, flow.start(), flow.per_visit(won)[:, :, None])
    graph = nx.DiGraph()
    graph.add_nodes_from(range(flow.n_states))
    for a, b, share in zip(source, target, p[0], strict=True):
        graph.add_edge(a, b, weight=graph.get_edge_data(a, b, {"weight": 0.0})["weight"] + share)
    Q = nx.to_numpy_array(graph)
    N = np.linalg.inv(np.eye(flow.n_states) - Q)
    assert visits[0] == pytest.approx(flow.start()[0] @ N, abs=1e-12)
    assert x[0, :, 0] == pytest.approx(N @ flow.per_visit(won)[0], abs=1e-12)


PATHS = ["aab!", "ab!", "abc", "acb!", "bc!", "b", "ca!", "cb", "c!", "a", "bcab!", "!"]


def test_what_if_a_state_is_taken_away():
    chain = markov(journeys_from(PATHS))
    without = chain.what_if(remove="b")
    # The same by the removal effect.
    rows = chain.moves
    effect = 1 - without.conversion / chain.conversion
    number = {"a": 0, "b": 1, "c": 2}
    source = np.array([-1 if s is None else number[s[0]] for s in rows["from"]])
    target = np.array([-1 if s is None else number[s[0]] for s in rows["to"]])
    flow = Flow(3, source, target, rows["n"].to_numpy()[None].astype(float))
    direct = (source < 0) & (target < 0)
    won = np.where((rows["outcome"] == "converted").fill_null(value=False).to_numpy() & ~direct, flow.n, 0.0)
    (expected,) = removal_effects(flow, [np.array([1])], [flow.per_visit(won)])
    touched = (chain.conversion - 1 / chain.n_journeys) / chain.conversion  # one journey converts at once
    assert effect == pytest.approx(expected[0, 0] * touched)
    assert without.summary["change"].item() == pytest.approx(without.conversion - chain.conversion)
    assert without.summary["conversions"].item() == pytest.approx(
        (without.conversion - chain.conversion) * chain.n_journeys
    )
    solved = without.arrays.solve()
    assert solved.total[0, :4].sum() == pytest.approx(1.0)
    assert "without 'b'" in repr(without)


def test_what_if_a_place_loses_fewer():
    chain = markov(journeys_from(PATHS))
    assert of(chain, "b", "n") == 9
    lost = chain.moves.filter(pl.col("from") == ["b"], outcome="lost")["probability"].item()
    same = chain.what_if(onward={"b": 1 - lost})
    assert same.conversion == pytest.approx(chain.conversion)
    better, best = chain.what_if(onward={"b": 1 - lost / 2}), chain.what_if(onward={"b": 1.0})
    assert chain.conversion < better.conversion < best.conversion
    none = chain.what_if(onward={"b": 0.0})
    # Whoever comes to b is lost: as if b were taken away.
    assert none.conversion == pytest.approx(chain.what_if(remove="b").conversion)


def test_what_if_a_move_changes():
    chain = markov(journeys_from(PATHS))
    was = chain.moves.filter(pl.col("from") == ["a"], pl.col("to") == ["b"])["probability"].item()
    assert chain.what_if(probability={("a", "b"): was}).conversion == pytest.approx(chain.conversion)
    changed = chain.what_if(probability={("a", "b"): 1.0}, onward={"c": 1.0})
    arrays = changed.arrays
    out = np.zeros(len(arrays.states))
    np.add.at(out, arrays.source, arrays.move[0])
    assert out + arrays.exits[0].sum(axis=1) == pytest.approx(1.0)
    assert changed.changes == ("a → b at 1", "c onward at 1")
    assert chain.changes == ()  # the chain itself is as it was
    twice = chain.what_if(onward={"c": 1.0}).what_if(probability={("a", "b"): 1.0})
    assert twice.conversion == pytest.approx(changed.conversion)
    assert twice.base is chain


def test_what_if_in_a_chain_of_order_two():
    chain = markov(journeys_from(PATHS), order=2)
    assert chain.what_if(remove="b").conversion < chain.conversion
    assert chain.what_if(onward={("a", "b"): 1.0}).conversion >= chain.conversion


def test_intervals_are_those_of_chains_without_one_fold():
    rng = np.random.default_rng(0)
    paths = ["".join(rng.choice(list("abc!"), p=[0.4, 0.25, 0.2, 0.15]) for _ in range(6)) for _ in range(900)]
    journeys = journeys_from([path.split("!")[0] + "!" * ("!" in path) for path in paths])
    chain, folds = markov(journeys), np.unique(journeys.folds[journeys.heads.user[journeys.heads.mature]])
    mature = np.bincount(journeys.folds[journeys.heads.user[journeys.heads.mature]])[folds, None]
    changed = chain.what_if(onward={"a": 1.0})
    parts = [markov(journeys.pick(journeys.folds[journeys.heads.user] != fold)) for fold in folds]
    for column in ("converted", "steps", "seconds"):
        interval = solved_share_interval if column == "converted" else number_interval
        expected = interval(chain.states[column].to_numpy(),
                            np.stack([part.states[column].to_numpy() for part in parts]))  # fmt: skip
        assert chain.states[f"{column}_lower"].to_numpy() == pytest.approx(expected.lower, rel=1e-9)
        one = interval(chain.summary[column].to_numpy(),
                       np.stack([part.summary[column].to_numpy() for part in parts]), trials_by_fold=mature)  # fmt: skip
        assert chain.summary[f"{column}_upper"].to_numpy() == pytest.approx(one.upper, rel=1e-9)
    series = np.array([[part.what_if(onward={"a": 1.0}).summary["change"].item()] for part in parts])
    expected = number_interval(changed.summary["change"].to_numpy(), series)
    assert changed.summary["change_lower"].to_numpy() == pytest.approx(expected.lower, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({}, QuestionError, "without a change"),
        ({"remove": "d"}, UnknownLabelError, "'d'"),
        ({"onward": {"d": 0.5}}, UnknownLabelError, "'d'"),
        ({"onward": {"b": 1.5}}, QuestionError, "1.5"),
        ({"onward": {"x": 0.5}}, QuestionError, "every journey is lost at 'x'"),
        ({"probability": {("a", "x"): 0.5}}, QuestionError, "nobody ever went"),
        ({"probability": {("y", "z"): 0.5}}, QuestionError, "no other way on"),
    ],
)
def test_changes_that_cannot_be(change, error, message):
    with pytest.raises(error, match=message):
        markov(journeys_from([*PATHS, "x", "yz!"])).what_if(**change)


def test_a_change_that_closes_every_way_out_is_refused():
    chain = markov(journeys_from(["xx", "xx", "xyx", "y!", "xyxx"]))
    for change in ({"probability": {("x", "x"): 1.0}}, {"onward": {"x": 1.0}, "probability": {("y", "x"): 1.0}}):
        with pytest.raises(QuestionError, match=r"would ever leave(?s:.*)Hint"):
            chain.what_if(**change)
    assert chain.what_if(onward={"x": 1.0}).conversion == pytest.approx(1.0)


def test_a_way_out_that_only_one_fold_knows_leaves_no_interval():
    # Without the one user who converts, x is only left by being lost: mended, nobody would ever leave it.
    chain = markov(journeys_from(["xx"] * 400 + ["x!"]))
    better = chain.what_if(onward={"x": 1.0})
    assert better.conversion == pytest.approx(1.0)
    row = better.summary.row(0, named=True)
    assert row["converted_lower"] is row["change_upper"] is None
    assert chain.what_if(onward={"x": 0.9}).summary["converted_lower"].item() is not None


def test_one_user_who_went_every_way_has_a_chain_and_no_interval():
    # every three touchpoints in a row, once each: without the only user, nothing but NaN is left of these moves
    walk = "aa"
    while new := [c for c in "dcba" if walk[-2:] + c not in {walk[i : i + 3] for i in range(len(walk) - 2)}]:
        walk += new[0]
    result = finish(Markov(order=2), count_in_memory(Markov(order=2), journeys_from([walk + "!"])))
    row = result.frame.filter(pl.col("state") == ["a", "b"]).row(0, named=True)
    assert (len(walk), row["visits"], row["visits_lower"]) == (66, pytest.approx(4.0), None)


@settings(max_examples=150)
@given(
    st.lists(st.text("ab!", min_size=1, max_size=4), min_size=1, max_size=40),
    st.lists(st.tuples(st.sampled_from(["remove", "onward", "probability"]), st.sampled_from("ab"), st.sampled_from("ab"),
                       st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=3),
)  # fmt: skip
def test_tiny_chains_with_traps_are_solved_or_refused(paths, changes):
    chain = markov(journeys_from([path.split("!")[0] + "!" * ("!" in path) for path in paths]))
    for kind, a, b, p in changes:
        change = {"remove": a, "onward": {a: p}, "probability": {(a, b): p}}[kind]
        try:
            chain = chain.what_if(**{kind: change})
        except (QuestionError, UnknownLabelError):
            continue
        summary = chain.summary.row(0, named=True)
        assert sum(summary[outcome] for outcome in ("converted", "lost", "open", "ended")) == pytest.approx(1.0)


def test_states_of_higher_order_and_short_paths():
    codes, offsets = np.array([0, 1, 1, 1, 2, 0], dtype=np.uint8), np.array([0, 5, 6, 6])
    walk = walks(codes, offsets, 3, 2)
    states = [[unpack(int(s), walk.base) for s in walk.seen[walk.codes[a:b]]] for a, b in ((0, 4), (4, 5))]
    assert states == [[[0, 1], [1, 1], [1, 1], [1, 2]], [[0]]]
    assert walk.offsets.tolist() == [0, 4, 5, 5]
    assert walk.at.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("labels", [("a", "a\x1fb", "b"), ("", "\x1b", "\x1b0", "\x1f"), ("🛒", "x > y")])
def test_state_texts_tell_any_labels_apart(labels):
    base = len(labels) + 1
    pairs = np.array([a * base + b for a in range(1, base) for b in range(1, base)])
    texts = state_texts(pairs, labels, base)
    assert texts.n_unique() == len(pairs)
    assert [labels_of_state(text) for text in texts] == [(a, b) for a in labels for b in labels]


def test_a_log_without_mature_journeys_and_an_impossible_order():
    short = journeys_from(["ab!"]).where(pl.col("status") == "nothing")
    chain = markov(short)
    assert (chain.n_journeys, chain.states.height) == (0, 0)
    assert chain.summary.rows() == [(0, None, None, None, None, None, None)]
    assert np.isnan(chain.conversion)
    with pytest.raises(QuestionError, match="order=9"):
        Markov(order=9)
    with pytest.raises(QuestionError, match="64 bits"):
        walks(np.array([0]), np.array([0, 1]), 10_000, 5)


GROUPS = {"plan": "plan", "channel": "entry_channel", "stage": "entry_stage"}


@settings(max_examples=25)
@given(logs, rule_fields())
@pytest.mark.parametrize(("by", "order"), [(("plan",), 1), (("channel", "stage"), 2), (("plan", "channel"), 3)])
def test_a_chain_per_group_is_the_chain_of_its_journeys_alone(by, order, log, fields):
    journeys = build(log, **fields)
    chains = markov(journeys, order=order, by=list(by))
    first = {name: journeys.codes(name).decode(journeys.offsets[:-1]).to_list() for name in by}
    labels = list(zip(*first.values(), strict=True))
    expected = {}
    for group in sorted(set(labels)):
        alone = markov(journeys.pick(np.array([each == group for each in labels])), order=order)
        if alone.n_journeys:
            expected[group] = alone
    assert list(chains) == list(expected)
    assert chains.states.columns[: len(by)] == list(by)
    for group, alone in expected.items():
        found = chains[group if len(by) > 1 else group[0]]
        assert found.summary.equals(alone.summary)
        assert found.states.equals(alone.states)
        assert found.moves.equals(alone.moves)
        own = pl.all_horizontal(pl.col(name) == label for name, label in zip(by, group, strict=True))
        rows = chains.states.filter(own)
        for column in alone.states.columns[1:-1]:  # between state and reason: numbers and their limits
            if column.split("_")[0] != "reason":
                assert rows[column].to_list() == pytest.approx(alone.states[column].to_list(), abs=1e-9), column
        assert chains.moves.filter(own).drop(by).equals(alone.moves)
        assert chains.summary.filter(own)["n_journeys"].item() == alone.n_journeys


def test_groups_too_small_for_an_interval_stand_beside_others():
    frame = pl.DataFrame(
        {"user": [f"{i}" for i in range(302)], "s": 0, "what": "x", "plan": ["pro"] * 300 + ["free"] * 2}
    )
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="what", attributes=["plan"])
    summary = markov(build_journeys(events, goal="y", idle="1d", observed_until=9 * DAY * 1_000_000), by="plan").summary
    assert summary.select("plan", "n_journeys", "lost", "lost_lower").rows() == [
        ("free", 2, 1, None),
        ("pro", 300, 1, pytest.approx(1 / (1 + 1.9983405**2 / 64))),  # Wilson's, of as many people as folds, by Student
    ]


def test_what_cannot_be_by_the_rules_is_not_uncertain_and_a_conversion_without_a_goal_is_not_known():
    paths = ["ab!", "a", "ab", "b!", "ba"] * 80
    won = markov(journeys_from(paths)).summary.row(0, named=True)
    assert (won["ended"], won["ended_lower"], won["ended_upper"]) == (0, 0, 0)
    chain = markov(journeys_from(paths, goal=None))
    none = chain.summary.row(0, named=True)
    assert none["converted"] is none["converted_lower"] is None
    assert math.isnan(chain.conversion)
    assert none["ended"] == 1
    assert chain.states["converted"].null_count() == chain.states.height
    assert set(chain.states["reason"]) == {"no goal was named, so nothing can convert"}
    without = chain.what_if(remove="b")
    assert without.summary["change"].item() is None
    # Two of five begin at b, and of the four visits to a two go on to it.
    assert without.summary["lost"].item() == pytest.approx(2 / 5 + 3 / 5 * 2 / 4)
    assert math.isnan(without.gained[0])


def test_of_many_groups_the_chains_asked_for_are_made_and_no_others(monkeypatch):
    rows = [(f"u{i}", i * DAY + j, label, f"g{i}") for i in range(40) for j, label in enumerate("xy")]
    log = pl.DataFrame(rows, schema=["user", "t", "e", "group"], orient="row")
    events = read_events(log, user="user", timestamp="t", time_unit="s", touchpoint="e", attributes=["group"])
    made, make = [], Markov.chain
    monkeypatch.setattr(
        Markov, "chain", lambda self, counts, **given: made.append(counts) or make(self, counts, **given)
    )
    chains = markov(build_journeys(events, goal="y", idle="1d", observed_until=90 * DAY * 1_000_000), by="group")
    assert (len(chains), chains.states["group"].n_unique(), len(made)) == (40, 40, 0)
    assert chains["g7"] is chains["g7"]
    assert len(made) == 1
    assert repr(chains).endswith("(and 30 more)")  # only those that are shown are solved
    assert len(made) == 11
    assert chains.summary.height == len(made) == 40


def test_chains_name_what_they_are_asked_for():
    chains = markov(build_journeys(read_events(pl.DataFrame(
        {"user": list("aabb"), "s": [0, 60, 0, 60], "what": ["x", "order", "x", "y"], "plan": ["pro", "pro", "free", "free"]}
    ), user="user", timestamp="s", time_unit="s", touchpoint="what", attributes=["plan"]), goal="order", idle="30d",
        observed_until=400 * DAY * 1_000_000), by="plan")  # fmt: skip
    assert (chains["pro"].conversion, chains["free"].conversion) == (1.0, 0.0)
    assert chains["free"].what_if(remove="y").conversion == 0.0
    assert "2 by plan" in repr(chains)
    assert "free" in chains._repr_html_()
    with pytest.raises(UnknownLabelError, match=r"'prof'(?s:.*)pro"):
        chains["prof"]
    with pytest.raises(QuestionError, match="markov has a column of that name"):
        markov(journeys_from(["ab!"]), by=["new_or_returning", "state"])
    with pytest.raises(QuestionError, match=r"a chain per group(?s:.*)chains"):
        Markov(by="new_or_returning").chain(count_in_memory(Markov(by="new_or_returning"), journeys_from(["ab!"])))


def test_merged_counts_make_the_same_chain():
    journeys, measure = journeys_from(PATHS), Markov(order=2)
    counts = count_in_memory(measure, journeys, n_steps=4)
    assert measure.chain(counts).summary.equals(markov(journeys, order=2).summary)
    assert finish(measure, counts).frame.equals(markov(journeys, order=2).states)


@pytest.mark.parametrize(
    "asked",
    [{"probability": {"a": 0.5}}, {"probability": {("a", "b"): "0.5"}}, {"onward": 0.5}, {"onward": {"a": None}}],
    ids=["state", "text", "number", "none"],
)
def test_what_is_no_chance_of_a_move_is_refused(asked):
    with pytest.raises(QuestionError, match=r"(?s)(probability|onward|a probability of).*Hint"):
        markov(journeys_from(["ab!", "ab", "a"])).what_if(**asked)
