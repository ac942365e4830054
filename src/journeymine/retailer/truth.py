"""The true journeys: what the simulation knows and a log only shows in part."""

from __future__ import annotations

import numpy as np
import polars as pl

from journeymine.retailer.blueprint import CHANNELS, MATURE_AFTER_DAYS, STAGES
from journeymine.retailer.draws import Bools, Draws, Ints
from journeymine.retailer.figures import order_values
from journeymine.retailer.identity import user_names
from journeymine.retailer.outcomes import Outcomes
from journeymine.retailer.simulate import DAY_S, FIRST_SECOND, World
from journeymine.retailer.timeline import AWARENESS, N_SLOTS, ORDER

__all__ = ["is_mature", "journeys_of"]


def is_mature(world: World) -> Bools:
    """Attempts that begin in the log and long enough before its end for their outcome to be seen."""
    begins = world.utc_s[:, 0]
    return (begins >= 0) & (begins <= (world.retailer.days - MATURE_AFTER_DAYS) * DAY_S)


def journeys_of(world: World) -> pl.DataFrame:
    """One row per attempt of which the log holds at least one step, sorted by user and start.

    Returns
    -------
    user str · nth_journey i64 (of the person, from 1, those before the log included) · start, end, goal_at
    datetime UTC, as they truly were, even outside the log · outcome str ``converted`` or ``lost``, as it truly was or
    will be · entry_channel str · exit_stage, exit_channel str of the last step up to the order · value f64 EUR of the
    order · starts_in_log, ends_in_log, mature bool · crosses_email_to_store, leaves_at_handover, hit_by_app_fault,
    calls_after_fault, sees_retargeting, closes_account bool.
    """
    outcomes, attempts = world.outcomes, world.attempts
    rows = np.arange(len(attempts.person))
    last = N_SLOTS - 1 - world.happens[:, ::-1].argmax(axis=1)
    last_before_goal = _last_until_order(world.happens)
    seen = world.happens & (world.utc_s >= 0) & (world.utc_s < world.retailer.days * DAY_S)
    frame = pl.DataFrame(
        {
            "user": user_names(world.people).gather(attempts.person),
            "nth_journey": attempts.nth + 1,
            "start": _instant(world.utc_s[:, 0]),
            "end": _instant(world.utc_s[rows, last]),
            "goal_at": _instant(world.utc_s[:, ORDER]),
            "outcome": pl.Series(["lost", "converted"]).gather(outcomes.orders.astype(np.int64)),
            "entry_channel": _channel(world.labels.channel[:, AWARENESS.start].astype(np.int64)),
            "exit_stage": _furthest_stage(outcomes),
            "exit_channel": _channel(world.labels.channel[rows, last_before_goal].astype(np.int64)),
            "value": order_values(Draws(world.retailer.seed), len(rows)),
            "starts_in_log": world.utc_s[:, 0] >= 0,
            "ends_in_log": world.utc_s[rows, last] < world.retailer.days * DAY_S,
            "mature": is_mature(world),
            "crosses_email_to_store": outcomes.crosses,
            "leaves_at_handover": outcomes.leaves_at_handover,
            "hit_by_app_fault": outcomes.hit,
            "calls_after_fault": outcomes.calls_for_help,
            "sees_retargeting": outcomes.sees_retargeting,
            "closes_account": outcomes.closes_account,
        }
    )
    ordered = pl.col("outcome") == "converted"
    return (
        frame.with_columns(goal_at=pl.when(ordered).then("goal_at"), value=pl.when(ordered).then("value"))
        .filter(pl.Series(seen.any(axis=1)))
        .sort("user", "start")
    )


def _furthest_stage(outcomes: Outcomes) -> pl.Series:
    return pl.Series(STAGES).gather(np.select([outcomes.checks_out, outcomes.considers], [2, 1], 0))


def _last_until_order(happens: Bools) -> Ints:
    """Slot of the last step up to the order, or of the last step of all where there is none."""
    back: Ints = happens[:, ORDER::-1].argmax(axis=1)
    return ORDER - back


def _instant(seconds: Ints) -> pl.Series:
    return pl.Series((seconds + FIRST_SECOND) * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _channel(code: Ints) -> pl.Series:
    return pl.Series(CHANNELS).gather(code)
