"""Who was at a place before the goal, by which moves there, and whether they went on: what frictions of moving about are counted from.

A journey at a place is one row, which says all moves that it met there as bits of one number. What each move adds up to
is worked out from how often each combination occurs, and those who were at the place are the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums, in_cells, sum_where
from journeymine.counting.packed import Columns, Packed
from journeymine.counting.runs import CellRows, cell_rows, changes
from journeymine.counting.tabulate import gathered
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import FATES, IMMATURE, IN_STAGE, KINDS, MATURE, NEW_USER, WON
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.wide import normalise

__all__ = ["BACK_STEP", "MOVES", "PAUSES", "WENT_ON", "MoveCounts", "Places", "Visits", "visit_specs"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.uint8]
_PLACE = frozenset({"channel", "touchpoint"})
WENT_ON = "went_on"
"""Key of the table of those who were at a place: whether they went on from there, by whatever step."""
PAUSES = ("wait", "abandoned_session")
"""Whether a journey paused is known only where it goes on."""
BACK_STEP = "back_step"
MOVES = ("repeat", "loop", BACK_STEP, *PAUSES)
"""What lies in how a journey moves, and not in the place: it is compared with others that were at the same place."""
_MOVES = len(MOVES)
_MASKS = 1 << _MOVES


def visit_specs(by: Sequence[str], place: Mapping[str, type[pl.DataType]]) -> dict[str, TableSpec]:
    """Mature journeys by place, stage, and whether they went on from there."""
    group: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    keys: dict[str, type[pl.DataType]] = {**group, **place, "stage": pl.String, WENT_ON: pl.Int64}
    return {"visited": TableSpec(keys, {"n": "sum", "converted": "sum"})}


@dataclass(frozen=True, slots=True)
class Places:
    """The steps of a block that lie before a goal, place by place, and within a place as they came.

    Attributes
    ----------
    steps : each step, at its place, which is told apart by group as well.
    among : what the numbers of places are made of.
    all_tell : whether each of the steps tells something; else some may lose their journey by definition.
    """

    steps: CellRows
    among: Packed
    all_tell: bool

    @classmethod
    def of(cls, ground: Ground, place: Packed) -> Places:
        """`place` is that of each step."""
        at, lost_at = ground.in_groups(place), ground.journeys.rules.lost_at
        # Where no place has steps of both kinds, what loses a journey by definition need not be looked at.
        apart = lost_at is None or lost_at.columns() <= _PLACE
        kept = ground.told if apart else ground.before
        return cls(cell_rows(at.cell, at.size, ground.journeys.offsets, kept), at.without_rows(), apart)


@dataclass(frozen=True, slots=True)
class Visits:
    """Each journey at each place in each stage, if a step there tells something.

    A move that a journey meets at a place in several stages is met in the one where it met it first.

    Attributes
    ----------
    step : the first of its steps there.
    at : the place, told apart by group as well; those of one place come journey after journey.
    journey : which it is.
    moves : which moves it met there, as bits.
    again, repeated : visits whose moves add to how often those were met, and these moves.
    once, first : visits of which that is one too many, and the moves in question.
    """

    step: Ints
    at: npt.NDArray[np.integer]
    journey: npt.NDArray[np.signedinteger]
    moves: Flags
    again: Ints
    repeated: Flags
    once: Ints
    first: Flags

    @classmethod
    def of(cls, ground: Ground, places: Places, flags: Flags, *, one_stage: bool) -> Visits:
        """Of the steps of a block.

        Parameters
        ----------
        flags : the moves met at each step of `places`, as bits.
        one_stage : a place is in one stage only.
        """
        rows, at, journey, new = places.steps.rows, places.steps.cell, places.steps.journey, places.steps.new
        moved = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
        if not (places.all_tell and one_stage):  # who tells something once may not have before
            visit, known = np.cumsum(new, dtype=np.int64), np.flatnonzero(take(ground.told, rows))
            rows, at, visit, flags = take(rows, known), take(at, known), take(visit, known), take(flags, known)
            new, journey = changes(visit), take(journey, known)
            if not one_stage:
                stage = take(ground.stage, rows)
                order = np.lexsort((stage, visit))  # keeps the order of the steps in each stage
                rows, visit, flags = take(rows, order), take(visit, order), take(flags, order)
                new = changes(visit) | changes(take(stage, order))
                flags, moved = _at_first(rows, visit, np.cumsum(new, dtype=np.int64) - 1, flags)
        begins, later = np.flatnonzero(new), np.flatnonzero(~new)
        of = later - np.arange(1, len(later) + 1)  # which of the visits each of the later steps belongs to
        met, moves = take(flags, later), take(flags, begins)
        more = np.flatnonzero(met != 0)
        again, repeated = take(of, more), take(met, more)
        np.bitwise_or.at(moves, again, repeated)
        longer = take(again, np.flatnonzero(changes(again)))
        less = take(moves, longer) & ~take(flags, take(begins, longer))
        first = np.flatnonzero(less != 0)
        return cls(
            step=take(rows, begins),
            at=take(at, begins),
            journey=take(journey, begins),
            moves=moves,
            again=np.concatenate((again, moved[0])),
            repeated=np.concatenate((repeated, moved[1])),
            once=take(longer, first),
            first=take(less, first),
        )


def _at_first(order: Ints, visit: Ints, of: Ints, flags: Flags) -> tuple[Flags, tuple[Ints, Flags]]:
    """The moves of steps where each journey met them first at a place; and to which of its visits `of` the others count.

    Steps come visit by visit, and stage by stage; `order` tells how they came.
    """
    flags, again = flags.copy(), []
    for nth in range(_MOVES):
        met = np.flatnonzero(flags & np.uint8(1 << nth) != 0)
        met = take(met, np.lexsort((take(order, met), take(visit, met))))
        new = changes(take(visit, met))
        later = np.flatnonzero(~new)
        first = take(met, np.flatnonzero(new))
        again.append(take(of, take(first, later - np.arange(1, len(later) + 1))))
        flags[take(met, later)] &= ~np.uint8(1 << nth)
    moves = np.repeat((1 << np.arange(_MOVES)).astype(np.uint8), [len(each) for each in again])
    return flags, (np.concatenate(again), moves)


class MoveCounts:
    """Counts the journeys that were at each place, and those of them that met each move there."""

    def __init__(self, *, one_stage: bool) -> None:
        """`one_stage` : each place is in one stage only."""
        self._one_stage = one_stage
        self._stages: Columns = {}
        self._stage_of: list[tuple[Ints, Ints]] = []
        self._at = Packed.none(0)
        self._visits, self._again, self._once, self._twice, self._alike = (Occurrences(0) for _ in range(5))
        self._value = Sums()

    def add(self, ground: Ground, visits: Visits, among: Packed) -> None:
        """Add the visits of a block; `among` is what the numbers of their places are made of."""
        at = Packed(visits.at, among.factors, among.size)
        if self._one_stage:
            first, self._stages = np.flatnonzero(changes(at.cell)), ground.stages
            stage = take(ground.stage, take(visits.step, first))
            self._stage_of.append((take(at.cell, first).astype(np.int64), stage.astype(np.int64)))
        else:
            at = at.beside(take(ground.stage, visits.step), ground.stages)
        if not self._at.factors:
            self._at, size = at.without_rows(), at.size * FOLDS * _MASKS
            self._visits = Occurrences(size * FATES * 2)
            self._again, self._once = Occurrences(size), Occurrences(size)
            self._twice, self._alike = Occurrences(at.size * _MASKS * FATES), Occurrences(at.size * _MASKS * FATES)
        # Fold and fate as they stand in a standing, whose bit for new users is free for whether the journey goes on: if
        # it does later, it does so from here, too.
        outcome = take(ground.standing, visits.journey)
        code = take(ground.goes_on, visits.step).view(np.uint8) * np.uint8(NEW_USER) | outcome
        code *= code.dtype.type(_MASKS)
        code |= visits.moves
        number: npt.NDArray[Any] = at.cell.astype(self._visits.kind)
        number *= IN_STAGE * _MASKS
        number += code
        self._visits.add(number)
        fate = outcome.astype(np.uint8) & np.uint8(FATES - 1)
        self._add_users(ground, at.cell, visits, fate)
        for counts, which, moves in (
            (self._again, visits.again, visits.repeated),
            (self._once, visits.once, visits.first),
        ):
            counts.add(_folded(at, outcome, which, moves).astype(counts.kind))
        if ground.value is not None:
            won = np.flatnonzero((fate == WON) & (visits.moves != 0))
            worth = take(ground.value, take(visits.journey, won))
            self._value.add(_folded(at, outcome, won, take(visits.moves, won)), worth, at.size * FOLDS * _MASKS)

    def _add_users(self, ground: Ground, cell: npt.NDArray[np.integer], visits: Visits, fate: Flags) -> None:
        """Add what the journeys of one user at one place met there more than once."""
        among = np.flatnonzero(visits.moves != 0)
        new = changes(take(visits.at, among))
        new |= changes(take(ground.journeys.heads.user, take(visits.journey, among)))
        several = ~new
        several[:-1] |= several[1:]
        rows = np.flatnonzero(several)
        if not len(rows):
            return
        among, starts = take(among, rows), np.flatnonzero(take(new, rows))
        cell, moves, fate = take(cell, among).astype(np.int64), take(visits.moves, among), take(fate, among)
        for least, known in ((MATURE, fate != IMMATURE), (WON, fate == WON)):
            met = moves * known
            self._twice.add(((cell * FATES + least) * _MASKS + met).astype(self._twice.kind))
            alike = (take(cell, starts) * FATES + least) * _MASKS + np.bitwise_or.reduceat(met, starts)
            self._alike.add(alike.astype(self._alike.kind))

    def absorb(self, other: MoveCounts) -> None:
        """Add what another one counted; the other is used up."""
        for name in ("_visits", "_again", "_once", "_twice", "_alike", "_value"):
            getattr(self, name).absorb(getattr(other, name))
        self._stage_of += other._stage_of

    def visited(self, spec: TableSpec) -> pl.DataFrame:
        """The table of `visit_specs`."""
        cell, code, n, starts = self._visits.by_cell(FATES * _MASKS)
        fate = code // _MASKS
        place, went_on = np.divmod(cell, 2)
        at = place // FOLDS
        columns = {
            **self._apart(at),
            WENT_ON: went_on,
            "fold": (place - at * FOLDS).astype(np.uint8),
            "n": sum_where(fate != IMMATURE, n, starts),
            "converted": sum_where(fate == WON, n, starts),
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})

    def met(self, moves: Packed, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """``met`` and ``people`` of `contrast_specs`, of all moves; `moves` says what each of them is called."""
        numbers, n = self._visits.counted()
        some = np.flatnonzero(numbers % _MASKS != 0)  # most visits meet no move
        cell, code, n, starts = in_cells(take(numbers, some), take(n, some), 2 * FATES * _MASKS)
        fate = code // _MASKS % FATES
        of_kind = {"n_journeys": fate < FATES, "n": fate != IMMATURE, "converted": fate == WON}
        sums = {name: _by_move(code, n * kind, starts) for name, kind in of_kind.items()}
        sums["n_times"] = sums["n_journeys"] + self._at_cells(self._again, cell) - self._at_cells(self._once, cell)
        sums |= self._values(
            cell, (np.repeat(cell, np.diff(starts, append=len(n))) * _MASKS + code % _MASKS)[fate == WON]
        )
        place = cell // FOLDS
        begins = np.flatnonzero(changes(place))
        place = take(place, begins)
        by_fate = np.repeat(place * FATES, FATES) + np.tile(np.arange(FATES), len(place))
        alike = self._at_cells(self._alike, by_fate) - self._at_cells(self._twice, by_fate)
        users = {
            "n_journeys": _added(sums["n_journeys"], begins),
            "n_users": _added(sums["n"], begins) + alike[:, MATURE::FATES],
            "users_converted": _added(sums["converted"], begins) + alike[:, WON::FATES],
        }
        folded = {"fold": (cell % FOLDS).astype(np.uint8)}
        return {
            "met": self._table(moves, cell // FOLDS, folded, sums, specs["met"]),
            "people": self._table(moves, place, {}, users, specs["people"]),
        }

    def _values(self, cell: Ints, coded: Ints) -> dict[str, Ints]:
        """Both limbs of the value of each move in each of the cells; `coded` are all cells and masks that may have one."""
        there = np.unique(coded)
        at, code = there // _MASKS, there % _MASKS
        starts = np.flatnonzero(changes(at))
        both = np.zeros((2, _MOVES, len(cell)), dtype=np.int64)
        both[:, :, np.searchsorted(cell, take(at, starts))] = [
            _by_move(code, limb, starts) for limb in self._value.totals(there)
        ]
        return dict(zip(limbs("value"), normalise(*both), strict=True))

    def _at_cells(self, counts: Occurrences, cells: Ints) -> Ints:
        """How often each move was counted in each of some cells, which are sorted; shape [moves, cells]."""
        there, code, n, starts = counts.by_cell(_MASKS)
        at = np.searchsorted(cells, there)
        found = np.zeros((_MOVES, len(cells)), dtype=np.int64)
        found[:, at] = _by_move(code, n, starts)
        return found

    def _apart(self, place: Ints) -> dict[str, pl.Series]:
        """The columns of places and their stages."""
        columns = self._at.apart(place)
        if self._one_stage:
            cell, stage = (np.concatenate([each[nth] for each in self._stage_of]) for nth in (0, 1))
            known, first = np.unique(cell, return_index=True)
            stage = take(stage, take(first, np.searchsorted(known, place)))
            columns |= {name: gathered(labels, stage) for name, labels in self._stages.items()}
        return columns

    def _table(
        self, moves: Packed, place: Ints, keys: Mapping[str, Any], values: Mapping[str, Ints], spec: TableSpec
    ) -> pl.DataFrame:
        """A row for each move and cell that occur together; `values` have shape [moves, cells]."""
        # What a user's journeys have in common may stand in another stage than the journeys do, with a sign.
        move, at = np.nonzero(np.any([each != 0 for each in values.values()], axis=0))
        columns = {
            **moves.apart(take(moves.cell, move)),
            **self._apart(take(place, at)),
            **{name: take(key, at) for name, key in keys.items()},
            **{name: value[move, at] for name, value in values.items()},
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})


def _folded(at: Packed, outcome: npt.NDArray[np.unsignedinteger], which: Ints, moves: Flags) -> Ints:
    """Place, fold and moves of some visits as one number."""
    number = take(at.cell, which).astype(np.int64) * FOLDS
    number += take(outcome, which) // KINDS
    return np.asarray(number * _MASKS + moves)


def _by_move(moves: Ints, n: Ints, starts: Ints) -> Ints:
    """Sums of `n` over each run, of the rows that have each move; shape [moves, runs]."""
    return np.array([sum_where(moves >> nth & 1 != 0, n, starts) for nth in range(_MOVES)])


def _added(sums: Ints, begins: Ints) -> Ints:
    return np.add.reduceat(sums, begins, axis=1) if len(begins) else sums
