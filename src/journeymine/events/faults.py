"""The reasons for which a row is set aside, and how they are found.

A row has the first reason that applies, in the order of `REASONS`. A *fault* is a reason with a Boolean expression that
is never null; declared rules come after the fixed reasons, one each.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["ACCEPTED", "REASONS", "Fault", "first_fault", "usable"]

REASONS = (
    "",
    "user missing",
    "timestamp missing",
    "timestamp unparsable",
    "timestamp without zone",
    "timestamp out of range",
    "timestamp does not exist in its zone",
    "timestamp ambiguous in its zone",
    "touchpoint missing",
    "value unparsable",
    "value not finite",
    "value out of range",
    "value without currency",
    "cost unparsable",
    "cost not finite",
    "cost out of range",
    "satisfaction unparsable",
    "satisfaction not finite",
    "satisfaction outside its scale",
    "tie_break unparsable",
    "duplicate event_id",
)
"""Fixed reasons; the position is the code. Code 0 is an accepted row; codes above the last are declared rules."""

ACCEPTED = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason and the rows it applies to."""

    reason: str
    rows: pl.Expr

    @property
    def code(self) -> int:
        """Position in `REASONS`."""
        return REASONS.index(self.reason)


def usable(faults: list[Fault]) -> pl.Expr:
    """True where no fault applies."""
    return pl.all_horizontal([~fault.rows for fault in faults])


def first_fault(faults: list[Fault]) -> pl.Expr:
    """Code of the first fault in the order of `REASONS`, 0 where none applies; UInt8."""
    code = pl.lit(ACCEPTED, dtype=pl.UInt8)
    for fault in sorted(faults, key=lambda fault: -fault.code):
        code = pl.when(fault.rows).then(pl.lit(fault.code, dtype=pl.UInt8)).otherwise(code)
    return code
