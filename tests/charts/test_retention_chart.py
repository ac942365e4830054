"""The charts of retention and of time to convert: drawn without a browser, with every figure of the frame in them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import QuestionError

pytest.importorskip("altair")
DAY = 86_400


def journeys(n: int = 300, days: int = 120, goal: bool = True) -> jm.Journeys:
    draw = np.random.default_rng(1)
    rows = [
        {"user": f"u{i}", "t": int(day) * DAY + i, "what": what, "channel": f"<c{i % 8}>"}
        for i in range(n)
        for day, what in zip(
            np.cumsum(draw.integers(1, 25, 6)) + draw.integers(0, days - 60),
            ["visit", "visit", "order", "visit", "order", "visit"],
            strict=True,
        )
        if day < days
    ]
    events = jm.read_events(
        pl.DataFrame(rows), user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel"
    )
    return jm.build_journeys(events, goal="order" if goal else None, idle="20d")


def datasets(chart: Any) -> list[list[dict[str, Any]]]:
    return list(json.loads(chart.to_json())["datasets"].values())


def said(chart: Any) -> str:
    return " ".join(json.loads(chart.to_json())["title"]["subtitle"])


def test_every_cell_and_every_point_of_the_curve_is_drawn() -> None:
    result = jm.retention(journeys(), period="week", periods=5)
    cells, curve = sorted(datasets(result.plot()), key=len, reverse=True)
    assert [cell["share"] for cell in cells] == result.frame["share"].to_list()
    empty = [cell["_figure"] for cell in cells if cell["share"] is None]
    assert empty
    assert set(empty) == {""}
    drawn = result.tables["overall"].drop_nulls("share")
    assert [point["share_upper"] for point in curve] == drawn["share_upper"].to_list()


def test_of_many_cohorts_the_latest_are_drawn_and_it_says_so() -> None:
    result = jm.retention(journeys(), period="day", periods=2)
    chart = result.plot()
    cells = max(datasets(chart), key=len)
    assert len({cell["_cohort"] for cell in cells}) == 40
    assert f"latest 40 cohorts of {result.frame['cohort'].n_unique()}" in said(chart)


def test_one_group_is_drawn_and_named() -> None:
    result = jm.retention(journeys(), period="week", periods=2, by="channel")
    assert "one of 8 groups" in said(result.plot())
    assert "<c3>" in said(result.plot(group="<c3>"))
    with pytest.raises(QuestionError, match="nowhere"):
        result.plot(group="nowhere")


def test_curves_start_at_0_and_end_with_their_name() -> None:
    result = jm.time_to_convert(journeys())
    chart = result.plot()
    (points,) = datasets(chart)
    assert {point["outcome"] for point in points} == {"converted", "lost", "open"}
    assert {point["share"] for point in points if point["time"] == 0 and point["outcome"] == "lost"} == {0.0}
    assert sum(point["last"] for point in points) == 3
    assert "days since the first step" in chart.to_json()


def test_a_group_that_is_not_there_is_refused_and_none_of_no_group_is_drawn_empty() -> None:
    with pytest.raises(QuestionError, match="no group 'nosuch'"):
        jm.life_cycle(journeys(), by="channel").plot(group="nosuch")
    assert "<c3>" in said(jm.life_cycle(journeys(), by="channel").plot(group="<c3>"))
    many = journeys().where(pl.lit(value=False))
    for result in (jm.retention(many, by="channel"), jm.life_cycle(many, by="channel")):
        assert result.frame.is_empty()
        assert "groups" not in said(result.plot())
        with pytest.raises(QuestionError, match="no group 'nosuch'"):
            result.plot(group="nosuch")


def test_of_many_groups_the_largest_are_drawn_with_the_test() -> None:
    chart = jm.time_to_convert(journeys(), by="channel").plot()
    assert len({point["group"] for point in datasets(chart)[0]}) == 6
    assert "6 largest groups of 8" in said(chart)
    assert "p = " in said(chart)


def test_without_a_goal_there_is_no_curve_of_converting() -> None:
    (points,) = datasets(jm.time_to_convert(journeys(goal=False)).plot())
    assert {point["outcome"] for point in points} == {"lost", "open"}


def test_nothing_to_draw_says_why() -> None:
    with pytest.raises(QuestionError, match="no curve"):
        jm.time_to_convert(journeys().where(pl.lit(False))).plot()


@pytest.mark.parametrize("name", ["retention", "time_to_convert"])
@pytest.mark.parametrize("by", [None, "channel"])
def test_it_renders_without_a_browser(name: str, by: str | None) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    svg = vl_convert.vegalite_to_svg(getattr(jm, name)(journeys(), by=by).plot().to_json())
    assert svg.startswith("<svg")
    assert "<c" not in svg
