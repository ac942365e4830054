"""Every short form, asked badly: a clear error with a way out, or a clear and bounded result."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import JourneymineError

DAY = 86_400
SHORT: dict[str, dict[str, Any]] = {
    "activity": {}, "attribution": {}, "conversion": {}, "customer_value": {}, "decision_points": {}, "drop_off": {},
    "dwell": {}, "first_contact_resolution": {"support": "visit"}, "friction": {}, "funnel": {"steps": ["visit", "order"]},
    "handoffs": {}, "life_cycle": {}, "markov": {}, "repeat_rate": {}, "retention": {}, "satisfaction": {},
    "stage_reach": {}, "stickiness": {}, "time_to_convert": {}, "transitions": {}, "variants": {}, "waiting": {"start": "visit"},
    "win_back": {}, "typical_order": {},
}  # fmt: skip
"""Every short form of a measure, and what it must be told."""
WINDOWS = {
    "attribution": ("lookback", "half_life"), "conversion": ("horizon",), "customer_value": ("within",),
    "first_contact_resolution": ("within",), "friction": ("long_wait",), "funnel": ("within",), "repeat_rate": ("bin", "horizon"),
    "stickiness": ("windows",), "time_to_convert": ("bin", "horizon"), "win_back": ("bin", "horizon"), "retention": ("period",),
    "life_cycle": ("period",),
}  # fmt: skip
"""Arguments that are a time."""
NEEDS_A_GOAL = {"customer_value", "repeat_rate"}
"""What cannot be asked where nobody named a goal."""
NAMED: list[tuple[str, dict[str, Any]]] = [
    ("activity", {"event": "nosuch"}), ("attribution", {"rules": "w_shaped", "middle": "nosuch"}),
    ("attribution", {"grain": "nosuch"}), ("customer_value", {"event": "nosuch"}), ("decision_points", {"grain": "nosuch"}),
    ("first_contact_resolution", {"support": "nosuch"}), ("funnel", {"steps": ["visit", "nosuch"]}), ("handoffs", {"grain": "nosuch"}),
    ("life_cycle", {"event": "nosuch"}), ("markov", {"grain": "nosuch"}), ("repeat_rate", {"event": "nosuch"}),
    ("retention", {"entry": "nosuch"}), ("retention", {"returned": "nosuch"}), ("stickiness", {"event": "nosuch"}),
    ("transitions", {"grain": "nosuch"}), ("typical_order", {"grain": "nosuch"}), ("variants", {"grain": "nosuch"}),
    ("waiting", {"start": "nosuch"}), ("waiting", {"start": "visit", "until": "nosuch"}), ("funnel", {"steps": []}),
    ("funnel", {"steps": ["visit"], "exclude": [{"step": "nosuch", "between": [1, 2]}]}), ("waiting", {"start": []}),
    ("attribution", {"rules": []}), ("attribution", {"lookback": "400d"}), ("markov", {"order": 0}), ("variants", {"max_steps": 0}),
    ("conversion", {"channel_of": "nosuch"}), ("retention", {"periods": 0}), ("choose_order", {"max_order": 0}),
    ("choose_order", {"grain": "nosuch"}),
]  # fmt: skip


def log(n: int = 40, *, plans: int = 2) -> jm.Events:
    rows = [
        (f"u{i}", (i % 20) * DAY + minute * 60, what, ("web", "store")[i % 2], f"plan {i % plans}", 3.0, 10.0 * minute)
        for i in range(n)
        for minute, what in enumerate(("visit", "order")[: 1 + i % 2])
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "where", "plan", "score", "value"], orient="row")
    return jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="where",
                          attributes=["plan"], satisfaction="score", satisfaction_scale=(1, 5), value="value", currency="EUR",
                          stages=jm.StageMap.of({"look": ["visit"], "buy": ["order"]}))  # fmt: skip


def built(events: jm.Events | None = None, **rules: Any) -> jm.Journeys:
    until = 200 * DAY * 1_000_000
    return jm.build_journeys(events or log(), **{"goal": "order", "idle": "5d", "observed_until": until, **rules})


def ask(name: str, journeys: jm.Journeys, **arguments: Any) -> Any:
    found: Callable[..., Any] = getattr(jm, name)
    return found(journeys, **{**SHORT.get(name, {}), **arguments})


def takes(argument: str) -> list[str]:
    return [name for name in SHORT if argument in inspect.signature(getattr(jm, name)).parameters]


def test_every_short_form_of_a_measure_is_here() -> None:
    public = {name: getattr(jm, name) for name in jm.__all__}
    measures = [value for value in public.values() if isinstance(value, type) and hasattr(value, "specs")]
    assert len(SHORT) == len([each for each in measures if each.__name__ != "Measure"])
    assert set(takes("by")) >= set(SHORT) - {"variants", "typical_order"}


@pytest.mark.parametrize("name", takes("by"))
def test_an_unknown_column_to_break_down_by(name: str) -> None:
    with pytest.raises(JourneymineError, match=r"'plam'(?s:.*)Hint(?s:.*)plan"):
        ask(name, built(), by="plam")
    with pytest.raises(JourneymineError, match=r"twice(?s:.*)Hint"):
        ask(name, built(), by=["plan", "plan"])


@pytest.mark.parametrize(("name", "arguments"), NAMED, ids=[f"{n}-{'-'.join(a)}-{i}" for i, (n, a) in enumerate(NAMED)])
def test_what_nobody_has_or_nothing_at_all(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), **arguments)


@pytest.mark.parametrize(("name", "argument"), [(name, each) for name, names in WINDOWS.items() for each in names])
@pytest.mark.parametrize("window", ["0s", "-1d", 5, "soon"])
def test_a_window_of_zero_or_less_or_without_a_unit(name: str, argument: str, window: Any) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), **{argument: (window,) if argument == "windows" else window})


@pytest.fixture(scope="module")
def crowded() -> jm.Journeys:
    """A log with 100,000 values of an attribute."""
    return built(log(100_000, plans=100_000))


@pytest.mark.parametrize("name", takes("by"))
def test_a_breakdown_by_a_hundred_thousand_values(name: str, crowded: jm.Journeys) -> None:
    with pytest.raises(JourneymineError, match=r"100,000 labels, more than 10,000(?s:.*)Hint"):
        ask(name, crowded, by="plan")


@pytest.mark.parametrize("name", sorted(SHORT))
@pytest.mark.parametrize(
    "rules", [{"goal": "nosuch"}, {"goal": {"value": {">=": 1e9}}}, {"goal": None}], ids=["never", "dear", "none"]
)
def test_a_goal_that_never_occurs(name: str, rules: dict[str, Any]) -> None:
    """Nothing converts, and that is said as 0 or null; what cannot be asked without a goal says so."""
    if rules["goal"] is None and name in NEEDS_A_GOAL:
        with pytest.raises(JourneymineError, match="Hint"):
            ask(name, built(**rules))
        return
    found = ask(name, built(**rules))
    result = getattr(found, "result", found)
    for column in {"converted", "converted_later", "n_converted"} & set(result.frame.columns):
        assert not result.frame[column].fill_null(0).sum()
    assert result.frame.height <= 100


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, float("nan")])
@pytest.mark.parametrize("name", takes("confidence"))
def test_a_confidence_that_is_none(name: str, confidence: float) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), confidence=confidence)
