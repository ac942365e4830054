"""Typical order: how far into a journey each touchpoint usually comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from journeymine.counting.by import places
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number
from journeymine.counting.finish import finish
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.tabulate import key_of, tabulate
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys

__all__ = ["TypicalOrder", "typical_order"]

_SCALE = 1_000_000
"""Positions are counted in millionths, rounded once per journey, so that their sum is exact."""


@dataclass(frozen=True)
class TypicalOrder:
    """The measure behind `typical_order`, for `mine`. Parameters as there."""

    grain: str = "touchpoint"

    name: ClassVar[str] = "typical_order"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    @property
    def question(self) -> str:
        """The question in words."""
        return f"In which order do {self.grain}s usually come?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by label, and the sum of the places at which it comes first."""
        return {"positions": TableSpec({self.grain: pl.String}, {"n_journeys": "sum", "position": "wide"})}

    def count(self, journeys: Journeys) -> Counts:
        """Add up, for each label, how far into the journey its first step lies."""
        spec = self.specs()["positions"]
        coded = journeys.codes(self.grain)
        at = places(coded.codes.astype(np.int64), len(coded.labels), journeys.journey_of_step)
        journey = journeys.journey_of_step[at]
        last = np.maximum(journeys.lengths[journey] - 1, 1)
        position = (at - journeys.offsets[journey]) * _SCALE // last
        key = {self.grain: key_of(coded.codes[at], coded.labels)}
        fold = journeys.folds[journeys.heads.user[journey]]
        frame = tabulate(spec, key, {"position": position}, fold)
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), {"positions": frame})

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Mean position of each label, earliest first."""
        tally = tallies["positions"]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tally.spread("position") / _SCALE / tally.spread("n_journeys")
        order = np.argsort(mean[0], kind="stable")
        answer = Answer(
            keys=tally.rows[order] if len(order) else tally.rows,
            columns={
                "n_journeys": tally.total("n_journeys")[order],
                "position": Number(mean[:, order], tally.by_fold("n_journeys")[tally.present][:, order]),
            },
        )
        return {"typical_order": answer}


def typical_order(journeys: Journeys, *, grain: str = "touchpoint", confidence: float = 0.95) -> Result:
    """How far into its journeys each label usually comes first: 0 is the first step, 1 the last.

    position = mean over journeys with the label of (index of its first step) / (steps − 1)

    Parameters
    ----------
    grain : as of `transitions`.

    Returns
    -------
    Result; frame has one row per label, earliest first: n_journeys i64 · position f64 0–1, with interval (jackknife).
    A journey of one step counts as position 0. Merges exactly.
    """
    measure = TypicalOrder(grain=grain)
    return finish(measure, count_in_memory(measure, journeys), confidence=confidence)
