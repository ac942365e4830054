"""Which of two labels comes first in a journey, and the usual order that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.occurrences import Occurrences
from journeymine.counting.packed import Packed
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import gathered
from journeymine.counting.tally import Tally
from journeymine.parallel import take

__all__ = ["EARLIER", "LATER_ON", "MOST_LABELS", "Precedence", "precedes"]

Ints = npt.NDArray[np.int64]
EARLIER, LATER_ON = "comes_first", "comes_later"
"""Columns of the table of pairs."""
MOST_LABELS = 500
"""Of more, as the pages of a large site are, no pairs are asked: there might be as many as there are labels squared."""


class Precedence:
    """Journeys by group and ordered pair of labels: how many meet the one before they first meet the other."""

    def __init__(self, groups: Packed, label: pl.Series) -> None:
        """`groups` : of all journeys; `label` : what codes of steps stand for."""
        self._groups, self._label = groups, label
        self._met: Ints = np.zeros(0, dtype=np.int64)
        self._width = min(max(len(label), 1), MOST_LABELS)
        self._pairs = Occurrences(groups.size * self._width**2)

    def add(self, label: npt.NDArray[np.integer], journey: Ints) -> None:
        """Add first steps, journey after journey and in order inside; `journey` is the place of theirs among all."""
        number = self._numbered(label)
        if not self._asked or not len(number):
            return
        starts = np.flatnonzero(changes(journey))
        lengths = np.diff(starts, append=len(journey))
        # How many labels of its journey follow each.
        further = np.repeat(starts + lengths, lengths) - np.arange(1, len(journey) + 1)
        row: npt.NDArray[Any] = take(self._groups.cell, journey).astype(self._pairs.kind)
        row *= self._pairs.kind(self._width)
        row += number
        row *= self._pairs.kind(self._width)
        at = np.arange(len(number))
        for apart in range(1, int(lengths.max())):
            at = take(at, np.flatnonzero(take(further, at) >= apart))
            cell: npt.NDArray[Any] = take(row, at)
            cell += take(number, at + apart)
            self._pairs.add(cell)

    def _numbered(self, label: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """The number of each label, in the order in which blocks had them; of no use once there are more than are asked about."""
        number = np.full(len(self._label), -1, dtype=np.int64)
        number[label] = 0
        number[self._met] = -1
        self._met = np.append(self._met, np.flatnonzero(number == 0))
        number[self._met] = np.arange(len(self._met))
        return take(number.astype(self._pairs.kind), label)

    @property
    def _asked(self) -> bool:
        return len(self._met) <= MOST_LABELS

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table of all that was added; without a row where there are more labels than are asked about.

        Then there are more in the whole that this is a part of, too, so it makes no difference what other parts have.
        """
        cell, n = self._pairs.counted()
        rest, later = np.divmod(cell, self._width)
        group, earlier = np.divmod(rest, self._width)
        pair = {name: gathered(self._label, take(self._met, codes)) for name, codes in
                ((EARLIER, earlier), (LATER_ON, later))}  # fmt: skip
        table = pl.DataFrame({**self._groups.apart(group), **pair, "n": n}).select(list(spec.schema))
        return table if self._asked else table.clear()


def precedes(pairs: Tally, labels: pl.DataFrame, names: Sequence[str], grain: str) -> Ints:
    """How many other labels of its group each label comes before, less how many come before it.

    One of two labels comes before the other if it is met first in most of the journeys that have both. To rank by wins
    less defeats is Copeland's rule [1]_. All have 0 where there are more labels than `MOST_LABELS`.

    Parameters
    ----------
    labels : one row per group (columns `names`) and label (column `grain`).

    References
    ----------
    .. [1] A. H. Copeland (1951), A "reasonable" social welfare function. University of Michigan.
    """
    if labels[grain].n_unique() > MOST_LABELS:
        return np.zeros(labels.height, dtype=np.int64)
    keys = [*names, EARLIER, LATER_ON]
    there = pairs.rows.with_columns(pl.col(pl.String, pl.Enum, pl.Categorical).cast(pl.String), n=pairs.total("n"))
    back = there.select(*names, pl.col(EARLIER).alias(LATER_ON), pl.col(LATER_ON).alias(EARLIER), against="n")
    won = (
        there.join(back, on=keys, how="left", nulls_equal=True)
        .filter(pl.col("n") > pl.col("against").fill_null(0))
        .select(*names, EARLIER, LATER_ON)
    )
    change = pl.concat(
        [
            won.select(*names, pl.col(side).alias(grain), _net=pl.lit(sign))
            for side, sign in ((EARLIER, 1), (LATER_ON, -1))
        ]
    )
    net = change.group_by(*names, grain).agg(pl.col("_net").sum())
    asked = labels.select(*names, grain).with_columns(pl.col(pl.String, pl.Enum, pl.Categorical).cast(pl.String))
    found = asked.join(net, on=[*names, grain], how="left", nulls_equal=True, maintain_order="left")
    return found["_net"].fill_null(0).cast(pl.Int64).to_numpy()
