from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import SchemaError
from journeymine.events import EventSchema, read_events

text = st.text(min_size=1, max_size=8).filter(lambda name: not name.startswith(("__", "tie_break_")))
names = st.lists(text, max_size=3, unique=True)


@given(
    user=st.one_of(text, st.lists(text, min_size=1, max_size=3)),
    constant_touchpoint=text,
    channel=st.none() | text,
    tie_break=names,
    attributes=names.map(lambda listed: [f"{name}!" for name in listed]),
    scale=st.tuples(st.floats(-10, 0), st.floats(1, 10)),
)
def test_toml_gives_back_what_it_was_given(scale: Any, **fields: Any) -> None:
    schema = EventSchema(satisfaction="score", satisfaction_scale=scale, **fields)
    assert EventSchema.from_toml(schema.to_toml()) == schema
    assert hash(schema) == hash(EventSchema.from_toml(schema.to_toml()))


def test_a_bare_schema_reads_canonical_names() -> None:
    schema = EventSchema()
    assert schema.used_columns == ("user", "timestamp", "touchpoint")
    assert EventSchema(
        user=["a", "b"], timestamp="t", constant_touchpoint="x", tie_break=["t", "s"], attributes="d"
    ).used_columns == ("a", "b", "t", "s", "d")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"usr": "x"}, r"unknown schema field 'usr'(.|\n)*user"),
        ({"time_unit": "m"}, "unknown time_unit 'm'"),
        ({"ambiguous_time": "raise"}, "unknown ambiguous_time"),
        ({"time_unit": "s", "timezone": "UTC"}, "cannot apply"),
        ({"time_unit": "s", "time_format": "%Y"}, "cannot apply"),
        ({"timezone": "Mars/Olympus"}, r"unknown timezone 'Mars/Olympus'(.|\n)*IANA"),
        ({"touchpoint": "a", "constant_touchpoint": "b"}, "both touchpoint and constant_touchpoint"),
        ({"channel": "a", "constant_channel": "b"}, "both channel and constant_channel"),
        ({"currency": "EUR", "currency_column": "c", "value": "v"}, "both currency_column and currency"),
        ({"currency_column": "c"}, "without value or cost"),
        ({"constant_channel": ""}, "constant_channel is empty"),
        ({"user": []}, "no user column"),
        ({"attributes": ["user"]}, "name of a canonical column"),
        ({"attributes": ["tie_break_0"]}, "name of a canonical column"),
        ({"attributes": ["a", "a"]}, "named twice"),
        ({"satisfaction": "s"}, "needs its scale"),
        ({"satisfaction_scale": [5, 1]}, "not a lowest and a highest"),
        ({"satisfaction_scale": [1]}, "not a lowest and a highest"),
        ({"satisfaction_scale": ["a", "b"]}, "not a lowest and a highest"),
    ],
)
def test_contradictions_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        EventSchema.from_fields(fields)


def test_broken_toml_is_named() -> None:
    with pytest.raises(SchemaError, match="not valid TOML"):
        EventSchema.from_toml("user = ")


@pytest.mark.parametrize(
    "fields",
    [
        {"stages": [("A", ["x"])]}, {"stages": "x"}, {"stages": 3}, {"event_rules": [["x", "y"]]}, {"max_quarantine_share": "5%"},
        {"max_quarantine_share": float("nan")}, {"schema": {"user": "user"}},
    ],
    ids=str,
)  # fmt: skip
def test_options_of_another_kind_are_refused_with_the_way_out(fields: dict[str, Any]) -> None:
    log = pl.DataFrame({"user": ["a"], "timestamp": ["2024-01-01T00:00:00Z"], "touchpoint": ["x"]})
    with pytest.raises(SchemaError, match=r"(?s)(stages|event_rules|max_quarantine_share|schema).*Hint: ."):
        read_events(log, **fields)
