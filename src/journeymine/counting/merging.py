"""Adding tables of counts whose keys are still codes: packed into one integer each, instead of a grouping of strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.path_text import text_of
from journeymine.counting.runs import changes, sort_cells
from journeymine.parallel import on_all_cores, take

__all__ = ["coded", "merge_coded", "numbers_of", "spelled", "widened"]

Ints = npt.NDArray[np.int64]
_ADD = {"sum": np.add, "min": np.minimum, "max": np.maximum}
_Add = Callable[[np.ufunc, Ints], Ints]
_ROOM, _FEW = 8, 4096
"""Up to this many possible keys per row, and a few more, each has a place of its own; beyond, rows are sorted."""
_MANY = 1 << 16
"""Rows from which starting threads takes less than what they save."""


def spelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with plain strings for codes, text for paths, and full integers."""
    plain: dict[str, pl.Series] = {}
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.List):
            plain[name] = text_of(frame[name])
        elif isinstance(dtype, pl.Enum):
            plain[name] = frame[name].cast(pl.String)
    return widened(frame).with_columns(**plain) if plain else widened(frame)


def widened(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with full integers: one of millions of rows is counted into the smallest that hold its numbers."""
    small = [
        name for name, dtype in frame.schema.items() if dtype in (pl.UInt8, pl.UInt16, pl.UInt32) and name != "fold"
    ]
    return frame.cast(dict.fromkeys(small, pl.Int64)) if small else frame


def coded(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with codes for plain strings: integers are grouped and sorted several times faster than text."""
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.cast({name: pl.Enum(frame[name].unique().drop_nulls().sort()) for name in text})


def merge_coded(frames: Sequence[pl.DataFrame], keys: Sequence[str], how: Mapping[str, str]) -> pl.DataFrame | None:
    """Add tables of the same codes into one, sorted by key.

    Parameters
    ----------
    keys : key columns, all of them Enums, integers or dates.
    how : ``"sum"``, ``"min"`` or ``"max"`` for each value column.

    Returns
    -------
    None where the tables do not fit this way: other vocabularies, strings among the keys, or too many combinations.
    """
    dtypes = [frames[0].schema[name] for name in keys]
    if any(frame.schema != frames[0].schema for frame in frames[1:]) or not _are_codes(dtypes):
        return None
    together = pl.concat(frames)
    if not together.height:
        return together
    packed, size = np.zeros(together.height, dtype=np.int64), 1
    for name in keys:
        column = together[name]
        code = numbers_of(column)  # null sorts first, as in Polars
        low = int(code.min())
        if column.null_count() and column.null_count() != np.count_nonzero(code < 0):
            return None  # negative numbers beside nulls
        width = int(code.max()) - low + 1
        size *= width
        if size >= 1 << 62:
            return None
        packed *= width
        packed += code - low
    if np.all(packed[1:] > packed[:-1]):  # each key once and in order, as whoever counts all at once may leave them
        return together.select(*keys, *how)
    first, add = _densely(packed, size) if size <= _ROOM * len(packed) + _FEW else _by_sorting(packed, size)
    rows = pl.Series(first)
    columns = {name: together[name][rows] for name in keys}

    def total(name: str) -> pl.Series:
        return pl.Series(add(_ADD[how[name]], together[name].to_numpy()))

    added = on_all_cores(total, how) if together.height >= _MANY else map(total, how)
    columns.update(zip(how, added, strict=True))
    return pl.DataFrame(columns)


def numbers_of(column: pl.Series) -> Ints:
    """The codes of labels, or whole numbers or dates as they are; −1 for null."""
    physical = column if column.dtype.is_integer() else column.to_physical()
    numbers = physical.cast(pl.Int64)
    return (numbers.fill_null(-1) if numbers.null_count() else numbers).to_numpy()


def _by_sorting(packed: Ints, size: int) -> tuple[Ints, _Add]:
    """A row of each key, in order of the keys, and how to add up a column by key."""
    there, order = sort_cells(packed, size)
    starts = np.flatnonzero(changes(there))
    return take(order, starts), lambda ufunc, values: ufunc.reduceat(take(values, order), starts)


def _densely(packed: Ints, size: int) -> tuple[Ints, _Add]:
    """The same, with a place for each key there may be."""
    row = np.full(size, -1, dtype=np.int64)
    row[packed] = np.arange(len(packed))
    used = np.flatnonzero(row >= 0)
    first = row[used]
    place = row  # reused: from here on, the place of each key among those used
    place[used] = np.arange(len(used))
    at = place.take(packed)
    others = np.flatnonzero(first.take(at) != np.arange(len(packed)))

    def add(ufunc: np.ufunc, values: Ints) -> Ints:
        total = values.take(first)
        ufunc.at(total, at.take(others), values.take(others))
        return total

    return first, add


def _are_codes(dtypes: Sequence[pl.DataType]) -> bool:
    return bool(dtypes) and all(
        isinstance(dtype, pl.Enum) or dtype.is_integer() or dtype == pl.Date for dtype in dtypes
    )
