"""Tables of paths, read: the touches of each path, and how often it converted, for how much, and how often it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.events.coded import Coded, code_strings

__all__ = ["PathTable", "path_table"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PathTable:
    """Paths as codes, and what stands behind each.

    Attributes
    ----------
    coded : the label of each touch, path after path.
    offsets : where the touches of each path begin, and the end of the last.
    conversions, value, nulls : per path.
    """

    coded: Coded
    offsets: Ints
    conversions: Floats
    value: Floats
    nulls: Floats

    @property
    def lengths(self) -> Ints:
        """Touches of each path."""
        return np.diff(self.offsets)


def path_table(
    frame: Any, *, path: str, conversions: str | None, value: str | None, nulls: str | None, sep: str
) -> PathTable:
    """Read a table of paths.

    Raises
    ------
    UnknownLabelError : a column that is not there.
    QuestionError : no table; paths that are neither text nor lists, or text that `sep` does not split; a missing or
        non-finite number, a negative count, or a value without a conversion.
    """
    table = _table(frame)
    for column in (path, conversions, value, nulls):
        if column not in table.columns and (column is not None or path is None):
            raise UnknownLabelError.naming("column", column, table.columns, place="this table of paths")
    paths = _touches(table[path], sep)
    lengths = paths.list.len().fill_null(0).cast(pl.Int64).to_numpy()
    touches = paths.list.explode(keep_nulls=False, empty_as_null=False)
    won, worth = _numbers(table, conversions, 1.0, least=0.0), _numbers(table, value, 0.0)
    if unearned := int(np.count_nonzero((won == 0) & (worth != 0))):
        raise QuestionError(
            f"{unearned:,} of {table.height:,} rows hold a value in {value!r} and no conversion in {conversions!r}",
            hint="a value is what the conversions of its row were worth: give the conversions, or 0 as the value",
        )
    return PathTable(
        code_strings(touches),
        np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths))),
        won,
        worth,
        _numbers(table, nulls, 0.0, least=0.0),
    )


def _table(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    try:
        return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    except (TypeError, ValueError) as error:
        raise QuestionError(
            f"a {type(frame).__name__} is no table of paths ({error})", hint="give a Polars or pandas frame, or a dict"
        ) from error


def _touches(paths: pl.Series, sep: str) -> pl.Series:
    """Lists of labels, from lists or from text; a null label in a list is not known, an empty one is no touch."""
    if isinstance(paths.dtype, pl.Array):
        paths = paths.arr.to_list()
    if isinstance(paths.dtype, pl.List) and not paths.dtype.inner.is_nested():
        lists = paths.cast(pl.List(pl.String))
    elif paths.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        lists = _split(paths.cast(pl.String), sep)
    else:
        raise QuestionError(
            f"the paths in {paths.name!r} are {paths.dtype}", hint="give text such as 'ad > email', or lists of labels"
        )
    return lists.list.eval(pl.element().filter(pl.element().is_null() | (pl.element() != "")))


def _split(paths: pl.Series, sep: Any) -> pl.Series:
    if not isinstance(sep, str) or not sep:
        raise QuestionError(f"sep={sep!r} parts no touches", hint="give the text between two touches, e.g. sep=' > '")
    bare = sep.strip()
    if bare not in ("", sep) and not paths.str.contains(sep, literal=True).any():
        joined = int(paths.str.contains(bare, literal=True).sum())
        if joined:
            raise QuestionError(
                f"no path holds the separator {sep!r}, but {joined:,} of {len(paths):,} hold {bare!r}: each would be one label",
                hint=f"say sep={bare!r}; where it belongs to the labels, give paths as lists of labels",
            )
    return paths.str.split(sep).list.eval(pl.element().str.strip_chars())


def _numbers(table: pl.DataFrame, column: str | None, default: float, *, least: float = -np.inf) -> Floats:
    if column is None:
        return np.full(table.height, default)
    given = table[column]
    if given.dtype.is_nested() or given.dtype.is_temporal():
        raise QuestionError(f"column {column!r} holds {given.dtype}, not numbers", hint="give a column of numbers")
    numbers = given.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    wrong = int(np.count_nonzero(~(np.isfinite(numbers) & (numbers >= least))))
    if wrong:
        bad, out = (
            ("no number or a negative one", "; give how often each path occurred") if least == 0 else ("no number", "")
        )
        raise QuestionError(
            f"{wrong:,} of {table.height:,} rows of {column!r} hold {bad}", hint=f"fill what is missing with 0{out}"
        )
    return np.asarray(numbers)
