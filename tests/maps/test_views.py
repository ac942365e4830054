"""Zooms, one customer's journeys, and two groups side by side: composed from the sample."""

from __future__ import annotations

import hashlib
import hmac
import re

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.maps.specification import MapSpecification

KEY = "a key of sixteen bytes"


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=2000))


@pytest.fixture(scope="module")
def sided(journeys: jm.Journeys) -> jm.JourneyMap:
    return jm.compare_maps(
        journeys.between("2026-03-01", "2026-05-01"), journeys.between("2026-01-05", "2026-03-01"), names=("spring", "winter"),
        kind="period",
    )  # fmt: skip


def test_zooms_are_the_same_map_of_fewer_journeys(journeys: jm.Journeys) -> None:
    spec = jm.journey_map(journeys, zoom="channel").spec
    assert [zoom.kind for zoom in spec.zooms] == ["channel"] * 8
    taken = journeys.steps.filter(pl.col("step").is_not_null())  # Others are what the company did beside the journey.
    steps = taken.unique(["user", "nth_journey", "channel"])
    for zoom in spec.zooms:
        n = steps.filter(pl.col("channel") == zoom.label).height
        assert zoom.map.header.n_journeys == n
    assert MapSpecification.from_json(spec.to_json()) == spec


def test_zooms_need_journeys_and_a_known_label(journeys: jm.Journeys) -> None:
    with pytest.raises(UnknownLabelError, match="colour"):
        jm.journey_map(journeys, zoom="colour")
    with pytest.raises(QuestionError):
        jm.journey_map({}, zoom="channel")


def test_one_customer_step_by_step(journeys: jm.Journeys) -> None:
    user = journeys.table.sort("n_steps", "user", descending=True)["user"][0]
    own = journeys.steps.filter((pl.col("user") == user) & pl.col("step").is_not_null())
    shown = jm.journey_map_of_user(journeys, user, show_users=KEY)
    assert sum(len(example.steps) for example in shown.spec.examples) == own.height
    assert [s.touchpoint for e in shown.spec.examples for s in e.steps] == own["touchpoint"].to_list()
    name = hmac.new(KEY.encode(), user.encode(), hashlib.sha256).hexdigest()[:12]
    assert shown.spec.header.who == f"Customer {name}"
    for text in (shown.to_html(), shown.to_json(), shown.to_markdown(), shown.to_svg()):
        assert user not in text
    assert name not in jm.journey_map_of_user(journeys, user).to_html()


def test_a_customer_who_is_not_there_and_a_key_that_can_be_guessed(journeys: jm.Journeys) -> None:
    with pytest.raises(UnknownLabelError):
        jm.journey_map_of_user(journeys, "nobody")
    with pytest.raises(QuestionError, match="guessed"):
        jm.journey_map_of_user(journeys, journeys.users[0], show_users="short")


def test_only_what_is_significant_is_coloured(sided: jm.JourneyMap) -> None:
    comparison = sided.spec.comparison
    assert comparison is not None
    sure = [row for row in comparison.rows if row.significant]
    for row in comparison.rows:
        assert row.difference.value == pytest.approx((row.a.value or 0) - (row.b.value or 0))
        assert row.significant == (row.p_adjusted is not None and row.p_adjusted <= 0.05)
    drawn = re.search(r'<svg class="jm comparison".*?</svg>', sided.to_html(), re.S)
    assert drawn is not None
    assert len(re.findall(r'class="dot-a (?:good|bad|sure)"', drawn[0])) == len(sure)


def test_the_sides_equal_the_maps_of_each(journeys: jm.Journeys, sided: jm.JourneyMap) -> None:
    winter = jm.conversion(journeys.between("2026-01-05", "2026-03-01")).frame
    assert sided.spec.comparison is not None
    row = next(r for r in sided.spec.comparison.rows if r.figure == "converted")
    assert row.b.value == winter["share"][0]
    assert sided.spec.zooms[0].map.header.converted is not None
    assert sided.spec.zooms[0].map.header.converted.value == winter["share"][0]


def test_a_comparison_in_every_form(sided: jm.JourneyMap) -> None:
    assert MapSpecification.from_json(sided.to_json()) == sided.spec
    assert "spring" in sided.to_markdown()
    assert "Lost here" in sided.to_svg()
    assert sided.to_html() == sided.to_html()


def test_the_same_group_twice_differs_nowhere(journeys: jm.Journeys) -> None:
    same = jm.compare_maps(journeys, journeys, names=("one", "same")).spec.comparison
    assert same is not None
    assert not any(row.significant for row in same.rows)
    assert all(row.difference.value == 0 for row in same.rows)


def test_groups_must_be_comparable(journeys: jm.Journeys) -> None:
    with pytest.raises(QuestionError, match="no journeys"):
        jm.compare_maps(journeys, journeys.between("2020-01-01", "2020-01-02"))


def test_no_path_of_this_machine_is_in_the_map(journeys: jm.Journeys, tmp_path: object) -> None:
    log = pl.DataFrame({"u": ["a", "b"], "t": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"], "e": ["x", "y"]})
    path = f"{tmp_path}/clicks.csv"
    log.write_csv(path)
    spec = jm.journey_map(
        jm.build_journeys(jm.read_events(path, user="u", timestamp="t", touchpoint="e")), min_group=1
    ).spec
    assert str(tmp_path) not in spec.to_json()
    assert "clicks" in spec.to_json()
