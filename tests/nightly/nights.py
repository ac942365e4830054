"""Nights to try a state on: generated rows that arrive late or on time, and the batch that they must add up to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from journeymine.counting import Counts, Measure, count_in_memory
from journeymine.events import EventSchema
from journeymine.events.read import read_events
from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.nightly import NightlyState
from journeymine.nightly.answers import counts_of
from tests.oracles.logs import MINUTE, STAGES, START

SCHEMA = EventSchema(
    user="user", timestamp="us", time_unit="us", touchpoint="touchpoint", channel="channel", value="value", currency="EUR",
    cost="cost", attributes=["plan"], satisfaction="score", satisfaction_scale=(1, 5),
)  # fmt: skip
WITH_IDS = EventSchema(**{**SCHEMA.to_fields(), "event_id": "id"})
LATENESS = "4m"
TOUCHPOINTS = ["ad", "mail", "visit", "visit", "visit", "call", "order", "review", "quit", "(unknown)"]


@dataclass(frozen=True)
class Nights:
    """Dumps with the instants they end at, and the rows of all of them that must be accepted, in order of arrival."""

    dumps: list[pl.DataFrame]
    untils: list[int]
    accepted: pl.DataFrame


def generate(seed: int, *, n_nights: int = 6, n_rows: int = 150, n_users: int = 9, late: float = 0.2) -> Nights:
    """Rows over `n_nights` windows of 15 minutes, of which some arrive one or two windows late."""
    draw = np.random.default_rng(seed)
    length = 15 * MINUTE
    time = draw.integers(0, n_nights * 15, n_rows) * MINUTE + draw.integers(0, 2, n_rows) + START
    night = (time - START - 1) // length
    delayed = draw.random(n_rows) < late
    arrives = np.clip(night + delayed * draw.integers(1, 3, n_rows), 0, n_nights - 1)
    frame = pl.DataFrame(
        {
            "user": pl.Series([f"u{u}" for u in draw.integers(0, n_users, n_rows)]),
            "us": time,
            "touchpoint": pl.Series(TOUCHPOINTS).gather(draw.integers(0, len(TOUCHPOINTS), n_rows)),
            "channel": pl.Series(["web", "email", "store", None], dtype=pl.String).gather(draw.integers(0, 4, n_rows)),
            "value": pl.Series([None, 5.0, 12.5, -3.0]).gather(draw.integers(0, 4, n_rows)),
            "cost": pl.Series([None, 0.5, 2.0]).gather(draw.integers(0, 3, n_rows)),
            "plan": pl.Series(["pro", "free", None], dtype=pl.String).gather(draw.integers(0, 3, n_rows)),
            "score": pl.Series([None, 1, 3, 5]).gather(draw.integers(0, 4, n_rows)),
            "id": pl.Series([f"e{i}" for i in range(n_rows)]),
            "arrives": arrives,
        }
    )
    untils = [START + (k + 1) * length for k in range(n_nights)]
    frame = frame.sort("arrives", maintain_order=True)
    safe = pl.Series([-(2**62), *untils[:-1]]) - 4 * MINUTE
    ok = (frame["us"] >= safe.gather(frame["arrives"])).to_numpy()
    dumps = [frame.filter(pl.col("arrives") == k).drop("arrives") for k in range(n_nights)]
    return Nights(dumps, untils, frame.filter(pl.Series(ok)).drop("arrives"))


def new_state(
    folder: Path, rules: JourneyRules, measures: dict[str, Measure] | None = None, **options: Any
) -> NightlyState:
    """A state with the stages of the oracle logs."""
    given = {"schema": SCHEMA, "allowed_lateness": LATENESS, "every": "15m", **options}
    return NightlyState.create(folder, rules=rules, measures=measures, stages=STAGES, max_quarantine_share=1.0, **given)


def advance_all(state: NightlyState, nights: Nights) -> None:
    for dump, until in zip(nights.dumps, nights.untils, strict=True):
        state.advance(dump, until=until)


def batch(accepted: pl.DataFrame, rules: JourneyRules, until: int, schema: EventSchema = SCHEMA) -> Journeys:
    """Journeys of all accepted rows at once, built without the nightly room."""
    events = read_events(accepted, schema, stages=STAGES, max_quarantine_share=1.0)
    coded = events.coded()
    return build_coded(coded, rules, LogContext(int(accepted["us"].to_numpy().min()), until), STAGES)


def counted(state: NightlyState, days: tuple[int | None, int | None] = (None, None)) -> dict[str, Counts]:
    return counts_of(state._store, state._store.read(), state.settings, days)


def assert_equal(measure: Measure, found: Counts, journeys: Journeys) -> None:
    """Every integer is that of one batch; distinct users over nights are a lower bound."""
    expected = count_in_memory(measure, journeys)
    for name, spec in measure.specs().items():
        users = [column for column, merge in spec.values.items() if merge == "users" and measure.unit != "user"]
        one, other = found.tables[name], expected.tables[name]
        assert one.drop(users).equals(other.drop(users)), _differing(measure, name, one, other)
        for column in users:
            assert (one[column] <= other[column]).all(), (measure, name, column)
            assert ((one[column] > 0) == (other[column] > 0)).all(), (measure, name, column)


def _differing(measure: Measure, name: str, one: pl.DataFrame, other: pl.DataFrame) -> str:
    """The rows that only one of two tables has."""
    columns = one.columns
    only = [a.join(b, on=columns, how="anti", nulls_equal=True).rows() for a, b in ((one, other), (other, one))]
    return f"{measure}, {name} {columns}: nights {only[0][:6]}, batch {only[1][:6]}"
