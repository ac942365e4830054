"""The chart of handoffs: who passes to whom how often, and where arriving costs journeys."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import joined, leading, title_of
from journeymine.charts.rows import Rows, layers_of, rows_of, words_on_marks
from journeymine.charts.style import ACCENT, INK, styled
from journeymine.percents import percent

__all__ = ["handoffs_chart"]

MAX_LABELS = 16
"""Most channels drawn; those with the most crossings are kept, and the subtitle says so."""
_CELL, _PAPER = 40, "#f4f3f0"


def handoffs_chart(result: Any, *, most: int = 12) -> Any:
    """Crossings from one label to another as a heat map; below it what is lost after it, with intervals.

    Parameters
    ----------
    result : of `handoffs`.
    most : handoffs drawn below the heat map, the most certain first.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    cells, said = _cells(result.frame)
    names = cells.group_by("_to").agg(pl.col("n_crossings").sum()).rename({"_to": "_from"})
    both = pl.concat([cells.select("_from", "n_crossings"), names.select("_from", "n_crossings")])
    sizes = both.group_by("_from").agg(pl.col("n_crossings").sum())
    order = sizes.sort("n_crossings", "_from", descending=[True, False])["_from"].to_list()
    top = max([*cells["n_crossings"].to_list(), 1])
    base = alt.Chart(cells.to_arrow()).encode(
        x=alt.X("_to:N", sort=order, title="to", axis=alt.Axis(orient="top", labelAngle=-40, labelLimit=140)),
        y=alt.Y("_from:N", sort=order, title="from", axis=alt.Axis(labelPadding=8, labelLimit=180)),
    )
    scale = alt.Scale(domain=[0, top], range=[_PAPER, ACCENT], interpolate="rgb")
    squares = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
        color=alt.Color("n_crossings:Q", scale=scale, legend=None),
        tooltip=["_from", "_to", "n_crossings", "n", "lost_at"],
    )
    figures = base.mark_text(fontSize=11).encode(
        text=alt.Text("n_crossings:Q", format=",d"),
        color=alt.condition(f"datum.n_crossings > {0.55 * top}", alt.value("white"), alt.value(INK)),
    )
    size = max(_CELL * len(order), 120)
    heat = alt.layer(squares, figures).properties(width=size, height=size * 0.66)
    rows = _lost(most)
    data, _ = rows_of(result.frame, rows)
    parts = [heat] if data.is_empty() else [heat, layers_of(data, rows, width=300)]
    words = [
        "Cells: crossings from one to the other.",
        *([] if data.is_empty() else [rows.said, f"Lines: {percent(result.confidence, 0)}% intervals."]),
        *words_on_marks(data),
        said,
    ]
    if cells.is_empty():
        words = ["Nothing to draw: no journey crosses from one to another."]
    return styled(alt.vconcat(*parts, spacing=28).properties(title=title_of(result, words)))


def _lost(most: int) -> Rows:
    """The dots below: journeys lost on arrival, above those that arrive another way."""
    return Rows(
        "lost_excess", "points", "lost on arrival, less that of other arrivals there, points", "Dots: share lost on arrival less that of "
        "the other arrivals there, where it is most certain.", "n_crossings", ("n", " journeys"),
        weight=-pl.col("p_lost").fill_null(1.0), most=most, where=pl.col("lost_excess_lower").is_not_null(),
        told="p_lost_adjusted", label=_words,
    )  # fmt: skip


def _words(frame: pl.DataFrame) -> pl.Expr:
    others = [name for name in leading(frame, "n_crossings") if name not in ("from", "to")]
    crossing = joined(["from"]) + " → " + joined(["to"])
    return crossing + " · " + joined(others) if others else crossing


def _cells(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Crossings summed over stages and groups, of the labels that cross most."""
    data = frame.with_columns(_from=joined(["from"]), _to=joined(["to"]))
    ends = pl.concat([data.select(label=name, n="n_crossings") for name in ("_from", "_to")])
    sizes = ends.group_by("label").agg(pl.col("n").sum()).sort("n", "label", descending=[True, False])
    kept = sizes["label"].head(MAX_LABELS).to_list()
    said = f"The {MAX_LABELS} labels that cross most, of {sizes.height}." if sizes.height > MAX_LABELS else ""
    data = data.filter(pl.col("_from").is_in(kept), pl.col("_to").is_in(kept))
    sums = data.group_by("_from", "_to").agg(pl.col("n_crossings", "n", "lost_at").sum())
    return sums.sort("_from", "_to"), said
