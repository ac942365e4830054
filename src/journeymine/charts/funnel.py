"""The chart of a funnel: a bar per step, its interval in ink, its figures beside it."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl

from journeymine.charts.labels import in_per_cent, nothing_in
from journeymine.charts.style import ACCENT, INK, INTERVAL, styled
from journeymine.percents import percent

__all__ = ["funnel_chart"]

MAX_GROUPS = 12
"""Most labels drawn; those with the most entrants are kept, and the subtitle says so."""
_BAR, _WIDTH = 34, 420


def funnel_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Share of entrants that reach each step, a bar each; a panel for each label of `by`.

    Parameters
    ----------
    result : of `funnel`.
    width : pixels of the 0–100 % scale.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    data, left_out = _prepared(result.frame)
    grouped = "_label" in data.columns
    order = data.sort("nth")["_row"].unique(maintain_order=True).to_list()
    y = alt.Y("_row:N", sort=order, title=None, axis=alt.Axis(labelPadding=8))
    scale = alt.Scale(domain=[0, 1.0])
    base = alt.Chart(data.to_arrow()).encode(y=y)
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], title="share of entrants")
    bars = base.mark_bar(color=ACCENT, height={"band": 0.62}).encode(
        x=alt.X("share:Q", scale=scale, axis=axis),
        opacity=alt.condition("datum._optional", alt.value(0.55), alt.value(1)),
        tooltip=["step", "n", "n_entrants", "share", "share_lower", "share_upper", "dropped", "p50_s", "p90_s"],
    )
    interval = base.transform_filter("datum.share_upper > datum.share_lower").mark_rule(color=INTERVAL, strokeWidth=1.4)
    whisker = interval.encode(x=alt.X("share_lower:Q", scale=scale), x2="share_upper:Q")
    ends = base.transform_filter("datum.share_upper > datum.share_lower").mark_tick(
        color=INTERVAL, thickness=1.4, size=9
    )
    text = base.mark_text(align="left", baseline="middle", dx=8, color=INK, fontSize=12).encode(
        x=alt.X("_right:Q", scale=scale), text="_figures:N"
    )
    chart = alt.layer(bars, whisker, ends.encode(x="share_lower:Q"), ends.encode(x="share_upper:Q"), text)
    chart = chart.properties(width=width, height={"step": _BAR})
    if grouped:
        labels = data["_label"].unique(maintain_order=True).to_list()
        chart = chart.facet(facet=alt.Facet("_label:N", sort=labels, title=None), columns=1, spacing=18)
    return styled(chart.properties(title=_title(result, left_out)))


def _prepared(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The frame with a row label, the figures in words, and the largest groups only; and how many were left out."""
    names = frame.columns[: frame.columns.index("nth")]
    left_out = 0
    if names:
        frame = frame.with_columns(_label=pl.concat_str([pl.col(name) for name in names], separator=" · "))
        largest = frame.filter(pl.col("nth") == 1).sort("n_entrants", descending=True, maintain_order=True)["_label"]
        left_out = max(len(largest) - MAX_GROUPS, 0)
        rank = {label: i for i, label in enumerate(largest.head(MAX_GROUPS))}
        frame = frame.filter(pl.col("_label").is_in(list(rank)))
        frame = frame.sort(pl.col("_label").replace_strict(rank, return_dtype=pl.Int64), "nth", maintain_order=True)
    optional = pl.col("dropped").is_null() & (pl.col("nth") > 1)
    words = in_per_cent(pl.col("share"))
    figures = pl.when(pl.col("share").is_null()).then(pl.lit("–")).otherwise(words)
    counted = pl.col("n").map_elements(lambda n: f"{n:,}", return_dtype=pl.String)
    return frame.with_columns(
        _row=pl.col("nth").cast(pl.String)
        + "  "
        + pl.col("step")
        + pl.when(optional).then(pl.lit(" (optional)")).otherwise(pl.lit("")),
        _optional=optional,
        _right=pl.max_horizontal("share", "share_upper").fill_null(0.0),
        _figures=figures + " · " + counted,
    ), left_out


def _title(result: Any, left_out: int) -> Any:
    import altair as alt

    immature = result.frame.filter(pl.col("nth") == 1)["immature"].sum()
    said = [f"Bars: share of entrants and how many; {percent(result.confidence, 0)}% intervals."]
    if immature:
        said.append(f"Left out, as their window is still open: {immature:,}.")
    if not result.frame["share"].count():
        said[0] = nothing_in(result.frame)
    if left_out:
        said.append(f"The {MAX_GROUPS} largest groups of {MAX_GROUPS + left_out}.")
    return alt.Title(textwrap.wrap(result.question, 72), subtitle=textwrap.wrap(" ".join(said), 96))
