"""Arrivals at a label by a crossing against other arrivals at the same label: what the crossing itself loses.

Compared are arrivals at the same label in the same stage, those that enter the stage with those that enter it, standardised to the
crossings. Whether the goal is an arrival is decided by what becomes of a journey, and either answer is unfair to somebody: counted, it
makes staying look good where customers buy where they are; left out, it makes a crossing look bad by which most go straight to the
goal. So figures are those of arrivals before the goal, and a difference is one only if it is there in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.tally import Tally
from journeymine.metrics.contrast import ENOUGH
from journeymine.metrics.contrast_estimate import by_fold, by_group, p_values
from journeymine.metrics.handoffs_count import AT_GOAL, ENTERS
from journeymine.stats.multiple import benjamini_hochberg
from journeymine.stats.shares import enough_people

__all__ = ["Arrivals", "Ending"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ending:
    """How many arrivals by each crossing end in one way, against the others.

    Attributes
    ----------
    share, otherwise : of arrivals by the crossing, and of others standardised to them, shape [rows].
    excess : the former minus the latter, shape [1 + K, rows].
    behind : arrivals by fold, shape [K, rows]: those by the crossing, or the others where too few users are behind them.
    p : of "no excess", two-sided.
    """

    share: Floats
    otherwise: Floats
    excess: Floats
    behind: Floats
    p: Floats

    @property
    def p_adjusted(self) -> Floats:
        """The same adjusted for asking about all rows."""
        return benjamini_hochberg(self.p)

    def as_much_as(self, other: Ending) -> Ending:
        """The same, with no more of an excess than `other` finds: the larger of both p-values, 1 where signs differ."""
        with np.errstate(invalid="ignore"):
            agree = self.excess[0] * other.excess[0] > 0
        p = np.where(agree, np.maximum(self.p, other.p), np.where(np.isnan(self.p), np.nan, 1.0))
        return replace(self, p=p)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Arrivals by crossings, cell by cell, beside the others at the same place.

    Attributes
    ----------
    tally : arrivals by pair of labels, stage, and how they arrive there (`ENTERS`, `AT_GOAL`).
    at : the cells that arrivals by a crossing are in.
    row : the crossing of each of them.
    place : what each cell of the tally is compared inside.
    n_rows : how many crossings there are.
    """

    tally: Tally
    at: Ints
    row: Ints
    place: Ints
    n_rows: int

    @classmethod
    def of(cls, tally: Tally, rows: pl.DataFrame, *, goal: bool) -> Arrivals:
        """`rows` are the crossings; with `goal`, arriving there counts as arriving anywhere."""
        known = ENTERS if goal else ENTERS | AT_GOAL
        keys = tally.rows.with_row_index("_at")
        places = (
            keys.with_columns(pl.col("_arrival") & known)
            .group_by([name for name in tally.rows.columns if name != "from"], maintain_order=True)
            .agg("_at")
            .with_row_index("_place")
            .explode("_at")
        )
        place = np.empty(len(tally), dtype=np.int64)
        place[places["_at"].to_numpy()] = places["_place"].to_numpy()
        found = keys.join(rows.with_row_index("_row"), on=rows.columns, maintain_order="left")
        if not goal:
            found = found.filter(pl.col("_arrival") & AT_GOAL == 0)
        at, row = (found[name].to_numpy().astype(np.int64) for name in ("_at", "_row"))
        return cls(tally, at, row, place, rows.height)

    @property
    def n(self) -> Ints:
        """Arrivals by each crossing."""
        return np.asarray(self._summed(self.tally.spread("n")[:1, self.at])[0], dtype=np.int64)

    @property
    def _behind(self) -> Floats:
        """The same by fold, of those that hold anybody."""
        return self._summed(self.tally.by_fold("n")[self.tally.present][:, self.at])

    def ending(self, how: str, *, known: bool, once: npt.NDArray[np.bool_]) -> Ending:
        """Compare the share of arrivals that a column of the tally counts; nothing is where that is not `known`.

        `once` : rows whose arrivals are of one user each. Rows are tested with at least `ENOUGH` arrivals, and users enough
        for an interval, on both sides.
        """
        (crossed, rest), (ends, rest_ends) = self._sides("n"), self._sides(how)
        usable = (crossed > 0) & (rest > 0) & known

        def summed(values: Floats) -> Floats:
            return self._summed(np.where(usable, values, 0.0))

        with np.errstate(divide="ignore", invalid="ignore"):
            weight, ended, expected = summed(crossed), summed(ends), summed(crossed * rest_ends / rest)
            pooled = (ends[0] + rest_ends[0]) / (crossed[0] + rest[0])
            single = summed(pooled * (1 - pooled) * crossed**2 * (1 / crossed + 1 / rest))[0]
            share, otherwise = ended / weight, expected / weight
            least_variance = single / weight[0] ** 2
        others = summed(rest)
        mine, rest_by_fold = self._behind, by_fold(others)
        few_others = ~enough_people(rest_by_fold)
        tested = (weight[0] >= ENOUGH) & (others[0] >= ENOUGH) & enough_people(mine, each_user_once=once) & ~few_others
        behind = np.where(few_others & (others[0] > 0), rest_by_fold, mine)
        excess = share - otherwise
        return Ending(share[0], otherwise[0], excess, behind, p_values(excess, tested, least_variance))

    def _sides(self, column: str) -> tuple[Floats, Floats]:
        """A column of the cells of the crossings, and of all other cells at the same places; shape [1 + K, cells]."""
        values = self.tally.spread(column)
        n_places = int(self.place.max()) + 1 if len(self.place) else 0
        others = by_group(values, self.place, n_places)[:, self.place] - values
        return values[:, self.at], others[:, self.at]

    def _summed(self, values: Floats) -> Floats:
        return by_group(values, self.row, self.n_rows)
