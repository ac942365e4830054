"""Tables of a contrast from its rows: what became of the journeys in each cell, and how many users they are of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.packed import Packed, counted
from journeymine.counting.runs import changes, sort_cells
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.wide import split

__all__ = ["FATES", "IMMATURE", "LEFT", "MATURE", "WON", "States", "journeys_table", "users_table"]

Ints = npt.NDArray[np.int64]
States = npt.NDArray[np.uint8]
"""What is known of each journey as one number: its user's fold × `FATES` + what became of it."""
FATES = 4
"""Not old enough to tell; none of the following; converted; lost at the step in question."""
IMMATURE, MATURE, WON, LEFT = range(FATES)
_STATES = FOLDS * FATES
_NONE = np.zeros(0, dtype=np.int64)


def journeys_table(
    spec: TableSpec, at: Packed, state: States, journey: Ints, value: Ints | None, n_times: Ints | None = None
) -> pl.DataFrame:
    """Count journeys, one row each, into a table of `contrast_specs`.

    Parameters
    ----------
    at : the keys of each row.
    state, journey : of each row.
    value : micro-units of each journey; None where there are none.
    n_times : how often it met the marker.
    """
    cell = np.multiply(at.cell, _STATES, dtype=np.int64)
    cell += state
    used, n = counted(cell, at.size * _STATES)
    new = changes(used // FATES)
    keys = (used // FATES)[new]
    by_fate = np.zeros((len(keys), FATES), dtype=np.int64)
    by_fate[np.cumsum(new) - 1, used % FATES] = n
    totals = {"n_journeys": by_fate.sum(axis=1), "n": by_fate[:, MATURE:].sum(axis=1), "converted": by_fate[:, WON],
              "lost_at": by_fate[:, LEFT]}  # fmt: skip

    def added(rows: Ints, *amounts: Ints) -> list[Ints]:
        place = _places(keys, at.size * FOLDS, take(cell, rows) // FATES)
        totals = [np.zeros(len(keys), dtype=np.int64) for _ in amounts]
        for total, each in zip(totals, amounts, strict=True):
            np.add.at(total, place, each)
        return totals

    if n_times is not None:
        more = np.flatnonzero(n_times > 1)
        totals["n_times"] = totals["n_journeys"] + added(more, take(n_times, more) - 1)[0]
    if "value" in spec.values:
        won = np.flatnonzero(state % FATES == WON) if value is not None else _NONE
        worth = won if value is None else take(value, take(journey, won))
        totals |= dict(zip(limbs("value"), added(won, *split(worth)), strict=True))
    columns: dict[str, Any] = {**at.apart(keys // FOLDS), "fold": pl.Series(keys % FOLDS, dtype=pl.UInt8), **totals}
    return pl.DataFrame({name: columns[name] for name in spec.schema})


def _places(keys: Ints, size: int, wanted: Ints) -> Ints:
    """Where each of `wanted` stands among `keys`, which are ascending, below `size`, and hold them all."""
    if size > 8 * len(wanted) + 4096:
        return np.searchsorted(keys, wanted)
    place = np.empty(size, dtype=np.int64)
    place[keys] = np.arange(len(keys))
    return take(place, wanted)


def users_table(spec: TableSpec, at: Packed, user: Ints, state: States) -> pl.DataFrame:
    """Count the distinct users of mature journeys in each cell, and of those that converted.

    Parameters
    ----------
    at : the keys of each row; rows of one cell come with users together.
    """
    cell = at.cell
    if np.any(cell[1:] < cell[:-1]):
        cell, order = sort_cells(cell, at.size)
        user, state = take(user, order), take(state, order)
    fate, starts = state % FATES, np.flatnonzero(changes(cell))

    def users(which: npt.NDArray[np.bool_]) -> Ints:
        rows = np.flatnonzero(which)
        first = np.zeros(len(cell), dtype=np.uint8)
        first[rows[changes(cell[rows]) | changes(take(user, rows))]] = 1
        return np.add.reduceat(first, starts, dtype=np.int64) if len(starts) else starts

    columns = {**at.apart(cell[starts]), "n_users": users(fate >= MATURE), "users_converted": users(fate == WON)}
    return pl.DataFrame({name: columns[name] for name in spec.schema})
