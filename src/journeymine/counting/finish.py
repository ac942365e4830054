"""The one place where counts become numbers with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Counts
from journeymine.counting.estimates import Answer, Blocked, Difference, Number, Quantile, Share, SolvedShare
from journeymine.counting.measure import Measure, question_of
from journeymine.counting.result import Result
from journeymine.counting.tally import Tally, over_folds
from journeymine.errors import MergeError
from journeymine.stats.folds import FOLDS
from journeymine.stats.histogram import group_quantiles
from journeymine.stats.quantiles import woodruff
from journeymine.stats.shares import Interval, difference_interval, number_interval, share_interval
from journeymine.stats.solved_shares import solved_share_interval

__all__ = ["check_question", "finish", "in_stage_order"]

SPARSE_USERS, SPARSE_CONVERTING = 300, 30
"""Below either, a row is flagged ``sparse``."""
_FEW_ROWS = 100_000


def finish(measure: Measure, counts: Counts | Iterable[Counts], *, confidence: float = 0.95) -> Result:
    """Merge, estimate and add intervals: the last step of every measure.

    Parameters
    ----------
    measure : the question that was counted.
    counts : its counts, whole or in parts, in any order.
    confidence : of every interval, between 0 and 1.

    Raises
    ------
    MergeError : counts of another question, or of different rules or bounds.
    """
    whole = counts if isinstance(counts, Counts) else Counts.merge(counts)
    check_question(measure, whole)
    present = _present(whole)
    listed = whole.listed
    tallies = {name: Tally.of(spec, listed[name], present) for name, spec in whole.specs.items()}
    answers = measure.estimate(tallies, whole.basis)
    frames = {name: _in_stage_order(_frame(answer, confidence), answer, whole) for name, answer in answers.items()}
    main = next(iter(frames))
    return Result(
        name=measure.name,
        question=measure.question,
        frame=frames[main],
        tables={name: frame for name, frame in frames.items() if name != main},
        schema_version=measure.schema_version,
        confidence=confidence,
        basis=whole.basis,
        notes=tuple(note for answer in answers.values() for note in answer.notes),
        least_users={
            name: _in_stage_order(least_users(answer), answer, whole).drop(answer.keys.columns)
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


def least_users(answer: Answer) -> pl.DataFrame:
    """How many users stand at least behind the numerator of each share, and behind the rest of its denominator.

    As many as there are folds with any of them; where each user stands once, exactly as many as are counted.
    """
    found: dict[str, Any] = {name: answer.keys[name] for name in answer.keys.columns}
    for name, value in answer.columns.items():
        parts: dict[str, list[npt.NDArray[np.int64]]] = {}
        for block in value if isinstance(value, Blocked) else (value,):
            if isinstance(block, Share):
                for suffix, part in (("", block.successes), ("_rest", block.trials - block.successes)):
                    parts.setdefault(name + suffix, []).append(_least(part, block.once))
        found.update({each: _together(value, least) for each, least in parts.items()})
    for name, value in answer.people.items():
        parts_of = value if isinstance(value, Blocked) else (value,)
        found[name] = _together(value, [_least(part, None) for part in parts_of])
    return pl.DataFrame(found)


def _together(value: Any, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What was found of each block of a number, or of all of it at once."""
    return value.together(parts) if isinstance(value, Blocked) else parts[0]


