"""`Result`: a tidy frame that knows the question it answers."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from journeymine.percents import percent

if TYPE_CHECKING:
    from journeymine.counting.counts import Basis

__all__ = ["Result"]

_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Result:
    """The answer to a measure.

    Attributes
    ----------
    name : the measure.
    question : the question in words.
    frame : the answer, tidy: label columns, counts, estimates each followed by ``…_lower`` and ``…_upper``, then the
        flags ``sparse`` and ``reason``. Its columns are documented in `docs/schemas.md` and change with `schema_version`.
    tables : further frames of the same answer, by name.
    schema_version : of the frames.
    confidence : of the intervals.
    basis : the rules and bounds behind the numbers.
    notes : what a reader must know, in sentences.
    least_users : by table (the main one by the result's name), rows as there: how many users stand at least behind the
        numerator of each share, and (``…_rest``) behind the rest of its denominator. What a shared artefact may show.
    """

    name: str
    question: str
    frame: pl.DataFrame
    schema_version: int
    confidence: float
    basis: Basis
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    least_users: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def __repr__(self) -> str:
        notes = "".join(f"\n({note})" for note in self.notes)
        return f"{self.question}\n{self.frame}{notes}"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The frame, for pandas, pyarrow, DuckDB and whatever else reads Arrow."""
        return self.frame.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.frame.height

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_text(cell))}</td>" for cell in row) + "</tr>"
            for row in self.frame.head(_SHOWN).iter_rows()
        )
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.frame.columns)
        more = f"<p>{self.frame.height - _SHOWN:,} more rows</p>" if self.frame.height > _SHOWN else ""
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        return (
            f"<div><p><b>{html.escape(self.question)}</b> "
            f"<small>{percent(self.confidence, 0)}% intervals</small></p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}{notes}</div>"
        )

    def plot(self, **options: Any) -> Any:
        """A chart of the frame (Altair, extra ``plot``).

        Raises
        ------
        MissingExtraError : Altair is not installed.
        QuestionError : there is no chart for this result.
        """
        from journeymine.charts import chart_of

        return chart_of(self, **options)


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        if 0 < cell < 1:
            return _part(cell)
        return f"{cell:,.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _part(cell: float) -> str:
    """A number between 0 and 1 in four figures, and in more where those would say 1."""
    return next(text for digits in (4, 6, 9, 17) if float(text := f"{cell:.{digits}g}") < 1 or digits == 17)
