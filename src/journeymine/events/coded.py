"""Events as integers: what the journeys layer receives from the events layer.

One row per accepted event, **in input order** (source, file, row); every label is a small code into a sorted
vocabulary, every number a fixed-point int64. Nothing here is null: an absent channel or attribute has the label
``"(unknown)"``, an absent number is `MISSING`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN, escape_reserved
from journeymine.parallel import take

__all__ = ["Coded", "CodedEvents", "Codes", "code_strings", "narrow", "recode"]

_FEW = 3
_CODE_TYPES = (np.uint8, np.uint16, np.uint32)
Codes = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Coded:
    """Labels as codes: row i has the label ``labels[codes[i]]``; `labels` is sorted and holds only what may occur."""

    codes: Codes
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def decode(self, rows: npt.NDArray[np.integer] | None = None) -> pl.Series:
        """Plain strings, for all rows or for the given ones."""
        codes = self.codes if rows is None else self.codes[rows]
        return decode(codes, self.labels)

    def take(self, rows: npt.NDArray[np.integer]) -> Coded:
        """The same vocabulary over the given rows."""
        return Coded(take(self.codes, rows), self.labels)

    def among(self, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Rows whose label is flagged in `wanted`, which has one entry per label.

        >>> Coded(np.array([0, 1, 1, 2], dtype=np.uint8), ("a", "b", "c")).among(np.array([True, False, True])).tolist()
        [True, False, False, True]
        """
        which = np.flatnonzero(wanted).tolist()
        if not which:
            return np.zeros(len(self.codes), dtype=bool)
        if len(which) > _FEW:
            return take(wanted, self.codes)
        found = np.asarray(self.codes == which[0])
        for code in which[1:]:  # comparing small integers is ten times as fast as looking them up
            found |= self.codes == code
        return found


@dataclass(frozen=True, slots=True)
class CodedEvents:
    """Accepted events in input order.

    Attributes
    ----------
    user : String series, one user id per event.
    timestamp : int64 µs UTC per event.
    labels : ``"touchpoint"`` always; ``"channel"`` when the log has channels; ``"account"`` and one entry per kept
        attribute where declared.
    numbers : ``"value"``, ``"cost"``, ``"satisfaction"`` where declared; int64 millionths, `MISSING` where absent.
    tie_break : int64 columns that order events of one user at one instant, most significant first.
    """

    user: pl.Series
    timestamp: npt.NDArray[np.int64]
    labels: Mapping[str, Coded]
    numbers: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    tie_break: tuple[npt.NDArray[np.int64], ...] = ()

    def __len__(self) -> int:
        return len(self.timestamp)


def narrow(codes: npt.NDArray[np.integer], n_labels: int) -> Codes:
    """The smallest unsigned type that holds `n_labels` codes."""
    for kind in _CODE_TYPES:
        if n_labels <= np.iinfo(kind).max + 1:
            return codes.astype(kind, copy=False)
    return codes.astype(np.uint64, copy=False)


def decode(codes: npt.NDArray[np.integer], labels: tuple[str, ...]) -> pl.Series:
    """Plain strings of `codes`."""
    if not labels:
        return pl.Series([], dtype=pl.String)
    return pl.Series(labels, dtype=pl.String).gather(pl.Series(codes).cast(pl.UInt32))


def recode(pieces: Sequence[npt.NDArray[np.integer]], labels: list[str | None]) -> Coded:
    """Turn codes over any vocabulary into a `Coded` over the sorted one that occurs.

    Parameters
    ----------
    pieces : one code per row, into `labels`, in any number of arrays.
    labels : the caller's labels, in any order; None marks an absent label and becomes ``"(unknown)"``.

    Examples
    --------
    >>> coded = recode([np.array([0, 1, 2, 0])], ["web", None, "(unknown)"])
    >>> coded.labels
    ('"(unknown)"', '(unknown)', 'web')
    >>> coded.decode().to_list()
    ['web', '(unknown)', '"(unknown)"', 'web']
    """
    used = np.zeros(len(labels), dtype=bool)
    for codes in pieces:
        for low in range(0, len(codes), 1 << 16):
            used[codes[low : low + (1 << 16)].astype(np.intp)] = True
    ours = [UNKNOWN if label is None else escape_reserved(label) for label in labels]
    kept = sorted({label for label, seen in zip(ours, used, strict=True) if seen})
    position = {label: i for i, label in enumerate(kept)}
    lookup = narrow(np.array([position.get(label, 0) for label in ours], dtype=np.uint32), len(kept))
    coded = np.empty(sum(len(codes) for codes in pieces), dtype=lookup.dtype)
    at = 0
    for codes in pieces if labels else ():
        coded[at : at + len(codes)] = take(lookup, codes)
        at += len(codes)
    return Coded(coded, tuple(kept))


def code_strings(strings: pl.Series) -> Coded:
    """Code a string series; null means absent."""
    categories = pl.Categories.random("journeymine")
    table = strings.cast(pl.Categorical(categories))
    known: list[str | None] = list(categories)
    codes = table.to_physical().fill_null(len(known)).to_numpy()
    return recode([codes], [*known, None])
