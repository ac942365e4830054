"""What became of journeys at each place that they reached, counted block by block; the counting behind `drop_off`.

Everything that a journey adds to a place is flags, packed into one number with the place and the fold, and counted at
once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import step_keys, step_labels
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, sum_where
from journeymine.counting.runs import cell_rows, changes, ranges
from journeymine.counting.tabulate import unpack
from journeymine.errors import QuestionError
from journeymine.journeys.heads import LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import bucket_of

__all__ = ["count_places"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.integer]
Journey = npt.NDArray[np.signedinteger]
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_FLAGS = ("n", "n_users", "went_on", "converted_later", "users_converted", "lost_here", "open_here", "came_back")
_KINDS = 1 << len(_FLAGS)
_MOST_PAIRS = 1 << 22
"""So many pairs of stage and journey have a place each."""
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
    for block in journeys.parts(min(_BLOCK, _MOST_PAIRS // (len(journeys.stages) + 1) + 1)):
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
        heads, place = block.heads, self._place(block)
        here, at, journey, went_on = _came(block, place, self.size, staged="stage" in self.values)
        known, user = take(_known(block), journey), take(heads.user, journey)
        mature = (known & _MATURE).astype(bool)
        # The place of the last step, told apart from the others the journey reached.
        ends = take(take(place, block.offsets[1:] - 1), journey) == here
        flags = known.astype(np.uint8) & (ends * np.uint8(_AT_LAST) | np.uint8(_MATURE))
        flags |= _bit("n_users", mature & (changes(here) | changes(user)))  # a user's mature journeys come first
        flags |= _bit("went_on", mature & went_on)
        goal = block.offsets[:-1] + heads.goal_step  # without one it is at -1, before all its steps
        later = np.flatnonzero(mature & (take(goal, journey) > at))
        new = changes(take(here, later)) | changes(take(user, later))
        flags[later] |= _bit("converted_later") | _bit("users_converted", new)
        number: npt.NDArray[Any] = here.astype(self.outcomes.kind)
        number *= FOLDS
        number += known >> np.uint16(len(_FLAGS))
        cell = number.astype(np.int64)
        number *= _KINDS
        number += flags
        self.outcomes.add(number)
        if heads.value.any():
            self.value.add(take(cell, later), take(heads.value, take(journey, later)), self.size * FOLDS)
        back = np.flatnonzero(flags & _bit("came_back") != 0)
        pause = take(heads.next_start - heads.end, take(journey, back))
        self.returns.add((take(cell, back) * _BUCKETS + bucket_of(pause)).astype(self.returns.kind))

    def _place(self, block: Journeys) -> Codes:
        """The place of each step, as a number below `size`."""
        place: npt.NDArray[Any] = np.zeros(len(block.coded), dtype=np.uint32 if self.size <= 1 << 32 else np.int64)
        for name, coded in step_labels(block, list(self.values)).items():
            place *= len(self.values[name])
            place += coded.codes
        return place

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """Both tables."""
        cell, flags, n, starts = self.outcomes.by_cell(_KINDS)
        outcomes = {
            "n_reached": sum_where(flags >= 0, n, starts),
            **{name: sum_where((flags >> bit & 1).astype(bool), n, starts) for bit, name in enumerate(_FLAGS)},
            **dict(zip(limbs("value"), self.value.totals(cell), strict=True)),
        }
        numbers, n = self.returns.counted()
        return {
            "places": self._table(specs["places"], cell, outcomes),
            "returns": self._table(specs["returns"], numbers // _BUCKETS, {"_bucket": numbers % _BUCKETS, "n": n}),
        }

    def _table(self, spec: TableSpec, cell: Ints, columns: Mapping[str, Ints]) -> pl.DataFrame:
        frame = pl.DataFrame({**unpack(cell // FOLDS, self.values), "fold": (cell % FOLDS).astype(np.uint8), **columns})
        return frame.select(list(spec.schema))


def _bit(name: str, flags: Bools | None = None) -> Any:
    """The bit of a flag, or 0 where it is not set."""
    bit = np.uint8(1 << _FLAGS.index(name))
    return bit if flags is None else flags.view(np.uint8) * bit


_MATURE = int(_bit("n"))
_AT_LAST = int(_bit("lost_here") | _bit("open_here") | _bit("came_back"))
"""What is said of a journey at the place of its last step only."""


def _known(block: Journeys) -> npt.NDArray[np.uint16]:
    """The fold of each journey's user above the flags that it has at the place of its last step."""
    heads = block.heads
    lost = heads.mature & (heads.status == LOST)
    flags = _bit("n", heads.mature) | _bit("lost_here", lost)
    flags |= _bit("open_here", heads.mature & (heads.status == OPEN))
    flags |= _bit("came_back", lost & (heads.next_start != MISSING))
    fold: npt.NDArray[np.uint16] = take(block.folds, heads.user).astype(np.uint16)
    fold *= _KINDS
    fold |= flags
    return fold


def _came(journeys: Journeys, place: Codes, size: int, *, staged: bool) -> tuple[Codes, Ints, Journey, Bools]:
    """Each place that a journey reached, by place: which it is, the first step there, the journey, and whether more was to
    come after any step there.

    More is to come where a step of a higher stage follows, or any where there are no stages; service journeys are left
    out.
    `staged` : all steps of a place are in one stage, and after the first of them most is to come.
    """  # noqa: D205
    service = np.flatnonzero(journeys.heads.status == SERVICE)
    kept = None
    if len(service):
        kept = np.ones(len(place), dtype=bool)
        kept[ranges(take(journeys.offsets, service), take(journeys.lengths, service))] = False
    found = cell_rows(place, size, journeys.offsets, kept)
    starts = np.flatnonzero(found.new)
    here, at, journey = take(found.cell, starts), take(found.rows, starts), take(found.journey, starts)
    if not journeys.stages:
        return here, at, journey, at < take(journeys.offsets[1:] - 1, journey)
    if staged or not len(starts):
        return here, at, journey, _more_to_come(journeys, at, journey)
    more = _more_to_come(journeys, found.rows, found.journey).view(np.uint8)
    return here, at, journey, np.maximum.reduceat(more, starts).view(np.bool_)


def _more_to_come(journeys: Journeys, step: Ints, journey: Journey) -> Bools:
    """Whether a step of a higher stage follows each of some steps, which are of these journeys.

    The last stage is that of unmapped touchpoints, which is not higher than any, nor is any higher.
    """
    stage, n = journeys.coded.labels["stage"], len(journeys)
    comes = changes(stage.codes)
    comes[journeys.offsets[:-1]] = True
    arrives = np.flatnonzero(comes)  # the first step of each stay in a stage
    of_stay = take(journeys.journey_of_step, arrives)
    last = np.full((len(stage.labels), n), -1, dtype=np.int64)
    last.ravel()[take(stage.codes, arrives) * np.int64(n) + of_stay] = arrives  # the last one remains
    last[-1] = -1
    for rank in range(len(last) - 2, 0, -1):
        np.maximum(last[rank - 1], last[rank], out=last[rank - 1])
    higher = np.append(last[1:], last[-1:], axis=0).ravel()
    return take(higher, take(stage.codes, step) * np.int64(n) + journey) > step
