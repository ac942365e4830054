"""Moves of mature journeys between labels, up to the first goal: where from, where to and the fold are one number each.

Numbers are made block by block, in the processor's cache, and sorted and counted as they are; labels are looked up at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.occurrences import Occurrences
from journeymine.events.coded import Coded
from journeymine.graph.markov_states import OUTCOMES
from journeymine.journeys.heads import CONVERTED, SERVICE, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import n_workers, on_all_cores, take
from journeymine.stats.folds import FOLDS

__all__ = ["OUTCOME_OF", "MoveNumbers", "count_moves"]

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
OUTCOME_OF = np.array([OUTCOMES.index(name) if name in OUTCOMES else 0 for name in STATUSES], dtype=np.int64)
"""Outcome of each status; journeys of status ``service`` are never asked for theirs."""
_BLOCK = 1 << 17
"""Steps at a time: a few arrays of them stay in the cache."""


@dataclass(frozen=True, slots=True)
class MoveNumbers:
    """How moves over some labels are numbered: ascending by where from (outside last), where to (outcomes last) and fold."""

    n_labels: int

    @property
    def width(self) -> int:
        """Where a move may lead: to a label, or to an outcome."""
        return self.n_labels + len(OUTCOMES)

    @property
    def size(self) -> int:
        """Moves of mature journeys are below it."""
        return (self.n_labels + 1) * self.width * FOLDS

    def of_block(self, block: Journeys, coded: Coded, kind: type[np.generic]) -> tuple[Numbers, Numbers]:
        """The move out of each step, `size` or more where it is none that counts; and the first move of each mature journey."""
        heads, lengths, begins = block.heads, block.lengths, block.offsets[:-1]
        kept = heads.mature & (heads.status != SERVICE)
        inside = np.where(kept, np.where(heads.status == CONVERTED, heads.goal_step, lengths), 0)
        ends = OUTCOME_OF[heads.status] + self.n_labels
        some = np.flatnonzero(inside)
        target = np.empty(len(coded), dtype=kind)
        target[:-1], target[-1:] = coded.codes[1:], 0
        target[take(begins + inside, some) - 1] = take(ends, some)
        fold = take(block.folds, heads.user).astype(kind)
        onward: Numbers = coded.codes.astype(kind)
        onward *= self.width
        onward += target
        onward *= FOLDS
        runs = np.column_stack((inside, lengths - inside)).ravel()
        onward += np.repeat(np.column_stack((fold, np.full(len(fold), self.size, dtype=kind))).ravel(), runs)
        first = ends.astype(kind)
        first[some] = take(coded.codes, take(begins, some))
        first += kind(self.n_labels * self.width)
        first *= FOLDS
        first += fold
        return onward, first[kept]


def count_moves(journeys: Journeys, grain: str) -> tuple[MoveNumbers, Ints, Ints]:
    """The moves that occur, ascending, and how often each; `grain` is a label of all parts (see `Journeys.with_grains`)."""
    numbers = MoveNumbers(len(journeys.codes(grain).labels))

    def count(part: Journeys) -> Occurrences:
        seen = Occurrences(2 * numbers.size)  # moves that do not count have room above the others
        for block in part.parts(_BLOCK):
            onward, first = numbers.of_block(block, block.codes(grain), seen.kind)
            seen.add(np.minimum(onward, seen.kind(numbers.size), out=onward))
            seen.add(first)
        return seen

    whole, *others = on_all_cores(count, journeys.parts(max(_BLOCK, len(journeys.coded) // n_workers() + 1)))
    for other in others:
        whole.absorb(other)
    move, n = whole.counted()
    kept = slice(np.searchsorted(move, numbers.size))
    return numbers, move[kept], n[kept]
