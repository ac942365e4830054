"""Moves added up block by block are the moves of the walks: the same table, to the last integer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import journeymine as jm
from journeymine.counting.parts import PART
from journeymine.graph import move_numbers, move_tables
from journeymine.graph.markov import Markov
from journeymine.stats.wide import sum_runs, to_python_ints


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=1500))


@pytest.mark.parametrize("block", [1 << 17, 100])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"grain": "stage"},
        {"grain": "channel:touchpoint", "by": "new_or_returning"},
        {"grain": "channel", "by": ("stage", "new_or_returning")},
    ],
)
def test_blocks_of_moves_are_the_walks_moves(
    journeys: jm.Journeys, monkeypatch: pytest.MonkeyPatch, block: int, asked: dict[str, Any]
) -> None:
    for module in (move_numbers, move_tables):
        monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(move_tables, "_FEW", 1 << 22)
    measure = Markov(**asked)
    spec = measure.specs()["moves"]
    assert move_tables.fits(journeys, measure.grain, measure.names)
    blocks = spec.merge([move_tables.count_move_table(journeys, measure.grain, measure.names, spec)])
    walks = spec.merge([measure._walked(journeys, spec)])
    assert blocks.equals(walks)
    assert blocks["_time_lo"].sum() > 0


def test_many_labels_are_counted_as_walks(journeys: jm.Journeys, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = Markov().count(journeys).tables["moves"]
    monkeypatch.setattr(move_tables, "_FEW", 0)
    monkeypatch.setattr(move_tables, "_PER_STEP", 0)
    assert Markov().steps_at_once(journeys) == PART
    assert Markov().count(journeys).tables["moves"].equals(blocks)


def test_sums_beyond_64_bits_keep_every_unit() -> None:
    values = np.array([1 << 61, 1 << 61, (1 << 61) + 5, 7], dtype=np.int64)
    limbs = sum_runs(values, np.array([0, 3]))
    assert to_python_ints(*limbs) == [3 * (1 << 61) + 5, 7]
    assert to_python_ints(*sum_runs(values >> 50, np.array([0, 3]))) == [3 << 11, 0]
