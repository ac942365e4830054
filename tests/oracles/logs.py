"""Logs that Hypothesis makes: ties, repeats, nulls, emoji, company touches, several channels, values, odd rules."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from hypothesis import strategies as st

from journeymine.columns import MICRO, MISSING
from journeymine.events import Events, StageMap, read_events
from journeymine.events.coded import Coded, CodedEvents, recode
from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext

MINUTE = 60_000_000

STAGES = StageMap.of(
    {
        "awareness": ["ad", "mail"],
        "consideration": ["visit", {"touchpoint": "call", "channel": "store"}],
        "purchase": ["order"],
        "loyalty": ["review", "call"],
    },
    touchpoints=[
        {"match": "mail", "by_company": True},
        {"match": {"touchpoint": "ad", "channel": "email"}, "by_company": True},
        {"match": "call", "owner": "Support", "kind": "complaint"},
        {"match": "order", "owner": "Sales"},
    ],
)
TOUCHPOINTS = (
    "ad",
    "mail",
    "visit",
    "visit",
    "call",
    "order",
    "review",
    "quit",
    "🛒",
    "</script>",
    "start",
    "(unknown)",
)
CHANNELS = ("web", "email", "store", None, "(unknown)", "unknown")


class Row(NamedTuple):
    """One raw event; `us` counts from the year 2020."""

    user: str
    us: int
    touchpoint: str
    channel: str | None
    value: float | None
    cost: float | None
    plan: str | None
    score: int | None


SCHEMA = {
    "user": pl.String, "us": pl.Int64, "touchpoint": pl.String, "channel": pl.String, "value": pl.Float64,
    "cost": pl.Float64, "plan": pl.String, "score": pl.Int64,
}  # fmt: skip
START = 1_577_836_800_000_000

users = st.sampled_from([*"abcdefgh", "ü", "🦊", "user-1", " x"])
# Gaps of exactly `idle` (10 m) and `session_gap` (3 m), one microsecond more, and none at all must all occur often.
instants = st.builds(lambda minute, micro: minute * MINUTE + micro, st.integers(0, 45), st.sampled_from([0, 0, 0, 1]))
rows = st.builds(
    Row,
    user=users,
    us=instants,
    touchpoint=st.sampled_from(TOUCHPOINTS),
    channel=st.sampled_from(CHANNELS),
    value=st.sampled_from([None, 0.0, 0.000001, 5.0, 12.5, -3.0]),
    cost=st.sampled_from([None, 0.5, 2.0]),
    plan=st.sampled_from(["pro", "free", None]),
    score=st.sampled_from([None, None, 1, 3, 5]),
)


def busy(seed: int) -> tuple[Row, ...]:
    """Few users with many steps each, so that every rule is met: what lists of independent rows seldom are."""
    draw = random.Random(seed)
    steps = ["visit", "order", "review", "call", "quit", *draw.sample(TOUCHPOINTS, 4)]
    minutes = draw.choice([10, 25, 45])
    return tuple(
        Row(
            user=draw.choice("abc"),
            us=draw.randint(0, minutes) * MINUTE + draw.choice([0, 0, 1]),
            touchpoint=draw.choice(steps),
            channel=draw.choice(CHANNELS[:5]),
            value=draw.choice([None, 5.0, 12.5, -3.0]),
            cost=draw.choice([None, 0.5]),
            plan=draw.choice(["pro", None]),
            score=draw.choice([None, 1, 5]),
        )
        for _ in range(draw.randint(5, 60))
    )


logs = st.one_of(st.lists(rows, min_size=1, max_size=40).map(tuple), st.builds(busy, st.integers(0, 100_000)))


@st.composite
def rule_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Rules of every kind that do not contradict themselves."""
    goal = draw(
        st.sampled_from(
            [
                "order",
                "order",
                ["order", "🛒"],
                {"touchpoint": "order", "value": {">=": 5}},
                "review",
                "(unknown)",
                None,
            ]
        )
    )
    fields: dict[str, Any] = {
        "goal": goal,
        "lost_at": draw(st.sampled_from([None, "quit", ["quit", "visit"], {"touchpoint": "call"}])),
        "idle": "10m",
        "session_gap": "3m",
        "mature_after": draw(st.sampled_from([None, "1m", "25m"])),
        "split": draw(st.sampled_from([None, None, None, "user", "session", "plan"])),
        "value_from": draw(st.sampled_from([None, None, "any", "visit"])),
        "observed_until": draw(st.sampled_from([None, None, START + 50 * MINUTE, START + 46 * MINUTE])),
    }
    if fields["split"] is None and goal is not None:
        fields["after_goal"] = draw(st.sampled_from([None, None, "cut"]))
        if fields["after_goal"] is None:
            fields["goal_stage"] = draw(st.sampled_from([None, None, "consideration"]))
    return fields


