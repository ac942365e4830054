"""A result as a table for notebooks: plain elements only, since what is not trusted keeps neither style sheets nor scripts."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import polars as pl

from journeymine.percents import percent

if TYPE_CHECKING:
    from journeymine.counting.result import Result

__all__ = ["result_html"]

_SHOWN = 20
_CELL = "padding:2px 8px;white-space:nowrap;text-align:"
"""Said of each cell: some front ends take all space away, others set every cell to the right or break names in two."""


def result_html(result: Result) -> str:
    """The question, the first rows, the reasons for what is missing as numbered notes, and the notes of the answer."""
    frame = result.frame.head(_SHOWN)
    reasons: dict[str, int] = {}
    if "reason" in frame.columns:
        # A sentence in a cell makes its row as high as ten: the cell gets a number, the sentence stands below.
        told = frame["reason"].drop_nulls().unique(maintain_order=True).to_list()
        reasons = {reason: nth for nth, reason in enumerate(told, 1)}
    styles = [f'style="{_CELL}{"right" if dtype.is_numeric() else "left"}"' for dtype in frame.dtypes]
    head = "".join(f"<th {style}>{html.escape(name)}</th>" for style, name in zip(styles, frame.columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td {style}>{html.escape(_number_of(cell, reasons) if name == 'reason' else _text(cell))}</td>"
            for style, name, cell in zip(styles, frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in frame.iter_rows()
    )
    left = result.frame.height - frame.height
    more = f"<p>{left:,} more row{'s' * (left != 1)}</p>" if left else ""
    notes = [*(f"({nth}) {reason}" for reason, nth in reasons.items()), *result.notes]
    return (
        f"<div><p><b>{html.escape(result.question)}</b> <small>{percent(result.confidence, 0)}% intervals</small></p>"
        f'<div style="overflow-x:auto"><table style="margin:0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
        + "".join(f"<p><small>{html.escape(note)}</small></p>" for note in notes)
        + "</div>"
    )


def _number_of(reason: str | None, reasons: dict[str, int]) -> str:
    return "" if reason is None else f"({reasons[reason]})"


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, pl.Series):
        return ", ".join(map(_text, cell))
    if isinstance(cell, float):
        if 0 < cell < 1:
            return _part(cell)
        return f"{cell:,.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _part(cell: float) -> str:
    """A number between 0 and 1 in four figures, and in more where those would say 1."""
    return next(text for digits in (4, 6, 9, 17) if float(text := f"{cell:.{digits}g}") < 1 or digits == 17)