def _least(part: npt.NDArray[Any], once: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
    folds = (part > 0).sum(axis=0).astype(np.int64)
    return np.asarray(folds if once is None else np.where(once, np.maximum(part.sum(axis=0), 0), folds), dtype=np.int64)


def _present(counts: Counts) -> npt.NDArray[np.bool_]:
    """Folds that hold anybody at all, over every table of the measure."""
    present = np.zeros(FOLDS, dtype=bool)
    for name, spec in counts.specs.items():
        if spec.folded:
            present[counts.tables[name]["fold"].unique().to_numpy()] = True
    return present


def _in_stage_order(frame: pl.DataFrame, answer: Answer, counts: Counts) -> pl.DataFrame:
    """Rows as counted, except that stages come in their own order, not in that of the alphabet."""
    return in_stage_order(frame, counts.basis.stages) if "stage" in answer.keys.columns else frame


def in_stage_order(frame: pl.DataFrame, stages: Sequence[str]) -> pl.DataFrame:
    """Rows by their stage, in the order of the stages; what has none comes last."""
    if not stages:
        return frame
    order = {stage: rank for rank, stage in enumerate(stages)}
    rank = pl.col("stage").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return frame.sort(rank, maintain_order=True)


def _frame(answer: Answer, confidence: float) -> pl.DataFrame:
    """The columns of an answer; `reason` says why the first estimate of a row, its headline, is missing."""
    columns: dict[str, Any] = {name: _own(answer.keys[name]) for name in answer.keys.columns}
    headline: list[str | None] | None = None
    for name, value in answer.columns.items():
        if isinstance(value, Blocked | Share | Difference | Number | SolvedShare | Quantile):
            found, with_limits = _interval(value, confidence, answer.keys.height if answer.keys.columns else 1)
            columns[name] = _series(found.estimate)
            if with_limits:
                columns[f"{name}_lower"] = _series(found.lower)
                columns[f"{name}_upper"] = _series(found.upper)
                headline = headline or found.reason.tolist()
        else:
            columns[name] = value if isinstance(value, pl.Series) else pl.Series(name, value)
    if answer.users is not None:
        few = np.asarray(answer.users) < SPARSE_USERS
        if answer.converting is not None:
            few |= np.asarray(answer.converting) < SPARSE_CONVERTING
        columns["sparse"] = few
    if headline is not None:
        given = answer.reasons or headline
        columns["reason"] = pl.Series([a or b for a, b in zip(given, headline, strict=True)], dtype=pl.String)
    return pl.DataFrame(columns)


def _own(column: pl.Series) -> pl.Series:
    """The same labels without the buffers of the table they were taken from: equal answers, equal bytes."""
    if column.null_count() and len(column) < _FEW_ROWS:  # through Python: the spare bits of a validity mask differ
        return pl.Series(column.name, column.to_list(), dtype=column.dtype)
    return pl.Series(column.name, column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()), dtype=column.dtype)


def _series(values: npt.NDArray[np.float64]) -> pl.Series:
    return pl.Series(np.asarray(values, dtype=np.float64)).fill_nan(None)


def _interval(value: Any, confidence: float, n_rows: int) -> tuple[Interval, bool]:
    if isinstance(value, Blocked):
        blocks = [_interval(block, confidence, n_rows)[0] for block in value]
        return Interval(*(value.together([getattr(part, f.name) for part in blocks]) for f in fields(Interval))), True
    if isinstance(value, Share):
        found = share_interval(
            value.successes, value.trials, users=value.users, each_user_once=value.once, confidence=confidence
        )
        if value.certain is not None:
            certain = value.certain & ~np.isnan(found.estimate)
            found.lower[certain] = found.upper[certain] = found.estimate[certain]
            found.reason[certain] = None
        return found, True
    if isinstance(value, Difference):
        a, b = value.first, value.second
        users = (a.users, b.users) if a.users is not None and b.users is not None else None
        return difference_interval(
            a.successes, a.trials, b.successes, b.trials,
            users=users, disjoint=value.disjoint, confidence=confidence,
        ), True  # fmt: skip
    if isinstance(value, Number):
        found = number_interval(
            value.values[0], value.values[1:], trials_by_fold=value.trials, each_user_once=value.once,
            confidence=confidence,
        )  # fmt: skip
        np.maximum(found.lower, value.least, out=found.lower)
        return found, True
    if isinstance(value, SolvedShare):
        return solved_share_interval(
            value.values[0], value.values[1:], trials_by_fold=value.trials, people=value.people, confidence=confidence
        ), True
    return _quantile(value, confidence, n_rows), value.interval


def _quantile(value: Quantile, confidence: float, n_rows: int) -> Interval:
    groups, buckets, n = over_folds(value.histogram)
    estimate = group_quantiles(groups, buckets, n, [value.q], n_groups=n_rows)[:, 0]
    empty = np.full(n_rows, np.nan)
    found = Interval(estimate * value.scale, empty.copy(), empty.copy(), empty, np.full(n_rows, None, dtype=object))
    if not value.interval:
        return found
    for key, rows in value.histogram.partition_by("group", as_dict=True).items():
        group = int(key[0])
        buckets, position = np.unique(rows["bucket"].to_numpy(), return_inverse=True)
        by_fold = np.zeros((FOLDS, len(buckets)))
        np.add.at(by_fold, (rows["fold"].to_numpy(), position), rows["n"].to_numpy())
        one = woodruff(buckets, by_fold, value.q, confidence=confidence)
        found.lower[group] = float(one.lower) * value.scale
        found.upper[group] = float(one.upper) * value.scale
        found.reason[group] = one.reason.item()
    return found


def mapping_of_tables(result: Result) -> Mapping[str, pl.DataFrame]:
    """All frames of a result by file stem: the main one by the result's name."""
    return {result.name: result.frame, **{f"{result.name}_{name}": frame for name, frame in result.tables.items()}}
