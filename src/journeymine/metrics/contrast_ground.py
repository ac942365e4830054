"""The ground that contrasts stand on: a block of journeys, with what is known of each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.packed import Columns, Packed, label_column, packed_groups
from journeymine.counting.runs import changes, ranges
from journeymine.journeys.heads import CONVERTED, LOST, SERVICE, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import WEEK_US, stage_key
from journeymine.metrics.contrast_standing import (
    IN_STAGE,
    LEFT,
    MATURE,
    WON,
    Standings,
    fate_of,
    fold_of,
    standing_of,
)
from journeymine.parallel import take

__all__ = ["Ground"]

Number = TypeVar("Number", bound=np.generic)
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]
_FEW_PAIRS = 1 << 22
"""Up to so many pairs of stage and journey each has a place of its own."""
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
        groups, heads = packed_groups(group_journeys(journeys, by, "entry").keys, len(journeys)), journeys.heads
        stages = stage_key(journeys.range(0, 0)).values.to_list()
        first, last = (int(heads.start.min()), int(heads.end.max())) if len(heads) else (0, 0)
        weeks = pl.Series(np.arange(_week(first), _week(last) + 1))
        return cls(journeys, groups, {"stage": label_column(stages)}, {"week": weeks})

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
        return self.groups.size * self.n_stages * len(self.weeks["week"])

    @property
    def n_stages(self) -> int:
        """How many stages there are."""
        return len(self.stages["stage"])

    @cached_property
    def of_step(self) -> Ints:
        """The journey of each step."""
        return self.journeys.journey_of_step

    @cached_property
    def entry(self) -> Bools:
        """The first step of each journey."""
        entry = np.zeros(len(self.journeys.coded), dtype=bool)
        entry[self.journeys.offsets[:-1]] = True
        return entry

    @cached_property
    def stage(self) -> Codes:
        """The stage of each step."""
        staged = self.journeys.coded.labels.get("stage")
        return np.zeros(len(self.journeys.coded), dtype=np.uint8) if staged is None else staged.codes

    @cached_property
    def before(self) -> Bools:
        """Steps that lie before the goal of their journey, or have none to come; none of service journeys."""
        heads, lengths = self.journeys.heads, self.journeys.lengths
        # Without a goal it is at -1: as an unsigned number, that is more than any length.
        kept = np.minimum(heads.goal_step.view(np.uint64), lengths.view(np.uint64)).view(np.int64)
        kept *= heads.status != SERVICE
        before = np.ones(len(self.journeys.coded), dtype=bool)
        before[ranges(self.journeys.offsets[:-1] + kept, lengths - kept)] = False  # these are few
        return before

    @cached_property
    def told(self) -> Bools:
        """Steps before the goal that tell something of what is to come: what loses a journey by definition tells nothing."""
        lost_at, coded = self.journeys.rules.lost_at, self.journeys.coded
        return self.before if lost_at is None else self.before & ~lost_at.holds(coded.labels, coded.numbers, len(coded))

    @cached_property
    def inside(self) -> Bools:
        """Those of them that follow another step of their journey."""
        return self.told & ~self.entry

    @cached_property
    def goes_on(self) -> Bools:
        """Steps that another of their journey follows."""
        return ~np.append(self.entry[1:], True)

    @cached_property
    def up_to_goal(self) -> Bools:
        """Steps before the goal, and the goal itself."""
        heads = self.journeys.heads
        won = np.flatnonzero((heads.goal_step >= 0) & (heads.status != SERVICE))
        up_to = self.before.copy()
        up_to[take(self.journeys.offsets, won) + take(heads.goal_step, won)] = True
        return up_to

    @cached_property
    def standing(self) -> Standings:
        """Fold and fate of each journey as one number, with room for the stage."""
        journeys, heads = self.journeys, self.journeys.heads
        fate = take(_OF_STATUS, heads.status) * heads.mature
        return standing_of(take(journeys.folds, heads.user), fate, self.n_stages)

    def standing_at(self, step: Ints, journey: npt.NDArray[np.signedinteger]) -> Standings:
        """How journeys stand at some of their steps: stage, fold and fate."""
        standing = take(self.standing, journey)
        standing += take(self.stage, step).astype(standing.dtype) * standing.dtype.type(IN_STAGE)
        return standing

    @cached_property
    def left(self) -> Ints:
        """The last step of each mature journey that is lost."""
        heads = self.journeys.heads
        return take(self.journeys.offsets, np.flatnonzero(heads.mature & (heads.status == LOST)) + 1) - 1

    @cached_property
    def fate(self) -> npt.NDArray[np.uint8]:
        """What became of the journey of each step: `LEFT` at the last step of a lost one."""
        fate = self.of_journey(fate_of(self.standing))
        fate[self.left] = LEFT
        return fate

    @cached_property
    def fold(self) -> npt.NDArray[np.uint8]:
        """The fold of each step's user."""
        return self.of_journey(fold_of(self.standing))

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
        """The first step before the goal of each journey at each stage, of those that tell something."""
        return self._came[0]

    def weeks_reached(self, step: Ints) -> Ints:
        """Calendar week (UTC, from Monday 1970-01-05) in which the journey of each step first reached that step's stage."""
        return self.week(self._came[1].of_numbers(self._in_stage(step)))

    @cached_property
    def _came(self) -> tuple[Ints, _Firsts]:
        """The steps of `reached`, and where each is found.

        Looked at are steps that tell something and do not stand in the stage of another such step just before in their
        journey.
        """
        comes = changes(self.stage)
        comes |= self.entry
        comes[1:] |= ~self.told[:-1]
        comes &= self.told
        step = np.flatnonzero(comes)
        number = self._in_stage(step)
        first = _Firsts.of(number, step, self.n_stages * len(self.journeys))
        return take(step, np.flatnonzero(first.of_numbers(number) == step)), first

    def _in_stage(self, step: Ints) -> Ints:
        """Journey and stage of some steps as one number."""
        number = take(self.of_step, step)
        number *= self.n_stages
        number += take(self.stage, step)
        return number

    def week(self, step: Ints) -> Ints:
        """Calendar week of each step, as a code."""
        return np.asarray(_week(take(self.journeys.coded.time, step)) - int(self.weeks["week"][0]))


@dataclass(frozen=True, slots=True)
class _Firsts:
    """What stood first beside each of many numbers.

    Attributes
    ----------
    seen : the numbers, ascending; None where `first` has a place for every number that may be.
    """

    seen: Ints | None
    first: Ints

    @classmethod
    def of(cls, numbers: Ints, values: Ints, size: int) -> _Firsts:
        """`numbers` are below `size`."""
        if size > _FEW_PAIRS:
            seen, first = np.unique(numbers, return_index=True)
            return cls(seen, take(values, first))
        found = np.empty(size, dtype=np.int64)
        found[numbers[::-1]] = values[::-1]  # of several, what is written last stays
        return cls(None, found)

    def of_numbers(self, numbers: Ints) -> Ints:
        """What stood first beside these, which were all there."""
        return take(self.first, numbers if self.seen is None else np.searchsorted(self.seen, numbers))


def _week(time: Any) -> Any:
    return (time - _MONDAY_US) // WEEK_US
