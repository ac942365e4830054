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
Flags = npt.NDArray[np.uint8]
PAUSES = ("wait", "abandoned_session")
"""Whether a journey paused is known only where it goes on."""
BACK_STEP = "back_step"
MOVES = ("repeat", "loop", BACK_STEP, *PAUSES)
"""What lies in how a journey moves, and not in the place: it is compared with others that were at the same place."""
DECLARED = np.uint8(1 << len(MOVES))
"""The bit of what lies in the place: it has a kind that the stage map declares."""


@dataclass(frozen=True, slots=True)
class _Met:
    """What is met, friction by friction and in each place by place.

    Attributes
    ----------
    which : which of the steps of `Places` meets it.
    code : which friction it is.
    """

    which: Ints
    code: npt.NDArray[np.uint32]

    def beside(self, other: _Met) -> _Met:
        """These, and others."""
        return _Met(np.concatenate((self.which, other.which)), np.concatenate((self.code, other.code)))


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

    def flags(self, ground: Ground, place: Packed) -> Flags:
        """What each step meets: a bit for each of `MOVES`, and `DECLARED`.

        A loop is one only where the journey was at the place before, which is not asked here. That somebody paused is
        known once the journey goes on, be it to the goal: a pause before the last step of all is none.
        """
        journeys, inside = ground.journeys, ground.inside
        moved = dict.fromkeys(MOVES, np.zeros(len(inside), dtype=bool))
        here = changes(place.cell)
        moved["repeat"], moved["loop"] = inside & ~here, inside & here
        paused, pause = ground.told & ground.goes_on, np.diff(journeys.coded.time, append=0)
        moved["wait"] = paused & (pause > self.long_wait)
        if journeys.stages:
            stage, unmapped = ground.stage, ground.n_stages - 1
            moved["back_step"] = ground.told & (stage != unmapped)
            moved["back_step"][:-1] &= inside[1:] & (stage[1:] < stage[:-1])
            moved["back_step"][-1:] = False
            if journeys.goal_stage is not None:
                left = stage == journeys.stages.index(journeys.goal_stage)
                moved["abandoned_session"] = paused & left & (pause > journeys.rules.session_gap_us)
        flags = self._declared(ground).view(np.uint8) * DECLARED
        for nth, name in enumerate(MOVES):
            flags |= moved[name].view(np.uint8) << np.uint8(nth)
        return flags

    def _declared(self, ground: Ground) -> Bools:
        """Steps whose touchpoint has a declared kind."""
        kind = ground.journeys.coded.labels.get("kind")
        if kind is None:
            return np.zeros(len(ground.told), dtype=bool)
        if UNKNOWN not in kind.labels:
            return ground.told
        return np.asarray(ground.told & (kind.codes != kind.labels.index(UNKNOWN)))

    def moves(self, flags: Flags, places: Places) -> _Met:
        """Where one of `MOVES` is met; `flags` are those of the steps of `places`."""
        loop = 1 << MOVES.index("loop")
        flags = flags & ~(places.new.view(np.uint8) * np.uint8(loop))
        each = [np.flatnonzero(flags & np.uint8(1 << nth) != 0) for nth in range(len(MOVES))]
        codes = np.array([self.names.index(name) for name in MOVES], dtype=np.uint32)
        return _Met(np.concatenate(each), np.repeat(codes, [len(found) for found in each]))

    def kinds(self, ground: Ground, flags: Flags, places: Places) -> _Met:
        """Where a touchpoint has a declared kind, under its name; a place has one kind at most."""
        which = np.flatnonzero(flags & DECLARED != 0)
        kind = ground.journeys.coded.labels.get("kind")
        if kind is None:
            return _Met(which, which.astype(np.uint32))
        codes = [self.names.index(_name(label)) if label != UNKNOWN else 0 for label in kind.labels]
        return _Met(which, take(np.array(codes, dtype=np.uint32), take(kind.codes, take(places.rows, which))))

    def at_places(self, places: Places, met: _Met) -> tuple[Ints, Packed]:
        """The steps at which something is met, and what is met where."""
        rows, at = places.take(met.which)
        return rows, Packed(met.code, (self.friction,)).joined(at)


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
        place = stumbling.place(ground)
        places = Places.of(ground, place)
        flags = take(stumbling.flags(ground, place), places.rows)
        kinds = stumbling.kinds(ground, flags, places)
        met = stumbling.moves(flags, places).beside(kinds)
        self._met.add_sorted(ground, *stumbling.at_places(places, met))
        self._weekly.add_sorted(ground, *stumbling.at_places(places, kinds))
        self._visits.add(ground, places)
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