@st.composite
def short_watch(draw: st.DrawFn) -> tuple[tuple[Row, ...], dict[str, Any]]:
    """A log and rules whose `observed_until` often lies before the last rows, as with several sources."""
    log, fields = draw(logs), draw(rule_fields())
    first, last = min(row.us for row in log), max(row.us for row in log)
    part = draw(st.sampled_from([None, None, 9, 6, 3]))
    return log, fields if part is None else fields | {"observed_until": START + first + (last - first) * part // 10}


def frame_of(log: tuple[Row, ...]) -> pl.DataFrame:
    """The raw frame."""
    frame = pl.DataFrame(list(log), schema=SCHEMA, orient="row")
    return frame.with_columns(pl.col("us") + START)


def read(frame: pl.DataFrame, *, stages: StageMap | None = STAGES, **fields: Any) -> Events:
    """Read a raw frame made here."""
    return read_events(
        frame, stages=stages, user="user", timestamp="us", time_unit="us", touchpoint="touchpoint", channel="channel",
        value="value", currency="EUR", cost="cost", attributes=["plan"], satisfaction="score",
        satisfaction_scale=(1, 5), **fields,
    )  # fmt: skip


def context_of(log: tuple[Row, ...], rules: JourneyRules) -> LogContext:
    """The bounds of the whole log."""
    times = [row.us + START for row in log]
    return LogContext(min(times), max(times) if rules.observed_until is None else rules.observed_until)


def code(log: tuple[Row, ...]) -> CodedEvents:
    """Code rows by a vocabulary of their own, without the events room: thousands of logs are built here."""
    labels = {name: [getattr(row, name) for row in log] for name in ("touchpoint", "channel", "plan")}
    numbers = {"value": "value", "cost": "cost", "satisfaction": "score"}
    return CodedEvents(
        user=pl.Series("user", [row.user for row in log], dtype=pl.String),
        timestamp=np.array([row.us + START for row in log], dtype=np.int64),
        labels={name: _coded(column) for name, column in labels.items()},
        numbers={
            name: np.array(
                [MISSING if (number := getattr(row, field)) is None else round(number * MICRO) for row in log],
                dtype=np.int64,
            )
            for name, field in numbers.items()
        },
    )


def _coded(column: list[str | None]) -> Coded:
    known = list(dict.fromkeys(column))
    return recode([np.array([known.index(label) for label in column], dtype=np.int64)], known)


def build(log: tuple[Row, ...], **fields: Any) -> Journeys:
    """Journeys of the whole log."""
    return _build(log, _Rules(JourneyRules(**fields)))


def build_part(log: tuple[Row, ...], part: tuple[Row, ...], rules: JourneyRules) -> Journeys:
    """Journeys of some whole users, as an engine builds them: own vocabulary, the whole log's bounds."""
    return _build_part(log, part, _Rules(rules))


class _Rules:
    """Rules as a key: the same examples come again for every measure, and are built once."""

    def __init__(self, rules: JourneyRules) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return hash(self.rules.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rules) and self.rules == other.rules


@lru_cache(maxsize=256)
def _build(log: tuple[Row, ...], key: _Rules) -> Journeys:
    return build_coded(code(log), key.rules, context_of(log, key.rules), STAGES)


@lru_cache(maxsize=1024)
def _build_part(log: tuple[Row, ...], part: tuple[Row, ...], key: _Rules) -> Journeys:
    return build_coded(code(part), key.rules, context_of(log, key.rules), STAGES)
