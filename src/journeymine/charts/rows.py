"""A row per label, its estimate, its interval in ink and its figures beside it: what most results look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from journeymine.charts.labels import figure_of, joined, leading, nothing_in, shortened, title_of
from journeymine.charts.style import ACCENT, INK, INTERVAL, LINE, QUIET, styled
from journeymine.percents import percent

__all__ = ["Rows", "layers_of", "rows_chart", "rows_of", "words_on_marks"]

_STEP, _WIDTH = 26, 380
_MARKED = ("_pale", "_told", "_tested")
_AXES: dict[str, dict[str, Any]] = {
    "percent": {"format": "%"},
    "points": {"labelExpr": "datum.value ? format(datum.value * 100, '+~f') : '0'"},
    "number": {"format": ",f"},
    "count": {"format": ",d"},
    "signed": {"format": "+,f"},
}


@dataclass(frozen=True)
class Rows:
    """What a chart of rows shows.

    Attributes
    ----------
    estimate : column drawn; its limits are `<estimate>_lower` and `<estimate>_upper`, where there are such columns.
    form : ``"percent"`` (bars on 0–100 %), ``"points"`` or ``"signed"`` (dots about a line at 0), ``"number"`` or
        ``"count"`` (bars).
    axis : title of the axis.
    said : what the marks are, in a sentence.
    first : the first counted column; the label columns come before it.
    count : column of the figure behind the estimate, and its unit in words.
    weight : what decides which rows are drawn, most first; by default the count. `kept` keeps the order of the frame.
    where : rows that can be drawn at all.
    told : column of p-values; rows above 0.05 are grey, those without one hollow.
    """

    estimate: str
    form: str
    axis: str
    said: str
    first: str
    count: tuple[str, str] = ("n", "")
    weight: pl.Expr | None = None
    kept: bool = False
    most: int = 25
    where: pl.Expr | None = None
    told: str | None = None
    label: Callable[[pl.DataFrame], pl.Expr] | None = None
    names: Sequence[str] | None = None

    @property
    def limits(self) -> tuple[str, str]:
        """Names of the columns of the interval."""
        return f"{self.estimate}_lower", f"{self.estimate}_upper"


def rows_of(frame: pl.DataFrame, rows: Rows) -> tuple[pl.DataFrame, int]:
    """The rows drawn, most weight first, with label, figures and reach; and how many were left out."""
    lower, upper = rows.limits
    missing = [pl.lit(None, pl.Float64).alias(name) for name in rows.limits if name not in frame.columns]
    label = rows.label(frame) if rows.label else joined(rows.names or leading(frame, rows.first))
    data = frame.with_columns(*missing, _row=label).filter(pl.col(rows.estimate).is_not_null())
    if rows.where is not None:
        data = data.filter(rows.where)
    weight = pl.col(rows.count[0]) if rows.weight is None else rows.weight
    data = data.with_columns(_weight=weight.cast(pl.Float64), _nth=pl.int_range(pl.len()))
    left_out = max(data.height - rows.most, 0)
    data = data.sort("_weight", "_nth", descending=[True, False], nulls_last=True).head(rows.most)
    if rows.kept:
        data = data.sort("_nth")
    pale = pl.col("sparse").fill_null(value=False) if "sparse" in frame.columns else pl.lit(value=False)
    p = pl.lit(0.0) if rows.told is None else pl.col(rows.told)
    told, tested = (p <= 0.05).fill_null(value=False), p.is_not_null()
    data = data.with_columns(_pale=pale, _told=told, _tested=tested, _right=pl.max_horizontal(rows.estimate, upper))
    figures = [
        f"{figure_of(value, rows.form)} · {count:,.0f}{rows.count[1].removesuffix('s') if count == 1 else rows.count[1]}"
        for value, count in data.select(rows.estimate, rows.count[0]).fill_null(0).iter_rows()
    ]
    # Rows with one label, as two attributes may make, stay two rows: the place is part of the key, not of the words.
    keys = [f"{i:03d}\u2009{shortened(label)}" for i, label in enumerate(data["_row"].to_list())]
    data = data.with_columns(_figures=pl.Series(figures, dtype=pl.String), _key=pl.Series(keys, dtype=pl.String))
    drawn = [rows.estimate, lower, upper, rows.count[0], "_row", "_key", "_figures", "_right", *_MARKED]
    return data.select(list(dict.fromkeys(drawn))), left_out


def layers_of(data: pl.DataFrame, rows: Rows, *, width: int = _WIDTH) -> Any:
    """Bars or dots with whiskers and figures, without a title."""
    import altair as alt

    lower, upper = rows.limits
    keys = data["_key"].to_list()
    axis_y = alt.Axis(labelPadding=8, labelExpr="slice(datum.label, 4)", labelLimit=380, labelColor=INK)
    base = alt.Chart(data.to_arrow()).encode(y=alt.Y("_key:N", sort=keys, title=None, axis=axis_y))
    scale = _scale(data, rows)
    axis = alt.Axis(title=rows.axis, tickCount=5, **_AXES[rows.form])
    x = alt.X(f"{rows.estimate}:Q", scale=scale, axis=axis)
    tooltip = ["_row", rows.estimate, lower, upper, rows.count[0]]
    colour = alt.condition("datum._told", alt.value(ACCENT), alt.value(QUIET))
    opacity = alt.condition("datum._pale", alt.value(0.5), alt.value(1))
    sure = f"isValid(datum['{lower}']) && datum['{upper}'] > datum['{lower}']"
    whisker = base.transform_filter(sure).mark_rule(color=INTERVAL, strokeWidth=1.4).encode(
        x=alt.X(f"{lower}:Q", scale=scale, axis=axis), x2=f"{upper}:Q"
    )  # fmt: skip
    if rows.form in ("percent", "number", "count"):
        marks = [
            base.mark_bar(height={"band": 0.6}).encode(x=x, opacity=opacity, color=colour, tooltip=tooltip),
            whisker,
        ]
    else:
        zero = alt.Chart(data.to_arrow()).mark_rule(color=LINE, strokeWidth=2).encode(x=alt.XDatum(0.0, scale=scale))
        told, tested = alt.when("datum._told").then(alt.value(ACCENT)), "datum._tested"
        fill = told.when(tested).then(alt.value(QUIET)).otherwise(alt.value("white"))
        dots = base.mark_point(size=56, opacity=1).encode(
            x=x, opacity=opacity, stroke=colour, fill=fill, tooltip=tooltip
        )
        marks = [zero, whisker, dots]
    text = base.mark_text(align="left", baseline="middle", dx=8, color=INK, fontSize=12).encode(
        x=alt.X("_right:Q", scale=scale, axis=axis), text="_figures:N"
    )
    return alt.layer(*marks, text).properties(width=width, height={"step": _STEP})


def _scale(data: pl.DataFrame, rows: Rows) -> Any:
    """The scale, from 0 for bars; percentages end at 100 where much of it is used."""
    import altair as alt

    lower, _upper = rows.limits
    high = data.select(pl.max_horizontal(pl.col("_right").max(), 0.0)).item() or 0.0
    low = data.select(pl.min_horizontal(pl.col(rows.estimate).min(), pl.col(lower).min(), 0.0)).item() or 0.0
    if rows.form == "percent":
        return alt.Scale(domain=[0, 1.0 if high > 0.5 else max(high, 0.01)], nice=high <= 0.5)
    if high == low:
        high = 1.0
    return alt.Scale(domain=[low, high], nice=True)


def words_on_marks(data: pl.DataFrame) -> list[str]:
    """What grey, hollow and pale marks say, where there are any."""
    grey = (data["_tested"] & ~data["_told"]).any()
    return [
        *(["Grey: no difference to be told (adjusted p above 0.05)."] if grey else []),
        *(["Hollow: not tested, too few to compare."] if not data["_tested"].all() else []),
        *(["Pale: few users, or few who convert."] if data["_pale"].any() else []),
    ]


def rows_chart(result: Any, rows: Rows, *, width: int = _WIDTH, said: Sequence[str] = ()) -> Any:
    """The finished chart of a result as rows."""
    data, left_out = rows_of(result.frame, rows)
    words = [rows.said, f"Lines: {percent(result.confidence, 0)}% intervals.", *said]
    words += words_on_marks(data)
    if data.is_empty():
        words = [nothing_in(result.frame)]
    if left_out:
        words.append(f"The {rows.most} largest rows of {rows.most + left_out}.")
    return styled(layers_of(data, rows, width=width).properties(title=title_of(result, words)))
