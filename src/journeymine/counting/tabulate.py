"""From rows of codes to a table of counts: the kernel that every measure counts with.

Keys are packed into one integer per row; small key spaces are counted by `bincount`, large ones after a compression to
the keys that occur. Sums are exact int64 throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.runs import changes, sort_cells
from journeymine.parallel import take
from journeymine.stats.wide import split

__all__ = ["Key", "coded_key", "distinct_users", "flag_totals", "fold_key", "gathered", "integer_key", "key_of", "label_key", "pack", "tabulate",
           "tabulate_runs", "unpack"]  # fmt: skip

Ints = npt.NDArray[np.int64]
_DENSE = 1 << 22
"""Up to this many possible keys, and four per row, are counted in an array of their own, without sorting rows."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key column: a code per row and what each code stands for (null, a label or an integer)."""

    codes: npt.NDArray[np.integer]
    values: pl.Series

    def take(self, rows: Any) -> Key:
        """The same column over some rows."""
        return Key(self.codes[rows] if isinstance(rows, slice) else take(self.codes, rows), self.values)

    def null(self, n: int) -> Key:
        """`n` rows of null, where null is the last of the values."""
        return Key(np.full(n, len(self.values) - 1, dtype=np.int64), self.values)


def key_of(codes: npt.NDArray[np.integer], labels: Sequence[str | None]) -> Key:
    """A key column from codes and labels."""
    return Key(codes, pl.Series(labels, dtype=pl.String))


def coded_key(codes: npt.NDArray[np.integer], labels: Sequence[str]) -> Key:
    """A key column whose labels stay codes until the counts are looked at: for large tables, which merge much faster.

    A code of ``len(labels)`` stands for null.
    """
    order = sorted(labels)
    if list(labels) != order:
        position = {label: code for code, label in enumerate(order)}
        codes = take(np.array([*(position[label] for label in labels), len(labels)]), codes)
    return Key(codes, pl.Series([*order, None], dtype=pl.Enum(order)))


def label_key(codes: npt.NDArray[np.integer], labels: Sequence[str]) -> Key:
    """`coded_key` where the labels are sorted, as most are; plain strings where another order would cost a pass over the rows."""
    return coded_key(codes, labels) if list(labels) == sorted(labels) else key_of(codes, labels)


def integer_key(numbers: Ints) -> Key:
    """A key column from integers, e.g. histogram buckets."""
    if not len(numbers):
        return Key(numbers, pl.Series([], dtype=pl.Int64))
    low = int(numbers.min())
    return Key(numbers - low, pl.Series(np.arange(low, int(numbers.max()) + 1)))


def pack(keys: Sequence[Key], n_rows: int) -> tuple[Ints, int]:
    """One integer per row for the combination of keys, and how many there may be."""
    packed, size = np.zeros(n_rows, dtype=np.int64), 1
    for key in keys:
        width = max(len(key.values), 1)
        if size > (1 << 62) // width:  # only with enormous alphabets: keep what occurs, then go on
            seen, packed = np.unique(packed, return_inverse=True)
            size = len(seen)
        packed *= width
        packed += key.codes
        size *= width
    return packed, size


