"""Tables of a contrast, counted block by block: what became of the journeys in each cell, and how many users they are of.

What a journey adds to a table is packed into one number with its cell, and all numbers are counted at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.packed import Columns, Packed
from journeymine.counting.runs import changes
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import (
    FATES,
    IMMATURE,
    IN_STAGE,
    KINDS,
    LEFT,
    NEW_USER,
    NEWLY_WON,
    WON,
    Standings,
    fate_of,
    without_users,
)
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["Fates"]

Ints = npt.NDArray[np.int64]
_NONE = np.zeros(0, dtype=np.int64)
_FATE = np.arange(KINDS, dtype=np.uint8) % FATES
_FATE[NEWLY_WON] = WON
"""The fate that each kind tells of."""
_TELLS_WON = np.isin(np.arange(KINDS), (NEWLY_WON, WON + NEW_USER))


class Fates:
    """Journeys by cell, fold and what became of them, with how often they met a marker and what they are worth."""

    def __init__(self, *, staged: bool = True, by_user: bool = False) -> None:
        """Nothing yet.

        Parameters
        ----------
        staged : cells are told apart by the stage at the step in question as well.
        by_user : users are counted, too; then the rows of a cell come user after user.
        """
        self._staged, self._by_user, self._n_kinds = staged, by_user, KINDS if by_user else FATES
        self._at = Packed.none(0)
        self._stages: Columns = {}
        self._n_codes = 0
        self._kinds, self._more, self._value = Occurrences(0), Occurrences(0), Sums()

    def add(
        self,
        ground: Ground,
        at: Packed,
        journey: npt.NDArray[np.signedinteger],
        standing: Standings,
        again: Ints | None = None,
    ) -> None:
        """Add journeys, one row each.

        Parameters
        ----------
        journey, standing : which it is, and how it stands at the step in question; the latter is ours from now on.
        again : the row of each further time that one met its marker; None where there is no marker, and nothing of worth.
        """
        if not self._n_codes:
            self._at, self._stages = at.without_rows(), ground.stages if self._staged else {}
            self._n_codes = FOLDS * self._n_kinds * (ground.n_stages if self._staged else 1)
            self._kinds = Occurrences(at.size * self._n_codes)
            self._more = Occurrences(0 if again is None else at.size * self._n_codes // self._n_kinds)
        if not self._staged:
            standing &= standing.dtype.type(IN_STAGE - 1)
        won = np.flatnonzero(fate_of(standing) == WON) if again is not None else _NONE
        if self._by_user:
            _mark_users(standing, at.cell, take(ground.journeys.heads.user, journey), won)
        else:
            standing = without_users(standing)
        number: npt.NDArray[Any] = at.cell.astype(self._kinds.kind)
        number *= self._n_codes
        number += standing
        self._kinds.add(number)
        if again is not None:
            self._more.add((take(number, again) // self._n_kinds).astype(self._more.kind))
            if ground.value is not None:
                there, worth = take(number, won) // self._n_kinds, take(ground.value, take(journey, won))
                self._value.add(there.astype(np.int64), worth, at.size * self._n_codes // self._n_kinds)

    def absorb(self, other: Fates) -> None:
        """Add what another one counted; the other is used up."""
        self._kinds.absorb(other._kinds)
        self._more.absorb(other._more)
        self._value.absorb(other._value)

    def cells(self) -> Ints:
        """Each cell that occurs, ascending."""
        cell = self._kinds.counted()[0] // self._n_codes
        return take(cell, np.flatnonzero(changes(cell)))

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """Journeys, by some of the columns of `contrast_specs`."""
        there, kind, n, starts = self._kinds.by_cell(self._n_kinds)
        fate, n_journeys = take(_FATE, kind), np.add.reduceat(n, starts) if len(n) else n
        n_times, (again, more) = n_journeys.copy(), self._more.counted()
        n_times[np.searchsorted(there, again)] += more
        totals = {
            "n_times": n_times,
            "n_journeys": n_journeys,
            "n": sum_where(fate != IMMATURE, n, starts),
            "converted": sum_where(fate == WON, n, starts),
            "lost_at": sum_where(fate == LEFT, n, starts),
            **dict(zip(limbs("value"), self._value.totals(there), strict=True)),
        }
        placed = there // FOLDS
        columns = {**self._apart(placed), "fold": (there - placed * FOLDS).astype(np.uint8), **totals}
        return pl.DataFrame({name: columns[name] for name in spec.schema})

    def people(self, spec: TableSpec) -> pl.DataFrame:
        """Users of mature journeys in each cell, of all stages together, and of those that converted."""
        cell, code, n, starts = self._kinds.by_cell(self._n_codes)
        kind = code % KINDS
        users = sum_where(kind > NEW_USER, n, starts), sum_where(take(_TELLS_WON, kind), n, starts)
        columns = {**self._at.apart(cell), **dict(zip(spec.values, users, strict=True))}
        return pl.DataFrame({name: columns[name] for name in spec.schema})

    def _apart(self, placed: Ints) -> dict[str, pl.Series]:
        """The columns of cells told apart by stage."""
        factors = (*self._at.factors, self._stages) if self._staged else self._at.factors
        return Packed(_NONE, factors).apart(placed)


def _mark_users(standing: Standings, cell: npt.NDArray[np.integer], user: Ints, won: Ints) -> None:
    """Have the first mature journey of each user in each cell say so, and the first converted one; `won` are those."""
    new = changes(cell)
    new |= changes(user)
    new &= fate_of(standing) != IMMATURE  # mature ones come before the others
    standing |= new.view(np.uint8) * standing.dtype.type(NEW_USER)
    newly = changes(take(cell, won))
    newly |= changes(take(user, won))
    newly &= ~take(new, won)
    standing[take(won, np.flatnonzero(newly))] += NEWLY_WON - WON
