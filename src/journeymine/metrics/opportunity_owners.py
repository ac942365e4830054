"""What is known of each place from a drop-off by touchpoint: who owns it, and which touchpoints lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNKNOWN
from journeymine.counting.by import places
from journeymine.counting.packed import Packed, counted
from journeymine.counting.result import Result
from journeymine.journeys.heads import SERVICE
from journeymine.journeys.journeys import Journeys, pair_label
from journeymine.parallel import on_all_cores, take

__all__ = ["Places"]

_STEPS_AT_ONCE = 1 << 18
FACTS = ("stage", "channel", "touchpoint", "owner")


@dataclass(frozen=True, slots=True)
class Places:
    """Touchpoints with stage, channel and owner (``""`` where the log has none), and how many journeys come by."""

    frame: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={**dict.fromkeys(FACTS, pl.String), "n_reached": pl.Int64})
    )
    has_channels: bool = False

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
        parts = on_all_cores(partial(_reached, names=names), journeys.parts(_STEPS_AT_ONCE))
        reached = pl.concat(parts).group_by(names).agg(pl.col("n_reached").sum()).sort(names)
        return cls(_with_absent(reached), "channel" in names)

    def within(self, **labels: str) -> pl.DataFrame:
        """The touchpoints at a place; labels that are ``""`` do not narrow it."""
        return self.frame.filter([pl.col(name) == label for name, label in labels.items() if label])

    def owner(self, **labels: str) -> str:
        """Who owns most of the journeys that come by there; ``""`` where nobody is named."""
        if self.frame["owner"].is_in(["", UNKNOWN]).all():
            return ""
        known = self.within(**labels).filter((pl.col("owner") != "") & (pl.col("owner") != UNKNOWN))
        by_owner = known.group_by("owner").agg(pl.col("n_reached").sum())
        return (
            ""
            if by_owner.is_empty()
            else str(by_owner.sort("n_reached", "owner", descending=[True, False])["owner"][0])
        )

    def states(self, **labels: str) -> list[str]:
        """Labels of the chain's states at a place."""
        rows = self.within(**labels).select("channel", "touchpoint").unique().sort("channel", "touchpoint").rows()
        return [pair_label(channel, touchpoint) if self.has_channels else touchpoint for channel, touchpoint in rows]


def _with_absent(frame: pl.DataFrame) -> pl.DataFrame:
    absent = {"stage": "", "channel": SINGLE_CHANNEL, "owner": ""}
    missing = [pl.lit(value).alias(name) for name, value in absent.items() if name not in frame.columns]
    return frame.with_columns(missing).select(*FACTS, "n_reached")


def _reached(journeys: Journeys, names: Sequence[str]) -> pl.DataFrame:
    """Journeys that come by each combination of labels; none of service journeys."""
    packed = Packed.none(len(journeys.coded))
    for name in names:
        coded = journeys.coded.labels[name]
        packed = packed.beside(coded.codes, {name: pl.Series(coded.labels, dtype=pl.String)})
    of_step = journeys.journey_of_step
    first = places(packed.cell, packed.size, of_step)
    service = journeys.heads.status == SERVICE
    if service.any():
        first = first[~take(service, take(of_step, first))]
    used, n = counted(take(packed.cell, first), packed.size)
    return pl.DataFrame({**packed.apart(used), "n_reached": n})
