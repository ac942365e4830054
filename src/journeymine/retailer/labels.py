"""What happens in each slot, and on which channel.

Channels follow a chain of their own inside a stage. They look at the person, the hour and the channel before, never at
how the stage will end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from journeymine.retailer.blueprint import CHANNEL_CODE, TOUCHPOINT_CODE
from journeymine.retailer.draws import Bools, Codes, Draws, Ints, chosen
from journeymine.retailer.people import Attempts, People
from journeymine.retailer.timeline import (
    AFTER_SALE,
    AWARENESS,
    BASKET,
    CONSIDERATION,
    ERRORS,
    EXTRAS,
    HELP,
    N_SLOTS,
    ORDER,
    RETARGETING,
    Timeline,
)

__all__ = ["Labels", "draw_labels"]

_WEB, _APP, _STORE = CHANNEL_CODE["web"], CHANNEL_CODE["app"], CHANNEL_CODE["store"]
_EMAIL, _CALL, _RETARGETING = CHANNEL_CODE["email"], CHANNEL_CODE["call_centre"], CHANNEL_CODE["retargeting"]
_SEARCH, _DELIVERY, _SOCIAL = CHANNEL_CODE["organic_search"], CHANNEL_CODE["delivery"], CHANNEL_CODE["social"]

_AWARE_CHANNELS = np.array([CHANNEL_CODE["paid_search"], _SEARCH, _SOCIAL, _EMAIL], dtype=np.int8)
_AWARE_TOUCHPOINTS = ("search_ad_clicked", "search_visit", "social_ad_clicked", "newsletter_clicked")
_SESSION_CHANNELS = np.array([_WEB, _APP, _STORE, _EMAIL, _CALL], dtype=np.int8)
_BROWSING = ("product_viewed", "product_searched", "reviews_read", "wishlist_saved")
_IN_STORE = ("store_visited", "product_tried")
_EXTRAS = ("delivery_chosen", "voucher_entered", "app_payment_error", "payment_help_called", "retargeting_ad_clicked")


@dataclass(frozen=True, slots=True)
class Labels:
    """Codes of touchpoint and channel per slot, and what of it the hour or the person makes impossible."""

    touchpoint: Codes
    channel: Codes
    possible: Bools
    basket_channel: Codes
    last_considered: Codes
    """Channel of the last step of consideration, were it to last as long as drawn."""
    open_hours: Bools
    """Stores are open."""
    calls_answered: Bools
    """The call centre is."""


def draw_labels(
    draws: Draws, people: People, attempts: Attempts, timeline: Timeline, local_s: Ints, *, retargeting_last: bool
) -> Labels:
    """Draw touchpoint and channel of every slot.

    Parameters
    ----------
    local_s : local time of each slot, in seconds from the first midnight.
    retargeting_last : the planted retailer's retargeting has a slot of its own, just before the decision; otherwise it
        is one of the things that may happen at any step of a checkout.
    """
    n = len(attempts.person)
    known, home = people.known[attempts.person], people.home[attempts.person]
    digital = np.where(home == _APP, _APP, _WEB).astype(np.int8)
    open_hours, calls_answered = _is_open(local_s)
    touchpoint = np.zeros((n, N_SLOTS), dtype=np.int8)
    channel = np.zeros((n, N_SLOTS), dtype=np.int8)
    possible = np.ones((n, N_SLOTS), dtype=np.bool_)

    _label_awareness(draws, known, touchpoint, channel)
    considered = _channels_considered(
        draws, known, home, digital, timeline, channel[:, AWARENESS], open_hours, calls_answered
    )
    channel[:, CONSIDERATION] = considered
    touchpoint[:, CONSIDERATION] = _touchpoints_considered(draws, considered)

    last = considered[np.arange(n), timeline.n_considering - 1]
    basket = np.where((last == _WEB) | (last == _APP) | ((last == _STORE) & open_hours[:, BASKET]), last, digital)
    may_call = known[:, None] & calls_answered
    _label_checkout(draws, basket, may_call, touchpoint, channel, retargeting_last=retargeting_last)
    _label_after_sale(known, digital, basket, may_call, touchpoint, channel, possible)
    return Labels(touchpoint, channel, possible, basket, last, open_hours, calls_answered)


def _is_open(local_s: Ints) -> tuple[Bools, Bools]:
    """Stores, Monday to Saturday from 9 to 21 o'clock; the call centre, daily from 8 to 22."""
    hour = local_s % 86_400 // 3600
    weekday = local_s // 86_400 % 7
    return (weekday < 6) & (hour >= 9) & (hour < 21), (hour >= 8) & (hour < 22)


def _label_awareness(draws: Draws, known: Bools, touchpoint: Codes, channel: Codes) -> None:
    n = len(known)
    source = chosen(draws.uniform("aware channel", n, 6), (0.28, 0.27, 0.22, 0.23))
    source = np.where((source == 3) & ~known[:, None], np.int8(1), source)  # a newsletter needs an address
    channel[:, AWARENESS] = _AWARE_CHANNELS[source]
    touchpoint[:, AWARENESS] = _codes(_AWARE_TOUCHPOINTS)[source]


