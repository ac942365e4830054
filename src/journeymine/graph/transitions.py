"""The weighted transition graph: which step follows which, how often, how fast, and what became of those journeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, group_journeys, places
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.finish import finish
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.tabulate import Key, distinct_users, integer_key, key_of, pack, tabulate
from journeymine.counting.tally import Tally, histogram_of
from journeymine.graph.transition_graph import TransitionGraph
from journeymine.journeys.heads import CONVERTED, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.stats.histogram import bucket_of

__all__ = ["Transitions", "transitions"]

Ints = npt.NDArray[np.int64]
_WEIGHTS: dict[str, Literal["sum", "min", "max", "wide"]] = {
    "n": "sum", "n_journeys": "sum", "n_users": "sum", "mature": "sum", "converted": "sum", "value": "wide",
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
        specs = self.specs()
        coded = journeys.codes(self.grain)
        of_step = journeys.journey_of_step
        grouped = group_journeys(journeys, self.names, "entry")
        inner = np.flatnonzero(of_step[1:] == of_step[:-1]) if len(of_step) else of_step
        labels = pl.Series([*coded.labels, None], dtype=pl.String)
        absent = len(coded.labels)
        first, last = journeys.offsets[:-1], journeys.offsets[1:] - 1
        n, m = len(inner), len(journeys)
        from_ = np.concatenate((coded.codes[inner], np.full(m, absent), coded.codes[last]))
        to = np.concatenate((coded.codes[inner + 1], coded.codes[first], np.full(m, absent)))
        status = np.concatenate((np.full(n, len(STATUSES)), np.full(m, len(STATUSES)), journeys.heads.status))
        journey = np.concatenate((of_step[inner], np.arange(m), np.arange(m)))
        by = {name: key.take(journey) for name, key in grouped.keys.items()}
        edges = {**by, "from": Key(from_, labels), "to": Key(to, labels), "status": key_of(status, (*STATUSES, None))}
        nodes = {
            **{name: key.take(of_step) for name, key in grouped.keys.items()},
            "label": Key(coded.codes, labels[:-1]),
        }
        timed = {name: key.take(slice(0, n)) for name, key in edges.items() if name != "status"}
        took = journeys.coded.time[inner + 1] - journeys.coded.time[inner]
        return Counts.of(
            question_of(self),
            basis_of(journeys),
            specs,
            {
                "edges": _weights(specs["edges"], edges, journey, journeys),
                "nodes": _weights(specs["nodes"], nodes, of_step, journeys),
                "times": tabulate(specs["times"], timed, {"time": took, "least": took, "greatest": took}),
                "histogram": tabulate(specs["histogram"], {**timed, "bucket": integer_key(bucket_of(took))}, {}),
            },
        )

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Edges and nodes with their weights."""
        edges, times = tallies["edges"], tallies["times"]
        on_edge = times.rows.hstack(
            pl.DataFrame(
                {
                    "mean_s": times["time"] / MICRO / times["n"],
                    "min_s": times.frame["least"] / MICRO,
                    "max_s": times.frame["greatest"] / MICRO,
                }
            )
        )
        # Start and end edges take no time: their row of times is null.
        known = edges.rows.join(
            on_edge, on=times.rows.columns, how="left", nulls_equal=True, maintain_order="left"
        ).select("mean_s", "min_s", "max_s")
        histogram = histogram_of(tallies["histogram"], edges.rows.drop("status"))
        seconds = {
            "p50_s": Quantile(histogram, 0.5, 1 / MICRO, interval=False),
            "p90_s": Quantile(histogram, 0.9, 1 / MICRO, interval=False),
            "p95_s": Quantile(histogram, 0.95, 1 / MICRO, interval=False),
        }
        return {
            "edges": _answer(edges, {**{name: known[name] for name in known.columns}, **seconds}),
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
    Steps at the same instant follow in the documented order and their edge takes 0 s. A company touch is no step.
    Merges exactly. Interval: Wilson, clustered by user through the folds; none on the times, which keep no folds.
    """
    measure = Transitions(grain=grain, by=by)
    return TransitionGraph(finish(measure, count_in_memory(measure, journeys), confidence=confidence))


def _weights(spec: TableSpec, keys: dict[str, Key], journey: Ints, journeys: Journeys) -> pl.DataFrame:
    """Times used, and journeys and users that use it, each counted once."""
    cell, size = pack([keys[name] for name in spec.keys], len(journey))
    heads = journeys.heads
    once = np.zeros(len(journey), dtype=bool)
    order = np.argsort(journey, kind="stable")
    once[order[places(cell[order], size, journey[order])]] = True
    mature = once & heads.mature[journey]
    won = mature & (heads.status[journey] == CONVERTED)
    user = heads.user[journey]
    people = np.zeros(len(journey), dtype=bool)
    people[order] = distinct_users(cell[order], user[order], once[order], size)
    return tabulate(
        spec,
        keys,
        {"n_journeys": once, "n_users": people, "mature": mature, "converted": won,
         "value": np.where(won, heads.value[journey], 0)},
        journeys.folds[user],
    )  # fmt: skip


def _answer(tally: Tally, more: Mapping[str, object]) -> Answer:
    users = tally.total("n_users")
    with np.errstate(divide="ignore", invalid="ignore"):
        value = tally.spread("value") / MICRO
    return Answer(
        keys=tally.rows,
        columns={
            **{name: tally.total(name) for name in ("n", "n_journeys", "n_users", "mature", "converted")},
            "conversion": Share(
                tally.by_fold("converted"),
                tally.by_fold("mature"),
                users=users,
                once=users == tally.total("n_journeys"),
            ),
            "value": Number(value, tally.by_fold("n_journeys")[tally.present]),
            **more,
        },
        users=users,
        converting=tally.total("converted"),
    )
