from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from journeymine.errors import RulesError
from journeymine.events import StageMap, read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import drop_off
from tests.oracles.logs import MINUTE, Row, build

START = 1_577_836_800_000_000


def journeys_of(rows: list[tuple[str, int, str, str, float | None]], **rules: Any) -> Journeys:
    log = tuple(
        Row(user, minute * MINUTE, what, where, value, None, None, None) for user, minute, what, where, value in rows
    )
    fields = {"goal": "order", "idle": "10m", "session_gap": "3m", "observed_until": START + 2_000 * MINUTE}
    return build(log, **{**fields, **rules})


def test_what_is_at_stake_by_hand() -> None:
    # 200 journeys visit on the web: 80 convert, worth 10 each; 100 in the store: 10 convert, worth 30 each.
    rows: list[Any] = []
    for channel, n, won, value in (("web", 200, 80, 10.0), ("store", 100, 10, 30.0), ("email", 99, 0, None)):
        for i in range(n):
            rows.append((f"{channel}{i}", 0, "visit", channel, None))
            if i < won:
                rows.append((f"{channel}{i}", 1, "order", channel, value))
    frame = drop_off(journeys_of(rows), by=["stage", "channel"]).frame
    by = {(row["stage"], row["channel"]): row for row in frame.iter_rows(named=True)}
    web, store, email = (by["consideration", channel] for channel in ("web", "store", "email"))
    assert (web["lost_share"], store["lost_share"], email["lost_share"]) == (0.6, 0.9, 1.0)
    assert (web["conversions_at_stake"], web["value_at_stake"]) == (0, 0)
    assert store["conversions_at_stake"] == pytest.approx(90 * (0.4 - 0.1))
    assert store["value_at_stake"] == pytest.approx(90 * (0.4 - 0.1) * 30)
    assert store["value_at_stake_lower"] < store["value_at_stake"] < store["value_at_stake_upper"]
    # The places beside it say what e-mail could be; what an order there would be worth nobody has seen.
    assert email["conversions_at_stake"] == pytest.approx(99 * 0.4)
    assert email["value_at_stake"] is None
    assert frame["stage"].to_list() == ["consideration"] * 3 + ["purchase"] * 2


def test_a_place_with_few_journeys_sets_no_example() -> None:
    rows = [(f"w{i}", 0, "visit", "web", None) for i in range(150)]
    rows += [(f"w{i}", 1, "order", "web", 1.0) for i in range(15)]
    rows += [(f"s{i}", 0, "visit", "store", None) for i in range(99)]
    rows += [(f"s{i}", 1, "order", "store", 1.0) for i in range(90)]
    frame = drop_off(journeys_of(rows)).frame.filter(stage="consideration")
    assert frame["conversions_at_stake"].to_list() == [0, 0]


def test_who_comes_back_and_after_how_long() -> None:
    rows = [("a", 0, "visit", "web", None), ("a", 30, "visit", "web", None), ("b", 0, "visit", "web", None)]
    row = drop_off(journeys_of(rows), by="channel").frame.row(0, named=True)
    assert (row["lost_here"], row["came_back"], row["came_back_share"]) == (3, 1, 1 / 3)
    assert row["came_back_p50_s"] == pytest.approx(1_800, rel=0.008)


def test_open_journeys_are_no_drop_off() -> None:
    rows = [("a", 1_990 - 9 * k, "visit", "web", None) for k in range(9)]
    row = drop_off(journeys_of(rows, mature_after="1m"), by="channel").frame.row(0, named=True)
    assert (row["n"], row["lost_here"], row["open_here"], row["open_share"]) == (1, 0, 1, 1.0)


def test_a_log_of_its_own_stages_without_a_stage_map_keeps_them_as_labels() -> None:
    frame = pl.DataFrame({"user": ["a", "a", "b"], "t": [0, 60, 0], "what": ["x", "y", "x"], "stage": ["z", "a", "z"]})
    events = read_events(frame, timestamp="t", time_unit="s", touchpoint="what", attributes=["stage"])
    journeys = build_journeys(events, idle="1m", session_gap="1m", goal="never", observed_until=10**9)
    frame = drop_off(journeys, by="stage").frame
    # Without an order of stages any later step counts as going on.
    assert frame.select("stage", "n", "went_on", "lost_here").rows() == [("a", 1, 0, 1), ("z", 2, 1, 1)]
    assert "furthest_stage" not in journeys.table.columns
    with pytest.raises(RulesError, match=r"'stage'(?s:.*)Hint"):
        build_journeys(read_events(frame_with_stage(), timestamp="t", time_unit="s", touchpoint="what",
                                   attributes=["stage"], stages=StageMap.of({"see": ["x"]})))  # fmt: skip


def frame_with_stage() -> pl.DataFrame:
    return pl.DataFrame({"user": ["a"], "t": [0], "what": ["x"], "stage": ["z"]})
