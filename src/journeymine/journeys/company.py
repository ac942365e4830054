"""What the company did (mail sent, ad shown): kept beside the steps, never a step itself.

A company touch never starts, extends or ends a journey and counts for no gap. It is attached to the journey that it
falls into; else to the same user's next journey when that starts within `idle`; else to the one before when that ended
within `idle`; else to none, and is counted as outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from journeymine.events.coded import Coded
from journeymine.events.order import OrderedEvents
from journeymine.journeys.facts import Facts
from journeymine.parallel import take
from journeymine.stretches import search_stretches

if TYPE_CHECKING:
    from journeymine.journeys.journeys import Journeys

__all__ = ["CompanyEvents", "CompanyTouches", "attach_company", "split_company"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CompanyTouches:
    """Touches by the company, sorted by journey and time.

    Attributes
    ----------
    journey : index of the journey each is attached to.
    time : µs.
    labels, numbers : as of steps.
    n_outside : touches near no journey of their user, or of users without a step of their own.
    """

    journey: Ints
    time: Ints
    labels: Mapping[str, Coded]
    numbers: Mapping[str, Ints]
    n_outside: int = 0

    @classmethod
    def none(cls) -> CompanyTouches:
        """No touch at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), {}, {})

    def __len__(self) -> int:
        return len(self.journey)

    def take(self, rows: Any, journey: Ints, n_outside: int = 0) -> CompanyTouches:
        """Some of the touches, with their journeys numbered anew."""
        labels = {name: Coded(coded.codes[rows], coded.labels) for name, coded in self.labels.items()}
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        return CompanyTouches(journey, self.time[rows], labels, numbers, n_outside)

    def of_range(self, low: int, high: int) -> CompanyTouches:
        """The touches of journeys low … high - 1, numbered from 0."""
        a, b = np.searchsorted(self.journey, [low, high])
        return self.take(slice(int(a), int(b)), self.journey[a:b] - low)

    def of_journeys(self, kept: Ints) -> CompanyTouches:
        """The touches of the journeys named by the sorted indices `kept`, numbered by position in it."""
        if not len(self) or not len(kept):
            return self.take(slice(0, 0), self.journey[:0])
        position = np.searchsorted(kept, self.journey)
        found = np.flatnonzero(kept[np.minimum(position, len(kept) - 1)] == self.journey)
        return self.take(found, position[found])


@dataclass(frozen=True, slots=True)
class CompanyEvents:
    """What the company did, set apart from what its customers did.

    Attributes
    ----------
    events : user by user, in time order.
    user : of each, as a place among the users with events of their own; -1 where there is none.
    """

    events: OrderedEvents
    user: Ints


def split_company(events: OrderedEvents, facts: Facts) -> tuple[OrderedEvents, CompanyEvents | None]:
    """The customers' own events, and the company's; None when the stage map declares none."""
    if not facts.by_company.any():
        return events, None
    theirs = take(facts.by_company, facts.pairs(events.labels))
    if not theirs.any():
        return events, None
    own = np.concatenate(([0], np.cumsum(~theirs, dtype=np.int64)))[events.offsets]
    stays = own[1:] > own[:-1]
    place = np.where(stays, np.cumsum(stays) - 1, -1)
    user = take(place, take(events.user_of_step, np.flatnonzero(theirs)))
    return events.keep(~theirs), CompanyEvents(events.keep(theirs), user)


def attach_company(journeys: Journeys, touches: CompanyEvents, facts: Facts) -> CompanyTouches:
    """Find the journey of each touch. A user's come in time order, and so do their journeys."""
    events = touches.events
    journey = _nearest(touches.user, events.time, journeys)
    inside = np.flatnonzero(journey >= 0)
    everything = CompanyTouches(journey, events.time, facts.add_to(events.labels), events.numbers)
    return everything.take(inside, take(journey, inside), len(events) - len(inside))


def _nearest(user: Ints, time: Ints, journeys: Journeys) -> Ints:
    """The journey that each touch falls into or is near to; -1 where there is none."""
    heads, idle = journeys.heads, journeys.rules.idle_us
    n, nearest = len(heads), np.full(len(user), -1, dtype=np.int64)
    known = np.flatnonzero(user >= 0)
    if not len(known):
        return nearest
    user, time = take(user, known), take(time, known)
    before = _last_started(user, time, journeys)
    after = before + 1
    has_before = take(heads.user, np.maximum(before, 0)) == user
    has_before &= before >= 0
    has_after = take(heads.user, np.minimum(after, n - 1)) == user
    has_after &= after < n
    ended, starts = take(heads.end, np.maximum(before, 0)), take(heads.start, np.minimum(after, n - 1))
    leads = has_after & (starts - time <= idle) & ~(has_before & (time <= ended))
    trails = has_before & (time - ended <= idle)
    nearest[known] = np.where(leads, after, np.where(trails, before, -1))
    return nearest


def _last_started(user: Ints, time: Ints, journeys: Journeys) -> Ints:
    """The last journey up to that of each user that started by then, or of users before."""
    begins = np.concatenate(([0], np.cumsum(np.bincount(journeys.heads.user, minlength=len(journeys.users)))))
    return search_stretches(journeys.heads.start, take(begins, user), take(begins, user + 1), time, side="right") - 1
