"""How our answers and those of SQL are brought to the same columns: renamed, and brought to the same units and rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = ["ANSWERS", "NOT_IN_THIS_LOG"]

col, US = pl.col, 1_000_000
DAY = 86_400 * US
Frame = Callable[[pl.DataFrame], pl.DataFrame]
NOT_IN_THIS_LOG = {"service", "stage", "value", "mean_value", "value_per_user", "ended", "nps", "cost", "cpa", "roas"}
"""Columns of a log with stages, values, costs or lost_at: the plain one has none."""


def as_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


@dataclass(frozen=True)
class Answer:
    """How our answer and that of SQL are brought to the same columns.

    Attributes
    ----------
    keys : what tells the rows apart.
    follows : columns of our frame that follow from the others by a formula, and so are not asked of SQL.
    ours : our frame in the columns compared; by default as it is.
    sql : the same for that of SQL.
    """

    keys: tuple[str, ...]
    follows: tuple[str, ...] = ()
    ours: Callable[[Any], pl.DataFrame] = lambda result: result.frame
    sql: Frame = as_is


def seconds(*names: str, of: str = "took_us", p: tuple[str, ...] = ("p50_s", "p90_s")) -> Frame:
    """Quantiles from their list, and means, of µs in seconds."""

    def read(frame: pl.DataFrame) -> pl.DataFrame:
        quantiles = [(col(of).list.get(i, null_on_oob=True) / US).alias(name) for i, name in enumerate(p)]
        return frame.with_columns(*quantiles, *[(col(f"{name}_us") / US).alias(f"{name}_s") for name in names])

    return read


def edges_and_nodes(graph: Any) -> pl.DataFrame:
    nodes = graph.nodes.select(col("label").alias("from"), pl.lit(None, pl.String).alias("to"), pl.exclude("label"))
    return pl.concat([graph.edges, nodes.with_columns(status=pl.lit("node"))], how="diagonal")


def funnel_rows(wide: pl.DataFrame) -> pl.DataFrame:
    """A row per step, from the one row of SQL."""
    row = wide.row(0, named=True)
    times = {1: [None, None], 2: row["to_2_us"], 3: row["to_3_us"]}
    return pl.DataFrame(
        {
            "nth": nth,
            "n": row[f"n_{nth}"],
            "n_users": row[f"n_{nth}"],
            "n_entrants": row["n_1"],
            "immature": row[f"immature_{nth}"],
            **{p: None if q is None else q / US for p, q in zip(("p50_s", "p90_s"), times[nth], strict=True)},
        }
        for nth in (1, 2, 3)
    )


def credit_rows(wide: pl.DataFrame) -> pl.DataFrame:
    long = wide.unpivot(["first", "last", "linear"], index=["label", "n", "n_users"], variable_name="rule")
    return long.rename({"value": "conversions"}).filter(col("conversions") > 0)


def weekly_cohorts(result: Any) -> pl.DataFrame:
    """Cohorts as weeks since 1970; SQL has no row where nobody of a cohort was seen."""
    week = (col("cohort").cast(pl.Date).cast(pl.Int64) + 3) // 7
    frame = result.frame.with_columns(cohort=week)
    return frame.filter((col("retained") > 0) | (col("period") == 0))


def seen_again(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter((col("retained") > 0) | (col("period") == 0))


def months(result: Any) -> pl.DataFrame:
    month = col("period").dt.year().cast(pl.Int64) * 12 + col("period").dt.month()
    return result.frame.select(month.alias("month_nr"), pl.exclude("period")).with_columns(
        dormant=col("dormant").fill_null(0)
    )


def until_now(frame: pl.DataFrame) -> pl.DataFrame:
    """Nobody is dormant in a month that is not over."""
    return frame.with_columns(dormant=pl.when(col("complete").cast(pl.Boolean)).then("dormant").otherwise(0))


def by_window(wide: pl.DataFrame) -> pl.DataFrame:
    row = wide.row(0, named=True)
    return pl.DataFrame(
        {
            "window_days": width,
            "n_users": row["n_users"],
            "n_days": (n_days := row[f"n_days_{width}"]),
            "mean_active_1d": row[f"active_1d_{width}"] / n_days,
            "mean_active": row[f"active_{width}d"] / n_days,
        }
        for width in (7, 30)
    )


def whole(table: str, key: str, unit: int, *causes: str) -> Callable[[Any], pl.DataFrame]:
    """The frame, and below it the bins of a curve, `unit` µs each, with who leaves in them."""

    def read(result: Any) -> pl.DataFrame:
        curves = result.tables[table].select(
            (col("time_s") * US / unit).round().alias(key), "censored", *[col(c).alias(f"{c}_by_then") for c in causes]
        )
        return pl.concat(
            [result.frame.with_columns(pl.lit(None, pl.Float64).alias(key)), curves], how="diagonal_relaxed"
        )

    return read


def leaving(key: str, *causes: str, total: str = "n", then: Frame = as_is) -> Frame:
    """Of SQL's bins only who leaves in them; what it says of all in the row without a bin."""

    def read(frame: pl.DataFrame) -> pl.DataFrame:
        gone = [col(f"{c}_by_then") for c in causes]
        bins = frame.filter(col(key).is_not_null() & (col(key) >= 0)).select(
            key, *gone, censored=col(total) - pl.sum_horizontal(gone)
        )
        return pl.concat([then(frame.filter(col(key).is_null())).drop([f"{c}_by_then" for c in causes]), bins],
                         how="diagonal_relaxed")  # fmt: skip

    return read


