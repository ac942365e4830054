"""Dwell: how long journeys stay in each stage, or in each place of another kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, unless_alike
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import too_short
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.dwell_count import count_stays

__all__ = ["Dwell", "dwell"]

Ints = npt.NDArray[np.int64]
COUNTED = ("n_reached", "n", "n_users", "n_visits", "running", "left_truncated", "immature")
UNKNOWN_HERE = "no journey's time here is known: each came before the log was watched for idle, or may still be here"


@dataclass(frozen=True)
class Dwell:
    """The measure behind `dwell`, for `mine`. Parameters as in `dwell`."""

    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "dwell"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by) or ("stage",))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return f"How long do journeys stay in each {' × '.join(self.names)}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by place with their time there, summed and as a histogram."""
        keys = dict.fromkeys(self.names, pl.String)
        places = TableSpec(keys, {**dict.fromkeys(COUNTED, "sum"), "n_users": "users", "_time": "wide"})
        return {"places": places, "times": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Add up the visits that each journey pays to each place."""
        specs = self.specs()
        return Counts.of(question_of(self), basis_of(journeys), specs, count_stays(journeys, self.names, specs))

    def steps_at_once(self, journeys: Journeys) -> int:
        """All there are: stays are counted block by block on all cores, and no tables are merged."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Quantiles and means of the time; stages come in their order."""
        tally = tallies["places"]
        times, n_folds = histogram_of(tallies["times"], tally.rows), tally.by_fold("n")[tally.present]
        n, immature, reached = tally.total("n"), tally.total("immature"), tally.total("n_reached")
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tally.spread("_time") / MICRO / tally.spread("n")
            visits = tally.spread("n_visits") / tally.spread("n")
        reasons = [
            None if known else too_short(basis) if young == everyone else UNKNOWN_HERE
            for known, young, everyone in zip(n, immature, reached, strict=True)
        ]
        answer = Answer(
            keys=tally.rows,
            columns={
                **{name: tally.total(name) for name in COUNTED if name != "n_visits"},
                "p50_s": Quantile(times, 0.5, 1 / MICRO),
                "p90_s": Quantile(times, 0.9, 1 / MICRO),
                "mean_s": Number(unless_alike(mean), n_folds, least=0.0, skewed=True),
                "mean_visits": Number(unless_alike(visits), n_folds, least=1.0, skewed=True),
            },
            users=tally.total("n_users"),
            reasons=reasons,
        )
        return {"dwell": answer}


def dwell(journeys: Journeys, *, by: str | Sequence[str] | None = None, confidence: float = 0.95) -> Result:
    """Time that journeys spend in each place (by default each stage), all visits of a journey there together.

    dwell(journey, place) = Σ over its visits (first step of the next visit − first step of this one)

    A *visit* is a run of consecutive steps in one place. A journey's last visit lasts until the journey's last step.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    by : what makes a place: one or several of stage, channel, touchpoint, owner, any attribute or segment. By default
        the stage, and the touchpoint where the log has no stages.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per place, stages in their order:
        n_reached i64: journeys with a step here
        n i64: of these, the ones whose time here is known; n_users i64: distinct users in n
        running, left_truncated, immature i64: of n_reached, the ones left out
        p50_s, p90_s, mean_s f64: median, 90 % quantile and mean, in seconds per journey
        mean_visits f64: visits per journey
        sparse bool: few users behind the row; reason str: why there is no number
        Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : `by` names no column, for instance ``"stage"`` in a log without stages.

    Notes
    -----
    Only mature journeys count; those of status ``service`` are outside. *running*: the journey's last visit is here and
    may still go on after the log ends. *left_truncated*: the journey began here, within `idle` of the log's start, so
    steps before may be missing. The silence after the last step belongs to no place: a journey that ends with its only
    step here spent 0 s. Steps at one instant are in the documented order. Null labels are ``"(unknown)"``; company
    touches are no steps. Empty input gives no row. Counts merge exactly. Quantiles are within 0.8 %. Intervals:
    Woodruff (1952) for quantiles, and for means the jackknife with limits that follow the skewness (Hall 1992), both
    clustered by user through the 64 folds. Where all journeys are alike, as with 0 s at a goal that ends them, a mean
    has none.

    Examples
    --------
    >>> import polars as pl
    >>> from journeymine import build_journeys, read_events
    >>> log = pl.DataFrame({"user": ["ann"] * 4, "s": [0, 10, 40, 50], "event": ["ad", "ad", "shop", "shop"]})
    >>> events = read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="event")
    >>> journeys = build_journeys(events, idle="1m", session_gap="1m", mature_after="1s", observed_until=200_000_000)
    >>> dwell(journeys, by="touchpoint").frame.select("touchpoint", "n_reached", "n", "left_truncated", "mean_s").rows()
    [('ad', 1, 0, 1, None), ('shop', 1, 1, 0, 10.0)]
    """
    check_journeys(journeys)
    places = as_names(by) or ("stage" if "stage" in journeys.coded.labels else "touchpoint")
    measure = Dwell(by=places)
    return answer(measure, journeys, confidence=confidence)
