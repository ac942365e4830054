"""The order of events against `sorted`, also where hashes of ids collide."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine import sorting
from journeymine.events import order as order_module
from journeymine.events.coded import CodedEvents
from journeymine.events.order import OrderedEvents, order_events
from journeymine.stats.folds import fold_of
from journeymine.stats.hashing import stable_hash

IDS = ["a", "b", "", "ü", "🦊", "a ", "user-1", "user-10", "x" * 40, *"cdefghij"]
rows = st.lists(st.tuples(st.sampled_from(IDS), st.integers(-3, 6), st.integers(0, 2), st.integers(0, 1)), max_size=80)


def events_of(log: list[tuple[str, int, int, int]], n_breaks: int) -> CodedEvents:
    return CodedEvents(
        user=pl.Series("user", [row[0] for row in log], dtype=pl.String),
        timestamp=np.array([row[1] for row in log], dtype=np.int64),
        labels={},
        numbers={"row": np.arange(len(log))},
        tie_break=tuple(np.array([row[2 + k] for row in log], dtype=np.int64) for k in range(n_breaks)),
    )


def in_pieces(events: CodedEvents, chunk_bits: int, bucket: int) -> OrderedEvents:
    """As a log of millions is ordered: in several chunks and buckets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_module, "_CHUNK_BITS", chunk_bits)
        patch.setattr(order_module, "_BUCKET", bucket)
        patch.setattr(sorting, "_MANY", 0)
        return order_events(events)


def check_all(events: CodedEvents, log: list[tuple[str, int, int, int]], n_breaks: int) -> None:
    check(order_events(events), log, n_breaks)
    check(in_pieces(events, 3, 4), log, n_breaks)
    check(in_pieces(events, 2, 1000), log, n_breaks)


def check(order: OrderedEvents, log: list[tuple[str, int, int, int]], n_breaks: int) -> None:
    users, rows = order.users.to_list(), order.numbers["row"]
    assert sorted(users) == sorted({row[0] for row in log})
    ties = 0
    for u, user in enumerate(users):
        found = rows[order.offsets[u] : order.offsets[u + 1]].tolist()
        own = [i for i, row in enumerate(log) if row[0] == user]
        assert found == sorted(own, key=lambda i: (log[i][1], *log[i][2 : 2 + n_breaks], i))
        ties += sum(log[a][1] == log[b][1] for a, b in itertools.pairwise(found))
    assert order.offsets[-1] == len(log)
    assert order.time.tolist() == [log[i][1] for i in rows]
    assert order.n_ties == ties
    backwards = sum(
        log[a][1] > log[b][1]
        for user in users
        for own in [[i for i, row in enumerate(log) if row[0] == user]]
        for a, b in itertools.pairwise(own)
    )
    assert order.n_out_of_order == backwards


@given(log=rows, n_breaks=st.integers(0, 2))
def test_each_user_s_events_are_sorted_by_time_tie_break_and_row(log: Any, n_breaks: int) -> None:
    events = events_of(log, n_breaks)
    before = events.timestamp.copy(), events.user.clone()
    check_all(events, log, n_breaks)
    assert np.array_equal(events.timestamp, before[0])
    assert events.user.equals(before[1])


def same_events(found: CodedEvents, expected: CodedEvents) -> None:
    assert found.user.to_list() == expected.user.to_list()
    assert found.timestamp.tolist() == expected.timestamp.tolist()
    assert {name: column.tolist() for name, column in found.numbers.items()} == {
        name: column.tolist() for name, column in expected.numbers.items()
    }
    assert [column.tolist() for column in found.tie_break] == [column.tolist() for column in expected.tie_break]


@given(log=rows, n_breaks=st.integers(0, 2))
def test_the_input_comes_back_from_its_order(log: Any, n_breaks: int) -> None:
    events = events_of(log, n_breaks)
    order = order_events(events)
    assert order.row.tolist() == order.numbers["row"].tolist()
    same_events(order.in_input_order(), events)


@given(log=rows, n_breaks=st.integers(0, 2))
def test_events_that_are_consumed_come_in_the_same_order(log: Any, n_breaks: int) -> None:
    events = events_of(log, n_breaks)
    spare = events_of(log, n_breaks)
    spare.timestamp.flags.writeable = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_module, "_CHUNK_BITS", 3)
        patch.setattr(order_module, "_BUCKET", 4)
        found = order_events(spare, consume=True)
    check(found, log, n_breaks)
    same_events(found.in_input_order(), events)
    assert spare.timestamp.tolist() == events.timestamp.tolist(), "what cannot be written to is left alone"


@given(log=rows, data=st.data())
def test_some_events_of_an_order_are_the_order_of_some_events(log: Any, data: st.DataObject) -> None:
    order = order_events(events_of(log, 1))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(log), max_size=len(log))), dtype=bool)
    found = order.keep(kept)
    rows = [int(row) for row, stays in zip(order.row, kept, strict=True) if stays]
    assert found.row.tolist() == rows
    assert found.users.gather(found.user_of_step.tolist()).to_list() == [log[row][0] for row in rows]
    assert set(found.users) == {log[row][0] for row in rows}, "nobody without an event"
    assert found.time.tolist() == [log[row][1] for row in rows]
    assert found.tie_break[0].tolist() == [log[row][2] for row in rows]


