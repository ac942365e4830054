"""The chart of attribution: a panel per rule, a row per channel, so that a channel's credit is read across the rules."""

from __future__ import annotations

import textwrap
from typing import Any

import polars as pl

from journeymine.charts.style import ACCENT, INK, INTERVAL, LINE, QUIET, styled
from journeymine.errors import QuestionError
from journeymine.percents import percent

__all__ = ["attribution_chart"]

MAX_LABELS, MAX_GROUPS = 20, 6
"""Most rows and groups drawn; those with the most credit are kept, and the subtitle says so."""
_STEP, _WIDTH = 24, 116
_NAMES = {
    "first": "first",
    "last": "last",
    "last_non_direct": "last non-direct",
    "linear": "linear",
    "position": "position",
    "w_shaped": "W",
    "time_decay": "time decay",
    "markov": "Markov",
    "shapley": "Shapley",
}
_AXES = {"conversions": "conversions", "value": "value", "share": "share of conversions"}


def attribution_chart(result: Any, *, column: str = "conversions", width: int = _WIDTH) -> Any:
    """Credit of each label by each rule, with its interval; a grey tick marks the mean over the rules drawn.

    Parameters
    ----------
    result : of `attribution` or `attribution_from_paths`.
    column : what to draw: ``"conversions"``, ``"value"`` or ``"share"``.
    width : pixels of one panel.

    Returns
    -------
    Altair chart.

    Raises
    ------
    QuestionError : another column, or a column without any number.
    """
    import altair as alt

    if column not in _AXES or not result.frame[column].count():
        raise QuestionError(
            f"there is nothing to draw in {column!r}", hint=f"choose one of {', '.join(_AXES)} that has numbers"
        )
    data, said = _prepared(result.frame, column)
    labels = data.sort("_rank")["label"].unique(maintain_order=True).to_list()
    rules = [name for rule, name in _NAMES.items() if rule in data["rule"].to_list()]
    base = alt.Chart(data.to_arrow()).encode(y=alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelPadding=8)))
    ends = data.select(pl.min_horizontal(0.0, pl.col("_lower").min()), pl.col("_upper").max()).row(0)
    scale = alt.Scale(domain=list(ends))
    axis = alt.Axis(format="%" if column == "share" else "~s", tickCount=3, title=None)
    mean = base.mark_tick(color=QUIET, opacity=0.45, thickness=2, size=_STEP * 0.7).encode(
        x=alt.X("_mean:Q", scale=scale, axis=axis)
    )
    whisker = base.mark_rule(color=INTERVAL, strokeWidth=1.4).encode(x="_lower:Q", x2="_upper:Q")
    dot = base.mark_point(color=ACCENT, filled=True, opacity=1, size=44).encode(
        x=f"{column}:Q",
        tooltip=[name for name in ("rule", "label", column, f"{column}_lower", f"{column}_upper", "n", "cpa", "roas")
                 if name in data.columns],
    )  # fmt: skip
    layers = alt.layer(mean, dot, whisker).properties(width=width, height={"step": _STEP})
    facets: dict[str, Any] = {"column": alt.Column("_rule:N", sort=rules, title=None)}
    if data["_group"].n_unique() > 1:
        groups = data.group_by("_group").agg(pl.col("conversions").sum()).sort("conversions", "_group", descending=True)
        facets["row"] = alt.Row(
            "_group:N",
            sort=groups["_group"].to_list(),
            title=None,
            header=alt.Header(labelOrient="top", labelPadding=4),
        )
    sure = f"{column}_lower" in data.columns and data[f"{column}_lower"].count()
    limits = f"{percent(result.confidence, 0)}% intervals" if sure else "no intervals"
    subtitle = f"Dots: {_AXES[column]} credited by each rule, {limits}; grey: mean over the rules. {said}".strip()
    title = alt.Title(textwrap.wrap(result.question, 90), subtitle=textwrap.wrap(subtitle, 120))
    chart = layers.facet(**facets, spacing=14).properties(title=title)
    return styled(chart).configure_axisY(grid=True, gridColor=LINE, labelColor=INK)


def _prepared(frame: pl.DataFrame, column: str) -> tuple[pl.DataFrame, str]:
    """The rows drawn, with limits, mean over the rules and rank of their label; and what was left out, in words."""
    by = frame.columns[1 : frame.columns.index("label")]
    group = pl.concat_str([pl.col(name) for name in by], separator=" · ") if by else pl.lit("")
    lower, upper = (f"{column}_lower", f"{column}_upper")
    limits = [
        (pl.coalesce(pl.col(name), pl.col(column)) if name in frame.columns else pl.col(column)).alias(alias)
        for name, alias in ((lower, "_lower"), (upper, "_upper"))
    ]
    data = frame.with_columns(group.alias("_group"), pl.col("rule").replace(_NAMES).alias("_rule"), *limits)
    said = []
    for name, most, what in (("_group", MAX_GROUPS, "groups"), ("label", MAX_LABELS, "rows")):
        weights = data.group_by(name).agg(pl.col("conversions").sum())
        order = weights.sort("conversions", name, descending=[True, False])[name]
        if len(order) > most:
            said.append(f"The {most} {what} with the most credit, of {len(order)}.")
            data = data.filter(pl.col(name).is_in(order.head(most).to_list()))
    rank = data.group_by("label").agg(_weight=pl.col(column).sum())
    # Conversions without a touch come last, whatever their weight: they are nobody's.
    rank = rank.sort(pl.col("label") == "(none)", "_weight", "label", descending=[False, True, False])
    data = data.join(rank.select("label").with_row_index("_rank"), on="label", how="left", maintain_order="left")
    return data.with_columns(_mean=pl.col(column).mean().over("_group", "label")), " ".join(said)
