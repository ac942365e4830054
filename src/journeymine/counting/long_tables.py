"""Estimates of tables of millions of rows, of which most fill few folds.

A row that fills fewer than `MIN_FOLDS` folds gets no interval from them; what is left is arithmetic with its totals,
done for all such rows at once. The others are laid out by fold, block after block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from journeymine.counting.estimates import LongNumber, LongRest, LongShare
from journeymine.counting.tally import Tally, in_blocks
from journeymine.parallel import on_all_cores
from journeymine.stats.shares import MIN_FOLDS, NO_TRIALS, REASONS, few_folds_interval, number_interval, share_interval

__all__ = ["each_of", "long_number", "long_rest", "long_share", "long_share_users"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Item = TypeVar("Item")
Out = TypeVar("Out")
_BLOCK = 1 << 12
"""Rows laid out by fold at a time: 64 folds of them fit in a processor's cache."""
_MANY = 1 << 16


def long_share(share: LongShare, confidence: float) -> tuple[Floats, Floats, Floats, npt.NDArray[np.uint8]]:
    """Estimate, limits, and the position in `REASONS` of why there are none."""
    tally, once = share.tally, share.once
    won, tried, users = (share.totals[name] for name in (share.successes, share.trials, "n_users"))
    n = len(tally)
    if not share.known:
        nothing = np.full(n, np.nan)
        return nothing, nothing, nothing, np.full(n, REASONS.index(NO_TRIALS), dtype=np.uint8)
    estimate, lower, upper, reason = np.empty(n), np.empty(n), np.empty(n), np.empty(n, dtype=np.uint8)
    found: tuple[npt.NDArray[Any], ...] = (estimate, lower, upper, reason)

    def from_totals(rows: slice) -> None:
        few = few_folds_interval(won[rows], tried[rows], each_user_once=once[rows], confidence=confidence)
        for whole, part in zip(found, few, strict=True):
            whole[rows] = part

    def by_fold(rows: Ints) -> None:
        each = share_interval(
            tally.by_fold(share.successes, rows), tally.by_fold(share.trials, rows),
            users=users[rows], each_user_once=once[rows], confidence=confidence,
        )  # fmt: skip
        why = np.array([REASONS.index(reason) for reason in each.reason.tolist()], dtype=np.uint8)
        for whole, part in zip(found, (each.estimate, each.lower, each.upper, why), strict=True):
            whole[rows] = part

    in_blocks(from_totals, n)
    on_all_cores(by_fold, _full(tally))
    return estimate, lower, upper, reason


def long_number(number: LongNumber, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Estimate and limits."""
    tally = number.tally
    estimate = tally.total_float(number.value) / number.unit
    lower, upper = (np.full(len(tally), np.nan) for _ in range(2))

    def by_fold(rows: Ints) -> None:
        values = tally.spread(number.value, rows) / number.unit
        trials = tally.by_fold(number.trials, rows)[tally.present]
        each = number_interval(values[0], values[1:], trials_by_fold=trials, skewed=True, confidence=confidence)
        estimate[rows], lower[rows], upper[rows] = each.estimate, each.lower, each.upper

    on_all_cores(by_fold, _full(tally))
    return estimate, lower, upper


def long_share_users(share: LongShare) -> tuple[Ints, Ints]:
    """How many users stand at least behind the successes, and behind the other trials: as many as there are folds with any,
    and where each user stands once, exactly as many as are counted.
    """  # noqa: D205
    tally = share.tally
    won, tried = (tally.frame[name].to_numpy() for name in (share.successes, share.trials))
    successes, trials = share.totals[share.successes], share.totals[share.trials]
    return (
        np.where(share.once, successes, tally.added(lambda cells: won[cells] > 0)),
        np.where(share.once, trials - successes, tally.added(lambda cells: tried[cells] > won[cells])),
    )


def long_rest(rest: LongRest) -> Ints:
    """The folds with any."""
    whole, part = (rest.tally.frame[name].to_numpy() for name in (rest.whole, rest.part))
    return rest.tally.added(lambda cells: whole[cells] > part[cells])


def each_of(work: Callable[[Item], Out], items: Sequence[Item], n_rows: int) -> list[Out]:
    """`work` done on each item, on all cores where it is on so many rows that this takes less than starting them."""
    return on_all_cores(work, items) if n_rows >= _MANY else [work(item) for item in items]


def _full(tally: Tally) -> Iterator[Ints]:
    """Rows that fill enough folds for an interval, block by block."""
    full = np.flatnonzero(tally.filled >= MIN_FOLDS)
    return (full[start : start + _BLOCK] for start in range(0, len(full), _BLOCK))
