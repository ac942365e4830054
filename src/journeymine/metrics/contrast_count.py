"""Counting a contrast: which journeys met something, at which stage, and what became of them.

What a marker is named by, the stage and the breakdown are one integer per row until the tables are made. What became of a
journey is a small number beside it, so that one pass counts journeys, mature, converted and lost ones alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Packed, label_column
from journeymine.counting.runs import runs_of
from journeymine.counting.tabulate import Key, integer_key
from journeymine.journeys.heads import CONVERTED, LOST, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import WEEK_US, Markers, before_goal, contrast_specs, stage_key
from journeymine.metrics.contrast_tables import FATES, IMMATURE, LEFT, MATURE, WON, States, journeys_table, users_table
from journeymine.parallel import take

__all__ = ["Ground", "count_contrast"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_MONDAY_US = 4 * 86_400_000_000
"""1970-01-05, the first Monday."""


@dataclass(frozen=True)
class Ground:
    """What every contrast on the same journeys starts from, made once.

    Attributes
    ----------
    by : what is broken down by; a journey has the label of its segment, or of its entry step.
    """

    journeys: Journeys
    by: Sequence[str] = ()

    @cached_property
    def of_step(self) -> Ints:
        """The journey of each step."""
        return self.journeys.journey_of_step

    @cached_property
    def stage(self) -> Key:
        """The stage of each step."""
        return stage_key(self.journeys)

    @cached_property
    def stage_column(self) -> dict[str, pl.Series]:
        """What its codes stand for."""
        return {"stage": label_column(self.stage.values.to_list())}

    @cached_property
    def before(self) -> Bools:
        """Steps that lie before the goal."""
        return before_goal(self.journeys)

    @cached_property
    def labels(self) -> dict[str, Key]:
        """Labels of each journey."""
        return group_journeys(self.journeys, self.by, "entry").keys

    @cached_property
    def groups(self) -> Packed:
        """The same as one integer each."""
        packed = Packed.none(len(self.journeys))
        for name, key in self.labels.items():
            packed = packed.beside_key(name, key)
        return packed.compressed() if self.labels else packed

    def in_groups(self, packed: Packed, journey: Ints) -> Packed:
        """Rows of these journeys told apart by the group of their journey as well."""
        return packed.joined(self.groups.take(journey)) if self.by else packed

    @cached_property
    def state(self) -> States:
        """Fold and fate of each journey; `LEFT` if it is lost, wherever."""
        heads = self.journeys.heads
        of_status = np.full(len(STATUSES), MATURE, dtype=np.uint8)
        of_status[CONVERTED], of_status[LOST] = WON, LEFT
        fate = np.where(heads.mature, take(of_status, heads.status), np.uint8(IMMATURE))
        return take(self.journeys.folds, heads.user).astype(np.uint8) * np.uint8(FATES) + fate

    @cached_property
    def value(self) -> Ints | None:
        """Micro-units of each journey; None where there are none."""
        return self.journeys.heads.value if self.journeys.heads.value.any() else None

    @cached_property
    def reached(self) -> Ints:
        """The first step before the goal of each journey at each stage, by stage."""
        codes, before, of_step = self.stage.codes, self.before, self.of_step
        if not len(codes):
            return np.zeros(0, dtype=np.int64)
        first = before.copy()  # only a step in another stage than the one before may be the first in its stage
        first[1:] &= (codes[1:] != codes[:-1]) | (of_step[1:] != of_step[:-1])
        rows = np.flatnonzero(first)
        stage: npt.NDArray[np.integer] = take(codes, rows)
        return take(rows, runs_of(stage, len(self.stage.values), take(of_step, rows)).first)

    def weeks_reached(self, step: Ints) -> Ints:
        """Calendar week (UTC, from Monday 1970-01-05) in which the journey of each step first reached that step's stage."""
        n, codes = len(self.journeys), self.stage.codes
        pairs = take(codes, self.reached) * np.int64(n) + take(self.of_step, self.reached)  # ascending
        at = np.searchsorted(pairs, take(codes, step) * np.int64(n) + take(self.of_step, step))
        return self.week(take(self.reached, at))

    def week(self, step: Ints) -> Ints:
        """Calendar week of each step."""
        return np.asarray((take(self.journeys.coded.time, step) - _MONDAY_US) // WEEK_US)


def count_contrast(
    ground: Ground, markers: Markers, keys: Mapping[str, type[pl.DataType]], *, weekly: bool = False
) -> dict[str, pl.DataFrame]:
    """Count the tables of `contrast_specs`."""
    specs = contrast_specs(keys, ground.by, weekly=weekly)
    journey = take(ground.of_step, markers.step)
    packed = ground.in_groups(markers.keys, journey)
    # A journey stands at the stage at which it first met the marker, and all its meetings are counted there.
    runs = runs_of(packed.cell, packed.size, journey)
    first, n_times = runs.first, runs.lengths
    packed, journey, step = packed.take(first), take(journey, first), take(markers.step, first)
    if weekly:
        packed = packed.beside_key("week", integer_key(ground.weeks_reached(step)))
    state = take(ground.state, journey)
    left = np.flatnonzero(state % FATES == LEFT)
    last = take(markers.step, take(runs.rows, take(runs.starts + n_times - 1, left)))
    state[left[last < take(ground.journeys.offsets, take(journey, left) + 1) - 1]] -= LEFT - MATURE
    at = packed.beside(take(ground.stage.codes, step), ground.stage_column)
    return {
        "met": journeys_table(specs["met"], at, state, journey, ground.value, n_times),
        "people": users_table(specs["people"], packed, take(ground.journeys.heads.user, journey), state),
        "reached": _reached(specs["reached"], ground, weekly=weekly),
    }


def _reached(spec: TableSpec, ground: Ground, *, weekly: bool) -> pl.DataFrame:
    """All journeys by stage, and by the week in which they reached it."""
    step = ground.reached
    journey = take(ground.of_step, step)
    at = ground.in_groups(Packed.none(len(step)), journey)
    at = at.beside(take(ground.stage.codes, step), ground.stage_column)
    if weekly:
        at = at.beside_key("week", integer_key(ground.week(step)))
    return journeys_table(spec, at, take(ground.state, journey), journey, None)
