"""Every measure, with the questions it is tried on. Add yours here, and the whole suite runs over it."""

from __future__ import annotations

from journeymine.counting import Measure
from journeymine.graph import Markov, Transitions, Variants
from journeymine.metrics import (
    Attribution,
    Conversion,
    DecisionPoints,
    DropOff,
    Dwell,
    Friction,
    Funnel,
    Handoffs,
    Satisfaction,
    TimeToConvert,
)

# Logs of the suite have the columns stage, channel, owner, kind, plan (an attribute), and value, cost, satisfaction;
# touchpoints are those of tests/oracles/logs.py. The journeys are built with many kinds of rules.
MEASURES: list[Measure] = [
    Transitions(),
    Transitions(grain="channel:touchpoint", by="plan"),
    Transitions(grain="stage", by=("channel", "plan")),
    Variants(),
    Variants(grain="channel:touchpoint", max_steps=3),
    Conversion(),
    Conversion(by=("channel", "plan")),
    Conversion(by=("new_or_returning", "channel"), channel_of="any"),
    Conversion(by=("stage", "owner"), channel_of="any", horizon="12m"),
    DropOff(),
    DropOff(by="touchpoint"),
    DropOff(by=("channel", "plan")),
    DropOff(by="kind"),
    DropOff(by=("stage", "new_or_returning")),
    Attribution(),
    Attribution(
        rules=("w_shaped", "last_non_direct", "markov"),
        grain="channel:touchpoint",
        by="plan",
        middle="visit",
        direct=("web",),
        order=2,
        include_goal=True,
    ),
    Attribution(rules=("time_decay", "markov"), grain="touchpoint", by=("channel", "plan"), half_life="2m", order=3),
    Dwell(),
    Dwell(by=("channel", "plan")),
    Markov(),
    Markov(grain="channel:touchpoint", order=2),
    Markov(grain="stage", order=3),
    Funnel(steps=["visit", "order"], within="5m"),
    Funnel(
        steps=["visit", {"step": "call", "optional": True}, ["order", "review"]],
        within="12m",
        exclude=[{"step": "quit", "between": [1, 3]}],
        by=("channel", "plan"),
        at="last",
        unit="user",
        trend="day",
        timezone="Asia/Kolkata",
    ),
    Funnel(
        steps=["visit", {"not": "visit"}],
        within=None,
        sequence="strict",
        same="channel",
        ties="favour",
        by="stage",
        at=2,
    ),
    Funnel(steps=["ad", "visit", "order"], within="8m", sequence="any", unit="session", by="owner"),
    TimeToConvert(bin="1m"),
    TimeToConvert(by=("channel", "plan"), channel_of="any", bin="3m", horizon="12m"),
    Handoffs(),
    Handoffs(grain="owner"),
    Friction(long_wait="2m"),
    DecisionPoints(),
    DecisionPoints(grain="channel", transitions=True),
    Satisfaction(scale=(1, 5)),
    Satisfaction(by=("channel", "plan"), scale={"visit": (1, 5), "call": (0, 10), "order": (0, 10)}),
]
