"""`MarkovChain`: where journeys end up, after how many steps and how long, and what would be if."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Basis
from journeymine.counting.estimates import Number, SolvedShare
from journeymine.counting.finish import interval_of
from journeymine.counting.result import Result
from journeymine.counting.result_text import text_of
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.graph.markov_chances import chance_of
from journeymine.graph.markov_solve import Flow, expected, expected_visits, expected_yield, over
from journeymine.graph.markov_states import OUTCOMES

__all__ = ["ChainArrays", "MarkovChain", "Solved", "State"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
State = str | Sequence[str]
"""A state: a label, or for a chain of higher order the last labels, oldest first."""
_CONVERTED, _LOST = OUTCOMES.index("converted"), OUTCOMES.index("lost")


@dataclass(frozen=True, slots=True)
class Solved:
    """What a chain comes to, the whole in front and its replicates behind it.

    Attributes
    ----------
    visits : expected visits to each state per journey, shape [R, states].
    outcomes : chance of each outcome from each state, shape [R, states, outcomes].
    steps, seconds : expected further steps, the goal among them, and time, from each state, shape [R, states].
    total : outcomes, steps and seconds of a journey from its start, shape [R, outcomes + 2].
    """

    visits: Floats
    outcomes: Floats
    steps: Floats
    seconds: Floats
    total: Floats


@dataclass(frozen=True, slots=True)
class ChainArrays:
    """Probabilities of a chain, the whole in front and its replicates behind it (shape [R, …] each).

    Attributes
    ----------
    states : labels of each state, oldest first.
    source, target : states of each move.
    move : probability of each move.
    exits : chance of each outcome right after each state, shape [R, states, outcomes].
    start, direct : share of journeys that begin in each state, and that end without visiting any.
    move_s, exit_s, start_s : mean seconds of each move, from each state to the goal, and before the first state is full.
    """

    states: tuple[tuple[str, ...], ...]
    source: Ints
    target: Ints
    move: Floats
    exits: Floats
    start: Floats
    direct: Floats
    move_s: Floats
    exit_s: Floats
    start_s: Floats

    def conversion(self) -> Floats:
        """Chance that a journey converts, from its start: what `solve` says, for less; shape [R]."""
        x = expected_yield(len(self.states), self.source, self.target, self.move, self.exits[:, :, _CONVERTED])
        return np.asarray((self.start * x).sum(axis=1) + self.direct[:, _CONVERTED])

    def solve(self) -> Solved:
        """Solve for visits, outcomes, steps and time."""
        K = len(self.states)
        stay = np.zeros_like(self.start)
        np.add.at(stay.T, self.source, (self.move * self.move_s).T)
        stay += self.exits[:, :, _CONVERTED] * self.exit_s
        ones = np.ones_like(stay)
        yields = np.concatenate((self.exits, ones[:, :, None], stay[:, :, None]), axis=2)
        visits, x = expected(K, self.source, self.target, self.move, self.start, yields)
        outcomes, seconds = x[:, :, : len(OUTCOMES)], x[:, :, -1]
        # A visit to this state is no further step; the goal is one.
        steps = x[:, :, -2] - 1 + outcomes[:, :, _CONVERTED]
        length = np.array([len(state) for state in self.states], dtype=np.float64)
        # States never visited in a replicate weigh nothing in its total.
        total = np.concatenate(
            (
                np.einsum("rk,rko->ro", self.start, outcomes) + self.direct,
                ((self.start * (steps + length)).sum(axis=1) + self.direct[:, _CONVERTED])[:, None],
                ((self.start * (seconds + self.start_s)).sum(axis=1))[:, None],
            ),
            axis=1,
        )
        return Solved(visits, outcomes, steps, seconds, total)


def chain_arrays(states: tuple[tuple[str, ...], ...], flow: Flow, outcome: Ints, seconds: Floats | None) -> ChainArrays:
    """Probabilities from counts.

    Parameters
    ----------
    outcome : code into `OUTCOMES` of each move that ends a journey, -1 of the others.
    seconds : sum of the time on each move, shape [R, moves]; None where it is not known, and then all times are NaN.
    """
    source, target, move = flow.moves()
    ends = [outcome == o for o in range(len(OUTCOMES))]
    exits = np.stack([flow.per_visit(flow.n, which) for which in ends], axis=2)
    outside = flow.source < 0
    paths = flow.n[:, outside].sum(axis=1, keepdims=True)
    direct = np.stack([flow.n[:, outside & which].sum(axis=1) for which in ends], axis=1)
    start = flow.start()
    if seconds is None:
        unknown = np.full((len(move), 1), np.nan)
        times = tuple(np.broadcast_to(unknown, like.shape) for like in (move, start, start))
    else:
        times = _times(flow, seconds, ends[_CONVERTED])
    return ChainArrays(states, source, target, move, exits, start, over(direct, paths), *times)


def _times(flow: Flow, seconds: Floats, won: Bools) -> tuple[Floats, Floats, Floats]:
    """Mean seconds of each move between states, from each state to the goal, and before the first state is full."""
    inner = np.flatnonzero((flow.source >= 0) & (flow.target >= 0))
    begins = np.flatnonzero((flow.source < 0) & (flow.target >= 0))
    exit_s = over(flow.per_visit(seconds, won), flow.per_visit(flow.n, won))
    start_s = np.zeros_like(exit_s)
    start_s[:, flow.target[begins]] = over(seconds[:, begins], flow.n[:, begins])
    return over(seconds.take(inner, axis=1), flow.n.take(inner, axis=1)), exit_s, start_s


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A Markov chain of order k over the labels of journeys, up to the first goal. Made by `markov`.

    Attributes
    ----------
    answer : makes the answer behind it, which takes a while when there are many states; `result` keeps it.
    confidence : level of the intervals.
    basis : what the journeys were built from: their rules and the bounds of the log.
    arrays : the probabilities of the chain.
    n_journeys : number of journeys that it was counted from.
    trials : those journeys by fold; None without folds.
    changes : what was changed against the counts, in words.
    base : of a what-if: the chain as counted.
    """

    answer: Callable[[], Result] = field(repr=False)
    confidence: float
    basis: Basis
    arrays: ChainArrays = field(repr=False)
    n_journeys: int
    trials: Floats | None = field(repr=False, default=None)
    changes: tuple[str, ...] = ()
    base: MarkovChain | None = field(repr=False, default=None)

    @cached_property
    def result(self) -> Result:
        """The answer behind the chain, as counted; `states` and `moves` are its frames."""
        return self.answer() if self.base is None else self.base.result

    @property
    def states(self) -> pl.DataFrame:
        """One row per state, as counted: chance of each outcome, further steps and time from there."""
        return self.result.frame

    @property
    def moves(self) -> pl.DataFrame:
        """One row per move from state to state or to an outcome, as counted."""
        return self.result.tables["moves"]

    @property
    def conversion(self) -> float:
        """Chance that a journey converts; of the chain as counted, the headline conversion share.

        NaN without journeys, and without a goal.
        """
        return float(self._conversion[0]) if self.n_journeys else math.nan

    @property
    def gained(self) -> tuple[float, float | None, float | None]:
        """Further conversions of a what-if among all journeys, with limits: ``conversions`` of `summary` alone."""
        before = self if self.base is None else self.base
        return self.further(self._conversion - before._conversion)

    def further(self, gain: Floats) -> tuple[float, float | None, float | None]:
        """Conversions that a gain in the chance to convert, of shape [R], brings among all journeys, with limits; NaN where none can."""
        found = self._with_limits("", Number(gain[:, None] * self.n_journeys))
        lower, upper = (found.get(limit, [None])[0] for limit in ("_lower", "_upper"))
        return math.nan if found[""][0] is None else found[""][0], lower, upper

    @cached_property
    def visits(self) -> Floats:
        """Expected visits to each state per journey, without intervals; shape [states]."""
        chain = self.arrays
        return expected_visits(len(chain.states), chain.source, chain.target, chain.move[0], chain.start[0])

    @cached_property
    def _conversion(self) -> Floats:
        found = self.arrays.conversion()
        return found if self.basis.rules.goal is not None else np.full_like(found, np.nan)

    @property
    def summary(self) -> pl.DataFrame:
        """One row: outcomes, steps and seconds of a journey from its start, with intervals.

        A what-if also has ``change``, the difference in conversion from the chain as counted, and ``conversions``, that
        difference times the number of journeys.
        """
        total = self.arrays.solve().total[:, :, None]
        columns: dict[str, Number | SolvedShare] = {
            name: chance_of(name, total[:, i], None, self.basis.rules) for i, name in enumerate(OUTCOMES)
        }
        columns |= {"steps": Number(total[:, -2]), "seconds": Number(total[:, -1])}
        if self.base is not None:
            change = columns["converted"].values - self.base.arrays.solve().total[:, [_CONVERTED]]
            columns |= {"change": Number(change), "conversions": Number(change * self.n_journeys)}
        frame: dict[str, Any] = {"n_journeys": [self.n_journeys]}
        for name, number in columns.items():
            frame |= self._with_limits(name, number)
        return pl.DataFrame(frame)

    def __repr__(self) -> str:
        changed = f", if {' and '.join(self.changes)}" if self.changes else ""
        title = f"<MarkovChain: {len(self.arrays.states)} states, {self.n_journeys:,} journeys{changed}>"
        return text_of(title, self.summary, where=".summary")

    def _repr_html_(self) -> str:
        return self.result._repr_html_()

    def what_if(
        self,
        *,
        remove: Collection[str] | str = (),
        probability: Mapping[tuple[State, State], float] | None = None,
        onward: Mapping[State, float] | None = None,
    ) -> MarkovChain:
        """Make a new chain with some of the probabilities changed.

        Parameters
        ----------
        remove : labels to take away: a journey that would enter a state with one of them is lost instead.
        probability : (from, to) → probability of that move. The other ways on from there keep their proportions.
        onward : state → chance that a journey is *not* lost there. All its ways on, the goal among them, keep their
            proportions.

        Returns
        -------
        MarkovChain : its `summary` has the change against the chain as counted.

        Raises
        ------
        UnknownLabelError : there is no such label or state.
        QuestionError : a probability is outside 0–1, a state has no way on that could be scaled, or the change closes
            every way out of some state.
        """
        from journeymine.graph.markov_what_if import change_onward, change_probability, remove_labels, without_traps

        changed, words = self.arrays, list(self.changes)
        if not isinstance(remove, Iterable):
            raise QuestionError(f"remove={remove!r} names no label", hint="give a label, or a list of labels")
        gone = (remove,) if isinstance(remove, str) else tuple(remove)
        if gone:
            changed = remove_labels(changed, gone)
            words.append(f"without {', '.join(map(repr, gone))}")
        moves = _chances("probability", probability, "name moves: {('visit', 'cart'): 0.6}", of_moves=True)
        for (a, b), p in moves.items():
            changed = change_probability(changed, self._at(changed, a), self._at(changed, b), p)
            words.append(f"{_spelled(a)} → {_spelled(b)} at {p:g}")
        if there := _chances("onward", onward, "name states: {'cart': 0.9}"):
            changed = change_onward(changed, {self._at(changed, state): p for state, p in there.items()})
            words += [f"{_spelled(state)} onward at {p:g}" for state, p in there.items()]
        if not words[len(self.changes) :]:
            raise QuestionError("what_if without a change", hint="give remove=, probability= or onward=")
        return replace(self, arrays=without_traps(changed), changes=tuple(words), base=self.base or self)

    def _at(self, arrays: ChainArrays, state: State) -> int:
        wanted = (state,) if isinstance(state, str) else tuple(state)
        if wanted not in arrays.states:
            raise UnknownLabelError.naming("state", _spelled(wanted), map(_spelled, arrays.states), place="this chain")
        return arrays.states.index(wanted)

    def _with_limits(self, name: str, number: Number | SolvedShare) -> dict[str, Any]:
        """A number of all journeys with its limits, by the folds of the journeys; number has one row."""
        value = float(number.values[0, 0]) if self.n_journeys else math.nan
        found = {name: [None if math.isnan(value) else value]}
        if not self.n_journeys or self.trials is None or len(number.values) < 2:
            return {each: pl.Series(values, dtype=pl.Float64) for each, values in found.items()}
        trials = self.trials[self.trials > 0]
        limits = interval_of(replace(number, trials=trials[:, None]), self.confidence)
        lower, upper = (pl.Series(limit, dtype=pl.Float64).fill_nan(None) for limit in (limits.lower, limits.upper))
        return {name: found[name], f"{name}_lower": lower, f"{name}_upper": upper}


def _chances(name: str, given: Any, hint: str, *, of_moves: bool = False) -> Mapping[Any, float]:
    """Chances by state or by move; none where none are given."""
    chances = {} if given is None else given
    moves = isinstance(chances, Mapping) and all(isinstance(each, tuple) and len(each) == 2 for each in chances)
    if not (moves if of_moves else isinstance(chances, Mapping)):
        raise QuestionError(f"{name}={given!r}", hint=hint)
    return chances


def _spelled(state: State) -> str:
    return state if isinstance(state, str) else " > ".join(state)
