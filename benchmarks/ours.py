"""Our own cases. A new measure needs one line in `MEASURES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import journeymine as jm
from benchmarks.bare_queries import BARE
from benchmarks.case import Case
from benchmarks.queries import QUERIES

__all__ = ["CASES", "MEASURES", "RICH_MEASURES", "read_journeys"]

_LEAD = ("duckdb lead", "polars shift over", "chdb lead", "pm4py", "retentioneering")
_STAGES = jm.StageMap.of(
    {
        "awareness": ["ad_click", "email_*", "push", "page_0*"],
        "consideration": ["page_view", "search", "product", "wishlist", "store_visit", "login", "page_1*"],
        "purchase": ["cart", "checkout", "order_placed"],
        "service": ["call", "review", "refund"],
    },
    touchpoints=[{"match": "refund", "kind": "complaint"}, {"match": "call", "kind": "support"}],
)
_COLUMNS: dict[str, Any] = {"user": "user_id", "timestamp": "ts", "touchpoint": "touchpoint", "channel": "channel"}
_RICH: dict[str, Any] = {
    **_COLUMNS, "value": "value", "currency": "EUR", "satisfaction": "score", "satisfaction_scale": (1, 5),
    "stages": _STAGES,
}  # fmt: skip

STEPS = ("product", "cart", "order_placed")
"""Of the funnel, in journeymine and in SQL."""


def _read(path: str) -> jm.Events:
    events = jm.read_events(path, **_COLUMNS)
    events.coded()
    return events


def _read_rich(path: str) -> jm.Events:
    events = jm.read_events(path, **_RICH)
    events.coded()
    return events


def _build(events: jm.Events) -> jm.Journeys:
    return jm.build_journeys(events, goal="order_placed")


def read_journeys(path: str, shape: str = "plain") -> jm.Journeys:
    """The journeys of a log."""
    return _build(jm.read_events(path, **(_RICH if shape == "rich" else _COLUMNS)))


def _rich_journeys(path: str) -> jm.Journeys:
    return read_journeys(path, "rich")


def _measured(journeys: jm.Journeys) -> None:
    jm.transitions(journeys)
    jm.conversion(journeys, by="channel")
    jm.drop_off(journeys, by="channel")


def _way(path: str) -> None:
    _measured(read_journeys(path))


def _graph(path: str) -> None:
    jm.transitions(read_journeys(path))


def _longer_way(path: str) -> None:
    journeys = read_journeys(path)
    _measured(journeys)
    jm.funnel(journeys, steps=STEPS, within="7d")
    jm.attribution(journeys, middle="cart")


Ask = Callable[[jm.Journeys], Any]

MEASURES: Mapping[str, tuple[str, Ask]] = {
    "transitions": ("edges and nodes with times, journeys, conversion", jm.transitions),
    "conversion": ("share of journeys that convert, per channel", lambda j: jm.conversion(j, by="channel")),
    "drop_off": ("what becomes of journeys, per channel", lambda j: jm.drop_off(j, by="channel")),
    "funnel": (
        "3 steps in 7 days, with re-entry, per user",
        lambda j: jm.funnel(j, steps=STEPS, within="7d", unit="user"),
    ),
    "credit": (
        "first, last and linear credit per channel",
        lambda j: jm.attribution(j, rules=("first", "last", "linear")),
    ),
    "attribution": ("all nine rules, Shapley and Markov-1 among them", lambda j: jm.attribution(j, middle="cart")),
    "choose_order": ("order of the Markov chain by held-out likelihood", jm.choose_order),
    "retention": ("weekly cohorts by week", jm.retention),
    "life_cycle": ("new, returning, resurrected, dormant users per month", jm.life_cycle),
    "stickiness": ("daily over weekly and monthly users", jm.stickiness),
    "activity": ("steps by weekday and hour", jm.activity),
    "repeat_rate": ("orders followed by another, and how soon", jm.repeat_rate),
    "time_to_convert": ("converted, lost and open by time, as competing risks", jm.time_to_convert),
    "win_back": ("lost journeys followed by another, and how soon", jm.win_back),
    "waiting": ("from the cart to the order", lambda j: jm.waiting(j, start="cart", until={"goal": True})),
    "dwell": ("time in each channel", lambda j: jm.dwell(j, by="channel")),
    "handoffs": ("crossings between channels, what they take and what is lost there", jm.handoffs),
    "decision_points": ("touchpoints where paths part", jm.decision_points),
    "variants": ("distinct paths", jm.variants),
    "typical_order": ("mean position of each touchpoint", jm.typical_order),
    "markov": ("chain of order 1, with fundamental matrix", jm.markov),
    "first_contact": (
        "first contacts with support that no other follows",
        lambda j: jm.first_contact_resolution(j, support="call"),
    ),
}
"""Each is timed on journeys already built."""

RICH_MEASURES: Mapping[str, tuple[str, Ask]] = {
    "customer_value": ("value and orders per customer", jm.customer_value),
    "satisfaction": ("scores per touchpoint, who answered, dips", lambda j: jm.satisfaction(j, by="touchpoint")),
    "stage_reach": ("how many get to each stage, and on", jm.stage_reach),
    "places": ("what becomes of journeys, per stage and channel", jm.drop_off),
    "stage_dwell": ("time in each stage", jm.dwell),
    "friction": ("what journeys stumble over", jm.friction),
    "opportunities": ("what to mend first, of five measures", jm.opportunities),
}
"""Those that want stages, value or scores."""


def _asked(path: str) -> Mapping[str, Any]:
    """The results that a list of opportunities is made of."""
    journeys = _rich_journeys(path)
    return {
        "drop_off": jm.drop_off(journeys, by=["stage", "channel"]),
        "conversion": jm.conversion(journeys),
        "nodes": jm.drop_off(journeys, by=["stage", "channel", "touchpoint"]),
        "friction": jm.friction(journeys),
        "handoffs": jm.handoffs(journeys),
        "chain": jm.markov(journeys, grain="channel:touchpoint"),
    }


def _ranking(results: Mapping[str, Any]) -> Any:
    return jm.rank_opportunities(**results)


def _peers(name: str) -> tuple[str, ...]:
    """Those that give the same answer, and those that give the plain figure of it."""
    asked = [name] * (name in QUERIES) + [f"{name} bare"] * (name in BARE)
    return tuple(f"{engine} {each}" for each in asked for engine in ("duckdb", "chdb"))


def _measures(
    measures: Mapping[str, tuple[str, Ask]], prepare: Callable[[str], jm.Journeys], shape: str, after: tuple[str, ...]
) -> list[Case]:
    return [
        Case(name, answers, prepare, run, _peers(name), shape=shape, after=after)
        for name, (answers, run) in measures.items()
    ]


_BUILT = ("build rich", "journeys rich")
CASES = [
    Case("way", "file → journeys → transitions, conversion, drop-off", str, _way, _LEAD),
    Case("graph", "file → journeys → transitions", str, _graph, _LEAD),
    Case("way+", "the way, a funnel, and all rules of attribution", str, _longer_way, ("duckdb lead", "polars read")),
    Case("read", "file → coded events", str, _read, ("polars read",)),
    Case("build", "events → journeys", _read, _build, ("duckdb sessions",)),
    Case("journeys", "file → journeys", str, read_journeys),
    Case("build rich", "events → journeys with stages, value, scores", _read_rich, _build, shape="rich"),
    Case("journeys rich", "file → journeys with stages, value, scores", str, _rich_journeys, shape="rich"),
    *_measures(MEASURES, read_journeys, "plain", ("build", "journeys")),
    *_measures(RICH_MEASURES, _rich_journeys, "rich", _BUILT),
    Case("ranking", "opportunities, of results that are there", _asked, _ranking, shape="rich", after=_BUILT),
]
