"""One world: people, attempts, what happened in them and how they ended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from journeymine.retailer.blueprint import FIRST_DAY, Facts, Retailer, fault_monday
from journeymine.retailer.draws import Bools, Draws, Ints
from journeymine.retailer.labels import Labels, draw_labels
from journeymine.retailer.outcomes import Outcomes, decide
from journeymine.retailer.people import Attempts, People, draw_attempts, draw_people, starts
from journeymine.retailer.timeline import (
    AFTER_SALE,
    BASKET,
    CONSIDERATION,
    ERRORS,
    EXTRAS,
    HELP,
    ORDER,
    RETARGETING,
    Timeline,
    draw_timeline,
)

__all__ = ["DAY_S", "FIRST_SECOND", "World", "simulate"]

DAY_S = 86_400

FIRST_SECOND = int(dt.datetime.combine(FIRST_DAY, dt.time(), tzinfo=dt.UTC).timestamp())
"""The log's first midnight, UTC, in seconds since 1970."""

_SUMMER_BEGINS, _SUMMER_ENDS = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
"""Summer time in Berlin in the year of the log."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was drawn for one retailer with one set of facts; time in seconds UTC from the first midnight."""

    retailer: Retailer
    facts: Facts
    people: People
    attempts: Attempts
    timeline: Timeline
    labels: Labels
    outcomes: Outcomes
    utc_s: Ints
    """Time of each slot."""
    happens: Bools
    """Slots that really happen, in the log's window or outside of it."""


def simulate(retailer: Retailer, facts: Facts) -> World:
    """Simulate one world; two worlds of one retailer differ only by their facts."""
    draws = Draws(retailer.seed)
    people = draw_people(draws, retailer.users)
    attempts = draw_attempts(draws, retailer.users)
    timeline = draw_timeline(draws, len(attempts.person))
    start_s = starts(draws, attempts, timeline.length_s, retailer)
    local_s = start_s[:, None] + timeline.after_s
    labels = draw_labels(draws, people, attempts, timeline, local_s, retargeting_last=facts.overrated_channel)
    week = local_s[:, BASKET] // DAY_S - fault_monday(retailer.days)
    outcomes = decide(draws, people, attempts, timeline, labels, facts, (week >= 0) & (week < 7))
    return World(
        retailer,
        facts,
        people,
        attempts,
        timeline,
        labels,
        outcomes,
        utc_s=local_s - _offset_s(start_s)[:, None],
        happens=_what_happens(timeline, labels, outcomes),
    )


def _offset_s(start_s: Ints) -> Ints:
    """Seconds Berlin is ahead of UTC when the attempt starts; kept through the attempt, so that no hour is lost."""
    day = start_s // DAY_S
    summer = (day >= (_SUMMER_BEGINS - FIRST_DAY).days) & (day < (_SUMMER_ENDS - FIRST_DAY).days)
    return np.where(summer, 7200, 3600)


def _what_happens(timeline: Timeline, labels: Labels, outcomes: Outcomes) -> Bools:
    happens = timeline.present & labels.possible
    step = np.arange(CONSIDERATION.stop - CONSIDERATION.start)
    happens[:, CONSIDERATION] &= step < outcomes.n_considered[:, None]
    happens[:, BASKET] = outcomes.checks_out
    happens[:, EXTRAS] &= outcomes.checks_out[:, None]
    happens[:, ERRORS.start], happens[:, ERRORS.stop - 1] = outcomes.hit, outcomes.second_error
    happens[:, HELP], happens[:, RETARGETING] = outcomes.calls_for_help, outcomes.sees_retargeting
    happens[:, ORDER] = outcomes.orders
    happens[:, AFTER_SALE] &= outcomes.orders[:, None]
    return happens
