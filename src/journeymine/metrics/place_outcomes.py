"""What became of journeys at each place that they reached, counted block by block; the counting behind `drop_off`.

Everything that a journey adds to a place is flags, packed into one number with the place and the fold, and counted at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import step_keys
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.runs import Runs, changes, runs_of
from journeymine.counting.tabulate import distinct_users, pack, unpack
from journeymine.errors import QuestionError
from journeymine.journeys.heads import LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of

__all__ = ["count_places"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_FLAGS = ("n", "n_users", "went_on", "converted_later", "users_converted", "lost_here", "open_here", "came_back")
_KINDS = 1 << len(_FLAGS)
_BUCKETS = int(bucket_of([np.iinfo(np.int64).max])[0]) + 1
_MOST_PLACES = (1 << 62) // (FOLDS * _BUCKETS)


def count_places(journeys: Journeys, names: Sequence[str], specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
    """The tables ``places`` and ``returns`` of whole users' journeys.

    Raises
    ------
    UnknownLabelError : a column that the log does not have.
    QuestionError : more places than anybody can look at.
    """
    journeys = journeys.with_grains(names)
    values = {name: key.values for name, key in step_keys(journeys.range(0, 0), names).items()}
    places = _Places(values)
    for block in journeys.parts(_BLOCK):
        places.add(block)
    return places.tables(specs)


class _Places:
    """Counts by (place, fold) so far."""

    def __init__(self, values: Mapping[str, pl.Series]) -> None:
        self.values = values
        self.size = int(np.prod([max(len(known), 1) for known in values.values()], dtype=object))
        if self.size > _MOST_PLACES:
            raise QuestionError(
                f"by={list(values)} has {self.size:,} combinations of labels, more than can be counted",
                hint="break down by fewer columns at once",
            )
        self.outcomes = Occurrences(self.size * FOLDS * _KINDS)
        self.returns = Occurrences(self.size * FOLDS * _BUCKETS)
        self.value = Sums()

    def add(self, block: Journeys) -> None:
        """Add the journeys of a block of whole users."""
        heads, of_step = block.heads, block.journey_of_step
        place, size = pack(list(step_keys(block, list(self.values)).values()), len(of_step))
        runs = runs_of(place, size, of_step)
        at, went_on = runs.first, _went_on(block, of_step, runs, staged="stage" in self.values)
        service = heads.status == SERVICE
        if service.any():
            kept = np.flatnonzero(~take(service, take(of_step, at)))
            at, went_on = take(at, kept), take(went_on, kept)
        here, journey = take(place, at), take(of_step, at)
        mature, user = take(heads.mature, journey), take(heads.user, journey)
        # The place of the last step, told apart from the others the journey reached.
        last_here = take(take(place, block.offsets[1:] - 1), journey) == here
        lost = last_here & take(heads.mature & (heads.status == LOST), journey)
        back = lost & take(heads.next_start != MISSING, journey)
        goal = np.where(heads.goal_step >= 0, block.offsets[:-1] + heads.goal_step, -1)
        later = mature & (take(goal, journey) > at)
        flags = {
            "n": mature,
            # A user's mature journeys come before the others, so the first of them here tells.
            "n_users": mature & (changes(here) | changes(user)),
            "went_on": mature & went_on,
            "converted_later": later,
            "users_converted": distinct_users(here, user, later, size),
            "lost_here": lost,
            "open_here": last_here & take(heads.mature & (heads.status == OPEN), journey),
            "came_back": back,
        }
        cell = here * FOLDS + take(take(block.folds, heads.user), journey)
        number: npt.NDArray[Any] = cell.astype(self.outcomes.kind)
        number *= _KINDS
        number += _packed(flags)
        self.outcomes.add(number)
        if heads.value.any():
            rows = np.flatnonzero(later)
            self.value.add(take(cell, rows), take(heads.value, take(journey, rows)), self.size * FOLDS)
        rows = np.flatnonzero(back)
        pause = take(heads.next_start - heads.end, take(journey, rows))
        self.returns.add((take(cell, rows) * _BUCKETS + bucket_of(pause)).astype(self.returns.kind))

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """Both tables."""
        numbers, n = self.outcomes.counted()
        flags, cell = numbers % _KINDS, numbers // _KINDS
        starts = np.flatnonzero(changes(cell))
        cell = take(cell, starts)
        outcomes = {
            "n_reached": sum_where(flags >= 0, n, starts),
            **{name: sum_where((flags >> bit & 1).astype(bool), n, starts) for bit, name in enumerate(_FLAGS)},
            **dict(zip(limbs("value"), self.value.totals(cell), strict=True)),
        }
        numbers, n = self.returns.counted()
        return {
            "places": self._table(specs["places"], cell, outcomes),
            "returns": self._table(specs["returns"], numbers // _BUCKETS, {"bucket": numbers % _BUCKETS, "n": n}),
        }

    def _table(self, spec: TableSpec, cell: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        frame = pl.DataFrame({**unpack(cell // FOLDS, self.values), "fold": (cell % FOLDS).astype(np.uint8), **columns})
        return frame.select(list(spec.schema))


def _packed(flags: Mapping[str, Bools]) -> npt.NDArray[np.uint8]:
    """One bit each, in the order of `_FLAGS`."""
    packed = flags[_FLAGS[0]].astype(np.uint8)
    for bit, name in enumerate(_FLAGS[1:], start=1):
        packed |= flags[name].view(np.uint8) << np.uint8(bit)
    return packed


def _went_on(journeys: Journeys, of_step: Ints, runs: Runs, *, staged: bool) -> Bools:
    """For each run of steps in one place: whether any of them is followed by a step of a higher stage.

    `staged` : all steps of a place are in one stage.
    """
    if not journeys.stages:
        return runs.first < take(journeys.offsets[1:] - 1, take(of_step, runs.first))
    stage = journeys.coded.labels["stage"]
    n_stages = len(stage.labels)
    kind: type[np.int32] | type[np.int64] = np.int32 if (len(journeys) + 1) * (n_stages + 1) < 1 << 31 else np.int64
    # The last label is that of unmapped touchpoints.
    rank: npt.NDArray[Any] = take(np.append(np.arange(n_stages - 1), -1).astype(kind), stage.codes)
    # Highest stage from here on: a running maximum from the end, in which each journey outranks those after it.
    base: npt.NDArray[Any] = (len(journeys) - of_step).astype(kind)
    base *= n_stages + 1
    base += rank
    highest = np.maximum.accumulate(base[::-1])[::-1]
    base -= rank
    if not staged:
        return runs.any((highest - base > rank) & (rank >= 0))
    first, here = runs.first, take(rank, runs.first)  # one stage, and at no later step of the run is more to come
    return np.asarray((take(highest, first) - take(base, first) > here) & (here >= 0))
