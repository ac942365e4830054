"""What differs between two periods in which nothing changed, because one was watched for longer than the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.journeys.heads import OPEN
from journeymine.journeys.journeys import Journeys

__all__ = [
    "edges_left_out",
    "ends_so_far",
    "go_by_time",
    "left_truncated_told",
    "periods_told",
    "so_far_between",
    "still_open_told",
    "two_periods",
]

Side = Journeys | Counts
BEGUN = "begun"
"""Stands for the edges from the start among the ends of journeys."""
LOSS_AND_TIMES = {
    "conversion": ("p50_s", "p90_s"),
    "drop_off": ("lost_share",),
    "dwell": ("mean_s", "p50_s", "p90_s"),
    "markov": ("lost", "ended"),
    "typical_order": ("position",),
    "waiting": ("lost_share", "mean_s", "p50_s", "p90_s"),
}
"""Estimates of measures that are short of what journeys still open have yet to do: who is lost, and what takes long."""


def two_periods(sides: Sequence[Side]) -> bool:
    """Whether all journeys of one side start before those of the other."""
    starts = [side.heads.start for side in sides if isinstance(side, Journeys) and len(side)]
    if len(starts) < 2:
        return False
    a, b = ((each.min(), each.max()) for each in starts)
    return bool(a[1] < b[0] or b[1] < a[0])


def so_far_between(measure: Measure, sides: Sequence[Side]) -> tuple[str, ...]:
    """Estimates that go by the time watched, and so differ between two periods in which nothing changed."""
    if not two_periods(sides):
        return ()
    grown = tuple(getattr(measure, "so_far", ()))
    if not _differ(_open(sides)) or _watched_alike(measure):
        return grown
    return grown + LOSS_AND_TIMES.get(measure.name, ())


def ends_so_far(measure: Measure, sides: Sequence[Side]) -> tuple[str, ...]:
    """Ends of journeys in a transition graph that go by the time watched; `BEGUN` for where they begin."""
    if measure.name != "transitions" or not two_periods(sides):
        return ()
    begun = (BEGUN,) if _differ(_left_truncated(sides)) else ()
    return (*(("open", "lost", "ended") if _differ(_open(sides)) else ("open",)), *begun)


def edges_left_out(rows: pl.DataFrame, ends: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows of a comparison are edges to one of these ends, or from the start."""
    if not ends or "from" not in rows.columns:
        return np.zeros(rows.height, dtype=bool)
    starts = pl.col("from").is_null() & (BEGUN in ends)
    out = rows.select(pl.col("status").is_in(ends).fill_null(value=False) | starts).to_series()
    return np.asarray(out.to_numpy())


def go_by_time(estimates: Sequence[str]) -> str:
    """That estimates cannot be compared between two periods."""
    return f"{', '.join(estimates)} {'go' if len(estimates) > 1 else 'goes'} by the time watched"


def periods_told(
    measure: Measure, left_out: tuple[Sequence[str], Sequence[str]], sides: Sequence[Side], names: Sequence[str]
) -> Iterator[str]:
    """What is not compared between two periods (estimates, and ends of journeys), and what to know of the rest."""
    so_far, ends = left_out
    if so_far:
        yield f"{go_by_time(so_far)}, and {'are' if len(so_far) > 1 else 'is'} not compared between two periods"
    if ends:
        told = " or ".join("still open" if end == "open" else end for end in ends if end != BEGUN)
        yield f"how many journeys are {told} goes by the time watched, and is not compared between two periods"
    if BEGUN in ends:
        yield "where journeys begin is not compared between two periods of which one has journeys begun before the log"
    if not _watched_alike(measure):
        yield from still_open_told(sides, names)
    yield from left_truncated_told(sides, names)


def still_open_told(sides: Sequence[Side], names: Sequence[str]) -> list[str]:
    """What to know of two sides of which one has more journeys still open."""
    if not _differ(known := _open(sides)):
        return []
    note = (
        f"of the mature journeys, {_shares(known, names)} are still open: what these have yet to do is missing, and "
        "figures may differ by that alone; of journeys that began earlier, or with a longer mature_after, fewer are "
        "still open"
    )
    return [note]


def left_truncated_told(sides: Sequence[Side], names: Sequence[str]) -> list[str]:
    """What to know of two periods of which one reaches back to where the log begins."""
    if not two_periods(sides) or not _differ(known := _left_truncated(sides)):
        return []
    note = (
        f"of the mature journeys, {_shares(known, names)} are left-truncated, as they begin within idle of the log's "
        "start: what they did before is missing, and figures may differ by that alone; "
        "journeys.where(~pl.col('left_truncated')) leaves them out"
    )
    return [note]


def _shares(known: Sequence[tuple[int, int]], names: Sequence[str]) -> str:
    return " and ".join(f"{n:,} of {of:,} ({n / of:.1%}) in {name}" for (n, of), name in zip(known, names, strict=True))


def _watched_alike(measure: Measure) -> bool:
    """Whether everybody is followed for the same time, or as long as they were watched and not as if that were all."""
    limited = any(getattr(measure, name, None) is not None for name in ("horizon", "within"))
    return limited or measure.name in ("time_to_convert", "win_back")


def _open(sides: Sequence[Side]) -> list[tuple[int, int]]:
    """Mature journeys of each side that are still open, and all mature ones."""
    heads = [side.heads for side in sides if isinstance(side, Journeys)]
    return [(int(np.count_nonzero(each.mature & (each.status == OPEN))), int(each.mature.sum())) for each in heads]


def _left_truncated(sides: Sequence[Side]) -> list[tuple[int, int]]:
    """Mature journeys of each side that may have begun before the log, and all mature ones."""
    heads = [side.heads for side in sides if isinstance(side, Journeys)]
    return [(int(np.count_nonzero(each.mature & each.left_truncated)), int(each.mature.sum())) for each in heads]


def _differ(known: Sequence[tuple[int, int]]) -> bool:
    """Whether two shares lie further apart than a third of the standard error of a difference of shares.

    What is missing of so many is then no longer small beside what chance does: s = √(¼ (1/n_a + 1/n_b)), for shares of
    one half. Each is given as a number and what it is of.
    """
    if len(known) < 2 or not all(of for _, of in known):
        return False
    (a, n_a), (b, n_b) = known
    return bool(abs(a / n_a - b / n_b) > np.sqrt((1 / n_a + 1 / n_b) / 4) / 3)