def unpack(packed: Ints, values: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    """What each number made by `pack` stands for, where there were few enough keys to be packed as they are.

    >>> keys = {"a": key_of(np.array([1, 0]), ["x", "y"]), "b": key_of(np.array([0, 2]), ["u", "v", "w"])}
    >>> packed, _ = pack(list(keys.values()), 2)
    >>> [s.to_list() for s in unpack(packed, {name: key.values for name, key in keys.items()}).values()]
    [['y', 'x'], ['u', 'w']]
    """
    columns: dict[str, pl.Series] = {}
    for name, known in reversed(list(values.items())):
        columns[name] = gathered(known, packed % len(known)) if len(known) else known
        packed = packed // max(len(known), 1)
    return {name: columns[name] for name in values}


def distinct_users(
    packed: npt.NDArray[np.integer], user: Ints, which: npt.NDArray[np.bool_], size: int
) -> npt.NDArray[np.bool_]:
    """Flags that add up to the distinct users of each key, among the rows of `which`.

    Parameters
    ----------
    packed : key of each row, below `size` (see `pack`).
    user : user of each row; rows of one key come with users together.
    """
    rows = np.flatnonzero(which)
    key, who = take(packed, rows), take(user, rows)
    if size > 1 and not _together(key, who):
        key, order = sort_cells(key, size)
        rows, who = rows[order], who[order]
    new = changes(key)
    new |= changes(who)
    flags = np.zeros(len(packed), dtype=bool)
    flags[rows[new]] = True
    return flags


def _together(key: npt.NDArray[np.integer], user: Ints) -> bool:
    """Whether rows of one key and user are known to lie side by side, as they do where a user's keys only rise."""
    back = key[1:] < key[:-1]
    if not back.any():
        return True
    return not (np.any(user[1:] < user[:-1]) or np.any(back & (user[1:] == user[:-1])))


def tabulate(
    spec: TableSpec, keys: Mapping[str, Key], values: Mapping[str, Any], fold: npt.NDArray[np.integer] | None = None
) -> pl.DataFrame:
    """Count rows into a table of the given shape (its rows in no particular order).

    Parameters
    ----------
    keys : one per key of the spec, all of the same length.
    values : per value column, flags or int64 to add up, or to take the least or greatest of; None counts rows.
    fold : the fold of each row's user, where the spec is folded.
    """
    n = len(fold) if fold is not None else len(next(iter(keys.values())).codes)
    columns = _columns(spec, keys, fold)
    if not n:
        return pl.DataFrame(schema=_schema(spec, keys))
    cell, size = pack(list(columns.values()), n)
    if size > min(_DENSE, 4 * n + 4096):
        there, rows = sort_cells(cell, size)
        starts = np.flatnonzero(changes(there))
        sorted_values = {name: None if column is None else take(column, rows) for name, column in values.items()}
        return tabulate_runs(spec, keys, rows, starts, sorted_values, fold)
    n_rows = np.bincount(cell, minlength=size)
    used = np.flatnonzero(n_rows)
    frame = unpack(used, {name: column.values for name, column in columns.items()})
    for name, merge in spec.values.items():
        each = values.get(name)
        totals = {name: n_rows} if each is None else _totals(name, merge, each, cell, size)
        for column, data in totals.items():
            frame[column] = pl.Series(data[used])
    return pl.DataFrame(frame, schema=_schema(spec, keys))


def tabulate_runs(
    spec: TableSpec,
    keys: Mapping[str, Key],
    rows: Ints,
    starts: Ints,
    values: Mapping[str, Any],
    fold: npt.NDArray[np.integer] | None = None,
) -> pl.DataFrame:
    """Count rows of which those with the same keys, and fold, are already together (see `runs`).

    Parameters
    ----------
    rows : the rows of `keys` and `fold` that are counted, in the order of the values.
    starts : where in `rows` each combination of keys begins.
    values : as for `tabulate`, one entry per entry of `rows`.
    """
    if not len(rows):
        return pl.DataFrame(schema=_schema(spec, keys))
    there = take(rows, starts)
    frame = {name: _spell(column.take(there)) for name, column in _columns(spec, keys, fold).items()}
    lengths = np.diff(starts, append=len(rows))
    flags = {name: each for name in spec.values if (each := values.get(name)) is not None and each.dtype == bool}
    flagged = flag_totals(flags, starts, len(rows))
    for name, merge in spec.values.items():
        each = flagged.get(name)
        for column, data in (
            {name: each} if each is not None else _run_totals(name, merge, values.get(name), starts, lengths)
        ).items():
            frame[column] = pl.Series(data)
    return pl.DataFrame(frame, schema=_schema(spec, keys))


def flag_totals(flags: Mapping[str, npt.NDArray[np.bool_]], starts: Ints, n_rows: int) -> dict[str, Ints]:
    """How many of each flag in each run: several at a time, side by side in the bits of one integer."""
    bits = n_rows.bit_length()
    totals: dict[str, Ints] = {}
    every, at_once = list(flags), 63 // bits
    for names in (every[i : i + at_once] for i in range(0, len(every), at_once)):
        packed = np.zeros(n_rows, dtype=np.int64)
        for name in reversed(names):
            packed <<= bits
            packed |= flags[name]
        sums = np.add.reduceat(packed, starts)
        for name in names:
            totals[name] = sums & ((1 << bits) - 1)
            sums >>= bits
    return totals


def fold_key(fold: npt.NDArray[np.integer]) -> Key:
    """The folds as a key column."""
    return Key(fold, pl.Series(np.arange(64), dtype=pl.UInt8))


def _columns(spec: TableSpec, keys: Mapping[str, Key], fold: npt.NDArray[np.integer] | None) -> dict[str, Key]:
    """Key columns in the order of the spec, the fold last."""
    columns = {name: keys[name] for name in spec.keys}
    if spec.folded:
        assert fold is not None
        columns["fold"] = fold_key(fold)
    return columns


def _schema(spec: TableSpec, keys: Mapping[str, Key]) -> dict[str, Any]:
    """Types of the table: labels given as codes stay codes."""
    coded = {name: key.values.dtype for name, key in keys.items() if isinstance(key.values.dtype, pl.Enum)}
    return {**spec.schema, **coded}


def gathered(values: pl.Series, codes: npt.NDArray[np.integer]) -> pl.Series:
    """``values[codes]``. As a method of its own Polars gathers through a query, which costs more than a small table."""
    return values[pl.Series(codes).cast(pl.UInt32)]


def _spell(key: Key) -> pl.Series:
    return gathered(key.values, key.codes)


def _run_totals(name: str, merge: str, values: Any, starts: Ints, lengths: Ints) -> dict[str, Ints]:
    if merge == "wide":
        hi, lo = split(values) if values.any() else (values, values)
        return {c: np.add.reduceat(part, starts) for c, part in zip(limbs(name), (hi, lo), strict=True)}
    if merge in ("min", "max"):
        return {name: (np.minimum if merge == "min" else np.maximum).reduceat(values, starts)}
    return {name: lengths if values is None else np.add.reduceat(values, starts, dtype=np.int64)}


def _totals(name: str, merge: str, values: Any, cell: Ints, size: int) -> dict[str, Ints]:
    if merge == "wide":
        hi, lo = split(values) if values.any() else (values, values)
        return {c: _sum(part, cell, size) for c, part in zip(limbs(name), (hi, lo), strict=True)}
    if merge in ("min", "max"):
        limit = np.iinfo(np.int64)
        total = np.full(size, limit.max if merge == "min" else limit.min, dtype=np.int64)
        (np.minimum if merge == "min" else np.maximum).at(total, cell, values)
        return {name: total}
    if values.dtype == bool:
        return {name: np.bincount(cell.take(np.flatnonzero(values)), minlength=size)}
    return {name: _sum(values, cell, size)}


def _sum(values: Ints, cell: Ints, size: int) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    if values.any():
        np.add.at(total, cell, values)
    return total
