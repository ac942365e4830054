"""When each user was active: one row per user and calendar period, per group of labels where asked, block after block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes, sort_cells
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import at_steps
from journeymine.metrics.period_clock import numbers_of
from journeymine.metrics.step_blocks import StepBlocks
from journeymine.parallel import take

__all__ = ["NEVER", "ActivePeriods", "active_periods"]

Ints = npt.NDArray[np.int64]
NEVER = 1 << 30
"""More periods than anybody lives to see."""


@dataclass(frozen=True, slots=True)
class ActivePeriods:
    """Users and the periods in which they were active, sorted by group, user and period.

    Attributes
    ----------
    journeys : of these users.
    step : the first step of each.
    group, fold : of the step's labels, and of the user.
    number : of the period.
    since : periods since the user's last active one in this group; `NEVER` for its first.
    until : periods until its next one; `NEVER` for its last.
    """

    journeys: Journeys
    step: Ints
    group: Ints
    fold: npt.NDArray[np.uint8]
    number: npt.NDArray[np.int32]
    since: npt.NDArray[np.int32]
    until: npt.NDArray[np.int32]


def active_periods(blocks: StepBlocks, period: str, zone: str) -> Iterator[ActivePeriods]:
    """Find the periods in which each user has a step that counts, apart for each group, of block after block."""
    clock = numbers_of(blocks.journeys, period, zone)
    for block in blocks:
        journeys, step, group = block.journeys, block.step, block.group
        user = at_steps(np.repeat(journeys.heads.user.astype(np.uint32), journeys.lengths), step)
        number = clock.at(at_steps(journeys.coded.time, step))
        someone = changes(user)
        if blocks.n_groups > 1:
            group, rows = sort_cells(group, blocks.n_groups)
            step, user, number = take(step, rows), take(user, rows), take(number, rows)
            someone = changes(group) | changes(user)
        new = np.flatnonzero(someone | changes(number))
        number = take(number, new)
        since = np.diff(number, prepend=np.int32(0))
        since[take(someone, new)] = NEVER
        until = np.append(since[1:], np.full(min(len(new), 1), NEVER, dtype=np.int32))
        fold = take(journeys.folds, take(user, new))
        yield ActivePeriods(journeys, take(step, new), take(group, new), fold, number, since, until)
