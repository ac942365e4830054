"""Which journeys are certain, and what of the carried rows may go.

With T = observed_until − allowed_lateness, no row before T can come any more. A carried journey is

- *sealed* when the same user's next journey starts before T: nothing about it can change. It is counted, and its rows
  go.
- *closed* when it is its user's last and ended more than `idle` before T (twice that where the company's touches are
  kept, which may still fall to it or to a next one): whatever comes begins another journey. It is counted as never
  followed by one, and its rows sleep until its user is seen again; what the return changes is then added to the counts.

Both wait until the journey is mature and until no question watches it any more. Journeys of a user become certain in
order, so that the carried rows always begin where a journey does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.events.coded import CodedEvents
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.journeys.heads import CONVERTED
from journeymine.journeys.journeys import Journeys
from journeymine.nightly.rows import ROW, RowShape
from journeymine.nightly.settings import Settings

__all__ = ["Carried", "Sealing", "build_carried", "seal"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Carried:
    """Journeys rebuilt from carried rows.

    Attributes
    ----------
    journeys : with `ROW` among the numbers of their steps and company touches.
    rows : the carried rows, in order of arrival.
    counted : per journey, whether it is in the sealed counts already, as one that no other follows.
    has_company : whether any touch of the company is kept.
    """

    journeys: Journeys
    rows: pl.DataFrame
    counted: Bools
    has_company: bool

    @property
    def journey_of_row(self) -> Ints:
        """The journey of each carried row; −1 for a touch of the company near none."""
        found = np.full(self.rows.height, -1, dtype=np.int64)
        journeys = self.journeys
        found[journeys.coded.numbers[ROW]] = journeys.journey_of_step
        if len(journeys.company):
            found[journeys.company.numbers[ROW]] = journeys.company.journey
        return found


def build_carried(
    rows: pl.DataFrame,
    settings: Settings,
    shape: RowShape,
    context: LogContext,
    vocabulary: Mapping[str, tuple[str, ...]],
) -> Carried:
    """Rebuild the journeys of carried rows (columns of `RowShape.carried_schema`), in order of arrival."""
    coded: CodedEvents = shape.code(rows, vocabulary)
    prior = rows.group_by("user").agg(
        journeys=pl.col("prior_journeys").max(), goals=pl.col("prior_goals").max()
    )  # fmt: skip
    stages = settings.config.stages
    journeys = build_coded(coded, settings.rules, context, stages, prior=prior)
    first = journeys.coded.numbers[ROW][journeys.offsets[:-1]]
    counted = rows["counted"].to_numpy()[first] if len(journeys) else np.zeros(0, dtype=bool)
    company = any(fact.by_company for fact in stages.facts)
    return Carried(journeys, rows, counted, company)


@dataclass(frozen=True, eq=False)
class Sealing:
    """What one night makes certain.

    Attributes
    ----------
    fresh : journeys to count for the first time.
    returned : journeys that were counted as never followed, and now certainly are.
    carry : rows that stay carried.
    asleep : rows of users of whom nothing is open.
    used : night → rows that no replacement can take back any more.
    """

    fresh: Bools
    returned: Bools
    carry: pl.DataFrame
    asleep: pl.DataFrame
    used: Mapping[int, int]


def seal(carried: Carried, settings: Settings, safe: int) -> Sealing:
    """Find what is certain when no row before `safe` (µs) can come any more."""
    journeys, heads = carried.journeys, carried.journeys.heads
    idle, until = settings.rules.idle_us, journeys.context.observed_until
    last = heads.next_start == MISSING
    watched = heads.mature & (heads.end + idle + settings.settle_us <= until)
    sealed = ~last & (heads.next_start < safe) & watched
    silent = heads.end + idle * (2 if carried.has_company else 1) < safe
    closed = last & silent & watched
    sealed, closed = _in_order(sealed, closed, heads.user)
    row_journey = carried.journey_of_row
    attached = row_journey >= 0
    at = np.maximum(row_journey, 0)
    none = np.zeros(len(row_journey), dtype=bool)
    goes = attached & sealed[at] if len(sealed) else none
    # A touch near no journey may still lead to one that starts within `idle` of it.
    stale = ~attached & (carried.rows["timestamp"].to_numpy() + idle < safe)
    counted = (attached & (closed | carried.counted)[at]) if len(sealed) else none
    rows = (
        _prior(carried, sealed).with_columns(counted=pl.Series(counted)).with_columns(_keep=pl.Series(~(goes | stale)))
    )
    before = carried.rows["counted"].to_numpy()
    used = _used(carried, sealed, goes | stale | (counted & ~before))
    rows = rows.filter("_keep").drop("_keep")
    # Asleep: every row left of the user belongs to one journey that is counted and closed.
    awake = rows.group_by("user").agg(_awake=(~pl.col("counted")).any())
    rows = rows.join(awake, on="user", how="left", maintain_order="left")
    return Sealing(
        fresh=(sealed | closed) & ~carried.counted,
        returned=sealed & carried.counted,
        carry=rows.filter("_awake").drop("_awake"),
        asleep=rows.filter(~pl.col("_awake")).drop("_awake"),
        used=used,
    )


def _in_order(sealed: Bools, closed: Bools, user: Ints) -> tuple[Bools, Bools]:
    """Only journeys before which all of the same user's are sealed."""
    if not len(user):
        return sealed, closed
    waiting = np.cumsum(~sealed)
    first = np.flatnonzero(np.diff(user, prepend=-1))
    before_user: Ints = np.repeat((waiting - ~sealed)[first], np.diff(np.append(first, len(user))))
    clear = waiting - before_user - ~sealed == 0
    return sealed & clear, closed & clear


def _prior(carried: Carried, sealed: Bools) -> pl.DataFrame:
    """The rows with the sealed journeys added to what went before."""
    heads = carried.journeys.heads
    gone = pl.DataFrame(
        {
            "user": carried.journeys.users.gather(pl.Series(heads.user[sealed])),
            "goal": (heads.status == CONVERTED)[sealed],
        }
    )
    gone = gone.group_by("user").agg(_journeys=pl.len().cast(pl.Int64), _goals=pl.col("goal").sum().cast(pl.Int64))
    return (
        carried.rows.join(gone, on="user", how="left", maintain_order="left")
        .with_columns(
            # rows of tonight do not know yet what went before
            prior_journeys=pl.col("prior_journeys").max().over("user") + pl.col("_journeys").fill_null(0),
            prior_goals=pl.col("prior_goals").max().over("user") + pl.col("_goals").fill_null(0),
        )
        .drop("_journeys", "_goals")
    )


def _used(carried: Carried, sealed: Bools, gone: Bools) -> dict[int, int]:
    """Rows by night that are counted, dropped, or whose coming sealed the journey before."""
    following = np.flatnonzero(sealed) + 1
    used = gone.copy()
    journeys = carried.journeys
    used[journeys.coded.numbers[ROW][journeys.offsets[following]]] = True
    night = carried.rows["night"].to_numpy()[used]
    numbers, n = np.unique(night, return_counts=True)
    return dict(zip(numbers.tolist(), n.tolist(), strict=True))
