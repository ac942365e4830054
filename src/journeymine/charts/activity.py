"""The chart of activity: weekday by hour, and what share of all falls there."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import grouped, leading, nothing_in, title_of
from journeymine.charts.style import ACCENT, styled
from journeymine.percents import percent

__all__ = ["activity_chart"]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MAX_GROUPS = 6
"""Most groups drawn; the largest are kept, and the subtitle says so."""
_CELL, _PAPER = 24, "#f4f3f0"


def activity_chart(result: Any) -> Any:
    """A heat map of weekdays and hours, a panel per group; the interval of a cell is in its tooltip.

    Parameters
    ----------
    result : of `activity`.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    names = leading(result.frame, "weekday")
    frame, left_out = grouped(result.frame, names, "n", MAX_GROUPS)
    days = dict(enumerate(DAYS, 1))
    data = frame.select(
        "_panel", "hour", "n", "share", "share_lower", "share_upper",
        day=pl.col("weekday").replace_strict(days, return_dtype=pl.String, default=""),
    )  # fmt: skip
    top = max(float(data.select(pl.col("share").max()).item() or 0.0), 1e-6)
    base = alt.Chart(data.to_arrow()).encode(
        x=alt.X("hour:O", sort=list(range(24)), scale=alt.Scale(domain=list(range(24))), title="hour",
                axis=alt.Axis(labelAngle=0)),
        y=alt.Y("day:N", sort=list(DAYS), scale=alt.Scale(domain=list(DAYS)), title=None,
                axis=alt.Axis(labelPadding=8)),
    )  # fmt: skip
    scale = alt.Scale(domain=[0, top], range=[_PAPER, ACCENT], interpolate="rgb")
    legend = alt.Legend(title="share of all", format=".1%", orient="right", gradientLength=120)
    chart = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
        color=alt.Color("share:Q", scale=scale, legend=legend),
        tooltip=["day", "hour", "n", "share", "share_lower", "share_upper"],
    )
    chart = chart.properties(width=_CELL * 24, height=_CELL * 7)
    if data["_panel"].n_unique() > 1:
        panels = data["_panel"].unique(maintain_order=True).to_list()
        chart = chart.facet(facet=alt.Facet("_panel:N", sort=panels, title=None), columns=1, spacing=20)
    words = [nothing_in(result.frame)] if data.is_empty() else [_most(data), left_out]
    return styled(chart.properties(title=title_of(result, words)))


def _most(data: pl.DataFrame) -> str:
    """Where most of one group is; of 168 hours one is always the fullest, so beside it stands what chance levels out to.

    An interval of that one hour would tell of the hour, not of its being the fullest: it stays in the tooltips.
    """
    if data["_panel"].n_unique() != 1:
        return ""
    peak = data.sort("n", "day", "hour", descending=[True, False, False]).row(0, named=True)
    return (
        f"Most in this log on {peak['day']} at {peak['hour']}: {percent(peak['share'])} %. "
        f"If all hours were alike, each would hold {percent(1 / (len(DAYS) * 24))} %."
    )
