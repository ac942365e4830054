"""Markov: a chain of order k over the steps of journeys, up to the first goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, SolvedShare
from journeymine.counting.finish import check_question, finish
from journeymine.counting.mature import NO_GOAL
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.parts import PART, count_in_memory
from journeymine.counting.taken import check_names
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.graph.markov_chain import ChainArrays, MarkovChain, chain_arrays
from journeymine.graph.markov_chances import chance_of
from journeymine.graph.markov_counts import Paths, chain_spec, count_walks
from journeymine.graph.markov_groups import ChainsOnDemand, MarkovChains, groups_of, together
from journeymine.graph.markov_solve import DENSE, Flow
from journeymine.graph.markov_states import OUTCOMES, check_order, labels_of_state, walks
from journeymine.graph.move_numbers import OUTCOME_OF
from journeymine.graph.move_tables import count_move_table, fits
from journeymine.journeys.heads import CONVERTED, SERVICE
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.journeys.rules import JourneyRules
from journeymine.stats.intervals import normal_quantile

__all__ = ["Markov", "markov"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Markov:
    """The measure behind `markov`, for `mine`. Parameters as in `markov`."""

    grain: str = "touchpoint"
    order: int = 1
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "markov"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1
    so_far: ClassVar[tuple[str, ...]] = ("open", "steps", "seconds", "visits")

    def __post_init__(self) -> None:
        check_order(self.order)
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f", per {' × '.join(self.names)}" if self.names else ""
        return f"From each {self.grain}, where do journeys end up, after how many steps, and how soon{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Moves between states, by group; kept by fold up to order 2."""
        return {"moves": chain_spec(self.names, self.order, timed=True)}

    def count(self, journeys: Journeys) -> Counts:
        """Count the moves of mature journeys, up to the first goal."""
        specs = self.specs()
        if self.order == 1 and fits(journeys, self.grain, self.names):
            table = count_move_table(journeys, self.grain, self.names, specs["moves"])
        else:
            table = self._walked(journeys, specs["moves"])
        return Counts.of(question_of(self), basis_of(journeys), specs, {"moves": table})

    def steps_at_once(self, journeys: Journeys) -> int | None:
        """All there are where moves are added up block by block, so that the fewest tables are merged."""
        return None if self.order == 1 and fits(journeys, self.grain, self.names) else PART

    def _walked(self, journeys: Journeys, spec: TableSpec) -> pl.DataFrame:
        """The moves of any order, as walks over states."""
        heads = journeys.heads
        coded = journeys.codes(self.grain)
        kept = heads.mature & (heads.status != SERVICE)
        won = heads.status == CONVERTED
        length = np.where(kept, np.where(won, heads.goal_step, journeys.lengths), 0)
        inside = np.repeat(
            np.tile([True, False], len(journeys)), np.column_stack((length, journeys.lengths - length)).ravel()
        )
        journey, time = np.flatnonzero(kept), journeys.coded.time[inside]
        offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(length[journey])))
        walk = walks(coded.codes[inside], offsets, len(coded.labels), self.order)
        goal = journeys.coded.time[journeys.offsets[journey] + np.maximum(heads.goal_step[journey], 0)]
        until = np.where(won[journey], goal, heads.end[journey])
        groups = group_journeys(journeys, self.names, "entry").keys
        paths = Paths(
            keys={name: key.take(journey) for name, key in groups.items()},
            outcome=OUTCOME_OF[heads.status[journey]],
            value=np.where(won, heads.value, 0)[journey],
            fold=journeys.folds[heads.user[journey]],
            time=_stays(walk.at, walk.offsets, time, until),
            lead=_leads(walk.at, walk.offsets, time, offsets) if self.order > 1 else None,
        )
        return count_walks(spec, walk, coded.labels, paths)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Each state's outcomes, further steps and time; and the moves. One chain per group."""
        chains = groups_of(tallies["moves"], self.names)
        return {
            "markov": together(
                [(labels, _states_answer(tally, self.order, basis.rules)) for labels, tally in chains], self.names
            ),
            "moves": _moves_answer(tallies["moves"], self.names),
        }

    def chain(self, counts: Counts, *, confidence: float = 0.95) -> MarkovChain:
        """The chain of merged counts, e.g. of ``mined.counts["markov"]``. With a breakdown use `chains`."""
        if self.names:
            raise QuestionError(f"by={list(self.names)} makes a chain per group", hint="ask for .chains(counts)")
        check_question(self, counts)
        normal_quantile(confidence)  # refuses what is no confidence, before anything is asked of the chain
        tally = _tally(self.specs()["moves"], counts)
        begins = tally.rows["from"].is_null().to_numpy()
        by_fold = tally.by_fold("n")[:, begins].sum(axis=1)
        return MarkovChain(
            answer=partial(finish, self, counts, confidence=confidence),
            confidence=confidence,
            basis=counts.basis,
            arrays=arrays_of(tally),
            n_journeys=int(by_fold.sum()),
            trials=by_fold if tally.spec.folded else None,
        )

    def chains(self, counts: Counts, *, confidence: float = 0.95) -> MarkovChains:
        """The chain of each group, from merged counts."""
        plain = replace(self, by=None)
        parts = counts.tables["moves"].partition_by(list(self.names), maintain_order=True, include_key=False,
                                                    as_dict=True)  # fmt: skip
        whole = {
            labels: Counts(question_of(plain), counts.basis, plain.specs(), {"moves": part})
            for labels, part in parts.items()
        }
        return MarkovChains(
            finish(self, counts, confidence=confidence),
            self.names,
            ChainsOnDemand(dict(sorted(whole.items())), partial(plain.chain, confidence=confidence)),
        )


