"""The weighted transition graph: which step follows which, how often, how fast, and what became of those journeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, Merge, TableSpec
from journeymine.counting.estimates import Answer, LongNumber, LongRest, LongShare
from journeymine.counting.mature import NO_GOAL
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.graph.transition_cells import count_cells, fits
from journeymine.graph.transition_graph import TransitionGraph
from journeymine.graph.transition_rows import count_rows
from journeymine.graph.transition_times import edge_times
from journeymine.journeys.journeys import Journeys

__all__ = ["Transitions", "transitions"]

Ints = npt.NDArray[np.int64]
_WEIGHTS: dict[str, Merge] = {
    "n": "sum", "n_journeys": "sum", "n_users": "users", "mature": "sum", "converted": "sum", "value": "wide",
}  # fmt: skip


@dataclass(frozen=True)
class Transitions:
    """The measure behind `transitions`, for `mine`. Parameters as in `transitions`."""

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
            "edges": TableSpec(edge, _WEIGHTS, long=True),
            "nodes": TableSpec({**by, "label": pl.String}, _WEIGHTS, long=True),
            "times": TableSpec({**by, "from": pl.String, "to": pl.String},
                               {"n": "sum", "_time": "wide", "least": "min", "greatest": "max"}, folded=False, long=True),
            "histogram": TableSpec({**by, "from": pl.String, "to": pl.String, "_bucket": pl.Int64}, {"n": "sum"},
                                   folded=False, long=True),
        }  # fmt: skip

    def count(self, journeys: Journeys) -> Counts:
        """Count edges between neighbouring steps, start and end edges, and nodes."""
        count = count_cells if fits(journeys, self.grain, self.names) else count_rows
        tables = count(journeys, self.grain, self.names, self.specs())
        return Counts(question_of(self), basis_of(journeys), self.specs(), tables)

    def steps_at_once(self, journeys: Journeys) -> int:
        """All there are: they are counted on all cores, and no tables are merged."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Edges and nodes with their weights."""
        edges, has_goal = tallies["edges"], basis.rules.goal is not None
        return {
            "edges": _answer(edges, edge_times(edges, tallies["times"], tallies["histogram"]), has_goal=has_goal),
            "nodes": _answer(tallies["nodes"], {}, has_goal=has_goal),
        }


def transitions(
    journeys: Journeys, *, grain: str = "touchpoint", by: str | Sequence[str] | None = None, confidence: float = 0.95
) -> TransitionGraph:
    """Weighted graph of which step directly follows which inside a journey.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : the labels of the nodes: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any label
        column.
    by : labels of journeys (segments, or labels of the entry step): makes a graph for each group. By default one graph.
    confidence : level of the intervals.

    Returns
    -------
    TransitionGraph : its `edges` has one row per (from, to). `from` is null where a journey begins; `to` is null where
        it ends, with one row per status, so what enters a node also leaves it:
        n i64: times the edge is used; n_journeys, n_users i64: journeys that use it, and their users
        mature i64: mature ones of those journeys, without service after an earlier goal; converted i64: of the mature
        conversion f64: converted ÷ mature, 0–1, with interval; null without a goal
        value f64: units of money of the converted, each journey once
        mean_s, min_s, max_s, p50_s, p90_s, p95_s f64: seconds from step to step
        sparse bool: few users behind the row; reason str: why there is no conversion

    Notes
    -----
    The time of an edge is the next step's timestamp minus this one's, to the microsecond; quantiles are within 0.8 %.
    Steps at one instant are in the documented order, and their edge takes 0 s. Company touches are no steps. Null
    labels are ``"(unknown)"``. Journeys of every status are included; those still open leave by an edge of their own.
    Counts merge exactly. Interval: Wilson, clustered by user through the folds; the times keep no folds and have none.
    """
    measure = Transitions(grain=grain, by=by)
    return TransitionGraph(answer(measure, journeys, confidence=confidence))


def _answer(tally: Tally, more: Mapping[str, object], *, has_goal: bool) -> Answer:
    totals = {name: tally.total(name) for name in ("n", "n_journeys", "n_users", "mature", "converted")}
    once = totals["n_users"] == totals["n_journeys"]
    return Answer(
        keys=tally.rows,
        columns={
            **totals,
            "conversion": LongShare(tally, "converted", "mature", totals, once, known=has_goal),
            "value": LongNumber(tally, "value", "n_journeys", unit=MICRO),
            **more,
        },
        users=totals["n_users"],
        converting=totals["converted"],
        reasons=None if has_goal else [NO_GOAL] * len(tally),
        people={"immature": LongRest(tally, "n_journeys", "mature")},
    )
