"""Value and cost summed per journey or per user: in 64 bits, and refused where these do not hold a sum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO
from journeymine.errors import DataQualityError
from journeymine.stats.wide import normalise, split

__all__ = ["add_amounts", "any_sum_fits", "check_amounts", "sum_amounts"]

Ints = npt.NDArray[np.int64]
_MOST = (1 << 63) - 1


def sum_amounts(name: str, amounts: Ints, starts: Ints, whose: str = "journey") -> Ints:
    """Sum of each run of amounts, in micro-units; the runs begin at `starts`.

    Parameters
    ----------
    name, whose : what is summed, and over whom, in words.

    Raises
    ------
    DataQualityError : sums that 64 bits do not hold.
    """
    check_amounts(name, amounts, starts, whose)
    return np.asarray(np.add.reduceat(amounts, starts)) if len(starts) else np.zeros(0, dtype=np.int64)


def add_amounts(name: str, sums: Ints, journey: Ints, amounts: Ints) -> Ints:
    """The sums of journeys with further amounts of some of them.

    Raises
    ------
    DataQualityError : sums that 64 bits do not hold.
    """
    if _largest(sums) + _largest(amounts) * len(amounts) > _MOST:
        order = np.argsort(np.concatenate((np.arange(len(sums)), journey)), kind="stable")
        n_each = np.bincount(journey, minlength=len(sums)) + 1
        check_amounts(name, np.concatenate((sums, amounts))[order], np.cumsum(n_each) - n_each)
    found = sums.copy()
    np.add.at(found, journey, amounts)
    return found


def check_amounts(name: str, amounts: Ints, starts: Ints, whose: str = "journey") -> None:
    """Refuse runs of amounts whose sum 64 bits do not hold; each is looked at only where amounts as large could make one.

    Raises
    ------
    DataQualityError : says how many.
    """
    if not len(starts) or any_sum_fits(amounts):
        return
    if _largest(amounts) * int(np.diff(starts, append=len(amounts)).max()) <= _MOST:
        return
    upper, _ = normalise(*(np.add.reduceat(limb, starts) for limb in split(amounts)))
    beyond = int(np.count_nonzero((upper < -(1 << 31)) | (upper >= 1 << 31)))
    if beyond:
        raise DataQualityError(
            f"{name}: {beyond:,} {whose}{'s' if beyond > 1 else ''} with a sum beyond ±{_MOST // MICRO:,}, "
            "the most that can be counted",
            hint=f"give {name} in a larger unit, such as thousands, or leave out the rows that are wrong",
        )


def any_sum_fits(amounts: Ints) -> bool:
    """Whether 64 bits hold the sum of any of the amounts, whichever.

    >>> any_sum_fits(np.array([2**62, 0])), any_sum_fits(np.array([2**61, -2]))
    (False, True)
    """
    return _largest(amounts) * len(amounts) <= _MOST


def _largest(amounts: Ints) -> int:
    largest = int(amounts.view(np.uint64).max(initial=0))  # one pass, unless some are below 0
    return largest if largest <= _MOST else max(int(amounts.max()), -int(amounts.min()))
