"""What a chart refuses, what it says where it has nothing to draw, and that it never holds more than can be drawn."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.charts import _CHARTS as CHARTS
from journeymine.errors import QuestionError
from tests.charts.test_charts import ASKED

pytest.importorskip("altair")


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=600))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nope": 1}, r"no option 'nope'\nHint: it takes width"),
        ({"width": 0}, "width=0"),
        ({"width": "x"}, "width='x'"),
        ({"width": True}, "width=True"),
    ],
)
def test_an_option_that_is_none_is_refused_with_those_there_are(
    journeys: jm.Journeys, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(QuestionError, match=said):
        jm.conversion(journeys).plot(**options)


def test_a_chart_without_options_says_so(journeys: jm.Journeys) -> None:
    with pytest.raises(QuestionError, match=r"activity has no option 'width'\nHint: it takes none"):
        jm.activity(journeys).plot(width=100)
    with pytest.raises(QuestionError, match="most='x'"):
        jm.transitions(journeys).plot(most="x")


def subtitle(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["subtitle"])


def test_nothing_to_draw_is_said_with_the_reason(journeys: jm.Journeys) -> None:
    bare = jm.build_journeys(jm.sample(users=300), jm.JourneyRules(idle="30d"))
    assert "Nothing to draw: no goal was named" in subtitle(jm.conversion(bare).plot())
    assert "Nothing to draw: no goal was named" in subtitle(jm.friction(bare).plot())
    one = journeys.where(pl.col("n_channels") == 1)
    assert subtitle(jm.handoffs(one).plot()) == "Nothing to draw: no journey crosses from one to another."
    assert subtitle(jm.win_back(journeys.where(pl.lit(value=False))).plot()).startswith("Nothing to draw: ")
    nobody = journeys.where(pl.lit(value=False))
    assert subtitle(jm.compare(nobody, nobody, jm.Conversion()).plot()).startswith("Nothing to draw: ")


@pytest.mark.parametrize("name", sorted({*CHARTS} - {"attribution", "decomposition", "handoffs", "time_to_convert"}))
def test_a_selection_without_journeys_is_drawn_with_the_reason(journeys: jm.Journeys, name: str) -> None:
    chart = ASKED[name](journeys.where(pl.lit(value=False))).plot()
    assert re.match(
        "Nothing to draw: (nothing was counted here|nobody entered|no journey here is mature)", subtitle(chart)
    )
    assert "intervals" not in subtitle(chart)


def test_rows_without_an_estimate_are_no_chart_of_it(journeys: jm.Journeys) -> None:
    single = journeys.where(pl.col("n_steps") == 1)
    assert subtitle(jm.transitions(single).plot()).startswith("Nothing to draw: no journey here has a second step")
    assert "Nothing to draw" not in subtitle(jm.transitions(single).plot(ends=True))
    assert subtitle(jm.satisfaction(single).plot()).startswith("Nothing to draw: no touchpoint here ever carries")


def test_a_compared_edge_is_drawn_as_a_step_from_one_to_the_next(journeys: jm.Journeys) -> None:
    found = jm.before_after(journeys, "2026-03-15", jm.Transitions(grain="stage"))
    rows = {row["_row"] for data in found.plot().to_dict()["datasets"].values() for row in data}
    assert "awareness → consideration" in rows
    assert "consideration → (lost)" in rows
    assert not any("(none)" in row for row in rows)


def test_many_groups_and_long_logs_fit_into_a_chart() -> None:
    day = 86_400
    rows = [(f"u{i % 50}", i * day // 2, f"g{i % 6}") for i in range(2_400)]
    log = pl.DataFrame(rows, schema=["user", "t", "where"], orient="row")
    events = jm.read_events(log, user="user", timestamp="t", time_unit="s", constant_touchpoint="seen", channel="where")
    journeys = jm.build_journeys(events)
    few = jm.stickiness(journeys, by="channel").plot()
    assert "largest groups of 6." in subtitle(few)
    long = jm.stickiness(journeys, windows=["7d", "8d", "9d", "10d", "11d", "12d"]).plot()
    assert "The latest 833 days." in subtitle(long)
    triangle = jm.retention(journeys, period="day", periods=1_000).plot()
    assert "The first 60 periods" in subtitle(triangle)
