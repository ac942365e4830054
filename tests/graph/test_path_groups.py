"""Equal paths, found by hash: against plain tuples, and where every path has the same hash."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.graph import path_groups


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


@pytest.mark.parametrize("how", ["hash", "one hash for all", "hash of the length"])
@pytest.mark.parametrize(("n", "n_names", "longest"), [(1, 3, 9), (5_000, 3, 9), (5_000, 300, 4), (300, 2, 0)])
def test_equal_paths_share_a_number(
    monkeypatch: pytest.MonkeyPatch, how: str, n: int, n_names: int, longest: int
) -> None:
    made = journeys(n, n_names)
    same = {"one hash for all": 0, "hash of the length": 5}.get(how)
    if same is not None:
        monkeypatch.setattr(path_groups, "_mixes", lambda _, k: np.full(k, same, dtype=np.uint64))
    monkeypatch.setattr(path_groups, "_BLOCK", 64)
    coded = made.codes("touchpoint")
    kept = made.lengths <= longest
    group, firsts = path_groups.same_paths(made, coded, kept)
    paths: list[Any] = [
        tuple(coded.codes[low:high]) if ok else None
        for low, high, ok in zip(made.offsets[:-1], made.offsets[1:], kept, strict=True)
    ]
    first: dict[Any, int] = {}
    for i, path in enumerate(paths):
        first.setdefault(path, i)
    assert sorted(firsts.tolist()) == sorted(first.values())
    assert [int(firsts[g]) for g in group] == [first[path] for path in paths]
