"""From counts of scores to means, shares, the bias of who answers, and dips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.estimates import Answer, Number, Share, unless_alike
from journeymine.counting.tally import Tally, spread
from journeymine.metrics.contrast_estimate import by_group, significance
from journeymine.metrics.satisfaction_scale import NPS, Scale, bounds
from journeymine.stats.shares import enough_people, given, number_interval

__all__ = ["dips", "scores"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ENOUGH = 30
"""Fewest answers, here and in the rest, for a touchpoint to be tested."""
NOT_ASKED, SILENT = "no touchpoint here ever carries a score", "nobody answered here"
ALIKE = "all answers here are alike, which tells no variance"
MIXED = "scores here are on different scales; see emotion"


def scores(asked: Tally, places: Tally, names: Sequence[str], scale: Scale, *, has_goal: bool) -> Answer:
    """The main frame: one row per place in which somebody was asked; each stage, where the place is the stage."""
    at = _ever_asked(asked)
    every = asked.rows.with_row_index("_at").with_columns(_asked=pl.Series(at))
    rows = every.group_by(names, maintain_order=True).agg(pl.col("_asked").any())
    if list(names) != ["stage"]:
        rows = rows.filter("_asked")
    rows = rows.select(names).sort(names)
    cells = every.filter("_asked").join(rows.with_row_index("_row"), on=list(names), how="inner",
                                       nulls_equal=True, maintain_order="left")  # fmt: skip
    cell, row = cells["_at"].to_numpy().astype(np.int64), cells["_row"].to_numpy().astype(np.int64)
    known = places.rows.with_row_index("_at").join(rows.with_row_index("_row"), on=list(names), nulls_equal=True)
    said = known["_at"].to_numpy().astype(np.int64), known["_row"].to_numpy().astype(np.int64)
    n = rows.height

    def here(column: str) -> Floats:
        return by_group(places.by_fold(column)[:, said[0]], said[1], n)

    n_asked, n_answered = (by_group(asked.by_fold(name)[:, cell], row, n) for name in ("n_steps", "n_answered"))
    users = np.zeros(n, dtype=np.int64)
    users[said[1]] = places.total("n_users")[said[0]]
    answers = n_answered.sum(axis=0)
    once = users == answers
    low, high = _scale_of_rows(cells.filter(pl.Series(asked.total("n_answered")[cell] > 0)), scale, n)
    present = asked.present
    behind = n_answered[present]
    one_scale = low < high
    on_nps = one_scale & (low == NPS[0] * MICRO) & (high == NPS[1] * MICRO)
    answered, silent, bias = _bias(asked, cell, row, n)
    if not has_goal:
        answered, silent, bias = (np.full_like(each, np.nan) for each in (answered, silent, bias))
    with np.errstate(divide="ignore", invalid="ignore"):
        total = spread(n_answered, present)
        mean = np.where(one_scale, spread(here("_score"), present) / MICRO / total, np.nan)
        emotion = spread(here("emotion"), present) / MICRO / total
        nps = np.where(on_nps, 100 * spread(here("promoters") - here("detractors"), present) / total, np.nan)
    return Answer(
        keys=rows,
        columns={
            "n_asked": n_asked.sum(axis=0).astype(np.int64),
            "n_answered": answers.astype(np.int64),
            "n_users": users,
            "emotion": Number(unless_alike(emotion), behind, least=-2.0, most=2.0),
            "mean": Number(unless_alike(mean), behind, least=low / MICRO, most=high / MICRO),
            "csat_share": Share(here("satisfied"), n_answered, users=users, once=once),
            "dissatisfied_share": Share(here("dissatisfied"), n_answered, users=users, once=once),
            "nps": Number(unless_alike(nps), behind, least=-100.0, most=100.0),
            "response_share": Share(n_answered, n_asked),
            "converted_answered": _plain(answered),
            "converted_silent": _plain(silent),
            "response_bias": Number(unless_alike(bias), behind, least=-1.0, most=1.0),
        },
        users=users,
        reasons=[
            NOT_ASKED if not a else SILENT if not b else alike
            for a, b, alike in zip(n_asked.sum(axis=0), answers, _alike(emotion, behind), strict=True)
        ],
        notes=(MIXED,) if bool(np.any(~one_scale & (answers > 0))) else (),
    )


def _ever_asked(asked: Tally) -> npt.NDArray[np.bool_]:
    """Rows at a channel and touchpoint at which any step, in whatever place, carries a score."""
    frame = asked.rows.select("at_channel", "at_touchpoint").with_columns(n=pl.Series(asked.total("n_answered")))
    return frame.select(pl.col("n").sum().over("at_channel", "at_touchpoint") > 0).to_series().to_numpy()


def _scale_of_rows(answered: pl.DataFrame, scale: Scale, n: int) -> tuple[Ints, Ints]:
    """The scale of each row, in millionths; 0 and 0 where its answers are on several."""
    low, high = bounds(scale, answered["at_touchpoint"].to_list())
    row = answered["_row"].to_numpy().astype(np.int64)
    lowest, highest = np.full((2, n), np.iinfo(np.int64).max), np.full((2, n), np.iinfo(np.int64).min)
    for k, ends in enumerate((low, high)):
        np.minimum.at(lowest[k], row, ends)
        np.maximum.at(highest[k], row, ends)
    same = np.all(lowest == highest, axis=0)
    return np.where(same, lowest[0], 0), np.where(same, highest[1], 0)


def _bias(asked: Tally, cell: Ints, row: Ints, n: int) -> tuple[Floats, Floats, Floats]:
    """Conversion of who answered, of who kept silent at the same touchpoints, and the difference; [1 + K, n], [n].

    p_silent = Σ_t w_t p_silent,t with w_t the share of those who answered that did so at t: the silent ones are weighted
    to the touchpoints of the others.
    """
    column = {
        name: asked.spread(name)[:, cell] for name in ("answered", "answered_converted", "silent", "silent_converted")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = (column["answered"] > 0) & (column["silent"] > 0)
        weight = np.where(usable, column["answered"], 0.0)
        expected = np.where(usable, weight * column["silent_converted"] / column["silent"], 0.0)
        total = by_group(weight, row, n)
        answered = by_group(np.where(usable, column["answered_converted"], 0.0), row, n) / total
        silent = by_group(expected, row, n) / total
    return answered[0], silent[0], answered - silent


def dips(tally: Tally) -> Answer:
    """Each touchpoint against the other touchpoints of its stage; against all others where those hold too few answers."""
    n, n_folds = tally.total("n"), tally.by_fold("n")
    said = tally.by_fold("emotion") / MICRO
    stage = (
        tally.rows["stage"].rank("dense").to_numpy().astype(np.int64) - 1 if len(tally) else np.zeros(0, dtype=np.int64)
    )
    n_stages = int(stage.max()) + 1 if len(stage) else 0

    def rest(by_fold: Floats) -> tuple[Floats, Floats]:
        of_stage = by_group(by_fold, stage, n_stages)[:, stage] - by_fold
        return of_stage, by_fold.sum(axis=1, keepdims=True) - by_fold

    (near_n, far_n), (near, far) = rest(n_folds), rest(said)
    in_stage = near_n.sum(axis=0) >= ENOUGH
    rest_n, rest_said = np.where(in_stage, near_n, far_n), np.where(in_stage, near, far)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = spread(said, tally.present) / spread(n_folds, tally.present)
        others = spread(rest_said, tally.present) / spread(rest_n, tally.present)
    behind, beside, users = n_folds[tally.present], rest_n[tally.present], tally.total("n_users")
    once, few_beside = users == n, _few_people(others, beside)
    enough = (n >= ENOUGH) & (rest_n.sum(axis=0) >= ENOUGH) & ~_few_people(own, behind, once) & ~few_beside
    p, adjusted = significance(own - others, enough, np.zeros(len(tally)))
    return Answer(
        keys=tally.rows,
        columns={
            "n_answered": n,
            "n_users": users,
            "emotion": Number(unless_alike(own), behind, once, least=-2.0, most=2.0),
            "emotion_rest": _plain(others[0]),
            "n_rest": rest_n.sum(axis=0).astype(np.int64),
            "rest_of": pl.Series(np.where(in_stage, "stage", "journey").tolist(), dtype=pl.String),
            "difference": Number(
                unless_alike(own - others),
                np.where(few_beside, beside, behind),
                once & ~few_beside,
                least=-4.0,
                most=4.0,
            ),
            "p_value": _plain(p),
            "p_adjusted": _plain(adjusted),
        },
        users=users,
        reasons=_alike(own, behind),
    )


def _alike(values: Floats, behind: Floats) -> list[str | None]:
    """Why there is no interval where all say the same, and enough people say it."""
    silent = np.isnan(unless_alike(values)[1:]).all(axis=0) & ~np.isnan(values[0]) & enough_people(behind)
    return [ALIKE if each else None for each in silent]


def _few_people(values: Floats, behind: Floats, once: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """Rows of which so few people tell, or of which a few tell so much, that their mean has no interval; nor is it tested.

    Who answers often answers alike: of two people's answers, however many, nothing follows for everybody.
    """
    return given(number_interval(values[0], values[1:], trials_by_fold=behind, each_user_once=once).reason)


def _plain(values: Floats) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
