"""Where journeys stumble: the steps at which each friction is met, block by block, and the tables they are counted into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN
from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Columns, Packed, label_column
from journeymine.counting.runs import changes, sort_cells
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast_count import Ground, Meetings, Reached
from journeymine.metrics.detours import LONGEST, Detours
from journeymine.parallel import take

__all__ = ["Stumbling"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_FRICTIONS = ("repeat", "loop", "wait", "back_step", "abandoned_session")


@dataclass(frozen=True, slots=True)
class _Met:
    """The steps at which frictions are known, the steps they happened at, and which friction each is."""

    known: Ints
    at: Ints
    code: npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Stumbling:
    """Counts the journeys that meet each friction at each place.

    Attributes
    ----------
    long_wait : µs.
    names : of all frictions, and of the kinds that the stage map declares.
    friction : the same as a column.
    places : channels (``""`` without channels) and touchpoints.
    """

    long_wait: int
    names: tuple[str, ...]
    friction: Columns
    places: tuple[Columns, ...]

    @classmethod
    def of(cls, journeys: Journeys, long_wait: int) -> Stumbling:
        """What there is to be met in all blocks of these journeys."""
        labels = journeys.coded.labels
        kinds = labels["kind"].labels if "kind" in labels else ()
        channels = labels["channel"].labels if "channel" in labels else ("",)
        places = ({"channel": label_column(channels)}, {"touchpoint": label_column(labels["touchpoint"].labels)})
        names = tuple(sorted({*_FRICTIONS, *kinds} - {UNKNOWN}))
        return cls(long_wait, names, {"friction": label_column(names)}, places)

    @property
    def n_cells(self) -> int:
        """How many frictions and places there are together; ways are told apart by their steps instead."""
        return Packed(np.zeros(0, dtype=np.uint8), self.places).size * max(len(self.names), LONGEST + 1)

    def count(self, blocks: Iterable[Ground], specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """The tables of some blocks."""
        met, reached, detours = Meetings(), Reached(), Detours()
        weekly_met, weekly_reached = Meetings(weekly=True), Reached(weekly=True)
        for ground in blocks:
            place, kinds = self._place(ground), self._kinds(ground)
            met.add(ground, *self._at_places(place, [*self._frictions(ground, place), kinds]))
            weekly_met.add(ground, *self._at_places(place, [kinds]))
            reached.add(ground)
            weekly_reached.add(ground)
            detours.add(ground, place)
        weekly_specs = {name: specs[f"weekly_{name}"] for name in ("met", "people", "reached")}
        weekly = {**weekly_met.tables(weekly_specs), "reached": weekly_reached.table(weekly_specs["reached"])}
        return {
            **met.tables(specs),
            "reached": reached.table(specs["reached"]),
            **{f"weekly_{name}": frame for name, frame in weekly.items()},
            **detours.tables(specs),
        }

    def _place(self, ground: Ground) -> Packed:
        """Channel and touchpoint of each step."""
        labels = ground.journeys.coded.labels
        touchpoint = labels["touchpoint"].codes
        if "channel" not in labels:
            return Packed(touchpoint, self.places)
        return Packed(labels["channel"].codes, self.places[:1]).joined(Packed(touchpoint, self.places[1:]))

    def _at_places(self, place: Packed, found: list[_Met]) -> tuple[Ints, Packed]:
        """All of them: the steps at which they are known, and what is met where."""
        at, code = np.concatenate([each.at for each in found]), np.concatenate([each.code for each in found])
        met = Packed(code, (self.friction,)).joined(place.take(at))
        return np.concatenate([each.known for each in found]), met

    def _frictions(self, ground: Ground, place: Packed) -> Iterator[_Met]:
        """All frictions that need no declaration.

        A pause is known only once the journey goes on. So whoever paused is compared at the step *after* the pause, with
        others that came as far; it is named by the step before.
        """
        journeys, inside = ground.journeys, ground.inside
        again = inside & ~changes(place.cell)
        yield self._here("repeat", np.flatnonzero(again))
        yield self._here("loop", _revisits(ground, place, inside & ~again))
        gap = np.diff(journeys.coded.time, prepend=0)
        yield self._before("wait", np.flatnonzero(inside & (gap > self.long_wait)))
        if "stage" not in journeys.coded.labels:
            return
        stage, unmapped = ground.stage, len(ground.stages["stage"]) - 1
        back = inside & (stage != unmapped)
        back[1:] &= (stage[:-1] != unmapped) & (stage[1:] < stage[:-1])
        yield self._here("back_step", np.flatnonzero(back))
        if journeys.goal_stage is not None:
            rank = journeys.stages.index(journeys.goal_stage)
            resumed = inside & (gap > journeys.rules.session_gap_us)
            resumed[1:] &= stage[:-1] == rank
            yield self._before("abandoned_session", np.flatnonzero(resumed))

    def _kinds(self, ground: Ground) -> _Met:
        """The steps whose touchpoint has a declared kind, under its name."""
        kind = ground.journeys.coded.labels.get("kind")
        if kind is None:
            return self._here(_FRICTIONS[0], np.zeros(0, dtype=np.int64))
        declared = ground.before
        if UNKNOWN in kind.labels:
            declared = declared & (kind.codes != kind.labels.index(UNKNOWN))
        steps = np.flatnonzero(declared)
        codes = np.array([self.names.index(label) if label != UNKNOWN else 0 for label in kind.labels], dtype=np.uint32)
        return _Met(steps, steps, take(codes, take(kind.codes, steps)))

    def _here(self, name: str, steps: Ints) -> _Met:
        return _Met(steps, steps, self._code(name, steps))

    def _before(self, name: str, steps: Ints) -> _Met:
        return _Met(steps, steps - 1, self._code(name, steps))

    def _code(self, name: str, steps: Ints) -> npt.NDArray[np.uint32]:
        return np.full(len(steps), self.names.index(name), dtype=np.uint32)


def _revisits(ground: Ground, place: Packed, which: Bools) -> Ints:
    """Steps of `which` at a place where the same journey was before."""
    there, rows = sort_cells(place.cell, place.size)
    again = np.flatnonzero(~(changes(there) | changes(take(ground.of_step, rows))))
    steps = take(rows, again)
    return take(steps, np.flatnonzero(take(which, steps)))
