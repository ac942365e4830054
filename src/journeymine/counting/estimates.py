"""What a measure makes of its counts: numbers that know how their interval is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.histograms import Histogram
from journeymine.counting.tally import Tally

__all__ = [
    "Answer",
    "Difference",
    "LongNumber",
    "LongRest",
    "LongShare",
    "Number",
    "Quantile",
    "Share",
    "SolvedShare",
    "unless_alike",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of trials; interval by Wilson with the design effect from the folds.

    Attributes
    ----------
    successes, trials : by fold, shape [64, rows].
    users : distinct users behind each row, where known.
    once : rows in which each user stands once, so that the plain interval is right.
    certain : rows in which the share is what it is by definition: the limits are the share itself.
    regular : whether a user's successes are spread more evenly than by chance: their design effect may be below 1.
    """

    successes: Floats
    trials: Floats
    users: npt.NDArray[Any] | None = None
    once: npt.NDArray[np.bool_] | None = None
    certain: npt.NDArray[np.bool_] | None = None
    regular: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two shares, first minus second; interval by Newcombe with the correlation of the replicates."""

    first: Share
    second: Share
    disjoint: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A smooth number; interval by the jackknife.

    Attributes
    ----------
    values : shape [1 + K, rows]: finished from everything, then without one fold at a time (see `Tally.spread`).
    trials : how much stands behind each row in those K folds, shape [K, rows]: ``tally.by_fold(…)[tally.present]``;
        None to ask only for enough folds.
    once : rows in which each user stands once, so that no fold can be one user's: it may hold more than others.
    least, most : what the number cannot be below, such as 0 for a time, and above; the limits end there. One for all rows,
        or one for each.
    skewed : a mean or sum to which a few may give much, such as money or time: the limits follow its skewness.
    """

    values: Floats
    trials: Floats | None = None
    once: npt.NDArray[np.bool_] | None = None
    least: float | Floats = -np.inf
    most: float | Floats = np.inf
    skewed: bool = False


@dataclass(frozen=True, slots=True)
class SolvedShare:
    """A share that is solved for rather than counted, e.g. a survival curve; its limits stay inside 0–1.

    Attributes
    ----------
    values, trials : as of `Number`.
    people : per row, distinct users behind it: what counts where the share is 0 or 1.
    mean : whether it is a mean of numbers between 0 and 1.
    """

    values: Floats
    trials: Floats | None = None
    people: npt.NDArray[Any] | None = None
    mean: bool = False


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a histogram; interval by Woodruff's inversion.

    Attributes
    ----------
    histogram : its groups are the rows of the answer. Several quantiles of the same one are found together.
    q : 0–1.
    scale : factor from the histogram's unit to the column's, e.g. 1e-6 from µs to s.
    interval : whether to give one.
    """

    histogram: Histogram
    q: float
    scale: float = 1.0
    interval: bool = True


@dataclass(frozen=True, slots=True)
class LongShare:
    """A `Share` of a table of so many rows that laying all of them out by fold would fill the memory.

    Attributes
    ----------
    tally : the table.
    successes, trials : columns of it.
    totals : of those columns over all folds, and of the distinct users, `n_users`.
    once : rows in which each user stands once.
    known : whether there is such a share at all; a log without a goal has no conversion.
    """

    tally: Tally
    successes: str
    trials: str
    totals: Mapping[str, npt.NDArray[np.int64]]
    once: npt.NDArray[np.bool_]
    known: bool = True


@dataclass(frozen=True, slots=True)
class LongNumber:
    """A `Number` of such a table: a sum that the table holds.

    Attributes
    ----------
    tally : the table.
    value, trials : columns of it: the sum, and how much stands behind it.
    unit : what the sum is divided by.
    """

    tally: Tally
    value: str
    trials: str
    unit: float


@dataclass(frozen=True, slots=True)
class LongRest:
    """Counts by fold of such a table: those of one column that are not of the other."""

    tally: Tally
    whole: str
    part: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One table of answers.

    Attributes
    ----------
    keys : the label columns, one row per answer.
    columns : name → plain array or series, or one of the numbers above; in the order of the final frame.
    users, converting : per row, for the flag ``sparse`` (under 300 users or 30 converting); None to leave it out.
    reasons : per row, why a number is missing; None where nothing is.
    people : further parts of the rows by fold, shape [64, rows], whose users privacy must know at least how many there are.
    """

    keys: pl.DataFrame
    columns: Mapping[str, Any]
    users: npt.NDArray[Any] | None = None
    converting: npt.NDArray[Any] | None = None
    reasons: list[str | None] | None = None
    notes: tuple[str, ...] = field(default=())
    people: Mapping[str, Floats | LongRest] = field(default_factory=dict)


def unless_alike(values: Floats) -> Floats:
    """Finished numbers with replicates, shape [1 + K, rows], the replicates unknown where they are all the same.

    Where all say or do the same, the folds show no variance, and a jackknife would be sure of what sixty people say to the
    last digit.

    >>> unless_alike(np.array([[3.0, 4.0], [3.0, 4.1], [3.0, 3.9]]))
    array([[3. , 4. ],
           [nan, 4.1],
           [nan, 3.9]])
    """
    if len(values) < 2:
        return values
    with np.errstate(invalid="ignore"):
        alike = np.ptp(values[1:], axis=0) <= 1e-12 * np.maximum(np.abs(values[0]), 1.0)
    return np.where(alike & (np.arange(len(values)) > 0)[:, None], np.nan, values)
