"""The order of paths against a plain sort of tuples, where words hold few labels, and many."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.graph import path_order


def journeys(n: int, n_names: int) -> jm.Journeys:
    random = np.random.default_rng(n)
    rows = pl.DataFrame(
        {
            "user": random.integers(0, max(n // 6, 1), n),
            "t": random.permutation(n),
            "what": [f"{k:03}" for k in np.minimum(random.geometric(0.4, n), n_names)],
        }
    )
    events = jm.read_events(rows, timestamp="t", time_unit="s", touchpoint="what")
    return jm.build_journeys(events, split="user")


@pytest.mark.parametrize("bits", [64, 16, 9])
@pytest.mark.parametrize("n_groups", [1, 3])
@pytest.mark.parametrize(("n", "n_names", "longest"), [(1, 3, 9), (5_000, 3, 9), (5_000, 300, 4), (300, 2, 0)])
def test_journeys_stand_in_the_order_of_their_paths(
    monkeypatch: pytest.MonkeyPatch, n: int, n_names: int, longest: int, n_groups: int, bits: int
) -> None:
    made = journeys(n, n_names)
    monkeypatch.setattr(path_order, "_BITS", bits)  # short words, so that paths tie in many of them
    monkeypatch.setattr(path_order, "_BLOCK", 64)
    coded = made.codes("touchpoint")
    kept = made.lengths <= longest
    group = np.arange(len(made)) % n_groups
    rows, starts = path_order.path_order(made, coded, kept, group, n_groups)
    keys: list[Any] = [
        (int(g), *(coded.codes[low:high].tolist() if ok else ()))
        for g, low, high, ok in zip(group, made.offsets[:-1], made.offsets[1:], kept, strict=True)
    ]
    assert rows.tolist() == sorted(range(len(keys)), key=lambda i: (keys[i], i))
    ordered = [keys[i] for i in rows]
    assert starts.tolist() == [i for i in range(len(keys)) if not i or ordered[i] != ordered[i - 1]]


def test_users_are_counted_anew_for_each_path() -> None:
    log = [("u", "a"), ("u", "a"), ("u", "b"), ("u", "b"), ("u", "b"), ("v", "c"), ("w", "c")]
    rows = pl.DataFrame([(user, 40 * day, what) for day, (user, what) in enumerate(log)],
                        schema={"user": pl.String, "t": pl.Int64, "what": pl.String}, orient="row")  # fmt: skip
    events = jm.read_events(rows, timestamp="t", time_unit="s", touchpoint="what")
    frame = jm.variants(jm.build_journeys(events, idle="30s", session_gap="9s")).frame
    found = {tuple(path): (n, users) for path, n, users in frame.select("path", "n", "n_users").iter_rows()}
    assert found == {("a",): (2, 1), ("b",): (3, 1), ("c",): (2, 2)}


def test_what_was_last_in_all_journeys_may_not_be_last_in_the_next() -> None:
    rows = [(f"u{u}", s, what) for u in range(300) for s, what in ((0, "ad"), (u % 7, "visit"), (9, "order"))]
    log = pl.DataFrame(rows, schema=["user", "t", "what"], orient="row")
    events = jm.read_events(log, timestamp="t", time_unit="s", touchpoint="what")
    found = jm.typical_order(jm.build_journeys(events, split="user")).frame
    first, _, last = found.sort("position").iter_rows(named=True)
    assert (first["position"], first["position_lower"]) == (0, 0)
    assert (last["position"], last["position_upper"]) == (1, 1)
    assert first["position_upper"] == pytest.approx(1 - last["position_lower"])
    assert 0.01 < first["position_upper"] < 0.07
