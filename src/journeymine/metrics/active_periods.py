"""When each user was active: one row per user and calendar period, per label where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.counting.by import step_keys
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import Key, pack
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps
from journeymine.metrics.period_clock import number_of
from journeymine.parallel import take

__all__ = ["ActivePeriods", "active_periods"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ActivePeriods:
    """Users and the periods in which they were active, sorted by label, user and period.

    Attributes
    ----------
    step : the first step of each.
    user, number : index of the user, and number of the period.
    keys : labels.
    first : the user's first period under this label.
    following : number of the user's next period under this label; one far away where there is none.
    """

    step: Ints
    user: Ints
    number: Ints
    keys: dict[str, Key]
    first: npt.NDArray[np.bool_]
    following: Ints


NEVER = 2**40
"""A period that nobody lives to see."""


def active_periods(
    journeys: Journeys, event: Occurrence, names: Sequence[str], period: str, zone: str
) -> ActivePeriods:
    """Find the periods in which each user has a step that counts, apart for each combination of labels."""
    step = event.steps(journeys)
    keys = {name: Key(at_steps(key.codes, step), key.values) for name, key in step_keys(journeys, names).items()}
    user = at_steps(np.repeat(journeys.heads.user, journeys.lengths), step)
    number = number_of(at_steps(journeys.coded.time, step), period, zone)
    someone = changes(user)
    if names:
        cell, rows = sort_cells(*pack(list(keys.values()), len(step)))
        step, user, number = take(step, rows), take(user, rows), take(number, rows)
        keys = {name: key.take(rows) for name, key in keys.items()}
        someone = changes(cell) | changes(user)
    new = np.flatnonzero(someone | changes(number))
    first, number = take(someone, new), take(number, new)
    following = np.full(len(new), NEVER, dtype=np.int64)
    following[:-1] = np.where(first[1:], NEVER, number[1:])
    return ActivePeriods(
        take(step, new), take(user, new), number, {name: key.take(new) for name, key in keys.items()}, first, following
    )
