"""What is known of each place from a drop-off by touchpoint: who owns it, and which touchpoints lie in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNKNOWN
from journeymine.counting.result import Result
from journeymine.journeys.journeys import pair_label

__all__ = ["Places"]

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
        frame = nodes.frame
        absent = {"stage": "", "channel": SINGLE_CHANNEL, "owner": ""}
        missing = [pl.lit(value).alias(name) for name, value in absent.items() if name not in frame.columns]
        return cls(frame.with_columns(missing).select(*FACTS, "n_reached"), "channel" in frame.columns)

    def within(self, **labels: str) -> pl.DataFrame:
        """The touchpoints at a place; labels that are ``""`` do not narrow it."""
        return self.frame.filter([pl.col(name) == label for name, label in labels.items() if label])

    def owner(self, **labels: str) -> str:
        """Who owns most of the journeys that come by there; ``""`` where nobody is named."""
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
