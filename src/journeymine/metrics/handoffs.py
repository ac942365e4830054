"""Handoffs: how journeys cross from one channel (or department) to another, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import NO_GOAL, too_short
from journeymine.counting.packed import label_column
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import contrast_specs
from journeymine.metrics.contrast_blocks import count_contrasts
from journeymine.metrics.contrast_estimate import Markers, nullable
from journeymine.metrics.handoffs_arrivals import Arrivals
from journeymine.metrics.handoffs_count import N_TIMES, Arriving

__all__ = ["HandoffLosses", "Handoffs", "handoffs"]

NONE_YET = "no mature journey crosses here up to its goal"
AT_THE_GOAL = "whoever crosses here is at the goal"


@dataclass(frozen=True)
class Handoffs:
    """The measure behind `handoffs`, for `mine`. Parameters as in `handoffs`."""

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
        """Journeys by crossing and stage of arrival, how all arrivals end, and times and returns by crossing."""
        pair: dict[str, type[pl.DataType]] = {"from": pl.String, "to": pl.String}
        by = dict.fromkeys(self.names, pl.String)
        contrasts = contrast_specs(pair, self.names, lost_at=True)
        return {
            **{name: contrasts[name] for name in ("met", "people")},
            "crossings": TableSpec({**by, **pair}, {"n": "sum", "ping_pong": "sum"}),
            "arrivals": TableSpec(
                {**by, **pair, "stage": pl.String, "_arrival": pl.Int64},
                {"n": "sum", "lost": "sum", "converted": "sum"},
            ),
            "times": TableSpec({**by, **pair, "_bucket": pl.Int64}, {"n": "sum"}, folded=False),
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
        markers = Markers.of_counts(tallies["met"], tallies["people"])
        totals, rows, n = markers.totals, markers.rows, markers.added("n")
        arrivals, all_arrivals = (Arrivals.of(tallies["arrivals"], rows, goal=goal) for goal in (False, True))
        may_convert = basis.rules.goal is not None
        may_be_lost = may_convert or basis.rules.lost_at is not None
        once = totals["n_users"] == all_arrivals.n
        lost, won = (
            arrivals.ending(how, known=known, once=once).as_much_as(all_arrivals.ending(how, known=known, once=once))
            for how, known in (("lost", may_be_lost), ("converted", may_convert))
        )
        found = Answer(
            keys=rows,
            columns={
                "stage": pl.Series(markers.stage, dtype=pl.String),
                **_crossings(tallies, rows),
                "n_journeys": totals["n_journeys"],
                "n": totals["n"],
                "n_users": totals["n_users"],
                "lost_at": totals["lost_at"],
                "lost_at_share": Share(markers.added("lost_at"), n * may_be_lost),
                "n_arrivals": arrivals.n,
                "lost_otherwise": nullable(lost.otherwise),
                "lost_excess": Number(lost.excess, lost.behind, once),
                "p_lost": nullable(lost.p),
                "p_lost_adjusted": nullable(lost.p_adjusted),
                **_times(tallies, rows),
                "converted_with": nullable(won.share),
                "converted_without": nullable(won.otherwise),
                "difference": Number(won.excess, won.behind, once),
                "p_value": nullable(won.p),
                "p_adjusted": nullable(won.p_adjusted),
            },
            users=totals["n_users"],
            converting=totals["users_converted"],
            reasons=[
                _reason(basis, int(count), int(arrived), any_mature=bool(n.any()))
                for count, arrived in zip(totals["n"], arrivals.n, strict=True)
            ],
        )
        return {"handoffs": found}


@dataclass(frozen=True)
class HandoffLosses(Handoffs):
    """The same without how many crossings there are and how long they take: for those who rank what to mend."""

    name: ClassVar[str] = "handoff_losses"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by crossing and stage of arrival, and how all arrivals end."""
        return {name: spec for name, spec in super().specs().items() if name not in ("crossings", "times")}


def handoffs(
    journeys: Journeys, *, grain: str = "channel", by: str | Sequence[str] | None = None, confidence: float = 0.95
) -> Result:
    """Crossings from one channel (or owner) to another: how many, how long they take, and what is lost at them.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : what is crossed between: ``"channel"``, ``"owner"`` (department to department) or any label column.
    by : labels of journeys (segments, or labels of the entry step) to break the result down by. Journeys are compared
        within their group only. By default all journeys are one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per (from, to):
        stage str: the stage in which most arrive
        n_crossings i64: crossings; n_ping_pong i64: of these, the ones straight back to where the journey was before
        n_journeys i64: journeys that cross, before or after their goal
        n i64: mature journeys that cross up to their goal; n_users i64: their users
        lost_at i64: of n, lost with the arrival as last step; lost_at_share f64: lost_at ÷ n, with interval
        n_arrivals i64: arrivals of the n journeys by this crossing, before their goal
        lost_otherwise f64: share lost of the other arrivals at `to`
        lost_excess f64: share lost of these arrivals − lost_otherwise, with interval; p_lost, p_lost_adjusted f64: its
        test
        p50_s, p90_s f64: seconds from the last step at `from` to the first at `to`, over all crossings
        converted_with, converted_without f64: share of these arrivals, and of the others, after which the journey
        converts
        difference f64: converted_with − converted_without, with interval; p_value, p_adjusted f64: its test
        sparse bool: few users behind the row; reason str: why there is no number

    Notes
    -----
    Every arrival at `to` before the goal is a trial. *Excess*: of the arrivals by this
    crossing, the share that is the last step of a lost journey, minus the same share of all other arrivals at `to` in
    the same stage, whether by staying there or by coming from elsewhere. Steps that enter the stage are compared with
    steps that enter it, standardised to the crossings. A place that loses journeys wherever they come from is thus no
    fault of the handoff. *Difference*: the same comparison for the share after which the journey converts.

    The goal itself is no trial: if customers buy where they are, staying would look better than any crossing. But if most
    of those who cross are at the goal at once, the rest look worse than they did. So each p-value is the larger of two,
    without the goal and with it as one arrival more, and 1 where these differ in sign.

    P-values are adjusted over all crossings that are tested (Benjamini–Hochberg); rows with under 30 arrivals on either
    side, or with so few users on either that there is no interval, are not. Crossings after the goal, and those of immature and of service journeys, are in n_crossings, n_journeys and
    the times only. Open journeys count in n once they are mature. Steps at one instant are in the documented order.
    Null labels are ``"(unknown)"``, and so is the owner of a step without one. Counts merge exactly. Intervals: Wilson
    and jackknife, clustered by user.
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


def _reason(basis: Basis, n: int, n_arrivals: int, *, any_mature: bool) -> str | None:
    """Why there is nothing to say of a crossing that `n` mature journeys make up to their goal, some before it."""
    if basis.rules.goal is None:
        return NO_GOAL
    if n:
        return None if n_arrivals else AT_THE_GOAL
    return NONE_YET if any_mature else too_short(basis)
