"""The chart of retention: a triangle of cohorts and periods, a share in each cell, the curve over all above it."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl

from journeymine.charts.labels import in_per_cent, nothing_in
from journeymine.charts.style import ACCENT, INK, styled
from journeymine.errors import QuestionError
from journeymine.percents import percent

__all__ = ["retention_chart"]

MAX_COHORTS = 40
"""Most cohorts drawn; the latest are kept, and the subtitle says so."""
MAX_PERIODS = 60
"""Most periods drawn; the first are kept, those that no cohort has reached are left out."""
_CELL_WIDTH, _CELL_HEIGHT, _CURVE = 46, 24, 130
_PAPER = "#f4f3f0"


def retention_chart(result: Any, *, group: str | None = None) -> Any:
    """Share of each cohort that came again, by period, with the curve over all cohorts and its interval above.

    Cells that nobody has reached yet stay empty; pale figures rest on a part of the cohort.

    Parameters
    ----------
    result : of `retention`.
    group : with `by`, the group to draw, its labels joined by " · "; by default the largest.

    Returns
    -------
    Altair chart.

    Raises
    ------
    QuestionError : there is no such group.
    """
    import altair as alt

    cells, overall, said = _prepared(result, group)
    x = alt.X("period:O", title="periods after entry", axis=alt.Axis(labelAngle=0, orient="bottom"))
    cohorts = cells["_cohort"].unique(maintain_order=True).to_list()
    y = alt.Y("_cohort:N", sort=cohorts, title="cohort from · users", axis=alt.Axis(labelPadding=8))
    top = max(float(cells["share"].max() or 0.0), 0.01)  # type: ignore[arg-type]
    base = alt.Chart(cells.to_arrow()).encode(x=x, y=y)
    colour = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, top], range=[_PAPER, ACCENT], interpolate="rgb"), legend=None
    )
    tooltip = ["_cohort", "period", "n_cohort", "n", "retained", "share", "share_lower", "share_upper", "reason"]
    squares = (
        base.transform_filter("isValid(datum.share)")
        .mark_rect(stroke="white", strokeWidth=1.5)
        .encode(color=colour, tooltip=tooltip)
    )
    figures = base.mark_text(fontSize=11).encode(
        text="_figure:N",
        color=alt.condition(f"datum.share > {0.68 * top}", alt.value("white"), alt.value(INK)),
        opacity=alt.condition("datum._partly", alt.value(0.65), alt.value(1)),
    )
    n_periods = cells["period"].n_unique()
    grid = alt.layer(squares, figures).properties(
        width=max(_CELL_WIDTH * n_periods, 240), height={"step": _CELL_HEIGHT}
    )
    chart = alt.vconcat(_curve(overall, max(_CELL_WIDTH * n_periods, 240)), grid, spacing=14)
    return styled(
        chart.properties(title=alt.Title(textwrap.wrap(result.question, 78), subtitle=textwrap.wrap(said, 100)))
    )


def _curve(overall: pl.DataFrame, width: int) -> Any:
    import altair as alt

    above = alt.X("period:O", title=None, axis=alt.Axis(labels=False))
    y = alt.Y("share:Q", title="all cohorts", axis=alt.Axis(format="%", tickCount=3), scale=alt.Scale(zero=True))
    base = alt.Chart(overall.to_arrow()).encode(x=above)
    band = base.mark_area(color=ACCENT, opacity=0.18).encode(
        y=alt.Y("share_lower:Q", title="all cohorts"), y2="share_upper:Q"
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2).encode(y=y)
    dots = base.mark_point(color=ACCENT, filled=True, opacity=1, size=34).encode(
        y=y, tooltip=["period", "n", "retained", "share", "share_lower", "share_upper"]
    )
    return alt.layer(band, line, dots).properties(width=width, height=_CURVE)


def _prepared(result: Any, group: str | None) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """The cells and the curve of one group, with labels and figures; and what the subtitle says."""
    frame, overall = result.frame, result.tables["overall"]
    names = frame.columns[: frame.columns.index("cohort")]
    said = ["Cells: share of the cohort; empty where the period is not over."]
    if names:
        joined = pl.concat_str([pl.col(name) for name in names], separator=" · ").alias("_group")
        frame, overall = frame.with_columns(joined), overall.with_columns(joined)
        sizes = overall.filter(pl.col("period") == 0).sort("n", "_group", descending=[True, False])["_group"].to_list()
        if group is not None and group not in sizes:
            raise QuestionError(
                f"there is no group {group!r} to draw", hint=f"there are: {', '.join(sizes[:8]) or 'none'}"
            )
        chosen = sizes[0] if group is None and sizes else group or ""
        frame, overall = frame.filter(pl.col("_group") == chosen), overall.filter(pl.col("_group") == chosen)
        if sizes:
            said.insert(0, f"{chosen}, one of {len(sizes)} groups.")
    told = frame.filter(pl.col("share").is_not_null())["period"]
    seen = int(told.max()) + 1 if len(told) else 1
    if seen > MAX_PERIODS:
        said.append(f"The first {MAX_PERIODS} periods of {seen}.")
    frame, overall = (part.filter(pl.col("period") < min(seen, MAX_PERIODS)) for part in (frame, overall))
    latest = frame["cohort"].unique().sort().tail(MAX_COHORTS)
    left_out = frame["cohort"].n_unique() - len(latest)
    if left_out:
        said.append(f"The latest {MAX_COHORTS} cohorts of {MAX_COHORTS + left_out}.")
    figure = pl.when(pl.col("share").is_null()).then(pl.lit("")).otherwise(in_per_cent(pl.col("share"), 0))
    size = pl.col("n_cohort").map_elements(lambda n: f"{n:,}", return_dtype=pl.String)
    cells = frame.filter(pl.col("cohort").is_in(latest.implode())).with_columns(
        _cohort=pl.col("cohort").dt.strftime("%d %b %Y") + " · " + size,
        _figure=figure,
        _partly=pl.col("n") < pl.col("n_cohort"),
    )
    said.append(f"The curve has {percent(result.confidence, 0)}% intervals.")
    if not len(told):
        said = [nothing_in(frame)]
    return cells.drop("cohort"), overall.filter(pl.col("share").is_not_null()), " ".join(said)
