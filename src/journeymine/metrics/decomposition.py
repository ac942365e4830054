"""Decomposition of a change in overall conversion: other journeys came (mix), or like journeys fared differently (rate).

P = Σ_g w_g p_g over groups g, with w the share of journeys and p their conversion. Between a and b,

P_a − P_b = Σ_g (w_ga − w_gb) (p̄_g − P̄)  +  Σ_g w̄_g (p_ga − p_gb),

bars being the mean of the two [1]_. The first sum is the mix, the second the rate effect; taking P̄ off changes no sum,
as the weights' changes cancel, and makes a group's mix effect mean "more of what converts above average". A group's
conversion is the product of its onward shares q_gk from stage to stage, so that its rate effect is in turn

w̄_g Σ_k (q_gka − q_gkb) · ½ (Π_{j<k} q_gja Π_{j>k} q_gjb + Π_{j<k} q_gjb Π_{j>k} q_gja),

the mean of the two polar decompositions of a product [2]_. Both add up exactly, for any numbers.

References
----------
.. [1] E. M. Kitagawa, "Components of a difference between two rates", JASA 50 (1955) 1168–1194.
.. [2] E. Dietzenbacher, B. Los, "Structural decomposition techniques: sense and sensitivity", Economic Systems Research
10
       (1998) 307–323.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.counts import Counts
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.taken import check_names, refuse_taken
from journeymine.counting.tally import Tally, spread
from journeymine.errors import MergeError, QuestionError
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.compare_periods import left_truncated_told, still_open_told
from journeymine.metrics.compare_sides import check_two_names
from journeymine.metrics.stage_reach import StageReach, by_stage, stages_of
from journeymine.stats.folds import FOLDS
from journeymine.stats.shares import given, number_interval

__all__ = ["decompose"]

Floats = npt.NDArray[np.float64]

_WITH_LIMITS = ("mix_effect", "rate_effect", "effect")
_COLUMNS = frozenset((
    *(f"{name}_{side}" for name in ("n", "weight", "share", "onward") for side in "ab"), "stage", "reason",
    *(f"{name}{limit}" for name in _WITH_LIMITS for limit in ("", "_lower", "_upper")),
))  # fmt: skip
"""Columns of the result beside the labels of the groups."""


def decompose(
    a: Journeys,
    b: Journeys,
    *,
    by: str | Sequence[str] | None = None,
    channel_of: str = "entry",
    names: tuple[str, str] = ("a", "b"),
    confidence: float = 0.95,
) -> Result:
    """Split a change in overall conversion, a − b, into a mix effect and a rate effect per group and stage.

    The *mix* effect says how much conversion changed because other journeys came; the *rate* effect, because like
    journeys converted more or less often.

    Parameters
    ----------
    a, b : the two groups or periods, as journeys of one log.
    by : what makes a group: one or several of channel, any attribute or segment. By default the channel, where there
        are channels.
    channel_of : the step whose label a journey counts under: ``"entry"`` or ``"exit"``. Each journey must be in one
        group.
    names : what to call the two, first `a`, then `b`.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per group:
        n_a, n_b i64: mature journeys of the group on each side
        weight_a, weight_b f64: the same as a share of all mature journeys of the side
        share_a, share_b f64: conversion of the group
        mix_effect, rate_effect, effect f64: parts of the change in overall conversion, with intervals
        reason str: why there is no interval
    tables["stages"] has one row per group and stage: onward_a, onward_b f64, and effect f64 with interval. The effects
    add up to the rate effects.
    tables["total"] has a row for each part (mix, rate, change): effect f64 with interval. Mix and rate add up to the
    change in conversion.

    Raises
    ------
    QuestionError : `channel_of` is neither (``"any"`` is refused too), there is no goal, or one side has no mature
        journey.
    MergeError : a and b have different rules or stages.

    Notes
    -----
    Over mature journeys, as in `conversion`. A group that only one side has is given the other side's conversion, and a
    stage that only one side reached the other's onward share; what such a group brings is mix. Effects add up exactly,
    up to rounding. Interval: the jackknife over the folds that both share, so that the same users may be on both sides;
    none where too few users stand behind the group on a side that has it.
    """
    check_journeys(a, b)
    check_two_names(names)
    if channel_of not in ("entry", "exit"):
        several = ": a journey would stand in several groups" if channel_of == "any" else ""
        raise QuestionError(f"channel_of={channel_of!r}{several}", hint="give 'entry' or 'exit'")
    labels = as_names(by) or (("channel",) if "channel" in a.coded.labels else ())
    measure = StageReach(by=labels, channel_of=channel_of)
    check_names(measure)
    refuse_taken("decompose", labels, _COLUMNS)
    counted = [count_in_memory(measure, each) for each in (a, b)]
    _check(counted)
    basis = counted[0].basis
    present = np.zeros(FOLDS, dtype=bool)
    for counts in counted:
        present[counts.tables["furthest"]["fold"].unique().to_numpy()] = True
    sides = []
    for counts in counted:
        tally = Tally.of(measure.specs()["furthest"], counts.tables["furthest"], present)
        sides.append(by_stage(tally, labels, basis))
    groups = pl.concat([side[0] for side in sides]).unique().sort(labels) if labels else pl.DataFrame()
    (n_a, r_a), (n_b, r_b) = (_onto(side, groups, labels) for side in sides)
    for name, n in zip(names, (n_a, n_b), strict=True):
        if not n.sum() > 0:
            raise QuestionError(f"{name!r} has no mature journey", hint="choose a longer or an earlier period")
    parts = _effects(*(spread(each, present) for each in (n_a, r_a, n_b, r_b)))
    trials = np.stack((n_a, n_b))[:, present]
    stages = stages_of(basis)
    tables = {
        "stages": _stage_frame(groups, stages, parts, trials, confidence),
        "total": _total_frame(parts, trials, confidence),
    }
    return Result(
        name="decomposition",
        question=f"Why does conversion differ, {names[0]} against {names[1]}: other journeys, or other outcomes?",
        frame=_group_frame(groups, (n_a, n_b), parts, trials, confidence),
        tables=tables,
        schema_version=1,
        confidence=confidence,
        basis=basis,
        notes=(
            f"effects are {names[0]} minus {names[1]}, in shares of all journeys",
            *still_open_told((a, b), names),
            *left_truncated_told((a, b), names),
        ),
    )


def _check(counted: Sequence[Counts]) -> None:
    first, second = (counts.basis for counts in counted)
    if first.rules.goal is None:
        raise QuestionError("without a goal nothing converts", hint="build_journeys(events, goal=…)")
    maps = {first.stage_map, second.stage_map} - {None}
    if (first.rules, first.stages) != (second.rules, second.stages) or len(maps) > 1:
        raise MergeError("the two were built by different rules or stages", hint="build both with the same rules")


def _onto(
    side: tuple[pl.DataFrame, Floats, Floats], groups: pl.DataFrame, labels: Sequence[str]
) -> tuple[Floats, Floats]:
    """The counts of one side, laid out over the groups of both."""
    own, n, reached = side
    if not labels:
        return n, reached
    numbered = own.join(groups.with_row_index("_g"), on=list(labels), how="left", maintain_order="left")
    at = numbered["_g"].to_numpy().astype(np.int64)
    out_n, out_reached = np.zeros((FOLDS, groups.height)), np.zeros((FOLDS, groups.height, reached.shape[2]))
    out_n[:, at], out_reached[:, at] = n, reached
    return out_n, out_reached


def _effects(n_a: Floats, r_a: Floats, n_b: Floats, r_b: Floats) -> dict[str, Floats]:
    """All effects, the whole in front and its replicates behind it: shape [1 + K, groups] and [1 + K, groups, stages]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        w_a, w_b = n_a / n_a.sum(axis=1, keepdims=True), n_b / n_b.sum(axis=1, keepdims=True)
        q_a, q_b = r_a[:, :, 1:] / r_a[:, :, :-1], r_b[:, :, 1:] / r_b[:, :, :-1]
    own_a, own_b = q_a, q_b
    q_a, q_b = (np.nan_to_num(np.where(np.isnan(own), other, own)) for own, other in ((own_a, own_b), (own_b, own_a)))
    p_a, p_b = q_a.prod(axis=2), q_b.prod(axis=2)
    overall = ((w_a * p_a).sum(axis=1, keepdims=True) + (w_b * p_b).sum(axis=1, keepdims=True)) / 2
    weight = (w_a + w_b) / 2
    stage = weight[:, :, None] * (q_a - q_b) * (_before(q_a) * _after(q_b) + _before(q_b) * _after(q_a)) / 2
    return {
        "weight_a": w_a, "weight_b": w_b, "share_a": p_a, "share_b": p_b, "onward_a": own_a, "onward_b": own_b,
        "mix": (w_a - w_b) * ((p_a + p_b) / 2 - overall), "rate": weight * (p_a - p_b), "stage": stage,
    }  # fmt: skip


