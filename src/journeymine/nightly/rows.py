"""Accepted events as rows that last: plain strings and integers, in order of arrival, and back to codes.

A row knows the night, file and row it arrived in; that is the input order by which ties are broken, so that a log read
night by night is ordered as the same rows read at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from journeymine.columns import UNKNOWN, escape_reserved
from journeymine.events.coded import Coded, CodedEvents, narrow
from journeymine.events.memory_pass import code_frame

__all__ = ["ARRIVAL", "KEPT_OF_ROWS", "RowShape", "known_labels", "merge_vocabulary"]

ARRIVAL = ("night", "file", "row")
"""Columns that hold the order of arrival."""

KEPT_OF_ROWS = frozenset({"night", "counted", "prior_journeys", "prior_goals"})
"""Columns of a state's own; those that come and go begin with an underscore."""

ROW = "_row"
"""Name under which codes keep the position of their row."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """The columns of the rows of one state.

    Attributes
    ----------
    labels, numbers, tie_breaks : as of `Events`.
    """

    labels: tuple[str, ...]
    numbers: tuple[str, ...]
    tie_breaks: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """What is kept of an event."""
        return ["user", "timestamp", *self.labels, *self.numbers, *self.tie_breaks, *ARRIVAL]

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Names and types of an event's row."""
        return {
            "user": pl.String,
            "timestamp": pl.Int64,
            **dict.fromkeys(self.labels, pl.String),
            **dict.fromkeys((*self.numbers, *self.tie_breaks), pl.Int64),
            "night": pl.Int32,
            "file": pl.UInt32,
            "row": pl.Int64,
        }

    @property
    def carried_schema(self) -> dict[str, type[pl.DataType]]:
        """The same for rows of journeys: what went before the user's first carried journey, and whether it is counted."""
        return {**self.schema, "counted": pl.Boolean, "prior_journeys": pl.Int64, "prior_goals": pl.Int64}

    def code(self, rows: pl.DataFrame, vocabulary: Mapping[str, tuple[str, ...]]) -> CodedEvents:
        """Code rows that are in order of arrival, over a vocabulary that holds at least their labels.

        The numbers have one more column, `ROW`: the position of each row.
        """
        coded = code_frame(rows, attributes=self.labels, numbers=self.numbers, tie_breaks=self.tie_breaks)
        wide = {name: _over(column, vocabulary.get(name, ())) for name, column in coded.labels.items()}
        numbers = {**coded.numbers, ROW: np.arange(rows.height, dtype=np.int64)}
        return CodedEvents(coded.user, coded.timestamp, wide, numbers, coded.tie_break)


def known_labels(rows: pl.DataFrame, names: Sequence[str]) -> dict[str, set[str]]:
    """The labels of rows, as they are handed out, by column."""
    return {
        name: {escape_reserved(label) if label else UNKNOWN for label in rows[name].unique().to_list()}
        for name in names
    }


def merge_vocabulary(known: pl.DataFrame, found: Mapping[str, Iterable[str]], night: int) -> pl.DataFrame:
    """Add labels to a vocabulary: column, label and the night it was first seen in (null: only named by the rules)."""
    new = pl.DataFrame(
        [(name, label, night) for name, labels in found.items() for label in sorted(labels)],
        schema={"column": pl.String, "label": pl.String, "night": pl.Int32},
        orient="row",
    )
    return (
        pl.concat([known, new]).group_by("column", "label").agg(pl.col("night").min()).sort("column", "label")
    )  # fmt: skip


def vocabulary_of(known: pl.DataFrame, named: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The sorted labels of each column, with touchpoints that rules or questions name."""
    found = {str(name): set(rows["label"]) for (name,), rows in known.group_by("column")}
    found["touchpoint"] = found.get("touchpoint", set()) | set(named)
    return {name: tuple(sorted(labels)) for name, labels in found.items()}


def _over(coded: Coded, labels: tuple[str, ...]) -> Coded:
    """The same codes over a wider vocabulary."""
    wide = tuple(sorted({*labels, *coded.labels})) if not set(coded.labels) <= set(labels) else labels
    if coded.labels == wide:
        return coded
    position = {label: code for code, label in enumerate(wide)}
    lookup = np.array([position[label] for label in coded.labels], dtype=np.uint32)
    codes = lookup.take(coded.codes) if len(lookup) else np.zeros(len(coded), dtype=np.uint32)
    return Coded(narrow(codes, len(wide)), wide)
