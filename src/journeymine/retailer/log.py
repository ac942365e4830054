"""The clean log of a world: one frame of canonical events, before it is scattered over files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.retailer.blueprint import CHANNEL_CODE, CHANNELS, TOUCHPOINT_CODE, TOUCHPOINTS
from journeymine.retailer.draws import Bools, Draws, failures_before_stop
from journeymine.retailer.figures import IMPRESSION_COST, click_costs, order_values, surveys
from journeymine.retailer.identity import browsers, cookies, logged_in, user_names
from journeymine.retailer.simulate import DAY_S, FIRST_SECOND, World
from journeymine.retailer.timeline import N_SLOTS, ORDER

__all__ = ["EVENT_COLUMNS", "log_of"]

EVENT_COLUMNS = ("user", "timestamp", "touchpoint", "channel", "value", "cost", "satisfaction", "device")

_SOURCE_OF_CHANNEL = {
    "display": "ads",
    "paid_search": "ads",
    "retargeting": "ads",
    "social": "ads",
    "organic_search": "web",
    "delivery": "fulfilment",
}

_TICK_US = {
    "ads": 1,
    "web": 1,
    "app": 1_000,
    "email": 1_000_000,
    "store": 1_000_000,
    "call_centre": 1_000_000,
    "fulfilment": 1_000_000,
}
"""Resolution of each source's clock, µs. The clean log has it already, so that no file has to round."""

_NEWSLETTER_EVERY, _NEWSLETTER_HOUR = 28, 6
_MOST_IMPRESSIONS, _ANOTHER_IMPRESSION = 4, 0.4


