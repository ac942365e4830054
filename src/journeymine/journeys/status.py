"""What became of each journey: converted, lost, still open, or service after an earlier goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.journeys.amounts import sum_amounts
from journeymine.journeys.context import LogContext
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE, Heads
from journeymine.journeys.rules import JourneyRules

if TYPE_CHECKING:
    from journeymine.journeys.journeys import Steps

__all__ = ["Prior", "heads_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prior:
    """What went before a user's first step here, where the log's earlier part was counted already; one entry per user.

    Attributes
    ----------
    journeys, goals : journeys, and converted ones among them.
    """

    journeys: Ints
    goals: Ints

    def slice(self, users: slice) -> Prior:
        """Some of the users."""
        return Prior(self.journeys[users], self.goals[users])


def heads_of(
    steps: Steps,
    starts: Ints,
    new_user: Bools,
    new_session: Bools,
    rules: JourneyRules,
    context: LogContext,
    *,
    goal: Bools | None,
    lost: Bools | None,
    earlier: Bools | None,
    aftersale: Bools | None,
    counts_value: Bools | None,
    prior: Prior | None = None,
) -> Heads:
    """One row per journey, from flags per step. `starts` are the first steps of the journeys of whole users."""
    n_steps, n = len(steps), len(starts)
    ends = np.append(starts[1:], n_steps)[:n]
    user = np.cumsum(new_user[starts], dtype=np.int64) - 1
    first = _changes(user)
    start, end = steps.time[starts], steps.time[ends - 1]
    next_start = np.full(n, MISSING, dtype=np.int64)
    next_start[:-1][~first[1:]] = start[1:][~first[1:]]

    goal_step = _first_flag(goal, starts, n)
    converted = goal_step >= 0
    prior_goals = _before_in_group(converted.astype(np.int64), first)
    nth = _before_in_group(np.ones(n, dtype=np.int64), first) + 1
    if prior is not None:
        prior_goals, nth = prior_goals + prior.goals[user], nth + prior.journeys[user]
    idle_out = (next_start != MISSING) | (end < context.observed_until - rules.idle_us)
    lost_flag = _count(lost, starts) > 0 if lost is not None else np.zeros(n, dtype=bool)
    status = np.full(n, OPEN, dtype=np.uint8)
    status[idle_out | lost_flag] = ENDED if rules.goal is None and rules.lost_at is None else LOST
    if rules.goal is None and rules.lost_at is not None:
        status[idle_out & ~lost_flag] = ENDED
    if aftersale is not None and earlier is not None:
        only_after = (_count(aftersale, starts) > 0) & (_count(earlier, starts) == 0)
        status[only_after & (prior_goals > 0)] = SERVICE
    status[converted] = CONVERTED
    return Heads(
        user=user,
        start=start,
        end=end,
        goal_step=goal_step,
        nth=nth,
        prior_goals=prior_goals,
        next_start=next_start,
        n_sessions=_count(new_session, starts),
        status=status,
        mature=start <= context.observed_until - rules.mature_after_us,
        left_truncated=start < context.log_start + rules.idle_us,
        value=_amount(steps, "value", starts, counts_value),
        cost=_amount(steps, "cost", starts, None),
    )


def _changes(group: Ints) -> Bools:
    first = np.ones(len(group), dtype=bool)
    first[1:] = group[1:] != group[:-1]
    return first


def _count(flags: Bools, starts: Ints) -> Ints:
    """How many steps of each journey are flagged."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    return np.add.reduceat(flags.view(np.uint8), starts, dtype=np.int64)


def _first_flag(flags: Bools | None, starts: Ints, n: int) -> Ints:
    """The first flagged step of each journey, counted from its start; -1 where there is none."""
    found = np.full(n, -1, dtype=np.int64)
    if flags is None:
        return found
    at = np.flatnonzero(flags)
    journey = np.searchsorted(starts, at, side="right") - 1
    first = _changes(journey)
    found[journey[first]] = at[first] - starts[journey[first]]
    return found


def _before_in_group(values: Ints, first: Bools) -> Ints:
    """Sum of the values that come earlier in the same group."""
    if not len(values):
        return values
    before = np.cumsum(values) - values
    at = np.flatnonzero(first)
    return np.asarray(before - np.repeat(before[at], np.diff(np.append(at, len(values)))))


def _amount(steps: Steps, name: str, starts: Ints, flags: Bools | None) -> Ints:
    """Sum per journey, absent numbers as 0, over the flagged steps."""
    numbers = steps.numbers.get(name)
    if numbers is None or not len(starts):
        return np.zeros(len(starts), dtype=np.int64)
    known = numbers != MISSING
    if flags is not None:
        known &= flags
    return sum_amounts(name, np.where(known, numbers, 0), starts)
