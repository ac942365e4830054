"""The steps that count, block after block of whole users, each with the group that its labels put it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import step_keys
from journeymine.counting.groups import Groups
from journeymine.counting.tabulate import Key, pack
from journeymine.graph.transition_cells import BLOCK
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps

__all__ = ["Positions", "StepBlock", "StepBlocks"]

Ints = npt.NDArray[np.int64]


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
        self.groups = Groups.of(self.journeys, lambda part: step_keys(part, names))
        self.n_groups = self.groups.size

    def __iter__(self) -> Iterator[StepBlock]:
        """The blocks, in the order of the users."""
        first = 0
        for block in self.journeys.parts(BLOCK):
            n_steps = len(block.coded)
            step = self._positions.inside(first, n_steps)
            rare = self.groups.rare
            if rare is None:
                keys = step_keys(block, self._names).values()
                group, _ = pack([Key(at_steps(key.codes, step), key.values) for key in keys], len(step))
            else:
                group = at_steps(rare[first : first + n_steps], step)
            yield StepBlock(block, first, step, group)
            first += n_steps

    def spelled(self, group: Ints) -> dict[str, pl.Series]:
        """The labels of groups, one column per name."""
        return self.groups.spelled(group)
