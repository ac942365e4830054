"""Journeys that met something against comparable journeys that did not: the fair comparison behind several metrics.

Whoever meets a payment error has come as far as paying, so a plain contrast would make the error look good. Here each
journey that meets a marker is compared with the other journeys that reached *the same stage* before any goal:

d = Σ_s w_s (p_with,s − p_without,s),   w_s = n_with,s / Σ n_with

with p the share that converts (direct standardisation to the stages at which the marker is met, [1]_ ch. 4). The variance
is the delete-a-group jackknife over the folds, clustered by user.

References
----------
.. [1] K. J. Rothman, S. Greenland, T. L. Lash, *Modern Epidemiology*, 3rd ed. (2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names, group_journeys, places
from journeymine.counting.counts import TableSpec
from journeymine.counting.tabulate import Key, distinct_users, key_of, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.journeys.heads import CONVERTED, LOST, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.stats.folds import jackknife_variance
from journeymine.stats.multiple import benjamini_hochberg

__all__ = [
    "Contrast",
    "Markers",
    "before_goal",
    "by_group",
    "contrast",
    "contrast_by",
    "contrast_specs",
    "count_contrast",
    "nullable",
    "significance",
    "stage_key",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ENOUGH = 30
"""Fewest mature journeys with and without a marker for it to be tested."""
EVERYWHERE = "(everywhere)"
"""The one stage of a log without stages."""


@dataclass(frozen=True, slots=True)
class Markers:
    """Steps at which a journey meets something.

    Attributes
    ----------
    step : index of the step, ascending; a journey may meet the same thing many times.
    keys : what it meets, one column per key.
    """

    step: Ints
    keys: Mapping[str, Key]

    def where(self, kept: npt.NDArray[np.bool_]) -> Markers:
        """Some of them."""
        rows = np.flatnonzero(kept)
        return Markers(self.step[rows], {name: key.take(rows) for name, key in self.keys.items()})


def contrast_by(by: str | Sequence[str] | None, keys: Iterable[str]) -> tuple[str, ...]:
    """``by=`` as names; a column that the result has anyway is refused."""
    names = as_names(by)
    taken = sorted(set(names) & {*keys, "stage"})
    if taken:
        raise QuestionError(
            f"by={taken[0]!r}: the result has a row per {taken[0]} already",
            hint="filter its frame, or break down otherwise",
        )
    return names


def contrast_specs(keys: Mapping[str, type[pl.DataType]], by: Sequence[str] = ()) -> dict[str, TableSpec]:
    """Tables of a contrast: journeys by marker and stage, and all journeys by stage; both by the labels of `by`."""
    return {
        "met": TableSpec(
            {**dict.fromkeys(by, pl.String), **keys, "stage": pl.String},
            {"n_times": "sum", "n_journeys": "sum", "n": "sum", "n_users": "users", "converted": "sum",
             "users_converted": "users", "lost_at": "sum", "value": "wide"},
        ),
        "reached": TableSpec(
            {**dict.fromkeys(by, pl.String), "stage": pl.String}, {"n": "sum", "converted": "sum"}
        ),
    }  # fmt: skip


def count_contrast(
    journeys: Journeys, markers: Markers, keys: Mapping[str, type[pl.DataType]], by: Sequence[str] = ()
) -> dict[str, pl.DataFrame]:
    """Count both tables; only what lies before the goal counts, and service journeys are outside."""
    specs, heads = contrast_specs(keys, by), journeys.heads
    labels = group_journeys(journeys, by, "entry").keys
    of_step = journeys.journey_of_step
    stage = stage_key(journeys)
    before = before_goal(journeys, of_step)
    markers = markers.where(before[markers.step])
    cell, size = pack([markers.keys[name] for name in keys], len(markers.step))
    journey = of_step[markers.step]
    first = np.zeros(len(cell), dtype=bool)
    first[places(cell, size, journey)] = True
    # A journey stands at the stage at which it first met the marker, and all its meetings are counted there.
    pair = cell * max(len(journeys), 1) + journey
    known, times = np.unique(pair, return_counts=True)
    once = markers.where(first)
    n_times = times[np.searchsorted(known, pair[first])]
    journey, cell = journey[first], cell[first]
    at = {name: key.take(journey) for name, key in labels.items()}
    at |= {name: once.keys[name] for name in keys} | {"stage": stage.take(once.step)}
    full, full_size = pack([at[name] for name in at], len(cell))
    mature, user = heads.mature[journey], heads.user[journey]
    won = mature & (heads.status[journey] == CONVERTED)
    last = _last_markers(journeys, markers, cell, journey, keys)
    met = tabulate(
        specs["met"],
        at,
        {
            "n_times": n_times,
            "n": mature,
            "n_users": distinct_users(full, user, mature, full_size),
            "converted": won,
            "users_converted": distinct_users(full, user, won, full_size),
            "lost_at": mature & last & (heads.status[journey] == LOST),
            "value": np.where(won, heads.value[journey], 0),
        },
        journeys.folds[user],
    )
    return {"met": met, "reached": _reached(journeys, stage, before, of_step, specs["reached"], labels)}


def _last_markers(
    journeys: Journeys, markers: Markers, cell: Ints, journey: Ints, keys: Mapping[str, type[pl.DataType]]
) -> npt.NDArray[np.bool_]:
    """For each (marker, journey): whether the journey's last step is one at which it met the marker."""
    of_step = journeys.journey_of_step
    ends = markers.where(np.isin(markers.step, journeys.offsets[1:] - 1))
    there, _ = pack([ends.keys[name] for name in keys], len(ends.step))
    n = max(len(journeys), 1)
    return np.isin(cell * n + journey, there * n + of_step[ends.step])


