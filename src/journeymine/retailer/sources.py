"""The log as the retailer's systems hold it: one frame per source, each with columns and clocks of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from journeymine.retailer.dirt import Defect, soil
from journeymine.retailer.draws import Draws

__all__ = ["RawSource", "raw_sources"]

_LOCAL = "Europe/Berlin"
_UNKNOWN_CHANNEL_SHARE = 0.004
_LATE_SHARE = 0.03
_MICROS = pl.col("timestamp").dt.epoch("us")
_CUSTOMER = pl.when("logged_in").then("user")
_SCORE = pl.col("satisfaction").cast(pl.Int64)


@dataclass(frozen=True, slots=True)
class RawSource:
    """One system's export.

    Parameters
    ----------
    name : of the source.
    file_name : what its file is called; the ending says the format.
    rows : as exported, dirty rows among them.
    dirty : number of unusable rows per reason of `read_events`.
    """

    name: str
    file_name: str
    rows: pl.DataFrame
    dirty: dict[str, int]


def raw_sources(draws: Draws, log: pl.DataFrame) -> list[RawSource]:
    """Scatter the clean log over its sources, as `journey.toml` reads them."""
    made = []
    for name, (file_name, export, defects) in _EXPORTS.items():
        clean = export(draws, log.filter(pl.col("source") == name))
        rows, dirty = soil(draws, clean, name, defects)
        made.append(RawSource(name, file_name, rows, dirty))
    return made


def _ads(_: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """Ad networks know a cookie, and seldom the customer; µs since 1970."""
    return events.select(
        crm_id=_CUSTOMER,
        cookie="cookie",
        time_us=_MICROS,
        action="touchpoint",
        network="channel",
        cost_eur="cost",
        device="device",
    )


def _web(draws: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """The web shop: a visitor, a customer once logged in, UTC times; the channel is sometimes not recorded."""
    blank = pl.Series("blank", draws.uniform("unknown channel", events.height) < _UNKNOWN_CHANNEL_SHARE)
    return events.select(
        pl.int_range(1, pl.len() + 1).alias("hit_id"),
        visitor="cookie",
        customer_id=_CUSTOMER,
        visited_at="timestamp",
        page_event="touchpoint",
        medium=pl.when(~pl.lit(blank)).then("channel"),
        device="device",
        revenue="value",
    )


def _app(draws: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """The app: ms since 1970, in order of upload; some phones were offline and send hours later."""
    late = pl.Series("late", draws.uniform("late upload", events.height))
    hours = pl.when(pl.lit(late) < _LATE_SHARE).then(pl.lit(late) * 400).otherwise(0)
    return (
        events.with_row_index("nth")
        .with_columns(uploaded=_MICROS + (hours * 3.6e9).cast(pl.Int64))
        .sort("uploaded", "nth")
        .select(
            pl.int_range(1, pl.len() + 1).alias("id"),
            account="user",
            ts=pl.col("timestamp").dt.epoch("ms"),
            name="touchpoint",
            device="device",
            amount="value",
        )
    )


def _email(_: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """The mail tool: local times, day first."""
    return events.select(customer="user", sent_or_clicked=_local("%d.%m.%Y %H:%M:%S"), what="touchpoint")


def _store(_: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """Tills and the visitor survey of the stores: local times, the customer by loyalty card."""
    return events.select(
        loyalty_card="user",
        local_time=_local("%Y-%m-%d %H:%M:%S"),
        action="touchpoint",
        amount_eur=pl.col("value").round(2).cast(pl.String),
        survey=_SCORE.cast(pl.String),
    )


def _call_centre(_: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """The call centre: ISO 8601 with the offset of the day."""
    stamp = pl.col("timestamp").dt.convert_time_zone(_LOCAL).dt.to_string("%Y-%m-%dT%H:%M:%S%:z")
    return events.select(
        pl.int_range(1, pl.len() + 1).alias("call"),
        customer_no="user",
        answered_at=stamp,
        reason="touchpoint",
        csat=_SCORE,
    )


def _fulfilment(_: Draws, events: pl.DataFrame) -> pl.DataFrame:
    """Parcels: by customer, or by the cookie of a guest's order; UTC times as text."""
    return events.select(
        customer=pl.when("known").then("user"),
        guest=pl.when(~pl.col("known")).then("cookie"),
        time=pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%SZ"),
        status="touchpoint",
        stars=_SCORE.cast(pl.String),
    )


def _local(pattern: str) -> pl.Expr:
    return pl.col("timestamp").dt.convert_time_zone(_LOCAL).dt.to_string(pattern)


Export = Callable[[Draws, pl.DataFrame], pl.DataFrame]

_MICROS_IN_2926 = 30_200_000_000_000_000
_EXPORTS: dict[str, tuple[str, Export, tuple[Defect, ...]]] = {
    "ads": (
        "ads.feather",
        _ads,
        (
            Defect("user missing", {"crm_id": None, "cookie": None}),
            Defect("touchpoint missing", {"action": None}),
            Defect("timestamp out of range", {"time_us": _MICROS_IN_2926}),
        ),
    ),
    "web": (
        "web.parquet",
        _web,
        (
            Defect("user missing", {"visitor": None, "customer_id": None}),
            Defect("duplicate event_id", {}),
            Defect("timestamp missing", {"visited_at": None}),
            Defect("value not finite", {"revenue": float("inf")}),
        ),
    ),
    "app": (
        "app.arrow",
        _app,
        (
            Defect("duplicate event_id", {}),
            Defect("user missing", {"account": ""}),
            Defect("timestamp out of range", {"ts": _MICROS_IN_2926 // 1000}),
            Defect("value not finite", {"amount": float("nan")}),
        ),
    ),
    "email": (
        "email.csv.gz",
        _email,
        (
            Defect("timestamp unparsable", {"sent_or_clicked": "yesterday"}),
            Defect("user missing", {"customer": None}),
            Defect("timestamp unparsable", {"sent_or_clicked": "31.02.2026 10:00:00"}),
            Defect("touchpoint missing", {"what": None}),
        ),
    ),
    "store": (
        "store.csv",
        _store,
        (
            Defect("user missing", {"loyalty_card": None}),
            Defect("value unparsable", {"amount_eur": "see receipt"}),
            Defect("timestamp does not exist in its zone", {"local_time": "2026-03-29 02:30:00"}),
            Defect("satisfaction outside its scale", {"survey": "9"}),
        ),
    ),
    "call_centre": (
        "call_centre.ndjson",
        _call_centre,
        (
            Defect("timestamp unparsable", {"answered_at": "after lunch"}),
            Defect("duplicate event_id", {}),
        ),
    ),
    "fulfilment": (
        "fulfilment.csv.zst",
        _fulfilment,
        (
            Defect("user missing", {"customer": None, "guest": None}),
            Defect("timestamp out of range", {"time": "2926-04-01T10:00:00Z"}),
            Defect("satisfaction unparsable", {"stars": "***"}),
        ),
    ),
}
"""File, export and dirt of every source, in the order in which the log reads them."""
