from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from journeymine.events.memory_pass import code_frame
from journeymine.events.order import _separate, order_events

EVENTS = st.lists(st.tuples(st.sampled_from("abcdé"), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=60)


@given(EVENTS)
def test_order_is_by_user_time_tie_break_and_input(events: list[tuple[str, int, int]]) -> None:
    frame = pl.DataFrame(events, schema=["user", "timestamp", "tie_break_0"], orient="row")
    coded = code_frame(
        frame.with_columns(touchpoint=pl.lit("x")), attributes=("touchpoint",), tie_breaks=("tie_break_0",)
    )
    order = order_events(replace(coded, numbers={"row": np.arange(len(events))}))
    rows = order.numbers["row"]
    found = {order.users[u]: rows[order.offsets[u] : order.offsets[u + 1]].tolist() for u in range(len(order.users))}
    expected = {
        user: sorted((i for i, e in enumerate(events) if e[0] == user), key=lambda i: (events[i][1:], i))
        for user in {e[0] for e in events}
    }
    assert found == expected
    assert order.time.tolist() == [events[i][1] for i in rows]
    tied = [b for ids in expected.values() for a, b in itertools.pairwise(ids) if events[a][1] == events[b][1]]
    assert order.n_ties == len(tied)
    backwards = 0
    for user in expected:
        times = [e[1] for e in events if e[0] == user]
        backwards += sum(b < a for a, b in itertools.pairwise(times))
    assert order.n_out_of_order == backwards


@given(st.lists(st.sampled_from(["", "a", "b", "aa", "é"]), min_size=1, max_size=40), st.data())
def test_users_whose_hashes_begin_alike_are_told_apart(ids: list[str], data: st.DataObject) -> None:
    # Runs as a colliding hash would make them: any grouping of the ids, each id whole, rows in input order.
    run_of = {user: data.draw(st.integers(0, 2), label=user) for user in sorted(set(ids))}
    rows = np.array(sorted(range(len(ids)), key=lambda i: (run_of[ids[i]], i)), dtype=np.int64)
    runs = np.array([run_of[ids[i]] for i in rows])
    change = runs[1:] != runs[:-1]
    differs = np.array([ids[a] != ids[b] for a, b in itertools.pairwise(rows)], dtype=bool)
    mixed = np.flatnonzero(differs & ~change)
    if len(mixed):
        _separate(rows, pl.Series(ids, dtype=pl.String), change, mixed)
    there = [ids[i] for i in rows]
    assert change.tolist() == [a != b for a, b in itertools.pairwise(there)]
    assert 1 + int(change.sum()) == len(set(ids)), "each id is one run"
    for user in set(ids):
        kept = [int(i) for i in rows if ids[i] == user]
        assert kept == sorted(kept), "input order inside a user"
