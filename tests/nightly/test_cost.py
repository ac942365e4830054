"""What a night costs follows its events and the open journeys, not the history."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from journeymine.counting import Measure
from journeymine.events import EventSchema
from journeymine.graph import Transitions
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff, Retention
from journeymine.nightly import NightlyState, past, store

DAY = 86_400_000_000
START = 1_767_225_600_000_000
MEASURES: dict[str, Measure] = {
    "conversion": Conversion(), "drop_off": DropOff(by="touchpoint"), "flows": Transitions(),
    "retention": Retention(period="week", periods=4),
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


def new_state(folder: Path) -> NightlyState:
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint")
    return NightlyState.create(
        folder / "state", schema=schema, rules=JourneyRules(goal="order", idle="3d"), measures=MEASURES
    )


def size(state: NightlyState, name: str) -> int:
    """Bytes of the objects that the manifest lists under a name."""
    return sum((state.directory / "objects" / run["object"]).stat().st_size for run in state._store.read()[name])


def test_what_is_carried_and_written_does_not_grow_with_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "RECENT", 10)
    monkeypatch.setattr(past, "AT_ONCE", 2)
    state = new_state(tmp_path)
    written: list[int] = []
    real = store._write_whole

    def counting(path: Path, content: bytes) -> None:
        written[-1] += len(content)
        real(path, content)

    monkeypatch.setattr(store, "_write_whole", counting)
    for day in range(48):
        written.append(0)
        state.advance(growing(day, 150, 30), until=START + (day + 1) * DAY)
    manifest = state._store.read()
    assert manifest["carry"]["rows"] < 12 * 150
    assert sum(run["rows"] for run in manifest["asleep"]) > 600
    assert len(manifest["asleep"]) <= 12
    assert len(manifest["nights"]) <= 13
    runs = [table for tables in manifest["counts"].values() for table in tables.values()]
    assert max(len(table) for table in runs) <= 3 * 3
    assert {run["pieces"] for table in runs for run in table} <= {1, 4, 16, 64}
    assert [run["pieces"] for run in manifest["ledger"]] == [16, 16, 16]
    # sixteen nights hold every size of merge but the largest, which comes once in sixty-four
    assert np.mean(written[32:]) < 1.3 * np.mean(written[16:32])


def test_the_ledger_costs_what_is_said(tmp_path: Path) -> None:
    state = new_state(tmp_path)
    draw = np.random.default_rng(1)
    for day in range(10):
        users = draw.permutation(3_000)
        dump = growing(day, 3_000, 1).with_columns(user=pl.Series([f"customer-{user:06}" for user in users]))
        state.advance(dump, until=START + (day + 1) * DAY)
    events = sum(run["rows"] for run in state._store.read()["ledger"])
    assert events == 30_000
    # docs/nightly.md: about 10 bytes per event of user, time and touchpoint, so about 100 per user of ten events
    assert 5 < size(state, "ledger") / events < 15


@pytest.mark.evidence
def test_nights_1_to_365_of_a_growing_log(tmp_path: Path) -> None:
    state, spent, rows, yardstick = new_state(tmp_path), [], [], []
    fixed = np.random.default_rng(1).random(1_000_000)
    for day in range(365):
        dump = growing(day, 5_000, 1_000)
        begin = time.process_time()
        state.advance(dump, until=START + (day + 1) * DAY)
        spent.append(time.process_time() - begin)
        begin = time.process_time()
        np.sort(fixed)
        yardstick.append(time.process_time() - begin)
        if day + 1 in (1, 30, 60, 120, 240, 365):
            manifest, last = state._store.read(), spent[-20:]
            rows.append(
                {
                    "night": day + 1,
                    "cpu_s_median_of_20": round(float(np.median(last)), 3),
                    "cpu_s_mean_of_20": round(float(np.mean(last)), 3),
                    "cpu_s_most_so_far": round(max(spent), 3),
                    "fixed_work_s": round(float(np.median(yardstick[-20:])), 3),
                    "events": int(state.nights["accepted"].sum()),
                    "carried_rows": manifest["carry"]["rows"],
                    "sleeping_rows": sum(run["rows"] for run in manifest["asleep"]),
                    "manifest_bytes": (state.directory / "manifest.json").stat().st_size,
                    "files": sum(1 for _ in (state.directory / "objects").iterdir()),
                    "state_bytes": state.verify()["bytes"],
                    "ledger_bytes": size(state, "ledger"),
                }
            )
            sys.stdout.write(f"{json.dumps(rows[-1])}\n")
    begin = time.process_time()
    state.results()
    sys.stdout.write(f"all results of a year: {time.process_time() - begin:.1f} s\n")
    # after two months of filling up: six times the history, about the same cost, as measured by work that is the same
    cost = np.array(spent) / np.array(yardstick)
    assert np.median(cost[-60:]) <= 1.25 * np.median(cost[60:120]), rows
