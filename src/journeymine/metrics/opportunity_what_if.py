"""What a claim would bring to the whole, through the Markov chain: losses at its touchpoints at the comparable's rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from journeymine.errors import QuestionError
from journeymine.graph.markov_onward import gains_of_each
from journeymine.graph.markov_states import OUTCOMES
from journeymine.graph.markov_what_if import ROUNDING
from journeymine.metrics.opportunity_owners import Places

if TYPE_CHECKING:
    from journeymine.graph.markov_chain import MarkovChain

__all__ = ["asks_chain", "through_chain"]

_LOST = OUTCOMES.index("lost")
Limits = tuple[float | None, float | None, float | None]
NOTHING: Limits = (None, None, None)


def asks_chain() -> pl.Expr:
    """Which claims a chain can tell of: drop-offs between channels.

    What a friction or a handoff does shows later than at the next step, and a chain that knows one step back cannot tell.
    """
    return (pl.col("kind") == "drop_off") & (pl.col("channel") != "")


def through_chain(chain: MarkovChain, places: Places, claims: Sequence[Mapping[str, Any]]) -> list[Limits]:
    """Further conversions, with limits, if the touchpoints of each claim lost no more per visit than the comparable ones.

    Each touchpoint's chance to be the last of a lost journey is scaled by (loss of the comparable ÷ loss of the place),
    where that is below 1. For the claims of `asks_chain`.
    """
    states = {labels[0]: at for at, labels in enumerate(chain.arrays.states) if len(labels) == 1}
    changes = [_onward(chain, places, states, claim) for claim in claims]
    plain = [each for each in changes if each and max(each.values()) < 1 - ROUNDING]
    gains = iter(gains_of_each(chain.arrays, plain))
    return [
        NOTHING if not each else chain.further(next(gains)) if each in plain else _mended(chain, each)
        for each in changes
    ]


def _onward(
    chain: MarkovChain, places: Places, states: Mapping[str, int], claim: Mapping[str, Any]
) -> dict[int, float]:
    """Chance not to be lost in each state that would change; none where the place loses no more than the comparable."""
    own = places.states(stage=claim["stage"], channel=claim["channel"], touchpoint=claim["touchpoint"])
    other = places.states(stage=claim["stage"], channel=claim["comparable"], touchpoint=claim["touchpoint"])
    here, there = ([states[label] for label in labels if label in states] for labels in (own, other))
    visits = chain.visits
    lost = chain.arrays.exits[0, :, _LOST]
    if not here or not there or not visits[there].sum() > 0 or not (visits[here] * lost[here]).sum() > 0:
        return {}
    ratio = np.average(lost[there], weights=visits[there]) / np.average(lost[here], weights=visits[here])
    if ratio >= 1:
        return {}
    onward = {at: 1 - float(ratio * lost[at]) for at in here if lost[at] < 1}
    return onward or {here[0]: 1 - float(lost[here[0]])}


def _mended(chain: MarkovChain, onward: Mapping[int, float]) -> Limits:
    """The same where nobody is lost any more: such a change may close the last way out."""
    try:
        return chain.what_if(onward={chain.arrays.states[at][0]: chance for at, chance in onward.items()}).gained
    except QuestionError:  # none lost any more, and no other way out: such a chain tells nothing
        return NOTHING
