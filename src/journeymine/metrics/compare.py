"""Compare: any metric between two groups or periods, or before and after a dated change."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Counts
from journeymine.counting.estimates import Answer
from journeymine.counting.finish import finish, in_stage_order
from journeymine.counting.measure import Measure
from journeymine.counting.result import Result
from journeymine.counting.taken import check_names, refuse_taken
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.journeys.select import instant_of
from journeymine.metrics.compare_columns import Compared, compare_column, is_estimate, usage_of
from journeymine.metrics.compare_periods import edges_left_out, ends_so_far, periods_told, so_far_between
from journeymine.metrics.compare_sides import (
    check_asked,
    check_followed,
    check_followed_over,
    counts_of,
    folds_of,
    rules_told,
    sums_told,
    wanted_estimates,
)
from journeymine.metrics.compare_tests import global_test, p_values
from journeymine.stats.multiple import benjamini_hochberg

__all__ = ["before_after", "compare"]

_COLUMNS = (
    "estimate", "a", "b", "difference", "difference_lower", "difference_upper", "p_value", "p_adjusted", "reason",
)  # fmt: skip
"""Columns of the result behind those that tell its rows apart."""


def compare(
    a: Journeys | Counts,
    b: Journeys | Counts,
    measure: Measure,
    *,
    columns: str | Sequence[str] | None = None,
    names: tuple[str, str] = ("a", "b"),
    confidence: float = 0.95,
) -> Result:
    """Compare two groups or periods: the difference a − b of every estimate of a measure, with tests.

    Parameters
    ----------
    a, b : the two groups or periods: journeys, or counts of `measure`. The same users may be in both.
    measure : the question asked of each, e.g. ``Conversion(by="channel")``.
    columns : compare only these estimates. By default every column of the measure's frame that has an interval.
    names : what to call the two, first `a`, then `b`.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per row of the measure's frame and per estimate, the label columns first:
        estimate str: name of the column that is compared
        a, b f64: its value on each side
        difference f64: a − b, with interval (difference_lower, difference_upper)
        p_value, p_adjusted f64: two-sided, and adjusted over all rows of the frame
        reason str: why there is no interval
    tables["global"] has one test per estimate, of the hypothesis that its rows differ nowhere: estimate, n_tested,
    statistic, df, p_value.
    Further tables of the measure that carry estimates are compared in the same way, under their own names.

    Raises
    ------
    MergeError : the counts are of another question.
    QuestionError, UnknownLabelError : there is nothing to compare, or a column does not exist; or the measure follows
        users, and some journeys of the users are missing.

    Notes
    -----
    The interval of a difference of shares is Newcombe's, with the correlation of the two replicate series. That of
    other numbers is the jackknife of the difference; of means and sums to which a few may give much, a limit lies further
    out where the skewness of the difference bends it so (Hall 1992). That of quantiles squares and adds their own limits. p_adjusted is
    Benjamini–Hochberg over all rows of a frame; a p-value is the level at which the interval would touch 0. Of a
    transition graph, the share of mature journeys that use each edge and node is compared first (``n_journeys_share``).
    A row that only one side has is compared where the estimate exists for the other. Open journeys, ties and nulls are
    treated as in the measure. See `docs/compare.md`.

    Retention, stickiness, life cycle, repeat rate, value per customer and first-contact resolution follow users from
    journey to journey. Where other journeys of the same users are left out, they would count users as gone who are not,
    so such journeys are refused. Compare whole users instead, such as
    ``journeys.where(pl.col("start").min().over("user") < when)``. Counts do not say what they were counted of and are
    taken as they are.

    Between two periods, figures that depend on how long journeys were watched are left out: of `DropOff` the shares
    still open and come back, of `WinBack` what grows, of `Markov` what is still open and the steps and times that go
    on, of a graph the edges to what is still open, and those from the start if one period reaches back to the log's.
    Where more mature journeys of one period are still open, a note says so, and loss, times and typical positions are
    left out as well. Sums (conversions and value, credited or at stake) differ with the number of journeys, as a note
    says: compare shares and means.
    """
    check_asked((a, b), measure, columns, names)
    check_names(measure)
    refuse_taken("compare", getattr(measure, "names", ()), _COLUMNS)
    check_followed(measure, (a, b), names)
    counted = [counts_of(each, measure) for each in (a, b)]
    present = folds_of(counted)
    answers, finished = zip(*(_answers(measure, counts, present, confidence) for counts in counted), strict=True)
    so_far, ends = so_far_between(measure, (a, b)), ends_so_far(measure, (a, b))
    wanted = wanted_estimates(answers[0], columns, so_far)
    frames: dict[str, pl.DataFrame] = {}
    tests: list[dict[str, Any]] = []
    for name, first in answers[0].items():
        pair = _Pair(first, answers[1][name], finished[0][name], finished[1][name])
        frame, found = _compared(pair, wanted, present, confidence, counted[0].basis.stages, ends)
        if frame is not None:
            frames[name] = frame
            tests += found if len(frames) == 1 else []
    if not frames:
        raise QuestionError(f"{measure.name} has no estimates with intervals", hint="compare another measure")
    main = next(iter(frames))
    schema = {
        "estimate": pl.String,
        "n_tested": pl.Int64,
        "statistic": pl.Float64,
        "df": pl.Float64,
        "p_value": pl.Float64,
    }
    return Result(
        name="compare",
        question=f"{measure.question[:-1]}, {names[0]} against {names[1]}?",
        frame=frames[main],
        tables={"global": pl.DataFrame(tests, schema=schema), **{n: f for n, f in frames.items() if n != main}},
        schema_version=1,
        confidence=confidence,
        basis=counted[0].basis,
        notes=(
            f"differences are {names[0]} minus {names[1]}",
            *rules_told(counted, names),
            *periods_told(measure, (so_far, ends), (a, b), names),
            *sums_told(frames[main]["estimate"].unique(), (a, b), names),
        ),
    )


def before_after(
    journeys: Journeys,
    when: Any,
    measure: Measure,
    *,
    window: Duration | None = None,
    columns: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Compare the journeys that start after a dated change with those that start before it: after − before.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    when : instant of the change: a date, a datetime or ISO text; without a zone it is UTC. A journey that starts at
        this very instant counts as after it.
    measure, columns, confidence : as in `compare`.
    window : only journeys that start within this time of the change, on either side. By default all journeys.

    Returns
    -------
    Result : as of `compare`, where a is after and b is before.

    Raises
    ------
    QuestionError : `when` is no instant, or the measure follows users; otherwise as in `compare`.

    Notes
    -----
    Journeys under way at the change count as before, although it touched them late. Young journeys after it are
    immature and outside headline shares, so a comparison soon after a change has few journeys on one side. A difference
    does not prove that the change made it: the season may differ as well.

    A date cuts a customer's journeys in two, so that before it everybody would seem to leave. Measures that follow
    users from journey to journey (retention, stickiness, life cycle, repeat rate, value per customer, first-contact
    resolution) are therefore refused. Compare cohorts of whole users instead, by their first entry; see `compare`.
    """
    check_journeys(journeys)
    check_asked((journeys,), measure, columns, ("after", "before"))
    check_followed_over(measure)
    at = instant_of(when)
    starts = journeys.heads.start
    near = np.ones(len(journeys), dtype=bool)
    if window is not None:
        width = microseconds(window, name="window")
        near = (starts >= at - width) & (starts < at + width)
    return compare(
        journeys.pick(near & (starts >= at)),
        journeys.pick(near & (starts < at)),
        measure,
        columns=columns,
        names=("after", "before"),
        confidence=confidence,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """One answer of both groups, and the frames that finishing made of it."""

    a: Answer
    b: Answer
    frame_a: pl.DataFrame
    frame_b: pl.DataFrame


def _answers(
    measure: Measure, counts: Counts, present: npt.NDArray[np.bool_], confidence: float
) -> tuple[Mapping[str, Answer], Mapping[str, pl.DataFrame]]:
    """The answers over the folds of both groups, and the finished frames."""
    tallies = {name: Tally.of(spec, counts.tables[name], present) for name, spec in counts.specs.items()}
    answers = usage_of(measure, tallies, dict(measure.estimate(tallies, counts.basis)))
    result = finish(measure, counts, confidence=confidence)
    main = next(iter(answers))
    return answers, {name: result.frame if name == main else result.tables[name] for name in answers}


def _compared(
    pair: _Pair,
    wanted: Sequence[str],
    present: npt.NDArray[np.bool_],
    confidence: float,
    stages: Sequence[str],
    ends: Sequence[str],
) -> tuple[pl.DataFrame | None, list[dict[str, Any]]]:
    """All estimates of one answer below each other, and the global test of each; of a graph without the edges of some ends."""
    labels = _labels(pair)
    if labels is None:
        return None, []
    names = [name for name, value in pair.a.columns.items() if is_estimate(value) and name in wanted]
    if not names:
        return None, []
    rows = pl.concat(labels).unique(maintain_order=True)
    keys = rows.columns
    rows = rows.sort(keys) if keys and not any(kind.is_nested() for kind in rows.dtypes) else rows
    rows = in_stage_order(rows, stages) if "stage" in keys else rows
    heights = (pair.frame_a.height, pair.frame_b.height)
    n = rows.height if keys else max(heights)
    place = [_place(each, rows, height) for each, height in zip(labels, heights, strict=True)]
    found = [
        compare_column(
            name, (pair.a, pair.b), (pair.frame_a, pair.frame_b), place, rows, n, present=present, confidence=confidence
        )
        for name in names
    ]
    left_out = edges_left_out(rows, ends) if keys else np.zeros(n, dtype=bool)
    found = [replace(each, certain=each.certain | left_out) for each in found]
    p = np.concatenate([p_values(each, confidence) for each in found])
    adjusted = benjamini_hochberg(p)
    parts = [_frame(rows, name, each) for name, each in zip(names, found, strict=True)]
    frame = pl.concat(parts).with_columns(p_value=_nullable(p), p_adjusted=_nullable(adjusted))
    frame = frame.filter(~np.tile(left_out, len(names)))
    tests = [
        {"estimate": name, **global_test(each, p_values(each, confidence), confidence)}
        for name, each in zip(names, found, strict=True)
    ]
    return frame.select(*rows.columns, *_COLUMNS), tests


def _labels(pair: _Pair) -> list[pl.DataFrame] | None:
    """What tells the rows of each group apart: the keys, and as many of the plain columns behind them as it takes (as the
    time of a curve); None where those do not.
    """  # noqa: D205
    sides = ((pair.a, pair.frame_a), (pair.b, pair.frame_b))
    plain = [name for name, _ in itertools.takewhile(lambda item: not is_estimate(item[1]), pair.a.columns.items())]
    curve = bool(plain) and pl.Series(pair.a.columns[plain[0]]).dtype.is_float()  # no count: a curve may have one point
    if not curve and all(not answer.keys.columns and frame.height <= 1 for answer, frame in sides):
        return [answer.keys for answer, _ in sides]
    for extra in range(len(plain) + 1):
        found = [
            pl.DataFrame({
                **{name: answer.keys[name] for name in answer.keys.columns},
                **{name: pl.Series(answer.columns[name]) for name in plain[:extra]},
            })
            for answer, _ in sides
        ]  # fmt: skip
        if found[0].columns and not any(frame.is_duplicated().any() for frame in found):
            return found
    return None


def _frame(rows: pl.DataFrame, name: str, found: Compared) -> pl.DataFrame:
    n = len(found.a)
    columns = {
        "estimate": pl.Series([name] * n, dtype=pl.String),
        "a": _nullable(found.a), "b": _nullable(found.b), "difference": _nullable(found.difference),
        "difference_lower": _nullable(found.lower), "difference_upper": _nullable(found.upper),
        "reason": pl.Series(found.reason.tolist(), dtype=pl.String),
    }  # fmt: skip
    return pl.DataFrame({**{key: rows[key] for key in rows.columns}, **columns})


def _nullable(values: npt.NDArray[np.float64]) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def _place(keys: pl.DataFrame, rows: pl.DataFrame, height: int) -> npt.NDArray[np.int64]:
    """The row of each of `keys` among `rows`; without keys there are `height` of them, one or none."""
    if not keys.columns:
        return np.zeros(height, dtype=np.int64)
    numbered = rows.with_row_index("_row")
    joined = keys.join(numbered, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
    return joined["_row"].to_numpy().astype(np.int64)
