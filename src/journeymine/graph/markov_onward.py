"""What each of several changes would bring by itself, from one solution of the chain as counted.

A change multiplies what leaves some states H by ρ, the diagonal of D: with Q and b of `markov_solve`, x' solves
x' = D (Q x' + b). With N = (I − Q)⁻¹, x = N b, v = s N and E = I − D this is the chain as counted, less

    s x − s x' = v_H E y,    (I + (N_HH − I) E) y = x_H

(the Sherman–Morrison–Woodbury formula for the rows of H, [1]_ § 2.1.4), so nothing larger than H is solved again.

References
----------
.. [1] G. H. Golub, C. F. Van Loan, *Matrix Computations*, 4th ed. (2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from journeymine.graph.markov_chain import ChainArrays
from journeymine.graph.markov_solve import DENSE, factorise, over, without_moves
from journeymine.graph.markov_states import OUTCOMES

__all__ = ["gains_of_each"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_CONVERTED, _LOST = OUTCOMES.index("converted"), OUTCOMES.index("lost")


def gains_of_each(chain: ChainArrays, changes: Sequence[Mapping[int, float]]) -> list[Floats]:
    """What each change of `change_onward` adds to the chance that a journey converts, shape [R] each.

    Parameters
    ----------
    changes : state → chance below 1 that a journey in a state is not lost there: some are, so that every journey still ends.

    Notes
    -----
    The replicates of a chain of more than `DENSE` states are NaN.
    """
    if not changes:
        return []
    states = np.unique(np.concatenate([np.array(list(each), dtype=np.int64) for each in changes]))
    solved = slice(1 if len(chain.states) > DENSE else None)
    x, columns = _solved(chain, states, solved)
    v = np.einsum("rk,rkh->rh", chain.start[solved], columns)
    gains = np.full((len(changes), len(chain.start)), np.nan)
    for gain, each in zip(gains, changes, strict=True):
        at, among = np.array(list(each)), np.searchsorted(states, list(each))
        lost = chain.exits[solved, at, _LOST]
        onward = np.broadcast_to(np.array(list(each.values())), lost.shape)
        # Where a replicate knows no way on, it is left as it is.
        less = 1 - np.where(lost < 1, over(onward, 1 - lost), 1.0)
        left = np.eye(len(at)) + (columns[:, at[:, None], among] - np.eye(len(at))) * less[:, None, :]
        y = np.linalg.solve(left, x[:, at, None])[:, :, 0]
        gain[solved] = -(v[:, among] * less * y).sum(axis=1)
    return list(gains)


def _solved(chain: ChainArrays, states: Ints, solved: slice) -> tuple[Floats, Floats]:
    """Chance to convert from each state, shape [R, states], and some columns of N, shape [R, states, columns]."""
    start = chain.start[solved]
    asked = np.zeros((*start.shape, 1 + len(states)))
    asked[:, :, 0] = chain.exits[solved, :, _CONVERTED]
    asked[:, states, 1 + np.arange(len(states))] = 1.0
    K, moves = start.shape[1], (chain.source, chain.target)
    if K > DENSE:
        found = factorise(K, *moves, chain.move[0]).solve(asked[0])[None]
    else:
        found = np.linalg.solve(without_moves(K, *moves, chain.move), asked)
    return found[:, :, 0], found[:, :, 1:]
