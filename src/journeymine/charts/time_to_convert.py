"""The chart of time to convert: what share has converted, is lost, or is open, as the time goes by."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl

from journeymine.charts.labels import in_per_cent
from journeymine.charts.style import ACCENT, QUIET, styled
from journeymine.errors import QuestionError
from journeymine.percents import percent

__all__ = ["time_to_convert_chart"]

MAX_GROUPS = 6
"""Most groups drawn; the largest are kept, and the subtitle says so."""
COLOURS = {"converted": ACCENT, "lost": "#a32f12", "open": QUIET}
UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_WIDTH, _HEIGHT = 460, 220
_LABEL_GAP = 0.065
"""Share of the height that the names at the ends of curves need."""


def time_to_convert_chart(result: Any, *, width: int = _WIDTH) -> Any:
    """Cumulative shares over the time since the first step, with their intervals; a panel for each label of `by`.

    Parameters
    ----------
    result : of `time_to_convert`.
    width : pixels of the time axis.

    Returns
    -------
    Altair chart.

    Raises
    ------
    QuestionError : there is no curve.
    """
    import altair as alt

    data, unit, left_out = _prepared(result)
    domain, colours = list(COLOURS), list(COLOURS.values())
    colour = alt.Color("outcome:N", scale=alt.Scale(domain=domain, range=colours), legend=None)
    x = alt.X("time:Q", title=f"{unit} since the first step", scale=alt.Scale(nice=False))
    y = alt.Y(
        "share:Q", title="share of journeys", axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(domain=[0, 1])
    )
    base = alt.Chart(data.to_arrow()).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.16, interpolate="step-after", line=False).encode(
        y=alt.Y("lower:Q", title="share of journeys"), y2="upper:Q"
    )
    line = base.mark_line(strokeWidth=2, interpolate="step-after").encode(
        y=y, tooltip=["outcome", "time", "at_risk", "share", "lower", "upper"]
    )
    beside = alt.Y("label_at:Q", title="share of journeys")
    name = (
        base.transform_filter("datum.last").mark_text(align="left", dx=6, fontSize=12).encode(y=beside, text="label:N")
    )
    layers = alt.layer(band, line, name).properties(width=width, height=_HEIGHT)
    if data["group"].n_unique() > 1:
        order = data["group"].unique(maintain_order=True).to_list()
        layers = layers.facet(facet=alt.Facet("group:N", sort=order, title=None), columns=2, spacing=28)
    said = [f"Open journeys are censored where the log ends; {percent(result.confidence, 0)}% intervals."]
    test = result.tables.get("test")
    p_value = None if test is None or test.is_empty() else test["p_value"][0]
    if p_value is not None:
        said.append(f"Difference in converting between the groups: p = {p_value:.2g}.")
    if left_out:
        said.append(f"The {MAX_GROUPS} largest groups of {MAX_GROUPS + left_out}.")
    title = alt.Title(textwrap.wrap(result.question, 78), subtitle=textwrap.wrap(" ".join(said), 100))
    return styled(layers.properties(title=title, padding={"left": 12, "top": 12, "bottom": 12, "right": 110}))


def _prepared(result: Any) -> tuple[pl.DataFrame, str, int]:
    """One row per group, time and outcome, from a start at 0; the unit of time; and how many groups were left out."""
    curves, summary = result.tables["curves"], result.frame
    if curves.is_empty():
        why = summary["reason"].drop_nulls()
        raise QuestionError("there is no curve to draw", hint=why[0] if len(why) else "no journey was counted")
    names = curves.columns[: curves.columns.index("time_s")]
    group = pl.concat_str([pl.col(name) for name in names], separator=" · ") if names else pl.lit("")
    largest = summary.with_columns(group=group).sort("n", "group", descending=[True, False])["group"].to_list()
    curves = curves.with_columns(group=group).filter(pl.col("group").is_in(largest[:MAX_GROUPS]))
    horizon = float(summary["horizon_s"].max())
    shown = curves.filter(pl.col("time_s") <= max(horizon * 1.5, float(curves["time_s"].min())))
    longest = float(shown["time_s"].max()) or 1.0
    seconds, unit = next(each for each in UNITS if longest >= 2 * each[0] or each[0] == 1.0)
    outcomes = [name for name in COLOURS if shown[f"{name}_share"].count()]
    rows = pl.concat(
        shown.select(
            "group", "at_risk", time=pl.col("time_s") / seconds, outcome=pl.lit(name), share=f"{name}_share",
            lower=f"{name}_share_lower", upper=f"{name}_share_upper",
        )
        for name in outcomes
    )  # fmt: skip
    rows = pl.concat([_from_zero(rows), rows]).sort("group", "outcome", "time", maintain_order=True)
    last = pl.col("time") == pl.col("time").max().over("group", "outcome")
    label = pl.col("outcome") + "  " + in_per_cent(pl.col("share"), 0)
    rows = _apart(rows.with_columns(last=last, label=label))
    return rows, unit, max(len(largest) - MAX_GROUPS, 0)


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Where the names at the ends of the curves stand: beside the end, but never on each other."""
    ends = rows.filter("last").select("group", "outcome", "share").sort("group", "share", maintain_order=True)
    places: list[float] = []
    before: tuple[str, float] | None = None
    for group, share in ends.select("group", "share").iter_rows():
        share = 0.0 if share is None else share
        low = before[1] + _LABEL_GAP if before and before[0] == group else share
        before = (group, max(share, low))
        places.append(before[1])
    return rows.join(
        ends.select("group", "outcome", label_at=pl.Series(places, dtype=pl.Float64)), on=["group", "outcome"], how="left",
        maintain_order="left",
    )  # fmt: skip


def _from_zero(rows: pl.DataFrame) -> pl.DataFrame:
    """The point at time 0, where everybody is open, for curves whose first bin comes later."""
    first = rows.group_by("group", "outcome", maintain_order=True).agg(pl.all().first()).filter(pl.col("time") > 0)
    start = pl.when(pl.col("outcome") == "open").then(1.0).otherwise(0.0)
    return first.with_columns(time=pl.lit(0.0), share=start, lower=start, upper=start).select(rows.columns)
