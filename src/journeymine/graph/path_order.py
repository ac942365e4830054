"""Journeys in the order of their paths, so that equal paths stand together: paths are read as words of packed labels.

A word holds the next few labels of a path, the first in the upper bits and 0 after the end, so that words compare as
the labels do. All journeys are sorted by their first word; those that still tie, by their next one. Below the labels
stands the row that the word belongs to, so that plain integers are sorted, several times faster than an ``argsort``.
Nothing is hashed, so nothing can collide, and the order is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes, sort_cells
from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import on_all_cores, take

__all__ = ["path_order"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
_BITS = 64
_BLOCK = 1 << 14
"""Journeys at a time: half a dozen arrays of them stay in the cache."""


def path_order(journeys: Journeys, coded: Coded, kept: Bools, group: Ints, n_groups: int) -> tuple[Ints, Ints]:
    """Journeys by group and path, and where each path begins among them.

    Parameters
    ----------
    coded : labels of the steps; paths are in the order of their codes, a path before those that go on from it.
    kept : journeys whose path counts; all others of a group are one path, before all paths.
    group : of each journey, below `n_groups`; a path of two groups is two.

    Returns
    -------
    Positions of the journeys, those of one path in their own order, and the position in that of each path's first.
    """
    lengths = np.where(kept, journeys.lengths, 0)
    order = sort_cells(group, n_groups)[1] if n_groups > 1 else np.arange(len(group))
    new = changes(take(group, order))
    first, longest = 0, int(lengths.max(initial=0))
    at: Ints | slice = slice(None)
    while first < longest:
        tied, run = order[at], np.cumsum(new[at], dtype=np.int64)
        layout = _Layout.of(len(coded.labels), len(tied), int(run[-1]), longest - first)
        words = _words(coded, journeys.offsets, lengths, tied, run, first, layout)
        rows, begins = _sorted(words, run, layout)
        order[at] = tied = take(tied, rows)
        new[at] = begins
        first += layout.n_labels
        still = _tied(begins)
        still = still[_any_in_run(take(begins, still), take(lengths, take(tied, still)) > first)]
        if not len(still):
            break
        at = still if isinstance(at, slice) else take(at, still)
    return order, np.flatnonzero(new)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a word is made of: the run that its journey is in, its next labels, and its row.

    Attributes
    ----------
    n_labels : how many labels.
    label, row : bits of a label and of the row; 0 for the row where not even one label fits beside run and row, which
        then stay outside.
    """

    n_labels: int
    label: int
    row: int

    @classmethod
    def of(cls, n_known: int, n_rows: int, n_runs: int, longest: int) -> _Layout:
        """With as many labels as fit, at most `longest`."""
        label, row = max(n_known.bit_length(), 1), n_rows.bit_length()
        room = _BITS - row - n_runs.bit_length()
        if room < label:  # only with enormous alphabets, or logs
            return cls(min(_BITS // label, longest), label, 0)
        return cls(min(room // label, longest), label, row)


def _words(coded: Coded, offsets: Ints, lengths: Ints, journey: Ints, run: Ints, first: int, layout: _Layout) -> Words:
    """One word of each journey: of its labels from `first` on."""
    words = np.empty(len(journey), dtype=np.uint64)
    kind = np.min_scalar_type(len(coded.labels))

    def block(low: int) -> None:
        there = slice(low, low + _BLOCK)
        word = words[there]
        word[:] = run[there] if layout.row else 0
        at, left = take(offsets, journey[there]) + first, take(lengths, journey[there]) - first
        for k in range(layout.n_labels):
            label = take(coded.codes, at).astype(kind, copy=False)
            label += kind.type(1)
            label *= left > k
            word <<= np.uint64(layout.label)
            word |= label
            at += 1
        word <<= np.uint64(layout.row)
        word |= np.arange(low, low + len(word), dtype=np.uint64) if layout.row else np.uint64(0)

    on_all_cores(block, range(0, len(words), _BLOCK))
    return words


def _sorted(words: Words, run: Ints, layout: _Layout) -> tuple[Ints, Bools]:
    """Rows by run and word, equal ones as they come, and where either begins."""
    if not layout.row:
        rows = np.argsort(words, kind="stable")
        runs, by_run = sort_cells(take(run, rows), int(run[-1]) + 1)
        rows = take(rows, by_run)
        return rows, changes(runs) | changes(take(words, rows))
    words.sort()
    rows = (words & np.uint64((1 << layout.row) - 1)).astype(np.int64)
    words >>= np.uint64(layout.row)
    return rows, changes(words)


def _tied(begins: Bools) -> Ints:
    """Rows in the runs of two or more."""
    again = ~begins
    again[:-1] |= again[1:]
    return np.flatnonzero(again)


def _any_in_run(begins: Bools, flags: Bools) -> Bools:
    """Of each row, whether any in its run is flagged."""
    starts = np.flatnonzero(begins)
    if not len(starts):
        return flags
    return np.repeat(np.logical_or.reduceat(flags, starts), np.diff(starts, append=len(flags)))
