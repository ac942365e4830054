"""Which entries of a funnel count: one of each unit, or one of each unit and label, or period.

Of several entries the one that goes furthest counts. Over a whole unit that is as it should be. But a label or a date
is the entry's own, and the one that goes furthest is known only afterwards: filed by it, a unit that gets through at
the fifth try would stand with that try, and one that never does with its first. Late tries would then seem to succeed
always. So each label and each period has its own best entry, among all the entries that it saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes, sort_cells
from journeymine.metrics.funnel_match import Matches, add_optional
from journeymine.metrics.funnel_runs import Runs
from journeymine.parallel import take

__all__ = ["Entries"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Entries:
    """Every entry of a funnel, run after run.

    Attributes
    ----------
    runs : where the matches lie.
    matches : the match of each entry; its optional steps are filled by `filled`.
    closed : whether the window of each has closed.
    required, spans, within : of the funnel, as `add_optional` takes them; `spans` is None where no step is to be filled
        yet.
    """

    runs: Runs
    matches: Matches
    closed: Bools
    required: Sequence[int]
    spans: Sequence[tuple[int, int]] | None
    within: int | None

    def __len__(self) -> int:
        return len(self.closed)

    @property
    def unit(self) -> Ints:
        """The unit of each, ascending."""
        return take(self.runs.unit, self.matches.run)

    def take(self, which: npt.NDArray[np.integer]) -> Entries:
        """Some of them."""
        return replace(self, matches=self.matches.take(which), closed=take(self.closed, which))

    def filled(self) -> Entries:
        """The same with their optional steps."""
        if self.spans is None:
            return self
        return replace(
            self,
            matches=add_optional(self.matches, self.runs, self.required, self.spans, self.within),
            spans=None,
        )

    def row(self, step: int) -> Ints:
        """The step of the journeys that fills a step of the funnel (from 0), -1 where none does."""
        at = self.matches.at[step]
        return at if self.runs.row is None else np.where(at < 0, -1, self.runs.row[at])

    def rows(self) -> Ints:
        """The same for all steps, shape [steps, entries]."""
        at = self.matches.at
        return at if self.runs.row is None else np.where(at < 0, -1, self.runs.row[at])

    def outermost(self) -> Entries:
        """Without those that lie inside a match that goes further: in any order, what completes it is an event that fills a step, too."""
        entry, depth = self.matches.at[0], self.matches.depth
        last, inside = self.matches.at.max(axis=0), np.zeros(len(self), dtype=bool)
        for k in range(1, len(self.matches.at)):
            reach = np.maximum.accumulate(np.where(depth > k, last, -1))
            inside |= (depth == k) & (reach >= entry)
        return self.take(np.flatnonzero(~inside))

    def furthest(self, cell: Ints | None = None, size: int = 1) -> Ints:
        """The index of the entry that counts for each unit, or for each unit and cell, by unit.

        Of the entries whose window has closed, or of all where none has, the one that goes furthest; of several, the
        earliest.

        Parameters
        ----------
        cell : of each entry, below `size`; one for all by default.
        """
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        if cell is None:
            return self._best(self.unit)
        group, order = self._groups(cell, size)
        return take(order, self.take(order)._best(group))

    def _groups(self, cell: Ints | None, size: int) -> tuple[Ints, Ints]:
        """A number for each unit and cell, those of one side by side, and the entry that each is of."""
        group = self.unit
        if cell is None:
            return group, np.arange(len(group))
        if size > (1 << 62) // (int(group[-1]) + 1):  # only with enormous alphabets
            seen, cell = np.unique(cell, return_inverse=True)
            size = len(seen)
        return sort_cells(group * size + cell, (int(group[-1]) + 1) * size)

    def _best(self, group: Ints) -> Ints:
        """The entry that counts of each group; those of a group stand together."""
        start = np.flatnonzero(changes(group))
        size = np.diff(start, append=len(group))
        n_steps = len(self.matches.at)
        kind = np.min_scalar_type(2 * n_steps + 1)  # small numbers pass through less memory
        score = self.matches.depth.astype(kind)
        score += self.closed * kind.type(n_steps + 1)
        best = np.flatnonzero(score == np.repeat(np.maximum.reduceat(score, start), size))
        start = np.flatnonzero(changes(take(group, best)))
        if self.runs.row is None:  # positions are in the order of the steps
            return take(best, start)
        row = self.runs.row_at(self.matches.at[0][best])
        size = np.diff(start, append=len(best))
        return np.asarray(best[row == np.repeat(np.minimum.reduceat(row, start), size)])

    def reaching(self, step: int, cell: Ints | None = None, size: int = 1) -> Bools:
        """Whether an entry fills a step, or its unit (in its cell) has none that counts and does."""
        if not len(self):
            return np.zeros(0, dtype=bool)
        there = self.matches.at[step] >= 0
        group, order = self._groups(cell, size)
        start = np.flatnonzero(changes(group))
        # 3: one with a closed window fills it; 2: closed ones do not; 1: none is closed, and one fills it.
        kind = 2 * self.closed.astype(np.int8) + there
        most = np.maximum.reduceat(take(kind, order), start)
        alone = np.zeros(len(self), dtype=bool)
        alone[order] = np.repeat(most % 2 == 0, np.diff(start, append=len(group)))
        return np.asarray(there | alone)
