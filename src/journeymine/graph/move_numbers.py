"""Moves of mature journeys between labels, up to the first goal: where from, where to and the fold are one number each.

Numbers are made block by block, in the processor's cache, and sorted and counted as they are; labels are looked up at
the end.
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

__all__ = ["BLOCK", "OUTCOME_OF", "BlockMoves", "MoveNumbers", "count_moves"]

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
OUTCOME_OF = np.array([OUTCOMES.index(name) if name in OUTCOMES else 0 for name in STATUSES], dtype=np.int64)
"""Outcome of each status; journeys of status ``service`` are never asked for theirs."""
BLOCK = 1 << 17
"""Steps at a time: a few arrays of them stay in the cache."""


@dataclass(frozen=True, slots=True)
class BlockMoves:
    """Moves of a block of journeys, as numbers.

    Attributes
    ----------
    onward : the move out of each step; `MoveNumbers.size` where it is none that counts.
    first : the first move of each mature journey.
    mature, some : which journeys these are, and which of them make a step before the goal.
    last : the last such step of each of `some`.
    """

    onward: Numbers
    first: Numbers
    mature: Ints
    some: Ints
    last: Ints


@dataclass(frozen=True, slots=True)
class MoveNumbers:
    """How moves are numbered: ascending by group, where from (outside last), where to (outcomes last) and fold."""

    n_labels: int
    n_groups: int = 1

    @property
    def width(self) -> int:
        """Where a move may lead: to a label, or to an outcome."""
        return self.n_labels + len(OUTCOMES)

    @property
    def of_group(self) -> int:
        """How many there may be in a group."""
        return (self.n_labels + 1) * self.width * FOLDS

    @property
    def size(self) -> int:
        """Moves of mature journeys are below it."""
        return self.n_groups * self.of_group

    def of_block(
        self,
        block: Journeys,
        coded: Coded,
        kind: type[np.unsignedinteger] | type[np.signedinteger],
        group: Ints | None = None,
    ) -> BlockMoves:
        """The moves of some whole users, in numbers of a type that holds twice the size."""
        heads, lengths, begins = block.heads, block.lengths, block.offsets[:-1]
        kept = heads.mature & (heads.status != SERVICE)
        inside = np.where(kept, np.where(heads.status == CONVERTED, heads.goal_step, lengths), 0)
        ends = OUTCOME_OF[heads.status] + self.n_labels
        mature, some = np.flatnonzero(kept), np.flatnonzero(inside)
        last = take(begins + inside, some) - 1
        target = np.empty(len(coded), dtype=kind)
        target[:-1], target[-1:] = coded.codes[1:], 0
        target[last] = take(ends, some)
        base: Numbers = take(block.folds, heads.user).astype(kind)
        if group is not None:
            base += (group * self.of_group).astype(kind)
        onward: Numbers = coded.codes.astype(kind)
        onward *= self.width
        onward += target
        onward *= FOLDS
        runs = np.column_stack((inside, lengths - inside)).ravel()
        onward += np.repeat(np.column_stack((base, np.full(len(base), self.size, dtype=kind))).ravel(), runs)
        first = ends.astype(kind)
        first[some] = take(coded.codes, take(begins, some))
        first += kind(self.n_labels * self.width)
        first *= FOLDS
        first += base
        return BlockMoves(np.minimum(onward, kind(self.size), out=onward), take(first, mature), mature, some, last)


def count_moves(journeys: Journeys, grain: str) -> tuple[MoveNumbers, Ints, Ints]:
    """The moves that occur, ascending, and how often each; `grain` is a label of all parts (see `Journeys.with_grains`)."""
    numbers = MoveNumbers(len(journeys.codes(grain).labels))

    def count(part: Journeys) -> Occurrences:
        seen = Occurrences(2 * numbers.size)  # moves that do not count have room above the others
        for block in part.parts(BLOCK):
            moves = numbers.of_block(block, block.codes(grain), seen.kind)
            seen.add(moves.onward)
            seen.add(moves.first)
        return seen

    whole, *others = on_all_cores(count, journeys.parts(max(BLOCK, len(journeys.coded) // n_workers() + 1)))
    for other in others:
        whole.absorb(other)
    move, n = whole.counted()
    kept = slice(np.searchsorted(move, numbers.size))
    return numbers, move[kept], n[kept]
