"""Moves of a chain of order 1 between touches, counted block by block: where from, where to and the fold are one number each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Occurrences, Sums
from journeymine.counting.packed import Packed
from journeymine.graph.markov_states import OUTCOMES
from journeymine.graph.move_numbers import MoveNumbers
from journeymine.graph.move_tables import move_columns
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.attribution_touches import Touches
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["TouchMoves"]

Numbers = npt.NDArray[Any]


class TouchMoves:
    """Moves so far."""

    def __init__(self, journeys: Journeys, groups: Packed, labels: tuple[str, ...]) -> None:
        """`groups` : of all journeys; `labels` : of touches."""
        self._journeys, self._groups, self._labels = journeys, groups, labels
        self._numbers = MoveNumbers(len(labels), groups.size)
        self._seen, self._value = Occurrences(self._numbers.size), Sums()

    def add(self, touches: Touches, outcome: str) -> None:
        """Add the touches of some journeys with the same outcome, each of which has any."""
        journey, numbers, kind = touches.journey, self._numbers, self._seen.kind
        if not len(journey):
            return
        base: Numbers = take(self._journeys.folds, take(self._journeys.heads.user, journey)).astype(kind)
        if self._groups.factors:
            base += (take(self._groups.cell, journey) * numbers.of_group).astype(kind)
        codes, first, last = touches.coded.codes, touches.offsets[:-1], touches.offsets[1:] - 1
        onward: Numbers = codes.astype(kind)
        onward *= kind(numbers.width)
        onward[:-1] += codes[1:]
        onward[last[:-1]] -= codes[first[1:]]
        onward[last] += kind(numbers.n_labels + OUTCOMES.index(outcome))
        onward *= kind(FOLDS)
        onward += np.repeat(base, touches.lengths)
        into: Numbers = take(codes, first).astype(kind)
        into += kind(numbers.n_labels * numbers.width)
        into *= kind(FOLDS)
        into += base
        if outcome == "converted":
            self._value.add(
                take(onward, last).astype(np.int64), take(self._journeys.heads.value, journey), numbers.size
            )
        self._seen.add(onward)
        self._seen.add(into)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table ``chain``."""
        move, n = self._seen.counted()
        group, columns = move_columns(self._numbers, move, self._labels)
        every = {
            **self._groups.apart(group),
            **columns,
            "n": n,
            **dict(zip(limbs("value"), self._value.totals(move), strict=True)),
        }
        return pl.DataFrame({name: every[name] for name in spec.schema})