def log_of(world: World) -> pl.DataFrame:
    """Events of the log's window, in order of time.

    Returns
    -------
    Frame with the columns of `EVENT_COLUMNS`, and what only the sources and the truth need to know:
        person, nth_journey i64 (null for what the company does) · cookie, source str · known, logged_in bool.
    """
    frame = pl.concat([_steps(world), _newsletters(world), _impressions(world)], how="diagonal")
    frame = frame.filter((pl.col("at_us") >= 0) & (pl.col("at_us") < world.retailer.days * DAY_S * 1_000_000))
    person = frame["person"].to_numpy()
    mobile = (frame["device"] == "mobile").fill_null(value=False).to_numpy()
    source = (
        pl.when(pl.col("touchpoint") == "friend_invited")
        .then(pl.lit("web"))
        .otherwise(pl.col("channel").replace(_SOURCE_OF_CHANNEL))
    )
    tick = pl.col("source").replace_strict(_TICK_US, return_dtype=pl.Int64)
    return (
        frame.with_columns(
            source.alias("source"),
            user=user_names(world.people).gather(person),
            cookie=cookies(browsers(world.people, person, mobile)),
            known=pl.Series(world.people.known[person]),
        )
        .with_columns(
            timestamp=(pl.col("at_us") // tick * tick + FIRST_SECOND * 1_000_000).cast(pl.Datetime("us", "UTC"))
        )
        .sort("timestamp", "person", "slot")
        .select(*EVENT_COLUMNS, "person", "nth_journey", "cookie", "source", "known", "logged_in")
    )


def _steps(world: World) -> pl.DataFrame:
    """What the customers do: the slots that happen."""
    draws, attempts, labels = Draws(world.retailer.seed), world.attempts, world.labels
    n = len(attempts.person)
    row, slot = np.nonzero(world.happens)
    touchpoint = labels.touchpoint.copy()
    last = N_SLOTS - 1 - world.happens[:, ::-1].argmax(axis=1)
    closing = np.flatnonzero(world.outcomes.closes_account)
    touchpoint[closing, last[closing]] = TOUCHPOINT_CODE["account_closed"]
    channel = labels.channel
    survey = surveys(draws, world)
    subsecond = (draws.uniform("subsecond", n, N_SLOTS)[row, slot] * 1e6).astype(np.int64)
    return pl.DataFrame(
        {
            "person": attempts.person[row],
            "slot": slot.astype(np.int64),
            "nth_journey": attempts.nth[row],
            "at_us": world.utc_s[row, slot] * 1_000_000 + subsecond,
            "touchpoint": _named([entry.name for entry in TOUCHPOINTS], touchpoint[row, slot]),
            "channel": _named(CHANNELS, channel[row, slot]),
            "value": pl.Series(np.where(slot == ORDER, order_values(draws, n)[row], np.nan), nan_to_null=True),
            "cost": pl.Series(click_costs(draws, channel, touchpoint)[row, slot], nan_to_null=True),
            "satisfaction": pl.Series(np.where(survey.answered, survey.score, np.nan)[row, slot], nan_to_null=True),
            "device": _device(attempts.mobile[row], attempts.tablet[row], channel[row, slot]),
            "logged_in": logged_in(draws, world.people, attempts.person, channel)[row, slot],
        }
    )


def _newsletters(world: World) -> pl.DataFrame:
    """A mail to every subscriber each fourth week, on a weekday of their own, early in the morning."""
    people = np.flatnonzero(world.people.subscribed).astype(np.int64)
    days = np.arange(0, world.retailer.days, _NEWSLETTER_EVERY)
    spread = Draws(world.retailer.seed).uniform("newsletter", world.retailer.users, len(days))[people]
    at_us = (((days + people[:, None] % 5) * DAY_S + _NEWSLETTER_HOUR * 3600 + spread * 1800) * 1e6).astype(np.int64)
    sent = pl.DataFrame({"person": np.repeat(people, len(days)), "at_us": at_us.ravel()})
    return sent.with_columns(
        slot=pl.lit(-1, dtype=pl.Int64),
        touchpoint=pl.lit("newsletter_sent"),
        channel=pl.lit("email"),
        logged_in=pl.lit(value=True),
    )


def _impressions(world: World) -> pl.DataFrame:
    """Ads shown around the time somebody sets out, whatever comes of it."""
    draws, attempts = Draws(world.retailer.seed), world.attempts
    n = len(attempts.person)
    shown = failures_before_stop(draws.uniform("impressions", n), _ANOTHER_IMPRESSION, _MOST_IMPRESSIONS)
    row, nth = np.nonzero(np.arange(_MOST_IMPRESSIONS) < shown[:, None])
    days = 12 * draws.uniform("impression time", n, _MOST_IMPRESSIONS)[row, nth] - 4
    display = np.full(len(row), CHANNEL_CODE["display"], dtype=np.int8)
    seen = pl.DataFrame(
        {
            "person": attempts.person[row],
            "at_us": world.utc_s[row, 0] * 1_000_000 + (days * DAY_S * 1e6).astype(np.int64),
            "device": _device(attempts.mobile[row], attempts.tablet[row], display),
        }
    )
    return seen.with_columns(
        slot=pl.lit(-2, dtype=pl.Int64),
        touchpoint=pl.lit("ad_shown"),
        channel=pl.lit("display"),
        cost=pl.lit(IMPRESSION_COST),
        logged_in=pl.lit(value=False),
    )


def _device(mobile: Bools, tablet: Bools, channel: npt.NDArray[np.int8]) -> pl.Series:
    """The device in their hands; none in a store, on the telephone, at the door or where a mail is opened."""
    names = ["mobile", "tablet", "desktop", None]
    blind = np.isin(channel, [CHANNEL_CODE[name] for name in ("store", "call_centre", "delivery", "email")])
    in_app = channel == CHANNEL_CODE["app"]
    code = np.select([blind, mobile, tablet, in_app], [3, 0, 1, 0], 2)
    return pl.Series(names, dtype=pl.String).gather(code)


def _named(names: Sequence[str], code: npt.NDArray[np.int8]) -> pl.Series:
    return pl.Series(list(names), dtype=pl.String).gather(code.astype(np.int64))
