"""What a claim would bring to the whole, through the Markov chain: losses at its touchpoints at the comparable's rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from journeymine.errors import QuestionError
from journeymine.graph.markov_states import OUTCOMES
from journeymine.metrics.opportunity_owners import Places

if TYPE_CHECKING:
    from journeymine.graph.markov_chain import MarkovChain, State

__all__ = ["asks_chain", "through_chain"]

_LOST = OUTCOMES.index("lost")
Limits = tuple[float | None, float | None, float | None]


def asks_chain() -> pl.Expr:
    """Which claims a chain can tell of: drop-offs between channels.

    What a friction or a handoff does shows later than at the next step, and a chain that knows one step back cannot tell.
    """
    return (pl.col("kind") == "drop_off") & (pl.col("channel") != "")


def through_chain(chain: MarkovChain, places: Places, row: Mapping[str, Any]) -> Limits:
    """Further conversions, with limits, if the touchpoints of a claim lost no more per visit than the comparable ones.

    Each touchpoint's chance to be the last of a lost journey is scaled by (loss of the comparable ÷ loss of the place),
    where that is below 1. For the claims of `asks_chain`.
    """
    own = places.states(stage=row["stage"], channel=row["channel"], touchpoint=row["touchpoint"])
    other = places.states(stage=row["stage"], channel=row["comparable"], touchpoint=row["touchpoint"])
    states = {labels[0]: at for at, labels in enumerate(chain.arrays.states) if len(labels) == 1}
    here, there = ([states[label] for label in labels if label in states] for labels in (own, other))
    visits = chain.visits
    lost = chain.arrays.exits[0, :, _LOST]
    if not here or not there or not visits[there].sum() > 0 or not (visits[here] * lost[here]).sum() > 0:
        return None, None, None
    ratio = np.average(lost[there], weights=visits[there]) / np.average(lost[here], weights=visits[here])
    if ratio >= 1:
        return None, None, None
    onward: dict[State, float] = {
        chain.arrays.states[at][0]: 1 - float(ratio * lost[at]) for at in here if lost[at] < 1
    }
    try:
        mended = chain.what_if(onward=onward or {chain.arrays.states[here[0]][0]: 1 - float(lost[here[0]])})
    except QuestionError:  # none lost any more, and no other way out: such a chain tells nothing
        return None, None, None
    return mended.gained
