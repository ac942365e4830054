"""The chart of attribution: every rule a panel, every interval of the frame in it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import QuestionError

pytest.importorskip("altair")


def journeys_of(n_channels: int = 3) -> jm.Journeys:
    rows = [
        {"user": f"u{i}", "t": i * 5_000 + touch * 60, "what": "order" if touch == 3 else "</script>visit",
         "channel": f"c{(i + touch) % n_channels:02d}", "value": 2.0}
        for i in range(120)
        for touch in range(1 + i % 4)
    ]  # fmt: skip
    events = jm.read_events(
        pl.DataFrame(rows),
        user="user",
        timestamp="t",
        time_unit="s",
        touchpoint="what",
        channel="channel",
        value="value",
    )
    return jm.build_journeys(events, goal="order", idle="1d")


def data_of(chart: Any) -> list[dict[str, Any]]:
    (data,) = json.loads(chart.to_json())["datasets"].values()
    return list(data)


def test_every_credit_is_drawn_with_its_limits() -> None:
    result = jm.attribution(journeys_of())
    drawn = pl.DataFrame(data_of(result.plot()), infer_schema_length=None)
    assert drawn.height == result.frame.height
    pair = drawn.join(result.frame, on=["rule", "label"], suffix="_frame")
    assert pair["conversions"].to_list() == pair["conversions_frame"].to_list()
    known = pair.filter(pl.col("conversions_upper_frame").is_not_null())
    assert known["_upper"].to_list() == known["conversions_upper_frame"].to_list()


def test_groups_and_rows_beyond_the_most_are_left_out_and_said_so() -> None:
    chart = jm.attribution(journeys_of(30), rules="linear", by="channel").plot(column="value")
    drawn = data_of(chart)
    assert len({row["_group"] for row in drawn}) == 6
    assert len({row["label"] for row in drawn}) <= 20
    assert "The 6 groups with the most credit" in " ".join(chart.to_dict()["title"]["subtitle"])


def test_paths_without_intervals_and_without_values() -> None:
    paths = pl.DataFrame({"path": ["a > b", "b", ""], "n": [2, 1, 1]})
    result = jm.attribution_from_paths(paths, conversions="n")
    chart = result.plot(column="share")
    assert "no intervals" in " ".join(chart.to_dict()["title"]["subtitle"])
    assert [row["label"] for row in sorted(data_of(chart), key=lambda row: row["_rank"])][-1] == "(none)"
    for column in ("value", "cpa"):
        with pytest.raises(QuestionError, match=column):
            result.plot(column=column)
