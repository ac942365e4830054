"""What a night costs follows its events and the open journeys, not the history."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from journeymine.counting import Measure
from journeymine.events import EventSchema
from journeymine.graph import Transitions
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff
from journeymine.nightly import NightlyState

DAY = 86_400_000_000
START = 1_767_225_600_000_000
MEASURES: dict[str, Measure] = {
    "conversion": Conversion(), "drop_off": DropOff(by="touchpoint"), "flows": Transitions(),
}  # fmt: skip


def growing(day: int, n: int, new: int) -> pl.DataFrame:
    """A night of `n` events: by new users, by those of the last week and the last two months, and by anybody ever seen.

    Nights are alike once two months have passed; what grows is the history.
    """
    draw = np.random.default_rng(day)
    age = np.minimum(draw.choice([1, 7, 60, 10_000], n, p=[0.33, 0.34, 0.23, 0.1]), day + 1)
    users = ((day + 1 - age + draw.random(n) * age) * new).astype(np.int64)
    return pl.DataFrame(
        {
            "user": "u" + pl.Series(users).cast(pl.String),
            "us": np.sort(draw.integers(0, DAY, n)) + START + day * DAY,
            "touchpoint": pl.Series(["visit", "search", "basket", "order"]).gather(
                draw.choice(4, n, p=[0.5, 0.2, 0.2, 0.1])
            ),
        }
    )


def costs(folder: Path, n_nights: int, n: int, new: int) -> tuple[list[float], NightlyState]:
    """CPU seconds of each night."""
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint")
    rules = JourneyRules(goal="order", idle="3d")
    state = NightlyState.create(folder / "state", schema=schema, rules=rules, measures=MEASURES)
    spent = []
    for day in range(n_nights):
        dump = growing(day, n, new)
        begin = time.process_time()
        state.advance(dump, until=START + (day + 1) * DAY)
        spent.append(time.process_time() - begin)
    return spent, state


def test_what_is_carried_does_not_grow_with_the_history(tmp_path: Path) -> None:
    _, state = costs(tmp_path, 24, 150, 30)
    manifest = state._store.read()
    assert manifest["carry"]["rows"] < 12 * 150
    assert sum(run["rows"] for run in manifest["asleep"]) > 300
    assert len(manifest["asleep"]) <= 12
    runs = [len(table) for tables in manifest["counts"].values() for table in tables.values()]
    assert max(runs) <= 12


@pytest.mark.evidence
def test_nights_1_to_365_of_a_growing_log(tmp_path: Path) -> None:
    spent, state = costs(tmp_path, 365, 5_000, 1_000)
    months = [float(np.median(spent[k : k + 30])) for k in range(0, 360, 30)]
    figures: dict[str, Any] = {
        "cpu_s_per_night_by_month": [round(m, 3) for m in months],
        "rows": int(state.nights["accepted"].sum()),
        "bytes": state.verify()["bytes"],
    }
    (tmp_path / "cost.json").write_text(json.dumps(figures))
    # after a month of filling up: ten times the history, far less than twice the cost
    assert months[-1] <= 2 * months[1], figures
