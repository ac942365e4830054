"""Every short form, asked badly: a clear error with a way out, or a clear and bounded result."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import JourneymineError, QuestionError, UnknownLabelError

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
    "life_cycle": ("period",), "choose_order": ("lookback",),
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
    ("choose_order", {"grain": "nosuch"}), ("choose_order", {"lookback": "400d"}), ("variants", {"max_steps": 2.5}),
    ("variants", {"max_steps": "all"}), ("attribution", {"rules": "last_non_direct", "direct": "nosuch"}),
    ("attribution", {"rules": "nosuch"}), ("attribution", {"rules": "w_shaped"}), ("attribution", {"order": 0}),
    ("satisfaction", {"scale": {"nosuch": (1, 5)}}), ("satisfaction", {"scale": (5, 1)}), ("satisfaction", {"scale": (1, 2)}),
    ("funnel", {"same": "nosuch"}), ("funnel", {"steps": ["visit"]}), ("funnel", {"at": 9}), ("funnel", {"unit": "nosuch"}),
    ("funnel", {"sequence": "nosuch"}), ("funnel", {"ties": "nosuch"}), ("funnel", {"trend": "nosuch"}), ("stickiness", {"windows": []}),
    ("stickiness", {"windows": ["7h"]}), ("retention", {"kind": "nosuch"}), ("retention", {"cohort": "nosuch"}),
    ("retention", {"periods": 10**9}), ("repeat_rate", {"max_nth": 0}), ("markov", {"order": 99}), ("opportunities", {"fdr": 0}),
    ("opportunities", {"fdr": 2}), ("opportunities", {"confidence": 2}), ("time_to_convert", {"channel_of": "nosuch"}),
    ("stage_reach", {"channel_of": "nosuch"}), ("win_back", {"channel_of": "nosuch"}),
    *((name, {"timezone": "Nowhere/Here"}) for name in ("activity", "life_cycle", "retention", "stickiness")),
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
    assert set(takes("by")) == set(SHORT)


def test_every_time_and_every_label_that_can_be_given_is_here() -> None:
    """A new argument of a kind that can be bad in these ways must be tried in them."""
    for name in set(SHORT) | {"choose_order"}:
        parameters = inspect.signature(getattr(jm, name)).parameters
        times = {each for each, what in parameters.items() if "Duration" in str(what.annotation)}
        assert times <= set(WINDOWS.get(name, ())), name
        named = {each for asked, arguments in NAMED if asked == name for each in arguments}
        assert {"grain", "middle", "direct", "scale", "exclude", "same"} & set(parameters) <= named, name
        assert {"event", "entry", "returned", "support", "start", "until", "steps"} & set(parameters) <= named, name


@pytest.mark.parametrize("name", takes("by"))
def test_an_unknown_column_to_break_down_by(name: str) -> None:
    with pytest.raises(JourneymineError, match=r"'plam'(?s:.*)Hint(?s:.*)plan"):
        ask(name, built(), by="plam")
    with pytest.raises(JourneymineError, match=r"twice(?s:.*)Hint"):
        ask(name, built(), by=["plan", "plan"])


@pytest.mark.parametrize("by", [5, [None], [5], "", ["plan", ""]], ids=str)
@pytest.mark.parametrize("name", takes("by"))
def test_what_can_be_no_column(name: str, by: Any) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), by=by)


@pytest.mark.parametrize("grain", [None, 5, ""], ids=str)
@pytest.mark.parametrize("name", [*takes("grain"), "choose_order"])
def test_what_can_be_no_grain(name: str, grain: Any) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), grain=grain)


@pytest.mark.parametrize("condition", [[], 5, "", {}, {"nosuch": 1}, [None]], ids=str)
@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, each) for each in ("event", "entry", "returned", "support", "start", "until") for name in takes(each)],
)
def test_what_can_be_no_condition(name: str, argument: str, condition: Any) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), **{argument: condition})


@pytest.mark.parametrize(("name", "arguments"), [
    ("conversion", {"horizon": "400d"}), ("customer_value", {"within": "400d"}), ("funnel", {"within": "400d"}),
    ("first_contact_resolution", {"within": "400d"}), ("friction", {"long_wait": "400d"}), ("stickiness", {"windows": ["400d"]}),
    ("retention", {"period": "400d"}), ("time_to_convert", {"bin": "400d", "horizon": "800d"}),
    ("win_back", {"bin": "400d", "horizon": "800d"}), ("repeat_rate", {"bin": "400d", "horizon": "800d"}),
])  # fmt: skip
def test_a_time_longer_than_the_log(name: str, arguments: dict[str, Any]) -> None:
    """Nobody was watched that long: no number, and the row says why."""
    result = ask(name, built(), **arguments)
    assert result.frame.height <= 40
    headline = next(each for each in result.frame.columns if f"{each}_lower" in result.frame.columns)
    if name != "time_to_convert":
        assert result.frame[headline].null_count() + (result.frame[headline] == 0).sum() <= result.frame.height
    unknown = result.frame.filter(pl.col(headline).is_null())
    assert "reason" not in unknown.columns or not unknown["reason"].null_count()


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


@pytest.mark.parametrize("bad", [None, 5, b"UTC"], ids=str)
@pytest.mark.parametrize("name", takes("timezone"))
def test_what_can_be_no_zone(name: str, bad: Any) -> None:
    with pytest.raises(JourneymineError, match=r"no time zone(?s:.*)Hint"):
        ask(name, built(), timezone=bad)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("stickiness", {"windows": None}), ("stickiness", {"windows": 7}), ("retention", {"recurring": "yes"}),
        ("attribution", {"include_goal": "yes"}), ("choose_order", {"include_goal": 1}), ("attribution", {"rules": 5}),
        ("satisfaction", {"comments": "plan", "n_comments": 1.5}), ("satisfaction", {"comments": "plan", "n_comments": 0}),
        ("satisfaction", {"comments": "plan", "n_comments": True}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_of_another_kind(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(JourneymineError, match=rf"{list(arguments)[-1]}=(?s:.*)Hint"):
        ask(name, built(), **arguments)


@pytest.mark.parametrize("confidence", ["0.95", None, [0.9], True], ids=str)
@pytest.mark.parametrize("name", [*takes("confidence"), "opportunities"])
def test_a_confidence_that_is_no_number(name: str, confidence: Any) -> None:
    with pytest.raises(QuestionError, match=r"confidence=(?s:.*)Hint"):
        ask(name, built(), confidence=confidence)


@pytest.mark.parametrize("what", [["plan"], {"a": 1}, object()], ids=["list", "mapping", "object"])
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for argument in ("grain", "same", "timezone", "kind", "cohort", "period", "channel_of", "unit", "trend", "at")
        for name in [*takes(argument), *["choose_order"] * (argument == "grain")]
    ],
)
def test_a_list_or_a_thing_where_a_text_belongs(name: str, argument: str, what: Any) -> None:
    with pytest.raises(JourneymineError, match="Hint"):
        ask(name, built(), **{argument: what})


@pytest.mark.parametrize("what", ["yes", 1, None, [True]], ids=str)
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("decision_points", "transitions"),
        ("retention", "recurring"),
        ("attribution", "include_goal"),
        ("choose_order", "include_goal"),
    ],
)
def test_what_is_neither_true_nor_false(name: str, argument: str, what: Any) -> None:
    with pytest.raises(QuestionError, match=f"{argument}=(?s:.*)Hint: give True or False"):
        ask(name, built(), **{argument: what})


@pytest.mark.parametrize("fdr", ["x", None, [0.1], 0, 1.0, float("nan")], ids=str)
def test_a_false_discovery_rate_that_is_none(fdr: Any) -> None:
    for call in (lambda: jm.opportunities(built(), fdr=fdr), lambda: jm.compare_maps(built(), built(), fdr=fdr)):
        with pytest.raises(QuestionError, match=r"fdr=(?s:.*)Hint: fdr=0.05"):
            call()


MORE: dict[str, dict[str, Any]] = {
    "before_after": {"when": "2020-01-01", "measure": jm.Conversion()}, "choose_order": {}, "journey_map": {},
    "journey_map_of_user": {"user": "a"}, "opportunities": {},
}  # fmt: skip
"""What else takes journeys, and what it must be told."""
OF_TWO: dict[str, dict[str, Any]] = {"compare": {"measure": jm.Conversion()}, "compare_maps": {}, "decompose": {}}


@pytest.mark.parametrize(
    "given", [log(), None, pl.DataFrame({"user": ["a"]}), "journeys"], ids=["Events", "None", "DataFrame", "str"]
)
@pytest.mark.parametrize("name", [*SHORT, *MORE, *OF_TWO])
def test_what_are_no_journeys(name: str, given: Any) -> None:
    found: Callable[..., Any] = getattr(jm, name)
    sides = (given, given) if name in OF_TWO else (given,)
    with pytest.raises(QuestionError, match=f"a {type(given).__name__}(?s:.*)Hint: "):
        found(*sides, **{**SHORT, **MORE, **OF_TWO}[name])


def test_everything_that_takes_journeys_is_here() -> None:
    public = {name: getattr(jm, name) for name in jm.__all__}
    taking = {
        name
        for name, value in public.items()
        if callable(value)
        and not isinstance(value, type)
        and any("Journeys" in str(each.annotation) for each in inspect.signature(value).parameters.values())
    }
    assert taking <= set(SHORT) | set(MORE) | set(OF_TWO) | {"mine"}, taking


@pytest.mark.parametrize("form", [
    {"channel": "webb"}, {"not": {"channel": "webb"}}, {"any": ["visit", {"channel": ["store", "webb"]}]}, {"channel": {"!=": "webb"}},
    {"all": [{"plan": "plan 0"}, {"channel": {"not_in": ["webb"]}}]},
], ids=str)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, each)
        for each in ("event", "entry", "returned", "support", "start", "until", "exclude")
        for name in takes(each)
    ],
)
def test_a_label_that_nobody_has(name: str, argument: str, form: Any) -> None:
    """Of any column and anywhere in a condition; one that the whole log has and these journeys lack is none."""
    with pytest.raises(UnknownLabelError, match=r"no channel 'webb'(?s:.*)Hint: nearest: 'web'"):
        ask(name, built(), **{argument: form})
    of_stores = built().where(pl.col("entry_channel") == "store")
    there = {"not": {"channel": ["web", "(unknown)"]}, "stage": "buy"}
    assert ask(name, of_stores, **{argument: there}) is not None
