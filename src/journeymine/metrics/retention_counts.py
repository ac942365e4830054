"""Who of a cohort came again in which period: a few searches over sorted integers per period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import step_keys
from journeymine.counting.counts import TableSpec
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key, distinct_users, integer_key, pack, tabulate
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps
from journeymine.metrics.period_clock import PeriodClock, number_of

__all__ = ["count_cells", "first_at_or_after"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Members:
    """Users in their cohorts: one row per member.

    Attributes
    ----------
    step : the entry step.
    user, cohort : index of the user, and number of the cohort's calendar period.
    begins : the entry on the scale of the clock.
    low, high : the range of the user's returns that come after the entry.
    own : first return of the user that is the entry or comes after it.
    """

    step: Ints
    user: Ints
    cohort: Ints
    begins: Ints
    low: Ints
    high: Ints
    own: Ints


def count_cells(
    journeys: Journeys,
    specs: Mapping[str, TableSpec],
    entry: Occurrence,
    returned: Occurrence,
    clock: PeriodClock,
    cohort: str,
    *,
    names: Sequence[str],
    periods: int,
    kind: str,
    recurring: bool,
) -> dict[str, pl.DataFrame]:
    """The three tables of `Retention`."""
    coming = returned.steps(journeys)
    members = _members(journeys, entry.steps(journeys), coming, clock, cohort, recurring=recurring)
    scale, paid = clock.read(at_steps(journeys.coded.time, coming)), _running_value(journeys, coming)
    keys = {name: key.take(members.step) for name, key in step_keys(journeys, names).items()}
    in_cohort = {**keys, "cohort": integer_key(members.cohort)}
    fold = journeys.folds[members.user]
    now = int(clock.read(np.array([journeys.context.observed_until]))[0])
    cells, overall = [], []
    here = members.low
    for k in range(periods + 1):
        begins = members.begins + k * clock.step
        following = first_at_or_after(scale, here, members.high, begins + clock.step)
        over = begins + clock.step <= now
        back = {
            "bounded": following > here,
            "unbounded": members.high > here,
            "cumulative": following > members.low,
        }[kind]
        values: dict[str, Any] = {"n": over, "retained": over & back}
        values["value"] = np.where(over, paid[following] - paid[members.own if k == 0 else here], 0)
        period = {"period": Key(np.zeros(len(fold), dtype=np.uint8), pl.Series([k], dtype=pl.Int64))}
        cells.append(tabulate(specs["cells"], {**in_cohort, **period}, values, fold))
        if recurring:
            people = _people(keys, members, values)
            overall.append(tabulate(specs["overall"], {**keys, **period}, values | people, fold))
        here = following
    truncated = journeys.coded.time[members.step] < journeys.context.log_start + journeys.rules.idle_us
    sizes = {"n_cohort": np.ones(len(fold), dtype=bool), "left_truncated": truncated}
    together = pl.concat(cells)
    once = [pl.col("n").alias("n_users"), pl.col("retained").alias("users_retained")]  # each user is a member once
    return {
        "cells": together,
        "cohorts": tabulate(specs["cohorts"], in_cohort, sizes),
        "overall": pl.concat(overall)
        if recurring
        else specs["overall"].merge([together.with_columns(once).select(list(specs["overall"].schema))]),
    }


def _members(
    journeys: Journeys, entries: Ints, coming: Ints, clock: PeriodClock, cohort: str, *, recurring: bool
) -> Members:
    user_of_step = np.repeat(journeys.heads.user, journeys.lengths)
    user, time = at_steps(user_of_step, entries), at_steps(journeys.coded.time, entries)
    number = number_of(time, cohort, clock.zone)
    new = changes(user)
    if recurring:
        new |= changes(number)
    step = entries[new]
    last = np.zeros(len(journeys.users), dtype=np.int64)  # steps of each user end where the last of its journeys does
    last[journeys.heads.user] = journeys.offsets[1:]
    high = np.searchsorted(coming, last[user[new]], side="left")
    return Members(
        step=step,
        user=user[new],
        cohort=number[new],
        begins=clock.read(time[new]),
        low=np.searchsorted(coming, step, side="right"),
        high=high,
        own=np.searchsorted(coming, step, side="left"),
    )


def _running_value(journeys: Journeys, coming: Ints) -> Ints:
    """Value of the returns before each, in micro-units; zeros where the log has none."""
    if "value" not in journeys.coded.numbers:
        return np.zeros(len(coming) + 1, dtype=np.int64)
    value = journeys.coded.numbers["value"][coming]
    return np.concatenate(([0], np.cumsum(np.where(value == MISSING, 0, value))))


def _people(keys: Mapping[str, Key], members: Members, values: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, Any]:
    """Flags for the distinct users over all cohorts."""
    packed, size = pack(list(keys.values()), len(members.user))
    return {
        "n_users": distinct_users(packed, members.user, values["n"], size),
        "users_retained": distinct_users(packed, members.user, values["retained"], size),
    }


def first_at_or_after(values: Ints, low: Ints, high: Ints, wanted: Ints) -> Ints:
    """In each range low … high − 1 of ascending `values`, the first position whose value is not below `wanted`.

    All ranges are searched at once, from their beginning in steps that double and then by halves: what is looked for is
    mostly near. `high` where there is none.

    Examples
    --------
    >>> first_at_or_after(np.array([1, 5, 9, 2, 4]), np.array([0, 3]), np.array([3, 5]), np.array([5, 7]))
    array([1, 5])
    """
    found = low.copy()
    active = np.flatnonzero(low < high)
    active = active[values[low[active]] < wanted[active]]
    # left is below what is wanted, right is not (or is the end).
    left, end, want = low[active], high[active], wanted[active]
    right, step = end.copy(), 1
    galloping = np.arange(len(active))
    while len(galloping):
        probe = left[galloping] + step
        before = probe < end[galloping]
        before[before] = values[probe[before]] < want[galloping[before]]
        right[galloping[~before]] = np.minimum(probe[~before], end[galloping[~before]])
        galloping = galloping[before]
        left[galloping] = probe[before]
        step *= 2
    searching = np.flatnonzero(right - left > 1)
    while len(searching):
        middle = (left[searching] + right[searching]) >> 1
        before = values[middle] < want[searching]
        left[searching[before]] = middle[before]
        right[searching[~before]] = middle[~before]
        searching = searching[right[searching] - left[searching] > 1]
    found[active] = right
    return found
