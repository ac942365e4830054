"""Changes to a chain's probabilities: each gives a new chain whose rows still sum to 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.graph.markov_chain import ChainArrays
from journeymine.graph.markov_solve import over
from journeymine.graph.markov_states import OUTCOMES

__all__ = ["change_onward", "change_probability", "remove_labels"]

_LOST = OUTCOMES.index("lost")


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


def change_onward(chain: ChainArrays, a: int, p: float) -> ChainArrays:
    """A journey in state a is not lost there with chance p; all its ways on keep their proportions."""
    _check(p)
    lost = chain.exits[:, a, _LOST][:, None]
    if p > 0 and lost[0, 0] >= 1:
        raise QuestionError(
            f"every journey is lost at {' > '.join(chain.states[a])!r}: there is no way on whose chance could rise",
            hint="choose a state that some journeys leave",
        )
    rest = np.where(lost < 1, over(np.full_like(lost, p), 1 - lost), 1.0)
    move, exits = chain.move.copy(), chain.exits.copy()
    move[:, np.flatnonzero(chain.source == a)] *= rest
    exits[:, a] *= rest
    exits[:, a, _LOST] = np.where(lost < 1, 1 - p, lost)[:, 0]
    return replace(chain, move=move, exits=exits)


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise QuestionError(f"a probability of {p!r}", hint="give a number from 0 to 1")