def _reached(
    journeys: Journeys,
    stage: Key,
    before: npt.NDArray[np.bool_],
    of_step: Ints,
    spec: TableSpec,
    labels: Mapping[str, Key],
) -> pl.DataFrame:
    rows = np.flatnonzero(before)
    at = rows[places(stage.codes[rows].astype(np.int64), len(stage.values), of_step[rows])]
    journey = of_step[at]
    mature = journeys.heads.mature[journey]
    won = mature & (journeys.heads.status[journey] == CONVERTED)
    fold = journeys.folds[journeys.heads.user[journey]]
    keys = {name: key.take(journey) for name, key in labels.items()} | {"stage": stage.take(at)}
    return tabulate(spec, keys, {"n": mature, "converted": won}, fold)


def stage_key(journeys: Journeys) -> Key:
    """The stage of each step; one stage for all in a log without stages."""
    if "stage" in journeys.coded.labels:
        coded = journeys.coded.labels["stage"]
        return key_of(coded.codes, coded.labels)
    return key_of(np.zeros(len(journeys.coded), dtype=np.uint8), [EVERYWHERE])


def before_goal(journeys: Journeys, of_step: Ints) -> npt.NDArray[np.bool_]:
    """Steps that lie before the goal of their journey, or have none to come; none of service journeys."""
    heads = journeys.heads
    goal = np.where(heads.goal_step < 0, np.iinfo(np.int64).max, heads.goal_step)
    early = np.arange(len(journeys.coded)) - journeys.offsets[of_step] < goal[of_step]
    return np.asarray(early & (heads.status != SERVICE)[of_step])


@dataclass(frozen=True, slots=True)
class Contrast:
    """One row per marker.

    Attributes
    ----------
    rows : the marker's keys.
    totals : exact counts added up over stages, by column of the table.
    n : journeys behind each, by fold, shape [64, rows].
    tested : rows with at least `ENOUGH` mature journeys on both sides.
    share_with, share_without, difference : shape [1 + K, rows].
    least_variance : of the difference if journeys were independent and the share at each stage one; the floor of tests.
    stage : the stage at which most journeys meet it.
    present : which folds made a replicate.
    """

    rows: pl.DataFrame
    totals: Mapping[str, Ints]
    n: Floats
    tested: npt.NDArray[np.bool_]
    share_with: Floats
    share_without: Floats
    difference: Floats
    least_variance: Floats
    stage: list[str]
    value: Floats
    present: npt.NDArray[np.bool_]


