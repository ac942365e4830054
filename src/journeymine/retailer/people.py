"""The people, and when each of them sets out to buy something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from journeymine.retailer.blueprint import CHANNEL_CODE, Retailer
from journeymine.retailer.draws import Bools, Codes, Draws, Ints, chosen, failures_before_stop

__all__ = ["Attempts", "People", "draw_attempts", "draw_people", "starts"]

_HOUR_WEIGHTS = (1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 3, 4, 5, 5, 5, 5, 4.5, 4.5, 5, 6, 7, 8, 8.5, 7, 4.5, 2.2)
_WEEKDAY_WEIGHTS = (1.15, 1.0, 0.95, 0.95, 1.0, 1.3, 1.1)

_WARM_UP_WEEKS = 10
"""The shop was open before the log begins: some journeys are cut off at its start."""

_AT_REST_DAYS = 31
"""No two attempts of a person come nearer, so that a gap of more than 30 days always parts them."""


@dataclass(frozen=True, slots=True)
class People:
    """One entry per person."""

    known: Bools
    """Has a customer number; the others stay a cookie."""
    keen: Bools
    """Goes on more often, in every stage: what makes the journeys of one person alike."""
    home: Codes
    """The channel they prefer: web, app or store."""
    subscribed: Bools
    """Gets the newsletter."""
    remembered: Bools
    """Their browser keeps them logged in, mostly."""
    two_browsers: Bools
    """Their phone has a cookie of its own."""
    shares_browser: Bools
    """Uses the browser of the person before them."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """One entry per attempt to buy something, sorted by person."""

    person: Ints
    nth: Ints
    mobile: Bools
    tablet: Bools
    hour_s: Ints
    """The time of day at which this attempt happens, local, in seconds."""


def draw_people(draws: Draws, users: int) -> People:
    """Draw who they are; none of it depends on anything else."""
    known = draws.uniform("known", users) < 0.8
    shares = draws.uniform("shares browser", users) < 0.015
    shares[:1] = False
    owned = np.array([CHANNEL_CODE[name] for name in ("web", "app", "store")], dtype=np.int8)
    home = owned[chosen(draws.uniform("home", users), (0.40, 0.43, 0.17))]
    return People(
        known=known,
        keen=draws.uniform("keen", users) < 0.5,
        home=np.where(known, home, owned[0]),
        subscribed=known & (draws.uniform("subscribed", users) < 0.22),
        remembered=draws.uniform("remembered", users) < 0.9,
        two_browsers=known & (draws.uniform("two browsers", users) < 0.12),
        shares_browser=known & shares & np.roll(known, 1),
    )


def draw_attempts(draws: Draws, users: int) -> Attempts:
    """Draw how often each person sets out, on which device, and at which time of day."""
    n_attempts = 1 + failures_before_stop(draws.uniform("attempts", users), 0.75, 4)
    person = np.repeat(np.arange(users, dtype=np.int64), n_attempts)
    n = len(person)
    first = np.cumsum(n_attempts) - n_attempts
    device = chosen(draws.uniform("device", n), (0.45, 0.43, 0.12))
    hour = chosen(draws.uniform("hour", n), _HOUR_WEIGHTS).astype(np.int64)
    return Attempts(
        person=person,
        nth=np.arange(n, dtype=np.int64) - first[person],
        mobile=device == 1,
        tablet=device == 2,
        hour_s=hour * 3600 + (draws.uniform("minute", n) * 3600).astype(np.int64),
    )


def starts(draws: Draws, attempts: Attempts, length_s: Ints, retailer: Retailer) -> Ints:
    """Local start of each attempt, in seconds from the first midnight; may lie before it, or after the log's end.

    Parameters
    ----------
    length_s : how long each attempt would take if it went all the way. The next one waits for it even where the person
        gave up early, so that *when* somebody comes back says nothing about how the last attempt ended.
    """
    n = len(attempts.person)
    days = length_s // 86_400 + 2 + _AT_REST_DAYS + (20 * draws.uniform("rest", n)).astype(np.int64)
    weeks_to_next = -(-days // 7) + 1
    # Whole weeks since the person's first attempt: a running sum within each person.
    before = np.cumsum(weeks_to_next) - weeks_to_next
    is_first = attempts.nth == 0
    week = before - before[is_first][np.cumsum(is_first) - 1]
    span_weeks = _WARM_UP_WEEKS + -(-retailer.days // 7)
    first_week = (draws.uniform("first week", retailer.users) * span_weeks).astype(np.int64) - _WARM_UP_WEEKS
    weekday = chosen(draws.uniform("weekday", n), _WEEKDAY_WEIGHTS).astype(np.int64)
    day: Ints = 7 * (week + first_week[attempts.person]) + weekday
    return day * 86_400 + attempts.hour_s
