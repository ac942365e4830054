"""Users by calendar period and what they are in it, counted block by block; the counting behind `life_cycle`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.occurrences import Occurrences, sum_where
from journeymine.counting.runs import changes
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.active_periods import NEVER, ActivePeriods, active_periods
from journeymine.metrics.occurrence import Occurrence
from journeymine.metrics.period_clock import number_of, numbers_between
from journeymine.metrics.step_blocks import StepBlocks
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_states"]

_NEW, _NEW_EARLY, _RETURNING, _RESURRECTED, _DORMANT, _STATES = range(6)


def count_states(
    journeys: Journeys, event: Occurrence, names: Sequence[str], period: str, zone: str, spec: TableSpec
) -> pl.DataFrame:
    """Compare each user's periods with the ones before and after."""
    blocks = StepBlocks(journeys, event, names)
    low, high = numbers_between(journeys, period, zone)
    n_periods = high - low + 2  # in the one after the last, users may be dormant
    now = int(number_of(np.array([journeys.context.observed_until]), period, zone)[0])
    states = Occurrences(blocks.n_groups * n_periods * FOLDS * _STATES)
    for found in active_periods(blocks, period, zone):
        number: npt.NDArray[Any] = found.group.astype(states.kind)
        number *= n_periods
        number += (found.number - low).astype(states.kind)
        number *= FOLDS
        number += found.fold
        number *= _STATES
        states.add(number + _state(found))
        gone = np.flatnonzero((found.until != 1) & (found.number < now))
        states.add(take(number, gone) + states.kind(FOLDS * _STATES + _DORMANT))
    numbers, n = states.counted()
    state, there = numbers % _STATES, numbers // _STATES
    starts = np.flatnonzero(changes(there))
    there = take(there, starts)
    cell = there // FOLDS
    columns = {
        "period": cell % n_periods + low,
        "fold": (there % FOLDS).astype(np.uint8),
        "new": sum_where(state <= _NEW_EARLY, n, starts),
        "returning": sum_where(state == _RETURNING, n, starts),
        "resurrected": sum_where(state == _RESURRECTED, n, starts),
        "dormant": sum_where(state == _DORMANT, n, starts),
        "left_truncated": sum_where(state == _NEW_EARLY, n, starts),
    }
    return pl.DataFrame({**blocks.spelled(cell // n_periods), **columns}).select(list(spec.schema))


def _state(found: ActivePeriods) -> npt.NDArray[np.uint8]:
    """What each user is in each period."""
    state = np.where(found.since == 1, np.uint8(_RETURNING), np.uint8(_RESURRECTED))
    first = np.flatnonzero(found.since == NEVER)
    time = take(found.journeys.coded.time, take(found.step, first))
    early = time < found.journeys.context.log_start + found.journeys.rules.idle_us
    state[first] = np.where(early, np.uint8(_NEW_EARLY), np.uint8(_NEW))
    return state
