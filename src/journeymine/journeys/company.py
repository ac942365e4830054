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
import polars as pl

from journeymine.events.coded import Coded
from journeymine.events.order import OrderedEvents
from journeymine.journeys.facts import Facts
from journeymine.parallel import take

if TYPE_CHECKING:
    from journeymine.journeys.journeys import Journeys

__all__ = ["CompanyTouches", "attach_company", "split_company"]

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


def split_company(events: OrderedEvents, facts: Facts) -> tuple[OrderedEvents, OrderedEvents | None]:
    """The customers' own events, and the company's; None when the stage map declares none."""
    if not facts.by_company.any():
        return events, None
    theirs = take(facts.by_company, facts.pairs(events.labels))
    if not theirs.any():
        return events, None
    return events.keep(~theirs), events.keep(theirs)


def attach_company(journeys: Journeys, touches: OrderedEvents, facts: Facts) -> CompanyTouches:
    """Find the journey of each touch."""
    users = pl.DataFrame({"user": journeys.users}).with_row_index("u")
    found = touches.users.to_frame("user").join(users, on="user", how="left", maintain_order="left")["u"]
    user = found.cast(pl.Int64).fill_null(-1).to_numpy().take(touches.user_of_step)
    journey = _nearest(user, touches.time, journeys)
    inside = np.flatnonzero(journey >= 0)
    inside = inside[np.lexsort((touches.row[inside], touches.time[inside], journey[inside]))]
    labels = facts.add_to(touches.labels)
    everything = CompanyTouches(journey, touches.time, labels, touches.numbers)
    return everything.take(inside, journey[inside], len(touches) - len(inside))


def _nearest(user: Ints, time: Ints, journeys: Journeys) -> Ints:
    heads, idle = journeys.heads, journeys.rules.idle_us
    n, m = len(heads), len(user)
    if not n:
        return np.full(m, -1, dtype=np.int64)
    # Merge journeys and touches by (user, time); a journey that starts at the same instant comes first.
    order = np.lexsort(
        (np.repeat([0, 1], [n, m]), np.concatenate((heads.start, time)), np.concatenate((heads.user, user)))
    )
    seen = np.empty(n + m, dtype=np.int64)
    seen[order] = np.cumsum(order < n)
    before = seen[n:] - 1
    after = before + 1
    has_before = (before >= 0) & (heads.user[np.maximum(before, 0)] == user)
    has_after = (after < n) & (heads.user[np.minimum(after, n - 1)] == user)
    ended = heads.end[np.maximum(before, 0)]
    starts = heads.start[np.minimum(after, n - 1)]
    within = has_before & (time <= ended)
    leads = has_after & (starts - time <= idle)
    trails = has_before & (time - ended <= idle)
    return np.select([within, leads, trails], [before, after, before], default=-1)
