"""Credit of touches by rule, counted block by block: each label's credit, value and journeys, and the sets of labels of journeys.

Cells are labels (of one group) in one fold. A rule that credits one touch of a path adds one conversion; of the others,
those that ask only where in its path a touch stands are worked out once for each shape of path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.packed import Packed
from journeymine.counting.runs import changes, sort_cells
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.attribution_rules import ONE_TOUCH, TouchPaths, apportion_value, credited, rule_column, shares
from journeymine.metrics.attribution_touches import Touches
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["CreditCounts"]

Ints = npt.NDArray[np.int64]


class CreditCounts:
    """The tables ``credit``, ``value`` and ``sets`` so far."""

    def __init__(
        self, journeys: Journeys, groups: Packed, label: pl.Series, rules: Sequence[str], half_life: int
    ) -> None:
        """`groups` : of all journeys; `label` : what codes of touches stand for."""
        self._journeys, self._groups, self._half_life = journeys, groups, half_life
        self._at = groups.without_rows().beside(np.zeros(0, dtype=np.uint32), {"label": label})
        self._n_sizes = min(len(label), int(journeys.lengths.max(initial=0)) + len(journeys.company)) + 1
        self._valued = "value" in journeys.coded.numbers
        self._credit, self._value = {rule: Sums() for rule in rules}, {rule: Sums() for rule in rules}
        self._met, self._sets = Occurrences(self._n_cells * 2), Occurrences(self._n_cells * self._n_sizes)
        self._set_value = Sums()

    @property
    def _n_cells(self) -> int:
        return self._at.size * FOLDS

    def add(self, touches: Touches) -> None:
        """Add the touches of some journeys of whole users, each of which has any."""
        if not len(touches.journey):
            return
        heads = self._journeys.heads
        path = np.repeat(np.arange(len(touches.journey)), touches.lengths)
        user = take(heads.user, touches.journey)
        fold, value = take(self._journeys.folds, user), take(heads.value, touches.journey)
        at: npt.NDArray[np.integer] = touches.coded.codes
        if self._groups.factors:
            at = take(take(self._groups.cell, touches.journey) * (self._at.size // self._groups.size), path) + at
        cell = at * np.int64(FOLDS)
        cell += take(fold, path)
        marks = touches.marks
        paths = TouchPaths(
            touches.offsets, path, marks.get("direct"), marks.get("middle"), touches.time, self._half_life
        )
        for rule in self._credit:
            self._add_rule(rule, paths, cell, value)
        self._add_sets(at, path, user, fold, value)

    def _add_rule(self, rule: str, paths: TouchPaths, cell: Ints, value: Ints) -> None:
        """Add what touches earn by a rule; `value` is that of each path."""
        if rule in ONE_TOUCH:
            cell = take(cell, credited(rule, paths))
            self._credit[rule].add(cell, np.full(len(cell), MICRO), self._n_cells)
            worth = value
        else:
            share, upto = shares(rule, paths)
            self._credit[rule].add(cell, share, self._n_cells)
            worth = apportion_value(take(value, paths.path), share, upto) if self._valued else value
        if self._valued:
            self._value[rule].add(cell, worth, self._n_cells)

    def _add_sets(
        self, at: npt.NDArray[np.integer], path: Ints, user: Ints, fold: npt.NDArray[np.uint8], value: Ints
    ) -> None:
        """Add each label of each path once; `user`, `fold` and `value` are those of each path."""
        there, rows = sort_cells(at, self._at.size)
        of = take(path, rows)
        new = np.flatnonzero(changes(there) | changes(of))
        there, of = take(there, new), take(of, new)
        who, in_fold = take(user, of), take(fold, of)
        met = (there * FOLDS + in_fold) * 2 + (changes(there) | changes(who))
        self._met.add(met.astype(self._met.kind))
        n_labels = np.bincount(of, minlength=len(user))
        number = (there * self._n_sizes + take(n_labels, of)) * FOLDS + in_fold
        if self._valued:
            self._set_value.add(number, take(value, of), self._n_cells * self._n_sizes)
        self._sets.add(number.astype(self._sets.kind))

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """All three."""
        number, n = self._met.counted()
        cell, new_user = number // 2, number % 2 > 0
        starts = np.flatnonzero(changes(cell))
        cell = take(cell, starts)
        keys = {**self._at.apart(cell // FOLDS), "fold": pl.Series(cell % FOLDS, dtype=pl.UInt8)}
        met = {"n": sum_where(n > 0, n, starts), "n_users": sum_where(new_user, n, starts)}
        credit = {rule_column(rule): sums.plain(cell) for rule, sums in self._credit.items()}
        worth = {
            part: each
            for rule, sums in self._value.items()
            for part, each in zip(limbs(rule_column(rule)), sums.totals(cell), strict=True)
        }
        number, n = self._sets.counted()
        place = number // FOLDS
        sets = {
            **self._at.apart(place // self._n_sizes), "_size": place % self._n_sizes,
            "fold": pl.Series(number % FOLDS, dtype=pl.UInt8),
            "n": n, **dict(zip(limbs("value"), self._set_value.totals(number), strict=True)),
        }  # fmt: skip
        return {
            "credit": _table(specs["credit"], {**keys, **met, **credit}),
            "value": _table(specs["value"], {**keys, **worth}) if self._valued else specs["value"].empty(),
            "sets": _table(specs["sets"], sets),
        }


def _table(spec: TableSpec, columns: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame({name: columns[name] for name in spec.schema})
