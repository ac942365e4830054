"""Typical order: how far into a journey each touchpoint usually comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from journeymine.counting.by import as_names, check_free, group_journeys, places
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number
from journeymine.counting.finish import finish
from journeymine.counting.measure import LATER, basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.tabulate import key_of, tabulate
from journeymine.counting.tally import Tally, row_groups
from journeymine.journeys.journeys import Journeys

__all__ = ["TypicalOrder", "typical_order"]

_SCALE = 1_000_000
"""Positions are counted in millionths, rounded once per journey, so that their sum is exact."""


@dataclass(frozen=True)
class TypicalOrder:
    """The measure behind `typical_order`, for `mine`. Parameters as there."""

    grain: str = "touchpoint"
    by: str | Sequence[str] | None = field(default=None, metadata=LATER)

    name: ClassVar[str] = "typical_order"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))
        check_free(self.names, self.grain)

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
        """Journeys by label, and the sum of the places at which it comes first."""
        keys = dict.fromkeys((*self.names, self.grain), pl.String)
        return {"positions": TableSpec(keys, {"n_journeys": "sum", "position": "wide"})}

    def count(self, journeys: Journeys) -> Counts:
        """Add up, for each label, how far into the journey its first step lies."""
        spec = self.specs()["positions"]
        coded = journeys.codes(self.grain)
        at = places(coded.codes.astype(np.int64), len(coded.labels), journeys.journey_of_step)
        journey = journeys.journey_of_step[at]
        last = np.maximum(journeys.lengths[journey] - 1, 1)
        position = (at - journeys.offsets[journey]) * _SCALE // last
        keys = {name: key.take(journey) for name, key in group_journeys(journeys, self.names, "entry").keys.items()}
        keys[self.grain] = key_of(coded.codes[at], coded.labels)
        fold = journeys.folds[journeys.heads.user[journey]]
        frame = tabulate(spec, keys, {"position": position}, fold)
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), {"positions": frame})

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Mean position of each label, earliest first within its group."""
        tally = tallies["positions"]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tally.spread("position") / _SCALE / tally.spread("n_journeys")
        order = np.lexsort((mean[0], row_groups(tally.rows, self.names)))
        answer = Answer(
            keys=tally.rows[order] if len(order) else tally.rows,
            columns={
                "n_journeys": tally.total("n_journeys")[order],
                "position": Number(mean[:, order], tally.by_fold("n_journeys")[tally.present][:, order]),
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
    """How far into its journeys each label usually comes first: 0 is the first step, 1 the last.

    position = mean over journeys with the label of (index of its first step) / (steps − 1)

    Parameters
    ----------
    grain : as of `transitions`.
    by : one or several of channel, stage, touchpoint, owner, any attribute (of the entry step) or segment: the order within
        the journeys of each group.
    confidence : of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and label, earliest first: n_journeys i64 · position f64 0–1, with interval
    (jackknife).

    Notes
    -----
    A journey of one step counts as position 0. Every journey counts, whatever its status: in open and immature ones the
    place is that among the steps so far. Steps at one instant take the documented order, company touches are no steps, null
    labels are ``"(unknown)"``, labels at one place are in the order of the alphabet. Empty input gives no row. Merges exactly.
    """
    measure = TypicalOrder(grain=grain, by=by)
    return finish(measure, count_in_memory(measure, journeys), confidence=confidence)