REAL_HASH = pl.Series.hash


@pytest.mark.parametrize("kept_bits", [0, 1, 2, 4], ids="{} bits".format)
@given(log=rows, n_breaks=st.integers(0, 1))
def test_ids_whose_whole_hashes_collide_are_told_apart(kept_bits: int, log: Any, n_breaks: int) -> None:
    def colliding(self: pl.Series, seed: int = 0, **others: Any) -> pl.Series:
        full = REAL_HASH(self, seed=seed, **others)
        return (
            full
            if seed
            else pl.Series((full.to_numpy() & np.uint64((1 << kept_bits) - 1)) << np.uint64(60 - kept_bits))
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Series, "hash", colliding)
        check_all(events_of(log, n_breaks), log, n_breaks)


@given(log=rows)
def test_ids_whose_second_hashes_collide_in_another_way_are_told_apart(log: Any) -> None:
    position = {user: i for i, user in enumerate(IDS)}

    def colliding(self: pl.Series, seed: int = 0, **others: Any) -> pl.Series:
        # The first hash has a collision in every pair of neighbours, the second one in every other pair.
        at = np.array([position[user] for user in self.to_list()], dtype=np.uint64)
        return pl.Series((at // np.uint64(2) if seed == 0 else (at + np.uint64(1)) // np.uint64(2)) << np.uint64(50))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Series, "hash", colliding)
        check_all(events_of(log, 0), log, 0)


@pytest.mark.parametrize("shape", ["sorted by user", "sorted by time", "reversed", "shuffled", "one user"])
def test_large_logs_of_every_shape(shape: str) -> None:
    draw = np.random.default_rng(3)
    n = 20_000
    user, time = np.minimum(draw.zipf(1.3, n), 3_000), draw.integers(0, 5_000, n)
    if shape == "one user":
        user[:] = 1
    order = {"sorted by user": np.lexsort((time, user)), "sorted by time": np.argsort(time, kind="stable"),
             "reversed": np.lexsort((time, user))[::-1]}.get(shape, draw.permutation(n))  # fmt: skip
    user, time = user[order], time[order]
    ids = pl.Series([f"user-{u}" for u in user])
    events = CodedEvents(user=ids, timestamp=time.astype(np.int64), labels={}, numbers={"row": np.arange(n)})
    expected = np.lexsort((np.arange(n), time, user))
    for found in (order_events(events), in_pieces(events, 10, 500), in_pieces(events, 12, 20_000)):
        by_user = {int(user[rows[0]]): rows for rows in np.split(found.numbers["row"], found.offsets[1:-1])}
        assert np.array_equal(np.concatenate([by_user[u] for u in sorted(by_user)]), expected)
        assert np.array_equal(found.time, time[found.numbers["row"]])


@pytest.mark.parametrize("n_breaks", [0, 1, 2])
@pytest.mark.parametrize("n", [30, 400, 5_000])
def test_many_ties_are_broken_by_every_column_in_turn_and_then_by_row(n: int, n_breaks: int) -> None:
    draw = random.Random(n + n_breaks)
    log = [(draw.choice("abc"), draw.randint(0, 4), draw.randint(0, 2), draw.randint(0, 2)) for _ in range(n)]
    check_all(events_of(log, n_breaks), log, n_breaks)


def test_no_events() -> None:
    order = order_events(events_of([], 1))
    assert (len(order), order.offsets.tolist(), len(order.users)) == (0, [0], 0)


def test_the_published_hash_of_an_id_is_what_it_always_was() -> None:
    # FNV-1a 64 and fmix64 in plain Python integers, as anybody would write them from their definitions.
    def by_hand(text: str) -> int:
        state = 0xCBF29CE484222325
        for byte in text.encode():
            state = ((state ^ byte) * 0x100000001B3) % 2**64
        state ^= state >> 33
        state = state * 0xFF51AFD7ED558CCD % 2**64
        state ^= state >> 33
        state = state * 0xC4CEB9FE1A85EC53 % 2**64
        return state ^ (state >> 33)

    ids = ["", "a", "user-1", "🦊", "anonymous:7", "x" * 1_000]
    assert stable_hash(pl.Series(ids)).tolist() == [by_hand(text) for text in ids]
    assert fold_of(pl.Series(ids)).tolist() == [by_hand(text) >> 58 for text in ids]
    # Published values: they must never change, for counts of different years are added fold by fold.
    assert [f"{value:016x}" for value in stable_hash(pl.Series(["", "a", "user-1"]))] == [
        "efd01f60ba992926", "82a2a958a9bece5b", "41a2fca5c68401c5",
    ]  # fmt: skip
    assert fold_of(pl.Series(["", "a", "user-1"])).tolist() == [59, 32, 16]
