"""Journeys in the order of their paths, so that equal paths stand together: paths are read as words of packed labels.

As many labels as fit 64 bits are one word, the first label in the upper bits and 0 after the end, so that words compare
as the labels do. All journeys are sorted by their first word; those that still tie, by their next one. Nothing is
hashed, so nothing can collide, and the order is the same on every machine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes, sort_cells
from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import on_all_cores, take

__all__ = ["path_order"]

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
_BITS = 64
_BLOCK = 1 << 16
"""Journeys at a time."""


def path_order(
    journeys: Journeys, coded: Coded, kept: npt.NDArray[np.bool_], group: Ints, n_groups: int
) -> tuple[Ints, Ints]:
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
    bits = max(len(coded.labels).bit_length(), 1)
    width = _BITS // bits
    words = _words(coded, journeys.offsets[:-1], lengths, 0, bits)
    order = np.argsort(words)
    if n_groups > 1:
        order = take(order, sort_cells(take(group, order), n_groups)[1])
    new = changes(take(words, order))
    new |= changes(take(group, order))
    for first in range(width, int(lengths.max(initial=0)), width):
        at = _tied(new, take(lengths, order) > first)
        if not len(at):
            break
        tied = take(order, at)
        words = _words(coded, take(journeys.offsets, tied), take(lengths, tied), first, bits)
        run = np.cumsum(new[at], dtype=np.int64)  # rows of a run come with its beginning, so that runs stay apart
        by_word = np.argsort(words)
        again = take(by_word, sort_cells(take(run, by_word), len(at) + 1)[1])
        order[at] = take(tied, again)
        new[at] |= changes(take(words, again))
    path = np.empty(len(order), dtype=np.int64)
    path[order] = np.cumsum(new) - 1
    there, rows = sort_cells(path, len(order) + 1)
    return rows, np.flatnonzero(changes(there))


def _tied(new: npt.NDArray[np.bool_], longer: npt.NDArray[np.bool_]) -> Ints:
    """Positions in the runs of two or more of which any goes on."""
    starts = np.flatnonzero(new)
    several = np.diff(starts, append=len(new)) > 1
    goes_on = np.maximum.reduceat(longer.view(np.uint8), starts).view(np.bool_) if len(starts) else several
    return np.flatnonzero(np.repeat(several & goes_on, np.diff(starts, append=len(new))))


def _words(coded: Coded, begins: Ints, lengths: Ints, first: int, bits: int) -> Words:
    """One word of each path: of its labels from `first` on."""
    words = np.zeros(len(begins), dtype=np.uint64)
    most = min(_BITS // bits, int(lengths.max(initial=0)) - first)

    def block(low: int) -> None:
        there = slice(low, low + _BLOCK)
        word, at, left = words[there], begins[there] + first, lengths[there] - first
        for k in range(most):
            label = take(coded.codes, at).astype(np.uint64)
            label += np.uint64(1)
            label *= left > k
            word <<= np.uint64(bits)
            word |= label
            at += 1

    on_all_cores(block, range(0, len(begins), _BLOCK))
    return words
