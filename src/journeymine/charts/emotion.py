"""The emotion curve: how customers feel from stage to stage, from −2 to +2, and how many answered."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import grouped, joined, leading, nothing_in, title_of
from journeymine.charts.style import ACCENT, INK, INTERVAL, LINE, QUIET, styled
from journeymine.percents import percent

__all__ = ["satisfaction_chart"]

MAX_GROUPS, MAX_LABELS = 6, 16
"""Most panels and most labels along the curve; the largest are kept, and the subtitle says so."""
_STEP, _HEIGHT = 108, 220


def satisfaction_chart(result: Any, *, step: int = _STEP) -> Any:
    """Mean emotion of the answers per stage (or whatever it is asked by), with intervals; a panel per further label.

    Stages, which have an order, are joined by a line; channels and the like are not.

    Parameters
    ----------
    result : of `satisfaction`.
    step : pixels from one stage to the next.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    names = sorted(leading(result.frame, "n_asked"), key=lambda name: name != "stage")
    frame = result.frame.with_columns(_place=joined(names[:1]))
    rank = {stage: at for at, stage in enumerate(result.basis.stages)} if names[:1] == ["stage"] else {}
    places = sorted(frame["_place"].unique(maintain_order=True), key=lambda place: rank.get(place, len(rank)))
    order = places[:MAX_LABELS]
    left_out = f"The first {MAX_LABELS} labels." if len(places) > MAX_LABELS else ""
    frame = frame.filter(pl.col("_place").is_in(order))
    frame, said = grouped(frame, names[1:], "n_answered", MAX_GROUPS)
    means = [f"{emotion:+.1f}" if emotion is not None else "" for emotion in frame["emotion"].to_list()]
    counts = [f"{n:,} of {asked:,}" for n, asked in frame.select("n_answered", "n_asked").iter_rows()]
    drawn = ["_place", "_panel", "n_asked", "n_answered", "emotion", "emotion_lower", "emotion_upper"]
    frame = frame.select(drawn).with_columns(
        _words=pl.Series(means, dtype=pl.String), _answers=pl.Series(counts, dtype=pl.String)
    )
    axis_x = alt.Axis(labelAngle=0, labelLimit=step - 6, labelPadding=10, labelColor=INK, grid=False)
    data = frame.to_arrow()  # one object for all layers: panels need it
    base = alt.Chart(data).encode(x=alt.X("_place:N", sort=order, title=None, axis=axis_x))
    scale = alt.Scale(domain=[-2, 2])
    axis = alt.Axis(values=[-2, -1, 0, 1, 2], labelExpr="format(datum.value, '+d')", title="emotion", grid=True)
    y = alt.Y("emotion:Q", scale=scale, axis=axis)
    zero = alt.Chart(data).mark_rule(color=LINE, strokeWidth=2).encode(y=alt.YDatum(0, scale=scale, axis=axis))
    valid = base.transform_filter("isValid(datum.emotion)")
    line = base.mark_line(
        color=ACCENT, strokeWidth=2, interpolate="monotone", invalid="break-paths-show-path-domains"
    ).encode(y=y)  # where nobody answered the line ends, and begins anew after it
    sure = base.transform_filter("isValid(datum.emotion_lower)")
    low = alt.Y("emotion_lower:Q", scale=scale, axis=axis)
    whisker = sure.mark_rule(color=INTERVAL, strokeWidth=1.4).encode(y=low, y2="emotion_upper:Q")
    dots = valid.mark_point(filled=True, color=ACCENT, size=70, opacity=1).encode(y=y, tooltip=drawn)
    figures = valid.mark_text(align="left", dx=9, dy=-9, color=INK, fontSize=12).encode(y=y, text="_words:N")
    counted = base.mark_text(baseline="bottom", dy=-2, color=QUIET, fontSize=11).encode(
        y=alt.YDatum(-2, scale=scale, axis=axis), text="_answers:N"
    )
    chart = alt.layer(zero, *([line] if rank else []), whisker, dots, figures, counted)
    chart = chart.properties(width=max(step * len(order), 160), height=_HEIGHT)
    if frame["_panel"].n_unique() > 1:
        panels = frame["_panel"].unique(maintain_order=True).to_list()
        chart = chart.facet(facet=alt.Facet("_panel:N", sort=panels, title=None), columns=1, spacing=22)
    told = [
        "Mean score on −2 … +2",
        f"upright lines: {percent(result.confidence, 0)}% intervals"
        if frame["emotion_lower"].count()
        else "no intervals",
        "below: who answered, of those asked.",
    ]
    words = ["; ".join(told), left_out, said]
    if not frame["emotion"].count():
        words = [nothing_in(result.frame)]
    return styled(chart.properties(title=title_of(result, words, 90)))
