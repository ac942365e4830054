"""Journeys as frames of plain strings and instants, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO, MISSING
from journeymine.events.coded import Coded, decode
from journeymine.journeys.heads import STATUSES

if TYPE_CHECKING:
    from journeymine.journeys.journeys import Journeys

__all__ = ["journey_table", "step_table"]

Ints = npt.NDArray[np.int64]


def instants(us: Ints) -> pl.Series:
    """Datetimes in UTC; `MISSING` is null."""
    series = pl.Series(us)
    known = pl.select(pl.when(pl.lit(series) != MISSING).then(pl.lit(series))).to_series() if len(us) else series
    return known.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def units(micro: Ints) -> pl.Series:
    """Units of money or score from micro-units; `MISSING` is null."""
    values = micro / MICRO
    values[micro == MISSING] = np.nan
    return pl.Series(values).fill_nan(None)


def journey_table(journeys: Journeys) -> pl.DataFrame:
    """One row per journey, in the order of the arrays."""
    heads, offsets, labels = journeys.heads, journeys.offsets, journeys.coded.labels
    first, last = offsets[:-1], offsets[1:] - 1
    goal_at = np.full(len(heads), MISSING, dtype=np.int64)
    won = heads.goal_step >= 0
    goal_at[won] = journeys.coded.time[first[won] + heads.goal_step[won]]
    frame: dict[str, pl.Series | npt.NDArray[Any]] = {
        "user": journeys.users.gather(pl.Series(heads.user)),
        "nth_journey": heads.nth,
        "prior_goals": heads.prior_goals,
        "n_steps": journeys.lengths,
        "n_sessions": heads.n_sessions,
        "start": instants(heads.start),
        "end": instants(heads.end),
        "goal_at": instants(goal_at),
        "duration_s": (heads.end - heads.start) / MICRO,
    }
    for name in ("touchpoint", "channel", "stage"):
        if name in labels:
            frame[f"entry_{name}"] = labels[name].decode(first)
            frame[f"exit_{name}"] = labels[name].decode(last)
    if journeys.stages:
        frame["furthest_stage"] = furthest_stage(journeys)
    if "channel" in labels:
        frame["n_channels"] = _distinct(labels["channel"], journeys)
    for name in ("value", "cost"):
        if name in journeys.coded.numbers:
            frame[name] = getattr(heads, name) / MICRO
    frame["status"] = decode(heads.status, STATUSES)
    frame["mature"] = heads.mature
    frame["left_truncated"] = heads.left_truncated
    frame["next_start"] = instants(heads.next_start)
    for name, coded in journeys.segments.items():
        frame[name] = coded.decode()
    return pl.DataFrame(frame)


def furthest_stage(journeys: Journeys) -> pl.Series:
    """The latest mapped stage of each journey; null where none of its steps is mapped."""
    stage = journeys.coded.labels["stage"]
    n_stages = len(stage.labels) - 1
    if not len(journeys):
        return pl.Series([], dtype=pl.String)
    rank = np.where(stage.codes == n_stages, 0, stage.codes.astype(np.int64) + 1)
    furthest = np.maximum.reduceat(rank, journeys.offsets[:-1])
    return pl.Series([None, *stage.labels[:n_stages]], dtype=pl.String).gather(pl.Series(furthest))


def _distinct(coded: Coded, journeys: Journeys) -> Ints:
    """How many different labels each journey has: one pass per label."""
    total = np.zeros(len(journeys), dtype=np.int64)
    for code in range(len(coded.labels)):
        at = np.flatnonzero(coded.codes == code)
        journey = np.searchsorted(journeys.offsets, at, side="right") - 1
        total += np.bincount(journey[np.diff(journey, prepend=-1) > 0], minlength=len(journeys)).astype(np.int64)
    return total


def step_table(journeys: Journeys) -> pl.DataFrame:
    """One row per step and per company touch, sorted by user, journey and time."""
    own = _steps(journeys)
    touches = journeys.company
    if len(touches):
        theirs = pl.DataFrame(
            {
                "user": journeys.users.gather(pl.Series(journeys.heads.user[touches.journey])),
                "nth_journey": journeys.heads.nth[touches.journey],
                "timestamp": instants(touches.time),
                **{name: coded.decode() for name, coded in touches.labels.items()},
                **{name: units(column) for name, column in touches.numbers.items()},
                "by_company": np.ones(len(touches), dtype=bool),
            }
        )
        own = pl.concat([own, theirs], how="diagonal")
    return own.sort("user", "nth_journey", "timestamp", "by_company", "step", nulls_last=True, maintain_order=True)


def _steps(journeys: Journeys) -> pl.DataFrame:
    coded, journey = journeys.coded, journeys.journey_of_step
    step = np.arange(len(coded)) - journeys.offsets[journey] + 1
    gap = np.diff(coded.time, prepend=coded.time[:1])
    new_session = (gap > journeys.rules.session_gap_us) | (step == 1)
    sessions = np.cumsum(new_session)
    session = sessions - sessions[journeys.offsets[journey]] + 1 if len(coded) else sessions
    return pl.DataFrame(
        {
            "user": journeys.users.gather(pl.Series(journeys.heads.user[journey])),
            "nth_journey": journeys.heads.nth[journey],
            "step": step,
            "session": session,
            "timestamp": instants(coded.time),
            **{name: column.decode() for name, column in coded.labels.items()},
            **{name: units(column) for name, column in coded.numbers.items()},
            "is_goal": step - 1 == journeys.heads.goal_step[journey],
            "by_company": np.zeros(len(coded), dtype=bool),
        }
    )
