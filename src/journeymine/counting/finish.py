"""The one place where counts become numbers with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import PAIR, check_few
from journeymine.counting.counts import Basis, Counts
from journeymine.counting.estimates import (
    Answer,
    Difference,
    LongNumber,
    LongRest,
    LongShare,
    Number,
    Quantile,
    Share,
    SolvedShare,
)
from journeymine.counting.long_tables import each_of, long_number, long_rest, long_share, long_share_users
from journeymine.counting.measure import Measure, check_measure, question_of
from journeymine.counting.result import Result
from journeymine.counting.tally import Tally
from journeymine.errors import MergeError
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.shares import REASONS, Interval, difference_interval, number_interval, share_interval
from journeymine.stats.solved_shares import solved_share_interval

__all__ = ["check_question", "columns_of", "finish", "in_stage_order", "interval_of", "tallies_of"]

SPARSE_USERS, SPARSE_CONVERTING = 300, 30
"""Below either, a row is flagged ``sparse``."""
_FEW_ROWS = 100_000
_ESTIMATES = (LongShare, LongNumber, Share, Difference, Number, SolvedShare, Quantile)


def finish(measure: Measure, counts: Counts | Iterable[Counts], *, confidence: float = 0.95) -> Result:
    """Merge counts and turn them into a result with estimates and intervals: the last step of every measure.

    Parameters
    ----------
    measure : the question that was counted.
    counts : its counts, whole or in parts, in any order.
    confidence : level of all intervals, between 0 and 1.

    Returns
    -------
    Result : the same as from counting all users at once.

    Raises
    ------
    MergeError : the counts are of another question, or of different rules or bounds.
    QuestionError : the breakdown is by ``"channel:touchpoint"``, and has over 10,000 such pairs.
    """
    check_measure(measure)
    whole = counts if isinstance(counts, Counts) else Counts.merge(counts)
    check_question(measure, whole)
    _check_pairs(measure, whole)
    basis, tallies = whole.basis, tallies_of(whole)
    del counts, whole  # of millions of rows, what is no longer asked for goes as soon as it may
    answers = measure.estimate(tallies, basis)
    tallies.clear()
    frames = {name: _in_stage_order(_frame(answer, confidence), answer, basis) for name, answer in answers.items()}
    main = next(iter(frames))
    return Result(
        name=measure.name,
        question=measure.question,
        frame=frames[main],
        tables={name: frame for name, frame in frames.items() if name != main},
        schema_version=measure.schema_version,
        confidence=confidence,
        basis=basis,
        notes=tuple(note for answer in answers.values() for note in answer.notes),
        least_users={
            name: _in_stage_order(least_users(answer), answer, basis).drop(answer.keys.columns)
            for name, answer in zip((measure.name, *list(frames)[1:]), answers.values(), strict=True)
        },
    )


def check_question(measure: Measure, counts: Counts) -> None:
    """Refuse counts that answer another question."""
    if counts.question != question_of(measure):
        raise MergeError(
            f"these counts answer {counts.question}, not {question_of(measure)}",
            hint="finish with the measure that counted",
        )


def _check_pairs(measure: Measure, counts: Counts) -> None:
    """Refuse a breakdown by too many pairs of labels, which are known only now: however the users were partitioned."""
    if PAIR in getattr(measure, "names", ()):
        tables = [counts.coded[name][PAIR] for name, spec in counts.specs.items() if PAIR in spec.keys]
        check_few(PAIR, max((column.n_unique() for column in tables), default=0))


def least_users(answer: Answer) -> pl.DataFrame:
    """How many users stand at least behind the numerator of each share, and behind the rest of its denominator.

    As many as there are folds with any of them; where each user stands once, exactly as many as are counted.
    """
    found: dict[str, Any] = {name: answer.keys[name] for name in answer.keys.columns}
    for name, value in answer.columns.items():
        if isinstance(value, LongShare):
            found[name], found[f"{name}_rest"] = long_share_users(value)
        elif isinstance(value, Share):
            found[name] = _least(value.successes, value.once)
            found[f"{name}_rest"] = _least(value.trials - value.successes, value.once)
    for name, part in answer.people.items():
        found[name] = long_rest(part) if isinstance(part, LongRest) else _least(part, None)
    return pl.DataFrame(found)


def _least(part: npt.NDArray[Any], once: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
    folds = (part > 0).sum(axis=0).astype(np.int64)
    return np.asarray(folds if once is None else np.where(once, np.maximum(part.sum(axis=0), 0), folds), dtype=np.int64)


def columns_of(answer: Answer) -> set[str]:
    """The columns that `finish` makes of an answer."""
    return {*_frame(answer, confidence=0.95).columns, *least_users(answer).columns}


def tallies_of(counts: Counts) -> dict[str, Tally]:
    """The tables of counts as a measure's `estimate` takes them."""
    present, listed = _present(counts), counts.listed
    return {name: Tally.of(spec, listed[name], present) for name, spec in counts.specs.items()}


