"""Time to convert and to be lost, as competing risks, with the journeys that are still open counted as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import as_names, check_channel_of, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import distinct_users, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, SERVICE, STATUSES
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.survival import count_exits, exits, exits_spec
from journeymine.metrics.time_to_convert_answer import answer_times
from journeymine.metrics.watched import check_bins
from journeymine.parallel import take

__all__ = ["CAUSES", "TimeToConvert", "time_to_convert", "times_of_outcome"]

Ints = npt.NDArray[np.int64]
CAUSES = ("converted", "lost")
_CAUSE_OF = np.array([{CONVERTED: 0, LOST: 1, ENDED: 1}.get(status, -1) for status in range(len(STATUSES))])
"""What became of a journey of each status."""
COUNTED = ("n_journeys", "n", "n_users", "converted", "lost", "open", "left_truncated")


@dataclass(frozen=True)
class TimeToConvert:
    """The measure behind `time_to_convert`, for `mine`. Parameters as in `time_to_convert`."""

    by: str | Sequence[str] | None = None
    channel_of: str = "entry"
    bin: Duration = "1d"
    horizon: Duration | None = None

    name: ClassVar[str] = "time_to_convert"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))
        check_channel_of(self.channel_of)
        check_bins(self.bin, self.horizon)

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)} ({self.channel_of})" if self.names else ""
        return f"How long do journeys take until they convert or are lost{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by outcome, and who leaves in each bin of time."""
        keys = dict.fromkeys(self.names, pl.String)
        return {
            "journeys": TableSpec(keys, {**dict.fromkeys(COUNTED, "sum"), "n_users": "users"}),
            "exits": exits_spec(keys, CAUSES),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Count journeys by the bin in which they convert, are lost, or were last watched."""
        specs, bin_us = self.specs(), microseconds(self.bin)
        grouped = group_journeys(journeys, self.names, self.channel_of)
        heads, (outcome, took) = grouped.heads(journeys), times_of_outcome(journeys)
        if not grouped.each_once:
            outcome, took = take(outcome, grouped.journey), take(took, grouped.journey)
        fold = take(journeys.folds, heads.user)
        follow = journeys.context.observed_until - heads.start
        bins, happened = exits(took, follow, bin_us)
        cause = np.where(happened, outcome, -1)
        asked = heads.status != SERVICE
        known = asked & ~heads.left_truncated
        packed, size = pack(list(grouped.keys.values()), len(heads))
        table = tabulate(
            specs["journeys"],
            grouped.keys,
            {
                "n_journeys": asked,
                "n": known,
                "n_users": distinct_users(packed, heads.user, known, size),
                "converted": known & (outcome == 0),
                "lost": known & (outcome == 1),
                "open": known & (outcome < 0),
                "left_truncated": asked & heads.left_truncated,
            },
            fold,
        ).filter(pl.col("n_journeys") > 0)  # a label of service journeys alone is outside with them
        left = count_exits(specs["exits"], grouped.keys, np.where(known, bins, -1), cause, CAUSES, fold)
        return Counts.of(question_of(self), basis_of(journeys), specs, {"journeys": table, "exits": left})

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares by the horizon, curves, and the log-rank tests."""
        horizon = None if self.horizon is None else microseconds(self.horizon)
        return answer_times(
            tallies["journeys"], tallies["exits"], microseconds(self.bin), horizon, basis,
            known_at_start=self.channel_of == "entry",
        )  # fmt: skip


def times_of_outcome(journeys: Journeys) -> tuple[Ints, Ints]:
    """What became of each journey (index into `CAUSES`, −1 for neither) and the µs from its start until then.

    A loss is dated at the first `lost_at` touchpoint, or else `idle` after the last step, or at the start of the user's
    next journey if that comes first.
    """
    heads, coded = journeys.heads, journeys.coded
    outcome = take(_CAUSE_OF, heads.status)
    at = heads.end + journeys.rules.idle_us
    at = np.where(heads.next_start == MISSING, at, np.minimum(at, heads.next_start))
    if journeys.rules.lost_at is not None:
        flagged = np.flatnonzero(journeys.rules.lost_at.holds(coded.labels, coded.numbers, len(coded)))[::-1]
        at[journeys.journey_of_step[flagged]] = coded.time[flagged]
    won = np.flatnonzero(outcome == 0)
    at[won] = take(coded.time, take(journeys.offsets, won) + take(heads.goal_step, won))
    return outcome, np.where(outcome >= 0, at - heads.start, -1)


def time_to_convert(
    journeys: Journeys,
    *,
    by: str | Sequence[str] | None = None,
    channel_of: str = "entry",
    bin: Duration = "1d",  # noqa: A002
    horizon: Duration | None = None,
    confidence: float = 0.95,
) -> Result:
    """How soon journeys convert, how soon they are lost, and how many are undecided; open ones are right-censored.

    Converting and being lost compete. The share converted within t is the cumulative incidence of Aalen and Johansen
    [1]_, which leaves no journey out and does not need journeys to be mature. converted + lost + open = 1 at every
    time.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment. By default one row for all
        journeys.
    channel_of : the step whose label a journey counts under: ``"entry"`` (its first), ``"exit"`` (its last), or
        ``"any"`` (once under every label that one of its steps has).
    bin : length of a bin of time. The shares are exact at the end of each bin; nothing is said about times between.
    horizon : the time that the shares of the frame look ahead. By default `mature_after`. It is rounded down to whole
        bins, of which it must hold one to 20,000.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n_journeys i64: all journeys but service; n i64: of these, the ones not left-truncated; n_users i64: distinct
        users in n
        converted, lost, open i64: of n, by their status today; left_truncated i64: left out
        horizon_s f64: seconds
        converted_share, lost_share, open_share f64: within the horizon, 0–1
        half_s f64: seconds by which half of those who convert within the horizon have done so
        open_mean_s f64: seconds that a journey stays undecided on average, counted up to the horizon (restricted mean)
        sparse bool: few users behind the row; reason str: why the shares are null
    tables["curves"] has one row per value of `by` and bin in which anything happens:
        time_s f64: end of the bin, in seconds
        at_risk, converted, lost, censored i64 · converted_share, lost_share, open_share f64
    tables["test"], with `by`, has one row per cause, over the groups whose users fill 20 folds or more. With
    ``channel_of="entry"`` only: later labels go with how long a journey lasts.
        cause str: what ends the waiting; n_groups, df i64
        chi2 f64: log-rank statistic for independent journeys; p_independent f64: its p-value
        p_value f64: that of the same test, clustered by user
        reason str: why there is no test
    Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : `by` names no column.
    RulesError : `bin` or `horizon` is no length of time.
    QuestionError : `horizon` is shorter than `bin`, or over 20,000 times as long.

    Notes
    -----
    Time runs from a journey's first step. An event after t is in bin ⌈t ÷ bin⌉, so *within 7 days* includes 7 days to
    the microsecond. A journey that is neither converted nor lost by `observed_until` is censored there, in whole bins,
    whatever comes later. A loss is dated at the `lost_at` touchpoint, or `idle` after the last step (at the start of
    the user's next journey if that comes first), because before that nobody could know. A curve ends after 20,000 bins;
    journeys still undecided then are censored. Without a goal, journeys that ended count as lost. Left-truncated
    journeys are left out and counted; ``service`` is outside. Restricted means are up to one bin too long. Steps at one
    instant are in the documented order. Null labels are ``"(unknown)"``. Counts merge exactly. Intervals: Wilson with
    the effective number of trials from the jackknife over the 64 folds; the jackknife for the mean.

    References
    ----------
    .. [1] O. O. Aalen, S. Johansen, Scandinavian Journal of Statistics 5 (1978) 141–150.
    """
    measure = TimeToConvert(by=by, channel_of=channel_of, bin=bin, horizon=horizon)
    return answer(measure, journeys, confidence=confidence)
