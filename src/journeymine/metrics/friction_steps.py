"""Where journeys stumble: the steps at which each friction is met, block by block, and the tables they are counted into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN
from journeymine.counting.counts import TableSpec
from journeymine.counting.packed import Columns, Packed, label_column
from journeymine.counting.runs import changes
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast_count import Meetings, Reached
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.detours import DETOUR, LONGEST, Detours
from journeymine.metrics.friction_visits import Places, Visits
from journeymine.parallel import take

__all__ = ["BACK_STEP", "MOVES", "PAUSES", "Stumbled", "Stumbling"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PAUSES = ("wait", "abandoned_session")
"""Whether a journey paused is known only where it goes on."""
BACK_STEP = "back_step"
MOVES = ("repeat", "loop", BACK_STEP, *PAUSES)
"""What lies in how a journey moves, and not in the place: it is compared with others that were at the same place."""


@dataclass(frozen=True, slots=True)
class _Met:
    """The steps at which frictions are met, and which friction each is."""

    step: Ints
    code: npt.NDArray[np.unsignedinteger]

    def beside(self, other: _Met) -> _Met:
        """These, and others."""
        return _Met(np.concatenate((self.step, other.step)), np.concatenate((self.code, other.code)))


@dataclass(frozen=True, slots=True)
class Stumbling:
    """What there is to stumble over, and where.

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
        names = tuple(sorted({*MOVES, *(_name(kind) for kind in kinds)} - {UNKNOWN}))
        return cls(long_wait, names, {"friction": label_column(names)}, places)

    @property
    def n_cells(self) -> int:
        """How many frictions and places there are together; ways are told apart by their steps instead."""
        return Packed(np.zeros(0, dtype=np.uint8), self.places).size * max(len(self.names), LONGEST + 1)

    def place(self, ground: Ground) -> Packed:
        """Channel and touchpoint of each step."""
        labels = ground.journeys.coded.labels
        touchpoint = labels["touchpoint"].codes
        if "channel" not in labels:
            return Packed(touchpoint, self.places)
        return Packed(labels["channel"].codes, self.places[:1]).joined(Packed(touchpoint, self.places[1:]))

    def at_places(self, place: Packed, found: _Met) -> tuple[Ints, Packed]:
        """The steps at which something is met, and what is met where."""
        return found.step, Packed(found.code, (self.friction,)).joined(place.take(found.step))

    def frictions(self, ground: Ground, place: Packed, places: Places) -> _Met:
        """All frictions that need no declaration.

        That somebody paused is known once the journey goes on, be it to the goal: a pause before the last step of all is none.
        """
        journeys, inside = ground.journeys, ground.inside
        flags = np.zeros((len(MOVES), len(inside)), dtype=bool)
        repeat, loop, back, wait, abandoned = flags
        np.logical_and(inside, ~changes(place.cell), out=repeat)
        loop[places.revisits(inside & ~repeat)] = True
        paused, pause = (ground.told & ground.goes_on)[:-1], np.diff(journeys.coded.time)
        np.logical_and(paused, pause > self.long_wait, out=wait[:-1])
        if journeys.stages:
            stage, unmapped = ground.stage, ground.n_stages - 1
            np.logical_and(ground.told[:-1] & inside[1:], stage[1:] < stage[:-1], out=back[:-1])
            back &= stage != unmapped
            if journeys.goal_stage is not None:
                np.logical_and(paused, pause > journeys.rules.session_gap_us, out=abandoned[:-1])
                abandoned &= stage == journeys.stages.index(journeys.goal_stage)
        return self._met(flags)

    def _met(self, flags: npt.NDArray[np.bool_]) -> _Met:
        """The steps at which each friction is flagged; looked for all at once, which is faster than where few are."""
        n = flags.shape[1]
        found = np.flatnonzero(flags)
        bounds = np.searchsorted(found, np.arange(len(flags) + 1) * n)
        code = np.empty(len(found), dtype=np.uint32)
        for nth, name in enumerate(MOVES):
            there = slice(bounds[nth], bounds[nth + 1])
            found[there] -= nth * n
            code[there] = self.names.index(name)
        return _Met(found, code)

    def kinds(self, ground: Ground) -> _Met:
        """The steps whose touchpoint has a declared kind, under its name."""
        kind = ground.journeys.coded.labels.get("kind")
        if kind is None:
            none = np.zeros(0, dtype=np.int64)
            return _Met(none, none.astype(np.uint32))
        declared = ground.told
        if UNKNOWN in kind.labels:
            declared = declared & (kind.codes != kind.labels.index(UNKNOWN))
        steps = np.flatnonzero(declared)
        codes = np.array(
            [self.names.index(_name(label)) if label != UNKNOWN else 0 for label in kind.labels], dtype=np.uint32
        )
        return _Met(steps, take(codes, take(kind.codes, steps)))


def _name(kind: str) -> str:
    """A declared kind as a friction: one that is called like another friction says that it is a kind."""
    return f"{kind} (kind)" if kind in (*MOVES, DETOUR) else kind


class Stumbled:
    """Counts the journeys that meet each friction at each place."""

    def __init__(self, stumbling: Stumbling, specs: Mapping[str, TableSpec]) -> None:
        self._stumbling, self._specs = stumbling, specs
        self._met, self._weekly = Meetings(), Meetings(weekly=True)
        self._reached, self._visits, self._detours = Reached(weekly=True), Visits(), Detours()

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        stumbling = self._stumbling
        place, kinds = stumbling.place(ground), stumbling.kinds(ground)
        places = Places.of(ground, place)
        met = stumbling.frictions(ground, place, places).beside(kinds)
        self._met.add(ground, *stumbling.at_places(place, met))
        self._visits.add(ground, place, places)
        self._weekly.add(ground, *stumbling.at_places(place, kinds))
        self._reached.add(ground)
        self._detours.add(ground, place)

    def absorb(self, other: Stumbled) -> None:
        """Add what another one counted; the other is used up."""
        self._met.absorb(other._met)
        self._weekly.absorb(other._weekly)
        self._reached.absorb(other._reached)
        self._visits.absorb(other._visits)
        self._detours.absorb(other._detours)

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables."""
        specs = self._specs
        weekly_specs = {name: specs[f"weekly_{name}"] for name in ("met", "people", "reached")}
        weekly = {**self._weekly.tables(weekly_specs), "reached": self._reached.table(weekly_specs["reached"])}
        return {
            **self._met.tables(specs),
            "reached": weekly["reached"][list(specs["reached"].schema)],  # weeks are added up in time
            **{f"weekly_{name}": frame for name, frame in weekly.items()},
            "visited": self._visits.table(specs["visited"]),
            **self._detours.tables(specs),
        }
