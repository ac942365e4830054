"""Events in the order that journeys are read in: user by user, each by time.

Users are brought together in two steps, each of which stays inside the processor's cache. Chunk by chunk, rows are laid into
buckets by the first bits of a 64-bit hash of the user's id; then, bucket by bucket, one sort of packed integers, more bits of
the hash above the row's place, puts each user's rows side by side. No ids are sorted. The hash never leaves this
module: ids that agree in those bits are noticed by a second, independent hash, and told apart by the ids themselves.

Inside a user: timestamp, then the tie-break columns, then input order. Only users whose rows do not already come in
time order are sorted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.events.coded import Coded, CodedEvents
from journeymine.parallel import on_all_cores, take

__all__ = ["OrderedEvents", "order_events"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_CHUNK_BITS = 20
_BUCKET = 1 << 17
"""Rows of a bucket, about."""


@dataclass(frozen=True, slots=True)
class OrderedEvents:
    """Events with each user's together, in time order.

    Attributes
    ----------
    time : int64 [n_events], µs of each step.
    labels, numbers : as of `CodedEvents`, in this order.
    offsets : int64 [n_users + 1], the steps of user u are ``offsets[u]:offsets[u + 1]``.
    users : String [n_users], the id of each user; the order of users has no meaning.
    n_ties : steps at the same instant as the same user's step before.
    n_out_of_order : rows that come before an earlier one of the same user in the input.
    """

    time: npt.NDArray[np.int64]
    labels: Mapping[str, Coded]
    numbers: Mapping[str, npt.NDArray[np.int64]]
    offsets: Rows
    users: pl.Series
    n_ties: int
    n_out_of_order: int

    def __len__(self) -> int:
        return len(self.time)


def order_events(events: CodedEvents) -> OrderedEvents:
    """Bring each user's events together and in time order.

    Cost: two sorts of small integers and a few passes; memory about 30 bytes per event while it runs.
    """
    n = len(events)
    bits = min((n // _BUCKET).bit_length(), 32 - _CHUNK_BITS)
    chunks = [slice(low, min(low + (1 << _CHUNK_BITS), n)) for low in range(0, n, 1 << _CHUNK_BITS)]
    pieces = on_all_cores(lambda chunk: _lay_out(events, chunk, bits), chunks)
    sizes = sum((np.diff(piece.bounds) for piece in pieces), np.zeros(1 << bits, dtype=np.int64))
    begins = np.concatenate(([0], np.cumsum(sizes)))
    time = np.empty(n, dtype=np.int64)
    labels = {name: np.empty(n, dtype=coded.codes.dtype) for name, coded in events.labels.items()}
    numbers = {name: np.empty(n, dtype=np.int64) for name in events.numbers}

    def arrange(bucket: int) -> _Arranged:
        there = slice(int(begins[bucket]), int(begins[bucket + 1]))
        here = _Piece.join(pieces, bucket)
        arranged = _arrange(here, events.user, len(events.tie_break), time[there])
        for name, column in [*labels.items(), *numbers.items()]:
            # mode="clip" writes straight into `out`; every row is in range anyway
            np.take(here.columns[name], arranged.rows, out=column[there], mode="clip")
        return arranged.begin_at(there.start)

    arranged = on_all_cores(arrange, np.flatnonzero(sizes).tolist())
    return OrderedEvents(
        time,
        {name: Coded(codes, events.labels[name].labels) for name, codes in labels.items()},
        numbers,
        np.concatenate([*(each.starts for each in arranged), [n]]).astype(np.int64),
        events.user.gather(pl.Series(np.concatenate([np.zeros(0, np.int64), *(each.firsts for each in arranged)]))),
        sum(each.n_ties for each in arranged),
        sum(each.n_out_of_order for each in arranged),
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows, in input order inside each bucket.

    Attributes
    ----------
    row : of the input.
    hash, check : two hashes of the id; 64 bits, and 32 of another.
    columns : timestamp as "", labels, numbers, and tie-breaks by number.
    bounds : where each bucket begins.
    """

    row: npt.NDArray[np.integer]
    hash: npt.NDArray[np.uint64]
    check: npt.NDArray[np.uint32]
    columns: Mapping[str | int, npt.NDArray[Any]]
    bounds: Rows

    @staticmethod
    def join(pieces: Sequence[_Piece], bucket: int) -> _Piece:
        """The rows of one bucket."""
        if len(pieces) == 1 and len(pieces[0].bounds) == 2:
            return pieces[0]
        cuts = [slice(int(piece.bounds[bucket]), int(piece.bounds[bucket + 1])) for piece in pieces]
        each = list(zip(pieces, cuts, strict=True))
        return _Piece(
            np.concatenate([piece.row[cut] for piece, cut in each]),
            np.concatenate([piece.hash[cut] for piece, cut in each]),
            np.concatenate([piece.check[cut] for piece, cut in each]),
            {name: np.concatenate([piece.columns[name][cut] for piece, cut in each]) for name in pieces[0].columns},
            np.zeros(0, dtype=np.int64),
        )


