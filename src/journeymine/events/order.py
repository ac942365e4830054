"""Events in the order that journeys are read in: user by user, each by time.

Users are brought together in two steps, each of which stays inside the processor's cache. Chunk by chunk, rows are laid
into buckets by the first bits of a 64-bit hash of the user's id; then, bucket by bucket, a sort by more bits of the hash
puts each user's rows side by side. Both count, and compare nothing. No ids are sorted. The hash never leaves this
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
from journeymine.sorting import counting_sort, stable_order

__all__ = ["OrderedEvents", "order_events"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_CHUNK_BITS = 20
_HASHED = 1 << 16
"""Ids hashed at a time: what that takes is used again for the next."""
_BUCKET = 1 << 17
"""Rows of a bucket, about."""
_TIME = ""
"""Name of the timestamp among the columns."""


@dataclass(frozen=True, slots=True)
class OrderedEvents:
    """Events with each user's together, in time order.

    Attributes
    ----------
    time : int64 [n_events], µs of each step.
    row : [n_events], where each step was in the input.
    labels, numbers, tie_break : as of `CodedEvents`, in this order.
    offsets : int64 [n_users + 1], the steps of user u are ``offsets[u]:offsets[u + 1]``.
    users : String [n_users], the id of each user; the order of users has no meaning.
    n_ties : steps at the same instant as the same user's step before.
    n_out_of_order : rows that come before an earlier one of the same user in the input.
    """

    time: npt.NDArray[np.int64]
    row: npt.NDArray[np.integer]
    labels: Mapping[str, Coded]
    numbers: Mapping[str, npt.NDArray[np.int64]]
    tie_break: tuple[npt.NDArray[np.int64], ...]
    offsets: Rows
    users: pl.Series
    n_ties: int
    n_out_of_order: int

    def __len__(self) -> int:
        return len(self.time)

    @property
    def user_of_step(self) -> Rows:
        """The user of each step, as a place in `users`."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.offsets))

    def keep(self, kept: Bools) -> OrderedEvents:
        """The events of a mask; users of whom none is left go too. Ties are those of all events."""
        rows = np.flatnonzero(kept)
        before = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))[self.offsets]
        stays = np.flatnonzero(before[1:] > before[:-1])
        return OrderedEvents(
            self.time.take(rows),
            self.row.take(rows),
            {name: coded.take(rows) for name, coded in self.labels.items()},
            {name: column.take(rows) for name, column in self.numbers.items()},
            tuple(column.take(rows) for column in self.tie_break),
            np.append(before[stays], len(rows)),
            self.users.gather(pl.Series(stays)),
            self.n_ties,
            self.n_out_of_order,
        )

    def in_input_order(self) -> CodedEvents:
        """The events as they were before."""
        place = np.empty(len(self), dtype=np.int64)
        place[self.row] = np.arange(len(self))
        return CodedEvents(
            self.users.gather(pl.Series(self.user_of_step.take(place))),
            self.time.take(place),
            {name: coded.take(place) for name, coded in self.labels.items()},
            {name: column.take(place) for name, column in self.numbers.items()},
            tuple(column.take(place) for column in self.tie_break),
        )


