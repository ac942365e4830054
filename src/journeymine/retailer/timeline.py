"""When the steps of an attempt happen, if it goes all the way.

Every attempt has the same row of slots, in order of time; `present` says which of them are used. Whether the attempt
really goes all the way is decided elsewhere, without a look at anything drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from journeymine.retailer.draws import Bools, Draws, Ints, failures_before_stop, waiting

__all__ = [
    "AFTER_SALE",
    "AWARENESS",
    "BASKET",
    "CONSIDERATION",
    "ERRORS",
    "EXTRAS",
    "HELP",
    "N_SLOTS",
    "ORDER",
    "RETARGETING",
    "Timeline",
    "draw_timeline",
]

AWARENESS = slice(0, 6)
CONSIDERATION = slice(6, 20)
BASKET = 20
EXTRAS = slice(21, 29)
ERRORS = slice(29, 31)
HELP = 31
RETARGETING = 32
ORDER = 33
AFTER_SALE = slice(34, 42)
N_SLOTS = 42

_KEEP_AWARE, _KEEP_CONSIDERING, _KEEP_EXTRA = 0.45, 0.66, 0.5
"""Chances of one more step. They are constant, so that having come far in a stage says nothing about how it ends."""

_NEW_SESSION, _NEW_SESSION_CONSIDERING = 0.4, 0.55
_DAYS_BETWEEN_SESSIONS = 0.6
_MOST_DAYS = 12

_MOST_DAYS_AFTER_SALE = 3
"""Eight steps after the sale, of which all but the last may not happen: together they stay within 30 days."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Slots of all attempts; every array has the shape (attempts, slots) but the counts."""

    present: Bools
    """Slots used on the whole way, without those that a planted fact decides."""
    after_s: Ints
    """Seconds since the attempt began."""
    new_session: Bools
    """The step opens a new session, a day or more later."""
    n_aware: Ints
    n_considering: Ints

    @property
    def length_s(self) -> Ints:
        """Seconds the whole way takes."""
        return self.after_s[:, -1]


def draw_timeline(draws: Draws, n: int) -> Timeline:
    """Draw how many steps each stage has and how long they are apart."""
    n_aware = 1 + failures_before_stop(draws.uniform("aware", n), _KEEP_AWARE, 5)
    n_considering = 1 + failures_before_stop(draws.uniform("considering", n), _KEEP_CONSIDERING, 13)
    n_extras = failures_before_stop(draws.uniform("extras", n), _KEEP_EXTRA, 8)
    slot = np.arange(N_SLOTS)
    present = np.zeros((n, N_SLOTS), dtype=np.bool_)
    for stage, count in ((AWARENESS, n_aware), (CONSIDERATION, n_considering), (EXTRAS, n_extras)):
        present[:, stage] = slot[: stage.stop - stage.start] < count[:, None]
    present[:, [BASKET, ORDER]] = True
    present[:, AFTER_SALE] = draws.uniform("after sale", n, 8) < np.array(
        [0.97, 0.12, 0.05, 0.13, 0.4, 0.3, 0.14, 0.06]
    )
    new_session = draws.uniform("new session", n, N_SLOTS) < _session_chance()
    # Slots of planted facts take their minutes whether used or not: a fact shifts no other step.
    passes = present | ((slot >= ERRORS.start) & (slot <= RETARGETING))
    passes[:, 0] = False
    gap_s = np.where(new_session, _gap_between_sessions_s(draws, n), _gap_inside_session_s(draws, n))
    return Timeline(
        present=present,
        after_s=np.cumsum(np.where(passes, gap_s, 0), axis=1),
        new_session=new_session & passes,
        n_aware=n_aware,
        n_considering=n_considering,
    )


def _session_chance() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    chance = np.zeros(N_SLOTS)
    chance[AWARENESS], chance[CONSIDERATION], chance[BASKET] = _NEW_SESSION, _NEW_SESSION_CONSIDERING, _NEW_SESSION
    chance[AFTER_SALE] = 1.0
    return chance


def _gap_inside_session_s(draws: Draws, n: int) -> Ints:
    return waiting(draws.uniform("pause", n, N_SLOTS), 200, least=15, most=1500)


def _gap_between_sessions_s(draws: Draws, n: int) -> Ints:
    """Whole days, give or take 40 minutes: people have their hour, and the gap does not depend on it."""
    days = 1 + failures_before_stop(draws.uniform("days", n, N_SLOTS), _DAYS_BETWEEN_SESSIONS, _MOST_DAYS)
    days[:, AFTER_SALE] = np.minimum(days[:, AFTER_SALE], _MOST_DAYS_AFTER_SALE)
    return days * 86_400 + ((draws.uniform("jitter", n, N_SLOTS) - 0.5) * 4800).astype(np.int64)
