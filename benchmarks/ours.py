"""Our own cases: the way from a file, building journeys, and every measure of `measures` on journeys already built."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import journeymine as jm
from benchmarks.bare_queries import BARE
from benchmarks.case import Case
from benchmarks.measures import PLAIN, RETAILER, Ask, on_every_log, on_rich_logs
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
_WORTH: dict[str, Any] = {"value": "value", "currency": "EUR", "satisfaction": "score", "satisfaction_scale": (1, 5)}
_SAMPLE = tomllib.loads((Path(__file__).parent.parent / "data/sample/journey.toml").read_text(encoding="utf-8"))
_SAMPLE_STAGES = jm.StageMap.of(_SAMPLE["stages"], touchpoints=_SAMPLE["touchpoints"])
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "plain": _COLUMNS,
    "rich": {**_COLUMNS, **_WORTH, "stages": _STAGES},
    "retailer": {**_COLUMNS, **_WORTH, "stages": _SAMPLE_STAGES},
}
_RULES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"goal": PLAIN.order},
    "rich": {"goal": PLAIN.order},
    "retailer": _SAMPLE["journeys"],
}

MEASURES, RICH_MEASURES = on_every_log(PLAIN), on_rich_logs()


def _read(path: str, shape: str = "plain") -> jm.Events:
    events = jm.read_events(path, **_SCHEMAS[shape])
    events.coded()
    return events


def _build(events: jm.Events, shape: str = "plain") -> jm.Journeys:
    return jm.build_journeys(events, **_RULES[shape])


def read_journeys(path: str, shape: str = "plain") -> jm.Journeys:
    """The journeys of a log."""
    return _build(jm.read_events(path, **_SCHEMAS[shape]), shape)


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
    jm.funnel(journeys, steps=PLAIN.steps, within="7d")
    jm.attribution(journeys, middle=PLAIN.cart)


def _asked(path: str, shape: str) -> Mapping[str, Any]:
    """The results that a list of opportunities is made of."""
    journeys = read_journeys(path, shape)
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


def _after(shape: str) -> tuple[str, str]:
    return ("build", "journeys") if shape == "plain" else (f"build {shape}", f"journeys {shape}")


def _building(shape: str, what: str) -> list[Case]:
    """Building the journeys of a log: from events already read, and from the file."""
    read, build, both = (partial(each, shape=shape) for each in (_read, _build, read_journeys))
    from_events, from_file = _after(shape)
    return [
        Case(from_events, f"events → {what}", read, build, shape=shape),
        Case(from_file, f"file → {what}", str, both, shape=shape),
    ]


def _measures(measures: Mapping[str, tuple[str, Ask]], shape: str) -> list[Case]:
    """Measures on journeys already built; those on the retailer's are called so, as other logs are asked the same."""
    prepare, after = partial(read_journeys, shape=shape), _after(shape)
    if shape == "retailer":
        return [
            Case(f"{name}, retailer", answers, prepare, run, shape=shape, after=after)
            for name, (answers, run) in measures.items()
        ]
    return [
        Case(name, answers, prepare, run, _peers(name), shape=shape, after=after)
        for name, (answers, run) in measures.items()
    ]


def _ranked(name: str, shape: str) -> Case:
    answers = "opportunities, of results that are there"
    return Case(name, answers, partial(_asked, shape=shape), _ranking, shape=shape, after=_after(shape))


CASES = [
    Case("way", "file → journeys → transitions, conversion, drop-off", str, _way, _LEAD),
    Case("graph", "file → journeys → transitions", str, _graph, _LEAD),
    Case("way+", "the way, a funnel, and all rules of attribution", str, _longer_way, ("duckdb lead", "polars read")),
    Case("read", "file → coded events", str, _read, ("polars read",)),
    Case("build", "events → journeys", _read, _build, ("duckdb sessions",)),
    Case("journeys", "file → journeys", str, read_journeys),
    *_building("rich", "journeys with stages, value, scores"),
    *_building("retailer", "journeys of the sample's retailer"),
    *_measures(MEASURES, "plain"),
    *_measures(RICH_MEASURES, "rich"),
    _ranked("ranking", "rich"),
    *_measures({**on_every_log(RETAILER), **on_rich_logs()}, "retailer"),
    _ranked("ranking, retailer", "retailer"),
]
