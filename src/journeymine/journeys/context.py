"""What must be known of the whole log before any part of it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.errors import RulesError, UnknownLabelError, WildTimestampError
from journeymine.events.stage_map import StageMap
from journeymine.journeys.rules import JourneyRules

__all__ = [
    "LogContext",
    "check_latest",
    "check_wild",
    "goal_rank",
    "longest_idle",
    "longest_idle_to_follow",
    "n_latest",
    "sale_rank",
]

_WILD_FROM = 1_000


@dataclass(frozen=True, slots=True)
class LogContext:
    """The bounds of a log, fixed before anything is counted. Counts with different bounds cannot be merged.

    Attributes
    ----------
    log_start : µs of the first event of the whole log.
    observed_until : µs, up to which the whole log is complete.
    """

    log_start: int
    observed_until: int


def check_wild(time: npt.NDArray[np.int64], rules: JourneyRules) -> None:
    """Refuse a log whose last timestamps stand so far apart from the rest that they decide what is open.

    Looks at the gap between the last timestamp and the 99.99 % quantile; logs under 1,000 events are left alone, where
    a quiet month is ordinary.

    Raises
    ------
    WildTimestampError : the gap is longer than `idle`.
    """
    n = len(time)
    if n >= _WILD_FROM and rules.observed_until is None:
        check_latest(n, np.partition(time, n - n_latest(n))[n - n_latest(n) :], rules)


def n_latest(n_events: int) -> int:
    """How many of the latest timestamps of a log `check_latest` must see."""
    return max(1, n_events // 10_000) + 1


def check_latest(n_events: int, latest: npt.NDArray[np.int64], rules: JourneyRules) -> None:
    """`check_wild` for who holds only the `n_latest` latest timestamps of `n_events`, in any order."""
    if n_events < _WILD_FROM or rules.observed_until is not None:
        return
    usual, last = int(latest.min()), int(latest.max())
    if last - usual > rules.idle_us:
        wild = int(np.count_nonzero(latest > usual + rules.idle_us))
        raise WildTimestampError(
            f"{wild} of {n_events:,} events lie after {np.datetime64(usual, 'us')} by more than idle={rules.idle}, "
            f"the last at {np.datetime64(last, 'us')}: they alone would decide which journeys are still open",
            hint="mend or drop those rows, or say until when the log is complete with observed_until=",
        )


def goal_rank(rules: JourneyRules, stages: StageMap | None) -> int | None:
    """Where the after-sale part begins, as `sale_rank`, or None when the goal ends its journey at once.

    Raises
    ------
    RulesError : an after-sale part is asked for, and there are no stages or the goal is in none of them.
    """
    rank = sale_rank(rules, stages)
    if rank is None and rules.after_goal == "stay":
        names = stages.names if stages is not None else ()
        raise RulesError(
            "after_goal='stay' needs the stage of the goal, and no touchpoint of the goal is mapped to a stage",
            hint=f"map the goal's touchpoint to a stage, or give goal_stage= one of {', '.join(names)}"
            if names
            else "give stages, or after_goal='cut'",
        )
    return None if rules.split is not None or rules.after_goal == "cut" else rank


def sale_rank(rules: JourneyRules, stages: StageMap | None) -> int | None:
    """The position of the stage from which on a step is after-sale; None where the goal has no stage.

    Found from the rules and the map alone, never from the labels of a part, so that every part is judged alike.
    """
    names = stages.names if stages is not None else ()
    if rules.goal_stage is not None:
        if not names:
            raise RulesError("goal_stage needs stages", hint="give stages, or leave goal_stage out")
        if rules.goal_stage not in names:
            raise UnknownLabelError.naming("stage", rules.goal_stage, names)
        return names.index(rules.goal_stage)
    if rules.goal is None or stages is None or not names:
        return None
    return min((names.index(stage) for stage in _stages_of(rules.goal.touchpoints() or (), stages)), default=None)


def _stages_of(touchpoints: tuple[str, ...], stages: StageMap) -> set[str]:
    """Stages of the touchpoints, on no channel and on every channel that the map speaks of."""
    channels = sorted({p.channel for stage in stages.stages for p in stage.touchpoints if p.channel is not None})
    found = set(stages.lookup(touchpoints)["stage"])
    for channel in channels:
        found |= set(stages.lookup(touchpoints, [channel] * len(touchpoints))["stage"])
    return {stage for stage in found if stage is not None}


def longest_idle(context: LogContext, rules: JourneyRules) -> int:
    """The longest `idle` for which a log this short still has mature journeys, in µs; `mature_after` goes with it."""
    return (context.observed_until - context.log_start) * rules.idle_us // rules.mature_after_us


def longest_idle_to_follow(context: LogContext, rules: JourneyRules, horizon_us: int | None) -> int:
    """The longest `idle`, in µs, for which a log this short has journeys that begin after it and are watched up to a horizon.

    Parameters
    ----------
    horizon_us : None for `mature_after`, which goes with `idle`. No `idle` will do where the result is not positive.
    """
    span = context.observed_until - context.log_start
    if horizon_us is None:
        return span * rules.idle_us // (rules.mature_after_us + rules.idle_us)
    return span - horizon_us
