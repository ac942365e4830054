"""What was planted, in numbers.

What a fact cost is counted, not estimated: the same retailer is simulated once more with that fact switched off, and
the journeys that end differently are those it changed. All numbers are over mature journeys that begin in the log.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np

from journeymine.retailer.blueprint import CHANNEL_CODE, FIRST_DAY, STAGES, TOUCHPOINT_CODE, fault_monday
from journeymine.retailer.draws import Bools, Codes, Draws, Floats, Ints
from journeymine.retailer.figures import order_values, surveys
from journeymine.retailer.labels import Labels
from journeymine.retailer.outcomes import NULL_ONWARD, first_handover
from journeymine.retailer.simulate import World, simulate
from journeymine.retailer.timeline import CONSIDERATION
from journeymine.retailer.truth import is_mature

__all__ = ["planted_facts"]


def planted_facts(world: World) -> dict[str, Any]:
    """The facts of `world` as plain values, ready for JSON; money in EUR, shares from 0 to 1."""
    retailer, mature = world.retailer, is_mature(world)
    outcomes = world.outcomes
    head = {
        "seed": retailer.seed,
        "users": retailer.users,
        "days": retailer.days,
        "first_day": FIRST_DAY.isoformat(),
        "planted": world.facts.any,
        "mature_journeys": _count(mature),
        "mature_converted": _count(mature & outcomes.orders),
        "onward_share": _onward(world, mature),
    }
    if not world.facts.any:
        return {**head, "facts": {}, "chance_onward_from_every_stage": NULL_ONWARD}
    facts = {
        "app_checkout_fault": _app_fault(world, mature),
        "overrated_channel": _overrated(world, mature),
        "leaking_handover": _handover(world, mature),
        "leaking_stage": _leaking_stage(world, mature),
        "delivery_dip": _delivery_dip(world, mature),
    }
    return {**head, "facts": facts, "true_incremental_orders": _worth(world, mature)}


def _without(world: World, fact: str) -> World:
    return simulate(world.retailer, dataclasses.replace(world.facts, **{fact: False}))


def _cost_of(world: World, mature: Bools, fact: str) -> dict[str, Any]:
    """Orders and value that are there without the fact and not with it."""
    lost = mature & _without(world, fact).outcomes.orders & ~world.outcomes.orders
    return {"orders_lost": _count(lost), "value_lost": round(float(_values(world)[lost].sum()), 2)}


def _app_fault(world: World, mature: Bools) -> dict[str, Any]:
    outcomes, day = world.outcomes, fault_monday(world.retailer.days)
    monday = FIRST_DAY + dt.timedelta(days=day)
    year, week, _ = monday.isocalendar()
    hit = mature & outcomes.hit
    return {
        "week": f"{year}-W{week:02}",
        "from": monday.isoformat(),
        "until": (monday + dt.timedelta(days=7)).isoformat(),
        "timezone": "Europe/Berlin",
        "channel": "app",
        "stage": "purchase",
        "touchpoint": "app_payment_error",
        "then": "payment_help_called",
        "then_channel": "call_centre",
        "journeys_hit": _count(hit),
        "journeys_hit_that_called": _count(hit & outcomes.calls_for_help),
        "journeys_hit_that_ordered": _count(hit & outcomes.orders),
        **_cost_of(world, mature, "app_fault"),
    }


def _overrated(world: World, mature: Bools) -> dict[str, Any]:
    outcomes = world.outcomes
    saw, orders = mature & outcomes.sees_retargeting, mature & outcomes.orders
    in_store = world.labels.basket_channel == CHANNEL_CODE["store"]
    saw_not = mature & outcomes.checks_out & ~in_store & ~outcomes.sees_retargeting
    return {
        "channel": "retargeting",
        "touchpoint": "retargeting_ad_clicked",
        "journeys_reached": _count(saw),
        "orders_right_after_it": _count(saw & outcomes.orders),
        "share_of_orders_by_last_touch": _share(saw & outcomes.orders, orders),
        "online_checkouts_converted_with_it": _share(saw & outcomes.orders, saw),
        "online_checkouts_converted_without_it": _share(saw_not & outcomes.orders, saw_not),
        "true_incremental_orders": _cost_if_gone(world, mature, "overrated_channel"),
    }


def _handover(world: World, mature: Bools) -> dict[str, Any]:
    outcomes = world.outcomes
    _, arrival = first_handover(world.timeline, world.labels)
    crosses = mature & outcomes.crosses
    ends_there = crosses & ~outcomes.checks_out & (outcomes.n_considered == arrival + 1)
    return {
        "from_channel": "email",
        "to_channel": "store",
        "journeys_that_cross": _count(crosses),
        "lost_by_the_fault": _count(crosses & outcomes.leaves_at_handover),
        "lost_right_after_crossing": _count(ends_there),
        "share_lost_right_after_crossing": _share(ends_there, crosses),
        "share_lost_in_the_end": _share(crosses & ~outcomes.orders, crosses),
        **_cost_of(world, mature, "leaking_handover"),
    }


def _leaking_stage(world: World, mature: Bools) -> dict[str, Any]:
    outcomes = world.outcomes
    lost = mature & ~outcomes.orders
    here = lost & outcomes.considers & ~outcomes.checks_out
    channel = _last_considered(world.labels, outcomes.n_considered)
    on_web = channel == CHANNEL_CODE["web"]
    considered = mature & outcomes.considers
    return {
        "stage": "consideration",
        "channel": "web",
        "lost": _count(lost),
        "lost_by_stage": {
            "awareness": _count(lost & ~outcomes.considers),
            "consideration": _count(here),
            "purchase": _count(lost & outcomes.checks_out),
        },
        "lost_in_consideration_on_web": _count(here & on_web),
        "onward_from_web": _share(considered & on_web & outcomes.checks_out, considered & on_web),
        "onward_from_elsewhere": _share(considered & ~on_web & outcomes.checks_out, considered & ~on_web),
        **_cost_of(world, mature, "leaking_stage"),
    }


def _delivery_dip(world: World, mature: Bools) -> dict[str, Any]:
    survey = surveys(Draws(world.retailer.seed), world)
    asked = survey.asked & world.happens & mature[:, None]
    delivery = asked & (world.labels.touchpoint == TOUCHPOINT_CODE["parcel_delivered"])
    elsewhere = asked & ~delivery
    return {
        "touchpoint": "parcel_delivered",
        "stage": "retention",
        "scale": [1, 5],
        "asked": _count(delivery),
        "answered": _count(delivery & survey.answered),
        "mean_of_all": _mean(survey.score[delivery]),
        "mean_of_answers": _mean(survey.score[delivery & survey.answered]),
        "mean_elsewhere": _mean(survey.score[elsewhere]),
    }


def _worth(world: World, mature: Bools) -> dict[str, int]:
    """Orders that would be missing if a channel had no effect; what is not named here has none in truth."""
    facts = {"email": "worth_of_email", "paid_search": "worth_of_paid_search", "retargeting": "overrated_channel"}
    worth = {channel: _cost_if_gone(world, mature, fact) for channel, fact in facts.items()}
    return {**worth, "display": 0, "organic_search": 0, "social": 0}


def _cost_if_gone(world: World, mature: Bools, fact: str) -> int:
    return _count(mature & world.outcomes.orders) - _count(mature & _without(world, fact).outcomes.orders)


def _onward(world: World, mature: Bools) -> dict[str, float]:
    outcomes = world.outcomes
    reached = [mature, mature & outcomes.considers, mature & outcomes.checks_out, mature & outcomes.orders]
    return {STAGES[k]: _share(reached[k + 1], reached[k]) for k in range(3)}


def _last_considered(labels: Labels, n_considered: Ints) -> Codes:
    step = CONSIDERATION.start + np.maximum(n_considered - 1, 0)
    channel: Codes = labels.channel[np.arange(len(step)), step]
    return channel


def _values(world: World) -> Floats:
    return order_values(Draws(world.retailer.seed), len(world.attempts.person))


def _count(which: Bools) -> int:
    return int(which.sum())


def _mean(scores: Codes) -> float | None:
    return round(float(scores.mean()), 4) if len(scores) else None


def _share(part: Bools, whole: Bools) -> float:
    return round(_count(part) / max(_count(whole), 1), 4)
