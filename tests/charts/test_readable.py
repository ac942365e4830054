"""What made charts of real logs hard to read, and must not come back: exponents, names on each other, gaps in labels."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting.result import Result

pytest.importorskip("altair")
vl_convert = pytest.importorskip("vl_convert")


@pytest.fixture(scope="module")
def sampled() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=1_500))


@pytest.fixture(scope="module")
def shop() -> jm.Journeys:
    """A log without channels and stages: 300 customers who come every few days for two years, and spend."""
    rows = [
        (f"u{i}", day * 86_400 + k * 600, what, 4_000.0)
        for i in range(300) for day in range(i % 40, 730, 35) for k, what in enumerate(("look", "look", "buy") if i % 2 else ("look", "buy"))
    ]  # fmt: skip
    log = pl.DataFrame(rows, schema=["u", "t", "e", "v"], orient="row")
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="e", value="v", currency="EUR")
    return jm.build_journeys(events, goal="buy", idle="20d")


def drawn(result: Result) -> list[str]:
    """Every text of the picture."""
    svg = vl_convert.vegalite_to_svg(json.dumps(json.loads(result.plot().to_json())))
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def rows_of(result: Result, field: str) -> list[dict[str, Any]]:
    chart = json.loads(result.plot().to_json())
    return next(rows for rows in chart["datasets"].values() if rows and field in rows[0])


def test_no_axis_has_exponents(sampled: jm.Journeys, shop: jm.Journeys) -> None:
    for result in (
        jm.transitions(sampled).result, jm.customer_value(shop), jm.opportunities(sampled, fdr=0.9), jm.variants(shop),
        jm.before_after(sampled, "2026-03-15", jm.Conversion(), columns="p50_s"),
    ):  # fmt: skip
        texts = drawn(result)
        assert not [text for text in texts if re.search(r"\de[+−-]?\d", text)], result.name


def test_a_difference_of_times_is_told_in_its_unit(sampled: jm.Journeys) -> None:
    result = jm.before_after(sampled, "2026-03-15", jm.Conversion(), columns="p50_s")
    row, (shown,) = result.frame.row(0, named=True), rows_of(result, "difference")
    title = next(text for text in drawn(result) if text.startswith("difference in p50_s, "))
    size = {"days": 86_400, "hours": 3_600, "minutes": 60}[title.split(", ")[1]]
    assert shown["difference"] == pytest.approx(row["difference"] / size)
    assert shown["difference_upper"] == pytest.approx(row["difference_upper"] / size)


def test_an_empty_label_leaves_no_gap(shop: jm.Journeys) -> None:
    labels = {row["_row"] for row in rows_of(jm.friction(shop), "_row")}
    assert "repeat · look · (everywhere)" in labels
    assert not [label for label in labels if "·  ·" in label]


def test_a_step_between_touchpoints_is_an_arrow(sampled: jm.Journeys) -> None:
    labels = {row["_row"] for row in rows_of(jm.decision_points(sampled, transitions=True), "_row")}
    assert all(" → " in label for label in labels)


def test_only_some_of_many_periods_are_named(shop: jm.Journeys) -> None:
    result = jm.life_cycle(shop, period="week")
    texts = drawn(result)
    assert result.frame.height > 60
    assert f"The last 60 of {result.frame.height} periods." in json.dumps(json.loads(result.plot().to_json())["title"])
    assert 10 <= len([text for text in texts if re.fullmatch(r"\d{4}-\d\d-\d\d", text)]) <= 18  # below either part


def test_names_at_the_ends_of_curves_do_not_lie_on_each_other(sampled: jm.Journeys) -> None:
    ends = [row for row in rows_of(jm.time_to_convert(sampled, by="channel"), "label_at") if row["last"]]
    for group in {row["group"] for row in ends}:
        places = sorted(row["label_at"] for row in ends if row["group"] == group)
        assert min(b - a for a, b in itertools.pairwise(places)) > 0.06


def test_waiting_says_how_many_of_those_that_waited_arrived(sampled: jm.Journeys) -> None:
    result = jm.waiting(sampled, start="product_viewed", until="order_placed")
    row = result.frame.row(0, named=True)
    assert row["arrived"] < row["n"]
    assert any(text.endswith(f"{row['arrived']:,} of {row['n']:,}") for text in drawn(result))


def test_stages_are_compared_in_their_order(sampled: jm.Journeys) -> None:
    found = jm.before_after(sampled, "2026-03-15", jm.DropOff(by="stage"), columns="went_on_share")
    assert [row["_row"] for row in rows_of(found, "_row")] == found.frame["stage"].to_list()


def test_opportunities_are_drawn_by_what_their_ranks_go_by(sampled: jm.Journeys) -> None:
    found = jm.opportunities(sampled, fdr=0.9)
    rows = rows_of(found, "_row")
    assert found.frame.height >= 5
    assert [row["value_gained"] for row in rows] == found.frame["value_gained"].to_list()
    assert "gained, units of money" in drawn(found)
    bare = replace(found, frame=found.frame.with_columns(value_gained=None, value_gained_lower=None).with_columns(
        pl.col("value_gained", "value_gained_lower").cast(pl.Float64)))  # fmt: skip
    assert "conversions gained" in drawn(bare)
    # Where conversions cost, ranks go by conversions whatever the money says.
    costly = replace(
        found, frame=found.frame.with_columns(-pl.col("value_gained", "value_gained_lower", "value_gained_upper"))
    )
    assert [row["conversions_gained"] for row in rows_of(costly, "_row")] == found.frame["conversions_gained"].to_list()


def test_one_journey_is_one_journey(sampled: jm.Journeys) -> None:
    points = jm.decision_points(sampled, transitions=True)
    one = replace(
        points, frame=points.frame.with_columns(n=pl.when(pl.int_range(pl.len()) % 2 == 0).then(1).otherwise(2))
    )
    figures = [text for text in drawn(one) if " points · " in text]
    assert {text.split(" · ")[1] for text in figures} == {"1 journey", "2 journeys"}


@pytest.mark.parametrize("ask", [jm.friction, jm.decision_points])
def test_what_was_not_tested_is_told_from_what_shows_no_difference(sampled: jm.Journeys, ask: Any) -> None:
    result = ask(sampled)
    for grey, hollow in itertools.product((True, False), repeat=2):
        nth = pl.int_range(pl.len())
        told = pl.when((nth % 2 == 0) & hollow).then(None).when((nth % 4 == 1) & grey).then(0.5).otherwise(0.01)
        shown = replace(result, frame=result.frame.with_columns(p_adjusted=told))
        subtitle = " ".join(json.loads(shown.plot().to_json())["title"]["subtitle"])
        assert ("Grey: no difference to be told (adjusted p above 0.05)." in subtitle) == grey
        assert ("Hollow: not tested, too few to compare." in subtitle) == hollow
        rows = rows_of(shown, "_told")
        assert any(not row["_tested"] for row in rows) == hollow
        assert any(row["_tested"] and not row["_told"] for row in rows) == grey
        svg = vl_convert.vegalite_to_svg(json.dumps(json.loads(shown.plot().to_json())))
        assert ('fill="white" stroke="#4d545c"' in svg) == hollow


def test_points_are_no_per_cents_and_pale_dots_are_explained() -> None:
    journeys = jm.build_journeys(jm.sample(users=700))
    for result in (jm.friction(journeys), jm.handoffs(journeys), jm.decision_points(journeys)):
        spec = json.dumps(result.plot().to_dict())
        assert "format(datum.value * 100, '+~f')" in spec
        assert '%"' not in spec.replace("95%", "")
        assert "Pale: few users" in spec
