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
from journeymine.counting.tabulate import gathered
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.parallel import take

__all__ = ["EARLIER", "LATER_ON", "Precedence", "precedes"]

Ints = npt.NDArray[np.int64]
EARLIER, LATER_ON = "comes_first", "comes_later"
"""Columns of the table of pairs."""
_MOST = 1 << 62


class Precedence:
    """Journeys by group and ordered pair of labels: how many meet the one before they first meet the other."""

    def __init__(self, groups: Packed, label: pl.Series) -> None:
        """`groups` : of all journeys; `label` : what codes of steps stand for."""
        self._groups, self._label, self._n = groups, label, max(len(label), 1)
        if (size := groups.size * self._n**2) > _MOST:
            raise QuestionError(
                f"{len(label):,} labels in {groups.size:,} groups are more pairs than can be counted",
                hint="ask of fewer groups, or of a coarser grain",
            )
        self._pairs = Occurrences(size)

    def add(self, label: npt.NDArray[np.integer], journey: Ints) -> None:
        """Add first steps, journey after journey and in order inside; `journey` is the place of theirs among all."""
        at, apart = np.arange(len(label)), 0
        while len(at):
            apart += 1
            at = at[: np.searchsorted(at, len(label) - apart)]
            at = at[take(journey, at) == take(journey, at + apart)]
            cell: npt.NDArray[Any] = take(self._groups.cell, take(journey, at)).astype(self._pairs.kind)
            for code in (take(label, at), take(label, at + apart)):
                cell *= self._pairs.kind(self._n)
                cell += code.astype(self._pairs.kind)
            self._pairs.add(cell)

    def table(self, spec: TableSpec) -> pl.DataFrame:
        """The table of all that was added."""
        cell, n = self._pairs.counted()
        rest, later = np.divmod(cell, self._n)
        group, earlier = np.divmod(rest, self._n)
        pair = {EARLIER: gathered(self._label, earlier), LATER_ON: gathered(self._label, later)}
        return pl.DataFrame({**self._groups.apart(group), **pair, "n": n}).select(list(spec.schema))


def precedes(pairs: Tally, labels: pl.DataFrame, names: Sequence[str], grain: str) -> Ints:
    """How many other labels of its group each label comes before, less how many come before it.

    One of two labels comes before the other if it is met first in most of the journeys that have both. To rank by wins
    less defeats is Copeland's rule [1]_.

    Parameters
    ----------
    labels : one row per group (columns `names`) and label (column `grain`).

    References
    ----------
    .. [1] A. H. Copeland (1951), A "reasonable" social welfare function. University of Michigan.
    """
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
