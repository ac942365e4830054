"""The real logs as plain lists, read by DuckDB, for computations that share nothing with the library; and as journeys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import polars as pl
import pytest

import journeymine as jm
from tests.parts import REAL_DATA

DAY = 86_400_000_000
GOAL, LOST = "A_ACTIVATED", ("A_DECLINED", "A_CANCELLED")
STAGE_NAMES = ("application", "screening", "offer", "validation", "loan")
STAGES = {
    "application": ["A_SUBMITTED", "A_PARTLYSUBMITTED", "W_Afhandelen leads", "W_Beoordelen fraude"],
    "screening": ["A_PREACCEPTED", "W_Completeren aanvraag", "A_ACCEPTED", "A_FINALIZED"],
    "offer": ["O_SELECTED", "O_CREATED", "O_SENT", "O_CANCELLED", "W_Nabellen offertes"],
    "validation": ["O_SENT_BACK", "O_DECLINED", "W_Nabellen incomplete dossiers", "W_Valideren aanvraag",
                   "W_Wijzigen contractgegevens"],
    "loan": ["O_ACCEPTED", "A_APPROVED", "A_REGISTERED", "A_ACTIVATED"],
}  # fmt: skip
STAGE_OF = {touchpoint: stage for stage, touchpoints in STAGES.items() for touchpoint in touchpoints}
"""Declined and cancelled applications may come at any stage, and are given none."""


@dataclass(frozen=True)
class Step:
    """One row of a log."""

    us: int
    what: str
    channel: str

    @property
    def stage(self) -> str:
        return STAGE_OF.get(self.what, "(unmapped)")


@dataclass(frozen=True)
class Case:
    """One application, or one permit: its steps, and what is known of it by definition."""

    who: str
    steps: tuple[Step, ...]
    value: int
    first_of_log: int
    last_of_log: int

    @property
    def goal(self) -> int:
        """Index of the first activation, or the number of steps."""
        return next((i for i, step in enumerate(self.steps) if step.what == GOAL), len(self.steps))

    @property
    def won(self) -> bool:
        return self.goal < len(self.steps)

    @property
    def lost(self) -> bool:
        ended = any(step.what in LOST for step in self.steps)
        return not self.won and (ended or self.last_of_log - self.steps[-1].us > 30 * DAY)

    @property
    def mature(self) -> bool:
        return self.steps[0].us <= self.last_of_log - 60 * DAY

    @property
    def truncated(self) -> bool:
        """Begins so near the log's start that steps before it may be missing."""
        return self.steps[0].us < self.first_of_log + 30 * DAY

    @property
    def before(self) -> tuple[Step, ...]:
        """Its steps before the goal."""
        return self.steps[: self.goal]


@cache
def loans() -> list[Case]:
    """The applications of BPI Challenge 2012, of work items only the end of each piece of work."""
    rows = duckdb.sql(
        f"""select case_id, epoch_us("timestamp"), activity, coalesce(resource, '(unknown)'), amount_requested::bigint
            from (select *, row_number() over () as row from read_parquet('{REAL_DATA / "bpic2012.parquet"}'))
            where lifecycle = 'COMPLETE' order by case_id, "timestamp", row"""
    ).fetchall()
    first, last = min(row[1] for row in rows), max(row[1] for row in rows)
    by_case: dict[str, list[Any]] = {}
    for row in rows:
        by_case.setdefault(row[0], []).append(row)
    return [
        Case(who, tuple(Step(us, what, by) for _, us, what, by, _ in part), part[0][4], first, last)
        for who, part in by_case.items()
    ]


@cache
def loan_journeys(*, resource_as: str = "channel") -> jm.Journeys:
    """The same as journeys; whoever works on an application is its channel, or plays no part (``"nothing"``)."""
    frame = pl.read_parquet(REAL_DATA / "bpic2012.parquet").filter(lifecycle="COMPLETE")
    events = jm.read_events(
        frame, stages=jm.StageMap.of(STAGES), user="case_id", timestamp="timestamp", touchpoint="activity",
        value="amount_requested", currency="EUR", channel="resource" if resource_as == "channel" else None,
    )  # fmt: skip
    return jm.build_journeys(events, goal=GOAL, lost_at=list(LOST), split="user")


def wilson(won: int, tried: int) -> tuple[float, float]:
    """Both limits, every case standing for itself, from the formula."""
    z, p = 1.959963984540054, won / tried
    centre, half = p + z * z / (2 * tried), z * (p * (1 - p) / tried + z * z / (4 * tried * tried)) ** 0.5
    return (centre - half) / (1 + z * z / tried), (centre + half) / (1 + z * z / tried)


def about(value: float | None, *, rel: float = 1e-9) -> Any:
    """`value` to rounding; null stays null."""
    return None if value is None else pytest.approx(value, rel=rel, abs=1e-12)
