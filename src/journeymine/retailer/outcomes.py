"""How each attempt ends.

In every stage a coin says whether the attempt goes on. Its chance depends on the person and, for the planted retailer
alone, on the facts. The coins are the same in every world, so a journey that ends differently does so by a fact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from journeymine.retailer.blueprint import CHANNEL_CODE, Facts
from journeymine.retailer.draws import Bools, Draws, Floats, Ints
from journeymine.retailer.labels import Labels
from journeymine.retailer.people import Attempts, People
from journeymine.retailer.timeline import AWARENESS, CONSIDERATION, HELP, Timeline

__all__ = ["NULL_ONWARD", "ONWARD_BY_PERSON", "Outcomes", "decide", "first_handover"]

NULL_ONWARD = 0.6
"""Chance to go on from any stage, nothing planted."""

ONWARD_BY_PERSON = 0.08
"""A keen person's chance is higher by this, that of the others lower."""

_AWARE, _AWARE_EMAIL, _AWARE_PAID_SEARCH = 0.72, 0.12, 0.07
_CONSIDERED, _CONSIDERED_ON_WEB, _CHECKOUT = 0.60, 0.34, 0.66
_LEAVES_AT_HANDOVER = 0.23
_HIT_BY_FAULT, _GIVES_UP_WHEN_HIT, _CALLS_WHEN_HIT = 0.9, 0.75, 0.85
_SEES_RETARGETING = 0.4


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Ends of all attempts, as they would be if nobody ever stopped watching."""

    considers: Bools
    checks_out: Bools
    orders: Bools
    n_considered: Ints
    """Steps of consideration really taken; 0 where it was not reached."""
    crosses: Bools
    """Comes from an e-mail to a store, one step after the other."""
    leaves_at_handover: Bools
    """The handover made it leave."""
    hit: Bools
    """Met the payment error of the fault's week."""
    second_error: Bools
    calls_for_help: Bools
    sees_retargeting: Bools
    closes_account: Bools


def decide(
    draws: Draws,
    people: People,
    attempts: Attempts,
    timeline: Timeline,
    labels: Labels,
    facts: Facts,
    in_fault_week: Bools,
) -> Outcomes:
    """Decide every attempt; `in_fault_week` says whose basket was filled in that week."""
    n = len(attempts.person)
    lean = np.where(people.keen[attempts.person], ONWARD_BY_PERSON, -ONWARD_BY_PERSON)
    chance = _chances(timeline, labels, facts)
    coin = draws.uniform("onward", n, 3)
    goes_on = [coin[:, stage] < chance[stage] + lean for stage in range(3)]

    considers = goes_on[0]
    arrives, at_step = first_handover(timeline, labels)
    crosses = considers & arrives
    leaves = crosses & (draws.uniform("handover", n) < _LEAVES_AT_HANDOVER) & facts.leaking_handover
    n_considered = np.where(leaves, at_step + 1, timeline.n_considering) * considers

    checks_out = considers & ~leaves & goes_on[1]
    in_app = labels.basket_channel == CHANNEL_CODE["app"]
    hit = checks_out & in_app & in_fault_week & (draws.uniform("hit", n) < _HIT_BY_FAULT) & facts.app_fault
    gives_up = hit & (draws.uniform("gives up", n) < _GIVES_UP_WHEN_HIT)
    orders = checks_out & goes_on[2] & ~gives_up
    in_store = labels.basket_channel == CHANNEL_CODE["store"]
    sees = checks_out & ~in_store & (draws.uniform("retargeting", n) < _SEES_RETARGETING) & facts.overrated_channel
    return Outcomes(
        considers=considers,
        checks_out=checks_out,
        orders=orders,
        n_considered=n_considered,
        crosses=crosses,
        leaves_at_handover=leaves,
        hit=hit,
        second_error=hit & (draws.uniform("second error", n) < 0.5),
        calls_for_help=hit & labels.calls_answered[:, HELP] & (draws.uniform("calls", n) < _CALLS_WHEN_HIT),
        sees_retargeting=sees,
        closes_account=_closings(draws, people, attempts, considers & ~checks_out),
    )


def _chances(timeline: Timeline, labels: Labels, facts: Facts) -> tuple[Floats, Floats, Floats]:
    """Chances to go on from awareness, consideration and purchase."""
    n = len(timeline.n_aware)
    if not facts.any:
        return (np.full(n, NULL_ONWARD),) * 3
    seen = timeline.present[:, AWARENESS]
    aware = labels.channel[:, AWARENESS]
    by_email = (seen & (aware == CHANNEL_CODE["email"])).any(axis=1) & facts.worth_of_email
    by_search = (seen & (aware == CHANNEL_CODE["paid_search"])).any(axis=1) & facts.worth_of_paid_search
    on_web = (labels.last_considered == CHANNEL_CODE["web"]) & facts.leaking_stage
    return (
        _AWARE + _AWARE_EMAIL * by_email + _AWARE_PAID_SEARCH * by_search,
        np.where(on_web, _CONSIDERED_ON_WEB, _CONSIDERED),
        np.full(n, _CHECKOUT),
    )


def first_handover(timeline: Timeline, labels: Labels) -> tuple[Bools, Ints]:
    """Whether a step in a store directly follows an e-mail, and which step of consideration it is."""
    channel, seen = labels.channel[:, CONSIDERATION], timeline.present[:, CONSIDERATION]
    n = len(channel)
    entered_from = labels.channel[np.arange(n), AWARENESS.start + timeline.n_aware - 1]
    before = np.concatenate([entered_from[:, None], channel[:, :-1]], axis=1)
    arrival = seen & (before == CHANNEL_CODE["email"]) & (channel == CHANNEL_CODE["store"])
    return arrival.any(axis=1), arrival.argmax(axis=1).astype(np.int64)


def _closings(draws: Draws, people: People, attempts: Attempts, gave_up: Bools) -> Bools:
    """Some who gave up close their account. Only a last attempt may end so: nobody is kept from coming back by it."""
    n = len(attempts.person)
    is_last = np.ones(n, dtype=np.bool_)
    is_last[:-1] = attempts.nth[1:] == 0
    return gave_up & is_last & people.known[attempts.person] & (draws.uniform("closes account", n) < 0.1)
