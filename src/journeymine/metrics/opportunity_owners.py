"""What is known of each place from a drop-off by touchpoint: who owns it, and which touchpoints lie in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNKNOWN
from journeymine.counting.packed import Packed, counted
from journeymine.counting.result import Result
from journeymine.counting.runs import cell_rows, ranges
from journeymine.journeys.heads import SERVICE
from journeymine.journeys.journeys import Journeys, pair_label
from journeymine.parallel import on_all_cores, take

__all__ = ["Places"]

Ints = npt.NDArray[np.int64]
_STEPS_AT_ONCE = 1 << 17
FACTS = ("stage", "channel", "touchpoint", "owner")


@dataclass(frozen=True)
class Places:
    """Touchpoints with stage, channel and owner (``""`` where the log has none), and how many journeys come by (0 where nobody owns any)."""

    frame: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={**dict.fromkeys(FACTS, pl.String), "n_reached": pl.Int64})
    )
    has_channels: bool = False
    _listed: dict[tuple[str, ...], dict[tuple[str, ...], list[dict[str, Any]]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, nodes: Result | None) -> Places:
        """From a drop-off by touchpoint; nothing is known without one."""
        if nodes is None or "touchpoint" not in nodes.frame.columns:
            return cls()
        return cls(_with_absent(nodes.frame), "channel" in nodes.frame.columns)

    @classmethod
    def on(cls, journeys: Journeys) -> Places:
        """The same from journeys, counted without the rest that a drop-off tells."""
        names = [name for name in FACTS if name in journeys.coded.labels]
        cells, n = zip(*on_all_cores(partial(_reached, names=names), journeys.parts(_STEPS_AT_ONCE)), strict=True)
        used, at = np.unique(np.concatenate(cells), return_inverse=True)
        n_reached = np.bincount(at, np.concatenate(n), minlength=len(used)).astype(np.int64)
        reached = pl.DataFrame({**_packed(journeys.range(0, 0), names).apart(used), "n_reached": n_reached})
        return cls(_with_absent(reached.sort(names)), "channel" in names)

    def owner(self, **labels: str) -> str:
        """Who owns most of the journeys that come by there; ``""`` where nobody is named."""
        n_reached: dict[str, int] = {}
        for row in self._within(labels):
            if row["owner"] and row["owner"] != UNKNOWN:
                n_reached[row["owner"]] = n_reached.get(row["owner"], 0) + row["n_reached"]
        return min(n_reached, key=lambda owner: (-n_reached[owner], owner), default="")

    def states(self, **labels: str) -> list[str]:
        """Labels of the chain's states at a place."""
        places = sorted({(row["channel"], row["touchpoint"]) for row in self._within(labels)})
        return [pair_label(channel, touchpoint) if self.has_channels else touchpoint for channel, touchpoint in places]

    def _within(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The touchpoints at a place; labels that are ``""`` do not narrow it."""
        names = tuple(name for name, label in labels.items() if label)
        if names not in self._listed:  # asked for each row of a list, and a query takes half a millisecond
            found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            for row in self.frame.rows(named=True):
                found.setdefault(tuple(row[name] for name in names), []).append(row)
            self._listed[names] = found
        return self._listed[names].get(tuple(labels[name] for name in names), [])


def _with_absent(frame: pl.DataFrame) -> pl.DataFrame:
    absent = {"stage": "", "channel": SINGLE_CHANNEL, "owner": ""}
    missing = [pl.lit(value).alias(name) for name, value in absent.items() if name not in frame.columns]
    return frame.with_columns(missing).select(*FACTS, "n_reached")


def _packed(journeys: Journeys, names: Sequence[str]) -> Packed:
    packed = Packed.none(len(journeys.coded))
    for name in names:
        coded = journeys.coded.labels[name]
        packed = packed.beside(coded.codes, {name: pl.Series(coded.labels, dtype=pl.String)})
    return packed


def _reached(journeys: Journeys, names: Sequence[str]) -> tuple[Ints, Ints]:
    """Combinations of labels, and the journeys that come by each; none of service journeys."""
    packed, service = _packed(journeys, names), journeys.heads.status == SERVICE
    if "owner" not in names:  # journeys tell which owner has most of them, and are not counted where there is none
        used, n_steps = counted(packed.cell, packed.size)
        outside = ranges(journeys.offsets[:-1][service], journeys.lengths[service])
        beside, n_outside = counted(take(packed.cell, outside), packed.size)
        n_steps[np.searchsorted(used, beside)] -= n_outside
        used = used[n_steps > 0]
        return used, np.zeros_like(used)
    found = cell_rows(packed.cell, packed.size, journeys.offsets)
    first = np.flatnonzero(found.new)
    if service.any():
        first = first[~take(service, take(found.journey, first))]
    return counted(take(found.cell, first), packed.size)