def orders(result: Any) -> pl.DataFrame:
    """Each order with its number, and below it who leaves in each month since, whichever order it was."""
    return whole("hazard", "bin", 30 * DAY, "repeated")(result)


def orders_in_sql(frame: pl.DataFrame) -> pl.DataFrame:
    bins = frame.filter(col("bin").is_not_null()).group_by("bin").agg(pl.col("n", "repeated_by_then").sum())
    rows = pl.concat([frame.filter(col("bin").is_null()), bins], how="diagonal_relaxed")
    return leaving("bin", "repeated", then=seconds())(rows)


def with_and_without(frame: pl.DataFrame) -> pl.DataFrame:
    """Shares of the arrivals by a crossing, and of the others, from the counts."""
    return seconds()(frame).with_columns(
        lost_otherwise=col("others_lost") / col("others"),
        converted_with=col("arrivals_won") / col("n_arrivals"),
        converted_without=col("others_won") / col("others"),
    )


def passed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        converted_with=col("converted") / col("n"), converted_without=col("converted_without") / col("n_without")
    )


def paths(result: Any) -> pl.DataFrame:
    return result.frame.with_columns(col("path").list.join(" > "))


def path_shares(frame: pl.DataFrame) -> pl.DataFrame:
    mature = pl.when(col("n_mature") > 0).then("n_mature")
    return frame.with_columns(conversion=col("converted_mature") / mature, mean_duration_s=col("mean_us") / US)


def said(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of touchpoints from those of places: who kept silent is weighted to where others answered."""
    cells = frame.filter(col("channel").is_not_null())
    weight = pl.when((col("answered") > 0) & (col("silent") > 0)).then("answered")
    bias = cells.group_by("touchpoint").agg(
        converted_answered=pl.when(weight.is_not_null()).then("answered_converted").sum() / weight.sum(),
        converted_silent=(weight * col("silent_converted") / col("silent")).sum() / weight.sum(),
    )
    whole_row = frame.filter(col("channel").is_null()).with_columns(
        mean=col("total") / col("n_answered"),
        csat_share=col("satisfied") / col("n_answered"),
        dissatisfied_share=col("dissatisfied") / col("n_answered"),
    )
    return whole_row.join(bias, on="touchpoint")


SHARES = ("share", "so_far_share", "horizon_s", "repeated_share", "came_back_share", "converted_share", "lost_share",
          "open_share")  # fmt: skip
ANSWERS = {
    "transitions": Answer(
        ("from", "to", "status"), ("conversion",), edges_and_nodes,
        seconds("mean", "min", "max", p=("p50_s", "p90_s", "p95_s")),
    ),
    "conversion": Answer(("channel",), SHARES, sql=seconds()),
    "drop_off": Answer(
        ("channel",),
        (*SHARES, "went_on_share", "comparable", "n_comparable", "conversions_at_stake", "value_at_stake", "stake_reason"),
        sql=seconds(of="came_back_us", p=("came_back_p50_s",)),
    ),
    "funnel": Answer(("nth",), (*SHARES, "step", "share_of_previous", "dropped"), sql=funnel_rows),
    "credit": Answer(("rule", "label"), SHARES, sql=credit_rows),
    "retention": Answer(("cohort", "period"), SHARES, weekly_cohorts, seen_again),
    "life_cycle": Answer(("month_nr",), ("retained_share", "quick_ratio"), months, until_now),
    "stickiness": Answer(("window_days",), SHARES, sql=by_window),
    "activity": Answer(("weekday", "hour"), SHARES),
    "repeat_rate": Answer(("bin", "nth"), SHARES, orders, orders_in_sql),
    "time_to_convert": Answer(
        ("day",), (*SHARES, "half_s", "open_mean_s"), whole("curves", "day", DAY, "converted", "lost"),
        leaving("day", "converted", "lost"),
    ),
    "win_back": Answer(
        ("bin",), SHARES, whole("curves", "bin", DAY, "came_back"), leaving("bin", "came_back", then=seconds())
    ),
    "waiting": Answer((), ("arrived_share", *SHARES), sql=seconds("mean")),
    "dwell": Answer(("channel",), sql=seconds("mean")),
    "handoffs": Answer(
        ("from", "to"), ("lost_at_share", "lost_excess", "p_lost", "p_lost_adjusted", "difference", "p_value", "p_adjusted"),
        sql=with_and_without,
    ),
    "decision_points": Answer(
        ("label",), ("difference", "lift", "p_value", "p_adjusted", "information_gain_bits"), sql=passed
    ),
    "variants": Answer(("path",), ("share", "covered"), paths, path_shares),
    "customer_value": Answer(
        (), ("value_per_customer", "value_per_purchase", "purchases_per_customer", "buyer_share", "repeated_share"),
        sql=lambda f: f.with_columns(
            p50_value=col("spent_by_each").list.get(0), p90_value=col("spent_by_each").list.get(1)
        ),
    ),
    "satisfaction": Answer(("touchpoint",), ("emotion", "response_share", "response_bias"), sql=said),
}  # fmt: skip
