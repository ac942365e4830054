"""The chain of order 1 without its times: for those who ask where journeys end up and not when, at a fraction of the cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.counting.measure import basis_of
from journeymine.counting.runs import changes
from journeymine.graph.markov import markov
from journeymine.graph.markov_chain import MarkovChain, chain_arrays
from journeymine.graph.markov_solve import DENSE, Flow
from journeymine.graph.move_numbers import count_moves
from journeymine.journeys.journeys import Journeys
from journeymine.stats.folds import FOLDS

__all__ = ["untimed_chain"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def untimed_chain(journeys: Journeys, *, grain: str, confidence: float = 0.95) -> MarkovChain:
    """The chain that `markov` makes at this grain, of order 1; its times are NaN.

    Nobody asks such a chain for its tables: it has those of `markov`, which are counted when somebody does.
    """
    journeys = journeys.with_grains([grain])
    numbers, move, n = count_moves(journeys, grain)
    fold, cell = move % FOLDS, move // FOLDS
    new = changes(cell)
    cell, of_row = cell[new], np.cumsum(new) - 1
    source, target = np.divmod(cell, numbers.width)
    labels = journeys.codes(grain).labels
    seen = np.unique(source[source < numbers.n_labels])  # whoever comes to a label leaves it
    state = np.full(numbers.n_labels + 1, -1, dtype=np.int64)
    state[seen] = np.arange(len(seen))
    ends = target >= numbers.n_labels
    by_fold = np.bincount(fold, np.where(source[of_row] == numbers.n_labels, n, 0), minlength=FOLDS).astype(np.float64)
    flow = Flow(len(seen), state[source], np.where(ends, -1, state[np.where(ends, 0, target)]),
                _replicates(n, fold, of_row, len(cell), once=len(seen) > DENSE))  # fmt: skip
    return MarkovChain(
        answer=lambda: markov(journeys, grain=grain, confidence=confidence).result,
        confidence=confidence,
        basis=basis_of(journeys),
        arrays=chain_arrays(
            tuple((labels[at],) for at in seen), flow, np.where(ends, target - numbers.n_labels, -1), None
        ),
        n_journeys=int(by_fold.sum()),
        trials=by_fold,
    )


def _replicates(n: Ints, fold: Ints, row: Ints, n_rows: int, *, once: bool) -> Floats:
    """Times of each move, of the whole and without each fold that holds anybody; of the whole alone where that is asked."""
    total = np.bincount(row, n, minlength=n_rows).astype(np.float64)
    if once:
        return total[None]
    present = np.bincount(fold, minlength=FOLDS) > 0
    found = np.empty((1 + int(present.sum()), n_rows))
    found[:] = total
    found[np.cumsum(present)[fold], row] -= n  # not scaled up to the whole: only proportions are asked for
    return found
