"""Charts of a share over time since something: who came back, who bought again; and over days: stickiness."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import duration_axis, grouped, in_per_cent, leading, nothing_in, title_of
from journeymine.charts.style import ACCENT, INK, INTERVAL, styled
from journeymine.percents import percent

__all__ = ["repeat_rate_chart", "stickiness_chart", "win_back_chart"]

MAX_GROUPS = 6
"""Most groups drawn; the largest are kept, and the subtitle says so."""
MAX_DRAWN = 5_000
"""Most days drawn in all panels together, as Altair takes no more; then fewer groups are drawn, or the latest days."""
_WIDTH, _HEIGHT = 420, 190


def win_back_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Share of the lost journeys that were followed by another, over the time since.

    Parameters
    ----------
    result : of `win_back`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.
    """
    return _since(result, "curves", "came_back_share", "time since it was lost", "share that came back", width)


def repeat_rate_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Share of the customers that came to the goal again, over the time since.

    Parameters
    ----------
    result : of `repeat_rate`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.
    """
    return _since(result, "hazard", "repeated_share", "time since they last came", "share that came again", width)


def _since(result: Any, table: str, share: str, axis_title: str, y_title: str, width: int) -> Any:
    import altair as alt

    frame = result.tables[table].filter(pl.col(share).is_not_null())
    frame, left_out = grouped(frame, leading(frame, "time_s"), "at_risk", MAX_GROUPS)
    limits = [f"{share}_lower", f"{share}_upper"]
    data = frame.select("_panel", "time_s", "at_risk", share, *limits)
    # Everybody is away at time 0: the curve starts there.
    first = data.group_by("_panel", maintain_order=True).first().filter(pl.col("time_s") > 0)
    start = first.with_columns(time_s=pl.lit(0.0), **{name: pl.lit(0.0) for name in (share, *limits)})
    order = data["_panel"].unique(maintain_order=True).to_list()
    data = pl.concat([start, data.select(start.columns)]).sort("time_s", maintain_order=True)
    values, label, unit = duration_axis(float(data.select(pl.col("time_s").max()).item() or 1.0))
    last = (pl.col("time_s") == pl.col("time_s").max().over("_panel")).alias("_last")
    figure = in_per_cent(pl.col(share), 0).alias("_figure")
    base = alt.Chart(data.with_columns(last, figure).to_arrow()).encode(
        x=alt.X("time_s:Q", scale=alt.Scale(nice=False), title=f"{axis_title}, {unit}",
                axis=alt.Axis(values=values, labelExpr=label)),
    )  # fmt: skip
    layers = _banded(base, share, y_title).properties(width=width, height=_HEIGHT)
    if len(order) > 1:
        facet = alt.Facet("_panel:N", sort=order, title=None)
        layers = layers.facet(facet=facet, columns=2, spacing=28)
    words = [
        f"Those still away are censored where the log ends. Band: {percent(result.confidence, 0)}% intervals.",
        left_out,
    ]
    if data.is_empty():
        words = [nothing_in(result.frame)]
    return styled(layers.properties(title=title_of(result, words)))


def _banded(base: Any, share: str, y_title: str) -> Any:
    """The band of the intervals, the curve over it, its last figure beside it."""
    import altair as alt

    y = alt.Y(f"{share}:Q", title=y_title, axis=alt.Axis(format="%", tickCount=4), scale=alt.Scale(zero=True))
    low = alt.Y(f"{share}_lower:Q", title=y_title)
    band = base.mark_area(color=ACCENT, opacity=0.18, interpolate="step-after").encode(y=low, y2=f"{share}_upper:Q")
    line = base.mark_line(color=ACCENT, strokeWidth=2, interpolate="step-after").encode(
        y=y, tooltip=["time_s", "at_risk", share, f"{share}_lower", f"{share}_upper"]
    )
    text = base.transform_filter("datum._last").mark_text(align="left", dx=6, color=INK, fontSize=12)
    # The last interval has no step after it that could show it.
    end = (
        base.transform_filter("datum._last")
        .mark_rule(color=INTERVAL, strokeWidth=1.4)
        .encode(y=low, y2=f"{share}_upper:Q")
    )
    return alt.layer(band, line, end, text.encode(y=y, text="_figure:N"))


def stickiness_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Share of the users of a window that are active on a day, day by day, with the mean over the days beside it.

    Parameters
    ----------
    result : of `stickiness`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    days = result.tables["days"].filter(pl.col("share").is_not_null())
    days, left_out = _few_enough(days)
    window = pl.col("window_days").cast(pl.String) + " days"
    panel = pl.when(pl.col("_panel") == "").then(window).otherwise(pl.col("_panel") + " · " + window)
    data = days.with_columns(_panel=panel, _day=pl.col("day").cast(pl.String))
    order = data["_panel"].unique(maintain_order=True).to_list()
    drawn = ["_panel", "_day", "active_1d", "active", "share", "share_lower", "share_upper"]
    base = alt.Chart(data.select(drawn).to_arrow()).encode(
        x=alt.X("_day:T", title=None, axis=alt.Axis(format="%-d %b %Y", tickCount=4, grid=False))
    )
    y = alt.Y("share:Q", title="active on the day", axis=alt.Axis(format="%", tickCount=4), scale=alt.Scale(zero=True))
    band = base.mark_area(color=ACCENT, opacity=0.18).encode(
        y=alt.Y("share_lower:Q", title="active on the day"), y2="share_upper:Q"
    )
    line = base.mark_line(color=ACCENT, strokeWidth=1.6).encode(y=y, tooltip=drawn)
    chart = alt.layer(band, line).properties(width=width, height=_HEIGHT * 0.7)
    chart = chart.facet(facet=alt.Facet("_panel:N", sort=order, title=None), columns=1, spacing=20)
    means = [
        f"{row['window_days']} days: {percent(row['share'])} %"
        for row in result.frame.filter(pl.col("share").is_not_null()).iter_rows(named=True)
    ]
    mean = f"Mean over the days: {'; '.join(means)}." if means and len(means) <= 4 else ""
    words = (
        [nothing_in(result.frame)]
        if data.is_empty()
        else [
            f"Share of the users of the last so many days; band: {percent(result.confidence, 0)}% intervals.",
            mean,
            left_out,
        ]
    )
    return styled(chart.properties(title=title_of(result, words)))


def _few_enough(days: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The days of the largest groups; of fewer groups where they are many, and the latest where one group has too many."""
    names = leading(days, "window_days")
    sizes = [days.height] if not names or days.is_empty() else days.group_by(names).len()["len"].to_list()
    most = min(MAX_GROUPS, max(MAX_DRAWN // max(*sizes, 1), 1))
    days, said = grouped(days, names, "active", most)
    if days.height <= MAX_DRAWN:
        return days, said
    latest = days["day"].unique().sort().tail(MAX_DRAWN // max(days["window_days"].n_unique(), 1))
    return days.filter(pl.col("day") >= latest[0]), f"{said} The latest {len(latest):,} days.".strip()
