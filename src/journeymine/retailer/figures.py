"""Money and scores of the events: what orders bring, what ads cost, what surveys say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from journeymine.retailer.blueprint import CHANNEL_CODE, TOUCHPOINT_CODE
from journeymine.retailer.draws import Bools, Codes, Draws, Floats, Ints, chosen, standard_normal
from journeymine.retailer.simulate import World
from journeymine.retailer.timeline import N_SLOTS

__all__ = ["IMPRESSION_COST", "Survey", "click_costs", "order_values", "surveys"]

IMPRESSION_COST = 0.004
"""EUR per ad shown."""

_MEDIAN_ORDER, _SPREAD_OF_ORDERS = 60.0, 0.6

_COSTS = {"paid_search": (0.35, 1.25), "social": (0.20, 0.80), "retargeting": (0.30, 0.90)}
"""EUR per click, from and to."""

_SCORES = (0.06, 0.10, 0.19, 0.37, 0.28)
_SCORES_OF_DIP = (0.20, 0.24, 0.22, 0.21, 0.13)
_ANSWERS, _ANSWERS_UNHAPPY, _ANSWERS_HAPPY = 0.40, 0.60, 0.32


@dataclass(frozen=True, slots=True)
class Survey:
    """What customers thought, and who said so."""

    asked: Bools
    answered: Bools
    score: Codes
    """1–5, of everybody asked."""


def order_values(draws: Draws, n: int) -> Floats:
    """EUR an order of each attempt would bring, in whole cents; log-normal, and the same in every world."""
    normal = standard_normal(draws.uniform("value", n), draws.uniform("value, angle", n))
    return np.round(_MEDIAN_ORDER * np.exp(_SPREAD_OF_ORDERS * normal), 2)


def click_costs(draws: Draws, channel: Codes, touchpoint: Codes) -> Floats:
    """EUR per slot; not a number where nothing was paid."""
    low, high = np.full(len(CHANNEL_CODE), np.nan), np.full(len(CHANNEL_CODE), np.nan)
    for name, (least, most) in _COSTS.items():
        low[CHANNEL_CODE[name]], high[CHANNEL_CODE[name]] = least, most
    cost = low[channel] + (high - low)[channel] * draws.uniform("cost", len(channel), N_SLOTS)
    return np.where(touchpoint == TOUCHPOINT_CODE["friend_invited"], np.nan, np.round(cost, 3))


def surveys(draws: Draws, world: World) -> Survey:
    """Ask after calls, store visits and deliveries; not everybody answers."""
    touchpoint, channel = world.labels.touchpoint, world.labels.channel
    delivered = touchpoint == TOUCHPOINT_CODE["parcel_delivered"]
    in_store = (channel == CHANNEL_CODE["store"]) & np.isin(touchpoint, _codes("store_visited", "product_tried"))
    asked = delivered | in_store | (channel == CHANNEL_CODE["call_centre"])
    shape = touchpoint.shape
    drawn = draws.uniform("score", *shape)
    score = chosen(drawn, _SCORES) + np.int8(1)
    answers = np.full(shape, _ANSWERS)
    if world.facts.delivery_dip:
        score = np.where(delivered, chosen(drawn, _SCORES_OF_DIP) + np.int8(1), score)
        answers = np.where(delivered, np.where(score <= 2, _ANSWERS_UNHAPPY, _ANSWERS_HAPPY), answers)
    return Survey(asked, asked & (draws.uniform("answers", *shape) < answers), score.astype(np.int8))


def _codes(*touchpoints: str) -> Ints:
    return np.array([TOUCHPOINT_CODE[name] for name in touchpoints], dtype=np.int64)
