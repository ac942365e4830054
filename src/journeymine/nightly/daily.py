"""Counts day by day: what became of the journeys that started on it, and where the mature ones were lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.measure import Measure
from journeymine.metrics.drop_off import DropOff
from journeymine.nightly.answers import table_by_day
from journeymine.nightly.sealing import Carried
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import Store
from journeymine.nightly.watch import Series

__all__ = ["daily_frame", "lost_series", "mature_before"]

_DAY = 86_400_000_000


def mature_before(manifest: dict[str, Any], settings: Settings) -> int:
    """The first day, in days since 1970, of which some journey may not be mature and certain yet."""
    wait = settings.rules.mature_after_us + settings.lateness_us + settings.settle_us
    return int((manifest["observed_until"] - wait) // _DAY - 1)


def daily_frame(days: pl.DataFrame, settings: Settings, manifest: dict[str, Any]) -> pl.DataFrame:
    """Counts by the day journeys started on, with whether the day is mature."""
    return days.with_columns(mature=pl.col("_day") < mature_before(manifest, settings)).rename({"_day": "day"}).with_columns(
        pl.col("day").cast(pl.Int32).cast(pl.Date)
    )  # fmt: skip


def lost_series(store: Store, manifest: dict[str, Any], settings: Settings, carried: Carried) -> list[Series]:
    """Share of mature journeys lost at each place, by the day they started on.

    The last day is `idle` older than the latest mature one: a day of which many journeys are still going on has lost
    fewer than the days before it, and would look better than it is.
    """
    found = _drop_off(settings)
    if found is None:
        return []
    name, measure = found
    latest = mature_before(manifest, settings) - 1 - -(-settings.rules.idle_us // _DAY)
    table = table_by_day(store, manifest, settings, carried, name, "places", (latest - 7 * 9, latest + 1))
    names = list(as_names(getattr(measure, "by", None)))
    by_day = table.group_by("_day", *names).agg(pl.col("n").sum(), pl.col("lost_here").sum())
    first = by_day["_day"].min()
    if not isinstance(first, int):
        return []
    days = pl.DataFrame({"_day": np.arange(first, latest + 1)})
    series = []
    for place, rows in sorted(by_day.partition_by(names, as_dict=True).items()):
        filled = days.join(rows, on="_day", how="left").fill_null(0).sort("_day")
        series.append(
            Series(
                "lost, mature",
                " × ".join(str(label) for label in place),
                (filled["_day"].to_numpy() + 3) % 7,  # 1970-01-01 was a Thursday
                filled["lost_here"].to_numpy().astype(np.float64),
                filled["n"].to_numpy().astype(np.float64),
            )
        )
    return sorted(series, key=lambda s: -float(s.cases.sum() if s.cases is not None else 0))[:20]


def _drop_off(settings: Settings) -> tuple[str, Measure] | None:
    """The coarsest drop-off among the measures."""
    asked = [(name, m) for name, m in settings.nightly.items() if isinstance(m, DropOff)]
    return min(asked, key=lambda pair: len(as_names(pair[1].by)), default=None)
