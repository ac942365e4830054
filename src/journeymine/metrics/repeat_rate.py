"""Repeat rate: which share of customers buys again, how long they take, and who has probably gone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.packed import ROOM, Packed
from journeymine.counting.parts import PART
from journeymine.counting.result import Result
from journeymine.counting.runs import changes
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.metrics.return_answer import answer_curves, answer_groups
from journeymine.metrics.return_counts import PLACES, ReturnCounts, blocks_of_users
from journeymine.metrics.survival import exits_spec
from journeymine.metrics.watched import check_bins
from journeymine.parallel import take

__all__ = ["RepeatRate", "repeat_rate"]

Ints = npt.NDArray[np.int64]
CAUSE = "repeated"
MOST = 1_000
_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class RepeatRate:
    """The measure behind `repeat_rate`, for `mine`. Parameters as in `repeat_rate`."""

    event: Any = field(default_factory=lambda: {"goal": True})
    bin: Duration = "30d"
    horizon: Duration = "180d"
    max_nth: int = 5
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "repeat_rate"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        put(self, "event", Occurrence.parse(self.event, name="event"))
        microseconds(self.horizon, name="horizon")
        check_bins(self.bin, self.horizon)
        if type(self.max_nth) is not int or not 1 <= self.max_nth <= MOST:
            raise QuestionError(f"max_nth={self.max_nth!r}", hint=f"give a whole number from 1 to {MOST:,}")

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"Which share of customers comes to {self.event.words} again, and after how long{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Purchases by number, the bins in which the next one comes, and a histogram of the time to it."""
        keys: dict[str, Any] = dict.fromkeys(self.names, pl.String)
        numbered = {**keys, "nth": pl.Int64}
        return {
            "purchases": TableSpec(numbered, {"n": "sum", "n_users": "sum", CAUSE: "sum", "users_back": "sum"}),
            "exits": exits_spec(numbered, (CAUSE,)),
            "times": TableSpec({**numbered, "_bucket": pl.Int64}, {"n": "sum"}),
            "hazard": exits_spec(keys, (CAUSE,)),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Follow each purchase until the next one of the same user."""
        specs, heads = self.specs(), journeys.heads
        span = journeys.context.observed_until - int(heads.start.min()) if len(heads) else 0
        counts = ReturnCounts(microseconds(self.bin), span)
        for part in self._parts(journeys.with_grains(self.names)):
            self._add(part, counts)
        tables = dict(zip(specs, counts.tables(specs, CAUSE), strict=False))
        # Whichever purchase it was: the few rows added up are quicker than all purchases counted once more.
        hazard = list(specs["hazard"].schema)
        tables["hazard"] = tables["exits"].group_by(hazard[: -len(specs["hazard"].values)]).sum().select(hazard)
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def _parts(self, journeys: Journeys) -> Iterator[Journeys]:
        """Few users at a time, so that memory is used again; all of them where labels are too many to be numbered alike."""
        n_labels = math.prod(len(key.values) for key in step_keys(journeys.range(0, 0), self.names).values())
        return journeys.parts(PART if n_labels * self.max_nth * PLACES <= ROOM else max(len(journeys.coded), 1))

    def _add(self, journeys: Journeys, counts: ReturnCounts) -> None:
        """Add the purchases of some users."""
        bought, journey = self.event.steps_and_journeys(journeys)
        time, user = take(journeys.coded.time, bought), take(journeys.heads.user, journey)
        until, begins = journeys.context.observed_until, changes(user)
        keys = {name: key.take(bought) for name, key in step_keys(journeys, self.names).items()}
        nth = np.minimum(_position(begins), self.max_nth - 1)
        numbered = Packed.of_keys(keys, len(bought)).beside(nth, {"nth": pl.Series(range(1, self.max_nth + 1))})
        numbered = numbered.with_room(PLACES)
        for rows in blocks_of_users(begins):
            who, when, first = user[rows], time[rows], begins[rows]
            took = np.full(len(who), -1, dtype=np.int64)
            took[:-1] = np.where(first[1:], -1, np.diff(when))
            counts.add(numbered.part(rows), who, take(journeys.folds, who), took, until - when)

    def steps_at_once(self, journeys: Journeys) -> int:
        """So many that counting the purchases among them takes longer than starting threads and merging their tables."""
        return _AT_ONCE

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares so far and within the horizon, and the hazard by time since the last purchase."""
        bin_us, horizon = microseconds(self.bin), microseconds(self.horizon)
        return {
            "summary": answer_groups(
                tallies["purchases"], tallies["exits"], tallies["times"], CAUSE, bin_us, horizon, "users_back"
            ),
            "hazard": answer_curves(tallies["purchases"], tallies["hazard"], CAUSE, bin_us, horizon),
        }


def _position(first: npt.NDArray[np.bool_]) -> Ints:
    """Which of its user's rows each row is, from 0; the first of them is one's first."""
    starts = np.flatnonzero(first)
    return np.arange(len(first)) - np.repeat(starts, np.diff(starts, append=len(first)))


def repeat_rate(
    journeys: Journeys,
    *,
    event: Any = None,
    bin: Duration = "30d",  # noqa: A002
    horizon: Duration = "180d",
    max_nth: int = 5,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Share of customers that buy again after their first, second, … purchase, and how soon they do.

    so_far_share(n) = |customers with a purchase n + 1| / |customers with a purchase n|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    event : what a purchase is: a touchpoint, a set of touchpoints or a predicate. By default the goal.
    bin : length of a bin of the time since the last purchase.
    horizon : how far `repeated_share` and `lapsed_share` look ahead. It is rounded down to whole bins, of which it must
        hold one to 20,000.
    max_nth : the last purchase with a row of its own; its row also holds all later purchases.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the earlier of the two purchases. By
        default one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and number of the purchase:
        nth i64: number of the purchase, from 1
        n, n_users i64: such purchases, and their customers
        repeated, users_back i64: of these, the ones followed by another purchase so far
        so_far_share f64: repeated ÷ n, 0–1
        horizon_s f64: seconds
        repeated_share f64: share followed by another within the horizon, 0–1; purchases watched for less are accounted
        for
        p50_s, p90_s f64: seconds to the next purchase, of those that came so far
        sparse bool: few users behind the row; reason str: why the share within the horizon is null
    tables["hazard"] has one row per value of `by` and bin since the last purchase, whichever purchase that was:
        time_s f64: end of the bin, in seconds
        at_risk, repeated, censored i64
        repeated_share f64: share that has bought again by then (1 − Kaplan–Meier)
        hazard_share f64: of those silent until this bin, the share that buys in it
        lapsed_share f64: of those still silent after it, the share that stays so up to the horizon: how likely a silent
        customer has gone
    Estimates have …_lower and …_upper.

    Raises
    ------
    QuestionError : `event` is the goal, and the rules name none; or `horizon` is shorter than `bin`, or over 20,000
        times as long.
    UnknownLabelError : a label or column does not occur in the log.

    Notes
    -----
    `so_far_share` in the row nth=1 is the classic repeat rate. It grows with the length of the log; `repeated_share`
    does not. Each step that satisfies `event` is a purchase, also a second one at the same instant. Purchases in any
    journey count, whatever its status. Null labels are ``"(unknown)"``. What happens after `observed_until` is in the
    figures so far, and in no share within a time. An event after t is in bin ⌈t ÷ bin⌉; a purchase that was watched for
    less than a bin does not count in it. Counts merge exactly over users. Intervals as of `win_back`.
    """
    measure = RepeatRate(
        event={"goal": True} if event is None else event, bin=bin, horizon=horizon, max_nth=max_nth, by=by
    )
    check_occurs(journeys, measure.event)
    return answer(measure, journeys, confidence=confidence)
