"""Changes to a chain's probabilities: each gives a new chain whose rows still sum to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

import numpy as np

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.graph.markov_chain import ChainArrays
from journeymine.graph.markov_solve import over
from journeymine.graph.markov_states import OUTCOMES

__all__ = ["ROUNDING", "change_onward", "change_probability", "remove_labels", "without_traps"]

_LOST = OUTCOMES.index("lost")
ROUNDING = 1e-12


def remove_labels(chain: ChainArrays, labels: tuple[str, ...]) -> ChainArrays:
    """Moves into any state that holds one of the labels end as lost."""
    known = {label for state in chain.states for label in state}
    for label in labels:
        if label not in known:
            raise UnknownLabelError.naming("label", label, known)
    gone = np.array([any(label in labels for label in state) for state in chain.states])
    lost = np.zeros_like(chain.start)
    np.add.at(lost.T, chain.source, np.where(gone[chain.target], chain.move, 0.0).T)
    exits, direct = chain.exits.copy(), chain.direct.copy()
    exits[:, :, _LOST] += lost
    direct[:, _LOST] += np.where(gone, chain.start, 0.0).sum(axis=1)
    return replace(
        chain,
        move=np.where(gone[chain.target], 0.0, chain.move),
        exits=exits,
        start=np.where(gone, 0.0, chain.start),
        direct=direct,
    )


def change_probability(chain: ChainArrays, a: int, b: int, p: float) -> ChainArrays:
    """The move from state a to state b has probability p; the other ways on from a keep their proportions."""
    _check(p)
    found = np.flatnonzero((chain.source == a) & (chain.target == b))
    if not len(found):
        raise QuestionError(
            f"nobody ever went from {' > '.join(chain.states[a])!r} to {' > '.join(chain.states[b])!r}",
            hint="change the probability of a move that occurs; its time is not known otherwise",
        )
    was = chain.move[:, found].sum(axis=1, keepdims=True)
    if p < 1 and was[0, 0] >= 1:
        raise QuestionError(
            f"every journey goes from {' > '.join(chain.states[a])!r} to {' > '.join(chain.states[b])!r}: there is no "
            "other way on to take the rest",
            hint="remove the state, or set the chance to go on with onward=",
        )
    # Where a replicate never came by, or knows no other way, it is left as it is.
    rest = np.where(was < 1, over(np.full_like(was, 1 - p), 1 - was), 1.0)
    move, exits = chain.move.copy(), chain.exits.copy()
    leaving = np.flatnonzero(chain.source == a)
    move[:, leaving] *= rest
    move[:, found] = np.where(was < 1, p, was)
    exits[:, a] *= rest
    return replace(chain, move=move, exits=exits)


def change_onward(chain: ChainArrays, chances: Mapping[int, float]) -> ChainArrays:
    """A journey in state a is not lost there with chance p, for each a and p; all its ways on keep their proportions."""
    rest = np.ones_like(chain.start)
    exits = chain.exits.copy()
    for a, p in chances.items():
        _check(p)
        lost = chain.exits[:, a, _LOST]
        if p > 0 and lost[0] >= 1:
            raise QuestionError(
                f"every journey is lost at {' > '.join(chain.states[a])!r}: there is no way on whose chance could rise",
                hint="choose a state that some journeys leave",
            )
        rest[:, a] = np.where(lost < 1, over(np.full_like(lost, p), 1 - lost), 1.0)
        exits[:, a] *= rest[:, a, None]
        exits[:, a, _LOST] = np.where(lost < 1, 1 - p, lost)
    move = chain.move.copy()
    changed = np.flatnonzero(np.isin(chain.source, list(chances)))
    move[:, changed] *= rest[:, chain.source[changed]]
    return replace(chain, move=move, exits=exits)


def without_traps(chain: ChainArrays) -> ChainArrays:
    """The chain, once it is sure that every journey ends; replicates in which some would not are undefined.

    As counted, every state is left in the end. A change may close the last way out of some: then I − Q has no inverse.

    Raises
    ------
    QuestionError : journeys would go round for ever; it names where.
    """
    stays = np.zeros_like(chain.start)
    np.add.at(stays.T, chain.source, chain.move.T)
    leaves = stays < 1 - ROUNDING
    for _ in range(len(chain.states)):
        stuck = np.flatnonzero((~leaves).any(axis=0).take(chain.source))
        onward = (chain.move[:, stuck] > 0) & leaves[:, chain.target[stuck]]
        found = leaves.copy()
        np.logical_or.at(found.T, chain.source[stuck], onward.T)
        if (found == leaves).all():
            break
        leaves = found
    if not leaves[0].all():
        where = ", ".join(repr(" > ".join(chain.states[at])) for at in np.flatnonzero(~leaves[0])[:3])
        raise QuestionError(
            f"nobody who comes to {where} would ever leave: every way out is closed by the change",
            hint="leave some chance of another way, or of the journey's end",
        )
    closed = np.flatnonzero(~leaves.all(axis=1))
    move, exits = chain.move.copy(), chain.exits.copy()
    move[closed], exits[closed] = 0.0, np.nan
    return replace(chain, move=move, exits=exits)


def _check(p: float) -> None:
    if not isinstance(p, Real) or not 0 <= p <= 1:
        raise QuestionError(f"a probability of {p!r}", hint="give a number from 0 to 1")