def _channels_considered(
    draws: Draws,
    known: Bools,
    home: Codes,
    digital: Codes,
    timeline: Timeline,
    aware: Codes,
    open_hours: Bools,
    calls_answered: Bools,
) -> Codes:
    """One channel per session; a click in a mail or a call goes on where the person likes to browse."""
    n, width = len(known), CONSIDERATION.stop - CONSIDERATION.start
    mixed = _SESSION_CHANNELS[chosen(draws.uniform("session channel", n, width), (0.26, 0.23, 0.15, 0.30, 0.06))]
    stays_home = draws.uniform("stays home", n, width) < 0.4
    fetches = draws.uniform("fetches in store", n, width) < 0.85
    fresh = timeline.new_session[:, CONSIDERATION]
    channel = np.empty((n, width), dtype=np.int8)
    before = aware[np.arange(n), timeline.n_aware - 1]
    for k in range(width):
        opened = np.where(stays_home[:, k], home, mixed[:, k])
        opened = np.where((before == _EMAIL) & fetches[:, k], _STORE, opened)
        carried_on = np.where((before == _WEB) | (before == _APP) | (before == _STORE), before, digital)
        now = np.where(fresh[:, k], opened, carried_on)
        slot = CONSIDERATION.start + k
        shut = (~open_hours[:, slot] & (now == _STORE)) | (~calls_answered[:, slot] & (now == _CALL))
        before = np.where(known, np.where(shut, digital, now), _WEB).astype(np.int8)
        channel[:, k] = before
    return channel


def _touchpoints_considered(draws: Draws, channel: Codes) -> Codes:
    n, width = channel.shape
    browsing = _codes(_BROWSING)[chosen(draws.uniform("browsing", n, width), (0.5, 0.22, 0.16, 0.12))]
    in_store = _codes(_IN_STORE)[chosen(draws.uniform("in store", n, width), (0.7, 0.3))]
    return np.select(
        [channel == _STORE, channel == _EMAIL, channel == _CALL],
        [in_store, _code("offer_mail_clicked"), _code("advice_called")],
        browsing,
    ).astype(np.int8)


def _label_checkout(
    draws: Draws, basket: Codes, may_call: Bools, touchpoint: Codes, channel: Codes, *, retargeting_last: bool
) -> None:
    """Basket, what may happen at any step of a checkout, the slots of planted facts, and the order."""
    n, width = len(basket), EXTRAS.stop - EXTRAS.start
    retargeting = 0.0 if retargeting_last else 0.27
    kind = chosen(draws.uniform("checkout step", n, width), (0.63 - retargeting, 0.20, 0.06, 0.11, retargeting))
    cannot = ((kind == 2) & (basket != _APP)[:, None]) | ((kind == 3) & ~may_call[:, EXTRAS])
    kind = np.where(cannot | ((kind == 4) & (basket == _STORE)[:, None]), np.int8(0), kind)
    touchpoint[:, EXTRAS] = _codes(_EXTRAS)[kind]
    channel[:, BASKET : ORDER + 1] = basket[:, None]
    channel[:, EXTRAS] = np.select([kind == 3, kind == 4], [_CALL, _RETARGETING], basket[:, None])
    channel[:, HELP], channel[:, RETARGETING] = _CALL, _RETARGETING
    touchpoint[:, BASKET], touchpoint[:, ORDER] = _code("basket_filled"), _code("order_placed")
    touchpoint[:, ERRORS], touchpoint[:, HELP] = _code("app_payment_error"), _code("payment_help_called")
    touchpoint[:, RETARGETING] = _code("retargeting_ad_clicked")


def _label_after_sale(
    known: Bools, digital: Codes, basket: Codes, may_call: Bools, touchpoint: Codes, channel: Codes, possible: Bools
) -> None:
    steps = (
        "parcel_delivered",
        "support_called",
        "complaint_called",
        "parcel_returned",
        "account_visited",
        "account_visited",
        "review_written",
        "friend_invited",
    )
    touchpoint[:, AFTER_SALE] = _codes(steps)
    channel[:, AFTER_SALE] = digital[:, None]
    delivered, support, complaint, returned = range(AFTER_SALE.start, AFTER_SALE.start + 4)
    channel[:, [delivered, returned]] = _DELIVERY
    channel[:, [support, complaint]] = _CALL
    channel[:, AFTER_SALE.stop - 1] = _SOCIAL
    possible[:, AFTER_SALE] = known[:, None]
    possible[:, delivered] = possible[:, returned] = basket != _STORE
    possible[:, [support, complaint]] = may_call[:, [support, complaint]]


def _code(touchpoint: str) -> np.int8:
    return np.int8(TOUCHPOINT_CODE[touchpoint])


def _codes(touchpoints: tuple[str, ...]) -> Codes:
    return np.array([TOUCHPOINT_CODE[name] for name in touchpoints], dtype=np.int8)
