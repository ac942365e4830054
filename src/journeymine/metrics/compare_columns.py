"""The difference of one estimate between two groups, row by row, over the folds that both share."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.estimates import Answer, Number, Quantile, Share, SolvedShare
from journeymine.counting.measure import Measure
from journeymine.counting.tally import Tally, spread
from journeymine.stats.folds import FOLDS
from journeymine.stats.intervals import square_and_add
from journeymine.stats.shares import NO_TRIALS, difference_interval, number_interval

__all__ = ["Compared", "compare_column", "is_estimate", "usage_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
USAGE = "n_journeys_share"
NOT_COMPARABLE = "one of the two has no interval here"


@dataclass(frozen=True, slots=True)
class Compared:
    """One estimate, rows of both groups.

    Attributes
    ----------
    a, b, difference, lower, upper : shape [rows]; NaN where unknown.
    reason : why there is no interval.
    series : replicates of the difference, shape [K, rows]; None where there are none.
    certain : rows whose values are what they are by definition, and so are not tested.
    """

    a: Floats
    b: Floats
    difference: Floats
    lower: Floats
    upper: Floats
    reason: npt.NDArray[np.object_]
    series: Floats | None
    certain: npt.NDArray[np.bool_]


def is_estimate(value: Any) -> bool:
    """Whether a column of an answer can be compared."""
    return isinstance(value, Share | Number | SolvedShare) or (isinstance(value, Quantile) and value.interval)


def usage_of(measure: Measure, tallies: Mapping[str, Tally], answers: dict[str, Answer]) -> dict[str, Answer]:
    """Add the share of mature journeys that use each edge and node of a transition graph: what two graphs are compared by.

    The young ones of a later period have not come as far as they will.
    """
    if measure.name != "transitions":
        return answers
    edges = tallies["edges"]
    by = edges.rows.columns[: edges.rows.columns.index("from")]
    starts = edges.rows.select(pl.col("from").is_null()).to_series().to_numpy()
    used = edges.by_fold("mature")
    main, *others = list(answers)
    for name, tally in ((main, edges), *((other, tallies["nodes"]) for other in others)):
        all_journeys = np.zeros((FOLDS, len(tally)))
        for column, row in _same_labels(edges.rows, np.flatnonzero(starts), tally.rows, by):
            all_journeys[:, row] += used[:, [column]]
        users = np.maximum(_mature_users(tally), (all_journeys > 0).sum(axis=0))  # of a graph, `_most` of its rows
        share = Share(np.minimum(tally.by_fold("mature"), all_journeys), all_journeys, users=users)
        answers[name] = replace(answers[name], columns={USAGE: share, **answers[name].columns})
    return answers


def _mature_users(tally: Tally) -> Floats:
    """Users at least behind the mature journeys of each row: each of the others takes away one at most."""
    others = tally.total("n_journeys") - tally.total("mature")
    return np.asarray(tally.total("n_users") - others, dtype=np.float64)


def _same_labels(edges: pl.DataFrame, starts: Ints, rows: pl.DataFrame, by: Sequence[str]) -> list[tuple[int, Any]]:
    """Each start edge, with the rows of the same labels of `by`."""
    if not by:
        return [(int(start), slice(None)) for start in starts]
    labels = rows.select(by).rows()
    where: dict[tuple[Any, ...], list[int]] = {}
    for at, label in enumerate(labels):
        where.setdefault(label, []).append(at)
    of = edges.select(by).rows()
    return [(int(start), where.get(of[int(start)], [])) for start in starts]


def compare_column(
    name: str,
    answers: tuple[Answer, Answer],
    frames: tuple[pl.DataFrame, pl.DataFrame],
    place: Sequence[Ints],
    rows: pl.DataFrame,
    n: int,
    *,
    present: npt.NDArray[np.bool_],
    confidence: float,
) -> Compared:
    """Compare one column; `place` says in which of the `n` common rows each row of a group stands."""
    first, second = (answer.columns[name] for answer in answers)
    if isinstance(first, Share):
        of = _labels_of(rows, n) if name == USAGE else None
        return _shares(first, second, place, n, of, present, confidence)
    if isinstance(first, Number | SolvedShare):
        return _numbers(first, second, place, n, confidence)
    return _quantiles(name, frames, place, n)


def _shares(
    first: Share,
    second: Share,
    place: Sequence[Ints],
    n: int,
    of: Ints | None,
    present: npt.NDArray[np.bool_],
    confidence: float,
) -> Compared:
    laid = [
        (_laid(each.successes, at, n), _laid(each.trials, at, n))
        for each, at in zip((first, second), place, strict=True)
    ]
    users = [
        _laid(np.asarray(each.users)[None, :], at, n)
        for each, at in zip((first, second), place, strict=True)
        if first.users is not None and second.users is not None
    ]
    if of is not None:  # an edge that one side never used was still open to all its journeys
        laid = [(won, _most(tried, of)) for won, tried in laid]
        users = [_most(each, of) for each in users]
    (won_a, tried_a), (won_b, tried_b) = laid
    people = (users[0][0], users[1][0]) if users else None
    found = difference_interval(
        won_a, tried_a, won_b, tried_b, users=people, regular=first.regular and second.regular, confidence=confidence
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = won_a.sum(axis=0) / tried_a.sum(axis=0), won_b.sum(axis=0) / tried_b.sum(axis=0)
        series = (
            spread(won_a, present) / spread(tried_a, present) - spread(won_b, present) / spread(tried_b, present)
        )[1:]
    certain = np.zeros(n, dtype=bool)
    for each, at in zip((first, second), place, strict=True):
        if each.certain is not None:
            certain[at] |= each.certain
    return Compared(a, b, a - b, found.lower, found.upper, found.reason, series, certain)


def _labels_of(rows: pl.DataFrame, n: int) -> Ints:
    """Which graph of several each edge or node belongs to."""
    by = list(itertools.takewhile(lambda name: name not in ("from", "label"), rows.columns))
    return (
        rows.select(pl.struct(by).rank("dense")).to_series().to_numpy().astype(np.int64) - 1
        if by
        else np.zeros(n, dtype=np.int64)
    )


def _most(tried: Floats, of: Ints) -> Floats:
    """The journeys of each row's graph, where a row of it tells them."""
    most = np.zeros((int(of.max()) + 1 if len(of) else 0, len(tried)))
    np.maximum.at(most, of, tried.T)
    return most.T[:, of]


