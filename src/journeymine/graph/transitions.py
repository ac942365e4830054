"""The weighted transition graph: which step follows which, how often, how fast, and what became of those journeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, group_journeys
from journeymine.counting.counts import Basis, Counts, Merge, TableSpec
from journeymine.counting.estimates import Answer, Blocked, Number, Quantile, Share
from journeymine.counting.finish import finish
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.parts import PART, count_in_memory
from journeymine.counting.runs import changes, runs_of
from journeymine.counting.tabulate import Key, coded_key, fold_key, integer_key, pack, tabulate, tabulate_runs
from journeymine.counting.tally import Tally, row_groups
from journeymine.graph.transition_cells import count_cells, fits
from journeymine.graph.transition_graph import TransitionGraph
from journeymine.journeys.heads import CONVERTED, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take
from journeymine.stats.histogram import bucket_of
from journeymine.stats.shares import MIN_FOLDS

__all__ = ["Transitions", "transitions"]

Ints = npt.NDArray[np.int64]
_WEIGHTS: dict[str, Merge] = {
    "n": "sum", "n_journeys": "sum", "n_users": "users", "mature": "sum", "converted": "sum", "value": "wide",
}  # fmt: skip


@dataclass(frozen=True)
class Transitions:
    """The measure behind `transitions`, for `mine`. Parameters as there."""

    grain: str = "touchpoint"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "transitions"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return f"Which {self.grain} follows which, how often and how fast?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Edges and nodes by fold; times on the edges without."""
        by = dict.fromkeys(self.names, pl.String)
        edge = {**by, "from": pl.String, "to": pl.String, "status": pl.String}
        return {
            "edges": TableSpec(edge, _WEIGHTS),
            "nodes": TableSpec({**by, "label": pl.String}, _WEIGHTS),
            "times": TableSpec({**by, "from": pl.String, "to": pl.String},
                               {"n": "sum", "time": "wide", "least": "min", "greatest": "max"}, folded=False),
            "histogram": TableSpec({**by, "from": pl.String, "to": pl.String, "bucket": pl.Int64}, {"n": "sum"},
                                   folded=False),
        }  # fmt: skip

    def count(self, journeys: Journeys) -> Counts:
        """Count edges between neighbouring steps, start and end edges, and nodes."""
        tables = count_cells if fits(journeys, self.grain, self.names) else _tables
        counted = tables(journeys, self.grain, self.names, self.specs())
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), counted)

    def steps_at_once(self, journeys: Journeys) -> int | None:
        """All there are, where labels are few enough for an array of cells: the fewest tables to merge."""
        return None if fits(journeys, self.grain, self.names) else PART

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Edges and nodes with their weights."""
        edges, times, histogram = tallies["edges"], tallies["times"], tallies["histogram"]
        # Start and end edges take no time. The others come in the order of their times, and of their histograms.
        timed = np.flatnonzero((edges.rows["from"].is_not_null() & edges.rows["to"].is_not_null()).to_numpy())
        taken = {
            # NumPy rounds a quotient to the nearest; Polars multiplies by the reciprocal.
            "mean_s": times["time"] / MICRO / times["n"],
            "min_s": times.frame["least"].to_numpy() / MICRO,
            "max_s": times.frame["greatest"].to_numpy() / MICRO,
        }
        of_edge = take(timed, row_groups(histogram.rows, times.rows.columns))
        by_edge = histogram.frame.select(pl.Series("group", of_edge), "bucket", "n")
        seconds = {
            "p50_s": Quantile(by_edge, 0.5, 1 / MICRO, interval=False),
            "p90_s": Quantile(by_edge, 0.9, 1 / MICRO, interval=False),
            "p95_s": Quantile(by_edge, 0.95, 1 / MICRO, interval=False),
        }
        return {
            "edges": _answer(
                edges, {**{name: _on(timed, each, len(edges)) for name, each in taken.items()}, **seconds}
            ),
            "nodes": _answer(tallies["nodes"], {}),
        }


def transitions(
    journeys: Journeys, *, grain: str = "touchpoint", by: str | Sequence[str] | None = None, confidence: float = 0.95
) -> TransitionGraph:
    """The weighted graph of which step directly follows which inside a journey.

    Parameters
    ----------
    grain : ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any label column.
    by : journey labels (segments, or labels of the entry step) to draw a graph for each of.
    confidence : of the intervals.

    Returns
    -------
    TransitionGraph, whose `edges` has one row per (from, to); `from` is null on the edges that enter a journey, `to`
    is null on those that leave it, one per status. What enters a node leaves it:
        n i64 times · n_journeys i64 journeys that use it · n_users i64 · mature i64, converted i64 of those journeys ·
        conversion f64 = converted / mature, with interval · value f64 units of money, of those that converted, each
        journey once · mean_s, min_s, max_s, p50_s, p90_s, p95_s f64 seconds from step to step.

    Notes
    -----
    The time of an edge is the next step's timestamp minus this one's, to the microsecond; quantiles are within 0.8 %.
    Steps at the same instant follow in the documented order and their edge takes 0 s. A company touch is no step. Null labels
    are ``"(unknown)"``. Journeys of every status are in it, those still open leave by an edge of their own.
    Merges exactly. Interval: Wilson, clustered by user through the folds; none on the times, which keep no folds.
    """
    measure = Transitions(grain=grain, by=by)
    return TransitionGraph(finish(measure, count_in_memory(measure, journeys), confidence=confidence))


def _tables(
    journeys: Journeys, grain: str, by: Sequence[str], specs: Mapping[str, TableSpec]
) -> dict[str, pl.DataFrame]:
    """The four tables, of any number of labels."""
    steps = _Labelled.of(journeys, grain, by)
    inner, between = steps.between()
    took = journeys.coded.time[inner + 1] - journeys.coded.time[inner]
    timed = {name: key for name, key in between.items() if name != "status"}
    edges, nodes = specs["edges"], specs["nodes"]
    every = np.arange(len(journeys))
    return {
        "edges": pl.concat(
            [
                _weights(edges, between, steps.journey[inner], journeys),
                _weights(edges, steps.entering(), every, journeys),
                _weights(edges, steps.leaving(), every, journeys),
            ]
        ),
        "nodes": _weights(nodes, steps.nodes(), steps.journey, journeys),
        "times": tabulate(specs["times"], timed, {"time": took, "least": took, "greatest": took}),
        "histogram": tabulate(specs["histogram"], {**timed, "bucket": integer_key(bucket_of(took))}, {}),
    }


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Steps with their labels at one grain, and the key columns of edges and nodes between them."""

    journeys: Journeys
    label: Key
    status: Key
    by: Mapping[str, Key]
    journey: Ints

    @classmethod
    def of(cls, journeys: Journeys, grain: str, by: Sequence[str]) -> _Labelled:
        coded = journeys.codes(grain)
        return cls(
            journeys,
            coded_key(coded.codes, coded.labels),
            coded_key(journeys.heads.status, STATUSES),
            group_journeys(journeys, by, "entry").keys,
            journeys.journey_of_step,
        )

    def between(self) -> tuple[Ints, dict[str, Key]]:
        """Steps that have a next one, and the edges from there."""
        goes_on = np.ones(len(self.journey), dtype=bool)
        goes_on[self.journeys.offsets[1:] - 1] = False
        inner = np.flatnonzero(goes_on)
        by = {name: key.take(self.journey[inner]) for name, key in self.by.items()}
        return inner, {**by, **self._edge(self.label.take(inner), self.label.take(inner + 1), None)}

    def entering(self) -> dict[str, Key]:
        """The edge into each journey."""
        return {**self.by, **self._edge(None, self.label.take(self.journeys.offsets[:-1]), None)}

    def leaving(self) -> dict[str, Key]:
        """The edge out of each journey."""
        return {**self.by, **self._edge(self.label.take(self.journeys.offsets[1:] - 1), None, self.status)}

    def nodes(self) -> dict[str, Key]:
        """The node of each step."""
        return {**{name: key.take(self.journey) for name, key in self.by.items()}, "label": self.label}

    def _edge(self, from_: Key | None, to: Key | None, status: Key | None) -> dict[str, Key]:
        n = next(len(key.codes) for key in (from_, to) if key is not None)
        return {"from": from_ or self.label.null(n), "to": to or self.label.null(n),
                "status": status or self.status.null(n)}  # fmt: skip


