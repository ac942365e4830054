"""Who was asked for a score and who gave one, counted block by block; the counting behind `satisfaction`.

All steps are counted by place, channel and touchpoint, and of the few with a score it is counted once more who
answered: the other journeys kept silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import SINGLE_CHANNEL
from journeymine.counting.by import step_keys
from journeymine.counting.counts import TableSpec
from journeymine.counting.occurrences import Occurrences, sum_where
from journeymine.counting.runs import changes, sort_cells
from journeymine.counting.tabulate import Key, key_of, pack, unpack
from journeymine.errors import QuestionError
from journeymine.graph.transition_cells import BLOCK
from journeymine.journeys.heads import CONVERTED, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_asked"]

Ints = npt.NDArray[np.int64]
_JUDGED, _WON, _KINDS = 1, 2, 3
"""What a step adds: its journey, once, where that is mature and no service; `_WON` where it converts as well."""


def count_asked(journeys: Journeys, names: Sequence[str], rows: Ints, spec: TableSpec) -> pl.DataFrame:
    """The table ``asked`` of whole users' journeys; `rows` are the steps with a score, ascending."""
    journeys = journeys.with_grains(names)
    values = {name: key.values for name, key in _keys(journeys.range(0, 0), names).items()}
    size = int(np.prod([max(len(known), 1) for known in values.values()], dtype=object))
    if size > (1 << 62) // (FOLDS * _KINDS):
        raise QuestionError(
            f"by={list(names)} has {size:,} combinations of labels, more than can be counted",
            hint="break down by fewer columns at once",
        )
    asked, answered = _Cells(size), _Cells(size)
    for block in journeys.parts(BLOCK):
        cell, _ = pack(list(_keys(block, names).values()), len(block.coded))
        asked.add(cell, block.journey_of_step, block)
    there, _ = pack([key.take(rows) for key in _keys(journeys, names).values()], len(rows))
    answered.add(there, journeys.journey_at(rows), journeys)
    return _table(spec, values, asked.totals(), answered.totals())


def _keys(journeys: Journeys, names: Sequence[str]) -> dict[str, Key]:
    """Where a step is, and the channel and touchpoint at which it may be given a score."""
    labels = journeys.coded.labels
    touchpoint, channel = labels["touchpoint"], labels.get("channel")
    at_channel = (
        key_of(np.zeros(len(touchpoint), dtype=np.uint8), [SINGLE_CHANNEL])
        if channel is None
        else key_of(channel.codes, channel.labels)
    )
    at = {"at_channel": at_channel, "at_touchpoint": key_of(touchpoint.codes, touchpoint.labels)}
    return {**step_keys(journeys, names), **at}


class _Cells:
    """Steps and journeys by (cell, fold)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kinds = Occurrences(size * FOLDS * _KINDS)

    def add(self, cell: Ints, journey: Ints, journeys: Journeys) -> None:
        """Add steps of whole users, which come journey after journey."""
        heads = journeys.heads
        judged = heads.mature & (heads.status != SERVICE)
        kind = judged.astype(np.uint8) + (judged & (heads.status == CONVERTED))
        there, rows = sort_cells(cell, self.size)
        journey = take(journey, rows)
        new = changes(there) | changes(journey)
        number: npt.NDArray[Any] = there.astype(self.kinds.kind)
        number *= FOLDS
        number += take(take(journeys.folds, heads.user), journey)
        number *= _KINDS
        number += take(kind, journey) * new
        self.kinds.add(number)

    def totals(self) -> tuple[Ints, dict[str, Ints]]:
        """The cells, with their fold, that hold anything; and steps, journeys, and converted ones there."""
        there, kind, n, starts = self.kinds.by_cell(_KINDS)
        counted = {"steps": kind >= 0, "judged": kind >= _JUDGED, "won": kind == _WON}
        return there, {name: sum_where(flags, n, starts) for name, flags in counted.items()}


def _table(
    spec: TableSpec,
    values: Mapping[str, pl.Series],
    asked: tuple[Ints, Mapping[str, Ints]],
    answered: tuple[Ints, Mapping[str, Ints]],
) -> pl.DataFrame:
    cell, every = asked
    at, some = np.searchsorted(cell, answered[0]), {}
    for name, n in answered[1].items():
        some[name] = np.zeros(len(cell), dtype=np.int64)
        some[name][at] = n
    columns = {
        "n_steps": every["steps"],
        "n_answered": some["steps"],
        "answered": some["judged"],
        "answered_converted": some["won"],
        "silent": every["judged"] - some["judged"],
        "silent_converted": every["won"] - some["won"],
    }
    frame = pl.DataFrame({**unpack(cell // FOLDS, values), "fold": (cell % FOLDS).astype(np.uint8), **columns})
    return frame.select(list(spec.schema))
