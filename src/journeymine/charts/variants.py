"""The chart of variants: the paths most taken, and how few or many paths make up the journeys."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import figure_of, grouped, leading, nothing_in, shortened, title_of
from journeymine.charts.style import ACCENT, INK, QUIET, styled
from journeymine.percents import percent

__all__ = ["variants_chart"]

MAX_PATHS, _LONGEST, _POINTS, _CURVES = 20, 88, 300, 6
"""Most paths drawn; longest path in words, in characters; most points of a curve; most groups with a curve."""


def variants_chart(result: Any, *, most: int = MAX_PATHS, width: int = 240) -> Any:
    """The paths most taken with their share of the journeys, and the share that the first so many paths cover.

    Parameters
    ----------
    result : of `variants`.
    most : paths drawn.
    width : pixels of the scale of the bars.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    bars, (curve, left_out) = _paths(result.frame, most), _curves(result.frame)
    keys = bars["_key"].to_list()
    axis_y = alt.Axis(
        labelPadding=8, labelExpr="slice(datum.label, 4)", labelLimit=560, labelFontSize=11, labelColor=INK
    )
    base = alt.Chart(bars.to_arrow()).encode(y=alt.Y("_key:N", sort=keys, title=None, axis=axis_y))
    x = alt.X("share:Q", axis=alt.Axis(format="%", tickCount=4, title="share of journeys"))
    marks = base.mark_bar(color=ACCENT, height={"band": 0.6}).encode(
        x=x, tooltip=["_path", "n", "n_users", "share", "covered", "conversion"]
    )
    text = base.mark_text(align="left", dx=8, color=INK, fontSize=12).encode(x=x, text="_figures:N")
    paths = alt.layer(marks, text).properties(width=width, height={"step": 24})
    line = (
        alt.Chart(curve.to_arrow())
        .mark_line(color=ACCENT, strokeWidth=2, interpolate="monotone")
        .encode(
            x=alt.X("paths:Q", title="paths, most taken first", scale=alt.Scale(type="log", nice=False),
                    axis=alt.Axis(format="~s", grid=False, tickCount=5)),
            y=alt.Y("covered:Q", title="journeys covered", scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(format="%", tickCount=4)),
        )
    )  # fmt: skip
    if curve["_group"].n_unique() > 1:
        groups = curve["_group"].unique(maintain_order=True).to_list()
        line = line.encode(color=alt.Color("_group:N", sort=groups, title=None))
    last = curve.sort("paths").tail(1).with_columns(_words=pl.format("{} paths", pl.col("_figure")))
    end = alt.Chart(last.to_arrow()).mark_text(align="right", dy=-8, color=QUIET, fontSize=12)
    end = end.encode(x="paths:Q", y="covered:Q", text="_words:N")
    covered = alt.layer(line, end).properties(width=width, height=130)
    words = [
        "Bars: share of journeys that take exactly this path, how many, and how many of the ended ones convert.",
        *result.notes,
        f"The {most} most taken of {result.frame.height:,}." if result.frame.height > most else "",
        left_out,
    ]
    if bars.is_empty():
        words = [nothing_in(result.frame)]
    return styled(alt.vconcat(paths, covered, spacing=24).properties(title=title_of(result, words, 120)))


def _paths(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """The paths most taken, in words that fit."""
    names = leading(frame, "path")
    rows = frame.sort("n", descending=True, maintain_order=True).head(most)
    paths = []
    for row in rows.iter_rows(named=True):
        group = " · ".join(str(row[name]) for name in names)
        paths.append((f"{group}: " if names else "") + _words(row["path"] or []))
    figures = [
        f"{figure_of(share, 'percent')} · {n:,}"
        + (f" · {percent(conversion, 0)} % convert" if conversion is not None else "")
        for share, n, conversion in rows.select("share", "n", "conversion").iter_rows()
    ]
    keys = [f"{i:03d}\u2009{shortened(path, _LONGEST)}" for i, path in enumerate(paths)]
    return rows.select("n", "n_users", "share", "covered", "conversion").with_columns(
        _path=pl.Series(paths, dtype=pl.String),
        _key=pl.Series(keys, dtype=pl.String),
        _figures=pl.Series(figures, dtype=pl.String),
    )


def _words(path: list[str | None]) -> str:
    """The path with arrows, steps that follow themselves counted."""
    runs: list[tuple[str, int]] = []
    for step in path:
        label = "".join(letter if letter.isprintable() else " " for letter in step or "(none)")
        if runs and runs[-1][0] == label:
            runs[-1] = (label, runs[-1][1] + 1)
        else:
            runs.append((label, 1))
    return " → ".join(label + (f" ×{n}" if n > 1 else "") for label, n in runs)


def _curves(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Share of its group's journeys that the first so many paths cover, at few enough points; and a word on the rest."""
    rows, left_out = grouped(frame, leading(frame, "path"), "n", _CURVES)
    nth, last = pl.int_range(1, pl.len() + 1).over("_panel").alias("paths"), pl.len().over("_panel").alias("_last")
    rows = rows.select("covered", nth, last, _group="_panel").with_columns(
        pl.Series("_figure", [f"{n:,}" for n in rows.select(last).to_series()], dtype=pl.String)
    )
    every = pl.max_horizontal(pl.col("_last") // _POINTS, 1)
    near = (pl.col("paths") <= 20) | (pl.col("paths") % every == 0) | (pl.col("paths") == pl.col("_last"))
    return rows.filter(near).drop("_last"), left_out
