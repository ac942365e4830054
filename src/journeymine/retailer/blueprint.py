"""The retailer: its stages, channels, touchpoints and departments, and the facts that can be planted in its log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = [
    "CHANNELS",
    "CHANNEL_CODE",
    "FIRST_DAY",
    "MATURE_AFTER_DAYS",
    "NOTHING_PLANTED",
    "STAGES",
    "TOUCHPOINTS",
    "TOUCHPOINT_CODE",
    "Facts",
    "Retailer",
    "Touchpoint",
    "fault_monday",
]

FIRST_DAY = dt.date(2026, 1, 5)
"""The first day of the log, a Monday; clocks go forward on 29 March."""

MATURE_AFTER_DAYS = 60
"""Twice the 30 idle days of the sample's rules."""

STAGES = ("awareness", "consideration", "purchase", "retention", "advocacy")

CHANNELS = (
    "display",
    "paid_search",
    "organic_search",
    "social",
    "email",
    "web",
    "app",
    "store",
    "call_centre",
    "retargeting",
    "delivery",
)
CHANNEL_CODE = {name: code for code, name in enumerate(CHANNELS)}


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """What can happen, the stage it belongs to, who answers for it, and whether the company does it."""

    name: str
    stage: str
    owner: str
    kind: str | None = None
    by_company: bool = False


TOUCHPOINTS = (
    Touchpoint("ad_shown", "awareness", "Marketing", by_company=True),
    Touchpoint("newsletter_sent", "awareness", "CRM", by_company=True),
    Touchpoint("search_ad_clicked", "awareness", "Marketing"),
    Touchpoint("search_visit", "awareness", "Marketing"),
    Touchpoint("social_ad_clicked", "awareness", "Marketing"),
    Touchpoint("newsletter_clicked", "awareness", "CRM"),
    Touchpoint("product_viewed", "consideration", "E-commerce"),
    Touchpoint("product_searched", "consideration", "E-commerce"),
    Touchpoint("reviews_read", "consideration", "E-commerce"),
    Touchpoint("wishlist_saved", "consideration", "E-commerce"),
    Touchpoint("offer_mail_clicked", "consideration", "CRM"),
    Touchpoint("store_visited", "consideration", "Stores"),
    Touchpoint("product_tried", "consideration", "Stores"),
    Touchpoint("advice_called", "consideration", "Customer service", kind="support"),
    Touchpoint("account_closed", "consideration", "Customer service"),
    Touchpoint("basket_filled", "purchase", "Checkout team"),
    Touchpoint("delivery_chosen", "purchase", "Checkout team"),
    Touchpoint("voucher_entered", "purchase", "Checkout team"),
    Touchpoint("app_payment_error", "purchase", "App team", kind="error"),
    Touchpoint("payment_help_called", "purchase", "Customer service", kind="support"),
    Touchpoint("retargeting_ad_clicked", "purchase", "Marketing"),
    Touchpoint("order_placed", "purchase", "Checkout team"),
    Touchpoint("parcel_delivered", "retention", "Logistics"),
    Touchpoint("support_called", "retention", "Customer service", kind="support"),
    Touchpoint("complaint_called", "retention", "Customer service", kind="complaint"),
    Touchpoint("parcel_returned", "retention", "Logistics"),
    Touchpoint("account_visited", "retention", "E-commerce"),
    Touchpoint("review_written", "advocacy", "CRM"),
    Touchpoint("friend_invited", "advocacy", "CRM"),
)
TOUCHPOINT_CODE = {touchpoint.name: code for code, touchpoint in enumerate(TOUCHPOINTS)}


@dataclass(frozen=True, slots=True)
class Facts:
    """Which facts are planted; each can be switched off alone, to see what it cost."""

    app_fault: bool = True
    """In one week, checkouts in the app meet payment errors."""
    overrated_channel: bool = True
    """Retargeting reaches people just before they decide, and changes no decision."""
    leaking_handover: bool = True
    """Some of those who come from an e-mail to a store leave there and then."""
    leaking_stage: bool = True
    """Consideration loses most, above all on the web."""
    delivery_dip: bool = True
    """Deliveries disappoint, and the disappointed answer surveys more often."""
    worth_of_email: bool = True
    """An e-mail in awareness brings more people to consideration."""
    worth_of_paid_search: bool = True
    """So does a search ad, by less."""

    @property
    def any(self) -> bool:
        """Whether this is the planted retailer; with no fact at all it is the null one."""
        return self != NOTHING_PLANTED


NOTHING_PLANTED = Facts(*([False] * 7))


@dataclass(frozen=True, slots=True)
class Retailer:
    """How much is simulated.

    Parameters
    ----------
    seed : of every draw; a whole number from 0.
    users : people simulated; a few leave no trace in the log.
    days : length of the log in days.
    """

    seed: int
    users: int
    days: int


def fault_monday(days: int) -> int:
    """Day, counted from the first, on which the week of the app fault begins.

    About 40 % into the log, so that those it hit are mature when a log of 180 days ends.

    >>> fault_monday(180)
    70
    """
    return int(days * 0.4) // 7 * 7
