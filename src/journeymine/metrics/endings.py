"""Which journeys are certainly over, and which may still go on after the log ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.columns import MISSING
from journeymine.journeys.heads import CONVERTED, LOST
from journeymine.journeys.journeys import Journeys

__all__ = ["still_running"]


def still_running(journeys: Journeys) -> npt.NDArray[np.bool_]:
    """Journeys that a later event of their user could still extend.

    A journey is over when another journey of its user follows, when its user was silent for longer than `idle` before
    `observed_until`, or, unless `split` is given, when a `lost_at` touchpoint or a goal without after-sale part ended
    it.
    """
    heads, rules = journeys.heads, journeys.rules
    over = (heads.next_start != MISSING) | (heads.end < journeys.context.observed_until - rules.idle_us)
    if rules.split is None:
        over |= heads.status == LOST
        if rules.after_goal == "cut" or not journeys.stages:
            over |= heads.status == CONVERTED
    return np.asarray(~over, dtype=bool)
