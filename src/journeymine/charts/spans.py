"""The chart of durations: where half and where nine in ten are through, with their intervals."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import duration_axis, figure_of, joined, leading, nothing_in, shortened, title_of
from journeymine.charts.style import ACCENT, INK, INTERVAL, LINE, styled
from journeymine.percents import percent

__all__ = ["dwell_chart", "waiting_chart"]

_MOST, _STEP, _WIDTH = 25, 32, 420


def dwell_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Time spent in each stage: median and 90th percentile, with intervals.

    Parameters
    ----------
    result : of `dwell`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.
    """
    return _spans(result, leading(result.frame, "n_reached"), "time spent here", width)


def waiting_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Time waited from one touchpoint to another: median and 90th percentile, with intervals.

    Parameters
    ----------
    result : of `waiting`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.
    """
    return _spans(result, leading(result.frame, "n_journeys"), "time waited", width)


def _spans(result: Any, names: list[str], axis_title: str, width: int) -> Any:
    import altair as alt

    data, left_out = _prepared(result.frame, names)
    longest = data.select(pl.max_horizontal(pl.col("p90_s", "p90_s_upper", "p50_s_upper").max())).item() or 1.0
    values, label, unit = duration_axis(float(longest))
    axis_y = alt.Axis(labelPadding=8, labelExpr="slice(datum.label, 4)", labelLimit=320, labelColor=INK)
    base = alt.Chart(data.to_arrow()).encode(y=alt.Y("_key:N", sort=data["_key"].to_list(), title=None, axis=axis_y))
    scale = alt.Scale(domain=[0, max(values[-1], float(longest))])
    axis = alt.Axis(values=values, labelExpr=label, title=f"{axis_title}, {unit}")
    span = base.mark_rule(color=LINE, strokeWidth=7).encode(x=alt.X("p50_s:Q", scale=scale, axis=axis), x2="p90_s:Q")
    tooltip = ["_row", "n", "p50_s", "p50_s_lower", "p50_s_upper", "p90_s", "p90_s_lower", "p90_s_upper"]
    layers = [span]
    for name, filled in (("p50_s", True), ("p90_s", False)):
        x = alt.X(f"{name}:Q", scale=scale, axis=axis)
        sure = base.transform_filter(f"isValid(datum.{name}_lower)")
        low = alt.X(f"{name}_lower:Q", scale=scale, axis=axis)
        layers.append(sure.mark_rule(color=INTERVAL, strokeWidth=1.4).encode(x=low, x2=f"{name}_upper:Q"))
        inside = ACCENT if filled else "white"
        dots = base.mark_point(filled=True, fill=inside, stroke=ACCENT, strokeWidth=2, opacity=1, size=60)
        layers.append(dots.encode(x=x, tooltip=tooltip))
    text = base.mark_text(align="left", dx=10, color=INK, fontSize=12)
    layers.append(text.encode(x=alt.X("_right:Q", scale=scale, axis=axis), text="_figures:N"))
    words = [
        (
            "Full dots: half are through; hollow: nine in ten; and of how many. "
            f"Lines: {percent(result.confidence, 0)}% intervals of each."
        ),
        f"The {_MOST} largest rows of {_MOST + left_out}." if left_out else "",
    ]
    if data.is_empty():
        words = [nothing_in(result.frame)]
    chart = alt.layer(*layers).properties(width=width, height={"step": _STEP}, title=title_of(result, words))
    return styled(chart)


def _prepared(frame: pl.DataFrame, names: list[str]) -> tuple[pl.DataFrame, int]:
    """The rows with a median, the largest, in their own order."""
    data = frame.with_columns(_row=joined(names), _nth=pl.int_range(pl.len())).filter(pl.col("p50_s").is_not_null())
    left_out = max(data.height - _MOST, 0)
    data = data.sort("n", "_nth", descending=[True, False]).head(_MOST).sort("_nth")
    timed = "arrived" if "arrived" in frame.columns else "n"
    figures = [
        f"{figure_of(half, 'seconds')} · {figure_of(most, 'seconds')} · {n:,}" + (f" of {all_:,}" if all_ > n else "")
        for half, most, n, all_ in data.select("p50_s", "p90_s", pl.col(timed).alias("_timed"), "n").iter_rows()
    ]
    keys = [f"{i:03d}\u2009{shortened(row)}" for i, row in enumerate(data["_row"].to_list())]
    limits = ["p50_s", "p50_s_lower", "p50_s_upper", "p90_s", "p90_s_lower", "p90_s_upper"]
    data = data.with_columns(
        _key=pl.Series(keys, dtype=pl.String),
        _figures=pl.Series(figures, dtype=pl.String),
        _right=pl.max_horizontal("p50_s", "p50_s_upper", "p90_s", "p90_s_upper"),
    )
    return data.select("n", *limits, "_row", "_key", "_figures", "_right"), left_out
