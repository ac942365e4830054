"""The chart of a funnel: drawn without a browser, with every figure of the frame in it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.metrics import funnel

pytest.importorskip("altair")


def result_of(n_channels: int = 2, **fields: Any) -> jm.Result:
    rows = [
        {"user": f"u{i}", "t": day * 86_400 + i, "what": what, "channel": f"c{i % n_channels:02d}"}
        for i in range(60)
        for day, what in enumerate(["visit", "<b>cart</b>", "order"][: 1 + i % 3])
    ]
    rows.append({"user": "end", "t": 40 * 86_400, "what": "visit", "channel": "c00"})
    events = jm.read_events(
        pl.DataFrame(rows), user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel"
    )
    steps = ["visit", {"step": "<b>cart</b>", "optional": True}, "order"]
    return funnel(jm.build_journeys(events), steps=steps, within="7d", **fields)


def data_of(chart: Any) -> list[dict[str, Any]]:
    (data,) = json.loads(chart.to_json())["datasets"].values()
    return list(data)


def test_every_step_has_a_bar_its_limits_and_its_figures() -> None:
    result = result_of()
    drawn = data_of(result.plot())
    assert [row["share"] for row in drawn] == result.frame["share"].to_list()
    assert [row["share_upper"] for row in drawn] == result.frame["share_upper"].to_list()
    assert [row["_figures"] for row in drawn] == ["100 % · 60", "66.7 % · 40", "33.3 % · 20"]
    assert drawn[1]["_row"] == "2  <b>cart</b> (optional)"


def test_the_subtitle_counts_who_is_not_in_the_picture() -> None:
    title = json.loads(result_of().plot().to_json())["title"]
    assert "Left out, as their window is still open: 1." in " ".join(title["subtitle"])


def test_of_many_groups_the_largest_are_drawn_and_it_says_so() -> None:
    chart = result_of(20, by="channel").plot()
    assert len({row["_label"] for row in data_of(chart)}) == 12
    assert "12 largest groups of 20" in " ".join(json.loads(chart.to_json())["title"]["subtitle"])


@pytest.mark.parametrize("fields", [{}, {"by": "channel"}, {"sequence": "loose", "within": None}])
def test_it_renders_without_a_browser(fields: dict[str, Any]) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    result = result_of(**{k: v for k, v in fields.items() if k == "by"})
    svg = vl_convert.vegalite_to_svg(result.plot().to_json())
    assert "<b>cart" not in svg
    assert "visit" in svg


def test_an_empty_result_is_an_empty_chart() -> None:
    result = result_of(by="channel")
    empty = result.frame.clear()
    from dataclasses import replace

    assert data_of(replace(result, frame=empty).plot()) == []
