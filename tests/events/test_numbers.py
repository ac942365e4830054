from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.columns import MISSING
from journeymine.errors import SchemaError
from journeymine.events import Events, read_events


def read(values: Any, **more: Any) -> Events:
    frame = pl.DataFrame(
        {"user": ["u"] * len(values), "timestamp": [0] * len(values), "touchpoint": ["x"] * len(values), "v": values}
    )
    return read_events(frame, time_unit="s", value="v", max_quarantine_share=1, **more)


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=8))
def test_millionths_survive_text_and_floats(micros: list[int]) -> None:
    # a float and its product with a million are each half a step off at most: exact below 2**50 millionths
    texts = [f"{Decimal(micro) / 1_000_000:f}" for micro in micros]
    for values in (texts, pl.Series([float(text) for text in texts])):
        events = read(values)
        assert events.coded().numbers["value"].tolist() == micros
        assert events.frame["value"].to_list() == [float(text) for text in texts]


def test_whole_numbers_are_exact_up_to_the_limit() -> None:
    whole = [8_999_999_999_999, -9_000_000_000_000, 0, None, 9_000_000_000_001, -(2**63)]
    events = read(whole)
    assert events.coded().numbers["value"].tolist() == [8_999_999_999_999_000_000, -9 * 10**18, 0, MISSING]
    assert events.quarantine.select("row", "reason").rows() == [(4, "value out of range"), (5, "value out of range")]


def test_decimals_and_small_integers_are_numbers() -> None:
    assert read(pl.Series([Decimal("12.34"), None])).coded().numbers["value"].tolist() == [12_340_000, MISSING]
    assert read(pl.Series([200, 1], dtype=pl.UInt8)).coded().numbers["value"].tolist() == [200_000_000, 1_000_000]
    assert read(pl.Series([None, None])).coded().numbers["value"].tolist() == [MISSING, MISSING]


def test_what_is_no_number_raises_at_once() -> None:
    with pytest.raises(SchemaError, match=r"value column 'v' of <source 1> is Boolean, which is no number"):
        read([True])


def test_a_score_lies_on_its_scale() -> None:
    frame = pl.DataFrame(
        {"user": ["u"] * 4, "timestamp": [0] * 4, "touchpoint": ["x"] * 4, "s": ["1", "5", "5.01", ""]}
    )
    events = read_events(frame, time_unit="s", satisfaction="s", satisfaction_scale=[1, 5], max_quarantine_share=1)
    assert events.frame["satisfaction"].to_list() == [1.0, 5.0, None]
    assert events.quarantine.select("row", "reason").rows() == [(2, "satisfaction outside its scale")]
