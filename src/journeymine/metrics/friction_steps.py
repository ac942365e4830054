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
from journeymine.metrics.contrast_count import Meetings, Reached, in_order
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.detours import DETOUR, LONGEST, Detours
from journeymine.metrics.friction_visits import BACK_STEP, MOVES, MoveCounts, Places, Visits
from journeymine.parallel import take

__all__ = ["Stumbled", "Stumbling"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stumbling:
    """What there is to stumble over, and where.

    Attributes
    ----------
    long_wait : µs.
    names : of all frictions, and of the kinds that the stage map declares.
    friction : the same as a column.
    places : channels (``""`` without channels) and touchpoints.
    one_stage : each place is in one stage only, as a stage map has it.
    """

    long_wait: int
    names: tuple[str, ...]
    friction: Columns
    places: tuple[Columns, ...]
    one_stage: bool

    @classmethod
    def of(cls, journeys: Journeys, long_wait: int) -> Stumbling:
        """What there is to be met in all blocks of these journeys."""
        labels = journeys.coded.labels
        kinds = labels["kind"].labels if "kind" in labels else ()
        channels = labels["channel"].labels if "channel" in labels else ("",)
        places = ({"channel": label_column(channels)}, {"touchpoint": label_column(labels["touchpoint"].labels)})
        names = tuple(sorted({*MOVES, *(_name(kind) for kind in kinds)} - {UNKNOWN}))
        one_stage = bool(journeys.stages) or "stage" not in labels
        return cls(long_wait, names, {"friction": label_column(names)}, places, one_stage)

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

    def moves(self, ground: Ground, place: Packed) -> Flags:
        """What each step meets: a bit for each of `MOVES`.

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
            moved[BACK_STEP] = ground.told & (stage != unmapped)
            moved[BACK_STEP][:-1] &= inside[1:] & (stage[1:] < stage[:-1])
            moved[BACK_STEP][-1:] = False
            if journeys.goal_stage is not None:
                left = stage == journeys.stages.index(journeys.goal_stage)
                moved["abandoned_session"] = paused & left & (pause > journeys.rules.session_gap_us)
        flags = np.zeros(len(inside), dtype=np.uint8)
        for nth, name in enumerate(MOVES):
            flags |= moved[name].view(np.uint8) << np.uint8(nth)
        return flags

    def kinds(self, ground: Ground, place: Packed) -> tuple[Packed, Bools]:
        """Which kind is met where, and the steps whose touchpoint has a declared kind."""
        kind = ground.journeys.coded.labels.get("kind")
        if kind is None:
            nowhere = np.zeros(len(place.cell), dtype=bool)
            return Packed(nowhere.view(np.uint8), (self.friction,)).joined(place), nowhere
        known = kind.codes != kind.labels.index(UNKNOWN) if UNKNOWN in kind.labels else True
        names = [self.names.index(_name(label)) if label != UNKNOWN else 0 for label in kind.labels]
        code = take(np.array(names, dtype=np.uint32), kind.codes)
        return Packed(code, (self.friction,)).joined(place), ground.told & known


def _name(kind: str) -> str:
    """A declared kind as a friction: one that is called like another friction says that it is a kind."""
    return f"{kind} (kind)" if kind in (*MOVES, DETOUR) else kind


class Stumbled:
    """Counts the journeys that meet each friction at each place."""

    def __init__(self, stumbling: Stumbling, specs: Mapping[str, TableSpec]) -> None:
        self._stumbling, self._specs = stumbling, specs
        self._kinds, self._weekly = Meetings(), Meetings(weekly=True)
        self._moves = MoveCounts(one_stage=stumbling.one_stage)
        self._reached, self._detours = Reached(weekly=True), Detours()

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        stumbling = self._stumbling
        place = stumbling.place(ground)
        places = Places.of(ground, place)
        moves = take(stumbling.moves(ground, place), places.steps.rows)
        moves &= ~(places.steps.new.view(np.uint8) << np.uint8(MOVES.index("loop")))
        visits = Visits.of(ground, places, moves, one_stage=stumbling.one_stage)
        self._moves.add(ground, visits, places.among)
        kinds = in_order(ground, *stumbling.kinds(ground, place))
        self._kinds.add_sorted(ground, *kinds)
        self._weekly.add_sorted(ground, *kinds)
        self._reached.add(ground)
        self._detours.add(ground, place)

    def absorb(self, other: Stumbled) -> None:
        """Add what another one counted; the other is used up."""
        self._kinds.absorb(other._kinds)
        self._weekly.absorb(other._weekly)
        self._reached.absorb(other._reached)
        self._moves.absorb(other._moves)
        self._detours.absorb(other._detours)

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables."""
        specs, stumbling = self._specs, self._stumbling
        weekly_specs = {name: specs[f"weekly_{name}"] for name in ("met", "people", "reached")}
        weekly = {**self._weekly.tables(weekly_specs), "reached": self._reached.table(weekly_specs["reached"])}
        moves = np.array([stumbling.names.index(name) for name in MOVES])
        met, kinds = self._moves.met(Packed(moves, (stumbling.friction,)), specs), self._kinds.tables(specs)
        return {
            **{name: met[name].vstack(kinds[name]) for name in met},
            "reached": weekly["reached"][list(specs["reached"].schema)],  # weeks are added up in time
            **{f"weekly_{name}": frame for name, frame in weekly.items()},
            "visited": self._moves.visited(specs["visited"]),
            **self._detours.tables(specs),
        }
