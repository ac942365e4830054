"""The best comparable place: what a place where journeys are lost is held against, by one rule for every metric.

Comparable are places that differ in channel, segment or attribute only (the same stage, touchpoint, owner and kind),
with at least `COMPARABLE_N` mature journeys and `COMPARABLE_CONVERTED` conversions among them. The best of them is the
one whose conversion is highest *for certain*: the greatest lower limit of its 95 % interval. Of twenty small channels
one always looks best, by luck; the highest estimate would be taken from there. A place whose channel, segment or
attribute is not known is nothing that others are held against: nobody could follow its example.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN

__all__ = [
    "COMPARABLE_CONVERTED",
    "COMPARABLE_N",
    "PLACE",
    "Comparables",
    "best_comparable",
    "comparable_places",
    "place_label",
    "split_names",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PLACE = ("stage", "touchpoint", "channel:touchpoint", "owner", "kind")
"""What must be the same of two places to be compared; they may differ in channel, segment and attribute."""
COMPARABLE_N, COMPARABLE_CONVERTED = 100, 10
"""Fewest mature journeys, and fewest conversions, of a place that others are compared with."""


@dataclass(frozen=True, slots=True)
class Comparables:
    """What each place is compared with.

    Attributes
    ----------
    best : row of the best comparable place; -1 where there is none.
    n : how many places there were to choose from: what a test of that choice must be paid for with.
    """

    best: Ints
    n: Ints


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Label columns that must be the same of two places, and those in which they may differ.

    >>> split_names(["stage", "channel", "device"])
    (['stage'], ['channel', 'device'])
    """
    return [name for name in names if name in PLACE], [name for name in names if name not in PLACE]


def best_comparable(
    places: pl.DataFrame, n: npt.ArrayLike, converted: npt.ArrayLike, lower: npt.ArrayLike
) -> Comparables:
    """Choose, for each place, the one to hold it against.

    Parameters
    ----------
    places : label columns, one row per place.
    n, converted : mature journeys, and how many of them convert later.
    lower : lower limit of their conversion at 95 %; NaN where there is none, and then nobody is compared with the
        place.

    Examples
    --------
    >>> places = pl.DataFrame({"stage": ["s", "s", "s", "t"], "channel": ["a", "b", "c", "a"]})
    >>> found = best_comparable(places, [500, 100, 99, 500], [100, 30, 99, 100], [0.17, 0.15, 0.9, 0.17])
    >>> found.best.tolist(), found.n.tolist()
    ([1, 0, 0, -1], [1, 1, 2, 0])
    >>> unknown = places.with_columns(pl.col("channel").replace("a", "(unknown)"))
    >>> best_comparable(unknown, [500, 100, 99, 500], [100, 30, 99, 100], [0.17, 0.15, 0.9, 0.17]).best.tolist()
    [1, -1, 1, -1]
    """
    floor = np.asarray(lower, dtype=np.float64)
    best, count = np.full(places.height, -1, dtype=np.int64), np.zeros(places.height, dtype=np.int64)
    for rows, found in _alike(places, _solid(places, n, converted, floor)):
        ranked = found[np.argsort(-floor[found], kind="stable")]
        for row in rows:
            others = ranked[:2][ranked[:2] != row]
            best[row] = others[0] if len(others) else -1
            count[row] = len(ranked) - int(row in ranked)
    return Comparables(best, count)


def comparable_places(
    places: pl.DataFrame, n: npt.ArrayLike, converted: npt.ArrayLike, lower: npt.ArrayLike
) -> list[Ints]:
    """For each place, the rows of all places that it may be compared with; parameters as of `best_comparable`."""
    every: list[Ints] = [np.zeros(0, dtype=np.int64)] * places.height
    for rows, found in _alike(places, _solid(places, n, converted, np.asarray(lower, dtype=np.float64))):
        for row in rows:
            every[row] = found[found != row]
    return every


def _solid(places: pl.DataFrame, n: npt.ArrayLike, converted: npt.ArrayLike, floor: Floats) -> npt.NDArray[np.bool_]:
    """Places that others may be compared with."""
    _, apart = split_names(places.columns)
    known = places.select(pl.all_horizontal(pl.lit(value=True), *(pl.col(name) != UNKNOWN for name in apart)))
    enough = (np.asarray(n) >= COMPARABLE_N) & (np.asarray(converted) >= COMPARABLE_CONVERTED)
    return np.asarray(enough & ~np.isnan(floor) & known.to_series().to_numpy())


def _alike(places: pl.DataFrame, solid: npt.NDArray[np.bool_]) -> Iterator[tuple[Ints, Ints]]:
    """Groups of places that are the same but for channel, segment and attribute: all their rows, and the solid ones."""
    alike, _ = split_names(places.columns)
    group = places.select(pl.struct(alike).rank("dense")).to_series().to_numpy() if alike else np.zeros(places.height)
    for each in np.unique(group):
        rows = np.flatnonzero(group == each)
        yield rows, rows[solid[rows]]


def place_label(labels: Sequence[str]) -> str:
    r"""One text for several labels; a dot or backslash in a label is escaped, so no two places read alike.

    >>> place_label(["web", "mobile"]), place_label(["a · b"])
    ('web · mobile', 'a \\· b')
    """
    return " · ".join(label.replace("\\", "\\\\").replace("·", "\\·") for label in labels)