@overload
def markov(
    journeys: Journeys, *, grain: str = ..., order: int = ..., by: None = ..., confidence: float = ...
) -> MarkovChain: ...
@overload
def markov(
    journeys: Journeys, *, grain: str = ..., order: int = ..., by: str | Sequence[str], confidence: float = ...
) -> MarkovChains: ...
def markov(
    journeys: Journeys,
    *,
    grain: str = "touchpoint",
    order: int = 1,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> MarkovChain | MarkovChains:
    """Absorbing Markov chain of the steps of mature journeys, up to their first goal.

    P(j | i) = moves from i to j / visits to i

    A journey ends converted, lost, open or ended, and the chances of the four add up to 1. What enters a state leaves
    it, so the chain's conversion, mean steps and mean time *are* those of the journeys. The chain adds the same figures
    from every state, and what they would be if something changed (`MarkovChain.what_if`).

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : the labels of the states: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any
        label column.
    order : how many of the last labels a state remembers. A path shorter than that is one state.
    by : one or several of channel, stage, touchpoint, owner, any attribute (each of the entry step) or segment: makes a
        chain for each group, from its journeys alone. By default one chain.
    confidence : level of the intervals.

    Returns
    -------
    MarkovChain : or with `by`, `MarkovChains`: a chain for each group, under its labels.
    `states` has one row per state:
        state list[str]: the last labels, oldest first
        n i64: visits; visits f64: visits per journey
        converted, lost, open, ended f64: chance of each outcome from here, 0–1
        steps f64: further steps, the goal among them; seconds f64: mean time until the goal or the last step
        reason str: why there is no interval
    `moves` has one row per move:
        from, to list[str] · outcome str · n i64 · probability f64, 0–1 · mean_s f64 seconds
    Estimates have …_lower and …_upper up to order 2.

    Notes
    -----
    Solved exactly, by sparse or dense linear algebra, without simulation [1]_. Journeys of status ``service`` are
    outside; open ones end in an outcome of their own. Company touches are no steps, and steps of the after-sale part
    are not included. Steps at one instant are in the documented order. Null labels are ``"(unknown)"``. Counts merge
    exactly. Interval: the jackknife over the 64 folds, solved again without each. With `by`, each group is solved so:
    some milliseconds a group of few states.

    References
    ----------
    .. [1] J. G. Kemeny, J. L. Snell, *Finite Markov Chains* (1960), ch. III.
    """
    check_journeys(journeys)
    measure = Markov(grain=grain, order=order, by=by)
    check_names(measure)
    counts = count_in_memory(measure, journeys.with_grains([grain]))  # so that all parts have the same codes
    return (
        measure.chains(counts, confidence=confidence) if measure.names else measure.chain(counts, confidence=confidence)
    )


def arrays_of(tally: Tally) -> ChainArrays:
    """Probabilities of a chain from its merged moves; replicates where it keeps folds."""
    begins, ends = tally.rows["from"].to_list(), tally.rows["to"].to_list()
    texts = sorted({*begins, *ends} - {None})
    number = {None: -1, **{text: i for i, text in enumerate(texts)}}
    source, target = (np.array([number[text] for text in column], dtype=np.int64) for column in (begins, ends))
    outcome = np.array([-1 if name is None else OUTCOMES.index(name) for name in tally.rows["outcome"]], dtype=np.int64)
    n, time = (tally.spread(c) if tally.spec.folded else tally[c][None] for c in ("n", "_time"))
    states = tuple(labels_of_state(text) for text in texts)
    return chain_arrays(states, Flow(len(states), source, target, n), outcome, time / MICRO)


def _stays(at: Ints, offsets: Ints, time: Ints, until: Ints) -> Ints:
    """µs from the arrival in each state to the next arrival, and from the last to the path's end."""
    stay = np.zeros(len(at), dtype=np.int64)
    stay[:-1] = time[at[1:]] - time[at[:-1]]
    some = np.flatnonzero(np.diff(offsets))
    last = offsets[1:][some] - 1
    stay[last] = until[some] - time[at[last]]
    return stay


def _leads(at: Ints, offsets: Ints, time: Ints, begins: Ints) -> Ints:
    """µs from the first step of each path to its first state; 0 for order 1."""
    lead = np.zeros(len(offsets) - 1, dtype=np.int64)
    some = np.flatnonzero(np.diff(offsets))
    lead[some] = time[at[offsets[some]]] - time[begins[some]]
    return lead


def _visits_by_fold(tally: Tally, chain: ChainArrays) -> Floats:
    number = {state: i for i, state in enumerate(chain.states)}
    out = np.zeros((64, len(chain.states)))
    rows = np.flatnonzero(tally.rows["from"].is_not_null().to_numpy())
    at = np.array([number[labels_of_state(text)] for text in tally.rows["from"].drop_nulls()], dtype=np.int64)
    np.add.at(out.T, at, tally.by_fold("n")[:, rows].T)
    return out


def _states_answer(tally: Tally, order: int, rules: JourneyRules) -> Answer:
    chain = arrays_of(tally)
    solved = chain.solve()
    visits = _visits_by_fold(tally, chain)
    trials = visits[tally.present] if tally.spec.folded else None
    columns: dict[str, object] = {
        "n": visits.sum(axis=0).astype(np.int64),
        "visits": Number(solved.visits, trials, least=0.0),
        **{name: chance_of(name, solved.outcomes[:, :, i], trials, rules) for i, name in enumerate(OUTCOMES)},
        "steps": Number(solved.steps, trials, least=0.0),
        "seconds": Number(solved.seconds, trials, least=0.0),
    }
    if not tally.spec.folded:
        columns = {k: _plain(v) if isinstance(v, Number | SolvedShare) else v for k, v in columns.items()}
    return Answer(
        keys=pl.DataFrame({"state": pl.Series([list(s) for s in chain.states], dtype=pl.List(pl.String))}),
        columns=columns,
        reasons=_reasons(tally, len(chain.states), rules),
        notes=() if tally.spec.folded else (f"A chain of order {order} keeps no folds.",),
    )


def _plain(number: Number | SolvedShare) -> pl.Series:
    """A number of a chain without folds; NaN becomes null."""
    return pl.Series(number.values[0], dtype=pl.Float64).fill_nan(None)


def _reasons(tally: Tally, n_states: int, rules: JourneyRules) -> list[str | None] | None:
    """Why states have no intervals, or no conversion."""
    if rules.goal is None:
        return [NO_GOAL] * n_states
    if tally.spec.folded and n_states > DENSE:
        return [f"a chain of {n_states:,} states is solved once, without the replicates of an interval"] * n_states
    return None


def _moves_answer(tally: Tally, names: Sequence[str]) -> Answer:
    n, time = tally.total("n"), tally.total_float("_time") / MICRO
    leaving = tally.rows.with_columns(n=n).select(pl.col("n") / pl.col("n").sum().over([*names, "from"])).to_series()
    groups = {name: tally.rows[name].cast(pl.String) for name in names}
    spelled = {column: _spelled(tally.rows[column]) for column in ("from", "to")}
    return Answer(
        keys=pl.DataFrame({**groups, **spelled, "outcome": tally.rows["outcome"]}),
        columns={"n": n, "probability": leaving, "mean_s": time / np.maximum(n, 1)},
    )


def _spelled(texts: pl.Series) -> pl.Series:
    """The labels of each state; each state is spelled once, since there may be many more moves."""
    known = texts.drop_nulls().unique().to_list()
    number = {text: i for i, text in enumerate(known)}
    at = np.array([number.get(text, len(known)) for text in texts.to_list()], dtype=np.int64)
    labels = pl.Series(texts.name, [*(list(labels_of_state(text)) for text in known), None], dtype=pl.List(pl.String))
    return labels.gather(at)


def _tally(spec: TableSpec, counts: Counts) -> Tally:
    present = np.zeros(64, dtype=bool)
    if spec.folded:
        present[counts.tables["moves"]["fold"].unique().to_numpy()] = True
    return Tally.of(spec, counts.tables["moves"], present)
