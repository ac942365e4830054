"""Waiting: how long it takes from one touchpoint to another within a journey, and how many never get there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import too_short
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.runs import changes
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import distinct_users, integer_key, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.parallel import take
from journeymine.stats.histogram import bucket_of

__all__ = ["Waiting", "waiting"]

Ints = npt.NDArray[np.int64]
COUNTED = ("n_journeys", "n", "n_users", "arrived", "lost_waiting", "open_waiting", "converted_after", "users_arrived")


@dataclass(frozen=True)
class Waiting:
    """The measure behind `waiting`, for `mine`. Parameters as in `waiting`."""

    start: Any
    until: Any = None
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "waiting"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        if self.start is None:
            raise QuestionError("start=None", hint="name the touchpoint that the waiting starts at")
        put(self, "start", Occurrence.parse(self.start, name="start"))
        put(self, "until", Occurrence.parse(self.until, name="until"))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"How long does it take from {self.start.words} until {self.until.words}{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.start, self.until)

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys that waited and what came of it, and a histogram of the time."""
        keys: dict[str, Any] = dict.fromkeys(self.names, pl.String)
        counted: dict[str, Any] = {
            **dict.fromkeys(COUNTED, "sum"),
            "n_users": "users",
            "users_arrived": "users",
            "_time": "wide",
        }
        return {"journeys": TableSpec(keys, counted), "times": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Find the first start of each journey, and the first arrival after it."""
        specs, heads = self.specs(), journeys.heads
        of_step, time = journeys.journey_of_step, journeys.coded.time
        starts, ends = self.start.steps(journeys), self.until.steps(journeys)
        of_start = take(of_step, starts)
        rows = np.flatnonzero(changes(of_start) & (take(heads.status, of_start) != SERVICE))
        at, journey = take(starts, rows), take(of_start, rows)
        following = take(np.append(ends, len(time)), np.searchsorted(ends, at, side="right"))
        arrived = following < take(journeys.offsets, journey + 1)  # where nothing follows, `took` looks at any time
        took = np.where(arrived, take(time, following) - take(time, at), 0)
        mature, status, user = take(heads.mature, journey), take(heads.status, journey), take(heads.user, journey)
        there = mature & arrived
        keys = {name: key.take(at) for name, key in step_keys(journeys, self.names).items()}
        packed, size = pack(list(keys.values()), len(at))
        fold = take(journeys.folds, user)
        after = take(heads.goal_step, journey) >= following - take(journeys.offsets, journey)
        values = {
            "n": mature,
            "n_users": distinct_users(packed, user, mature, size),
            "arrived": there,
            "lost_waiting": mature & ~arrived & ((status == LOST) | (status == ENDED)),
            "open_waiting": mature & ~arrived & (status == OPEN),
            "converted_after": there & after & (status == CONVERTED),
            "users_arrived": distinct_users(packed, user, there, size),
            "_time": np.where(there, took, 0),
        }
        rows = np.flatnonzero(there)
        timed = {name: key.take(rows) for name, key in keys.items()} | {"_bucket": integer_key(bucket_of(took[rows]))}
        tables = {
            "journeys": tabulate(specs["journeys"], keys, values, fold),
            "times": tabulate(specs["times"], timed, {}, fold[rows]),
        }
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares and times."""
        tally = tallies["journeys"]
        times, n, users = histogram_of(tallies["times"], tally.rows), tally.total("n"), tally.total("n_users")
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tally.spread("_time") / MICRO / tally.spread("arrived")

        def share(part: str) -> Share:
            return Share(tally.by_fold(part), tally.by_fold("n"), users=users, once=users == n)

        arrived = tally.by_fold("arrived")
        asked = np.zeros_like(arrived) if basis.rules.goal is None else arrived
        answer = Answer(
            keys=tally.rows,
            columns={
                **{name: tally.total(name) for name in COUNTED},
                "arrived_share": share("arrived"),
                "lost_share": share("lost_waiting"),
                "converted_share": Share(tally.by_fold("converted_after"), asked, users=users, once=users == n),
                "p50_s": Quantile(times, 0.5, 1 / MICRO),
                "p90_s": Quantile(times, 0.9, 1 / MICRO),
                "mean_s": Number(mean, arrived[tally.present], least=0.0, skewed=True),
            },
            users=users,
            converting=tally.total("users_arrived"),
            reasons=[
                too_short(basis) if not mature and waited else None
                for mature, waited in zip(n, tally.total("n_journeys"), strict=True)
            ],
        )
        return {"waiting": answer}


def waiting(
    journeys: Journeys,
    *,
    start: Any,
    until: Any = None,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Time from one touchpoint to another in the same journey, and how many journeys never get there.

    arrived_share = |mature journeys with `until` after their first `start`| / |mature journeys with `start`|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    start : where the waiting starts: a touchpoint, a set of touchpoints, a predicate, or ``{"goal": True}``. The
        journey's first such step counts.
    until : what ends it, in the same forms: the first such step after the start. By default any step.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment, at the start. By default one row
        for all journeys.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n_journeys i64: journeys with such a start; n, n_users i64: mature ones of them, and their users
        arrived, lost_waiting, open_waiting i64: of n: got there; did not and are lost; did not and are open. The rest
        converted without getting there
        converted_after i64: of arrived: reach the goal there or later; users_arrived i64: users in arrived
        arrived_share, lost_share f64: of n, 0–1; converted_share f64: of arrived, 0–1
        p50_s, p90_s, mean_s f64: seconds, of those that arrived
        sparse bool: few users behind the row; reason str: why the shares are null
        Estimates have …_lower and …_upper.

    Raises
    ------
    UnknownLabelError : a label or column does not occur in the log.
    QuestionError : no start is named, or the goal is asked for and the rules name none.

    Notes
    -----
    Only mature journeys are in the shares; ``service`` is outside. Without a goal, journeys that ended count as lost,
    and `converted_share` is null. The start never ends its own waiting. An arrival at
    the same instant takes 0 s; the documented order of ties decides whether it comes after. Null labels are
    ``"(unknown)"``; touches by the company are no steps. Counts merge exactly. Intervals: Wilson clustered by user
    through the 64 folds, Woodruff for quantiles, the jackknife with limits that follow the skewness (Hall 1992) for the mean. For all pairs of direct neighbours at once
    see `transitions`; for the time to convert of all journeys, open ones among them, `time_to_convert`.
    """
    measure = Waiting(start=start, until=until, by=by)
    check_occurs(journeys, measure.start, measure.until)
    return answer(measure, journeys, confidence=confidence)
