"""Edges added up in an array of cells, against the tables that any number of labels is counted with."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.counting import long_tables, occurrences, packed
from journeymine.counting.counts import Counts
from journeymine.counting.merging import spelled
from journeymine.events.coded import Coded
from journeymine.graph import transition_cells, transition_rows, transition_sums
from journeymine.graph.transitions import Transitions

TOUCHPOINTS = ["ad", "visit", "order", "call", "éà", "start"]


def journeys(n: int, seed: int, value: bool = True) -> jm.Journeys:
    random = np.random.default_rng(seed)
    rows = pl.DataFrame(
        {
            "user": [f"u{u}" for u in random.integers(0, max(n // 12, 1), n)],
            # Half of the steps at full hours, so that many edges take no time at all.
            "t": np.sort(random.integers(0, 40 * 24, n) * 3_600_000_000 + random.choice([0, 1_234_567], n)),
            "what": random.choice(TOUCHPOINTS, n, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]),
            "where": random.choice(["web", "app", "store"], n),
            "worth": random.choice([0.0, 9.5, 1e9], n),
        }
    )
    events = jm.read_events(
        rows, timestamp="t", time_unit="us", touchpoint="what", channel="where", value="worth" if value else None
    )
    return jm.build_journeys(events, goal="order", idle="3d")


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("grain", "by"), [("touchpoint", None), ("channel", ["new_or_returning"]), ("channel:touchpoint", ["channel"]),
                      ("touchpoint", ["channel", "touchpoint"]), ("touchpoint", ["channel:touchpoint"])]
)  # fmt: skip
def test_cells_equal_tables(monkeypatch: pytest.MonkeyPatch, grain: str, by: list[str] | None, value: bool) -> None:
    made = journeys(6_000, seed=len(grain), value=value)
    measure = Transitions(grain=grain, by=by)
    tables = transition_rows.count_rows(made, grain, measure.names, measure.specs())
    expected = Counts.of("", None, measure.specs(), tables).tables  # type: ignore[arg-type]
    for block in (50, 1 << 17):
        monkeypatch.setattr(transition_cells, "BLOCK", block)
        counted = transition_cells.count_cells(made, grain, measure.names, measure.specs())
        found = Counts.of("", None, measure.specs(), counted).tables  # type: ignore[arg-type]
        for name, table in expected.items():
            assert found[name].equals(table), name


@pytest.mark.parametrize(
    ("module", "name", "value"), [(transition_rows, "BLOCK", 40), (transition_rows, "_BITS", 20), (packed, "ROOM", 1)]
)
def test_tables_come_out_in_order_however_rows_are_cut_and_packed(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, value: int
) -> None:
    made = journeys(3_000, seed=4)
    plan = Coded((made.heads.user % 2).astype(np.uint8), ("pro", "basic"))  # not in order
    made, measure = made.replace(segments={"plan": plan}), Transitions(by=["plan", "channel"])
    usual = transition_rows.count_rows(made, "touchpoint", measure.names, measure.specs())
    merged = Counts.of("", None, measure.specs(), usual).tables  # type: ignore[arg-type]
    monkeypatch.setattr(module, name, value)
    other = transition_rows.count_rows(made, "touchpoint", measure.names, measure.specs())
    for table, frame in merged.items():
        assert spelled(usual[table]).equals(frame)
        assert spelled(other[table]).equals(frame)


def test_few_labels_are_counted_in_cells_and_many_in_tables() -> None:
    made = journeys(6_000, seed=1)
    assert transition_cells.fits(made, "touchpoint", ())
    random = np.random.default_rng(3)
    rows = pl.DataFrame({"user": random.integers(0, 9, 2_000), "t": np.arange(2_000), "what": np.arange(2_000) % 700})
    events = jm.read_events(rows, timestamp="t", time_unit="s", touchpoint="what")
    assert not transition_cells.fits(jm.build_journeys(events), "touchpoint", ())


def test_buckets_kept_one_by_one_and_counted_in_place_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    made, measure = journeys(4_000, seed=2), Transitions()
    dense = transition_sums.Times(3)
    with monkeypatch.context() as patch:
        patch.setattr(occurrences, "_DENSE", 0)
        patch.setattr(occurrences, "_AT_ONCE", 700)
        loose = transition_sums.Times(3)
    random = np.random.default_rng(0)
    for _ in range(3):
        cell = np.sort(random.integers(0, 3, 500))
        took = random.integers(0, 5, 500) ** random.integers(0, 27, 500)
        dense.add(cell, took)
        loose.add(cell, took)
    for a, b in zip(dense.used_buckets().columns.values(), loose.used_buckets().columns.values(), strict=True):
        assert np.array_equal(a, b)
    assert measure.count(made).tables["histogram"]["n"].sum() == len(made.coded) - len(made)


def test_rows_of_few_folds_are_finished_from_totals_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    # Six busy touchpoints and eighty rare ones.
    random = np.random.default_rng(8)
    names = np.array([*TOUCHPOINTS, *(f"zz{i:02d}" for i in range(80))])
    rows = pl.DataFrame(
        {
            "user": random.integers(0, 700, 9_000),
            "t": np.sort(random.integers(0, 90 * 86_400, 9_000)),
            "what": names[np.minimum(random.geometric(0.12, 9_000) - 1, 85)],
            "worth": random.integers(0, 50, 9_000),
        }
    )
    events = jm.read_events(rows, timestamp="t", time_unit="s", touchpoint="what", value="worth")
    made = jm.build_journeys(events, goal="order", idle="5d")
    close = jm.transitions(made)
    monkeypatch.setattr(long_tables, "MIN_FOLDS", 0)
    monkeypatch.setattr(long_tables, "_BLOCK", 100)
    spread_out = jm.transitions(made)
    assert close.edges.equals(spread_out.edges)
    assert close.nodes.equals(spread_out.nodes)
    assert close.result.least_users["transitions"].equals(spread_out.result.least_users["transitions"])
    assert close.edges["conversion_lower"].null_count() < close.edges.height