def _present(counts: Counts) -> npt.NDArray[np.bool_]:
    """Folds that hold anybody at all, over every table of the measure."""
    present = np.zeros(FOLDS, dtype=bool)
    for name, spec in counts.specs.items():
        if spec.folded:
            present[counts.coded[name]["fold"].to_numpy()] = True
    return present


def _in_stage_order(frame: pl.DataFrame, answer: Answer, basis: Basis) -> pl.DataFrame:
    """Rows as counted, except that stages come in their own order, not in that of the alphabet."""
    return in_stage_order(frame, basis.stages) if "stage" in answer.keys.columns else frame


def in_stage_order(frame: pl.DataFrame, stages: Sequence[str]) -> pl.DataFrame:
    """Rows by their stage, in the order of the stages; what has none comes last."""
    if not stages:
        return frame
    order = {stage: rank for rank, stage in enumerate(stages)}
    rank = pl.col("stage").cast(pl.String).replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return frame.sort(rank, maintain_order=True)


def _frame(answer: Answer, confidence: float) -> pl.DataFrame:
    """The columns of an answer; `reason` says why the first estimate of a row, its headline, is missing."""
    n_rows = answer.keys.height if answer.keys.columns else 1
    keys = each_of(_own, answer.keys.get_columns(), answer.keys.height)
    columns: dict[str, Any] = {key.name: key for key in keys}
    of_estimate = _estimates(answer, confidence, n_rows)
    headline = next((each.reason for each in of_estimate.values() if each.lower is not None), None)
    for name, value in answer.columns.items():
        if name in of_estimate:
            columns |= of_estimate.pop(name).columns(name)
        else:
            columns[name] = value if isinstance(value, pl.Series) else pl.Series(name, value)
    if answer.users is not None:
        few = np.asarray(answer.users) < SPARSE_USERS
        if answer.converting is not None:
            few |= np.asarray(answer.converting) < SPARSE_CONVERTING
        columns["sparse"] = few
    if headline is not None:
        given = answer.reasons
        columns["reason"] = headline if given is None else pl.Series(given, dtype=pl.String).fill_null(headline)
    return pl.DataFrame(columns)


def _own(column: pl.Series) -> pl.Series:
    """The same labels, spelled, without the buffers of the table they were taken from: equal answers, equal bytes."""
    if isinstance(kind := column.dtype, pl.Enum):
        if len(column) >= _FEW_ROWS:
            return _spelled_once(column, kind.categories.to_list())
        column = column.cast(pl.String)
    if not len(column):  # Arrow sets a gibibyte of addresses aside for its first array
        return pl.Series(column.name, [], dtype=column.dtype)
    if column.null_count() and len(column) < _FEW_ROWS:  # through Python: the spare bits of a validity mask differ
        return pl.Series(column.name, column.to_list(), dtype=column.dtype)
    return pl.Series(column.name, column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()), dtype=column.dtype)


def _spelled_once(column: pl.Series, known: list[str]) -> pl.Series:
    """Labels of many rows: of each one text, that all of its rows point to."""
    codes = column.to_physical()
    used = np.bincount(codes.drop_nulls().to_numpy(), minlength=1)
    there = np.flatnonzero(used)
    labels = pl.Series([known[code] for code in there.tolist()], dtype=pl.String)
    place = np.zeros(len(used), dtype=np.uint32)
    place[there] = np.arange(len(there))
    at = pl.Series(take(place, codes.fill_null(0).to_numpy()))
    if column.null_count():
        at = at.set(column.is_null(), None)
    return labels[at].alias(column.name)


