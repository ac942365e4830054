"""Counting contrasts over all journeys: block after block, on all cores, and several measures in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import polars as pl

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure, basis_of, question_of
from journeymine.counting.packed import ROOM
from journeymine.counting.parts import PART
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast_ground import Ground
from journeymine.parallel import n_workers, on_all_cores

__all__ = ["ContrastMeasure", "GroundCounter", "count_contrasts"]

Tables = dict[str, pl.DataFrame]
Counter = TypeVar("Counter", bound="GroundCounter")
_BLOCK = 1 << 18
"""Steps at a time: a dozen arrays of them stay near the processor, and few are counted at a loss."""


class GroundCounter(Protocol):
    """Counts blocks of journeys that come one by one."""

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        ...

    def absorb(self: Counter, other: Counter) -> None:
        """Add what another one counted; the other is used up."""
        ...

    def tables(self) -> Tables:
        """Raw tables of all that was added."""
        ...


class ContrastMeasure(Measure, Protocol):
    """A measure that compares journeys with others that came as far."""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that it breaks down by."""
        ...

    @property
    def grains(self) -> tuple[str, ...]:
        """What it asks the labels of steps at."""
        ...

    def counting(self, journeys: Journeys) -> tuple[int, Callable[[], GroundCounter]]:
        """How many cells there may be in its largest table, beside groups, stages and weeks; and what makes a counter."""
        ...


def count_contrasts(measures: Sequence[ContrastMeasure], journeys: Journeys) -> list[Counts]:
    """The counts of measures that are all broken down alike, of journeys of whole users, which are gone over once."""
    journeys = journeys.with_grains(grain for measure in measures for grain in measure.grains)
    ground = Ground.of(journeys, measures[0].names)
    asked = [measure.counting(journeys) for measure in measures]
    counters = [make for _, make in asked]
    if max(n_cells for n_cells, _ in asked) * ground.n_cells <= ROOM:
        parts = ground.blocks(max(PART, len(journeys.coded) // n_workers() + 1))
        whole, *others = on_all_cores(lambda part: _counted(counters, part.blocks(_BLOCK)), parts)
        for other in others:
            for mine, theirs in zip(whole, other, strict=True):
                mine.absorb(theirs)
        tables = [counter.tables() for counter in whole]
    else:  # of enormous alphabets each block tells apart only what occurs in it, and so has tables of its own
        alone = [[each.tables() for each in _counted(counters, iter([block]))] for block in ground.blocks(PART)]
        tables = [
            {name: pl.concat(block[name] for block in blocks) for name in blocks[0]}
            for blocks in zip(*alone, strict=True)
        ]
    basis = basis_of(journeys)
    return [
        Counts.of(question_of(measure), basis, measure.specs(), counted)
        for measure, counted in zip(measures, tables, strict=True)
    ]


def _counted(counters: Sequence[Callable[[], GroundCounter]], blocks: Iterator[Ground]) -> list[GroundCounter]:
    """Counters of some blocks."""
    counted = [make() for make in counters]
    for block in blocks:
        for counter in counted:
            counter.add(block)
    return counted
