"""Where one journey ends and the next begins: a handful of passes over integers, no loop over users.

After the goal of a journey with stages comes its after-sale part, so whether a step begins a new journey depends on
what came before it. That looks like a state machine, but its state is decided by the *last* of three things seen: a
goal, a step of an earlier stage, or the beginning of a run. So it is a forward fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CutRules", "Cuts", "cut_journeys"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CutRules:
    """What the cutting needs to know of the rules; lengths in µs."""

    idle: int
    session_gap: int
    by: str
    """``"attempt"`` (idle and goal), ``"user"``, ``"session"`` or ``"column"``."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Flags per step: the first step of a journey, and the first step of a session."""

    journey: Bools
    session: Bools


def cut_journeys(
    time: Ints,
    new_user: Bools,
    rules: CutRules,
    *,
    goal: Bools | None = None,
    lost: Bools | None = None,
    earlier: Bools | None = None,
    column: npt.NDArray[np.unsignedinteger] | None = None,
) -> Cuts:
    """Flag the first step of each journey and of each session.

    Parameters
    ----------
    time : µs, sorted inside each user.
    new_user : first step of each user.
    goal, lost : steps that reach the goal, and steps that end a journey as lost; None when there are none.
    earlier : steps whose stage lies before the goal's; None when the goal ends its journey at once.
    column : codes whose change cuts, where ``rules.by == "column"``.
    """
    gap = np.empty(len(time), dtype=np.int64)
    gap[:1] = 0
    np.subtract(time[1:], time[:-1], out=gap[1:])
    new_session = gap > rules.session_gap
    if rules.by == "user":
        start = new_user.copy()
    elif rules.by == "session":
        start = new_user | new_session
    elif rules.by == "column" and column is not None:
        start = new_user.copy()
        start[1:] |= column[1:] != column[:-1]
    else:
        start = new_user | (gap > rules.idle)
        start = _cut_attempts(start, goal, lost, earlier)
    return Cuts(start, new_session | start)


def _cut_attempts(run: Bools, goal: Bools | None, lost: Bools | None, earlier: Bools | None) -> Bools:
    """Add the cuts at goals and losses to those between runs."""
    start = run.copy()
    if goal is None:
        if lost is not None:
            start[1:] |= lost[:-1]
        return start
    if earlier is None:
        ends = goal if lost is None else goal | lost
        start[1:] |= ends[:-1]
        return start
    begins = earlier & ~goal if lost is None else earlier & ~goal & ~lost
    decides = np.flatnonzero(run | goal | begins)
    # after[i]: step i lies in an after-sale part, the goal itself included.
    span = np.diff(np.append(decides, len(run)))
    after = np.repeat(goal[decides], span)
    before_me = np.zeros(len(run), dtype=bool)
    before_me[1:] = after[:-1] & ~run[1:]
    start |= begins & before_me
    if lost is not None:
        start[1:] |= (lost & ~after)[:-1]
    return start
