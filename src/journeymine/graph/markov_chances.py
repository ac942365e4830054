"""The chances that a chain gives, with limits inside 0–1."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.estimates import Number, SolvedShare
from journeymine.journeys.rules import JourneyRules

__all__ = ["chance_of"]

Floats = npt.NDArray[np.float64]


def chance_of(
    outcome: str, values: Floats, trials: npt.NDArray[Any] | None, rules: JourneyRules
) -> Number | SolvedShare:
    """The chance of an outcome, of shape [1 + K, rows]; NaN for a conversion without a goal.

    An outcome that cannot be by the rules has a chance of exactly 0, of which nothing is uncertain.
    """
    if outcome == "converted" and rules.goal is None:
        return Number(np.full_like(values, np.nan), trials)
    never = outcome == "ended" if rules.goal is not None else outcome == "lost" and rules.lost_at is None
    return Number(values, trials, least=0.0) if never else SolvedShare(values, trials)
