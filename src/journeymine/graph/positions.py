"""Typical order: which touchpoint usually comes before which, and how far into a journey each comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec, limbs
from journeymine.counting.estimates import Answer, SolvedShare
from journeymine.counting.measure import LATER, basis_of, question_of
from journeymine.counting.occurrences import Occurrences, Sums
from journeymine.counting.packed import Packed, label_column, packed_groups
from journeymine.counting.result import Result
from journeymine.counting.runs import cell_rows, numbered, ranges
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import gathered
from journeymine.counting.taken import refuse_taken
from journeymine.counting.tally import Tally, row_groups
from journeymine.graph.precedence import EARLIER, LATER_ON, Precedence, precedes
from journeymine.journeys.journeys import Journeys, check_name
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["TypicalOrder", "typical_order"]

_OWN = frozenset((
    "n_journeys", "position", "position_lower", "position_upper", "position_hi", "position_lo", "reason", "fold",
    EARLIER, LATER_ON,
))  # fmt: skip
"""Columns beside that of the labels, which is called as the grain."""
_BLOCK = 1 << 17
"""Steps at a time: a dozen arrays of them stay in the cache."""
_SCALE = 1_000_000
"""Positions are counted in millionths, rounded once per journey, so that their sum is exact."""


@dataclass(frozen=True)
class TypicalOrder:
    """The measure behind `typical_order`, for `mine`. Parameters as in `typical_order`."""

    grain: str = "touchpoint"
    by: str | Sequence[str] | None = field(default=None, metadata=LATER)

    name: ClassVar[str] = "typical_order"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_name(self.grain)
        refuse_taken(self.name, (self.grain,), _OWN, argument="grain")
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"In which order do {self.grain}s usually come{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by label, and the sum of the places at which it comes first; journeys by pair of labels."""
        keys = dict.fromkeys((*self.names, self.grain), pl.String)
        pair = dict.fromkeys((*self.names, EARLIER, LATER_ON), pl.String)
        return {
            "positions": TableSpec(keys, {"n_journeys": "sum", "position": "wide"}),
            "pairs": TableSpec(pair, {"n": "sum"}, folded=False),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Add up, for each label, how far into the journey its first step lies, and after which others."""
        specs, journeys = self.specs(), journeys.with_grains([self.grain])
        groups = packed_groups(group_journeys(journeys, self.names, "entry").keys, len(journeys))
        positions = _Positions(journeys, groups, label_column(journeys.codes(self.grain).labels))
        low = 0
        for block in journeys.parts(_BLOCK):
            positions.add(block, block.codes(self.grain).codes, low)
            low += len(block)
        tables = {
            "positions": positions.table(specs["positions"], self.grain),
            "pairs": positions.precedence.table(specs["pairs"]),
        }
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: they are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Mean position of each label, within its group in the usual order."""
        tally = tallies["positions"]
        net = precedes(tallies["pairs"], tally.rows, self.names, self.grain)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tally.spread("position") / _SCALE / tally.spread("n_journeys")
        order = np.lexsort((mean[0], -net, row_groups(tally.rows, self.names)))
        answer = Answer(
            keys=tally.rows[order] if len(order) else tally.rows,
            columns={
                "n_journeys": tally.total("n_journeys")[order],
                "position": SolvedShare(
                    mean[:, order], tally.by_fold("n_journeys")[tally.present][:, order], mean=True
                ),
            },
        )
        return {"typical_order": answer}


def typical_order(
    journeys: Journeys,
    *,
    grain: str = "touchpoint",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """In which order labels usually come, and how far into its journeys each comes first: 0 is the first step, 1 the last.

    One of two labels comes before the other if it is met first in most of the journeys that have both. Labels stand in
    the order of how many others they come before, less how many come before them (Copeland's rule); more than 500
    labels stand by position.

    position = mean over journeys with the label of (index of its first step, from 0) / (steps − 1)

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : which labels: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any label column.
    by : one or several of channel, stage, touchpoint, owner, any attribute (each of the entry step) or segment: gives
        the order within the journeys of each group. By default one order for all.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and label, in the usual order:
        n_journeys i64: journeys that have the label
        position f64: 0–1, with interval (Wilson's, with the jackknife's variance)
        reason str: why there is no interval

    Notes
    -----
    `position` is no order: where most journeys end early, what they end with has a late position, though the few that
    go on do more after it. The order of the rows does not depend on where journeys end, nor on how many are still open.
    It carries no interval: of two labels that are met first about as often, either may stand first.
    The place in each journey is counted to the nearest millionth; a journey of one step counts as position 0. Every
    journey counts, whatever its status; in open and immature ones the position is that among the steps so far. Steps at
    one instant are in the documented order. Company touches are no steps. Null labels are ``"(unknown)"``. Labels that
    tie stand by position, then in alphabetical order. Empty input gives no row. Counts merge exactly. Cost: a pass over
    the steps, and one addition for each pair of labels that a journey has.
    """
    measure = TypicalOrder(grain=grain, by=by)
    return answer(measure, journeys, confidence=confidence)


class _Positions:
    """First steps of journeys at each label, by group and fold."""

    def __init__(self, journeys: Journeys, groups: Packed, label: pl.Series) -> None:
        """`groups` : of all journeys; `label` : what codes of steps stand for."""
        self._groups, self._label = groups, label
        self._n_labels = max(len(label), 1)
        self._n_cells = groups.size * self._n_labels * FOLDS
        self._n, self._sum = Occurrences(self._n_cells), Sums()
        self.precedence = Precedence(groups, label)
        # The positions in journeys of each length that occurs, and where those of each journey begin.
        lengths, self._length = numbered(journeys.lengths, int(journeys.lengths.max(initial=0)) + 1)
        self._begins = np.cumsum(lengths) - lengths
        last = np.repeat(np.maximum(lengths - 1, 1), lengths)
        place = ranges(np.zeros(len(lengths), dtype=np.int64), lengths)
        self._positions = (2 * place * _SCALE + last) // (2 * last)  # to the nearest

    def add(self, block: Journeys, codes: npt.NDArray[np.integer], low: int) -> None:
        """Add a block of journeys, the first of which is the one at `low`; `codes` are those of its steps."""
        found = cell_rows(codes, self._n_labels, block.offsets)
        first = np.flatnonzero(found.new)
        there, rows, of = take(found.cell, first), take(found.rows, first), take(found.journey, first)
        begins = take(self._begins, self._length[low : low + len(block)]) - block.offsets[:-1]
        base = self._groups.cell[low : low + len(block)].astype(np.int64) * (self._n_labels * FOLDS)
        base += take(block.folds, block.heads.user)
        cell = take(base, of)
        cell += there * np.int64(FOLDS)
        self._sum.add(cell, take(self._positions, rows + take(begins, of)), self._n_cells)
        self._n.add(cell.astype(self._n.kind))
        is_first = np.zeros(len(codes), dtype=bool)
        is_first[rows] = True
        steps = np.flatnonzero(is_first)
        self.precedence.add(take(codes, steps), take(block.journey_of_step, steps) + low)

    def table(self, spec: TableSpec, grain: str) -> pl.DataFrame:
        """The table of all blocks."""
        cell, n = self._n.counted()
        there, fold = np.divmod(cell, FOLDS)
        group, code = np.divmod(there, self._n_labels)
        columns = {
            **self._groups.apart(group),
            grain: gathered(self._label, code),
            "fold": pl.Series(fold, dtype=pl.UInt8),
            "n_journeys": n,
            **dict(zip(limbs("position"), self._sum.totals(cell), strict=True)),
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})