def _before(q: Floats) -> Floats:
    """Product of the onward shares before each stage."""
    return np.concatenate((np.ones_like(q[:, :, :1]), np.cumprod(q, axis=2)[:, :, :-1]), axis=2)


def _after(q: Floats) -> Floats:
    """Product of the onward shares after each stage."""
    return np.flip(_before(np.flip(q, axis=2)), axis=2)


def _estimate(name: str, values: Floats, trials: Floats, confidence: float) -> tuple[dict[str, Any], list[str | None]]:
    """An effect with its interval; `trials` are the journeys by side, fold and row: too few people on either side tell too little."""
    found = number_interval(values[0], values[1:], trials_by_fold=trials.sum(axis=0), confidence=confidence)
    reason = found.reason
    for side in trials:
        own = number_interval(values[0], values[1:], trials_by_fold=side).reason
        reason = np.where((side.sum(axis=0) > 0) & ~given(reason), own, reason)
    lower, upper = (np.where(given(reason), np.nan, limit) for limit in (found.lower, found.upper))
    columns = {name: found.estimate, f"{name}_lower": lower, f"{name}_upper": upper}
    return {key: pl.Series(column).fill_nan(None) for key, column in columns.items()}, reason.tolist()


def _group_frame(
    groups: pl.DataFrame, n: tuple[Floats, Floats], parts: dict[str, Floats], trials: Floats, confidence: float
) -> pl.DataFrame:
    columns: dict[str, Any] = {name: groups[name] for name in groups.columns}
    columns |= {f"n_{side}": each.sum(axis=0).astype(np.int64) for side, each in zip("ab", n, strict=True)}
    columns |= {name: parts[name][0] for name in ("weight_a", "weight_b")}
    for side, each in zip("ab", n, strict=True):
        nobody = pl.Series(each.sum(axis=0) == 0)
        columns[f"share_{side}"] = pl.Series(parts[f"share_{side}"][0]).set(nobody, None)
    for name, values in zip(_WITH_LIMITS, (parts["mix"], parts["rate"], parts["mix"] + parts["rate"]), strict=True):
        found, reason = _estimate(name, values, trials, confidence)
        columns |= found
    return pl.DataFrame({**columns, "reason": pl.Series(reason, dtype=pl.String)})


