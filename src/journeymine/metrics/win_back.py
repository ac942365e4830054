"""Win-back: which share of lost journeys is followed by another of the same user, and after how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import as_names, check_channel_of, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.packed import Packed
from journeymine.counting.result import Result
from journeymine.counting.runs import changes
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.journeys.heads import LOST
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.return_answer import answer_curves, answer_groups
from journeymine.metrics.return_counts import PLACES, ReturnCounts, blocks_of_users
from journeymine.metrics.survival import exits_spec
from journeymine.metrics.time_to_convert import times_of_outcome
from journeymine.metrics.watched import check_bins
from journeymine.parallel import take

__all__ = ["WinBack", "win_back"]

CAUSE = "came_back"
NOTHING_LOST = (
    "neither a goal nor lost_at was named, so no journey is lost; repeat_rate(event=…) follows every customer"
)


@dataclass(frozen=True)
class WinBack:
    """The measure behind `win_back`, for `mine`. Parameters as in `win_back`."""

    by: str | Sequence[str] | None = None
    channel_of: str = "exit"
    bin: Duration = "1d"
    horizon: Duration | None = None

    name: ClassVar[str] = "win_back"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1
    so_far: ClassVar[tuple[str, ...]] = ("so_far_share", "p50_s", "p90_s")

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
        return f"Which share of lost journeys is followed by another, and after how long{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Lost journeys, who leaves in each bin, and a histogram of the time until they came back."""
        keys = dict.fromkeys(self.names, pl.String)
        return {
            "lost": TableSpec(keys, {"n": "sum", "n_users": "sum", CAUSE: "sum", "users_back": "sum"}),
            "exits": exits_spec(keys, (CAUSE,)),
            "times": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"}),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Follow each lost journey from the instant of its loss."""
        specs = self.specs()
        grouped = group_journeys(journeys, self.names, self.channel_of)
        lost = np.flatnonzero(journeys.heads.status[grouped.journey] == LOST)
        journey = grouped.journey[lost]
        keys = {name: key.take(lost) for name, key in grouped.keys.items()}
        heads = journeys.heads
        user, following = take(heads.user, journey), take(heads.next_start, journey)
        at = take(heads.start + times_of_outcome(journeys)[1], journey)
        back, fold = following != MISSING, take(journeys.folds, user)
        took = np.where(back, np.maximum(following - at, 0), -1)
        follow = journeys.context.observed_until - at
        place = Packed.of_keys(keys, len(at)).with_room(PLACES)
        longest = int(follow.max()) if len(at) else 0
        counts = ReturnCounts(microseconds(self.bin), longest)
        for rows in blocks_of_users(changes(user)):
            counts.add(place.part(rows), user[rows], fold[rows], took[rows], follow[rows])
        tables = dict(zip(specs, counts.tables(specs, CAUSE), strict=True))
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares so far and within the horizon, and the curve of the time."""
        bin_us = microseconds(self.bin)
        horizon = basis.rules.mature_after_us if self.horizon is None else microseconds(self.horizon)
        summary = answer_groups(
            tallies["lost"], tallies["exits"], tallies["times"], CAUSE, bin_us, horizon, "users_back"
        )
        if basis.rules.goal is None and basis.rules.lost_at is None:
            summary = replace(summary, reasons=[NOTHING_LOST] * len(summary.reasons or ()), notes=(NOTHING_LOST,))
        return {
            "summary": summary,
            "curves": answer_curves(tallies["lost"], tallies["exits"], CAUSE, bin_us),
        }


def win_back(
    journeys: Journeys,
    *,
    by: str | Sequence[str] | None = None,
    channel_of: str = "exit",
    bin: Duration = "1d",  # noqa: A002
    horizon: Duration | None = None,
    confidence: float = 0.95,
) -> Result:
    """Share of lost journeys after which the same user comes back with another one, and how long that takes.

    came_back_share = 1 − Kaplan–Meier at the horizon, from the instant of the loss, right-censored at `observed_until`

    Parameters
    ----------
    journeys : made by `build_journeys`.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment. By default one row for all lost
        journeys.
    channel_of : the step whose label a journey counts under. By default its ``"exit"``, where it was lost.
    bin : length of a bin of time; the shares are exact at the end of each.
    horizon : the time after the loss that `came_back_share` looks ahead. By default `mature_after`. It is rounded down
        to whole bins, of which it must hold one to 20,000.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n, n_users i64: lost journeys and their users
        came_back, users_back i64: of these, the ones followed by another journey so far
        so_far_share f64: came_back ÷ n, 0–1
        horizon_s f64: seconds
        came_back_share f64: share that comes back within the horizon of the loss, 0–1; journeys watched for less are
        accounted for
        p50_s, p90_s f64: seconds from the loss to the next journey, of those that came back so far
        sparse bool: few users behind the row; reason str: why the share within the horizon is null
    tables["curves"] has one row per value of `by` and bin in which anything happens:
        time_s f64: end of the bin, in seconds · at_risk, came_back, censored i64 · came_back_share f64
    Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : `by` names no column.
    RulesError : `bin` or `horizon` is no length of time.
    QuestionError : `horizon` is shorter than `bin`, or over 20,000 times as long.

    Notes
    -----
    A journey is lost at its `lost_at` touchpoint, or `idle` after its last step. An earlier return would have been no
    loss, so the time runs from there (with ``split=``, from the next journey's start where that is sooner). The next
    journey may be of any status. Open and converted journeys are outside, and so are those of status ``ended``:
    without a goal only a `lost_at` touchpoint makes a loss (`time_to_convert` and `waiting` ask what is over, and
    count them). A journey need not be mature. What happens after `observed_until` is in the figures so far, and in
    no share within a time. A user with several lost journeys counts with each. Null labels are ``"(unknown)"``.
    Steps at one instant are in the documented order. Counts merge exactly over users. Intervals: Wilson clustered
    by user through the 64 folds, with the effective number of trials for the censored share; Woodruff for
    quantiles.
    """
    measure = WinBack(by=by, channel_of=channel_of, bin=bin, horizon=horizon)
    return answer(measure, journeys, confidence=confidence)
