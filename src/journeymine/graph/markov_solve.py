"""Linear algebra of absorbing chains, exact, for the whole and for every replicate at once.

With Q the probabilities of moves between states and b what a visit to a state yields on leaving the chain from it,

    N = (I − Q)⁻¹        expected visits [1]_
    x = N b              expected yield from each state
    v = s N              expected visits from the start

and the yield that passes through a set of states A, which is lost when those states are taken away, is

    v_A (N_AA)⁻¹ x_A

since (N_AA)⁻¹ turns visits into the chance of a *first* visit. For one state c it is v_c x_c / N_cc.

References
----------
.. [1] J. G. Kemeny, J. L. Snell, *Finite Markov Chains* (1960), ch. III.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import changes

__all__ = [
    "DENSE",
    "Flow",
    "expected",
    "expected_visits",
    "expected_yield",
    "factorise",
    "over",
    "removal_effects",
    "without_moves",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DENSE = 600
"""Chains of up to this many states are solved as dense matrices, with replicates; larger ones sparse, and once."""
_DENSE_ONCE = 3_000
"""Up to this many states, one dense inverse (seconds, 72 MB) answers for all groups where a factorisation for each took minutes."""
_BATCH = 1 << 22
_FEW = 16


@dataclass(frozen=True)
class Flow:
    """Counts of moves as arrays, the whole in front and its replicates behind it.

    Attributes
    ----------
    n_states : number of states.
    source, target : states of each kind of move; -1 is outside, before the start or after the end.
    n : times, shape [R, moves].
    """

    n_states: int
    source: Ints
    target: Ints
    n: Floats

    @cached_property
    def visits(self) -> Floats:
        """Moves out of each state, shape [R, states]."""
        return self._sum(self.n, self.source, self.source >= 0)

    def per_visit(self, amounts: Floats, which: Bools | None = None) -> Floats:
        """Sum of the amounts on the moves out of each state ÷ its visits; shape [R, states], 0 where never visited.

        With `which`, of those moves alone.
        """
        leaving = self.source >= 0
        return over(self._sum(amounts, self.source, leaving if which is None else leaving & which), self.visits)

    def start(self) -> Floats:
        """Share of all paths that begin in each state, shape [R, states]; less than 1 where some visit none."""
        begins = self._sum(self.n, self.target, (self.source < 0) & (self.target >= 0))
        return over(begins, self.n[:, self.source < 0].sum(axis=1, keepdims=True))

    def moves(self) -> tuple[Ints, Ints, Floats]:
        """Source, target and probability of each move between states."""
        inner = np.flatnonzero((self.source >= 0) & (self.target >= 0))
        source, chance = self.source[inner], self.visits.take(self.source[inner], axis=1)
        np.divide(self.n.take(inner, axis=1), chance, out=chance, where=chance != 0)
        return source, self.target[inner], chance

    def _sum(self, amounts: Floats, state: Ints, which: Bools) -> Floats:
        rows = np.flatnonzero(which)
        total, there = np.zeros((amounts.shape[0], self.n_states)), state[rows]
        if np.any(there[1:] < there[:-1]):
            np.add.at(total.T, there, amounts[:, rows].T)
        elif len(rows):  # tables are sorted by where a move comes from
            starts = np.flatnonzero(changes(there))
            total[:, there[starts]] = np.add.reduceat(amounts.take(rows, axis=1), starts, axis=1)
        return total


def fundamental(n_states: int, source: Ints, target: Ints, probability: Floats) -> Floats:
    """N = (I − Q)⁻¹ as dense matrices, shape [R, states, states]."""
    return np.asarray(np.linalg.inv(without_moves(n_states, source, target, probability)))


def without_moves(n_states: int, source: Ints, target: Ints, probability: Floats) -> Floats:
    """I − Q, shape [R, states, states]; moves of the same source and target add up. A chain of which a move is NaN is NaN."""
    cell, left = source * n_states + target, np.zeros((len(probability), n_states * n_states))
    if len(np.unique(cell)) == len(cell):
        left[:, cell] = -probability
    else:
        np.subtract.at(left.T, cell, probability.T)
    left[:, :: n_states + 1] += 1.0
    # NaN beside zeros may look singular to LAPACK, which raises; NaN alone does not
    left[np.isnan(probability).any(axis=1)] = np.nan
    return left.reshape(len(left), n_states, n_states)


def expected(
    n_states: int, source: Ints, target: Ints, probability: Floats, start: Floats, yields: Floats
) -> tuple[Floats, Floats]:
    """Expected visits from the start, shape [R, states], and expected yields from each state, shape [R, states, Y].

    Parameters
    ----------
    source, target, probability : moves between states; probability of shape [R, moves].
    start : share of paths that begin in each state, shape [R, states].
    yields : what a visit to each state yields, in Y kinds, shape [R, states, Y].

    Notes
    -----
    The replicates of a chain of more than `DENSE` states are NaN.
    """
    if n_states > DENSE:
        visits, x = np.full_like(start, np.nan), np.full_like(yields, np.nan)
        lu = factorise(n_states, source, target, probability[0])
        visits[0], x[0] = lu.solve(start[0], trans="T"), lu.solve(yields[0])
        return visits, x
    left = without_moves(n_states, source, target, probability)
    visits = np.asarray(np.linalg.solve(left.swapaxes(1, 2), start[:, :, None]))
    return visits[:, :, 0], np.asarray(np.linalg.solve(left, yields))


def expected_yield(n_states: int, source: Ints, target: Ints, probability: Floats, yields: Floats) -> Floats:
    """Expected yield of one kind from each state, shape [R, states]; as of `expected`, by one elimination and no inverse."""
    if n_states > DENSE:
        x = np.full_like(yields, np.nan)
        x[0] = factorise(n_states, source, target, probability[0]).solve(yields[0])
        return x
    left = without_moves(n_states, source, target, probability)
    return np.asarray(np.linalg.solve(left, yields[:, :, None])[:, :, 0])


def expected_visits(n_states: int, source: Ints, target: Ints, probability: Floats, start: Floats) -> Floats:
    """Expected visits to each state from the start, shape [states], of one chain: its moves and start without an axis of replicates."""
    if n_states > DENSE:
        return np.asarray(factorise(n_states, source, target, probability).solve(start, trans="T"))
    left = without_moves(n_states, source, target, probability[None])
    return np.asarray(np.linalg.solve(left.swapaxes(1, 2), start[None, :, None])[0, :, 0])


def removal_effects(flow: Flow, groups: Sequence[Ints], yields: Sequence[Floats]) -> list[Floats]:
    """Share of the yield that is lost when the states of a group are taken away, one group at a time.

    Parameters
    ----------
    groups : states to take away together, G sets; a path that would enter one ends there with nothing.
    yields : what a visit to each state yields on leaving the chain from it, each of shape [R, states].

    Returns
    -------
    One array of shape [R, G] per yield; 0 where nothing is yielded. NaN in the replicates of a chain too large for them.
    """
    start, (source, target, probability) = flow.start(), flow.moves()
    R, K = start.shape
    lost = [np.full((R, len(groups)), np.nan) for _ in yields]
    if K > DENSE:
        # Small groups need but a few columns of N, and large chains have no room for all of it.
        if K > _DENSE_ONCE or max(map(len, groups), default=0) <= _FEW:
            one = _removed_sparse(K, source, target, probability[0], start[0], groups, [b[0] for b in yields])
            for found, effect in zip(lost, one, strict=True):
                found[0] = effect
            return lost
        R = 1
    step = max(1, _BATCH // max(K * K, 1))  # so many replicates at a time that their matrices stay small
    for low in range(0, R, step):
        part = slice(low, min(low + step, R))
        N = fundamental(K, source, target, probability[part])
        v = np.einsum("rk,rkl->rl", start[part], N)
        for found, b in zip(lost, yields, strict=True):
            x = np.einsum("rkl,rl->rk", N, b[part])
            found[part] = over(_through(N, v, x, groups), (start[part] * x).sum(axis=1, keepdims=True))
    return lost


def _through(N: Floats, v: Floats, x: Floats, groups: Sequence[Ints]) -> Floats:
    """Yield that passes through each group, shape [R, G]."""
    out = np.zeros((len(N), len(groups)))
    for g, states in enumerate(groups):
        if len(states) == 1:
            c = int(states[0])
            out[:, g] = v[:, c] * x[:, c] / N[:, c, c]
        elif len(states):
            block = N[:, states[:, None], states[None, :]]
            out[:, g] = (v[:, states] * np.linalg.solve(block, x[:, states, None])[:, :, 0]).sum(axis=1)
    return out


def over(part: Floats, whole: Floats) -> Floats:
    """Quotient, and 0 where the whole is 0: what never happens yields nothing."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.asarray(np.divide(part, whole, out=np.zeros(shape), where=whole != 0))


