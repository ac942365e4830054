"""The chart of a comparison: the difference of one estimate per label, about a line at no difference."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import SECONDS, crossing, figure_of, joined, leading, nothing_in, title_of
from journeymine.charts.rows import Rows, layers_of, rows_of, words_on_marks
from journeymine.charts.style import styled
from journeymine.errors import QuestionError
from journeymine.percents import percent

__all__ = ["compare_chart"]


def compare_chart(result: Any, *, estimate: str | None = None, width: int = 380) -> Any:
    """Differences of one estimate with their intervals, and the two values beside them.

    Parameters
    ----------
    result : of `compare` or `before_after`.
    estimate : which; by default the first.
    width : pixels of the scale.

    Returns
    -------
    Altair chart.

    Raises
    ------
    QuestionError : there is no such estimate.
    """
    known = result.frame["estimate"].unique(maintain_order=True).to_list()
    if estimate is not None and estimate not in known:
        raise QuestionError(f"there is no estimate {estimate!r} to draw", hint=f"there are: {', '.join(known)}")
    chosen = estimate or (known[0] if known else "")
    frame = result.frame.filter(pl.col("estimate") == chosen)
    values = frame.select(pl.max_horizontal(pl.col("a", "b").abs()).max()).item() or 0.0
    share = chosen.endswith(("share", "conversion")) and values <= 1
    frame, unit = (frame, "points" if share else "") if not chosen.endswith("_s") else _in_its_unit(frame)
    names = leading(frame, "estimate")
    label = crossing if {"from", "to"} <= set(names) else _label
    rows = Rows(
        "difference", "points" if share else "signed", f"difference in {chosen}{f', {unit}' if unit else ''}", "",
        "estimate", ("a", ""), weight=pl.max_horizontal("a", "b"), told="p_adjusted", label=label,
        kept="stage" in names,
    )  # fmt: skip
    data, left_out = rows_of(frame.with_columns(pl.col("a").fill_null(0.0)), rows)
    seconds = "seconds" if chosen.endswith("_s") else ("percent" if share else "number")
    pairs = {row["_row"]: row for row in frame.select("a", "b", _row=label(frame)).to_dicts()}
    figures = [
        f"{figure_of(pairs[row]['a'], seconds)} against {figure_of(pairs[row]['b'], seconds)}" for row in data["_row"]
    ]
    data = data.with_columns(_figures=pl.Series(figures, dtype=pl.String))
    words = [
        f"Dots: {chosen}, {'; '.join(result.notes)}. Lines: {percent(result.confidence, 0)}% intervals.",
        *words_on_marks(data),
        f"The {rows.most} largest rows of {rows.most + left_out}." if left_out else "",
    ]
    if data.is_empty():
        words = [nothing_in(frame)]
    return styled(layers_of(data, rows, width=width).properties(title=title_of(result, words)))


def _label(frame: pl.DataFrame) -> pl.Expr:
    return joined(leading(frame, "estimate"))


def _in_its_unit(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Differences of seconds in the largest unit that they have two of, and that unit."""
    limits = ("difference", "difference_lower", "difference_upper")
    longest = frame.select(pl.max_horizontal(pl.col(limits).abs().max())).item() or 0.0
    size, unit = next(each for each in SECONDS if longest >= 2 * each[0] or each[0] == 1.0)
    return frame.with_columns(pl.col(limits) / size), unit