def _stage_frame(
    groups: pl.DataFrame, stages: list[str], parts: dict[str, Floats], trials: Floats, confidence: float
) -> pl.DataFrame:
    each = pl.DataFrame({"stage": stages})
    keys = groups.join(each, how="cross", maintain_order="left_right") if groups.columns else each
    flat = {name: parts[name].reshape(len(parts[name]), -1) for name in ("onward_a", "onward_b", "stage")}
    found, reason = _estimate("effect", flat["stage"], np.repeat(trials, len(stages), axis=2), confidence)
    onward = {name: pl.Series(flat[name][0]).fill_nan(None) for name in ("onward_a", "onward_b")}
    return keys.hstack(pl.DataFrame({**onward, **found, "reason": pl.Series(reason, dtype=pl.String)}))


def _total_frame(parts: dict[str, Floats], trials: Floats, confidence: float) -> pl.DataFrame:
    mix, rate = parts["mix"].sum(axis=1), parts["rate"].sum(axis=1)
    values = np.stack((mix, rate, mix + rate), axis=1)
    found, reason = _estimate("effect", values, np.repeat(trials.sum(axis=2, keepdims=True), 3, axis=2), confidence)
    return pl.DataFrame({"part": ["mix", "rate", "change"], **found, "reason": pl.Series(reason, dtype=pl.String)})
