"""Activity by weekday and hour: when customers are there, and when they convert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Share
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.activity_hours import count_hours
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.metrics.periods import check_zone

__all__ = ["Activity", "activity"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Activity:
    """The measure behind `activity`, for `mine`. Parameters as in `activity`."""

    timezone: str = "UTC"
    event: Any = None
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "activity"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
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
        return f"On which weekday and at what hour ({self.timezone}) does {self.event.words} happen{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Steps by weekday and hour, and all of them."""
        keys: dict[str, Any] = dict.fromkeys(self.names, pl.String)
        cell = {**keys, "weekday": pl.Int64, "hour": pl.Int64}
        return {
            "cells": TableSpec(cell, {"n": "sum", "n_journeys": "sum", "n_users": "users", "goals": "sum"}),
            "all": TableSpec(keys, {"n": "sum", "n_users": "users"}),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Read the wall clock at each step."""
        specs = self.specs()
        tables = count_hours(journeys, self.event, self.names, self.timezone, specs)
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: hours are counted block by block, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Shares of all steps of the group."""
        cells, everything = tallies["cells"], tallies["all"]
        n = everything.by_fold("n")
        trials = np.repeat(n, cells.rows.height, axis=1) if not self.names else n[:, _group_rows(cells, everything)]
        users = np.broadcast_to(everything.total("n_users"), (1, len(everything)))[0]
        behind = np.repeat(users, cells.rows.height) if not self.names else users[_group_rows(cells, everything)]
        answer = Answer(
            keys=cells.rows,
            columns={
                **{name: cells.total(name) for name in cells.spec.values},
                "share": Share(cells.by_fold("n"), trials, users=behind),
            },
            users=cells.total("n_users"),
        )
        return {"activity": answer}


def _group_rows(cells: Tally, everything: Tally) -> Ints:
    """The row of the group that each cell belongs to."""
    groups = everything.rows.with_row_index("_group")
    found = cells.rows.join(groups, on=everything.rows.columns, how="left", nulls_equal=True, maintain_order="left")
    return found["_group"].cast(pl.Int64).to_numpy()


def activity(
    journeys: Journeys,
    *,
    timezone: str = "UTC",
    event: Any = None,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Count steps by weekday and hour on the wall clock of a time zone.

    share(weekday, hour) = |steps in that hour of that weekday| / |steps of the group|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    timezone : the zone whose wall clock is read, e.g. ``"Europe/Berlin"``.
    event : which steps count: None for every step, ``{"goal": True}`` for the goal, or a touchpoint, a set of
        touchpoints or a predicate.
    by : one or several of channel, stage, touchpoint, owner, any attribute or segment. The shares of each group add up
        to 1. By default all steps are one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`, weekday and hour in which anything happened:
        weekday i64: 1 (Monday) to 7
        hour i64: 0 to 23
        n i64: steps
        n_journeys, n_users i64: journeys and users with such a step
        goals i64: of n, steps by which a journey converts
        share f64: n ÷ all steps of the group, 0–1, with interval (share_lower, share_upper)
        sparse bool: few users behind the row; reason str: why there is no share or interval

    Raises
    ------
    QuestionError : the zone is unknown, or `event` asks for the goal and the rules name none.
    UnknownLabelError : a label or column does not occur in the log.

    Notes
    -----
    All journeys count, whatever their status or age, so open and immature ones too. Touches by the company do not
    count. Several steps at one instant each count. Null labels are ``"(unknown)"``. An hour that the clocks repeat in
    autumn holds both of its occurrences; the hour they skip in spring holds none. Counts merge exactly. Interval:
    Wilson, clustered by user through the 64 folds.
    """
    measure = Activity(timezone=timezone, event=event, by=by)
    check_occurs(journeys, measure.event)
    return answer(measure, journeys, confidence=confidence)
