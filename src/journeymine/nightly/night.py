"""What a state remembers of each night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

__all__ = ["SET_ASIDE", "Night", "nights_frame"]

SET_ASIDE: Mapping[str, Any] = {
    "reason": pl.String, "source": pl.String, "file": pl.String, "row": pl.Int64, "user": pl.String,
    "timestamp": pl.Int64, "touchpoint": pl.String,
}  # fmt: skip
"""Columns of rows set aside; `timestamp` in µs since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Night:
    """One night: a dump, as it was taken in.

    Attributes
    ----------
    id : number of the night, from 1.
    dump : name of the dump.
    content : SHA-256 of what the dump held.
    observed_until : µs UTC, up to which the log is complete with the dump.
    rows_read, accepted, duplicates : numbers of rows; duplicates were recognised by their event id.
    quarantined : rows set aside by reason, the late ones among them.
    used : rows that are sealed or that sealed others; a night without any may be replaced.
    missing : number of nights that should have come before it, by `every`.
    new_labels : labels never seen before, by column; none on the first night.
    onward : per place, the users seen there and those of them who went on in the same night.
    aside : the object that holds the rows set aside, as long as they are kept.
    superseded : contents that this night's dump replaced.
    changed : False where the same dump had been taken in before and nothing was done.
    """

    id: int
    dump: str
    content: str
    observed_until: int
    rows_read: int
    accepted: int
    duplicates: int
    quarantined: Mapping[str, int]
    used: int = 0
    missing: int = 0
    new_labels: Mapping[str, list[str]] = field(default_factory=dict)
    onward: Mapping[str, list[int]] = field(default_factory=dict)
    aside: Mapping[str, Any] | None = None
    superseded: tuple[str, ...] = ()
    changed: bool = True

    def to_data(self) -> dict[str, Any]:
        """Plain data for the manifest."""
        data = {name: getattr(self, name) for name in self.__slots__ if name != "changed"}
        return {**data, "superseded": list(self.superseded)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any], **changes: Any) -> Night:
        """Read what `to_data` wrote."""
        return cls(**{**data, "superseded": tuple(data["superseded"]), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return what a scheduler wants to know, ready for JSON."""
        return {
            "night": self.id,
            "dump": self.dump,
            "changed": self.changed,
            "observed_until": str(np.datetime64(self.observed_until, "us")) + "Z",
            "rows_read": self.rows_read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "quarantined": dict(self.quarantined),
            "missing_nights": self.missing,
            "new_labels": {name: list(labels) for name, labels in self.new_labels.items()},
            "replaceable": not self.used,
        }


def nights_frame(nights: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """One row per night."""
    rows = [Night.from_data(night) for night in nights]
    return pl.DataFrame(
        {
            "night": [n.id for n in rows],
            "dump": [n.dump for n in rows],
            "observed_until": [n.observed_until for n in rows],
            "rows_read": [n.rows_read for n in rows],
            "accepted": [n.accepted for n in rows],
            "quarantined": [sum(n.quarantined.values()) for n in rows],
            "late": [n.quarantined.get("later than allowed_lateness", 0) for n in rows],
            "duplicates": [n.duplicates for n in rows],
            "missing_before": [n.missing for n in rows],
            "replaceable": [not n.used for n in rows],
        },
        schema={
            "night": pl.Int64, "dump": pl.String, "observed_until": pl.Int64, "rows_read": pl.Int64,
            "accepted": pl.Int64, "quarantined": pl.Int64, "late": pl.Int64, "duplicates": pl.Int64,
            "missing_before": pl.Int64, "replaceable": pl.Boolean,
        },
    ).with_columns(pl.col("observed_until").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))  # fmt: skip
