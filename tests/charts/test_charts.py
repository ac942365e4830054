"""Every chart there is: drawn without a browser, on the sample, on next to nothing, and on labels that mean harm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.charts import _CHARTS as CHARTS
from journeymine.counting.result import Result

pytest.importorskip("altair")
vl_convert = pytest.importorskip("vl_convert")

HALVES = (("2026-03-15", "2027-01-01"), ("2026-01-01", "2026-03-15"))

ASKED: dict[str, Callable[[jm.Journeys], Result]] = {
    "activity": jm.activity,
    "attribution": jm.attribution,
    "compare": lambda journeys: jm.before_after(journeys, "2026-03-15", jm.Conversion(by="channel")),
    "conversion": lambda journeys: jm.conversion(journeys, by="channel"),
    "customer_value": jm.customer_value,
    "decision_points": jm.decision_points,
    "decomposition": lambda journeys: jm.decompose(*(journeys.between(*half) for half in HALVES)),
    "drop_off": jm.drop_off,
    "dwell": jm.dwell,
    "first_contact_resolution": jm.first_contact_resolution,
    "friction": jm.friction,
    "funnel": lambda journeys: jm.funnel(journeys, steps=["product_viewed", "order_placed"], within="7d"),
    "handoffs": jm.handoffs,
    "life_cycle": jm.life_cycle,
    "markov": lambda journeys: jm.markov(journeys).result,
    "opportunities": lambda journeys: jm.opportunities(journeys, fdr=0.9),  # so few users prove nothing at 5 %
    "repeat_rate": jm.repeat_rate,
    "retention": jm.retention,
    "satisfaction": jm.satisfaction,
    "stage_reach": jm.stage_reach,
    "stickiness": jm.stickiness,
    "time_to_convert": jm.time_to_convert,
    "transitions": lambda journeys: jm.transitions(journeys).result,
    "typical_order": jm.typical_order,
    "variants": jm.variants,
    "waiting": lambda journeys: jm.waiting(journeys, start="product_viewed", until="order_placed"),
    "win_back": jm.win_back,
}
"""Every result there is a chart for, and how to ask for it."""
WITHOUT_CHART: set[str] = set()
"""Results that are read as tables."""
WITHOUT_INTERVALS = {"variants"}
"""Results that carry no interval; their charts can have none."""


@pytest.fixture(scope="module")
def sampled() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=400))


@pytest.fixture(scope="module")
def bare() -> jm.Journeys:
    """Two users, labels that a page or a chart language could take for its own, and nothing else."""
    hostile = "</script><b>'\"]}\x07 datum.x → \u202e" + "long " * 80
    rows = [
        ("a", 0, hostile, "c", None),
        ("a", 3_600, "product_viewed", "d", 3),
        ("a", 90_000, "order_placed", "c", 5),
        ("b", 5, "{{ x }}", "d", None),
    ]
    log = pl.DataFrame(rows, schema=["u", "t", "e", "c", "s"], orient="row")
    events = jm.read_events(
        log, user="u", timestamp="t", time_unit="s", touchpoint="e", channel="c", satisfaction="s",
        satisfaction_scale=(1, 5), stages={"looking": ["product_viewed"], "buying": ["order_placed"]},
    )  # fmt: skip
    return jm.build_journeys(events, goal="order_placed", idle="30d")


def specification(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.plot().to_json()))


def fields(node: Any) -> Iterator[str]:
    """Every field that something in the specification is drawn from."""
    if isinstance(node, dict):
        if isinstance(node.get("field"), str):
            yield node["field"]
        for key, value in node.items():
            if key != "datasets":
                yield from fields(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields(value)


def columns(node: dict[str, Any]) -> set[str]:
    return {name for rows in node["datasets"].values() for row in rows for name in row}


def test_every_chart_is_tried_here() -> None:
    assert sorted(ASKED) == sorted(CHARTS)


def test_every_result_of_the_library_has_a_chart(repository: Path) -> None:
    # The page of schemas is made from one result of each kind, and kept so by a test of its own.
    page = (repository / "docs" / "schemas.md").read_text("utf-8")
    results = {title for title in re.findall(r"^## (\S+)$", page, re.MULTILINE) if "." not in title}
    assert results - set(CHARTS) == WITHOUT_CHART
    assert set(CHARTS) - results == set()


@pytest.mark.parametrize("name", sorted(ASKED))
def test_it_draws_the_sample_with_its_intervals(name: str, sampled: jm.Journeys) -> None:
    result = ASKED[name](sampled)
    assert result.name == name
    chart = specification(result)
    svg = vl_convert.vegalite_to_svg(json.dumps(chart))
    assert svg.startswith("<svg")
    assert "undefined" not in svg
    assert "NaN" not in svg
    drawn = set(fields(chart))
    lower = {field for field in drawn if field.endswith("lower")}
    assert bool(lower) == (name not in WITHOUT_INTERVALS)
    assert lower | {field[: -len("lower")] + "upper" for field in lower} <= drawn & columns(chart)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_it_draws_next_to_nothing_and_any_label(name: str, bare: jm.Journeys) -> None:
    try:
        result = ASKED[name](bare)
    except jm.JourneymineError:
        pytest.skip("such a log cannot be asked this")
    try:
        chart = specification(result)
    except jm.JourneymineError as error:
        assert "nothing to draw" in str(error) or "no curve to draw" in str(error)  # noqa: PT017
        return
    svg = vl_convert.vegalite_to_svg(json.dumps(chart))
    assert "<b>" not in svg
    assert "</script" not in svg


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"attribution", "time_to_convert"}))
def test_an_empty_frame_is_an_empty_chart(name: str, sampled: jm.Journeys) -> None:
    result = ASKED[name](sampled)
    tables = {title: frame.clear() for title, frame in result.tables.items()}
    chart = specification(replace(result, frame=result.frame.clear(), tables=tables))
    assert vl_convert.vegalite_to_svg(json.dumps(chart)).startswith("<svg")


@pytest.mark.parametrize("name", ["conversion", "handoffs", "transitions", "variants", "satisfaction"])
def test_the_same_result_is_the_same_chart(name: str, sampled: jm.Journeys) -> None:
    assert specification(ASKED[name](sampled)) == specification(ASKED[name](sampled))


@pytest.mark.parametrize(
    ("result", "panels"),
    [
        (lambda journeys: jm.satisfaction(journeys, by=("stage", "channel")), 3),
        (lambda journeys: jm.win_back(journeys, by="channel"), 6),
        (lambda journeys: jm.activity(journeys, by="new_or_returning"), 2),
        (lambda journeys: jm.stickiness(journeys, by="new_or_returning"), 4),
    ],
)
def test_groups_have_a_panel_each(result: Any, panels: int, sampled: jm.Journeys) -> None:
    chart = specification(result(sampled))
    assert chart["facet"]["field"] == "_panel"
    assert len(chart["facet"]["sort"]) == panels


def test_the_fullest_hour_stands_beside_what_chance_levels_out_to(sampled: jm.Journeys) -> None:
    """One of 168 hours is always the fullest, so no interval is told of it; and of several groups none is meant."""
    title = specification(jm.activity(sampled))["title"]
    subtitle = " ".join(title["subtitle"])
    assert subtitle.startswith("Most in this log on ")
    assert subtitle.endswith("each would hold 0.6 %.")
    assert " to " not in subtitle
    assert "Most" not in " ".join(specification(jm.activity(sampled, by="new_or_returning"))["title"]["subtitle"])


def test_the_heaviest_transitions_stand_first_and_keep_their_conversion(sampled: jm.Journeys) -> None:
    result = ASKED["transitions"](sampled)
    chart = specification(result)
    left, right = (chart["datasets"][part["layer"][0]["data"]["name"]] if "data" in part["layer"][0]
                   else chart["datasets"][part["data"]["name"]] for part in chart["hconcat"])  # fmt: skip
    inner = result.frame.filter(pl.col("from").is_not_null(), pl.col("to").is_not_null())
    heaviest = inner.sort("n", descending=True, maintain_order=True).head(25)
    assert [row["n_times"] for row in left] == heaviest["n"].to_list()
    expected = {f"{row['from']} → {row['to']}": row["conversion"] for row in heaviest.to_dicts()}
    assert {row["_row"]: row["conversion"] for row in right} == {k: v for k, v in expected.items() if v is not None}


def test_the_curve_of_variants_ends_where_all_are_covered(sampled: jm.Journeys) -> None:
    result = ASKED["variants"](sampled)
    (curve,) = (rows for rows in specification(result)["datasets"].values() if len(rows) > 1 and "paths" in rows[0])
    assert curve[-1]["covered"] == pytest.approx(1.0)
    first = result.frame["n"].max()
    assert curve[0]["covered"] == pytest.approx(first / result.frame["n"].sum())  # type: ignore[operator]


def test_a_comparison_draws_the_estimate_asked_for(sampled: jm.Journeys) -> None:
    result = ASKED["compare"](sampled)
    chart = json.loads(result.plot(estimate="mean_value").to_json())
    assert "mean_value" in " ".join(chart["title"]["subtitle"])
    with pytest.raises(jm.JourneymineError, match="no estimate 'median'"):
        result.plot(estimate="median")


def test_a_result_without_a_chart_names_those_there_are(sampled: jm.Journeys) -> None:
    with pytest.raises(jm.JourneymineError, match="no chart for 'nothing'"):
        replace(ASKED["conversion"](sampled), name="nothing").plot()


@pytest.mark.parametrize(
    ("by", "joined"),
    [("stage", True), (("channel", "stage"), True), ("channel", False), (("channel", "device"), False)],
    ids=str,
)
def test_only_stages_are_joined_by_a_line(by: Any, joined: bool, sampled: jm.Journeys) -> None:
    result = jm.satisfaction(sampled, by=by)
    chart = specification(result)
    layers = chart["spec"]["layer"] if "spec" in chart else chart["layer"]
    assert ("line" in [layer["mark"]["type"] for layer in layers]) == joined
    if joined:
        (order,) = {tuple(each["encoding"]["x"]["sort"]) for each in layers if each["mark"]["type"] == "point"}
        assert [place for place in order if place in sampled.stages] == [s for s in sampled.stages if s in order]
        assert order[: len(set(order) & set(sampled.stages))] == tuple(s for s in sampled.stages if s in order)


def test_no_interval_is_promised_where_there_is_none(sampled: jm.Journeys) -> None:
    for order, said in ((1, "95% intervals"), (3, "no intervals")):
        chart = specification(jm.attribution(sampled, rules="markov", order=order))
        assert said in " ".join(chart["title"]["subtitle"])


def test_how_often_a_transition_is_taken_is_a_whole_number() -> None:
    """18 times is not 18.00 times; of 100 and more it was whole before."""
    steps = [(f"u{user}", f"2026-01-{1 + user:02d}", what) for user in range(18) for what in ("a", "b")]
    log = pl.DataFrame([(who, f"{day} 0{hour % 2}:00:00", what) for hour, (who, day, what) in enumerate(steps)],
                       schema=["user", "ts", "what"], orient="row")  # fmt: skip
    events = jm.read_events(log, user="user", timestamp="ts", touchpoint="what", timezone="UTC")
    chart = jm.transitions(jm.build_journeys(events, goal="b")).result.plot().to_dict()
    figures = [row["_figures"] for rows in chart["datasets"].values() for row in rows if "_figures" in row]
    assert "18 · 18 users" in figures
