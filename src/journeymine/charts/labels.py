"""Words on charts: row labels that any text may stand in, figures, durations, titles."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import polars as pl

from journeymine.percents import percent

__all__ = [
    "SECONDS",
    "crossing",
    "duration_axis",
    "figure_of",
    "grouped",
    "in_per_cent",
    "joined",
    "leading",
    "nothing_in",
    "shortened",
    "title_of",
]

SECONDS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_LONGEST = 64


def leading(frame: pl.DataFrame, first: str) -> list[str]:
    """Names of the label columns: those before the first counted one."""
    return frame.columns[: frame.columns.index(first)]


def nothing_in(frame: pl.DataFrame) -> str:
    """Why there is nothing to draw, in the words of the frame where it has some."""
    told = frame["reason"].drop_nulls().to_list() if "reason" in frame.columns else []
    return f"Nothing to draw: {told[0] if len(told) else 'nothing was counted here'}."


def joined(names: Sequence[str], nothing: str = "all") -> pl.Expr:
    """Label columns in one text, without characters that a picture cannot hold; ``nothing`` where there are none.

    An empty label, such as the channel in a log without channels, leaves no gap. A list of labels is a path.
    """
    if not names:
        return pl.lit(nothing)
    parts = [pl.col(name).map_batches(_told, return_dtype=pl.String) for name in names]
    told = [pl.when(part != "").then(part) for part in parts]
    return pl.concat_str(told, separator=" · ", ignore_nulls=True).str.replace_all(r"\p{C}", " ")


def crossing(frame: pl.DataFrame, first: str = "estimate") -> pl.Expr:
    """An edge of a graph: from where to where, and the other label columns before ``first``."""
    others = [name for name in leading(frame, first) if name not in ("from", "to", "status")]
    begin = pl.when(pl.col("from").is_null()).then(pl.lit("(start)")).otherwise(joined(["from"]))
    known = pl.col("status") if "status" in frame.columns else pl.lit(None, pl.String)
    status = pl.lit("(") + known.fill_null("end") + ")"
    end = pl.when(pl.col("to").is_null()).then(status).otherwise(joined(["to"]))
    step = begin + " → " + end
    return step + " · " + joined(others) if others else step


def _told(labels: pl.Series) -> pl.Series:
    texts = labels.list.join(" → ") if isinstance(labels.dtype, pl.List) else labels.cast(pl.String)
    return texts.fill_null("(none)")


def shortened(label: str, longest: int = _LONGEST) -> str:
    """The label, with its middle left out where it is too long to be drawn."""
    if len(label) <= longest:
        return label
    half = (longest - 3) // 2
    return f"{label[:half]} … {label[-half:]}"


def figure_of(number: float | None, form: str) -> str:
    """A number in words, as a reader would say it: ``percent``, ``points``, ``count``, ``number``, ``signed`` or ``seconds``."""
    if number is None:
        return "–"
    if form == "count":
        return f"{number:,.0f}"
    if form == "percent":
        return f"{percent(number)} %"
    if form == "points":
        return f"{number * 100:+z.1f} points".replace("-", "−")
    if form == "seconds":
        size, unit = next(each for each in SECONDS if abs(number) >= each[0] or each[0] == 1.0)
        return f"{number / size:.1f} {unit}"
    sign = "+" if form == "signed" else ""
    text = f"{number:{sign}z,.0f}" if abs(number) >= 100 else f"{number:{sign}z,.2f}"
    return text.replace("-", "−")


def in_per_cent(share: pl.Expr, digits: int = 1) -> pl.Expr:
    """Shares in words; null stays null."""
    return share.map_elements(lambda value: f"{percent(value, digits)} %", return_dtype=pl.String)


def duration_axis(longest_s: float) -> tuple[list[float], str, str]:
    """Round ticks up to a number of seconds, the expression that labels them, and the unit in words."""
    size, unit = next(each for each in SECONDS if longest_s >= 2 * each[0] or each[0] == 1.0)
    span = max(longest_s / size, 1e-9)
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 90, 180, 365)
    step = next((each for each in steps if span / each <= 6), span / 5)
    n_ticks = int(span / step) + 1
    return [i * step * size for i in range(n_ticks + 1)], f"format(datum.value / {size:.0f}, '~g')", unit


def grouped(frame: pl.DataFrame, names: Sequence[str], weight: str, most: int) -> tuple[pl.DataFrame, str]:
    """The frame with `_panel`, its label columns joined, and only the groups of most weight; and a word on the rest."""
    frame = frame.with_columns(_panel=joined(names, ""))
    sizes = frame.group_by("_panel").agg(_size=pl.col(weight).sum()).sort("_size", "_panel", descending=[True, False])
    kept = sizes["_panel"].head(most).to_list()
    said = f"The {most} largest groups of {sizes.height}." if sizes.height > most else ""
    frame = frame.filter(pl.col("_panel").is_in(kept))
    rank = {name: i for i, name in enumerate(kept)}
    order = pl.col("_panel").replace_strict(rank, return_dtype=pl.Int64, default=0)
    return frame.with_columns(_nth_panel=order).sort("_nth_panel", maintain_order=True), said


def title_of(result: Any, said: Sequence[str], columns: int = 100) -> Any:
    """The question as the title, and what the marks are as the subtitle."""
    import altair as alt

    words = " ".join(each for each in said if each)
    subtitle = textwrap.wrap(words, columns) or [""]
    return alt.Title(textwrap.wrap(result.question, int(columns * 0.78)) or [""], subtitle=subtitle)