def _numbers(
    first: Number | SolvedShare, second: Number | SolvedShare, place: Sequence[Ints], n: int, confidence: float
) -> Compared:
    values = [_laid(each.values, at, n, empty=np.nan) for each, at in zip((first, second), place, strict=True)]
    values = [np.where(np.isfinite(value), value, np.nan) for value in values]
    difference = values[0] - values[1]
    skewed = any(isinstance(each, Number) and each.skewed for each in (first, second))
    lower, upper, reason = _limits(difference, skewed, confidence)
    for each, at, value in zip((first, second), place, values, strict=True):
        if each.trials is None or not len(difference[1:]):
            continue
        own = number_interval(value[0], value[1:], trials_by_fold=_laid(each.trials, at, n), confidence=confidence)
        silent = np.isnan(own.lower)
        lower, upper = np.where(silent, np.nan, lower), np.where(silent, np.nan, upper)
        reason = np.where(silent, own.reason, reason)
    return Compared(
        values[0][0], values[1][0], difference[0], lower, upper, reason, difference[1:], np.zeros(n, dtype=bool)
    )


def _limits(difference: Floats, skewed: bool, confidence: float) -> tuple[Floats, Floats, npt.NDArray[np.object_]]:
    """Straight limits and, where few give much, those that follow the skewness of the difference (Hall 1992) if further out.

    Groups of one size are skewed alike and their difference is not, though it may look so by chance; of a small group
    and a large one it is, and straight limits miss on the side of the small one's rare large amounts. Never narrower than
    the straight ones, they claim nothing that those do not.
    """
    found = number_interval(difference[0], difference[1:], confidence=confidence)
    if not skewed:
        return found.lower, found.upper, found.reason
    bent = number_interval(difference[0], difference[1:], skewed=True, confidence=confidence)
    return np.minimum(found.lower, bent.lower), np.maximum(found.upper, bent.upper), found.reason


def _quantiles(name: str, frames: tuple[pl.DataFrame, pl.DataFrame], place: Sequence[Ints], n: int) -> Compared:
    """From the limits of each, squared and added: the folds of a quantile's histogram tell no series of replicates."""
    found = []
    for frame, at in zip(frames, place, strict=True):
        limits = frame.select(pl.col(name, f"{name}_lower", f"{name}_upper").cast(pl.Float64).fill_null(np.nan))
        found.append(_laid(limits.to_numpy().T, at, n, empty=np.nan))
    (a, *of_a), (b, *of_b) = found
    lower, upper = square_and_add(a, (of_a[0], of_a[1]), b, (of_b[0], of_b[1]), farthest=np.inf)
    reason = np.full(n, None, dtype=object)
    reason[np.isnan(lower)] = NOT_COMPARABLE
    reason[np.isnan(a) | np.isnan(b)] = NO_TRIALS
    return Compared(a, b, a - b, lower, upper, reason, None, np.zeros(n, dtype=bool))


def _laid(values: Floats, at: Ints, n: int, empty: float = 0.0) -> Floats:
    """Columns put into the common rows."""
    out = np.full((len(values), n), empty)
    out[:, at] = values
    return out
