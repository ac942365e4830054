"""Sums per journey and per user against Python's integers, and what is said where 64 bits do not hold them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import DataQualityError
from journeymine.journeys.amounts import add_amounts, sum_amounts
from journeymine.metrics import customer_value, retention
from tests.oracles.logs import MINUTE, Row, build

HUGE = 9e12
sizes = st.sampled_from([0, 1, -7, 10**6, 2**61, 2**62, -(2**62), 2**63 - 1, -(2**63) + 1])


@given(st.lists(st.lists(sizes, min_size=1, max_size=5), max_size=8))
def test_sums_are_those_of_python_or_refused(runs: list[list[int]]) -> None:
    amounts = np.array([each for run in runs for each in run], dtype=np.int64)
    starts = np.cumsum([0, *map(len, runs)])[:-1]
    beyond = sum(not -(2**63) <= sum(run) < 2**63 for run in runs)
    if beyond:
        with pytest.raises(DataQualityError, match=f"value: {beyond} user"):
            sum_amounts("value", amounts, starts, "user")
    else:
        assert sum_amounts("value", amounts, starts, "user").tolist() == [sum(run) for run in runs]


@given(st.lists(sizes, min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 4), sizes), max_size=8))
def test_amounts_are_added_as_python_does_or_refused(sums: list[int], more: list[tuple[int, int]]) -> None:
    more = sorted((each for each in more if each[0] < len(sums)), key=lambda each: each[0])
    expected = [each + sum(n for at, n in more if at == i) for i, each in enumerate(sums)]
    at, amounts = (np.array([each[i] for each in more], dtype=np.int64) for i in (0, 1))
    if any(not -(2**63) <= each < 2**63 for each in expected):
        with pytest.raises(DataQualityError, match="cost"):
            add_amounts("cost", np.array(sums), at, amounts)
    else:
        assert add_amounts("cost", np.array(sums), at, amounts).tolist() == expected


def orders(*values: float) -> tuple[Row, ...]:
    return tuple(Row("a", i * MINUTE, "order", "web", value, value, None, None) for i, value in enumerate(values))


def test_a_journey_of_more_than_64_bits_hold_is_refused_and_one_that_comes_back_is_not() -> None:
    with pytest.raises(DataQualityError, match="value: 1 journey with a sum beyond ±9,223,372,036,854") as refused:
        build(orders(HUGE, HUGE), goal="order", split="user")
    assert "larger unit" in refused.value.hint
    assert build(orders(HUGE, -HUGE, HUGE), goal="order", split="user").table["value"].to_list() == [HUGE]
    with pytest.raises(DataQualityError, match="cost: 1 journey"):
        build(tuple(row._replace(value=None) for row in orders(HUGE, HUGE)), goal="order", split="user")


def test_a_user_of_more_than_64_bits_hold_is_refused() -> None:
    log = (*orders(HUGE, HUGE), Row("z", 3 * 24 * 60 * MINUTE, "order", *([None] * 5)))
    journeys = build(log, goal="order", after_goal="cut")  # two journeys of one user
    assert journeys.table["value"].to_list() == [HUGE, HUGE, 0]
    with pytest.raises(DataQualityError, match="value: 1 user"):
        customer_value(journeys)
    with pytest.raises(DataQualityError, match="value: 1 user"):
        retention(journeys, entry={"goal": True}, period="day", periods=1)
