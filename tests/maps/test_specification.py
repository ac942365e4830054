from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import SchemaError
from journeymine.maps.evidence import Estimate, Hint
from journeymine.maps.specification import Flow, Header, Lane, MapSpecification, Node, Stage, Terminal


def small(**changes: Any) -> MapSpecification:
    parts: dict[str, Any] = {
        "header": Header(title="t", n_users=1, n_journeys=1),
        "stages": (Stage(name="s"),),
        "lanes": (Lane(name="c"),),
        "nodes": (Node(id="n", touchpoint="p", stage="s", channel="c", n=1, n_journeys=1),),
    }
    return MapSpecification(**{**parts, **changes})


def test_json_gives_the_same_map_and_the_same_bytes(any_map: MapSpecification) -> None:
    text = any_map.to_json()
    again = MapSpecification.from_json(text)
    assert again == any_map
    assert again.to_json() == text


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 10**12))
def test_json_keeps_any_text_and_number(text: str, number: float, n: int) -> None:
    spec = small(header=Header(title=text, n_users=n, n_journeys=None, converted=Estimate(value=number, reason=text)))
    assert MapSpecification.from_json(spec.to_json()) == spec


def test_every_field_is_in_the_json(shop: MapSpecification) -> None:
    data = json.loads(shop.to_json())
    assert set(data) == {field.name for field in fields(MapSpecification)}
    assert set(data["nodes"][0]) == {field.name for field in fields(Node)}
    assert data["schema_version"] == 1


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(SchemaError, match="infinite or not a number"):
        small(header=Header(title="t", n_users=1, n_journeys=1, covered=number)).to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema_version 99"),
        ({"schema_version": "1"}, "schema_version '1'"),
        ({"stagess": []}, "unknown field.*'stagess'"),
        ({"stages": {}}, "should be a list"),
        ({"stages": [{}]}, "lacks 1 field.*name"),
        ({"stages": [{"name": 3}]}, "should be str"),
        ({"stages_are": "mine"}, "should be one of"),
        ({"header": {"title": "t", "n_users": True, "n_journeys": 1}}, "should be int"),
        ({"header": {"title": "t", "n_users": 1, "n_journeys": 1, "covered": float("inf")}}, "finite"),
        ({"header": []}, "should be an object"),
    ],
)
def test_reading_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(SchemaError, match=message) as caught:
        MapSpecification.from_dict({**small().to_dict(), **change})
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        MapSpecification.from_json(text)


def test_a_field_left_out_takes_its_default() -> None:
    data = small().to_dict()
    del data["hints"], data["method"]
    assert MapSpecification.from_dict(data) == small()


FLOW = Flow(source="n", target="n", n=1, n_journeys=1)


@pytest.mark.parametrize(
    "change",
    [
        {"stages": ()},
        {"lanes": ()},
        {"flows": (Flow(source="n", target="gone", n=1, n_journeys=1),)},
        {"flows": (FLOW, FLOW)},
        {"stages": (Stage(name="s"), Stage(name="s"))},
        {"terminals": (Terminal(node="gone", status="lost", n_journeys=1),)},
        {"nodes": (Node(id="n", touchpoint="p", stage="s", channel="c", n=1, n_journeys=1, examples=("J9",)),)},
    ],
)
def test_a_broken_reference_cannot_be_built(change: dict[str, object]) -> None:
    with pytest.raises(SchemaError) as caught:
        small(**change)
    assert caught.value.hint


def test_a_map_may_be_empty() -> None:
    empty = MapSpecification(header=Header(title="", n_users=0, n_journeys=0), stages=(), lanes=(), nodes=())
    assert MapSpecification.from_json(empty.to_json()) == empty


def test_a_map_is_frozen_and_changed_by_replacing() -> None:
    with pytest.raises(AttributeError):
        small().hints = ()  # type: ignore[misc]
    assert replace(small(), hints=(Hint(row="a", text="b"),)).hints[0].row == "a"
