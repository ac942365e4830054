"""One row per journey, as arrays: everything that is known of a journey without reading its steps again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.stats.folds import FOLDS

__all__ = ["CONVERTED", "ENDED", "LOST", "OPEN", "SERVICE", "STATUSES", "Heads"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STATUSES = ("converted", "lost", "open", "service", "ended")
"""Labels of the status codes."""
CONVERTED, LOST, OPEN, SERVICE, ENDED = range(len(STATUSES))
_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
"""The odd factors of SplitMix64 (Steele, Lea and Flood 2014)."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Arrays of one entry per journey, journeys of a user together and in order of time.

    Attributes
    ----------
    user : index into the users, each of whom has a journey.
    start, end : µs of the first and the last step.
    goal_step : the converting step, counted from 0 within the journey; -1 without one.
    nth : which journey of its user it is, from 1.
    prior_goals : converted journeys of the same user before it.
    next_start : µs, start of the same user's next journey; `MISSING` without one.
    n_sessions : sessions in it.
    status : code into `STATUSES`.
    mature : started long enough before `observed_until` for its share to be a headline.
    left_truncated : begins so near the log's start that steps before it may be missing.
    value, cost : micro-units; 0 where the log has none.
    """

    user: Ints
    start: Ints
    end: Ints
    goal_step: Ints
    nth: Ints
    prior_goals: Ints
    next_start: Ints
    n_sessions: Ints
    status: npt.NDArray[np.uint8]
    mature: Bools
    left_truncated: Bools
    value: Ints
    cost: Ints

    def __len__(self) -> int:
        return len(self.user)

    def take(self, which: Any) -> Heads:
        """The journeys that `which` (a slice, a mask or indices) names."""
        return Heads(**{each.name: getattr(self, each.name)[which] for each in fields(self)})

    def replace(self, **arrays: npt.NDArray[Any]) -> Heads:
        """The same with some arrays exchanged."""
        return Heads(**{each.name: arrays.get(each.name, getattr(self, each.name)) for each in fields(self)})

    def checksum(self, folds: npt.NDArray[np.uint8]) -> str:
        """Which journeys these are, whichever way they were come by: a number for each, added up.

        Parameters
        ----------
        folds : of the users.
        """
        mixed = self.start.view(np.uint64) * _MIX[0]
        for part, factor in ((self.end, _MIX[1]), (self.nth * FOLDS + folds[self.user], _MIX[2])):
            mixed ^= mixed >> np.uint64(31)  # or equal journeys would cancel out
            mixed += part.view(np.uint64) * factor
        mixed ^= mixed >> np.uint64(29)
        mixed *= _MIX[0]
        return f"{len(self)}-{int(mixed.sum(dtype=np.uint64)):016x}"

    @classmethod
    def empty(cls, n: int) -> Heads:
        """Room for `n` journeys."""
        kinds = {"status": np.uint8, "mature": np.bool_, "left_truncated": np.bool_}
        return cls(**{each.name: np.empty(n, dtype=kinds.get(each.name, np.int64)) for each in fields(cls)})

    def put(self, there: slice, part: Heads) -> None:
        """Write a part into its place."""
        for each in fields(Heads):
            getattr(self, each.name)[there] = getattr(part, each.name)
