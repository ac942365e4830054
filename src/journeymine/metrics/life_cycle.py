"""Life cycle: who is new, returning, resurrected or dormant in each period, so that growth adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Share
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.life_cycle_counts import count_states
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.metrics.period_clock import check_calendar, date_of_number, number_of
from journeymine.metrics.periods import check_zone

__all__ = ["LifeCycle", "life_cycle"]

STATES = ("new", "returning", "resurrected", "dormant")
NOT_OVER = "this period is not over, so nobody can be dormant in it yet"
NOBODY_BEFORE = "nobody was active in the period before"


@dataclass(frozen=True)
class LifeCycle:
    """The measure behind `life_cycle`, for `mine`. Parameters as in `life_cycle`."""

    period: str = "month"
    event: Any = None
    timezone: str = "UTC"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "life_cycle"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        check_calendar(self.period)
        check_zone(self.timezone)
        put(self, "event", Occurrence.parse(self.event, name="event"))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"How many users are new, returning, resurrected and dormant in each {self.period}{per} ({self.event.words})?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Users by period and state."""
        keys: dict[str, Any] = {**dict.fromkeys(self.names, pl.String), "period": pl.Int64}
        return {"states": TableSpec(keys, dict.fromkeys([*STATES, "left_truncated"], "sum"))}

    def count(self, journeys: Journeys) -> Counts:
        """Compare each user's periods with the ones before and after."""
        specs = self.specs()
        states = count_states(journeys, self.event, self.names, self.period, self.timezone, specs["states"])
        return Counts.of(question_of(self), basis_of(journeys), specs, {"states": states})

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: users are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """States, the share retained, and the quick ratio."""
        tally = tallies["states"]
        number = tally.rows["period"].to_numpy()
        now = int(number_of(np.array([basis.context.observed_until]), self.period, self.timezone)[0])
        over = number < now
        kept, gone = tally.by_fold("returning"), tally.by_fold("dormant")
        before = np.where(over, kept + gone, 0.0)
        states = {name: tally.total(name) for name in STATES}
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (tally.spread("new") + tally.spread("resurrected")) / tally.spread("dormant")
        ratio = np.where(over & (states["dormant"] > 0), ratio, np.nan)
        users = before.sum(axis=0).astype(np.int64)
        answer = Answer(
            keys=tally.rows.with_columns(date_of_number(number, self.period).alias("period")),
            columns={
                "active": states["new"] + states["returning"] + states["resurrected"],
                **{name: states[name] for name in STATES[:-1]},
                "dormant": pl.Series(states["dormant"]).set(pl.Series(~over), None),
                "left_truncated": tally.total("left_truncated"),
                "complete": over,
                "retained_share": Share(
                    np.where(over, kept, 0.0), before, users=users, once=np.ones(len(users), dtype=bool)
                ),
                "quick_ratio": Number(ratio, before[tally.present]),
            },
            users=users,
            converting=states["returning"],
            reasons=[
                NOT_OVER if not done else NOBODY_BEFORE if n == 0 else None for done, n in zip(over, users, strict=True)
            ],
        )
        return {"life_cycle": answer}


def life_cycle(
    journeys: Journeys,
    *,
    period: str = "month",
    event: Any = None,
    timezone: str = "UTC",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Count the users that are new, returning, resurrected or dormant in each calendar period.

    active(p) = new(p) + returning(p) + resurrected(p) = active(p − 1) − dormant(p) + new(p) + resurrected(p)

    Parameters
    ----------
    journeys : made by `build_journeys`.
    period : ``"day"``, ``"week"`` (from Monday) or ``"month"``.
    event : what makes a user active: None for any step, ``{"goal": True}`` for the goal, or a touchpoint, a set of
        touchpoints or a predicate.
    timezone : the zone whose calendar is used, e.g. ``"Europe/Berlin"``.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the step. A user then has a separate
        life under each label: new in one channel, dormant in another. By default all steps are one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and period:
        period date: first day of the period
        active i64: users active in the period
        new i64: active for the first time
        returning i64: active in the period before too
        resurrected i64: active before, but not in the period before
        dormant i64: active in the period before and not in this one; null while the period lasts
        left_truncated i64: new users whose first step lies within `idle` of the log's start, so perhaps not new
        complete bool: the period is over
        retained_share f64: returning ÷ (returning + dormant), 0–1
        quick_ratio f64: (new + resurrected) ÷ dormant
        sparse bool: few users behind the row; reason str: why there is no number
        Estimates have …_lower and …_upper. Periods in which nobody was active or dormant have no row.

    Raises
    ------
    QuestionError : the period or zone is unknown, or `event` asks for the goal and the rules name none.
    UnknownLabelError : a label or column does not occur in the log.

    Notes
    -----
    A period is complete when it is over at `observed_until`. Every journey counts, whatever its status; touches by the
    company do not. Steps at one instant are one activity. Null labels are ``"(unknown)"``. Empty input gives no row.
    Counts merge exactly over users. Intervals: Wilson for the share, each user counting once in a row; the jackknife
    over the 64 folds for the ratio.
    """
    measure = LifeCycle(period=period, event=event, timezone=timezone, by=by)
    check_occurs(journeys, measure.event)
    return answer(measure, journeys, confidence=confidence)
