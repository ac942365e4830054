"""From counts of journeys with and without a marker to the difference that it makes, and whether it can be told from chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Basis
from journeymine.counting.mature import NO_GOAL, too_short
from journeymine.counting.runs import changes
from journeymine.counting.tally import Tally, row_groups
from journeymine.metrics.contrast import ENOUGH
from journeymine.parallel import take
from journeymine.stats.folds import jackknife_variance
from journeymine.stats.multiple import benjamini_hochberg
from journeymine.stats.shares import enough_people

__all__ = [
    "NOBODY",
    "NONE_WITHOUT",
    "Came",
    "Contrast",
    "Markers",
    "by_fold",
    "by_group",
    "contrast",
    "nullable",
    "p_values",
    "significance",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NONE_WITHOUT = "every mature journey that got as far has it: there is none without it to compare with"
NOBODY = "no mature journey meets it up to its goal"
EXPECTED = 5
"""Fewest journeys that must be expected to convert, and not to, among few that met a marker."""


@dataclass(frozen=True, slots=True)
class Markers:
    """What journeys met, added up over the stages at which they did.

    Attributes
    ----------
    met : the counts by stage.
    of : which marker each of their rows is of.
    rows : the markers' keys.
    totals : exact counts, by column of the table, and the distinct users.
    stage : the stage at which most journeys meet it.
    """

    met: Tally
    of: Ints
    rows: pl.DataFrame
    totals: Mapping[str, Ints]
    stage: list[str]

    @classmethod
    def of_counts(cls, met: Tally, people: Tally) -> Markers:
        """From merged counts; `people` holds the distinct users of each marker."""
        names = people.rows.columns
        of = row_groups(met.rows, names)
        starts = np.flatnonzero(changes(of))
        rows = met.rows[pl.Series(starts)].select(names)
        totals = {name: _sums(met.total(name), starts) for name in met.spec.values if name != "value"}
        counted = people.rows.with_columns(pl.Series(name, people.total(name)) for name in people.spec.values)
        users = rows.join(counted, on=names, how="left", nulls_equal=True, maintain_order="left")
        totals |= {name: users[name].fill_null(0).to_numpy().astype(np.int64) for name in people.spec.values}
        heaviest = take(np.lexsort((-met.total("n_journeys"), of)), starts)
        return cls(met, of, rows, totals, met.rows["stage"][pl.Series(heaviest)].to_list())

    def added(self, column: str) -> Floats:
        """A column by fold, shape [64, markers]."""
        return by_group(self.met.by_fold(column), self.of, len(self.rows))


@dataclass(frozen=True, slots=True)
class Contrast:
    """One row per marker.

    Attributes
    ----------
    rows : the marker's keys.
    totals : exact counts added up over stages, by column of the table, and the distinct users.
    behind : journeys by fold, shape [K, rows]: those that met the marker, or the others where too few users are behind them.
    tested : rows with at least `ENOUGH` mature journeys, and users enough for an interval, on both sides.
    share_with, share_without, difference : shape [1 + K, rows].
    least_variance : of the difference if journeys were independent and the share at each stage one; the floor of tests.
    stage : the stage at which most journeys meet it.
    present : which folds made a replicate.
    any_mature : whether any journey that is old enough came to any stage.
    """

    rows: pl.DataFrame
    totals: Mapping[str, Ints]
    behind: Floats
    tested: npt.NDArray[np.bool_]
    share_with: Floats
    share_without: Floats
    difference: Floats
    least_variance: Floats
    stage: list[str]
    value: Floats
    present: npt.NDArray[np.bool_]
    any_mature: bool
    basis: Basis

    @property
    def reasons(self) -> list[str | None]:
        """Per row, why there is nothing to compare; None where there is."""
        if self.basis.rules.goal is None:
            return [NO_GOAL] * len(self.rows)
        nobody = NOBODY if self.any_mature else too_short(self.basis)
        return [
            nobody if n == 0 else NONE_WITHOUT if alone else None
            for n, alone in zip(self.totals["n"], np.isnan(self.share_without[0]), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Came:
    """Mature journeys that came as far as each row of a table of those that met something, these among them.

    Attributes
    ----------
    n, won : all of them, and those that converted, shape [1 + K, rows].
    any_mature : whether any journey that is old enough came anywhere.
    """

    n: Floats
    won: Floats
    any_mature: bool

    @classmethod
    def of(cls, met: Tally, everybody: Tally, only: Mapping[str, int] | None = None) -> Came:
        """From counts of everybody by some of the keys of `met`, and by further keys of which `only` names one value each."""
        rows = met.rows.with_columns(pl.lit(value, pl.Int64).alias(name) for name, value in (only or {}).items())
        shared = everybody.rows.columns
        found = rows.select(shared).join(
            everybody.rows.with_row_index("_at"), on=shared, how="left", maintain_order="left"
        )
        known = found["_at"].is_not_null()
        at = found["_at"].drop_nulls().to_numpy().astype(np.int64)
        came = np.zeros((2, 1 + int(met.present.sum()), len(met)))
        came[:, :, known.to_numpy()] = [everybody.spread(name, at) for name in ("n", "converted")]
        return cls(came[0], came[1], bool(everybody["n"].any()))

    def only(self, rows: pl.Series) -> Came:
        """The same with nobody for all but some rows."""
        return replace(self, n=self.n * rows.to_numpy(), won=self.won * rows.to_numpy())

    def __add__(self, other: Came) -> Came:
        """Both together."""
        return Came(self.n + other.n, self.won + other.won, self.any_mature or other.any_mature)


def contrast(met: Tally, came: Came, people: Tally, basis: Basis, *, enough: int = ENOUGH) -> Contrast:
    """Compare, from merged counts; `people` holds the distinct users of each marker. Without a goal nothing is comparable.

    Rows are tested with at least `enough` mature journeys that met the marker and `ENOUGH` others; where the former are fewer than `ENOUGH`,
    at least `EXPECTED` of them must be expected to convert and as many not to, as the tests take shares for normal. On both
    sides there are users enough for an interval: what a few do time and again says nothing of the others.
    """
    markers = Markers.of_counts(met, people)
    of, rows, exact = markers.of, markers.rows, markers.totals
    n, won = met.spread("n"), met.spread("converted")
    with np.errstate(divide="ignore", invalid="ignore"):
        rest_n, rest_won = came.n - n, came.won - won
        usable = (n > 0) & (rest_n > 0) & (basis.rules.goal is not None)
        weight = np.where(usable, n, 0.0)
        total = by_group(weight, of, len(rows))
        share_with = by_group(np.where(usable, won, 0.0), of, len(rows)) / total
        pooled = (rest_won[0] + won[0]) / (rest_n[0] + n[0])
        single = np.where(usable[0], pooled * (1 - pooled) * n[0] ** 2 * (1 / n[0] + 1 / rest_n[0]), 0.0)
        least = by_group(single[None], of, len(rows))[0] / total[0] ** 2
        share_without = by_group(np.where(usable, weight * rest_won / rest_n, 0.0), of, len(rows)) / total
    mine, others = markers.added("n")[met.present], by_fold(by_group(np.where(usable, rest_n, 0.0), of, len(rows)))
    few_others = ~enough_people(others)
    people_enough = enough_people(mine, each_user_once=exact["n_users"] == exact["n"]) & ~few_others
    return Contrast(
        rows=rows,
        totals=exact,
        behind=np.where(few_others & (others.sum(axis=0) > 0), others, mine),
        tested=people_enough & _tested(exact["n"], others.sum(axis=0), share_without[0], enough),
        share_with=share_with,
        share_without=share_without,
        difference=share_with - share_without,
        least_variance=least,
        stage=markers.stage,
        value=markers.added("value").sum(axis=0),
        present=met.present,
        any_mature=came.any_mature,
        basis=basis,
    )


def _tested(n: Ints, rest: Floats, share: Floats, enough: int) -> npt.NDArray[np.bool_]:
    # Cochran's rule (Biometrics 10 (1954) 417–451): expected counts of five and more.
    expected = n * np.fmin(share, 1 - share)
    return np.asarray((n >= enough) & (rest >= ENOUGH) & ((n >= ENOUGH) | (expected >= EXPECTED)))


def by_fold(values: Floats) -> Floats:
    """How much of a sum is of each fold, of values as of `Tally.spread`; shape [1 + K, rows] becomes [K, rows]."""
    folds = len(values) - 1
    return np.asarray(np.rint(values[0] - values[1:] * (folds - 1) / folds)) if folds else values[1:]


def by_group(values: Floats, of: Ints, n: int) -> Floats:
    """Add up columns by group, each in order: shape [R, columns] becomes [R, n]."""
    return np.array([np.bincount(of, row, n) for row in values]).reshape(len(values), n)


def _sums(values: Ints, starts: Ints) -> Ints:
    return np.asarray(np.add.reduceat(values, starts)) if len(starts) else values


def nullable(values: Floats) -> pl.Series:
    """A plain column; NaN becomes null."""
    return pl.Series(np.asarray(values, dtype=np.float64)).fill_nan(None)


def significance(values: Floats, tested: npt.NDArray[np.bool_], least_variance: Floats) -> tuple[Floats, Floats]:
    """Two-sided p-values of "no difference" (see `p_values`), and the same adjusted for asking about all rows at once [1]_.

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    p = p_values(values, tested, least_variance)
    return p, benjamini_hochberg(p)


def p_values(values: Floats, tested: npt.NDArray[np.bool_], least_variance: Floats) -> Floats:
    """Two-sided p-values of "no difference": t = estimate / standard error on K − 1 degrees of freedom.

    The variance is the jackknife's, and at least that of independent journeys under the null: of few journeys the
    jackknife may say too little. NaN where not enough stands behind a row: such rows are no part of the family.
    """
    from scipy.special import stdtr

    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    error = np.sqrt(np.fmax(jackknife_variance(values[1:]), least_variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(values[0]) / error
    return np.where(tested & (error > 0), 2 * stdtr(len(values) - 2, -t), np.nan)
