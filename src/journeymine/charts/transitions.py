"""The chart of transitions: the heaviest ones, and beside each how the journeys that take it convert."""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.charts.labels import crossing, nothing_in, title_of
from journeymine.charts.rows import Rows, layers_of, rows_of
from journeymine.charts.style import QUIET, styled
from journeymine.percents import percent

__all__ = ["transitions_chart"]

MAX_EDGES = 25
"""Most transitions drawn, the heaviest."""


def transitions_chart(result: Any, *, most: int = MAX_EDGES, ends: bool = False) -> Any:
    """Transitions by how often they are taken (grey bars), with the conversion of their journeys and its interval.

    Parameters
    ----------
    result : of `transitions`.
    most : transitions drawn.
    ends : whether to draw where journeys begin and end too.

    Returns
    -------
    Altair chart.
    """
    import altair as alt

    inner = pl.col("from").is_not_null() & pl.col("to").is_not_null()
    frame = result.frame if ends else result.frame.filter(inner)
    rows = Rows(
        "conversion", "percent", "of their journeys convert", "", "n", ("n_journeys", " journeys"), weight=pl.col("n"),
        most=most, label=_words,
    )  # fmt: skip
    # How often it is taken needs no conversion: an edge of immature journeys only has none, and is drawn all the same.
    drawn = frame.with_columns(n_times=pl.col("n"), conversion=pl.col("conversion"))
    often = Rows("n_times", "count", "times taken", "", "n", ("n_users", " users"), weight=pl.col("n"), most=most,
                 label=_words)  # fmt: skip
    left, left_out = rows_of(drawn, often)
    keys = dict(zip(left["_row"].to_list(), left["_key"].to_list(), strict=True))
    right, _ = rows_of(drawn.filter(_words(drawn).is_in(list(keys))), rows)
    right = right.with_columns(_key=pl.col("_row").replace_strict(keys, return_dtype=pl.String, default=""))
    bars = layers_of(left, often, width=230)
    bars.layer[0].encoding.color = alt.value(QUIET)
    shares = layers_of(right, rows, width=260)
    for layer in shares.layer:
        layer.encoding.y.sort = left["_key"].to_list()
        layer.encoding.y.scale = alt.Scale(domain=left["_key"].to_list())
        layer.encoding.y.axis = None
    words = [
        (
            "Left: times taken. Right: share of the mature journeys that take it and convert; "
            f"lines: {percent(result.confidence, 0)}% intervals."
        ),
        f"The {most} heaviest of {most + left_out}." if left_out else "",
    ]
    if left.is_empty():
        words = [_nothing(result.frame)]
    return styled(alt.hconcat(bars, shares, spacing=8).properties(title=title_of(result, words, 110)))


def _nothing(frame: pl.DataFrame) -> str:
    """Why there is no step from one to another: nobody is there, or nobody took a second step."""
    if frame.is_empty():
        return nothing_in(frame)
    return "Nothing to draw: no journey here has a second step; ends=True draws where they begin and end."


def _words(frame: pl.DataFrame) -> pl.Expr:
    return crossing(frame, "n")
