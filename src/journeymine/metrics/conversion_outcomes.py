"""What became of journeys, counted block by block; the counting behind `conversion`.

What a journey adds to its group is one small number, and so is what a user adds to it; each is packed with group and
fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import Grouped, group_journeys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.groups import Groups
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import pack
from journeymine.graph.transition_cells import BLOCK
from journeymine.journeys.heads import CONVERTED, LOST, OPEN, SERVICE, STATUSES, Heads
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import BUCKETS, bucket_place
from journeymine.stats.wide import split, to_float

__all__ = ["count_outcomes", "mean_value"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_BLOCK = 4 * BLOCK
"""Steps at a time: their journeys, which are fewer, stay in the cache."""
_SERVICE, _IMMATURE, _NEITHER, _CONVERTED, _LOST, _OPEN, _STATES = range(7)
_OF_STATUS = np.full(len(STATUSES), _NEITHER, dtype=np.uint8)
_OF_STATUS[LOST], _OF_STATUS[OPEN] = _LOST, _OPEN
"""What is said of a journey below the line that does not count as converted, by its status."""


def count_outcomes(
    journeys: Journeys, names: Sequence[str], channel_of: str, horizon: int | None, specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The tables ``outcomes`` and ``times`` of whole users' journeys; `horizon` in µs."""
    journeys = journeys.with_grains(names)
    outcomes = _Outcomes(Groups.of(journeys, lambda part: group_journeys(part, names, channel_of).keys), horizon)
    rare = outcomes.groups.rare
    for block in journeys.parts(_BLOCK) if rare is None else [journeys]:
        grouped = group_journeys(block, names, channel_of)
        group = pack(list(grouped.keys.values()), len(grouped.journey))[0] if rare is None else rare
        outcomes.add(block, grouped, group)
    return outcomes.tables(specs)


def mean_value(journeys: Journeys) -> float | None:
    """What a conversion is worth in the mean, as `conversion` says of all journeys; None where nothing is told to be."""
    heads = journeys.heads
    won = np.flatnonzero(heads.mature & (heads.status == CONVERTED))
    fold, limbs_of = take(take(journeys.folds, heads.user), won), split(take(heads.value, won))
    by_fold = np.zeros((2, FOLDS, 1), dtype=np.int64)
    for total, limb in zip(by_fold, limbs_of, strict=True):
        np.add.at(total[:, 0], fold, limb)
    value = to_float(by_fold[0], by_fold[1])
    return float(value.sum(axis=0)[0] / MICRO / len(won)) if value.any() else None


class _Outcomes:
    """Journeys and users by (group, fold) so far, and times by (group, fold, bucket)."""

    def __init__(self, groups: Groups, horizon: int | None) -> None:
        self.groups, self.horizon, n_cells = groups, horizon, groups.size * FOLDS
        self.journeys, self.value = Occurrences(n_cells * _STATES * 2), Sums()
        self.users, self.times = Occurrences(n_cells * 4), Occurrences(n_cells * len(BUCKETS))

    def add(self, block: Journeys, grouped: Grouped, group: Ints) -> None:
        """Add the journeys of a block, each to its groups."""
        heads = grouped.heads(block)
        asked, won, took = self._outcomes(block, grouped.journey, heads)
        service = heads.status == SERVICE
        asked &= ~service
        won &= asked
        cell = group * FOLDS + take(block.folds, heads.user)
        state = np.where(
            asked, np.where(won, np.uint8(_CONVERTED), take(_OF_STATUS, heads.status)), np.uint8(_IMMATURE)
        )
        state[service] = _SERVICE
        number: npt.NDArray[Any] = cell.astype(self.journeys.kind)
        number *= _STATES
        number += state
        number <<= self.journeys.kind(1)
        number |= heads.left_truncated
        self.journeys.add(number)
        self._add_users(group, cell, heads.user, asked.view(np.uint8) + won.view(np.uint8))
        worth = np.flatnonzero(won & (heads.value != 0))
        self.value.add(take(cell, worth), take(heads.value, worth), self.groups.size * FOLDS)
        timed = np.flatnonzero(won & ~heads.left_truncated)
        place = take(cell, timed) * len(BUCKETS) + bucket_place(take(took, timed))
        self.times.add(place.astype(self.times.kind))

    def _add_users(self, group: Ints, cell: Ints, user: Ints, best: npt.NDArray[np.uint8]) -> None:
        """Add each user once to each of its groups, with the best of its journeys there: 1 below the line, 2 converted."""
        if self.groups.size > 1:
            group, rows = sort_cells(group, self.groups.size)
            cell, user, best = take(cell, rows), take(user, rows), take(best, rows)
        starts = np.flatnonzero(changes(group) | changes(user))
        number = take(cell, starts) * 4
        if len(starts):
            number += np.maximum.reduceat(best, starts)
        self.users.add(number.astype(self.users.kind))

    def _outcomes(self, journeys: Journeys, journey: Ints, heads: Heads) -> tuple[Bools, Bools, Ints]:
        """Journeys above and below the line, and the µs from start to goal."""
        goal = take(journeys.offsets, journey) + np.maximum(heads.goal_step, 0)
        took = take(journeys.coded.time, goal) - heads.start if len(heads) else heads.start
        if self.horizon is None:
            return heads.mature.copy(), heads.status == CONVERTED, took
        observed = heads.start <= journeys.context.observed_until - self.horizon
        return observed, (heads.status == CONVERTED) & (took <= self.horizon), took

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """Both tables."""
        cell, kind, n, starts = self.journeys.by_cell(_STATES * 2)
        early, state = kind % 2, kind // 2
        outcomes = {
            "n_journeys": sum_where(state >= 0, n, starts),
            "n": sum_where(state >= _NEITHER, n, starts),
            "converted": sum_where(state == _CONVERTED, n, starts),
            "lost": sum_where(state == _LOST, n, starts),
            "open": sum_where(state == _OPEN, n, starts),
            "service": sum_where(state == _SERVICE, n, starts),
            "immature": sum_where(state == _IMMATURE, n, starts),
            "left_truncated": sum_where((early > 0) & (state != _SERVICE), n, starts),
        }
        outcomes |= dict(zip(limbs("value"), self.value.totals(cell), strict=True))
        _, best, n, starts = self.users.by_cell(4)  # the same cells: every journey has a user
        outcomes["n_users_all"] = sum_where(best >= 0, n, starts)
        outcomes["n_users"] = sum_where(best >= 1, n, starts)
        outcomes["users_converted"] = sum_where(best == 2, n, starts)
        numbers, n = self.times.counted()
        times = {"_bucket": take(BUCKETS, numbers % len(BUCKETS)), "n": n}
        return {
            "outcomes": self._table(specs["outcomes"], cell, outcomes),
            "times": self._table(specs["times"], numbers // len(BUCKETS), times),
        }

    def _table(self, spec: TableSpec, cell: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        fold = (cell % FOLDS).astype(np.uint8)
        frame = pl.DataFrame({**self.groups.spelled(cell // FOLDS), "fold": fold, **columns})
        return frame.select(list(spec.schema))
