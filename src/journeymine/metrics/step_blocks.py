"""The steps that count, block after block of whole users, each with the group that its labels put it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import step_keys
from journeymine.counting.tabulate import Key, gathered, pack, unpack
from journeymine.graph.transition_cells import BLOCK
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps

__all__ = ["Positions", "StepBlock", "StepBlocks"]

Ints = npt.NDArray[np.int64]
_MOST_GROUPS = 1 << 24


@dataclass(frozen=True, slots=True)
class StepBlock:
    """Whole users.

    Attributes
    ----------
    journeys : all their journeys.
    first : position of their first step among the steps of all users.
    step : positions in the block of the steps that count.
    group : the group of each of those.
    """

    journeys: Journeys
    first: int
    step: Ints
    group: Ints


class Positions:
    """Positions of the steps that count, range by range."""

    def __init__(self, journeys: Journeys, event: Occurrence) -> None:
        self._steps = None if event.any_step else event.steps(journeys)

    def inside(self, first: int, n_steps: int) -> Ints:
        """Those in a range of steps, counted from its first."""
        if self._steps is None:
            return np.arange(n_steps)
        low, high = np.searchsorted(self._steps, (first, first + n_steps))
        return np.asarray(self._steps[low:high] - first)


class StepBlocks:
    """Blocks that stay in the processor's cache; groups are combinations of labels.

    Attributes
    ----------
    journeys : of all users.
    n_groups : how many there may be.
    """

    def __init__(self, journeys: Journeys, event: Occurrence, names: Sequence[str]) -> None:
        """`names` : the columns whose labels are combined."""
        self._positions = Positions(journeys, event)
        self.journeys, self._names = journeys.with_grains(names), names
        self._values = {name: key.values for name, key in step_keys(self.journeys.range(0, 0), names).items()}
        self.n_groups = int(np.prod([max(len(known), 1) for known in self._values.values()], dtype=object))
        self._rare: Ints | None = None
        if self.n_groups > _MOST_GROUPS:  # only with enormous alphabets: number those that occur
            keys = step_keys(self.journeys, names)
            packed, _ = pack(list(keys.values()), len(journeys.coded))
            _, first, self._rare = np.unique(packed, return_index=True, return_inverse=True)
            self._values = {name: gathered(key.values, key.codes[first]) for name, key in keys.items()}
            self.n_groups = len(first)

    def __iter__(self) -> Iterator[StepBlock]:
        """The blocks, in the order of the users."""
        first = 0
        for block in self.journeys.parts(BLOCK):
            n_steps = len(block.coded)
            step = self._positions.inside(first, n_steps)
            if self._rare is None:
                keys = step_keys(block, self._names).values()
                group, _ = pack([Key(at_steps(key.codes, step), key.values) for key in keys], len(step))
            else:
                group = at_steps(self._rare[first : first + n_steps], step)
            yield StepBlock(block, first, step, group)
            first += n_steps

    def spelled(self, group: Ints) -> dict[str, pl.Series]:
        """The labels of groups, one column per name."""
        if self._rare is None:
            return unpack(group, self._values)
        return {name: gathered(known, group) for name, known in self._values.items()}
