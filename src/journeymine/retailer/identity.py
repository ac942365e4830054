"""Names of people and browsers, and on which rows a source sees which of the two."""

from __future__ import annotations

import numpy as np
import polars as pl

from journeymine.retailer.blueprint import CHANNEL_CODE
from journeymine.retailer.draws import Bools, Codes, Draws, Ints
from journeymine.retailer.people import People
from journeymine.retailer.timeline import BASKET, N_SLOTS

__all__ = ["browsers", "cookies", "customers", "logged_in", "user_names"]

_LOGGED_IN_BROWSING = 0.75
_MATCHED_BY_AD_NETWORK = 0.70
_SPREAD = 2_654_435_761
"""Knuth's multiplier: odd, so that numbering by it modulo 2³² gives each browser a number of its own."""


def customers(person: Ints) -> pl.Series:
    """Customer numbers.

    >>> customers(np.array([0, 41])).to_list()
    ['C100000', 'C100041']
    """
    return pl.select("C" + pl.Series(person + 100_000).cast(pl.String)).to_series()


def cookies(browser: Ints) -> pl.Series:
    """Cookies of browsers.

    >>> cookies(np.array([0, 1])).to_list()
    ['k0000000001', 'k2654435762']
    """
    number = (browser.astype(np.uint64) * np.uint64(_SPREAD) + np.uint64(1)) % np.uint64(2**32)
    return pl.select("k" + pl.Series(number).cast(pl.String).str.zfill(10)).to_series()


def browsers(people: People, person: Ints, mobile: Bools) -> Ints:
    """The browser somebody uses: their own, their phone's, or that of the person before them."""
    own = 2 * (person - people.shares_browser[person])
    return np.where(people.two_browsers[person] & mobile, 2 * person + 1, own)


def user_names(people: People) -> pl.Series:
    """The canonical user of every person: the customer number, or else the cookie, as `read_events` writes it."""
    person = np.arange(len(people.known), dtype=np.int64)
    names = pl.DataFrame({"known": people.known, "customer": customers(person), "cookie": cookies(2 * person)})
    named = pl.when("known").then("customer").otherwise("anonymous:" + pl.col("cookie"))
    return names.select(user=named)["user"]


def logged_in(draws: Draws, people: People, person: Ints, channel: Codes) -> Bools:
    """Whether the source of a slot sees the customer number.

    Always away from the web, and from the basket on. Before that, of most people usually; of some never.
    """
    n = len(person)
    seen = draws.uniform("logged in", n, N_SLOTS)
    bought = [CHANNEL_CODE[name] for name in ("display", "paid_search", "social", "retargeting")]
    by_channel = np.ones(len(CHANNEL_CODE))
    by_channel[bought] = _MATCHED_BY_AD_NETWORK
    by_channel[[CHANNEL_CODE["web"], CHANNEL_CODE["organic_search"]]] = _LOGGED_IN_BROWSING
    chance = by_channel[channel]
    chance = np.where(people.remembered[person][:, None] | (chance == 1.0), chance, 0.0)
    chance[:, BASKET:] = np.where(np.isin(channel[:, BASKET:], bought), _MATCHED_BY_AD_NETWORK, 1.0)
    return people.known[person][:, None] & (seen < chance)
