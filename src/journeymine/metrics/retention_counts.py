"""Who of a cohort came again in which period, counted block by block: one pass over the members per period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.tabulate import distinct_users
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, at_steps
from journeymine.metrics.period_clock import PeriodClock, numbers_between
from journeymine.metrics.retention_members import Members, Returns, UserClock
from journeymine.metrics.step_blocks import Positions, StepBlock, StepBlocks
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_cells"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_OVER, _BACK, _KINDS = 1, 2, 3
"""What a member adds to a period of its cohort, when that is over, and when it came back too."""


def count_cells(
    journeys: Journeys,
    specs: Mapping[str, TableSpec],
    entry: Occurrence,
    returned: Occurrence,
    clock: PeriodClock,
    cohort: str,
    *,
    names: Sequence[str],
    periods: int,
    kind: str,
    recurring: bool,
) -> dict[str, pl.DataFrame]:
    """The three tables of `Retention`."""
    cells = _Cells(
        journeys, StepBlocks(journeys, entry, names), clock, cohort,
        n_periods=periods + 1, kind=kind, recurring=recurring,
    )  # fmt: skip
    returns = Positions(journeys, returned)
    for block in cells.blocks:
        cells.add(block, returns.inside(block.first, len(block.journeys.coded)))
    return cells.tables(specs)


class _Cells:
    """Counts by (group, cohort, period, fold) so far."""

    def __init__(
        self, journeys: Journeys, blocks: StepBlocks, clock: PeriodClock, cohort: str,
        *, n_periods: int, kind: str, recurring: bool,
    ) -> None:  # fmt: skip
        self.blocks, self.clock, self.n_periods, self.kind, self.recurring = blocks, clock, n_periods, kind, recurring
        self.users = UserClock(journeys, clock, cohort, recurring=recurring)
        self.now = int(clock.read(np.array([journeys.context.observed_until]))[0])
        self.first_cohort, last = numbers_between(journeys, cohort, clock.zone)
        self.n_cohorts = last - self.first_cohort + 1
        n_cells = blocks.n_groups * self.n_cohorts
        self.sizes = Occurrences(n_cells * 2)
        self.size = n_cells * n_periods * FOLDS
        self.back, self.value = Occurrences(self.size * _KINDS), Sums()
        self.people = Occurrences(blocks.n_groups * n_periods * FOLDS * 2)

    def add(self, block: StepBlock, coming: Ints) -> None:
        """Add the members of a block, of whose steps those at `coming` are returns."""
        members = self.users.members(block)
        if self.kind == "unbounded":  # the only kind that looks beyond the period itself
            coming = _by(block.journeys, coming, block.journeys.context.observed_until)
        came = self.users.returns(block.journeys, coming, members)
        cell = members.group * self.n_cohorts + (members.cohort - self.first_cohort)
        early = members.time < block.journeys.context.log_start + block.journeys.rules.idle_us
        self.sizes.add((cell * 2 + early).astype(self.sizes.kind))
        cell *= self.n_periods * FOLDS
        cell += members.fold
        here, until = came.low, members.begins + 0
        for k in range(self.n_periods):
            until += self.clock.step
            following = self.users.following(came, here, until)
            over = until <= self.now
            back = over & self._back(came, here, following)
            self.back.add((cell * _KINDS + over + back).astype(self.back.kind))
            if came.paid is not None:
                value = take(came.paid, following) - (take(came.paid, here) if k else came.own)
                worth = np.flatnonzero(over & (value != 0))
                self.value.add(take(cell, worth), take(value, worth), self.size)
            if self.recurring:
                self._add_people(members, k, over, back)
            here = following
            cell += FOLDS

    def _back(self, came: Returns, here: Ints, following: Ints) -> Bools:
        """Who came between `here` and `following`, or later, or earlier."""
        if self.kind == "unbounded":
            return came.high > here
        return following > (here if self.kind == "bounded" else came.low)

    def _add_people(self, members: Members, k: int, over: Bools, back: Bools) -> None:
        """Add each user once to a period over all its cohorts."""
        place = ((members.group * self.n_periods + k) * FOLDS + members.fold) * 2
        for came_back, which in enumerate((over, back)):
            once = distinct_users(members.group, members.user, which, self.blocks.n_groups)
            self.people.add((place[once] + came_back).astype(self.people.kind))

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """All three tables."""
        there, kind, n, starts = self.back.by_cell(_KINDS)
        cell, period = there // FOLDS // self.n_periods, there // FOLDS % self.n_periods
        totals = {"n": sum_where(kind >= _OVER, n, starts), "retained": sum_where(kind == _BACK, n, starts)}
        value = dict(zip(limbs("value"), self.value.totals(there), strict=True))
        cells = self._table(specs["cells"], cell, {"period": period, "fold": there % FOLDS, **totals, **value})
        cell, early, n, starts = self.sizes.by_cell(2)
        sizes = {"n_cohort": sum_where(early >= 0, n, starts), "left_truncated": sum_where(early > 0, n, starts)}
        cohorts = self._table(specs["cohorts"], cell, sizes)
        return {"cells": cells, "cohorts": cohorts, "overall": self._overall(specs["overall"], cells)}

    def _overall(self, spec: TableSpec, cells: pl.DataFrame) -> pl.DataFrame:
        """All cohorts together; who is a member of several is still one user."""
        if not self.recurring:
            users = [pl.col("n").alias("n_users"), pl.col("retained").alias("users_retained")]
            return spec.merge([cells.with_columns(users).select(list(spec.schema))])
        numbers, n = self.people.counted()
        place = numbers // 2
        group, counted = (
            place // FOLDS // self.n_periods,
            {"n_users": n * (numbers % 2 == 0), "users_retained": n * (numbers % 2)},
        )
        period = {"period": place // FOLDS % self.n_periods, "fold": place % FOLDS}
        nothing = dict.fromkeys(("n", "retained", *limbs("value")), np.zeros_like(n))
        people = self._frame(spec, group, {**period, **nothing, **counted})
        nobody = [pl.lit(0, dtype=pl.Int64).alias(name) for name in counted]
        return pl.concat([cells.with_columns(nobody).select(people.columns), people])

    def _table(self, spec: TableSpec, cell: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        cohort = {"cohort": cell % self.n_cohorts + self.first_cohort}
        return self._frame(spec, cell // self.n_cohorts, {**cohort, **columns})

    def _frame(self, spec: TableSpec, group: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        frame = pl.DataFrame({**self.blocks.spelled(group), **columns})
        return frame.select(pl.col(name).cast(pl.UInt8) if name == "fold" else name for name in spec.schema)


def _by(journeys: Journeys, coming: Ints, until: int) -> Ints:
    """Which of the steps at `coming` happened by an instant."""
    if journeys.heads.end.max(initial=until) <= until:
        return coming
    return coming[at_steps(journeys.coded.time, coming) <= until]
