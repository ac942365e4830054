"""Rows that no log is without: about one in a hundred, each with one thing wrong.

Dirty rows are added to the clean ones, never put in their place: what is left when they are set aside is the clean log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from journeymine.retailer.draws import Draws, Ints

__all__ = ["DIRTY_SHARE", "Defect", "soil"]

DIRTY_SHARE = 0.01
"""Dirty rows per clean row of a source."""


@dataclass(frozen=True, slots=True)
class Defect:
    """What a row of one kind of dirt has in its columns; with nothing replaced it is a second delivery of its event."""

    reason: str
    replaced: Mapping[str, object]


def soil(
    draws: Draws, frame: pl.DataFrame, source: str, defects: Sequence[Defect]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Put dirty copies behind some rows of `frame`.

    Returns
    -------
    The frame with the dirty rows, each right behind the row it was copied from; and how many there are per reason.
    """
    n_dirty = max(int(frame.height * DIRTY_SHARE), len(defects))
    at: Ints = np.sort((draws.uniform(f"dirt in {source}", n_dirty) * frame.height).astype(np.int64))
    nth = np.arange(n_dirty) % len(defects)
    parts = [frame.with_columns(_place=pl.int_range(pl.len()) * 2)]
    counts: dict[str, int] = {}
    for k, defect in enumerate(defects):
        rows = at[nth == k]
        replaced = [pl.lit(value, dtype=frame.schema[name]).alias(name) for name, value in defect.replaced.items()]
        parts.append(frame[rows].with_columns(pl.Series("_place", 2 * rows + 1), *replaced))
        counts[defect.reason] = counts.get(defect.reason, 0) + len(rows)
    return pl.concat(parts).sort("_place", maintain_order=True).drop("_place"), counts
