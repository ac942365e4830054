"""Estimates of tables of millions of rows, of which most fill few folds.

A row that fills fewer than `MIN_FOLDS` folds gets no interval from them; what is left is arithmetic with its totals, done
for all such rows at once. The others are laid out by fold, block after block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.estimates import LongNumber, LongRest, LongShare
from journeymine.counting.tally import Tally
from journeymine.parallel import on_all_cores
from journeymine.stats.shares import MIN_FOLDS, REASONS, few_folds_interval, number_interval, share_interval

__all__ = ["long_number", "long_rest", "long_share", "long_share_users"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BLOCK = 1 << 12
"""Rows laid out by fold at a time: 64 folds of them fit in a processor's cache."""
_ROWS = 1 << 15
"""Rows of totals at a time, for the same reason."""


def long_share(share: LongShare, confidence: float) -> tuple[Floats, Floats, Floats, npt.NDArray[np.uint8]]:
    """Estimate, limits, and the position in `REASONS` of why there are none."""
    tally, once = share.tally, share.once
    won, tried = tally.total(share.successes), tally.total(share.trials)
    n = len(tally)
    estimate, lower, upper, reason = np.empty(n), np.empty(n), np.empty(n), np.empty(n, dtype=np.uint8)
    found: tuple[npt.NDArray[Any], ...] = (estimate, lower, upper, reason)

    def from_totals(rows: slice) -> None:
        few = few_folds_interval(won[rows], tried[rows], each_user_once=once[rows], confidence=confidence)
        for whole, part in zip(found, few, strict=True):
            whole[rows] = part

    def by_fold(rows: Ints) -> None:
        each = share_interval(
            tally.by_fold(share.successes, rows), tally.by_fold(share.trials, rows),
            users=share.users[rows], each_user_once=once[rows], confidence=confidence,
        )  # fmt: skip
        why = np.array([REASONS.index(reason) for reason in each.reason.tolist()], dtype=np.uint8)
        for whole, part in zip(found, (each.estimate, each.lower, each.upper, why), strict=True):
            whole[rows] = part

    on_all_cores(from_totals, [slice(start, start + _ROWS) for start in range(0, n, _ROWS)])
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
        each = number_interval(values[0], values[1:], trials_by_fold=trials, confidence=confidence)
        estimate[rows], lower[rows], upper[rows] = each.estimate, each.lower, each.upper

    on_all_cores(by_fold, _full(tally))
    return estimate, lower, upper


def long_share_users(share: LongShare) -> tuple[Ints, Ints]:
    """How many users stand at least behind the successes, and behind the other trials: as many as there are folds with any,
    and where each user stands once, exactly as many as are counted.
    """  # noqa: D205
    tally = share.tally
    won, tried = (tally.frame[name].to_numpy() for name in (share.successes, share.trials))
    successes, trials = tally.total(share.successes), tally.total(share.trials)
    return (
        np.where(share.once, successes, tally.added(won > 0)),
        np.where(share.once, trials - successes, tally.added(tried > won)),
    )


def long_rest(rest: LongRest) -> Ints:
    """The folds with any."""
    whole, part = (rest.tally.frame[name].to_numpy() for name in (rest.whole, rest.part))
    return rest.tally.added(whole > part)


def _full(tally: Tally) -> Iterator[Ints]:
    """Rows that fill enough folds for an interval, block by block."""
    full = np.flatnonzero(tally.filled >= MIN_FOLDS)
    return (full[start : start + _BLOCK] for start in range(0, len(full), _BLOCK))
