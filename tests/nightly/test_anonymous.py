"""Anonymous ids are resolved within a dump; an event that comes again is known under either name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from journeymine.events import EventSchema
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion
from journeymine.nightly import NightlyState

SCHEMA = EventSchema(
    user="user", anonymous="cookie", timestamp="s", time_unit="s", touchpoint="what", event_id="id"
)  # fmt: skip
Rows = list[tuple[str | None, str | None, int, str, str | None]]


def dump(rows: Rows) -> pl.DataFrame:
    names = {"user": pl.String, "cookie": pl.String, "s": pl.Int64, "what": pl.String, "id": pl.String}
    return pl.DataFrame(rows, schema=names, orient="row")


def state_of(folder: Path, schema: EventSchema = SCHEMA) -> NightlyState:
    return NightlyState.create(folder, schema=schema, rules=JourneyRules(goal="order"), measures=[Conversion()])


EARLIER: Rows = [
    (None, "A", 80_000, "visit", "e1"),
    (None, "A", 80_060, "call", "e2"),
    ("z", "Z", 79_000, "visit", "e0"),
]
KNOWN_BY_NAME: Rows = [("u", "A", 90_000, "order", "e3")]


@pytest.mark.parametrize("named_first", [False, True])
def test_windows_that_overlap_count_an_event_once_whoever_it_is_of(named_first: bool, tmp_path: Path) -> None:
    state = state_of(tmp_path / "state")
    # the one who is anonymous on one night has a name on the other, and so have the events of both
    first, second = (EARLIER + KNOWN_BY_NAME, EARLIER[:2]) if named_first else (EARLIER, EARLIER[:2] + KNOWN_BY_NAME)
    state.advance(dump(first), until=100_000 * 1_000_000)
    night = state.advance(dump(second), until=120_000 * 1_000_000)
    assert (night.duplicates, night.accepted) == (2, len(second) - 2)
    assert state.nights["accepted"].sum() == 4


def test_only_the_same_event_is_taken_for_one(tmp_path: Path) -> None:
    state = state_of(tmp_path / "state")
    state.advance(dump(EARLIER), until=100_000 * 1_000_000)
    others: Rows = [
        ("u", "B", 80_001, "visit", "e1"),  # at another time
        ("v", "C", 80_000, "visit", None),  # without an id
        (None, "D", 80_000, "visit", "e1"),  # of another nameless one
        ("w", "E", 79_000, "visit", "e0"),  # of another who has a name
    ]
    night = state.advance(dump(others), until=120_000 * 1_000_000)
    assert (night.accepted, night.duplicates) == (4, 0)


def test_results_say_that_nights_do_not_know_each_other_s_names(tmp_path: Path) -> None:
    state = state_of(tmp_path / "state")
    state.advance(dump(EARLIER), until=100_000 * 1_000_000)
    state.advance(dump(KNOWN_BY_NAME), until=120_000 * 1_000_000)
    result = state.results()["conversion"]
    assert result.frame["n_journeys"].item() == 3
    assert any("counts as two" in note for note in result.notes)
    plain = state_of(tmp_path / "plain", EventSchema(**{**SCHEMA.to_fields(), "anonymous": None}))
    plain.advance(dump(KNOWN_BY_NAME), until=120_000 * 1_000_000)
    assert not any("counts as two" in note for note in plain.results()["conversion"].notes)
