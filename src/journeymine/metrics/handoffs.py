"""Handoffs: how journeys cross from one channel (or department) to another, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.packed import label_column
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import ENOUGH, contrast_specs
from journeymine.metrics.contrast_blocks import count_contrasts
from journeymine.metrics.contrast_estimate import by_group, contrast, nullable, significance
from journeymine.metrics.handoffs_count import N_TIMES, Arriving

__all__ = ["HandoffLosses", "Handoffs", "handoffs"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Handoffs:
    """The measure behind `handoffs`, for `mine`. Parameters as there."""

    grain: str = "channel"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "handoffs"
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
        return f"Where do journeys cross from one {self.grain} to another, and what is lost there?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by crossing and stage of arrival, all journeys by stage, and times and returns by crossing."""
        pair: dict[str, type[pl.DataType]] = {"from": pl.String, "to": pl.String}
        by = dict.fromkeys(self.names, pl.String)
        return {
            **contrast_specs(pair, self.names),
            "crossings": TableSpec({**by, **pair}, {"n": "sum", "ping_pong": "sum"}),
            "arrivals": TableSpec({**by, **pair, "stage": pl.String, "enters": pl.Int64}, {"n": "sum", "lost": "sum"}),
            "times": TableSpec({**by, **pair, "bucket": pl.Int64}, {"n": "sum"}, folded=False),
        }

    @property
    def grains(self) -> tuple[str, ...]:
        """The one that is asked for."""
        return (self.grain,)

    def counting(self, journeys: Journeys) -> tuple[int, Callable[[], Arriving]]:
        """What counts crossings, and the journeys that make them."""
        labels = journeys.codes(self.grain).labels
        label = label_column(labels)
        return len(labels) ** 2 * N_TIMES, lambda: Arriving(self.grain, label, self.specs())

    def count(self, journeys: Journeys) -> Counts:
        """Count crossings, and the journeys that make them."""
        return count_contrasts([self], journeys)[0]

    def steps_at_once(self, journeys: Journeys) -> int:
        """All there are: blocks of journeys are counted on all cores, and no tables are merged."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Losses at each crossing, and conversion against comparable journeys."""
        found = contrast(tallies["met"], tallies["reached"], tallies["people"])
        n = found.totals["n"]
        p, adjusted = significance(found.difference, found.tested, found.least_variance)
        lost = _per_row(tallies["met"], found.rows, "lost_at")
        arrivals = _lost_on_arrival(tallies["arrivals"], found.rows)
        p_lost, adjusted_lost = significance(arrivals.excess, arrivals.tested, arrivals.least_variance)
        crossings, times = _crossings(tallies, found.rows), _times(tallies, found.rows)
        answer = Answer(
            keys=found.rows,
            columns={
                "stage": pl.Series(found.stage, dtype=pl.String),
                **crossings,
                "n_journeys": found.totals["n_journeys"],
                "n": n,
                "n_users": found.totals["n_users"],
                "lost_at": found.totals["lost_at"],
                "lost_at_share": Share(lost, found.n),
                "n_arrivals": arrivals.n,
                "lost_otherwise": nullable(arrivals.otherwise),
                "lost_excess": Number(arrivals.excess, found.n[found.present]),
                "p_lost": nullable(p_lost),
                "p_lost_adjusted": nullable(adjusted_lost),
                **times,
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


@dataclass(frozen=True)
class HandoffLosses(Handoffs):
    """The same without how many crossings there are and how long they take: for those who rank what to mend."""

    name: ClassVar[str] = "handoff_losses"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by crossing and stage of arrival, and all journeys by stage."""
        return {name: spec for name, spec in super().specs().items() if name not in ("crossings", "times")}


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
        lost with the arrival as last step · lost_at_share f64 with interval · n_arrivals i64 crossings of those journeys ·
        lost_otherwise f64 share lost of the other arrivals at `to` · lost_excess f64 with interval · p_lost,
        p_lost_adjusted f64 · p50_s, p90_s f64 seconds from the last step here to the first there · converted_with,
        converted_without f64 shares · difference f64 with interval · p_value, p_adjusted f64.

    Notes
    -----
    *Excess*: of the arrivals at `to` by this crossing, the share that is the last step of a lost journey, minus the same of all
    other arrivals at `to` in the same stage, by staying there or from elsewhere; steps that enter the stage are compared
    with steps that enter it, standardised to the crossings. What leaks at `to` whoever comes is so no fault of the handoff.
    *Difference*: the share of crossing journeys that convert, minus that of the other journeys that reached the same stage
    (see `metrics.contrast`), adjusted for asking about all crossings (Benjamini–Hochberg). Rows with under 30 mature
    journeys (arrivals) on either side are not tested. Crossings at or after the goal are outside the comparison, and inside n_crossings. Open
    journeys count in n once they are mature. Steps at one instant take the documented order. Null labels are
    ``"(unknown)"``, and a step without an owner is of that one. Merges exactly.
    """
    measure = Handoffs(grain=grain, by=by)
    return answer(measure, journeys, confidence=confidence)


def _crossings(tallies: Mapping[str, Tally], rows: pl.DataFrame) -> dict[str, pl.Series]:
    """How many crossings there are, if they were counted."""
    if "crossings" not in tallies:
        return {}
    tally = tallies["crossings"]
    counted = tally.rows.with_columns(
        n_crossings=pl.Series(tally.total("n")), n_ping_pong=pl.Series(tally.total("ping_pong"))
    )
    found = rows.join(counted, on=rows.columns, how="left", maintain_order="left")
    return {name: found[name] for name in ("n_crossings", "n_ping_pong")}


def _times(tallies: Mapping[str, Tally], rows: pl.DataFrame) -> dict[str, Quantile]:
    """How long crossings take, if that was counted."""
    if "times" not in tallies:
        return {}
    times = histogram_of(tallies["times"], rows)
    return {name: Quantile(times, q, 1 / MICRO, interval=False) for name, q in (("p50_s", 0.5), ("p90_s", 0.9))}


@dataclass(frozen=True, slots=True)
class _Lost:
    """Arrivals by a crossing that are the end of a lost journey, against other arrivals at the same label.

    Attributes
    ----------
    excess : share lost, minus that of the others standardised to the crossings, shape [1 + K, rows].
    otherwise : the latter, shape [rows].
    least_variance : of the excess if arrivals were independent, under the null, shape [rows].
    n : arrivals by the crossing, shape [rows].
    tested : whether there are `ENOUGH` of them, and of others to compare with.
    """

    excess: Floats
    otherwise: Floats
    least_variance: Floats
    n: Ints
    tested: npt.NDArray[np.bool_]


def _lost_on_arrival(arrivals: Tally, rows: pl.DataFrame) -> _Lost:
    """Compare each crossing with the other ways to arrive at where it leads, in the same stage."""
    n, lost = arrivals.spread("n"), arrivals.spread("lost")
    keys = arrivals.rows.with_row_index("_at")
    place = (
        keys.group_by([name for name in keys.columns if name not in ("_at", "from")], maintain_order=True)
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

    def summed(values: Floats) -> Floats:
        return by_group(np.where(usable, values, 0.0), row, rows.height)

    with np.errstate(divide="ignore", invalid="ignore"):
        usable = (crossed > 0) & (rest > 0)
        weight, expected = summed(crossed), summed(crossed * rest_lost / rest)
        pooled = (crossed_lost[0] + rest_lost[0]) / (crossed[0] + rest[0])
        single = summed(pooled * (1 - pooled) * crossed**2 * (1 / crossed + 1 / rest))[0]
        return _Lost(
            excess=(summed(crossed_lost) - expected) / weight,
            otherwise=expected[0] / weight[0],
            least_variance=single / weight[0] ** 2,
            n=by_group(n[:1, at], row, rows.height)[0].astype(np.int64),
            tested=(weight[0] >= ENOUGH) & (summed(rest)[0] >= ENOUGH),
        )


def _per_row(met: Tally, rows: pl.DataFrame, column: str) -> npt.NDArray[np.float64]:
    """A column by fold, added up over stages, in the order of `rows`; shape [64, rows]."""
    names = rows.columns
    place = met.rows.select(names).join(rows.with_row_index("_g"), on=names, how="left", nulls_equal=True,
                                        maintain_order="left")["_g"].to_numpy().astype(np.int64)  # fmt: skip
    return by_group(met.by_fold(column), place, rows.height)
