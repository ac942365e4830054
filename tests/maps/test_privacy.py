"""Nothing that is withheld can be computed from what is shown."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import journeymine as jm
from journeymine.maps.disclosure import Figure, complement
from journeymine.maps.specification import MapSpecification

K = 4
STAGES = {"look": ["a", "b"], "choose": ["c", "d"], "buy": ["goal", "e"]}


# --- the circulation alone, against a linear program ---------------------------------------------------------------


@st.composite
def circulations(draw: st.DrawFn) -> list[Figure]:
    """Closed walks through at most six places; each walk is one user, each edge one figure."""
    walks = draw(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=25))
    users: dict[tuple[int, int], set[int]] = defaultdict(set)
    for user, walk in enumerate(walks):
        for tail, head in zip([0, *walk], [*walk, 0], strict=True):
            if tail != head:
                users[tail, head].add(user)
    return [Figure(t, h, len(who), len(who) >= K, len(who)) for (t, h), who in sorted(users.items())]


def exposed(figures: list[Figure]) -> list[int]:
    """Withheld figures of few users that some sum of balances shows as part of a sum without any figure of many users.

    A balance says: what flows in flows out. A linear program looks for weights of the balances that give every withheld
    figure of few users a coefficient of at least 0, this one 1, and every withheld one of many users 0.
    """
    places = sorted({end for f in figures for end in (f.tail, f.head)})
    found = []
    for target, figure in enumerate(figures):
        if figure.shown or figure.users >= K:
            continue
        at_least, exactly = [], []
        for i, f in enumerate(figures):
            if f.shown:
                continue
            row = np.zeros(len(places))
            row[places.index(f.tail)] += 1
            row[places.index(f.head)] -= 1
            (exactly if f.users >= K or i == target else at_least).append((row, 1.0 if i == target else 0.0))
        solved = linprog(
            np.zeros(len(places)),
            A_ub=-np.array([row for row, _ in at_least]) if at_least else None,
            b_ub=np.zeros(len(at_least)) if at_least else None,
            A_eq=np.array([row for row, _ in exactly]),
            b_eq=np.array([value for _, value in exactly]),
            bounds=[(None, None)] * len(places),
        )
        if solved.status == 0:
            found.append(target)
    return found


@given(circulations())
@settings(max_examples=60, deadline=None)
def test_a_linear_program_finds_no_weights_that_lay_a_small_figure_open(figures: list[Figure]) -> None:
    more = set(complement(figures, K))
    assert all(figures[i].shown for i in more)
    assert not exposed([dataclasses.replace(f, shown=f.shown and i not in more) for i, f in enumerate(figures)])


def test_the_linear_program_sees_what_is_laid_open() -> None:
    figures = [
        Figure(0, 1, 9, True),
        Figure(1, 2, 1, False),
        Figure(1, 3, 8, True),
        Figure(2, 0, 5, True),
        Figure(3, 0, 8, True),
    ]
    assert exposed(figures) == [1]
    assert complement(figures, K)


# --- whole maps, against the steps they were made from ----------------------------------------------------------------


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    """Users with one or two journeys each; some labels are rare, so that something must be withheld."""
    label = st.sampled_from(["a"] * 4 + ["b"] * 3 + ["c"] * 3 + ["d", "e", "goal", "goal"])
    paths = draw(
        st.lists(st.lists(st.tuples(label, st.sampled_from("xxxy")), min_size=1, max_size=4), min_size=2, max_size=30)
    )
    n_users = draw(st.integers(1, len(paths)))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (
            f"u{i % n_users}",
            start + timedelta(days=90 * (i // n_users) + draw(st.sampled_from([0, 0, 0, 40])), minutes=m),
            t,
            c,
        )
        for i, path in enumerate(paths)
        for m, (t, c) in enumerate(path)
    ]
    rows.append(("u0", start + timedelta(days=90 * (1 + len(paths) // n_users)), "a", "x"))
    return pl.DataFrame(rows, schema=["user", "ts", "what", "where"], orient="row")


def mapped(log: pl.DataFrame) -> tuple[jm.Journeys, MapSpecification]:
    events = jm.read_events(log, user="user", timestamp="ts", touchpoint="what", channel="where", stages=STAGES)
    journeys = jm.build_journeys(events, goal="goal", idle="30d")
    return journeys, jm.journey_map(journeys, min_group=K).spec


def moves(journeys: jm.Journeys) -> list[tuple[str, str, str, str, str]]:
    """(user, from, to, status, stage and channel of from) of every move, ends included; "" is outside."""
    table = journeys.table.with_row_index("j")
    steps = journeys.steps
    key = [name for name in ("user", "nth_journey") if name in steps.columns]
    found = []
    for row in table.iter_rows(named=True):
        own = steps.filter(pl.all_horizontal(pl.col(name) == row[name] for name in key))
        own = own.filter(pl.col("step").is_not_null()).sort("step")
        labels = [f"{c}:{t}" for c, t in zip(own["channel"], own["touchpoint"], strict=True)]
        where = [f"{s}|{c}" for s, c in zip(own["stage"], own["channel"], strict=True)]
        status = row["status"] if row["mature"] else f"young {row['status']}"
        for a, b, place in zip(["", *labels], [*labels, ""], ["", *where], strict=True):
            found.append((row["user"], a, b, "" if b else status, place))
    return found


def enough(users: set[str]) -> bool:
    return not users or len(users) >= K


@given(logs())
@settings(max_examples=40, deadline=None)
def test_no_total_minus_its_shown_parts_leaves_a_few_users(log: pl.DataFrame) -> None:
    journeys, spec = mapped(log)
    done = moves(journeys)
    flows = {(f.source, f.target) for f in spec.flows}
    ends = {(t.node, t.status) for t in spec.terminals}
    for flow in spec.flows:
        assert enough({u for u, a, b, *_ in done if (a, b) == (flow.source, flow.target)})
    for end in spec.terminals:
        if end.status == "start":
            assert enough({u for u, a, b, *_ in done if (a, b) == ("", end.node)})
        else:
            assert enough({u for u, a, b, s, _ in done if (a, b, s) == (end.node, "", end.status)})
    for node in spec.nodes:
        assert enough({u for u, a, *_ in done if a == node.id})
        if node.n is None:
            continue
        out = {u for u, a, b, s, _ in done if a == node.id and (a, b) not in flows and (b or (a, s) not in ends)}
        into = {u for u, a, b, *_ in done if b == node.id and (a, b) not in flows and (a or (b, "start") not in ends)}
        assert enough(out), (node.id, out)
        assert enough(into), (node.id, into)
    drops = {f"{d.stage}|{d.channel}" for d in spec.drop_offs}
    lost = [(u, place) for u, _, b, s, place in done if not b and s == "lost"]
    for stage in spec.stages:
        if stage.n_lost_here is not None and stage.n_reached is not None:
            assert enough({u for u, place in lost if place.split("|")[0] == stage.name and place not in drops})
    for drop in spec.drop_offs:
        assert enough({u for u, place in lost if place == f"{drop.stage}|{drop.channel}"})
    totals = {stage.name for stage in spec.stages if stage.n_lost_here is not None and stage.n_reached is not None}
    if spec.header.n_lost is not None:
        assert enough({u for u, place in lost if place.split("|")[0] not in totals})


@given(logs())
@settings(max_examples=25, deadline=None)
def test_no_share_shows_the_few_who_did_or_did_not(log: pl.DataFrame) -> None:
    journeys, spec = mapped(log)
    table = journeys.table.filter(pl.col("mature"))
    through: dict[str, dict[bool, set[str]]] = defaultdict(lambda: {True: set(), False: set()})
    status = {(r["user"], r["nth_journey"]): r["status"] == "converted" for r in table.iter_rows(named=True)}
    for row in journeys.steps.filter(pl.col("step").is_not_null()).iter_rows(named=True):
        won = status.get((row["user"], row["nth_journey"]))
        if won is not None:
            through[f"{row['channel']}:{row['touchpoint']}"][won].add(row["user"])
    for node in spec.nodes:
        if node.converted is not None and node.converted.value is not None:
            assert all(enough(users) for users in through[node.id].values()), node.id
    if spec.header.converted is not None and spec.header.converted.value is not None:
        for won in (True, False):
            assert enough({user for (user, _), w in status.items() if w == won})


@given(logs())
@settings(max_examples=15, deadline=None)
def test_user_ids_and_examples_of_few_never_appear(log: pl.DataFrame) -> None:
    renamed = log.with_columns(user=pl.lit("SECRET-") + pl.col("user"))
    _, spec = mapped(renamed)
    assert "SECRET" not in spec.to_json()
    if log["user"].n_unique() < K:
        assert spec.header.n_users is None
        assert not spec.nodes
        assert not spec.flows


def test_without_a_limit_everything_is_shown() -> None:
    log = pl.DataFrame({"user": ["u"], "ts": [datetime(2026, 1, 1, tzinfo=UTC)], "what": ["a"], "where": ["x"]})
    events = jm.read_events(log, user="user", timestamp="ts", touchpoint="what", channel="where", stages=STAGES)
    spec = jm.journey_map(jm.build_journeys(events, goal="goal"), min_group=1).spec
    assert spec.header.n_users == 1
    assert [node.n for node in spec.nodes] == [1]
