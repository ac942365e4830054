"""Handoffs: how journeys cross from one channel (or department) to another, and what is lost on the way."""

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
from journeymine.counting.result import Result
from journeymine.counting.tabulate import Key, integer_key, key_of, pack, tabulate
from journeymine.counting.tally import Tally, histogram_of
from journeymine.events.coded import Coded
from journeymine.journeys.heads import LOST
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import (
    Markers,
    before_goal,
    by_group,
    contrast,
    contrast_by,
    contrast_specs,
    count_contrast,
    nullable,
    significance,
    stage_key,
)
from journeymine.stats.histogram import bucket_of

__all__ = ["Handoffs", "handoffs"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Handoffs:
    """The measure behind `handoffs`, for `mine`. Parameters as there."""

    grain: str = "channel"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "handoffs"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", contrast_by(self.by, ("from", "to")))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return f"Where do journeys cross from one {self.grain} to another, and what is lost there?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by crossing and stage of arrival, all journeys by stage, and times and returns by crossing."""
        pair: dict[str, type[pl.DataType]] = {"from": pl.String, "to": pl.String}
        by = dict.fromkeys(self.names, pl.String)
        return {
            **contrast_specs(pair, self.names),
            "crossings": TableSpec({**by, **pair}, {"n": "sum", "ping_pong": "sum"}),
            "arrivals": TableSpec({**by, **pair, "stage": pl.String, "enters": pl.Int64}, {"n": "sum", "lost": "sum"}),
            "times": TableSpec({**by, **pair, "bucket": pl.Int64}, {"n": "sum"}),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Count crossings, and the journeys that make them."""
        specs, coded = self.specs(), journeys.codes(self.grain)
        arrival, pong = _crossings(journeys, coded.codes)
        pair = {
            "from": key_of(coded.codes[arrival - 1], coded.labels),
            "to": key_of(coded.codes[arrival], coded.labels),
        }
        labels = group_journeys(journeys, self.names, "entry").keys
        of_arrival = journeys.journey_of_step[arrival]
        keys = {name: key.take(of_arrival) for name, key in labels.items()} | pair
        took = journeys.coded.time[arrival] - journeys.coded.time[arrival - 1]
        fold = journeys.folds[journeys.heads.user[of_arrival]]
        tables = {
            **count_contrast(journeys, Markers(arrival, pair), {"from": pl.String, "to": pl.String}, self.names),
            "crossings": tabulate(specs["crossings"], keys, {"ping_pong": pong}, fold),
            "arrivals": _arrivals(journeys, coded, specs["arrivals"], labels),
            "times": tabulate(specs["times"], {**keys, "bucket": integer_key(bucket_of(took))}, {}, fold),
        }
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Losses at each crossing, and conversion against comparable journeys."""
        found = contrast(tallies["met"], tallies["reached"])
        n = found.totals["n"]
        p, adjusted = significance(found.difference, found.tested, found.least_variance)
        crossings = found.rows.join(
            tallies["crossings"].rows.with_columns(
                n_crossings=pl.Series(tallies["crossings"].total("n")),
                n_ping_pong=pl.Series(tallies["crossings"].total("ping_pong")),
            ),
            on=found.rows.columns, how="left", maintain_order="left",
        )  # fmt: skip
        lost = _per_row(tallies["met"], found.rows, "lost_at")
        excess, least = _excess(tallies["arrivals"], found.rows)
        p_lost, adjusted_lost = significance(excess, found.tested, least)
        times = histogram_of(tallies["times"], found.rows)
        answer = Answer(
            keys=found.rows,
            columns={
                "stage": pl.Series(found.stage, dtype=pl.String),
                "n_crossings": crossings["n_crossings"],
                "n_ping_pong": crossings["n_ping_pong"],
                "n_journeys": found.totals["n_journeys"],
                "n": n,
                "n_users": found.totals["n_users"],
                "lost_at": found.totals["lost_at"],
                "lost_at_share": Share(lost, found.n),
                "lost_excess": Number(excess, found.n[found.present]),
                "p_lost": nullable(p_lost),
                "p_lost_adjusted": nullable(adjusted_lost),
                "p50_s": Quantile(times, 0.5, 1 / MICRO, interval=False),
                "p90_s": Quantile(times, 0.9, 1 / MICRO, interval=False),
                "converted_with": nullable(found.share_with[0]),
                "converted_without": nullable(found.share_without[0]),
                "difference": Number(found.difference, found.n[found.present]),
                "p_value": nullable(p),
                "p_adjusted": nullable(adjusted),
            },
            users=found.totals["n_users"],
            converting=found.totals["users_converted"],
        )
        return {"handoffs": answer}


def handoffs(
    journeys: Journeys, *, grain: str = "channel", by: str | Sequence[str] | None = None, confidence: float = 0.95
) -> Result:
    """Crossings from one channel (or owner) to another: how many, how long, how many are lost at them.

    Parameters
    ----------
    grain : ``"channel"``, ``"owner"`` (department to department) or any label column.
    by : journey labels (segments, or labels of the entry step) to answer for each of; journeys are compared inside them.

    Returns
    -------
    Result; frame has one row per (from, to):
        stage str where most arrive · n_crossings, n_ping_pong i64 crossings, and those straight back to where the journey
        was before · n_journeys i64 · n i64 mature journeys that cross before the goal · n_users i64 · lost_at i64 of n,
        lost with the arrival as last step · lost_at_share f64 with interval · lost_excess f64 with interval, the share lost
        in the stage of arrival, minus that of the other ways on · p_lost, p_lost_adjusted f64 · p50_s, p90_s f64 seconds from the last step
        here to the first there · converted_with, converted_without f64 shares · difference f64 with interval · p_value,
        p_adjusted f64.

    Notes
    -----
    *Excess*: of the journeys that cross and arrive at a stage, the share lost in that stage, minus the same of the journeys
    that go any other way on from `from` (staying or elsewhere) to that stage; steps that enter the stage are compared with
    steps that enter it, standardised to the crossings. *Difference*: the share of crossing journeys that convert, minus that of the other journeys that reached the same stage
    (see `metrics.contrast`), adjusted for asking about all crossings (Benjamini–Hochberg). Rows with under 30 mature
    journeys on either side are not tested. Crossings at or after the goal are outside the comparison, and inside n_crossings. Open
    journeys count in n once they are mature. Merges exactly.
    """
    measure = Handoffs(grain=grain, by=by)
    return finish(measure, count_in_memory(measure, journeys), confidence=confidence)


def _crossings(journeys: Journeys, codes: npt.NDArray[np.unsignedinteger]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Steps that arrive from another label, and whether they return to the label before that one."""
    of_step = journeys.journey_of_step
    if not len(codes):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    same = of_step[1:] == of_step[:-1]
    arrival = np.flatnonzero(same & (codes[1:] != codes[:-1])) + 1
    pong = np.zeros(len(arrival), dtype=bool)
    # The crossing before this one, in the same journey, left the label that this one arrives at.
    pong[1:] = (of_step[arrival[1:]] == of_step[arrival[:-1]]) & (codes[arrival[1:]] == codes[arrival[:-1] - 1])
    return arrival, pong


def _arrivals(journeys: Journeys, coded: Coded, spec: TableSpec, labels: Mapping[str, Key]) -> pl.DataFrame:
    """Journeys by each way they arrive at a stage before their goal: crossings, and stays for comparison."""
    of_step, heads = journeys.journey_of_step, journeys.heads
    if not len(of_step):
        return spec.empty()
    stage = stage_key(journeys)
    kept = before_goal(journeys, of_step) & heads.mature[of_step]
    kept[1:] &= of_step[1:] == of_step[:-1]
    kept[0] = False
    arrival = np.flatnonzero(kept)
    enters = stage.codes[arrival] != stage.codes[arrival - 1]
    keys = {name: key.take(of_step[arrival]) for name, key in labels.items()} | {
        "from": key_of(coded.codes[arrival - 1], coded.labels),
        "to": key_of(coded.codes[arrival], coded.labels),
        "stage": stage.take(arrival),
        "enters": integer_key(enters.astype(np.int64)),
    }
    cell, size = pack(list(keys.values()), len(arrival))
    once = places(cell, size, of_step[arrival])
    journey = of_step[arrival[once]]
    ends_here = stage.codes[journeys.offsets[1:] - 1][journey] == stage.codes[arrival[once]]
    lost = (heads.status[journey] == LOST) & ends_here
    return tabulate(
        spec, {name: key.take(once) for name, key in keys.items()}, {"lost": lost}, journeys.folds[heads.user[journey]]
    )


def _excess(arrivals: Tally, rows: pl.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Share lost after crossing minus that of the other ways on from the same label, shape [1 + K, rows].

    Standardised to the crossings; beside it the variance of independent journeys under the null, shape [rows].
    """
    n, lost = arrivals.spread("n"), arrivals.spread("lost")
    keys = arrivals.rows.with_row_index("_at")
    place = (
        keys.group_by([n for n in keys.columns if n not in ("_at", "to")], maintain_order=True)
        .agg("_at")
        .with_row_index("_place")
        .explode("_at")
    )
    of_cell = np.empty(len(arrivals), dtype=np.int64)
    of_cell[place["_at"].to_numpy()] = place["_place"].to_numpy()
    n_places = int(of_cell.max()) + 1 if len(of_cell) else 0
    others_n = by_group(n, of_cell, n_places)[:, of_cell] - n
    others_lost = by_group(lost, of_cell, n_places)[:, of_cell] - lost
    found = keys.join(rows.with_row_index("_row"), on=rows.columns, maintain_order="left")
    at, row = found["_at"].to_numpy().astype(np.int64), found["_row"].to_numpy().astype(np.int64)
    crossed, crossed_lost, rest, rest_lost = n[:, at], lost[:, at], others_n[:, at], others_lost[:, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = (crossed > 0) & (rest > 0)
        gap = np.where(usable, crossed_lost - crossed * rest_lost / rest, 0.0)
        weight = by_group(np.where(usable, crossed, 0.0), row, rows.height)
        pooled = (crossed_lost[0] + rest_lost[0]) / (crossed[0] + rest[0])
        single = np.where(usable[0], pooled * (1 - pooled) * crossed[0] ** 2 * (1 / crossed[0] + 1 / rest[0]), 0.0)
        return by_group(gap, row, rows.height) / weight, by_group(single[None], row, rows.height)[0] / weight[0] ** 2


def _per_row(met: Tally, rows: pl.DataFrame, column: str) -> npt.NDArray[np.float64]:
    """A column by fold, added up over stages, in the order of `rows`; shape [64, rows]."""
    names = rows.columns
    place = met.rows.select(names).join(rows.with_row_index("_g"), on=names, how="left", nulls_equal=True,
                                        maintain_order="left")["_g"].to_numpy().astype(np.int64)  # fmt: skip
    return by_group(met.by_fold(column), place, rows.height)