def order_events(events: CodedEvents, *, consume: bool = False) -> OrderedEvents:
    """Bring each user's events together and in time order.

    Cost: two sorts of small integers and a few passes; memory about 40 bytes per event while it runs, 30 with
    `consume`.

    Parameters
    ----------
    consume : work in the arrays of `events`, as far as they can be written to; `events` holds nothing of use
        afterwards.
    """
    n = len(events)
    bits = min((n // _BUCKET).bit_length(), 32 - _CHUNK_BITS)
    laid_out = _Piece.for_events(events, reuse=consume)
    chunks = [slice(low, min(low + (1 << _CHUNK_BITS), n)) for low in range(0, n, 1 << _CHUNK_BITS)]
    bounds = np.array(on_all_cores(lambda chunk: _lay_out(events, chunk, bits, laid_out), chunks), dtype=np.int64)
    bounds = bounds.reshape(len(chunks), (1 << bits) + 1)
    sizes = np.diff(bounds, axis=1).sum(axis=0)
    begins = np.concatenate(([0], np.cumsum(sizes)))
    ordered = {name: np.empty(n, dtype=column.dtype) for name, column in laid_out.columns.items()}
    row = np.empty(n, dtype=laid_out.row.dtype)

    def arrange(bucket: int) -> _Arranged:
        there = slice(int(begins[bucket]), int(begins[bucket + 1]))
        here = laid_out.bucket(bounds[:, bucket], bounds[:, bucket + 1])
        rows, arranged = _arrange(here, events.user, len(events.tie_break), ordered[_TIME][there], there.start)
        for name, column in ordered.items():
            if name != _TIME:
                np.take(here.columns[name], rows, out=column[there], mode="clip")
        np.take(here.row, rows, out=row[there], mode="clip")
        return arranged

    arranged = on_all_cores(arrange, np.flatnonzero(sizes).tolist())
    offsets = np.concatenate([*(each.starts for each in arranged), [n]]).astype(np.int64)
    return OrderedEvents(
        ordered[_TIME],
        row,
        {name: Coded(ordered[name], coded.labels) for name, coded in events.labels.items()},
        {name: ordered[name] for name in events.numbers},
        tuple(ordered[level] for level in range(len(events.tie_break))),
        offsets,
        pl.concat([each.users for each in arranged] or [events.user.clear()], rechunk=True),
        sum(each.n_ties for each in arranged),
        sum(each.n_out_of_order for each in arranged),
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows, in input order inside each chunk and bucket.

    Attributes
    ----------
    row : of the input.
    hash, check : two hashes of the id; the 32 bits below those that name its bucket, and 32 of another.
    columns : timestamp as `_TIME`, labels, numbers, and tie-breaks by number.
    """

    row: npt.NDArray[np.integer]
    hash: npt.NDArray[np.uint32]
    check: npt.NDArray[np.uint32]
    columns: Mapping[str | int, npt.NDArray[Any]]

    @classmethod
    def for_events(cls, events: CodedEvents, *, reuse: bool) -> _Piece:
        """Room for all events: one array each, since many small ones cost more than their bytes; those of `events`
        themselves where they may be used again.
        """  # noqa: D205
        n = len(events)
        columns = {
            name: column if reuse and column.flags.writeable else np.empty_like(column)
            for name, column in _columns(events).items()
        }
        row: npt.NDArray[np.integer] = np.empty(n, np.uint32) if n <= 1 << 32 else np.empty(n, np.int64)
        return cls(row, np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32), columns)

    def bucket(self, begins: Rows, ends: Rows) -> _Piece:
        """The rows of one bucket, chunk after chunk."""
        cuts = [slice(low, high) for low, high in zip(begins.tolist(), ends.tolist(), strict=True)]

        def gathered(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return column[cuts[0]] if len(cuts) == 1 else np.concatenate([column[cut] for cut in cuts])

        columns = {name: gathered(column) for name, column in self.columns.items()}
        return _Piece(gathered(self.row), gathered(self.hash), gathered(self.check), columns)


def _columns(events: CodedEvents) -> dict[str | int, npt.NDArray[Any]]:
    """All columns but the user."""
    columns: dict[str | int, npt.NDArray[Any]] = {_TIME: events.timestamp}
    columns.update({name: coded.codes for name, coded in events.labels.items()})
    columns.update(events.numbers)
    columns.update(enumerate(events.tie_break))
    return columns


def _lay_out(events: CodedEvents, chunk: slice, bits: int, into: _Piece) -> Rows:
    """Lay the rows of a chunk out by bucket, in the chunk's place of `into`; returns where each bucket begins and ends."""
    n = chunk.stop - chunk.start
    bucket, (hashed, check) = np.empty(n, dtype=np.int32), (np.empty(n, dtype=np.uint32) for _ in range(2))
    for low in range(0, n, _HASHED):
        user, there = events.user.slice(chunk.start + low, min(_HASHED, n - low)), slice(low, low + _HASHED)
        first = user.hash(seed=0).to_numpy()
        # A shift by all 64 bits is not defined.
        bucket[there] = first >> np.uint64(64 - bits) if bits else 0
        hashed[there] = first >> np.uint64(32 - bits) & np.uint64((1 << 32) - 1)
        check[there] = user.hash(seed=1).to_numpy() >> np.uint64(32)
    if bits:
        order, bounds = counting_sort(bucket, 1 << bits)
        rows = order.astype(np.int64)
    else:
        rows, bounds = np.arange(n), np.array([0, n], dtype=np.int32)
    np.add(rows, chunk.start, out=into.row[chunk], casting="unsafe")
    # mode="clip" writes straight into `out`; every row is in range anyway
    np.take(hashed, rows, out=into.hash[chunk], mode="clip")
    np.take(check, rows, out=into.check[chunk], mode="clip")
    for name, column in _columns(events).items():
        # not straight into `out`, which may be the very rows that are read
        into.columns[name][chunk] = column[chunk].take(rows, mode="clip")
    return np.asarray(bounds + np.int64(chunk.start), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Arranged:
    """What is known of a bucket in order.

    Attributes
    ----------
    starts : the step at which each user begins.
    users : the id of each.
    """

    starts: Rows
    users: pl.Series
    n_ties: int
    n_out_of_order: int


def _arrange(
    here: _Piece, user: pl.Series, n_tie_breaks: int, time: npt.NDArray[np.int64], begin: int
) -> tuple[Rows, _Arranged]:
    """The order of a bucket's rows, whose first step is `begin`; their times go into `time`."""
    rows, change = _by_user(here, user)
    starts = np.concatenate(([0], np.flatnonzero(change) + 1, [len(rows)]))
    np.take(here.columns[_TIME], rows, out=time, mode="clip")
    backwards = _inside(time[1:] < time[:-1], starts)
    n_out_of_order = int(np.count_nonzero(backwards))
    if n_out_of_order:
        _sort_users(rows, time, starts, backwards)
    tied = _inside(time[1:] == time[:-1], starts)
    if n_tie_breaks:
        _break_ties(rows, tied, [here.columns[level] for level in range(n_tie_breaks)])
    ids = user[pl.Series(take(here.row, rows.take(starts[:-1])))]
    return rows, _Arranged(starts[:-1] + begin, ids, int(np.count_nonzero(tied)), n_out_of_order)


def _by_user(here: _Piece, user: pl.Series) -> tuple[Rows, Bools]:
    """Rows of a bucket with users together and input order kept inside each, and where one user ends and the next begins.

    Sorted by are 32 bits of the hash, beside those of the bucket. Runs in which the second hash differs are ordered
    by the id itself. Two ids that agree in all 64 bits or more, and so stay together, are at most 2⁻⁶⁴ likely per pair,
    and 2⁻⁷² in a log of 20 million events.
    """
    rows = stable_order(here.hash, 1 << 32)
    hashed = take(here.hash, rows)
    change = hashed[1:] != hashed[:-1]
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
