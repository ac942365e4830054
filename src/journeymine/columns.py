"""Canonical column names, reserved labels, and the fixed-point form of money and scores.

Time is int64 microseconds since 1970-01-01 UTC; money and scores are int64 millionths of a unit, so that sums are
exact and do not depend on the order of parts. A missing number is `MISSING`.

A caller's label never collides with one of ours: whatever already reads like a reserved label is handed out in double
quotes (`escape_reserved`), which is injective.
"""

from __future__ import annotations

import re

__all__ = [
    "ENTITY_COLUMNS",
    "JOURNEY_COLUMNS",
    "MICRO",
    "MISSING",
    "NONE",
    "SINGLE_CHANNEL",
    "STEP_COLUMNS",
    "UNKNOWN",
    "UNMAPPED",
    "escape_reserved",
]

UNKNOWN = "(unknown)"
"""Label of a null channel or attribute; a literal ``unknown`` stays apart from it."""

UNMAPPED = "(unmapped)"
"""Label of the stage of a touchpoint that no stage rule names."""

NONE = "(none)"
"""Label of a conversion without a touch to credit."""

SINGLE_CHANNEL = ""
"""The one unlabelled lane of a log without channels."""

MICRO = 1_000_000
"""Fixed-point scale: 1 unit of money = 1,000,000 micro-units; 1 s = 1,000,000 µs."""

MISSING = -(2**63)
"""An absent value, cost or score in an int64 array."""

ENTITY_COLUMNS = ("user", "timestamp", "touchpoint", "channel", "value", "cost", "satisfaction", "account")
"""Columns of the canonical event frame, before the caller's own attributes."""

STEP_COLUMNS = ("nth_journey", "step", "session", "is_goal", "by_company")
"""What the table of steps says of each event beside its own columns."""

JOURNEY_COLUMNS = (
    "user", "nth_journey", "prior_goals", "n_steps", "n_sessions", "start", "end", "goal_at", "duration_s",
    "entry_touchpoint", "exit_touchpoint", "entry_channel", "exit_channel", "entry_stage", "exit_stage",
    "furthest_stage", "n_channels", "value", "cost", "status", "mature", "left_truncated", "next_start",
)  # fmt: skip
"""Columns of the table of journeys, before segments."""

_RESERVED = re.compile(r'"*\((?:unknown|unmapped|none)\)"*')


def escape_reserved(label: str) -> str:
    """Quote a caller's label that reads like one of ours.

    >>> escape_reserved("email"), escape_reserved("(unknown)"), escape_reserved('"(unknown)"')
    ('email', '"(unknown)"', '""(unknown)""')
    """
    return f'"{label}"' if _RESERVED.fullmatch(label) else label
