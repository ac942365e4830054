from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.columns import MISSING
from journeymine.errors import RulesError, UnknownLabelError
from journeymine.events.coded import Coded, recode
from journeymine.journeys import Predicate

TOUCHPOINTS = ["visit", "order", "pay_card", "pay_cash", "(unknown)"]
CHANNELS = ["web", None, "(unknown)", "store"]
NUMBERS = [None, 0.0, 99.99, 100.0, -1.0, 2.5e6]
N = len(TOUCHPOINTS) * len(CHANNELS) * len(NUMBERS)
ROWS = [(t, c, v) for t in TOUCHPOINTS for c in CHANNELS for v in NUMBERS]


def coded(column: list[str | None]) -> Coded:
    known = list(dict.fromkeys(column))
    return recode([np.array([known.index(label) for label in column])], known)


LABELS = {"touchpoint": coded([row[0] for row in ROWS]), "channel": coded([row[1] for row in ROWS])}
VALUES = {"value": np.array([MISSING if row[2] is None else round(row[2] * 1e6) for row in ROWS])}


def held(form: Any) -> list[bool]:
    return Predicate.parse(form).holds(LABELS, VALUES, N).tolist()


@pytest.mark.parametrize(
    ("form", "same"),
    [
        ("order", lambda t, c, v: t == "order"),
        (["order", "visit"], lambda t, c, v: t in ("order", "visit")),
        ("(unknown)", lambda t, c, v: t == "(unknown)"),
        ("never", lambda t, c, v: False),
        ({"touchpoint": "order", "channel": "web"}, lambda t, c, v: t == "order" and c == "web"),
        ({"channel": "(unknown)"}, lambda t, c, v: c == "(unknown)"),
        ({"channel": {"not_in": ["web"]}}, lambda t, c, v: c is not None and c != "web"),
        ({"channel": {"!=": "web"}}, lambda t, c, v: c is not None and c != "web"),
        ({"touchpoint": {"glob": "pay_*"}}, lambda t, c, v: t.startswith("pay_")),
        ({"touchpoint": {"glob": "pay"}}, lambda t, c, v: False),
        ({"touchpoint": {"regex": "ca"}}, lambda t, c, v: "ca" in t),
        ({"value": {">=": 100}}, lambda t, c, v: v is not None and v >= 100),
        ({"value": {"<": 100, ">": -1}}, lambda t, c, v: v is not None and -1 < v < 100),
        ({"value": {"==": 99.99}}, lambda t, c, v: v == 99.99),
        ({"value": {"!=": 0}}, lambda t, c, v: v is not None and v != 0),
        ({"any": ["order", {"value": {">": 100}}]}, lambda t, c, v: t == "order" or (v is not None and v > 100)),
        ({"all": ["order", {"channel": "web"}]}, lambda t, c, v: t == "order" and c == "web"),
        ({"not": "order"}, lambda t, c, v: t != "order"),
        ({"not": {"channel": "web"}}, lambda t, c, v: c != "web"),
        ({"not": {"value": {">": 0}}, "channel": "web"}, lambda t, c, v: not (v is not None and v > 0) and c == "web"),
    ],
)
def test_a_condition_holds_where_it_says_and_never_for_an_absent_label_or_number(form: Any, same: Any) -> None:
    assert held(form) == [same(*row) for row in ROWS]


leaves = st.sampled_from(
    ["order", ("visit", "order"), {"channel": "web"}, {"channel": {"not_in": ["web"]}}, {"value": {">=": 100}},
     {"touchpoint": {"glob": "*a*"}}]
)  # fmt: skip
forms = st.recursive(
    leaves.map(lambda leaf: list(leaf) if isinstance(leaf, tuple) else leaf),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


@given(form=forms)
def test_branches_combine_what_their_parts_say(form: Any) -> None:
    def by_hand(form: Any) -> list[bool]:
        if isinstance(form, dict) and set(form) & {"any", "all", "not"}:
            ((kind, inner),) = form.items()
            if kind == "not":
                return [not value for value in by_hand(inner)]
            together = zip(*(by_hand(part) for part in inner), strict=True)
            return [(any if kind == "any" else all)(values) for values in together]
        return held(form)

    parsed = Predicate.parse(form)
    assert held(form) == by_hand(form)
    assert Predicate.parse(parsed.to_data()) == parsed
    named = parsed.touchpoints()
    if named is not None:
        satisfied = {row[0] for row, value in zip(ROWS, held(form), strict=True) if value}
        assert satisfied <= set(named)


@pytest.mark.parametrize(
    "form",
    [
        None, 3, [], {}, [1], {"value": 3}, {"value": {">": True}}, {"value": {">": float("nan")}}, {"value": {"<": 10**400}},
        {"any": []}, {"any": "x"}, {"touchpoint": {"regex": "("}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_condition_is_refused(form: Any) -> None:
    with pytest.raises(RulesError, match="Hint"):
        Predicate.parse(form)


def test_an_unknown_column_names_those_there_are() -> None:
    with pytest.raises(UnknownLabelError, match="channel"):
        held({"chanel": "web"})
    with pytest.raises(UnknownLabelError, match="value"):
        held({"valu": {">": 1}})
    with pytest.raises(UnknownLabelError, match="no label column 'value'"):
        held({"value": ">1"})


def test_no_rows() -> None:
    empty = {"touchpoint": Coded(np.zeros(0, np.uint8), ())}
    assert Predicate.parse("order").holds(empty, {}, 0).tolist() == []
