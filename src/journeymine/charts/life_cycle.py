"""The chart of the life cycle: who is active and who went dormant in each period, and the share retained."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import grouped, leading, nothing_in, title_of
from journeymine.charts.style import ACCENT, styled
from journeymine.errors import QuestionError
from journeymine.percents import percent

__all__ = ["life_cycle_chart"]

MAX_PERIODS = 60
"""Most periods drawn, the latest."""
MAX_LABELS = 7
"""Most periods named below the picture: more would lie on each other."""
COLOURS = {"returning": ACCENT, "resurrected": "#8fb4d9", "new": "#e0a030", "dormant": "#8a8f96"}
"""Apart in lightness as well as in hue."""
_WIDTH, _HEIGHT = 520, 220


def life_cycle_chart(result: Any, *, group: str | None = None, width: int = _WIDTH) -> Any:
    """Users active in each period by kind, those gone dormant below the line, and the share retained with its interval.

    Parameters
    ----------
    result : of `life_cycle`.
    group : with `by`, the group to draw, its labels joined by " · "; by default the largest.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.

    Raises
    ------
    QuestionError : there is no such group.
    """
    import altair as alt

    names = leading(result.frame, "period")
    frame, _ = grouped(result.frame, names, "active", result.frame.height)
    panels = frame["_panel"].unique(maintain_order=True).to_list()
    if group is not None and group not in panels:
        raise QuestionError(
            f"there is no group {group!r} to draw", hint=f"there are: {', '.join(panels[:8]) or 'none'}"
        )
    chosen = panels[0] if group is None and panels else group or ""
    frame = frame.filter(pl.col("_panel") == chosen)
    n_periods, frame = frame.height, frame.tail(MAX_PERIODS)
    periods = frame["period"].cast(pl.String).to_list()
    frame = frame.drop("period").with_columns(_period=pl.Series(periods, dtype=pl.String))
    kinds = list(COLOURS)
    long = frame.select("_period", "complete", **{name: pl.col(name) for name in kinds}).unpivot(
        on=kinds, index=["_period", "complete"], variable_name="kind", value_name="users"
    )
    sign = pl.when(pl.col("kind") == "dormant").then(-1).otherwise(1)
    long = long.with_columns(
        _users=pl.col("users") * sign, _nth=pl.col("kind").replace_strict({k: i for i, k in enumerate(kinds)})
    )
    x = alt.X(
        "_period:O",
        sort=periods,
        scale=alt.Scale(domain=periods),
        title=None,
        axis=alt.Axis(labelAngle=0, labelPadding=8, values=periods[:: -(-len(periods) // MAX_LABELS) or 1]),
    )
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=kinds, range=list(COLOURS.values())), sort=kinds,
        legend=alt.Legend(title=None, orient="right", symbolType="square"),
    )  # fmt: skip
    opacity = alt.condition("datum.complete", alt.value(1), alt.value(0.45))
    bars = alt.Chart(long.to_arrow()).mark_bar().encode(
        x=x.copy(), color=colour, opacity=opacity, order=alt.Order("_nth:Q"),
        y=alt.Y("_users:Q", title="users", axis=alt.Axis(labelExpr="format(abs(datum.value), '~s')", tickCount=5)),
        tooltip=["_period", "kind", "users"],
    ).properties(width=width, height=_HEIGHT)  # fmt: skip
    chart = alt.vconcat(bars, _retained(frame, x, width), spacing=14)
    words = [
        f"{chosen}, one of {len(panels)} groups." if names and panels else "",
        f"The last {MAX_PERIODS} of {n_periods} periods." if n_periods > MAX_PERIODS else "",
        (
            "Above the line: active users; below: gone dormant; pale: the period is not whole. "
            f"Dots: share of the users of the period before that came again, {percent(result.confidence, 0)}% "
            "intervals."
        ),
    ]
    if frame.is_empty():
        words = [nothing_in(result.frame)]
    return styled(chart.properties(title=title_of(result, words)))


def _retained(frame: pl.DataFrame, x: Any, width: int) -> Any:
    """The share retained, a dot and a whisker a period."""
    import altair as alt

    data = frame.select("_period", "retained_share", "retained_share_lower", "retained_share_upper")
    base = alt.Chart(data.to_arrow()).encode(x=x.copy())
    axis = alt.Axis(format="%", tickCount=3)
    sure = base.transform_filter("isValid(datum.retained_share_lower)").mark_rule(color="#1c2024", strokeWidth=1.4)
    whisker = sure.encode(y=alt.Y("retained_share_lower:Q", title="retained", axis=axis), y2="retained_share_upper:Q")
    dots = base.transform_filter("isValid(datum.retained_share)").mark_point(
        filled=True, color=ACCENT, size=60, opacity=1
    )
    return alt.layer(whisker, dots.encode(y=alt.Y("retained_share:Q", title="retained", axis=axis))).properties(
        width=width, height=90
    )
