"""The questions that are timed on journeys already built. A new measure needs one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import journeymine as jm

__all__ = ["PLAIN", "RETAILER", "Ask", "Words", "on_every_log", "on_rich_logs"]

Ask = Callable[[jm.Journeys], Any]


@dataclass(frozen=True)
class Words:
    """What the touchpoints that the questions name are called in a log."""

    product: str
    cart: str
    order: str
    call: str

    @property
    def steps(self) -> tuple[str, str, str]:
        """Of the funnel."""
        return self.product, self.cart, self.order


PLAIN = Words("product", "cart", "order_placed", "call")
RETAILER = Words("product_viewed", "basket_filled", "order_placed", "support_called")


def on_every_log(words: Words) -> Mapping[str, tuple[str, Ask]]:
    """What each answers in a few words, and how it is asked."""
    return {
        "transitions": ("edges and nodes with times, journeys, conversion", jm.transitions),
        "conversion": ("share of journeys that convert, per channel", lambda j: jm.conversion(j, by="channel")),
        "drop_off": ("what becomes of journeys, per channel", lambda j: jm.drop_off(j, by="channel")),
        "funnel": (
            "3 steps in 7 days, with re-entry, per user",
            lambda j: jm.funnel(j, steps=words.steps, within="7d", unit="user"),
        ),
        "credit": (
            "first, last and linear credit per channel",
            lambda j: jm.attribution(j, rules=("first", "last", "linear")),
        ),
        "attribution": (
            "all nine rules, Shapley and Markov-1 among them",
            lambda j: jm.attribution(j, middle=words.cart),
        ),
        "choose_order": ("order of the Markov chain by held-out likelihood", jm.choose_order),
        "retention": ("weekly cohorts by week", jm.retention),
        "life_cycle": ("new, returning, resurrected, dormant users per month", jm.life_cycle),
        "stickiness": ("daily over weekly and monthly users", jm.stickiness),
        "activity": ("steps by weekday and hour", jm.activity),
        "repeat_rate": ("orders followed by another, and how soon", jm.repeat_rate),
        "time_to_convert": ("converted, lost and open by time, as competing risks", jm.time_to_convert),
        "win_back": ("lost journeys followed by another, and how soon", jm.win_back),
        "waiting": ("from the cart to the order", lambda j: jm.waiting(j, start=words.cart, until={"goal": True})),
        "dwell": ("time in each channel", lambda j: jm.dwell(j, by="channel")),
        "handoffs": ("crossings between channels, what they take and what is lost there", jm.handoffs),
        "decision_points": ("touchpoints where paths part", jm.decision_points),
        "variants": ("distinct paths", jm.variants),
        "typical_order": ("mean position of each touchpoint", jm.typical_order),
        "markov": ("chain of order 1, with fundamental matrix", jm.markov),
        "first_contact": (
            "first contacts with support that no other follows",
            lambda j: jm.first_contact_resolution(j, support=words.call),
        ),
    }


def on_rich_logs() -> Mapping[str, tuple[str, Ask]]:
    """The same of those that want stages, value or scores."""
    return {
        "customer_value": ("value and orders per customer", jm.customer_value),
        "satisfaction": ("scores per touchpoint, who answered, dips", lambda j: jm.satisfaction(j, by="touchpoint")),
        "stage_reach": ("how many get to each stage, and on", jm.stage_reach),
        "places": ("what becomes of journeys, per stage and channel", jm.drop_off),
        "stage_dwell": ("time in each stage", jm.dwell),
        "friction": ("what journeys stumble over", jm.friction),
        "opportunities": ("what to mend first, of five measures", jm.opportunities),
    }
