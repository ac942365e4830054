"""States of a chain of order k: the last k labels of a path, as one integer, and as text inside counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError

__all__ = ["OUTCOMES", "Walks", "check_order", "labels_of_state", "state_texts", "unpack", "walks"]

Ints = npt.NDArray[np.int64]
OUTCOMES = ("converted", "lost", "open", "ended")
"""What a path may end in, in this order."""

_BETWEEN, _ESCAPE = "\x1f", "\x1b"
"""Stands between the labels of a state inside counts, and before either where a label holds one: states stay apart."""


@dataclass(frozen=True, slots=True)
class Walks:
    """Paths as walks over states, each state the latest labels of its path.

    Attributes
    ----------
    codes : the states visited, path after path, as indices into `seen`.
    offsets : where each path's states begin, and the end of the last.
    ends : the position, among all labels of all paths, of each state's latest; None where every label makes a state.
    seen : each state as one integer, see `unpack`; ascending.
    base : labels + 1, what those integers are written to.
    """

    codes: npt.NDArray[np.integer]
    offsets: Ints
    ends: Ints | None
    seen: Ints
    base: int

    @property
    def at(self) -> Ints:
        """The position, among all labels of all paths, whose label made each state."""
        return np.arange(len(self.codes)) if self.ends is None else self.ends


def check_order(order: int, name: str = "order") -> int:
    """Refuse an order that is no number of labels.

    Raises
    ------
    QuestionError : it is not a whole number from 1 to 8.
    """
    if type(order) is not int or not 1 <= order <= 8:
        raise QuestionError(f"{name}={order!r} of a Markov chain", hint="give a whole number from 1 to 8")
    return order


def walks(codes: npt.NDArray[np.integer], offsets: Ints, n_labels: int, order: int) -> Walks:
    """Slide a window of `order` labels over each path; a shorter path is one state, all of it.

    A state that follows itself is a move like any other. Whether it is counted or collapsed changes no probability of
    absorption: P_ij / (1 − P_ii) is the chance to go on to j either way.

    Parameters
    ----------
    codes : labels of the paths, path after path.
    offsets : where each path begins, and the end of the last; an empty path visits no state.
    n_labels : how many labels there are.

    Raises
    ------
    QuestionError : so many labels at so high an order that states have no number of 64 bits.
    """
    base = n_labels + 1
    if base**order >= 1 << 62:
        raise QuestionError(
            f"a chain of order {order} over {n_labels:,} labels has more possible states than 64 bits can number",
            hint="take a lower order or a coarser grain",
        )
    if order == 1:
        return Walks(codes, offsets, None, np.arange(1, base), base)
    states, at, begins = _windows(codes, offsets, np.diff(offsets), order, base)
    seen, found = np.unique(states, return_inverse=True)
    return Walks(found, begins, at, seen, base)


def _windows(
    codes: npt.NDArray[np.integer], offsets: Ints, lengths: Ints, order: int, base: int
) -> tuple[Ints, Ints, Ints]:
    """State, position of its latest label, and offsets, for every window."""
    kept = np.minimum(lengths, order)
    # A window ends at each label that has order - 1 before it; in a short path, at its last label.
    at = np.flatnonzero(np.arange(len(codes)) - np.repeat(offsets[:-1], lengths) >= np.repeat(kept - 1, lengths))
    windows = np.where(lengths > 0, lengths - kept + 1, 0)
    reach = np.repeat(kept, windows)
    states = np.zeros(len(at), dtype=np.int64)
    for back in range(order - 1, -1, -1):
        there = reach > back
        states *= np.where(there, base, 1)
        states += np.where(there, codes[np.maximum(at - back, 0)].astype(np.int64) + 1, 0)
    return states, at, np.concatenate(([0], np.cumsum(windows)))


def unpack(state: int, base: int) -> list[int]:
    """Label codes of a state, oldest first.

    >>> unpack(1 * 100 + 3 * 10 + 2, 10)
    [0, 2, 1]
    """
    digits: list[int] = []
    while state:
        state, digit = divmod(state, base)
        digits.append(digit - 1)
    return digits[::-1]


def state_texts(states: Ints, labels: Sequence[str], base: int) -> pl.Series:
    """Each state as text: its labels with a separator that no label can imitate."""
    plain = [_escaped(label) for label in labels]
    return pl.Series(
        [_BETWEEN.join(plain[code] for code in unpack(int(state), base)) for state in states], dtype=pl.String
    )


def labels_of_state(text: str) -> tuple[str, ...]:
    r"""Labels of a state's text.

    >>> labels_of_state(state_texts(np.array([1 * 3 + 2]), ["a\x1f", "b"], 3)[0])
    ('a\x1f', 'b')
    """
    return tuple(part.replace(f"{_ESCAPE}1", _BETWEEN).replace(f"{_ESCAPE}0", _ESCAPE) for part in text.split(_BETWEEN))


def _escaped(label: str) -> str:
    return label.replace(_ESCAPE, f"{_ESCAPE}0").replace(_BETWEEN, f"{_ESCAPE}1")
