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
from journeymine.counting.runs import runs_of
from journeymine.counting.tabulate import Key, distinct_users, integer_key, key_of, pack, tabulate
from journeymine.errors import QuestionError
from journeymine.journeys.heads import CONVERTED, LOST, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take

__all__ = [
    "ENOUGH",
    "EVERYWHERE",
    "WEEK_US",
    "Markers",
    "before_goal",
    "contrast_by",
    "contrast_specs",
    "count_contrast",
    "stage_key",
]

Ints = npt.NDArray[np.int64]
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
        return self.take(np.flatnonzero(kept))

    def take(self, rows: Ints) -> Markers:
        """Those at `rows`, in that order."""
        return Markers(take(self.step, rows), {name: key.take(rows) for name, key in self.keys.items()})


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


def contrast_specs(
    keys: Mapping[str, type[pl.DataType]], by: Sequence[str] = (), *, weekly: bool = False
) -> dict[str, TableSpec]:
    """Tables of a contrast: journeys by marker and stage, their users by marker, and all journeys by stage.

    All by the labels of `by`; `weekly` also by the calendar week in which the journey reached the stage.
    """
    group: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    if weekly:
        group["week"] = pl.Int64
    return {
        "met": TableSpec(
            {**group, **keys, "stage": pl.String},
            {"n_times": "sum", "n_journeys": "sum", "n": "sum", "converted": "sum", "lost_at": "sum", "value": "wide"},
        ),
        "people": TableSpec({**group, **keys}, {"n_users": "users", "users_converted": "users"}, folded=False),
        "reached": TableSpec({**group, "stage": pl.String}, {"n": "sum", "converted": "sum"}),
    }


def count_contrast(
    journeys: Journeys,
    markers: Markers,
    keys: Mapping[str, type[pl.DataType]],
    by: Sequence[str] = (),
    *,
    weekly: bool = False,
) -> dict[str, pl.DataFrame]:
    """Count the tables; only what lies before the goal counts, and service journeys are outside."""
    specs, heads = contrast_specs(keys, by, weekly=weekly), journeys.heads
    labels = group_journeys(journeys, by, "entry").keys
    of_step = journeys.journey_of_step
    stage = stage_key(journeys)
    before = before_goal(journeys, of_step)
    reached = _first_at_each_stage(stage, before, of_step)
    markers = markers.where(before[markers.step])
    cell, size = pack([markers.keys[name] for name in keys], len(markers.step))
    journey = take(of_step, markers.step)
    # A journey stands at the stage at which it first met the marker, and all its meetings are counted there.
    runs = runs_of(cell, size, journey)
    last = runs.any(take(_last_steps(journeys), markers.step))
    once, n_times = markers.take(runs.first), runs.lengths
    journey, cell = take(journey, runs.first), take(cell, runs.first)
    at = {name: key.take(journey) for name, key in labels.items()}
    if weekly:
        at["week"] = integer_key(_week_reached(journeys, stage, reached, once.step, journey))
    at |= {name: once.keys[name] for name in keys}
    full, full_size = pack(list(at.values()), len(cell))
    mature, user = heads.mature[journey], heads.user[journey]
    won = mature & (heads.status[journey] == CONVERTED)
    users = {"n_users": mature, "users_converted": won}
    people = {name: distinct_users(full, user, which, full_size) for name, which in users.items()}
    met = tabulate(
        specs["met"],
        at | {"stage": stage.take(once.step)},
        {
            "n_times": n_times,
            "n": mature,
            "converted": won,
            "lost_at": mature & last & (heads.status[journey] == LOST),
            "value": np.where(won, heads.value[journey], 0),
        },
        journeys.folds[user],
    )
    return {
        "met": met,
        "people": tabulate(specs["people"], at, people),
        "reached": _reached(journeys, stage, reached, of_step, specs["reached"], labels, weekly=weekly),
    }


WEEK_US = 7 * 86_400_000_000
_MONDAY_US = 4 * 86_400_000_000
"""1970-01-05, the first Monday."""


def _first_at_each_stage(stage: Key, before: npt.NDArray[np.bool_], of_step: Ints) -> Ints:
    """The first step before the goal of each journey at each stage that it reaches."""
    rows = np.flatnonzero(before)
    return rows[places(stage.codes[rows].astype(np.int64), len(stage.values), of_step[rows])]


def _week_reached(journeys: Journeys, stage: Key, reached: Ints, step: Ints, journey: Ints) -> Ints:
    """Calendar week (UTC, from Monday 1970-01-05) in which the journey of each step first reached the step's stage."""
    size = max(len(stage.values), 1)
    pairs = journeys.journey_of_step[reached] * size + stage.codes[reached]
    order = np.argsort(pairs)
    found = reached[order[np.searchsorted(pairs[order], journey * size + stage.codes[step])]]
    return np.asarray((journeys.coded.time[found] - _MONDAY_US) // WEEK_US)


def _last_steps(journeys: Journeys) -> npt.NDArray[np.bool_]:
    """Flag the last step of each journey."""
    last = np.zeros(len(journeys.coded), dtype=bool)
    last[journeys.offsets[1:] - 1] = True
    return last


def _reached(
    journeys: Journeys, stage: Key, at: Ints, of_step: Ints, spec: TableSpec, labels: Mapping[str, Key], *, weekly: bool
) -> pl.DataFrame:
    journey = of_step[at]
    mature = journeys.heads.mature[journey]
    won = mature & (journeys.heads.status[journey] == CONVERTED)
    fold = journeys.folds[journeys.heads.user[journey]]
    keys = {name: key.take(journey) for name, key in labels.items()} | {"stage": stage.take(at)}
    if weekly:
        keys["week"] = integer_key((journeys.coded.time[at] - _MONDAY_US) // WEEK_US)
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
    goal[heads.status == SERVICE] = 0
    return np.asarray(
        np.arange(len(journeys.coded)) < take(journeys.offsets[:-1] + np.minimum(goal, len(of_step)), of_step)
    )