def contrast(met: Tally, reached: Tally) -> Contrast:
    """Compare, from merged counts."""
    names = [name for name in met.rows.columns if name != "stage"]
    grouped = met.rows.select(names).with_row_index("_at")
    rows = grouped.group_by(names, maintain_order=True).agg(pl.len()).select(names)
    group = grouped.join(rows.with_row_index("_group"), on=names, how="left", nulls_equal=True, maintain_order="left")
    of = group["_group"].to_numpy().astype(np.int64) if len(met) else np.zeros(0, dtype=np.int64)
    shared = reached.rows.columns
    found = met.rows.select(shared).join(
        reached.rows.with_row_index("_at"), on=shared, how="left", maintain_order="left"
    )
    at = found["_at"].to_numpy().astype(np.int64) if len(met) else np.zeros(0, dtype=np.int64)
    n, won = met.spread("n"), met.spread("converted")
    with np.errstate(divide="ignore", invalid="ignore"):
        rest_n, rest_won = reached.spread("n")[:, at] - n, reached.spread("converted")[:, at] - won
        usable = (n > 0) & (rest_n > 0)
        weight = np.where(usable, n, 0.0)
        total = by_group(weight, of, len(rows))
        share_with = by_group(np.where(usable, won, 0.0), of, len(rows)) / total
        pooled = (rest_won[0] + won[0]) / (rest_n[0] + n[0])
        single = np.where(usable[0], pooled * (1 - pooled) * n[0] ** 2 * (1 / n[0] + 1 / rest_n[0]), 0.0)
        least = by_group(single[None], of, len(rows))[0] / total[0] ** 2
        share_without = by_group(np.where(usable, weight * rest_won / rest_n, 0.0), of, len(rows)) / total
    exact = {name: _sum(met.total(name), of, len(rows)) for name in met.spec.values if name != "value"}
    heaviest = met.rows.with_columns(n=pl.Series(met.total("n_journeys"))).sort(
        "n", descending=True, maintain_order=True
    )
    main = rows.join(heaviest.unique(names, keep="first", maintain_order=True), on=names, how="left", nulls_equal=True,
                     maintain_order="left")  # fmt: skip
    return Contrast(
        rows=rows,
        totals=exact,
        n=by_group(met.by_fold("n"), of, len(rows)),
        tested=(exact["n"] >= ENOUGH) & (by_group(np.where(usable, rest_n, 0.0)[:1], of, len(rows))[0] >= ENOUGH),
        share_with=share_with,
        share_without=share_without,
        difference=share_with - share_without,
        least_variance=least,
        stage=main["stage"].to_list() if len(rows) else [],
        value=by_group(met.by_fold("value").sum(axis=0, keepdims=True), of, len(rows))[0],
        present=met.present,
    )


def by_group(values: Floats, of: Ints, n: int) -> Floats:
    """Add up columns by group: shape [R, columns] becomes [R, n]."""
    out = np.zeros((len(values), n))
    np.add.at(out.T, of, values.T)
    return out


def _sum(values: Ints, of: Ints, n: int) -> Ints:
    out = np.zeros(n, dtype=np.int64)
    np.add.at(out, of, values)
    return out


def nullable(values: Floats) -> pl.Series:
    """A plain column; NaN becomes null."""
    return pl.Series(np.asarray(values, dtype=np.float64)).fill_nan(None)


def significance(values: Floats, tested: npt.NDArray[np.bool_], least_variance: Floats) -> tuple[Floats, Floats]:
    """Two-sided p-values of "no difference", and the same adjusted for asking about all rows at once.

    t = estimate / standard error on K − 1 degrees of freedom; adjusted by Benjamini–Hochberg (1995). The variance is the
    jackknife's, and at least that of independent journeys under the null: of few journeys the jackknife may say too
    little. NaN where not enough stands behind a row: such rows are no part of the family.
    """
    from scipy.special import stdtr

    if len(values) < 2:
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing.copy()
    error = np.sqrt(np.fmax(jackknife_variance(values[1:]), least_variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(values[0]) / error
    p = np.where(tested & (error > 0), 2 * stdtr(len(values) - 2, -t), np.nan)
    return p, benjamini_hochberg(p)
