"""Every match that the kernel finds equals the one that an exhaustive search by the definition finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.metrics import Funnel
from tests.oracles.funnel_search import Asked, Test, answer, units
from tests.oracles.logs import START, Row, code

S = 1_000_000
TESTS: list[tuple[Any, Test]] = [
    ("A", lambda e: e["touchpoint"] == "A"),
    ("B", lambda e: e["touchpoint"] == "B"),
    ("C", lambda e: e["touchpoint"] == "C"),
    (["A", "B"], lambda e: e["touchpoint"] in ("A", "B")),
    ({"not": "B"}, lambda e: e["touchpoint"] != "B"),
    ({"touchpoint": "B", "channel": "web"}, lambda e: e["touchpoint"] == "B" and e["channel"] == "web"),
]

rows = st.builds(
    Row,
    user=st.sampled_from("uv"),
    us=st.one_of(st.integers(0, 12).map(lambda s: s * S), st.integers(0, 40).map(lambda s: s * S)),
    touchpoint=st.sampled_from("AABBCX"),
    channel=st.sampled_from(["web", "app", None]),
    value=st.none(),
    cost=st.none(),
    plan=st.none(),
    score=st.none(),
)
logs = st.lists(rows, min_size=1, max_size=26)
crowded = st.lists(
    st.builds(
        lambda second, what: Row("u", second * S, what, "web", None, None, None, None),
        st.integers(0, 12),
        st.sampled_from("AABBCX"),
    ),
    min_size=6,
    max_size=20,
)


def built(log: list[Row], *, until: int = 45, **fields: Any) -> Journeys:
    rules = JourneyRules(idle="10s", session_gap="3s", mature_after="20s", **fields)
    return build_coded(code(tuple(log)), rules, LogContext(START, START + until * S), None)


def events_of(journeys: Journeys) -> list[dict[str, Any]]:
    """The steps, one mapping each."""
    of = journeys.journey_of_step
    labels = {name: coded.decode().to_list() for name, coded in journeys.coded.labels.items()}
    return [
        {
            "row": i,
            "t": int(journeys.coded.time[i]),
            "journey": int(of[i]),
            "user": int(journeys.heads.user[of[i]]),
            "mature": bool(journeys.heads.mature[of[i]]),
            **{name: column[i] for name, column in labels.items()},
        }
        for i in range(len(journeys.coded))
    ]


def searched(journeys: Journeys, asked: Asked) -> list[tuple[list[int], bool]]:
    until = journeys.context.observed_until
    found = [answer(unit, asked, until) for unit in units(events_of(journeys), asked)]
    return [([-1 if e is None else e["row"] for e in f["at"]], f["mature"]) for f in found if f is not None]


def matched(journeys: Journeys, funnel: Funnel) -> list[tuple[list[int], bool]]:
    at, mature, _ = funnel.matches(journeys)
    return [(at[:, i].tolist(), bool(mature[i])) for i in range(at.shape[1])]


@st.composite
def questions(draw: st.DrawFn, sequence: str) -> tuple[Funnel, Asked]:
    chosen = draw(st.lists(st.sampled_from(TESTS), min_size=2, max_size=4))
    n = len(chosen)
    optional: frozenset[int] = frozenset()
    if sequence != "any":
        optional = frozenset(draw(st.sets(st.integers(1, n - 1), max_size=2)))
    required = [k for k in range(n) if k not in optional]
    exclude: list[tuple[Any, Test, int, int]] = []
    if sequence == "loose" and len(required) > 1:
        for _ in range(draw(st.integers(0, 2))):
            first = draw(st.integers(0, len(required) - 2))
            last = draw(st.integers(first + 1, len(required) - 1))
            form, test = draw(st.sampled_from([("X", lambda e: e["touchpoint"] == "X"), TESTS[0], TESTS[5]]))
            exclude.append((form, test, required[first], required[last]))
    within = draw(st.sampled_from([None, 1, 4, 10, 30]))
    same = draw(st.sampled_from([None, None, "channel"]))
    ties = draw(st.sampled_from(["order", "order", "favour"]))
    unit = draw(st.sampled_from(["journey", "user", "session"]))
    funnel = Funnel(
        steps=[{"step": form, "optional": k in optional} for k, (form, _) in enumerate(chosen)],
        within=None if within is None else f"{within}s",
        sequence=sequence,
        exclude=[{"step": form, "between": [first + 1, last + 1]} for form, _, first, last in exclude] or None,
        same=same,
        ties=ties,
        unit=unit,
    )
    asked = Asked(
        steps=[test for _, test in chosen],
        within=None if within is None else within * S,
        sequence=sequence,
        exclude=[(test, first, last) for _, test, first, last in exclude],
        optional=optional,
        same=same,
        ties=ties,
        session_gap=3 * S,
        unit=unit,
    )
    return funnel, asked


@pytest.mark.parametrize("sequence", ["loose", "strict", "any"])
@settings(max_examples=150)
@given(data=st.data(), log=logs, until=st.sampled_from([12, 30, 45]))
def test_matches_are_those_of_an_exhaustive_search(
    sequence: str, data: st.DataObject, log: list[Row], until: int
) -> None:
    funnel, asked = data.draw(questions(sequence))
    journeys = built(log, until=until)
    assert matched(journeys, funnel) == searched(journeys, asked)


@settings(max_examples=150)
@given(log=crowded, data=st.data())
def test_matches_with_exclusions_that_start_late_or_cross(log: list[Row], data: st.DataObject) -> None:
    spans = [(first, last) for first in range(4) for last in range(first + 1, 4)]
    chosen = data.draw(st.lists(st.sampled_from(spans), min_size=1, max_size=3))
    within = data.draw(st.sampled_from([None, 6, 12]))
    steps = data.draw(st.sampled_from(["ABAB", "ABCA", "AABB", "ABCC"]))
    funnel = Funnel(
        steps=list(steps),
        within=None if within is None else f"{within}s",
        exclude=[{"step": "X", "between": [first + 1, last + 1]} for first, last in chosen],
        unit="user",
    )
    asked = Asked(
        steps=[{"A": TESTS[0], "B": TESTS[1], "C": TESTS[2]}[name][1] for name in steps],
        within=None if within is None else within * S,
        exclude=[(lambda e: e["touchpoint"] == "X", first, last) for first, last in chosen],
        unit="user",
    )
    journeys = built(log)
    assert matched(journeys, funnel) == searched(journeys, asked)


def path(text: str, *, step: int = 1, user: str = "u") -> list[Row]:
    """One event per letter, `step` seconds apart; letters in brackets are at one instant."""
    found, t, tied = [], 0, False
    for letter in text:
        if letter in "()":
            tied = letter == "("
            t += 0 if tied else step
            continue
        found.append(Row(user, t * S, letter, "web", None, None, None, None))
        t += 0 if tied else step
    return found


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        # Any entry may be the one that goes furthest, and the earliest of those counts.
        ("AXXXXAB", {"within": "2s"}, [5, 6]),
        ("AAB", {"within": "2s"}, [0, 2]),
        ("AAB", {"within": "1s"}, [1, 2]),
        # One event fills one step.
        ("A", {"steps": ["A", "A"]}, [0, -1]),
        ("AA", {"steps": ["A", "A"]}, [0, 1]),
        # Ties: documented order, or that of the steps.
        ("(BA)", {}, [1, -1]),
        ("(BA)", {"ties": "favour"}, [1, 0]),
        # Strict: consecutive, and a later run counts.
        ("AXAB", {"sequence": "strict"}, [2, 3]),
        ("AXB", {"sequence": "strict"}, [0, -1]),
        ("AXABC", {"sequence": "strict", "steps": ["A", "B", "C"]}, [2, 3, 4]),
        ("AOB", {"sequence": "strict", "steps": ["A", {"step": "O", "optional": True}, "B"]}, [0, 1, 2]),
        ("AB", {"sequence": "strict", "steps": ["A", {"step": "O", "optional": True}, "B"]}, [0, -1, 1]),
        # Exclusions void the match, not the user; a later choice of a step may escape them.
        ("AXB", {"exclude": "X"}, [0, -1]),
        ("AXBAB", {"exclude": "X"}, [3, 4]),
        ("ABXBC", {"steps": ["A", "B", "C"], "exclude": [{"step": "X", "between": [2, 3]}]}, [0, 3, 4]),
        ("AXBC", {"steps": ["A", "B", "C"], "exclude": [{"step": "X", "between": [2, 3]}]}, [0, 2, 3]),
        ("ABX", {"exclude": "X"}, [0, 1]),
        # Optional steps change nothing for the required ones.
        ("ABOB", {"steps": ["A", {"step": "O", "optional": True}, "B"]}, [0, -1, 1]),
        ("AOB", {"steps": ["A", {"step": "O", "optional": True}, "B"]}, [0, 1, 2]),
        ("AO", {"steps": ["A", {"step": "O", "optional": True}, "B"]}, [0, 1, -1]),
        # Any order; one event, one step.
        ("BXA", {"sequence": "any"}, [0, 2]),
        ("BXXXXA", {"sequence": "any", "within": "2s"}, [0, -1]),
        ("A", {"sequence": "any", "steps": [["A", "B"], ["A", "C"]]}, [0, -1]),
        ("AC", {"sequence": "any", "steps": [["A", "B"], ["A", "C"]]}, [0, 1]),
    ],
)
def test_small_paths_by_hand(text: str, fields: dict[str, Any], expected: list[int]) -> None:
    funnel = Funnel(**{"steps": ["A", "B"], "within": "10s", "unit": "user", **fields})
    at, mature, _ = funnel.matches(built(path(text)))
    assert at[:, 0].tolist() == expected
    assert mature.tolist() == [True]


def test_the_window_is_inclusive() -> None:
    journeys = built(path("AB", step=4))
    assert Funnel(steps=["A", "B"], within="4s").matches(journeys)[0].tolist() == [[0], [1]]
    assert Funnel(steps=["A", "B"], within="3999999us").matches(journeys)[0].tolist() == [[0], [-1]]


def test_a_property_is_held_constant_and_an_absent_one_holds_nothing() -> None:
    log = [
        Row("u", t * S, what, channel, None, None, None, None)
        for t, (what, channel) in enumerate([("A", "web"), ("B", "app"), ("A", None), ("B", None), ("B", "web")])
    ]
    at, _, _ = Funnel(steps=["A", "B"], within="10s", same="channel").matches(built(log))
    assert at.tolist() == [[0], [4]]
    at, _, _ = Funnel(steps=["A", "B"], within="10s", same="channel", sequence="strict").matches(built(log))
    assert at.tolist() == [[0], [4]], "consecutive among the events of one value"


def test_entries_with_a_closed_window_come_before_those_that_go_further() -> None:
    log = path("AXXXXXXXAB")
    at, mature, _ = Funnel(steps=["A", "B"], within="4s").matches(built(log, until=9))
    assert (at.tolist(), mature.tolist()) == ([[0], [-1]], [True])
    at, mature, _ = Funnel(steps=["A", "B"], within="10s").matches(built(log, until=9))
    assert (at.tolist(), mature.tolist()) == ([[0], [9]], [False])
    three = Funnel(steps=["A", "B", "C"], within="4s", unit="user")
    at, mature, unit = three.matches(built(path("AXXXXXXABC"), until=9))
    assert (at.tolist(), mature.tolist(), unit.tolist()) == ([[0], [-1], [-1]], [True], [0]), "however much further"


def test_no_steps_at_all_match_nothing() -> None:
    journeys = built(path("XX"))
    for sequence in ("loose", "strict", "any"):
        for same in (None, "channel"):
            for ties in ("order", "favour"):
                funnel = Funnel(steps=["A", "B"], sequence=sequence, same=same, ties=ties)
                for part in (journeys, journeys.range(0, 0)):
                    at, mature, _ = funnel.matches(part)
                    assert at.shape == (2, 0)
                    assert mature.dtype == np.bool_
