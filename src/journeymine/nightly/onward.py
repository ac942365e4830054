"""Who went on, the same night: the quickest sign that something is broken."""

from __future__ import annotations

import polars as pl

from journeymine.columns import UNKNOWN, escape_reserved
from journeymine.nightly.rows import RowShape
from journeymine.nightly.settings import Settings

__all__ = ["onward_counts"]

MOST_PLACES = 40
"""Places that are watched: those with most users."""


def onward_counts(rows: pl.DataFrame, settings: Settings, shape: RowShape) -> dict[str, list[int]]:
    """Per place, the users seen there in these rows, and those of them later seen further on.

    A place is a stage × channel, further on a later stage; without stages a touchpoint, and further on any other one.
    """
    stages = settings.config.stages
    channel = "channel" if "channel" in shape.labels else None
    names = [name for name in ("touchpoint", channel) if name]
    pairs = rows.select(names).unique()
    told = pairs.with_columns(
        pl.Series(f"_{name}", [escape_reserved(v) if v else UNKNOWN for v in pairs[name]], dtype=pl.String)
        for name in names
    )
    known = stages.lookup(told["_touchpoint"].to_list(), told["_channel"].to_list() if channel else None)
    order = {stage: rank for rank, stage in enumerate(stages.names)}
    rank = [order.get(stage) if stage is not None else None for stage in known["stage"]]
    place = ["stage", "_channel"] if channel else ["stage"]
    told = told.with_columns(stage=known["stage"], rank=pl.Series(rank, dtype=pl.Int64), by_company=known["by_company"])
    known_of_row = rows.select("user", "timestamp", "file", "row", *names)  # an attribute may be called rank
    steps = known_of_row.join(told, on=names, how="left", nulls_equal=True).filter(~pl.col("by_company"))
    if stages.names:
        steps = steps.filter(pl.col("rank").is_not_null())
        later = pl.col("rank").reverse().cum_max().reverse().over("user") > pl.col("rank")
    else:
        place = ["_touchpoint"]
        later = pl.col("_touchpoint").shift(-1).over("user").is_not_null()
    counted = (
        steps.sort("user", "timestamp", "file", "row")
        .with_columns(_later=later)
        .group_by(*place, "user")
        .agg(pl.col("_later").any())
        .group_by(place)
        .agg(n=pl.len(), went=pl.col("_later").sum())
        .sort("n", *place, descending=[True, *(False for _ in place)])
        .head(MOST_PLACES)
        .sort(place)
    )
    return {" × ".join(row[:-2]): [int(row[-2]), int(row[-1])] for row in counted.iter_rows()}
