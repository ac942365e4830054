"""Opportunities of each group of journeys: a list from its journeys alone, with the list of all beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from journeymine.counting.by import group_journeys
from journeymine.counting.packed import Packed
from journeymine.counting.result import Result
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys

__all__ = ["MOST_GROUPS", "groups_of_journeys", "in_groups"]

Labels = tuple[str, ...]
MOST_GROUPS = 200
"""Most groups that get a list of their own: each is counted, tested and ranked anew, and nobody reads so many."""


def groups_of_journeys(journeys: Journeys, names: Sequence[str]) -> Iterator[tuple[Labels, Journeys]]:
    """The journeys of each group, in order of the labels; none without names.

    Raises
    ------
    QuestionError : more than `MOST_GROUPS` groups.
    """
    if not names:
        return iter(())
    packed = Packed.none(len(journeys))
    for name, key in group_journeys(journeys, names, "entry").keys.items():
        packed = packed.beside(key.codes, {name: key.values})
    cells = np.unique(packed.cell)
    if len(cells) > MOST_GROUPS:
        raise QuestionError(
            f"by={list(names)} makes {len(cells):,} groups, more than {MOST_GROUPS}",
            hint="group the labels first, with journeys.segment(…)",
        )
    labels = pl.DataFrame(packed.apart(cells)).select(names).rows()
    return ((group, journeys.pick(packed.cell == cell)) for group, cell in sorted(zip(labels, cells, strict=True)))


def in_groups(whole: Result, groups: Sequence[tuple[Labels, Result]], names: Sequence[str]) -> Result:
    """The lists of all groups as one result, their labels in front; the list of all journeys where there are no names."""
    if not names:
        return whole
    lists = {
        name: pl.concat([
            _labelled(whole.tables.get(name, whole.frame).clear(), ("",) * len(names), names),
            *(_labelled(found.tables.get(name, found.frame), labels, names) for labels, found in groups),
        ])
        for name in ("", "candidates")
    }  # fmt: skip
    alone = f"each of the {len(groups)} groups by {' × '.join(names)} is tested and ranked by itself"
    return replace(
        whole,
        frame=lists[""],
        tables={"candidates": lists["candidates"], "overall": whole.frame},
        notes=(*whole.notes, f"{alone}: its claims are held to the false discovery rate, not all claims together"),
    )


def _labelled(frame: pl.DataFrame, labels: Labels, names: Sequence[str]) -> pl.DataFrame:
    told = (pl.lit(label, dtype=pl.String).alias(name) for name, label in zip(names, labels, strict=True))
    return frame.select(*told, pl.all())
