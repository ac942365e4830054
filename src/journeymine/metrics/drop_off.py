"""Drop-off: where, and on which channel, journeys end without the goal, and what that costs."""

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
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import NO_GOAL, too_short
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.comparable import (
    COMPARABLE_CONVERTED,
    COMPARABLE_N,
    best_comparable,
    place_label,
    split_names,
)
from journeymine.metrics.place_outcomes import count_places
from journeymine.stats.shares import share_interval

__all__ = ["DropOff", "drop_off"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NOT_COMPARED = "places are compared that differ in channel, segment or attribute, and the breakdown names none of these"
NOTHING_COMPARABLE = (
    f"no other place that is known differs in channel, segment or attribute only and has {COMPARABLE_N} mature "
    f"journeys and {COMPARABLE_CONVERTED} conversions"
)
NO_VALUE = "nobody who came by converted, so what a conversion is worth here is not known"


@dataclass(frozen=True)
class DropOff:
    """The measure behind `drop_off`, for `mine`. Parameters as in `drop_off`."""

    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "drop_off"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1
    so_far: ClassVar[tuple[str, ...]] = ("open_share", "came_back_share")

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by) or ("stage", "channel"))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return f"Where do journeys drop off, per {' × '.join(self.names)}, and do they come back?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by place and outcome, and a histogram of the time until they came back."""
        keys = dict.fromkeys(self.names, pl.String)
        outcomes = TableSpec(
            keys,
            {"n_reached": "sum", "n": "sum", "n_users": "users", "went_on": "sum", "converted_later": "sum",
             "users_converted": "users", "lost_here": "sum", "open_here": "sum", "came_back": "sum", "value": "wide"},
        )  # fmt: skip
        return {"places": outcomes, "returns": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Count, for each place, the journeys that reach it and what became of them."""
        specs = self.specs()
        return Counts.of(question_of(self), basis_of(journeys), specs, count_places(journeys, self.names, specs))

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: places are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares and stakes from the counts; stages come in their order."""
        tally = tallies["places"]
        n, n_folds, users = tally.total("n"), tally.by_fold("n"), tally.total("n_users")
        counted = ("n_reached", "n", "n_users", "went_on", "converted_later", "lost_here", "open_here", "came_back")
        once = users == n

        may_convert = basis.rules.goal is not None
        may_be_lost = may_convert or basis.rules.lost_at is not None

        def share(part: str, of: str = "n", *, known: bool = True) -> Share:
            if not known:
                return Share(tally.by_fold(part), np.zeros_like(n_folds))
            # Users are counted among the mature journeys; of fewer journeys the folds tell a lower bound.
            if of != "n":
                return Share(tally.by_fold(part), tally.by_fold(of), once=once)
            return Share(tally.by_fold(part), n_folds, users=users, once=once)

        stakes = _stakes(tally, [_why_none(basis, self.names, count) for count in n])
        behind = n_folds[tally.present]
        answer = Answer(
            keys=tally.rows,
            columns={
                **{name: tally.total(name) for name in counted},
                "went_on_share": share("went_on"),
                "converted_share": share("converted_later", known=may_convert),
                "lost_share": share("lost_here", known=may_be_lost),
                "open_share": share("open_here"),
                "came_back_share": share("came_back", "lost_here"),
                "came_back_p50_s": Quantile(
                    histogram_of(tallies["returns"], tally.rows), 0.5, 1 / MICRO, interval=False
                ),
                "comparable": stakes.comparable,
                "n_comparable": stakes.n_comparable,
                "conversions_at_stake": Number(stakes.conversions, behind),
                "value_at_stake": Number(stakes.value, behind),
                "stake_reason": stakes.reason,
            },
            users=users,
            converting=tally.total("users_converted"),
            reasons=[too_short(basis) if count == 0 else None if may_convert else NO_GOAL for count in n],
        )
        return {"drop_off": answer}


def drop_off(journeys: Journeys, *, by: str | Sequence[str] | None = None, confidence: float = 0.95) -> Result:
    """What became of the journeys that reached each place (by default stage × channel), and what is at stake there.

    lost_share = |mature journeys lost with their last step here| / |mature journeys with any step here|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    by : what makes a place: one or several of stage, channel, touchpoint, owner, any attribute or segment. By default
        stage and channel, as far as the log has them, and the touchpoint where it has neither.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per place, stages in their order:
        n_reached i64: journeys with a step here, mature or not
        n i64: mature ones of them; n_users i64: distinct users in n
        went_on, converted_later, lost_here, open_here, came_back i64: of n, what became of them
        went_on_share, converted_share, lost_share, open_share f64: of n, 0–1
        came_back_share f64: of lost_here, 0–1; came_back_p50_s f64: median seconds from the last step to the next
        journey
        comparable str: the place it is compared with; n_comparable i64: how many there were to choose from
        conversions_at_stake f64: journeys; value_at_stake f64: units of money; stake_reason str: why nothing can be
        said of what is at stake
        sparse bool: few users behind the row; reason str: why the shares are null
        Estimates have …_lower and …_upper.

    Notes
    -----
    *Went on*: has a later step in a higher stage (without stages, any later step). *Converted later*: reaches the goal
    after the first step here. *Lost here* and *open here*: is lost, or still open, and the user's last step is here.
    *Came back*: was lost here, and another journey of the same user follows.

    *At stake*: lost_here × (converted_share of the best comparable place − own, if positive), times the mean value of
    the journeys that convert from here. Other places are comparable if they differ in channel, segment or attribute
    only, are not ``"(unknown)"`` in any of these, and have at least 100 mature journeys and 10 conversions. The best of
    them is the one whose conversion has the greatest lower limit (see `metrics.comparable`; `opportunities` uses the
    same rule); the interval takes this choice as known. Where no place is comparable the stake is null, not 0.
    value_at_stake is null without a value column, and where journeys are lost here and none that came by converted
    (`opportunities` then uses the mean value of all conversions).

    A step at an unmapped touchpoint is in the stage ``"(unmapped)"``; other null labels are ``"(unknown)"``. Journeys
    of status ``service`` are outside. Steps at one instant are in the documented order. Counts merge exactly.
    Intervals: Wilson for shares, clustered by user through the 64 folds; the jackknife for what is at stake; the time
    has none.
    """
    check_journeys(journeys)
    names = as_names(by) or default_places(journeys)
    measure = DropOff(by=names)
    return answer(measure, journeys, confidence=confidence)


def default_places(journeys: Journeys) -> tuple[str, ...]:
    """Stage and channel as far as the log has them, else the touchpoint."""
    return tuple(name for name in ("stage", "channel") if name in journeys.coded.labels) or ("touchpoint",)


@dataclass(frozen=True, slots=True)
class _Stakes:
    """What is at stake at each place: conversions and value of shape [1 + K, rows], against what, or why neither is known."""

    comparable: pl.Series
    n_comparable: Ints
    conversions: Floats
    value: Floats
    reason: pl.Series


def _stakes(tally: Tally, reasons: list[str | None]) -> _Stakes:
    """Lost here × (conversion of the best comparable place − own, if positive), and in money."""
    n, converted, users = tally.spread("n"), tally.spread("converted_later"), tally.total("n_users")
    sure = share_interval(
        tally.by_fold("converted_later"), tally.by_fold("n"), users=users, each_user_once=users == n[0]
    )
    comparables = best_comparable(tally.rows, n[0], converted[0], sure.lower)
    best = comparables.best
    with np.errstate(divide="ignore", invalid="ignore"):
        own = converted / n
        mean_value = tally.spread("value") / MICRO / converted
    theirs = own[:, best]
    # A place at or above the best has nothing at stake, whatever a replicate says.
    gain = np.where(own[0] < theirs[0], theirs - own, 0.0)
    gain[:, (best < 0) | (n[0] == 0)] = np.nan
    conversions = tally.spread("lost_here") * gain
    has_value = tally.told("value")
    value = np.where(conversions == 0, 0.0, conversions * mean_value) if has_value else np.full(gain.shape, np.nan)
    labels = [place_label(row) for row in tally.rows.select(split_names(tally.rows.columns)[1]).iter_rows()]
    unknown = np.isnan(value[0]) & has_value
    told = [
        (given or NOTHING_COMPARABLE) if at < 0 or given else NO_VALUE if missing else None
        for given, at, missing in zip(reasons, best, unknown, strict=True)
    ]
    compared = [labels[at] if at >= 0 else None for at in best]
    return _Stakes(
        pl.Series(compared, dtype=pl.String), comparables.n, conversions, value, pl.Series(told, dtype=pl.String)
    )


def _why_none(basis: Basis, names: Sequence[str], n: int) -> str | None:
    """Why nothing can be at stake at a place of n mature journeys, whatever the other places are; None where it can."""
    if basis.rules.goal is None:
        return NO_GOAL
    if not n:
        return too_short(basis)
    return None if split_names(names)[1] else NOT_COMPARED
