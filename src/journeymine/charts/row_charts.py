"""Charts of rows, one for each result that is a list of labels with an estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from journeymine.charts.labels import joined, leading
from journeymine.charts.rows import Rows, rows_chart

__all__ = ["ROWS", "row_chart"]

# What has an interval comes first, however much the rest seems to weigh.
_STAKE = pl.when(pl.col("difference_lower").is_not_null()).then(pl.col("conversions_at_stake").fill_null(0.0))
# What was tested comes first: no more than one bit can be gained.
_TOLD_BITS = pl.col("information_gain_bits") + pl.col("p_adjusted").is_not_null()


def _state(frame: pl.DataFrame) -> pl.Expr:
    state = pl.col("state").list.join(" → ").str.replace_all(r"\p{C}", " ")
    names = leading(frame, "state")
    return joined(names) + " · " + state if names else state


def _claim(frame: pl.DataFrame) -> pl.Expr:
    """What to mend, in which stage where the title does not say so, and for which group."""
    told = pl.col("title").str.contains(pl.col("stage").fill_null(""), literal=True)
    before = leading(frame, "rank")
    return pl.when(told).then(joined([*before, "title"])).otherwise(joined([*before, "title", "stage"]))


def _point(frame: pl.DataFrame) -> pl.Expr:
    """A touchpoint, or a step from one to the next, and the stage."""
    names = leading(frame, "n_journeys")
    if "from" not in names:
        return joined(names)
    step = joined(["from"]) + " → " + joined(["to"])
    before = names[: names.index("from")]
    return (joined(before) + " · " if before else pl.lit("")) + step + " · " + joined(["stage"])


ROWS: dict[str, Rows] = {
    "conversion": Rows(
        "share", "percent", "share of journeys that convert", "Bars: share of mature journeys that convert, and of how "
        "many.", "n_journeys", ("n", " journeys"),
    ),
    "drop_off": Rows(
        "lost_share", "percent", "share of journeys lost here", "Bars: share of the mature journeys that come here and "
        "are lost here, and how many come.", "n_reached", ("n", " journeys"), kept=True, most=30,
        where=pl.col("n") > 0,
    ),
    "decision_points": Rows(
        "difference", "points", "conversion with less conversion without, points", "Dots: conversion of the journeys "
        "that come here less that of those as far on that do not.", "n_journeys", ("n", " journeys"),
        weight=_TOLD_BITS, told="p_adjusted", label=_point,
    ),
    "friction": Rows(
        "difference", "points", "conversion with less conversion without, points", "Dots: conversion of the journeys "
        "that stumble here less that of those that do not; most conversions at stake first.", "n_times",
        ("n", " journeys"), weight=_STAKE, told="p_adjusted",
    ),
    "first_contact_resolution": Rows(
        "share", "percent", "share of contacts that were enough", "Bars: share of contacts not followed by another, "
        "and of how many.", "n_contacts", ("n", " contacts"),
    ),
    "customer_value": Rows(
        "value_per_customer", "number", "value per customer, units of money", "Bars: mean value of a customer, and of "
        "how many.", "n_users", ("customers", " customers"),
    ),
    "stage_reach": Rows(
        "reached_share", "percent", "share of journeys that get this far", "Bars: share of the mature journeys that "
        "get this far, and how many do.", "n", ("n_reached", " journeys"), kept=True,
    ),
    "opportunities": Rows(
        "conversions_gained", "signed", "conversions gained", "Dots: conversions gained if it did as well as what it is "
        "compared with, and the journeys that come here; ranked by the lower limit.", "n", ("n", " journeys"),
        weight=-pl.col("rank").fill_null(1_000_000), most=15,
        label=_claim,
    ),
    "typical_order": Rows(
        "position", "percent", "mean place in the journey: 0 % first, 100 % last", "Bars: mean place of the first such "
        "touchpoint, and the journeys that have it.", "n_journeys", ("n_journeys", " journeys"),
        weight=-pl.int_range(pl.len()), most=40, kept=True,
    ),
    "markov": Rows(
        "converted", "percent", "share that converts from here", "Bars: where the chain ends from here: share "
        "converted, and how often it was there.", "n", ("n", " times"),
        label=_state,
    ),
    "decomposition": Rows(
        "effect", "points", "part of the change in conversion, points", "Dots: part of the change that is due to these "
        "journeys, of both mix and rate, and how many there are now.", "n_a", ("n_a", " journeys"),
        weight=pl.col("effect").abs(), most=20,
    ),
}  # fmt: skip
"""Result → how its rows are drawn."""


def row_chart(result: Any, *, width: int = 380) -> Any:
    """The labels of a result as rows: estimate, interval, figures.

    Parameters
    ----------
    result : of one of the measures in `ROWS`.
    width : pixels of the scale.

    Returns
    -------
    Altair chart.
    """
    rows = ROWS[result.name]
    if result.name == "opportunities" and _goes_by_money(result.frame):
        said = rows.said.replace("conversions gained", "what is gained, in units of money,")
        rows = replace(rows, estimate="value_gained", axis="gained, units of money", said=said)
    return rows_chart(result, rows, width=width)


def _goes_by_money(frame: pl.DataFrame) -> bool:
    """Whether the ranks of each list go by the lower limit of money; claims that bring none stand behind."""
    sure = pl.col("value_gained_lower").fill_null(0.0)
    lists = leading(frame, "rank")
    order = frame.select("rank", *lists, _sure=sure).sort(*lists, "rank")
    ordered = order.select((pl.col("_sure").diff() <= 0) | (pl.col("rank") == 1)).to_series()
    return bool((order["_sure"] > 0).any() and ordered.all())
