"""What a newcomer tries first and gets wrong: the error names the argument and the way out, in the library's own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import JourneymineError

ROWS = pl.DataFrame(
    [(f"u{i % 40}", i * 3_600, ("visit", "cart", "order")[i % 3], ("web", "app")[i % 2]) for i in range(900)],
    schema=["user", "t", "what", "where"],
    orient="row",
)
COLUMNS: dict[str, Any] = {"user": "user", "timestamp": "t", "time_unit": "s", "touchpoint": "what"}


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    events = jm.read_events(ROWS, **COLUMNS, channel="where")
    return jm.build_journeys(events, goal="order", idle="2d")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"touchpoint": {"constant": "x"}}, "touchpoint={'constant': 'x'} names no column.*constant_touchpoint="),
        ({"touchpoint": "purchase"}, "where every row is 'purchase': constant_touchpoint='purchase'"),
        ({"user": 5}, r"user=5 names no columns.*\['user_id', 'email'\]"),
        ({"user": [None]}, r"user=\[None\] names no columns"),
        ({"attributes": True}, "attributes=True names no columns"),
        ({"tie_break": [5]}, r"tie_break=\[5\] names no columns"),
        ({"timezone": ["UTC"]}, r"timezone=\['UTC'\] is no text"),
        ({"time_format": 5}, "time_format=5 is no text"),
        ({"satisfaction": "t", "satisfaction_scale": 5}, "satisfaction_scale=5 is not a lowest and a highest score"),
        ({"touchpoint": None, "constant_touchpoint": ["x"]}, "constant_touchpoint=.* is no text"),
        ({"stages": {"see": 1}}, "stage 'see' has no touchpoints in 1"),
    ],
)
def test_a_log_read_wrongly(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(JourneymineError, match=f"(?s){said}"):
        jm.read_events(ROWS, **COLUMNS | fields)


@pytest.mark.parametrize("name", ["split", "after_goal", "goal_stage"])
@pytest.mark.parametrize("given", [["user"], {"a": 1}, pl.col("user")])
def test_rules_given_wrongly(name: str, given: Any) -> None:
    rules: dict[str, Any] = {"goal": "order", name: given}
    with pytest.raises(JourneymineError, match=f"{name}=.* is no text"):
        jm.JourneyRules(**rules)


ASKED: list[tuple[Callable[[jm.Journeys], Any], str]] = [
    (lambda j: jm.finish(jm.Conversion(), 5), "a int is no counts"),  # type: ignore[arg-type]
    (lambda j: j.segment(None, pl.lit("a")), "None is no name of a segment"),  # type: ignore[arg-type]
    (lambda j: jm.retention(j, period="year"), "(?s)period='year'.*one of 'day', 'week', 'month'"),
    (lambda j: jm.choose_order(j, max_order=0), "max_order=0"),
    (lambda j: jm.repeat_rate(j, horizon=None), "horizon=None"),  # type: ignore[arg-type]
    (lambda j: jm.journey_map(j, min_group="x"), "min_group='x'"),  # type: ignore[arg-type]
    (lambda j: jm.journey_map(j, min_group=-1), "min_group=-1"),
    (lambda j: jm.journey_map(j, title=None), "title=None is no text"),  # type: ignore[arg-type]
    (lambda j: jm.journey_map(j, report=5), "report=5 is no report on a log"),  # type: ignore[arg-type]
    (lambda j: jm.journey_map(j, zoom=5), "zoom=5 names no column"),  # type: ignore[arg-type]
    (lambda j: jm.journey_map_of_user(j, 5), "user=5 is no id"),  # type: ignore[arg-type]
    (lambda j: jm.markov(j).what_if(remove=5), "remove=5 names no label"),  # type: ignore[arg-type]
    (lambda j: jm.conversion(j, by={"channel", "touchpoint"}), "has no order"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "said"), ASKED)
def test_a_question_asked_wrongly(journeys: jm.Journeys, ask: Callable[[jm.Journeys], Any], said: str) -> None:
    with pytest.raises(JourneymineError, match=said):
        ask(journeys)


def test_a_map_saved_nowhere(journeys: jm.Journeys, tmp_path: Path) -> None:
    drawn = jm.journey_map(journeys)
    with pytest.raises(JourneymineError, match="None is no path"):
        drawn.save(None)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"no such folder.*nowhere"):
        drawn.save(tmp_path / "nowhere" / "map.html")


def test_without_a_goal_or_stages_the_way_out_is_told() -> None:
    bare = jm.build_journeys(jm.read_events(ROWS, **COLUMNS), idle="2d")
    for ask in (jm.repeat_rate, jm.customer_value):
        with pytest.raises(JourneymineError, match=r"event='order_placed'"):
            ask(bare)
    for by in (None, "touchpoint"):
        assert "so no journey is lost" in jm.win_back(bare, by=by).notes[0]
    assert "so no journey is lost" in jm.win_back(bare).frame["reason"][0]
    assert jm.dwell(bare).frame.equals(jm.dwell(bare, by="touchpoint").frame)
