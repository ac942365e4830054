"""Steps by hour of the week, counted block by block; the counting behind `activity`.

A step is one small number: its hour and group above its journey. Sorted, the steps of a journey in an hour are
together, and so are those of a user; whether a step is the first of either, or a goal, are flags packed with hour and
fold, and counted at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.occurrences import Occurrences, sum_where
from journeymine.counting.runs import changes, sort_narrow
from journeymine.counting.tabulate import distinct_users
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps
from journeymine.metrics.periods import WallClock, local_time
from journeymine.metrics.step_blocks import StepBlock, StepBlocks
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_hours", "hour_of_week"]

Ints = npt.NDArray[np.int64]
HOURS = 24
_WEEK = 7 * HOURS
_GOAL, _KINDS = 3, 6
"""What a step adds: 1 when its journey is new to the hour, 2 when its user is too, and `_GOAL` more when it is the goal."""


def count_hours(
    journeys: Journeys, event: Occurrence, names: Sequence[str], zone: str, specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The tables ``cells`` and ``all`` of whole users' journeys."""
    blocks = StepBlocks(journeys, event, names)
    hours = _Hours(blocks, WallClock.of(journeys, lambda time: hour_of_week(time, zone)))
    for block in blocks:
        hours.add(block)
    return hours.tables(specs)


class _Hours:
    """Counts by (group, hour of the week, fold) so far, and users by (group, fold)."""

    def __init__(self, blocks: StepBlocks, clock: WallClock[np.uint8]) -> None:
        self.blocks, self.clock = blocks, clock
        self.steps = Occurrences(blocks.n_groups * _WEEK * FOLDS * _KINDS)
        self.people = Occurrences(blocks.n_groups * FOLDS)

    def add(self, block: StepBlock) -> None:
        """Add the steps of a block."""
        mark = at_steps(_marks(block.journeys), block.step)
        user, fold = block.journeys.heads.user, take(block.journeys.folds, block.journeys.heads.user)
        self._add_people(block, mark, fold)
        cell: npt.NDArray[np.integer] = block.group.astype(np.int64) * _WEEK + self.clock.at(
            at_steps(block.journeys.coded.time, block.step)
        )
        cell, rows = sort_narrow(cell, self.blocks.n_groups * _WEEK)
        mark = take(mark, rows)
        journey, new = (mark >> np.uint32(1)).astype(np.intp), changes(cell)
        new_user, new_journey = new | changes(take(user, journey)), new | changes(journey)
        number: npt.NDArray[Any] = cell.astype(self.steps.kind)
        number *= FOLDS
        number += take(fold, journey)
        number *= _KINDS
        number += new_journey.view(np.uint8) + new_user.view(np.uint8)
        number += np.multiply(mark & np.uint32(1), _GOAL, dtype=np.uint8, casting="unsafe")
        self.steps.add(number)

    def _add_people(self, block: StepBlock, mark: npt.NDArray[np.uint32], fold: npt.NDArray[np.uint8]) -> None:
        """Add each user once to each of its groups."""
        if self.blocks.n_groups == 1 and len(mark) == len(block.journeys.coded):
            rows = block.journeys.offsets[:-1]
        else:
            rows = np.flatnonzero(
                changes(mark) | changes(block.group)
            )  # all that can be the first of a user in a group
        group, journey = take(block.group, rows), take(mark, rows) >> np.uint32(1)
        user = take(block.journeys.heads.user, journey)
        once = distinct_users(group, user, np.ones(len(rows), dtype=bool), self.blocks.n_groups)
        number = group[once] * FOLDS + take(fold, journey[once])
        self.people.add(number.astype(self.people.kind))

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """Both tables."""
        there, kind, n, starts = self.steps.by_cell(_KINDS)
        totals = {
            "n": sum_where(kind >= 0, n, starts),
            "n_journeys": sum_where(kind % _GOAL >= 1, n, starts),
            "n_users": sum_where(kind % _GOAL == 2, n, starts),
            "goals": sum_where(kind >= _GOAL, n, starts),
        }
        cell = there // FOLDS
        clock = {"weekday": cell % _WEEK // HOURS + 1, "hour": cell % HOURS}
        cells = self._table(specs["cells"], cell // _WEEK, {**clock, "fold": there % FOLDS, **totals})
        steps = cells.select(*specs["all"].key_names, "n", pl.lit(0, dtype=pl.Int64).alias("n_users"))
        numbers, n = self.people.counted()
        users = {"fold": numbers % FOLDS, "n": np.zeros_like(n), "n_users": n}
        return {"cells": cells, "all": pl.concat([steps, self._table(specs["all"], numbers // FOLDS, users)])}

    def _table(self, spec: TableSpec, group: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        frame = pl.DataFrame({**self.blocks.spelled(group), **columns})
        return frame.select(pl.col(name).cast(pl.UInt8) if name == "fold" else name for name in spec.schema)


def _marks(journeys: Journeys) -> npt.NDArray[np.uint32]:
    """The journey of each step, and in the lowest bit whether the journey converts by it."""
    marks = np.repeat(np.arange(0, 2 * len(journeys), 2, dtype=np.uint32), journeys.lengths)
    goal_step = journeys.heads.goal_step
    marks[(journeys.offsets[:-1] + goal_step)[goal_step >= 0]] |= 1
    return marks


def hour_of_week(time: Ints, zone: str) -> npt.NDArray[np.uint8]:
    """Hour of the week on the wall clock of a zone, from 0 for Monday's first.

    >>> (
    ...     hour_of_week(np.array([23 * 3_600_000_000]), "UTC"),
    ...     hour_of_week(np.array([23 * 3_600_000_000]), "Europe/Berlin"),
    ... )
    (array([95], dtype=uint8), array([96], dtype=uint8))
    """
    local = local_time(time, zone)
    hours = (local.dt.weekday().to_numpy() - 1).astype(np.uint8) * np.uint8(HOURS)
    hours += local.dt.hour().to_numpy().astype(np.uint8)
    return np.asarray(hours)