def _weights(spec: TableSpec, keys: Mapping[str, Key], journey: Ints, journeys: Journeys) -> pl.DataFrame:
    """Times used, and journeys and users that use it, each counted once. Rows come journey after journey."""
    heads = journeys.heads
    fold = journeys.folds.take(heads.user).take(journey)
    cell, size = pack([*(keys[name] for name in spec.keys), fold_key(fold)], len(journey))
    runs = runs_of(cell, size, journey)
    at = runs.first
    starts = np.flatnonzero(changes(cell.take(at)))
    journey = journey.take(at)
    new_user = changes(heads.user.take(journey))
    new_user[starts] = True
    won = heads.mature & (heads.status == CONVERTED)
    values = {
        "n": runs.lengths,
        "n_users": new_user,
        "mature": heads.mature.take(journey),
        "converted": won.take(journey),
        "value": np.where(won, heads.value, 0).take(journey),
    }
    return tabulate_runs(spec, keys, at, starts, values, fold)


def _on(rows: Ints, values: npt.NDArray[np.float64], n_rows: int) -> pl.Series:
    """`values` on some of the rows, null on the others."""
    found = np.full(n_rows, np.nan)
    found[rows] = values
    return pl.Series(found).fill_nan(None)


def _answer(tally: Tally, more: Mapping[str, object]) -> Answer:
    laid, order = tally.fullest_last()
    users, n_journeys = laid.total("n_users"), laid.total("n_journeys")

    def conversion(rows: slice) -> Share:
        won, mature = laid.closely("converted", rows), laid.closely("mature", rows)
        return Share(won, mature, users=users[rows], once=users[rows] == n_journeys[rows])

    def value(rows: slice) -> Number:
        trials = laid.closely("n_journeys", rows)
        if len(trials) < MIN_FOLDS:  # no interval, so replicates of anything will do
            return Number(
                np.repeat(laid.closely("value", rows).sum(axis=0, keepdims=True) / MICRO, len(trials) + 1, 0), trials
            )
        return Number(laid.spread("value", rows) / MICRO, trials[laid.present])

    def immature(rows: slice) -> npt.NDArray[np.float64]:
        return laid.closely("n_journeys", rows) - laid.closely("mature", rows)

    return Answer(
        keys=tally.rows,
        columns={
            **{name: tally.total(name) for name in ("n", "n_journeys", "n_users", "mature", "converted")},
            "conversion": Blocked(len(tally), conversion, order),
            "value": Blocked(len(tally), value, order),
            **more,
        },
        users=tally.total("n_users"),
        converting=tally.total("converted"),
        people={"immature": Blocked(len(tally), immature, order)},
    )
