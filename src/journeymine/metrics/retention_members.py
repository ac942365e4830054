"""Members of cohorts and what came after: where on the clock each user of a block comes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.counting.runs import changes
from journeymine.journeys.amounts import any_sum_fits, check_amounts
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import at_steps
from journeymine.metrics.period_clock import PeriodClock, numbers_of
from journeymine.metrics.step_blocks import StepBlock
from journeymine.parallel import take

__all__ = ["Members", "Returns", "UserClock", "first_at_or_after"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Reader = Callable[[Ints], npt.NDArray[np.integer]]


@dataclass(frozen=True, slots=True)
class Members:
    """Users in their cohorts: one row per member.

    Attributes
    ----------
    step, time, group : the entry step, its time, and the group that its labels put it in.
    user : which of the users of the block.
    fold : of the user.
    cohort : number of the cohort's calendar period.
    begins : the entry on the scale of the clock.
    """

    step: Ints
    time: Ints
    group: Ints
    user: Ints
    fold: npt.NDArray[np.uint8]
    cohort: Ints
    begins: Ints


@dataclass(frozen=True, slots=True)
class Returns:
    """Where on the clock users come: by the calendar one place per user and period, otherwise one per step that counts.

    Attributes
    ----------
    scale : each place on the scale of the clock.
    low, high : for each member, the range of the places that it comes to after its entry.
    paid : value of all that came before each place, in micro-units; None where the log has none.
    own : for each member, value of all that came before its entry; less the entry's own value where that is no return,
        so that whatever is paid from the entry on is the difference.
    """

    scale: npt.NDArray[np.integer]
    low: Ints
    high: Ints
    paid: Ints | None
    own: Ints


class UserClock:
    """Reads entries and returns of users, block by block."""

    def __init__(self, journeys: Journeys, clock: PeriodClock, cohort: str, *, recurring: bool) -> None:
        """`cohort` : the calendar period that cohorts are made of."""
        self._clock, self._recurring = clock, recurring
        self._read, self._cohort = clock.reader(journeys), numbers_of(journeys, cohort, clock.zone).at

    def members(self, block: StepBlock) -> Members:
        """Who enters in the steps that count: each user once, or, where they recur, once per cohort."""
        journeys, entries, users = block.journeys, block.step, _Users.of(block.journeys)
        new = users.begin(entries)
        if self._recurring:
            new |= changes(self._cohort(at_steps(journeys.coded.time, entries)))
        rows = np.flatnonzero(new)
        step = take(entries, rows)
        user, time = np.searchsorted(users.first, step, side="right") - 1, take(journeys.coded.time, step)
        return Members(
            step=step,
            time=time,
            group=take(block.group, rows),
            user=user,
            fold=take(users.fold, user),
            cohort=self._cohort(time).astype(np.int64),
            begins=self._read(time).astype(np.int64),
        )

    def returns(self, journeys: Journeys, coming: Ints, members: Members) -> Returns:
        """What the steps at `coming` are to the members."""
        users, scale = _Users.of(journeys), self._read(at_steps(journeys.coded.time, coming))
        low, own = users.place(coming, members.step + 1), users.place(coming, members.step)
        high = take(users.place(coming, np.append(users.first[1:], users.n_steps)), members.user)
        begins, (paid, paid_before) = np.arange(len(coming) + 1), _paid(journeys, coming, members, own, low > own)
        if self._clock.calendar:
            new = users.begin(coming)
            new |= changes(scale)
            begins = np.append(np.flatnonzero(new), len(coming))
            before = np.concatenate(([0], np.cumsum(new)))  # places before each return
            # The first return after the entry may lie in the entry's own period, which began earlier.
            low = np.where(low < high, take(before, np.minimum(low + 1, high)) - 1, take(before, high))
            high = take(before, high)
        return Returns(
            scale=np.append(scale, 0)[begins],
            low=low,
            high=high,
            paid=None if paid is None else take(paid, begins),
            own=paid_before,
        )

    def following(self, came: Returns, here: Ints, until: Ints) -> Ints:
        """For each member the first place from `here` on that is not before `until`, one period later."""
        if self._clock.calendar:  # one place at most is before it
            return here + ((here < came.high) & (take(came.scale, here) < until))
        return first_at_or_after(came.scale, here, came.high, until)


@dataclass(frozen=True, slots=True)
class _Users:
    """The users of a block: their first steps, of `n_steps`, and folds."""

    first: Ints
    fold: npt.NDArray[np.uint8]
    n_steps: int

    @classmethod
    def of(cls, journeys: Journeys) -> _Users:
        new = np.flatnonzero(changes(journeys.heads.user))
        fold = take(journeys.folds, take(journeys.heads.user, new))
        return cls(take(journeys.offsets, new), fold, len(journeys.coded))

    def place(self, steps: Ints, wanted: Ints) -> Ints:
        """Which of `steps` is the first that is not before each that is wanted."""
        return wanted if len(steps) == self.n_steps else np.searchsorted(steps, wanted)

    def begin(self, steps: Ints) -> Bools:
        """Which of `steps` are the first of a user."""
        new, at = np.zeros(len(steps), dtype=bool), self.place(steps, self.first)
        new[at[at < len(steps)]] = True
        return new


def _paid(journeys: Journeys, coming: Ints, members: Members, own: Ints, returned: Bools) -> tuple[Ints | None, Ints]:
    """`Returns.paid`, before each return and after all of them, and `Returns.own`.

    Parameters
    ----------
    own : for each member, how many returns came before its entry.
    returned : whether the entry is a return itself.
    """
    if "value" not in journeys.coded.numbers:
        return None, own
    value = journeys.coded.numbers["value"]
    of_return, of_entry = _known(at_steps(value, coming)), _known(take(value, members.step))
    if not (any_sum_fits(of_return) and any_sum_fits(of_entry)):
        check_amounts("value", np.abs(_known(value)), _Users.of(journeys).first, "user")
    paid = np.concatenate(([0], np.cumsum(of_return)))  # may wrap; the differences that are asked for do not
    return paid, take(paid, own) - np.where(returned, 0, of_entry)


def _known(amounts: Ints) -> Ints:
    return np.where(amounts == MISSING, 0, amounts)


def first_at_or_after(values: npt.NDArray[np.integer], low: Ints, high: Ints, wanted: Ints) -> Ints:
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