def factorise(n_states: int, source: Ints, target: Ints, probability: Floats) -> Any:
    """LU factors of I − Q; it is a diagonally dominant M-matrix, so no row has to be exchanged."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import splu

    Q = sparse.csc_array((probability, (source, target)), shape=(n_states, n_states))
    return splu(
        (sparse.eye_array(n_states, format="csc") - Q).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def _removed_sparse(
    K: int, source: Ints, target: Ints, probability: Floats, start: Floats, groups: Sequence[Ints],
    yields: Sequence[Floats],
) -> list[Floats]:  # fmt: skip
    whole = factorise(K, source, target, probability)
    v, x = whole.solve(start, trans="T"), np.column_stack([whole.solve(b) for b in yields])
    base = start @ x
    lost = np.zeros((len(groups), len(yields)))
    for g, states in enumerate(groups):
        if len(states) <= _FEW:
            unit = np.zeros((K, len(states)))
            unit[states, np.arange(len(states))] = 1.0
            through = np.linalg.solve(whole.solve(unit)[states].T, v[states]) @ x[states]
        else:  # so many columns of N cost more than a second factorisation
            through = base - _yield_without(K, source, target, probability, start, states, yields)
        lost[g] = over(through, base)
    return list(lost.T)


def _yield_without(
    K: int, source: Ints, target: Ints, probability: Floats, start: Floats, states: Ints, yields: Sequence[Floats]
) -> Floats:
    """What is still yielded when moves into some states end with nothing."""
    kept = np.ones(K, dtype=bool)
    kept[states] = False
    if not kept.any():
        return np.zeros(len(yields))
    number, inside = np.cumsum(kept) - 1, kept[source] & kept[target]
    rest = factorise(int(kept.sum()), number[source[inside]], number[target[inside]], probability[inside])
    visits = rest.solve(start[kept], trans="T")
    return np.array([visits @ b[kept] for b in yields])