def _lay_out(events: CodedEvents, chunk: slice, bits: int) -> _Piece:
    """The rows of a chunk by bucket."""
    user = events.user.slice(chunk.start, chunk.stop - chunk.start)
    hashed = user.hash(seed=0).to_numpy()
    check = (user.hash(seed=1).to_numpy() >> np.uint64(32)).astype(np.uint32)
    columns: dict[str | int, npt.NDArray[Any]] = {"": events.timestamp[chunk]}
    columns |= {name: coded.codes[chunk] for name, coded in events.labels.items()}
    columns |= {name: column[chunk] for name, column in events.numbers.items()}
    columns |= {level: column[chunk] for level, column in enumerate(events.tie_break)}
    n = chunk.stop - chunk.start
    row_type = np.uint32 if len(events) <= 1 << 32 else np.int64
    if not bits:
        return _Piece(np.arange(n, dtype=row_type) + row_type(chunk.start), hashed, check, columns, np.array([0, n]))
    key = (hashed >> np.uint64(64 - bits)).astype(np.uint32)
    key <<= np.uint32(_CHUNK_BITS)
    key |= np.arange(n, dtype=np.uint32)
    key.sort()
    bounds = np.searchsorted(key, np.arange(1 << bits, dtype=np.uint32) << np.uint32(_CHUNK_BITS))
    key &= np.uint32((1 << _CHUNK_BITS) - 1)
    rows = key.astype(np.int64)
    return _Piece(
        (rows + chunk.start).astype(row_type),
        take(hashed, rows),
        take(check, rows),
        {name: take(column, rows) for name, column in columns.items()},
        np.append(bounds, n),
    )


@dataclass(frozen=True, slots=True)
class _Arranged:
    """The order inside a bucket.

    Attributes
    ----------
    rows : of the bucket, users together.
    starts : where each user begins.
    firsts : a row of the input for each user.
    """

    rows: Rows
    starts: Rows
    firsts: Rows
    n_ties: int
    n_out_of_order: int

    def begin_at(self, begin: int) -> _Arranged:
        """The same with its users after `begin` other steps, and without the rows."""
        return _Arranged(self.rows[:0], self.starts + begin, self.firsts, self.n_ties, self.n_out_of_order)


def _arrange(here: _Piece, user: pl.Series, n_tie_breaks: int, time: npt.NDArray[np.int64]) -> _Arranged:
    """Order a bucket; the times go into `time`."""
    rows, change = _by_user(here, user)
    starts = np.concatenate(([0], np.flatnonzero(change) + 1, [len(rows)]))
    np.take(here.columns[""], rows, out=time, mode="clip")
    backwards = _inside(time[1:] < time[:-1], starts)
    n_out_of_order = int(np.count_nonzero(backwards))
    if n_out_of_order:
        _sort_users(rows, time, starts, backwards)
    tied = _inside(time[1:] == time[:-1], starts)
    if n_tie_breaks:
        _break_ties(rows, tied, [here.columns[level] for level in range(n_tie_breaks)])
    firsts = here.row.take(rows.take(starts[:-1])).astype(np.int64)
    return _Arranged(rows, starts[:-1], firsts, int(np.count_nonzero(tied)), n_out_of_order)


def _by_user(here: _Piece, user: pl.Series) -> tuple[Rows, Bools]:
    """Rows of a bucket with users together and input order kept inside each, and where one user ends and the next begins.

    The sort compares the bits of the hash that leave room for the row's place. Runs in which the second hash differs are
    ordered by the id itself. Two ids that agree in both, and so stay together, are at most 2⁻⁶⁴ likely per pair even in a
    bucket of 2³² rows, and 2⁻⁷⁸ in one of 2¹⁸.
    """
    bits = np.uint64(max(len(here.hash) - 1, 1).bit_length())
    key = here.hash >> bits
    key <<= bits
    key |= np.arange(len(key), dtype=np.uint64)
    key.sort()
    change = (key[1:] >> bits) != (key[:-1] >> bits)
    key &= (np.uint64(1) << bits) - np.uint64(1)
    rows = key.view(np.int64)
    check = take(here.check, rows)
    mixed = np.flatnonzero((check[1:] != check[:-1]) & ~change)
    if len(mixed):
        _separate(rows, user.gather(pl.Series(here.row)), change, mixed)
    return rows, change


def _separate(rows: Rows, user: pl.Series, change: Bools, mixed: Rows) -> None:
    """Tell apart, in place, the users in the runs around the positions `mixed`; `change` flags where a run ends."""
    starts = np.concatenate(([0], np.flatnonzero(change) + 1, [len(rows)]))
    run = np.unique(np.searchsorted(starts, mixed, side="right") - 1)
    lengths = starts[run + 1] - starts[run]
    inside = np.arange(int(lengths.sum())) + np.repeat(starts[run] - (np.cumsum(lengths) - lengths), lengths)
    found = pl.DataFrame({"run": np.repeat(run, lengths), "row": rows[inside]})
    ordered = found.with_columns(id=user.gather(found["row"])).sort("run", "id", "row")
    rows[inside] = ordered["row"].to_numpy()
    change[inside[1:] - 1] |= ordered["id"].ne_missing(ordered["id"].shift(1)).to_numpy()[1:]


def _inside(step: Bools, starts: Rows) -> Bools:
    """Clear, in place, what compares the last step of one user with the first of the next."""
    step[starts[1:-1] - 1] = False
    return step


def _sort_users(rows: Rows, time: npt.NDArray[np.int64], starts: Rows, backwards: Bools) -> None:
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


def _break_ties(rows: Rows, tied: Bools, tie_break: Sequence[npt.NDArray[np.int64]]) -> None:
    """Order steps of one user at one instant, in place, by the tie-break columns and then by input order."""
    member = np.concatenate((tied, [False])) | np.concatenate(([False], tied))
    chosen = np.flatnonzero(member)
    if not len(chosen):
        return
    group = np.cumsum(~np.concatenate(([False], tied))[chosen])
    there = rows[chosen]
    keys = (there, *(column[there] for column in reversed(tie_break)), group)
    rows[chosen] = there[np.lexsort(keys)]
