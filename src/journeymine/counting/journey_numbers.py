"""What is known of a journey as one number, so that one look-up tells a sorted row all of it.

In the lowest bits stand six facts that the asker chooses, then the fold, the user and the journey: numbers of different
journeys are different, and those of one user differ from another's where `user_of` does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["FACTS", "facts_of", "fold_of", "journey_numbers", "journey_of", "others", "user_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
FACTS = 1 << 6
"""Facts are below it."""
_FOLD, _USER, _JOURNEY = 6, 12, 36
_USERS = (1 << (_JOURNEY - _USER)) - 1


def journey_numbers(journeys: Journeys, facts: npt.NDArray[np.uint8]) -> Ints:
    """The numbers of the journeys of a block, of up to 16 million users, given facts about each."""
    assert len(journeys.users) <= _USERS, "blocks are smaller"
    user = journeys.heads.user
    known = np.arange(len(user)) << (_JOURNEY - _USER)
    known |= user
    known <<= _USER - _FOLD
    known |= take(journeys.folds, user)
    known <<= _FOLD
    known |= facts
    return known


def others(known: Ints) -> tuple[Bools, Bools]:
    """Where another journey follows, and another user; both true for the first."""
    journey, user = np.ones(len(known), dtype=bool), np.ones(len(known), dtype=bool)
    apart = known[1:] ^ known[:-1]
    np.greater_equal(apart, 1 << _JOURNEY, out=journey[1:])
    apart &= _USERS << _USER
    np.not_equal(apart, 0, out=user[1:])
    return journey, user


def journey_of(known: Ints) -> Ints:
    """The journey of each number."""
    return known >> _JOURNEY


def user_of(known: Ints) -> npt.NDArray[np.uint32]:
    """The user of each number."""
    return (known >> _USER).astype(np.uint32) & np.uint32(
        _USERS
    )  # what is narrow early is passed over in half the time


def fold_of(known: Ints) -> npt.NDArray[np.uint8]:
    """The fold of each number."""
    return (known.astype(np.uint16) >> np.uint16(_FOLD)).astype(np.uint8) & np.uint8(FOLDS - 1)


def facts_of(known: Ints) -> npt.NDArray[np.uint8]:
    """The facts of each number."""
    return known.astype(np.uint8) & np.uint8(FACTS - 1)