def _series(values: npt.NDArray[np.float64]) -> pl.Series:
    return pl.Series(np.asarray(values, dtype=np.float64), nan_to_null=True)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the columns of an estimate are filled with."""

    estimate: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64] | None = None
    upper: npt.NDArray[np.float64] | None = None
    reason: pl.Series | None = None

    def columns(self, name: str) -> dict[str, pl.Series]:
        """The estimate, and its limits."""
        found = {name: self.estimate, f"{name}_lower": self.lower, f"{name}_upper": self.upper}
        return {each: _series(values) for each, values in found.items() if values is not None}


def _estimates(answer: Answer, confidence: float, n_rows: int) -> dict[str, _Found]:
    """The estimates of an answer, by name and in their order; those of one histogram are found together."""
    together: dict[Any, dict[str, Any]] = {}
    for name, value in answer.columns.items():
        if isinstance(value, _ESTIMATES):
            about = (id(value.histogram), value.scale, value.interval) if isinstance(value, Quantile) else name
            together.setdefault(about, {})[name] = value

    def find(named: dict[str, Any]) -> dict[str, _Found]:
        values = list(named.values())
        if isinstance(values[0], Quantile):
            return dict(zip(named, _quantiles(values, confidence, n_rows), strict=True))
        return {name: _found(value, confidence) for name, value in named.items()}

    found = each_of(find, list(together.values()), answer.keys.height)
    unordered = {name: each for part in found for name, each in part.items()}
    return {name: unordered[name] for name in answer.columns if name in unordered}


def _found(value: Any, confidence: float) -> _Found:
    if isinstance(value, LongShare):
        estimate, lower, upper, why = long_share(value, confidence)
        return _Found(estimate, lower, upper, pl.Series(REASONS, dtype=pl.String)[pl.Series(why)])
    if isinstance(value, LongNumber):
        return _Found(*long_number(value, confidence))
    found = interval_of(value, confidence)
    return _Found(found.estimate, found.lower, found.upper, _text(found.reason))


def _text(reason: npt.NDArray[np.object_]) -> pl.Series:
    return pl.Series(reason.tolist(), dtype=pl.String)


def interval_of(value: Any, confidence: float) -> Interval:
    """The interval of a `Share`, `Difference`, `Number` or `SolvedShare`."""
    if isinstance(value, Share):
        found = share_interval(
            value.successes, value.trials, users=value.users, each_user_once=value.once, regular=value.regular,
            confidence=confidence,
        )  # fmt: skip
        if value.certain is not None:
            certain = value.certain & ~np.isnan(found.estimate)
            found.lower[certain] = found.upper[certain] = found.estimate[certain]
            found.reason[certain] = None
        return found
    if isinstance(value, Difference):
        a, b = value.first, value.second
        users = (a.users, b.users) if a.users is not None and b.users is not None else None
        return difference_interval(
            a.successes, a.trials, b.successes, b.trials,
            users=users, disjoint=value.disjoint, confidence=confidence,
        )  # fmt: skip
    if isinstance(value, Number):
        found = number_interval(
            value.values[0], value.values[1:], trials_by_fold=value.trials, each_user_once=value.once,
            skewed=value.skewed, confidence=confidence,
        )  # fmt: skip
        np.maximum(found.lower, value.least, out=found.lower)
        np.minimum(found.upper, value.most, out=found.upper)
        return found
    assert isinstance(value, SolvedShare)
    return solved_share_interval(
        value.values[0], value.values[1:], trials_by_fold=value.trials, people=value.people, mean=value.mean,
        confidence=confidence,
    )  # fmt: skip


def _quantiles(values: list[Quantile], confidence: float, n_rows: int) -> list[_Found]:
    """Quantiles of one histogram."""
    each, scale = [value.q for value in values], values[0].scale
    if not values[0].interval:
        return [_Found(estimate * scale) for estimate in values[0].histogram.quantiles(each, n_rows).T]
    found = values[0].histogram.intervals(each, n_rows, confidence)
    return [_Found(one.estimate * scale, one.lower * scale, one.upper * scale, _text(one.reason)) for one in found]


def mapping_of_tables(result: Result) -> Mapping[str, pl.DataFrame]:
    """All frames of a result by file stem: the main one by the result's name."""
    return {result.name: result.frame, **{f"{result.name}_{name}": frame for name, frame in result.tables.items()}}
