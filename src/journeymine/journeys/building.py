"""`build_journeys`: the front door of the journeys room."""

from __future__ import annotations

from typing import Any

import numpy as np

from journeymine.errors import QuestionError, RulesError
from journeymine.events.log import Events
from journeymine.journeys.build import build_ordered
from journeymine.journeys.context import LogContext, check_wild
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.rules import JourneyRules

__all__ = ["build_journeys", "context_of", "rules_of"]


def build_journeys(events: Events, rules: JourneyRules | None = None, **rule_fields: Any) -> Journeys:
    """Cut each user's events into journeys.

    Parameters
    ----------
    events : the events, made by `read_events`.
    rules : the rules. Instead, the fields of `JourneyRules` may be given as keyword arguments. Without either, the
        ``[journeys]`` table of the configuration that the events were read from is used, and the defaults.

    Returns
    -------
    Journeys

    Raises
    ------
    QuestionError : `events` is not what `read_events` returns.
    RulesError : the rules contradict themselves or the log.
    UnknownLabelError : the log does not have a column or stage that the rules name.
    QuarantineLimitError, WildTimestampError : more rows were set aside than the caller allows, or a timestamp is wildly
        late.

    Examples
    --------
    >>> import polars as pl
    >>> from journeymine.events import read_events
    >>> rows = pl.DataFrame({"user": ["a", "a", "b"], "t": [0, 60, 90], "what": ["visit", "order", "visit"]})
    >>> events = read_events(rows, timestamp="t", time_unit="s", touchpoint="what")
    >>> journeys = build_journeys(events, goal="order")
    >>> journeys.table["status"].to_list()
    ['converted', 'open']
    """
    chosen = rules_of(events, rules, rule_fields)
    ordered = events.ordered()
    check_wild(ordered.time, chosen)
    journeys = build_ordered(ordered, chosen, context_of(events, chosen), events.stages)
    return journeys.replace(events=events)


def rules_of(events: Events, rules: JourneyRules | None, rule_fields: dict[str, Any]) -> JourneyRules:
    """The rules asked for, or those that came with the configuration."""
    if not isinstance(events, Events):
        raise QuestionError(
            f"journeys are built from Events, not from a {type(events).__name__}",
            hint="read_events(…) makes events of files and frames",
        )
    if rules is not None and not isinstance(rules, JourneyRules):
        raise RulesError(f"rules are a {type(rules).__name__}", hint="JourneyRules(goal=…), or goal=… itself")
    if rules is not None and rule_fields:
        raise RulesError("both rules and rule fields are given", hint="give one, or dataclasses.replace(rules, …)")
    return rules or JourneyRules.from_data({**events.journey_fields, **rule_fields})


def context_of(events: Events, rules: JourneyRules) -> LogContext:
    """The bounds of the whole log, before any part of it is counted."""
    span = events.span
    until = span.observed_until if rules.observed_until_us is None else rules.observed_until_us
    if until < span.first:
        raise RulesError(
            f"observed_until={np.datetime64(until, 'us')}Z lies before the first event at {np.datetime64(span.first, 'us')}Z",
            hint="give the instant until which the log is complete",
        )
    return LogContext(span.first, until)
