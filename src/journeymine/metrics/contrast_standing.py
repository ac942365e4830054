"""Where a journey stands at a step, as one small number: the stage, the fold of its user, and what became of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.stats.folds import FOLDS

__all__ = [
    "FATES",
    "IMMATURE",
    "IN_STAGE",
    "KINDS",
    "LEFT",
    "MATURE",
    "NEWLY_WON",
    "NEW_USER",
    "WON",
    "Standings",
    "fate_of",
    "fold_of",
    "left_out",
    "standing_of",
    "without_users",
]

Standings = npt.NDArray[np.unsignedinteger]
"""(Stage × `FOLDS` + fold) × `KINDS` + kind."""
FATES = 4
"""Not old enough to tell; none of the following; converted; lost at the step in question."""
IMMATURE, MATURE, WON, LEFT = range(FATES)
KINDS = 8
"""A journey's fate, and `NEW_USER` more where it is the first mature one of its user in its cell; or `NEWLY_WON`."""
NEW_USER = 4
NEWLY_WON = NEW_USER + IMMATURE
"""Converted, the first of its user's in its cell that is, but not the first; no immature journey is the first mature one."""


IN_STAGE = FOLDS * KINDS
"""So many standings there are in a stage."""


def standing_of(fold: npt.NDArray[np.uint8], fate: npt.NDArray[np.uint8], n_stages: int) -> Standings:
    """How each journey stands in the first of the stages, as a number with room for all of them."""
    standing: Standings = fold.astype(np.uint16 if n_stages * IN_STAGE <= 1 << 16 else np.uint32)
    standing *= KINDS
    standing += fate
    return standing


def fate_of(standing: Standings) -> npt.NDArray[np.uint8]:
    """What became of each journey, where it is not told whose is the first."""
    return standing.astype(np.uint8) & np.uint8(FATES - 1)


def left_out(standing: Standings) -> Standings:
    """The same as if the journeys were not old enough to tell what became of them."""
    return np.asarray(standing // KINDS * KINDS)


def without_users(standing: Standings) -> Standings:
    """The same where kinds are fates alone: half as many."""
    return np.asarray(standing // KINDS * FATES + standing % FATES)


def fold_of(standing: Standings) -> npt.NDArray[np.uint8]:
    """The fold of each journey's user."""
    return (standing // KINDS).astype(np.uint8) % np.uint8(FOLDS)
