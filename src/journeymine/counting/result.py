"""`Result`: a tidy frame that knows the question it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from journeymine.counting.result_text import text_of

if TYPE_CHECKING:
    from journeymine.counting.counts import Basis

__all__ = ["Result"]


@dataclass(frozen=True, eq=False)
class Result:
    """The answer to a measure: a tidy frame that knows the question it answers.

    Attributes
    ----------
    name : the name of the measure.
    question : the question in words.
    frame : the answer as a tidy Polars frame: label columns, then counts, then estimates each followed by its limits
        ``…_lower`` and ``…_upper``, then the flags ``sparse`` and ``reason``. `docs/schemas.md` describes the columns;
        they change with `schema_version`.
    tables : further frames of the same answer, by name.
    schema_version : of the frames.
    confidence : level of the intervals.
    basis : the rules and bounds behind the numbers.
    notes : what a reader of the numbers must know, in sentences.
    least_users : a frame per table (the main one under the result's name), with the same rows: how many users at least
        are behind the numerator of each share, and (``…_rest``) behind the rest of its denominator. It decides what a
        shared artefact may show.
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
        return text_of(self.question, self.frame, tables=self.tables, notes=self.notes)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The frame, for pandas, pyarrow, DuckDB and whatever else reads Arrow."""
        return self.frame.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.frame.height

    def _repr_html_(self) -> str:
        from journeymine.counting.result_html import result_html

        return result_html(self)

    def plot(self, **options: Any) -> Any:
        """Draw a chart of the frame (Altair, extra ``plot``). Options depend on the chart; see `docs/charts.md`.

        Raises
        ------
        MissingExtraError : Altair is not installed.
        QuestionError : there is no chart for this result.
        """
        from journeymine.charts import chart_of

        return chart_of(self, **options)
