"""The moves of a chain of order 1 over few labels as a table of counts: block after block added up in one array of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums
from journeymine.counting.packed import label_column
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import gathered, pack, unpack
from journeymine.events.coded import Coded
from journeymine.graph.markov_states import OUTCOMES, state_texts
from journeymine.graph.move_numbers import BLOCK, BlockMoves, MoveNumbers
from journeymine.journeys.heads import CONVERTED
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.wide import sum_runs

__all__ = ["count_move_table", "fits", "move_columns"]

Ints = npt.NDArray[np.int64]
_FEW, _MOST, _PER_STEP = 1 << 17, 1 << 22, 2
"""Most cells: so many whatever the log; and so many for each step, up to a limit."""


def fits(journeys: Journeys, grain: str, by: Sequence[str]) -> bool:
    """Whether an array of all moves there may be is no larger than the journeys' own arrays."""
    size = _numbers(journeys.codes(grain), _groups(journeys, by)).size
    return size <= min(max(_FEW, _PER_STEP * len(journeys.coded)), _MOST)


def _groups(journeys: Journeys, by: Sequence[str]) -> dict[str, pl.Series]:
    """What each of `by` may be."""
    return {name: key.values for name, key in group_journeys(journeys.range(0, 0), by, "entry").keys.items()}


def _numbers(coded: Coded, groups: Mapping[str, pl.Series]) -> MoveNumbers:
    n_groups = int(np.prod([max(len(values), 1) for values in groups.values()], dtype=object))
    return MoveNumbers(len(coded.labels), n_groups)


def count_move_table(journeys: Journeys, grain: str, by: Sequence[str], spec: TableSpec) -> pl.DataFrame:
    """The table ``moves`` of `Markov`, of labels that `fits` found few enough."""
    journeys = journeys.with_grains([grain])
    coded, groups = journeys.codes(grain), _groups(journeys, by)
    cells = _Cells(_numbers(coded, groups))
    for block in journeys.parts(BLOCK):
        keys = list(group_journeys(block, by, "entry").keys.values())
        group = pack(keys, len(block))[0] if keys else None
        cells.add(block, cells.numbers.of_block(block, block.codes(grain), np.uint32, group))
    return cells.table(spec, coded.labels, groups)


def move_columns(numbers: MoveNumbers, move: Ints, labels: Sequence[str]) -> tuple[Ints, dict[str, pl.Series]]:
    """The group of each move, and what else its number stands for."""
    group, cell = np.divmod(move // FOLDS, numbers.of_group // FOLDS)
    source, target = np.divmod(cell, numbers.width)
    texts = state_texts(np.arange(1, numbers.n_labels + 1), labels, numbers.n_labels + 1)
    label, end = label_column([*texts, None]), label_column([*OUTCOMES, None])
    return group, {
        "from": gathered(label, source),
        "to": gathered(label, np.minimum(target, numbers.n_labels)),
        "outcome": gathered(end, np.where(target < numbers.n_labels, len(OUTCOMES), target - numbers.n_labels)),
        "fold": pl.Series(move % FOLDS, dtype=pl.UInt8),
    }


class _Cells:
    """Times, durations and value of each move so far."""

    def __init__(self, numbers: MoveNumbers) -> None:
        self.numbers = numbers
        self.n = np.zeros(numbers.size, dtype=np.int64)
        self.time = (np.zeros(numbers.size, dtype=np.int64), np.zeros(numbers.size, dtype=np.int64))
        self.first = Occurrences(numbers.size)
        self.value = Sums()

    def add(self, block: Journeys, moves: BlockMoves) -> None:
        """Add the moves of a block."""
        size, won = self.numbers.size, block.heads.status == CONVERTED
        stay = np.zeros(len(block.coded), dtype=np.int64)
        np.subtract(block.coded.time[1:], block.coded.time[:-1], out=stay[:-1])
        stay[moves.last[~take(won, moves.some)]] = 0  # the goal is one step further; any other journey ends where it is
        cell, rows = sort_cells(moves.onward, size + 1)
        n_rows = int(np.searchsorted(cell, size))
        cell, stay = cell[:n_rows], take(stay, rows[:n_rows])
        if n_rows:
            starts = np.flatnonzero(changes(cell))
            there = take(cell, starts)
            self.n[there] += np.diff(starts, append=n_rows)
            for total, part in zip(self.time, sum_runs(stay, starts), strict=True):
                total[there] += part
        self.first.add(moves.first.astype(self.first.kind))
        out = np.empty(len(block), dtype=np.int64)  # the last move of each journey
        out[moves.mature] = moves.first
        out[moves.some] = take(moves.onward, moves.last)
        worth = moves.mature[take(won, moves.mature) & (take(block.heads.value, moves.mature) != 0)]
        self.value.add(take(out, worth), take(block.heads.value, worth), size)

    def table(self, spec: TableSpec, labels: tuple[str, ...], groups: Mapping[str, pl.Series]) -> pl.DataFrame:
        """The table with its keys spelled out."""
        first, n = self.first.counted()
        self.n[first] += n
        used = np.flatnonzero(self.n)
        group, moves = move_columns(self.numbers, used, labels)
        columns = {
            **unpack(group, groups),
            **moves,
            "n": self.n[used],
            **dict(zip(limbs("value"), self.value.totals(used), strict=True)),
            **dict(zip(limbs("_time"), (each[used] for each in self.time), strict=True)),
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})
