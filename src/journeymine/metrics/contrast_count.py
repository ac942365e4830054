"""Counting a contrast block by block: who met a marker at which stage, and who got as far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import ROOM, Columns, Packed, label_column
from journeymine.counting.parts import PART
from journeymine.counting.runs import changes, runs_of, sort_cells
from journeymine.journeys.heads import CONVERTED, LOST, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import WEEK_US, before_goal, stage_key
from journeymine.metrics.contrast_tables import (
    FATES,
    IMMATURE,
    LEFT,
    MATURE,
    WON,
    Fates,
    People,
    States,
    fate_of,
    fold_of,
)
from journeymine.parallel import take

__all__ = ["Ground", "Meetings", "Reached", "count_blocks"]

Number = TypeVar("Number", bound=np.generic)
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
Tables = dict[str, pl.DataFrame]
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_MONDAY_US = 4 * 86_400_000_000
"""1970-01-05, the first Monday."""
_OF_STATUS = np.full(len(STATUSES), MATURE, dtype=np.uint8)
_OF_STATUS[CONVERTED] = WON


@dataclass(frozen=True)
class Ground:
    """What every contrast on a block of journeys starts from, made once.

    Attributes
    ----------
    groups : the group of each journey, by the labels that are broken down by.
    stages, weeks : what the codes of stages and weeks stand for, the same in all blocks.
    """

    journeys: Journeys
    groups: Packed
    stages: Columns
    weeks: Columns

    @classmethod
    def of(cls, journeys: Journeys, by: Sequence[str]) -> Ground:
        """Of all journeys that are counted; one has the label of its segment, or of its entry step."""
        groups, heads = Packed.none(len(journeys)), journeys.heads
        for name, key in group_journeys(journeys, by, "entry").keys.items():
            groups = groups.beside_key(name, key)
        stages = stage_key(journeys.range(0, 0)).values.to_list()
        first, last = (int(heads.start.min()), int(heads.end.max())) if len(heads) else (0, 0)
        weeks = pl.Series(np.arange(_week(first), _week(last) + 1))
        return cls(journeys, groups.compressed() if by else groups, {"stage": label_column(stages)}, {"week": weeks})

    def blocks(self, n_steps: int) -> Iterator[Ground]:
        """Whole users, about so many steps at a time."""
        low = 0
        for block in self.journeys.parts(n_steps):
            high = low + len(block)
            groups = Packed(self.groups.cell[low:high], self.groups.factors)
            yield Ground(block, groups, self.stages, self.weeks)
            low = high

    @property
    def n_cells(self) -> int:
        """How many groups, stages and weeks there are together."""
        return self.groups.size * len(self.stages["stage"]) * len(self.weeks["week"])

    @cached_property
    def of_step(self) -> Ints:
        """The journey of each step."""
        return self.journeys.journey_of_step

    @cached_property
    def stage(self) -> Codes:
        """The stage of each step."""
        return stage_key(self.journeys).codes

    @cached_property
    def before(self) -> Bools:
        """Steps that lie before the goal."""
        return before_goal(self.journeys, self.of_step)

    @cached_property
    def inside(self) -> Bools:
        """Steps before the goal that follow another of their journey."""
        return self.before & ~changes(self.of_step)

    @cached_property
    def state(self) -> States:
        """Fold and fate of each journey at each of its steps: `LEFT` at the last step of a lost one."""
        heads = self.journeys.heads
        state = take(self.journeys.folds, heads.user) * np.uint8(FATES)
        state += np.where(heads.mature, take(_OF_STATUS, heads.status), np.uint8(IMMATURE))
        of_step = self.of_journey(state)
        lost = np.flatnonzero(heads.mature & (heads.status == LOST))
        of_step[take(self.journeys.offsets, lost + 1) - 1] += LEFT - MATURE
        return of_step

    @cached_property
    def fold(self) -> npt.NDArray[np.uint8]:
        """The fold of each step's user."""
        return fold_of(self.state)

    @cached_property
    def fate(self) -> npt.NDArray[np.uint8]:
        """What became of the journey of each step."""
        return fate_of(self.state)

    @cached_property
    def value(self) -> Ints | None:
        """Micro-units of each journey; None where there are none."""
        return self.journeys.heads.value if self.journeys.heads.value.any() else None

    def of_journey(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """What each journey has, for each of its steps."""
        return take(values, self.of_step)

    def in_groups(self, packed: Packed, step: Ints | None = None) -> Packed:
        """What stands at some steps (all, in order) told apart by the group of the journey as well."""
        if not self.groups.factors:
            return packed
        group = self.of_journey(self.groups.cell)
        return Packed(group if step is None else take(group, step), self.groups.factors).joined(packed)

    @cached_property
    def reached(self) -> Ints:
        """The first step before the goal of each journey at each stage, by stage."""
        first = self.before.copy()  # only a step in another stage than the one before may be the first in its stage
        first &= changes(self.stage) | changes(self.of_step)
        rows = np.flatnonzero(first)
        runs = runs_of(take(self.stage, rows), len(self.stages["stage"]), take(self.of_step, rows))
        return take(rows, runs.first)

    def weeks_reached(self, step: Ints) -> Ints:
        """Calendar week (UTC, from Monday 1970-01-05) in which the journey of each step first reached that step's stage."""
        pairs = self._pairs(step)
        order = np.argsort(pairs)  # what is searched in order is found several times faster
        at = np.empty_like(order)
        at[order] = np.searchsorted(self._pairs(self.reached), take(pairs, order))
        return self.week(take(self.reached, at))

    def week(self, step: Ints) -> Ints:
        """Calendar week of each step, as a code."""
        return np.asarray(_week(take(self.journeys.coded.time, step)) - int(self.weeks["week"][0]))

    def _pairs(self, step: Ints) -> Ints:
        """Stage and journey of each step as one number."""
        return take(self.stage, step) * np.int64(len(self.journeys)) + take(self.of_step, step)


def count_blocks(
    journeys: Journeys, by: Sequence[str], n_cells: int, count: Callable[[Iterator[Ground]], Tables]
) -> Tables:
    """Count journeys of whole users block after block.

    Parameters
    ----------
    n_cells : how many cells there may be in the largest table, beside groups, stages and weeks.
    count : counts some blocks into raw tables.
    """
    ground = Ground.of(journeys, by)
    if n_cells * ground.n_cells <= ROOM:
        return count(ground.blocks(_BLOCK))
    # Of enormous alphabets each block tells apart only what occurs in it, and so has tables of its own.
    parts = [count(iter([block])) for block in ground.blocks(PART)]
    return {name: pl.concat(part[name] for part in parts) for name in parts[0]}


class Meetings:
    """Journeys by what they met, and by the stage at which they met it first; all their meetings are counted there."""

    def __init__(self, *, weekly: bool = False) -> None:
        """`weekly` : also by the week in which the journey reached that stage."""
        self._weekly = weekly
        self._fates, self._people = Fates(), People()

    def add(self, ground: Ground, step: Ints, met: Packed) -> None:
        """Add what journeys of a block met at some steps before their goal, the same thing perhaps many times."""
        keys = ground.in_groups(met, step)
        cell, rows = sort_cells(keys.cell, keys.size, step)
        starts = np.flatnonzero(changes(cell) | changes(take(ground.of_step, rows)))
        n_times = np.diff(starts, append=len(rows))
        first, last = take(rows, starts), take(rows, starts + n_times - 1)
        keys = Packed(take(cell, starts), keys.factors, keys.size)
        if self._weekly:
            keys = keys.beside(ground.weeks_reached(first), ground.weeks)
        at, state = keys.beside(take(ground.stage, first), ground.stages), take(ground.state, last)
        journey = take(ground.of_step, first)
        self._people.add(keys, take(ground.journeys.heads.user, journey), state)
        self._fates.add(at, state, n_times=n_times, journey=journey, value=ground.value)

    def tables(self, specs: Mapping[str, TableSpec]) -> Tables:
        """``met`` and ``people`` of `contrast_specs`."""
        return {"met": self._fates.table(specs["met"]), "people": self._people.table(specs["people"])}


class Reached:
    """All journeys by the stages that they reached before their goal."""

    def __init__(self, *, weekly: bool = False) -> None:
        """`weekly` : also by the week in which they reached them."""
        self._weekly = weekly
        self._fates = Fates()

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        step = ground.reached
        at = ground.in_groups(Packed(take(ground.stage, step), (ground.stages,)), step)
        if self._weekly:
            at = at.beside(ground.week(step), ground.weeks)
        self._fates.add(at, take(ground.state, step))

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """``reached`` of `contrast_specs`."""
        return self._fates.table(spec)


def _week(time: Any) -> Any:
    return (time - _MONDAY_US) // WEEK_US
