"""Events in the order that journeys are read in: user by user, each by time.

Users are brought together by *one* in-place sort of packed integers, a prefix of a 64-bit hash of the id above the row
number, instead of a sort of strings. The hash never leaves this function: prefixes that collide are noticed by a second,
independent hash, and told apart by the ids themselves.

Inside a user: timestamp, then the tie-break columns, then input order. Only users whose rows do not already come in
time order are sorted again.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.events.coded import CodedEvents

__all__ = ["EventOrder", "order_events"]

Rows = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.uint64)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class EventOrder:
    """Where each step comes from.

    Attributes
    ----------
    rows : int64 [n_events], the input row of each step, users together.
    time : int64 [n_events], µs of each step.
    offsets : int64 [n_users + 1], the steps of user u are ``offsets[u]:offsets[u + 1]``.
    users : String [n_users], the id of each user; the order of users has no meaning.
    n_ties : steps at the same instant as the same user's step before.
    n_out_of_order : rows that come before an earlier one of the same user in the input.
    """

    rows: Rows
    time: npt.NDArray[np.int64]
    offsets: Rows
    users: pl.Series
    n_ties: int
    n_out_of_order: int


def order_events(events: CodedEvents) -> EventOrder:
    """Bring each user's events together and in time order.

    Cost: one sort of 64-bit integers and a few passes; memory about 24 bytes per event while it runs.
    """
    if not len(events):
        return EventOrder(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64), events.user, 0, 0)
    rows, starts = _group_by_user(events.user)
    time = _gather(events.timestamp, rows)
    backwards = _inside(time[1:] < time[:-1], starts)
    n_out_of_order = int(np.count_nonzero(backwards))
    if n_out_of_order:
        _sort_users(rows, time, starts, backwards)
    tied = _inside(time[1:] == time[:-1], starts)
    if events.tie_break:
        _break_ties(rows, tied, events.tie_break)
    users = events.user.gather(pl.Series(rows[starts[:-1]]))
    return EventOrder(rows, time, starts, users, int(np.count_nonzero(tied)), n_out_of_order)


def _group_by_user(user: pl.Series) -> tuple[Rows, Rows]:
    """Rows with users together and input order kept inside each, and the offsets of the users."""
    n = len(user)
    bits = np.uint64(max(n - 1, 1).bit_length())
    key = user.hash(seed=0).to_numpy() >> bits
    key <<= bits
    key |= np.arange(n, dtype=np.uint64)
    _sort(key)
    change = (key[1:] >> bits) != (key[:-1] >> bits)
    key &= (np.uint64(1) << bits) - np.uint64(1)
    rows = key.view(np.int64)
    _separate(rows, user, change)
    return rows, np.concatenate(([0], np.flatnonzero(change) + 1, [n]))


def _sort(key: npt.NDArray[np.uint64]) -> None:
    """Sort in place: keys with and without the top bit at the same time, where that is worth a copy."""
    if len(key) < _CHUNK:
        key.sort()
        return
    upper = key >= np.uint64(1 << 63)
    halves = [key[~upper], key[upper]]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(np.ndarray.sort, halves))
    np.concatenate(halves, out=key)


def _separate(rows: Rows, user: pl.Series, change: npt.NDArray[np.bool_]) -> None:
    """Tell apart, in place, users whose hashes begin alike; `change` flags where one user ends and the next begins.

    Runs in which a second hash differs are ordered by the id itself. Two ids that agree in the second hash as well, and
    so stay together, are at most 2⁻⁹⁶ likely per pair in a log of 2³² events, and less in a smaller one.
    """
    there = _gather(user.hash(seed=1).to_numpy(), rows)
    mixed = np.flatnonzero((there[1:] != there[:-1]) & ~change)
    if not len(mixed):
        return
    starts = np.concatenate(([0], np.flatnonzero(change) + 1, [len(rows)]))
    run = np.unique(np.searchsorted(starts, mixed, side="right") - 1)
    lengths = starts[run + 1] - starts[run]
    inside = np.arange(int(lengths.sum())) + np.repeat(starts[run] - (np.cumsum(lengths) - lengths), lengths)
    found = pl.DataFrame({"run": np.repeat(run, lengths), "row": rows[inside]})
    ordered = found.with_columns(id=user.gather(found["row"])).sort("run", "id", "row")
    rows[inside] = ordered["row"].to_numpy()
    change[inside[1:] - 1] |= ordered["id"].ne_missing(ordered["id"].shift(1)).to_numpy()[1:]


def _gather(values: npt.NDArray[Number], rows: Rows) -> npt.NDArray[Number]:
    """``values[rows]`` on all cores: rows lie all over the log, and most of the time goes into waiting for memory."""
    found = np.empty(len(rows), dtype=values.dtype)
    bounds = np.linspace(0, len(rows), 2 + len(rows) // _CHUNK, dtype=np.int64).tolist()

    def gather(low: int, high: int) -> None:
        # mode="clip" writes straight into `out`; every row is in range anyway.
        np.take(values, rows[low:high], out=found[low:high], mode="clip")

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        list(pool.map(gather, bounds[:-1], bounds[1:]))
    return found


def _inside(step: npt.NDArray[np.bool_], starts: Rows) -> npt.NDArray[np.bool_]:
    """Clear, in place, what compares the last step of one user with the first of the next."""
    step[starts[1:-1] - 1] = False
    return step


def _sort_users(rows: Rows, time: npt.NDArray[np.int64], starts: Rows, backwards: npt.NDArray[np.bool_]) -> None:
    """Sort by time, in place, the users that have a step before an earlier one; equal times keep input order."""
    lengths = np.diff(starts)
    bad = np.zeros(len(lengths), dtype=bool)
    bad[np.searchsorted(starts, np.flatnonzero(backwards), side="right") - 1] = True
    chosen = np.flatnonzero(np.repeat(bad, lengths))
    times = pl.DataFrame({"time": time[chosen]})
    by_time = times.select(pl.arg_sort_by("time", maintain_order=True)).to_series().to_numpy()
    # Bring users together again by a sort of (user, rank in time), which packs into one integer.
    bits = np.uint64(max(len(chosen) - 1, 1).bit_length())
    key = np.repeat(np.arange(int(bad.sum()), dtype=np.uint64), lengths[bad]).take(by_time)
    key <<= bits
    key |= np.arange(len(chosen), dtype=np.uint64)
    key.sort()
    key &= (np.uint64(1) << bits) - np.uint64(1)
    source = chosen.take(by_time.take(key.view(np.int64)))
    rows[chosen] = rows.take(source)
    time[chosen] = time.take(source)


def _break_ties(rows: Rows, tied: npt.NDArray[np.bool_], tie_break: tuple[npt.NDArray[np.int64], ...]) -> None:
    """Order steps of one user at one instant, in place, by the tie-break columns and then by input order."""
    member = np.concatenate((tied, [False])) | np.concatenate(([False], tied))
    chosen = np.flatnonzero(member)
    if not len(chosen):
        return
    group = np.cumsum(~np.concatenate(([False], tied))[chosen])
    there = rows[chosen]
    keys = (there, *(column[there] for column in reversed(tie_break)), group)
    rows[chosen] = there[np.lexsort(keys)]
