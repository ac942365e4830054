"""Conversion: which share of journeys reaches the goal, how soon, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, check_channel_of
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import NO_GOAL, too_short
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, describe, microseconds
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.conversion_outcomes import count_outcomes

__all__ = ["Conversion", "conversion"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Conversion:
    """The measure behind `conversion`, for `mine`. Parameters as in `conversion`."""

    by: str | Sequence[str] | None = None
    channel_of: str = "entry"
    horizon: Duration | None = None

    name: ClassVar[str] = "conversion"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))
        check_channel_of(self.channel_of)
        if self.horizon is not None:
            object.__setattr__(self, "horizon", describe(microseconds(self.horizon, name="horizon")))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)} ({self.channel_of})" if self.names else ""
        within = f" within {self.horizon} of the start" if self.horizon is not None else ""
        return f"What share of journeys converts{within}{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by outcome, and a histogram of the time to convert."""
        keys = dict.fromkeys(self.names, pl.String)
        outcomes = TableSpec(
            keys,
            {"n_journeys": "sum", "n_users_all": "users", "n": "sum", "n_users": "users", "converted": "sum", "users_converted": "users",
             "lost": "sum", "open": "sum", "service": "sum", "immature": "sum", "left_truncated": "sum",
             "value": "wide"},
        )  # fmt: skip
        return {"outcomes": outcomes, "times": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Count journeys by outcome and label."""
        specs, horizon = self.specs(), None if self.horizon is None else microseconds(self.horizon)
        tables = count_outcomes(journeys, self.names, self.channel_of, horizon, specs)
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: journeys are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares, values and times from the counts."""
        tally = tallies["outcomes"]
        n, converted, users = tally.total("n"), tally.by_fold("converted"), tally.total("n_users")
        columns = {name: tally.total(name) for name in ("n_journeys", "n_users_all", "n", "n_users", "converted",
                                                         "lost", "open", "service", "immature", "left_truncated")}  # fmt: skip
        has_goal = basis.rules.goal is not None
        trials = tally.by_fold("n") if has_goal else np.zeros_like(converted)
        times = histogram_of(tallies["times"], tally.rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean_value = tally.spread("value") / MICRO / tally.spread("converted")
        if not tally.told("value"):
            mean_value = np.full_like(mean_value, np.nan)  # a log without values says nothing of what one is worth
        answer = Answer(
            keys=tally.rows,
            columns={
                **columns,
                "share": Share(converted, trials, users=users, once=users == n),
                "p50_s": Quantile(times, 0.5, 1 / MICRO),
                "p90_s": Quantile(times, 0.9, 1 / MICRO),
                "value": tally["value"] / MICRO,
                "mean_value": Number(mean_value, tally.by_fold("converted")[tally.present], skewed=True),
            },
            users=users,
            converting=tally.total("users_converted"),
            reasons=[(too_short(basis, self.horizon) if count == 0 else None) if has_goal else NO_GOAL for count in n],
            notes=basis.notes,
        )
        return {"conversion": answer}


def conversion(
    journeys: Journeys,
    *,
    by: str | Sequence[str] | None = None,
    channel_of: str = "entry",
    horizon: Duration | None = None,
    confidence: float = 0.95,
) -> Result:
    """Share of mature journeys that convert.

    share = |mature journeys with the goal| / |mature journeys|

    A mature journey that is still open is in the denominator. Conversion is known at once and loss only after `idle`,
    so leaving open journeys out would overstate the share. Journeys of status ``service`` are outside.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment, and ``"new_or_returning"``
        (whether the user had converted in an earlier journey). By default one row for all journeys.
    channel_of : the step whose label a journey counts under: ``"entry"`` (its first), ``"exit"`` (its last), or
        ``"any"`` (once under every label that one of its steps has).
    horizon : asks instead for conversion within this time of the start, e.g. ``"14d"``, over the journeys observed that
        long.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n_journeys, n_users_all i64: all journeys, and their distinct users
        n i64: journeys in the denominator of the share; n_users i64: their distinct users
        converted, lost, open i64: of n, by outcome
        service, immature i64: journeys outside n
        left_truncated i64: of all journeys but service, those that begin within `idle` of the log's start
        share f64: converted ÷ n, 0–1
        p50_s, p90_s f64: seconds from start to goal
        value f64: value of the converted journeys of n, in units of money; mean_value f64: the same per converted
        journey
        sparse bool: under 300 users or 30 converting users; reason str: why the share is null
        Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : `by` names no column.

    Notes
    -----
    Left-truncated journeys are in the shares and are left out of the times only. Steps at one instant are in the
    documented order. Null labels are ``"(unknown)"``. Empty input gives no row with `by`, and one row of nulls without.
    Counts merge exactly. Intervals: Wilson (1927) for the share, clustered by user through the 64 folds; Woodruff
    (1952) for the times; for the mean value the jackknife, with limits that follow the skewness (Hall 1992).
    """
    measure = Conversion(by=by, channel_of=channel_of, horizon=horizon)
    return answer(measure, journeys, confidence=confidence)
