"""What `time_to_convert` makes of its counts: shares by a horizon, curves, and tests between groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.counts import Basis
from journeymine.counting.estimates import Answer, Number, SolvedShare
from journeymine.counting.mature import NO_GOAL
from journeymine.counting.tally import Tally
from journeymine.metrics.survival import Curves, curves_of
from journeymine.metrics.watched import all_left_truncated, misfit, not_watched
from journeymine.stats.clustered_log_rank import clustered_log_rank
from journeymine.stats.shares import MIN_FOLDS, TOO_FEW_FOLDS
from journeymine.stats.survival import log_rank, restricted_mean

__all__ = ["answer_times", "people_behind", "trials_of_rows"]

Floats = npt.NDArray[np.float64]
CAUSES = ("converted", "lost")
MAX_TESTED = 50
NOT_TESTED = f"there are more than {MAX_TESTED} groups; test the few that matter"
KNOWN_LATER = (
    "these labels are known only after the start, and a journey that lasts longer meets more of them: "
    "groups are compared by channel_of='entry' only"
)
NOT_COMPARABLE = "fewer than two groups, or no event among them"


def answer_times(
    journeys: Tally, exits: Tally, bin_us: int, horizon_us: int | None, basis: Basis, *, known_at_start: bool
) -> Mapping[str, Answer]:
    """The three tables of the answer; the horizon is `mature_after` where none is given.

    Parameters
    ----------
    known_at_start : whether the groups are those of the first step, so that they may be tested.
    """
    curves = list(curves_of(exits, CAUSES))
    answers = {
        "summary": _summary(journeys, {curve.group: curve for curve in curves}, bin_us, horizon_us, basis),
        "curves": _curves(journeys, exits, curves, bin_us, has_goal=basis.rules.goal is not None),
    }
    if journeys.spec.keys:
        solid, enough = _solid(curves, exits)
        untold = NOT_TESTED if len(solid) > MAX_TESTED else None if known_at_start else KNOWN_LATER
        answers["test"] = _tests(solid, enough, int(journeys.present.sum()), untold)
    return answers


def _summary(
    journeys: Tally, curves: Mapping[tuple[str, ...], Curves], bin_us: int, asked_us: int | None, basis: Basis
) -> Answer:
    horizon_us = basis.rules.mature_after_us if asked_us is None else asked_us
    last, replicates = horizon_us // bin_us, 1 + int(journeys.present.sum())
    shape = (replicates, len(journeys))
    shares, undecided = np.full((len(CAUSES), *shape), np.nan), np.full(shape, np.nan)
    waiting = np.full(shape, np.nan)
    half, people = np.full(len(journeys), np.nan), journeys.total("n_users").astype(np.float64)
    for row, group in enumerate(_groups(journeys)):
        curve = curves.get(group)
        if curve is None or not curve.knows(last) or misfit(bin_us, horizon_us):
            continue
        shares[:, :, row], waiting[:, row] = curve.happened_by(last).T, curve.waiting_after(last)
        people[row] = min(people[row], curve.decided_by(last))
        seconds = curve.bins * (bin_us / MICRO)
        undecided[:, row] = restricted_mean(seconds, curve.waiting, last * bin_us / MICRO)
        converted = curve.happened[0, 0]
        reached = np.flatnonzero((converted > 0) & (converted >= shares[0, 0, row] / 2))
        half[row] = seconds[reached[0]] if len(reached) else np.nan
    trials = journeys.by_fold("n")[journeys.present]
    if basis.rules.goal is None:
        shares[0] = np.nan
    return Answer(
        keys=journeys.rows,
        columns={
            **{name: journeys.total(name) for name in journeys.spec.values},
            "horizon_s": np.full(len(journeys), last * bin_us / MICRO),
            "converted_share": SolvedShare(shares[0], trials, people),
            "lost_share": SolvedShare(shares[1], trials, people),
            "open_share": SolvedShare(waiting, trials, people),
            "half_s": pl.Series(half).fill_nan(None),
            "open_mean_s": Number(undecided, trials, least=0.0),
        },
        users=journeys.total("n_users"),
        converting=journeys.total("converted"),
        reasons=_reasons(journeys, curves, np.isnan(shares[1, 0]), bin_us, asked_us, basis),
    )


def _reasons(
    journeys: Tally,
    curves: Mapping[tuple[str, ...], Curves],
    unknown: npt.NDArray[np.bool_],
    bin_us: int,
    asked_us: int | None,
    basis: Basis,
) -> list[str | None]:
    """Why each group has no share of conversions, where it has none."""
    horizon_us = basis.rules.mature_after_us if asked_us is None else asked_us
    reasons: list[str | None] = []
    for group, gap, n, early in zip(
        _groups(journeys), unknown, journeys.total("n"), journeys.total("left_truncated"), strict=True
    ):
        if not gap:
            reasons.append(NO_GOAL if basis.rules.goal is None else None)
        elif n:
            reasons.append(not_watched(curves.get(group), bin_us, horizon_us, "journeys still undecided"))
        else:
            reasons.append(all_left_truncated(int(early), basis, asked_us) if early else None)
    return reasons


def _curves(journeys: Tally, exits: Tally, curves: Sequence[Curves], bin_us: int, *, has_goal: bool) -> Answer:
    shape = (1 + int(exits.present.sum()), exits.rows.height)
    shares, waiting, risk = np.full((len(CAUSES), *shape), np.nan), np.full(shape, np.nan), np.zeros(shape[1])
    for curve in curves:
        shares[:, :, curve.rows] = np.moveaxis(curve.happened, 1, 0)
        waiting[:, curve.rows], risk[curve.rows] = curve.waiting, curve.risk[0]
    if not has_goal:
        shares[0] = np.nan
    trials = trials_of_rows(journeys, curves, exits.rows.height)
    people = people_behind(journeys, curves, exits.rows.height)
    return Answer(
        keys=exits.rows.drop("_bin"),
        columns={
            "time_s": exits.rows["_bin"].to_numpy() * (bin_us / MICRO),
            "at_risk": risk.astype(np.int64),
            **{name: exits.total(name) for name in exits.spec.values},
            "converted_share": SolvedShare(shares[0], trials, people),
            "lost_share": SolvedShare(shares[1], trials, people),
            "open_share": SolvedShare(waiting, trials, people),
        },
    )


def trials_of_rows(groups: Tally, curves: Sequence[Curves], height: int) -> Floats:
    """Journeys in each fold of the group that each row of curves belongs to, shape [K, rows]."""
    n = groups.by_fold("n")[groups.present]
    position = {group: row for row, group in enumerate(_groups(groups))}
    trials = np.zeros((len(n), height))
    for curve in curves:
        trials[:, curve.rows] = n[:, [position[curve.group]]]
    return trials


def people_behind(groups: Tally, curves: Sequence[Curves], height: int) -> Floats:
    """Users behind each row of curves: no more than the group has, nor than those of whom it is known."""
    users = groups.total("n_users")
    position = {group: row for row, group in enumerate(_groups(groups))}
    people = np.zeros(height)
    for curve in curves:
        people[curve.rows] = np.minimum(curve.decided, users[position[curve.group]])
    return people


def _groups(tally: Tally) -> list[tuple[str, ...]]:
    return list(tally.rows.iter_rows()) if tally.spec.keys else [()]


def _solid(curves: Sequence[Curves], exits: Tally) -> tuple[list[Curves], bool]:
    """The groups whose users fill enough folds to tell how their scores vary; all, and False, where under two do."""
    leaving = np.sum([exits.by_fold(name) for name in exits.spec.values], axis=0)
    solid = [curve for curve in curves if np.count_nonzero(np.any(leaving[:, curve.rows] > 0, axis=1)) >= MIN_FOLDS]
    return (solid, True) if len(solid) > 1 else (list(curves), False)


def _tests(curves: Sequence[Curves], solid: bool, n_folds: int, untold: str | None) -> Answer:
    found: dict[str, list[Any]] = {
        name: [] for name in ("n_groups", "df", "chi2", "p_independent", "p_value", "reason")
    }
    grid = np.unique(np.concatenate([curve.bins for curve in curves])) if curves else np.zeros(0, dtype=np.int64)
    for cause in range(len(CAUSES)):
        if untold is not None:
            row: list[Any] = [len(curves), max(len(curves) - 1, 0), None, None, None, untold]
        else:
            row = [len(curves), *_test(curves, cause, grid, solid, n_folds)]
        for name, value in zip(found, row, strict=True):
            found[name].append(value)
    kinds = {"n_groups": pl.Int64, "df": pl.Int64, "reason": pl.String}
    return Answer(
        keys=pl.DataFrame({"cause": CAUSES}),
        columns={name: pl.Series(name, cells, dtype=kinds.get(name, pl.Float64)) for name, cells in found.items()},
    )


def _test(curves: Sequence[Curves], cause: int, grid: npt.NDArray[np.int64], solid: bool, n_folds: int) -> list[Any]:
    shape = (1 + n_folds, len(curves), len(grid))
    events, risk = np.zeros(shape), np.zeros(shape)
    for g, curve in enumerate(curves):
        events[:, g, np.searchsorted(grid, curve.bins)] = curve.events[:, cause]
        # At risk at a time are those who leave then or later: those of the group's next bin on the grid.
        following = np.searchsorted(curve.bins, grid)
        inside = following < len(curve.bins)
        risk[:, g, inside] = curve.risk[:, following[inside]]
    plain = log_rank(events[0], risk[0])
    if np.isnan(plain.p_value):
        return [plain.df, None, None, None, NOT_COMPARABLE]
    if n_folds < MIN_FOLDS or not solid:
        return [plain.df, plain.statistic, plain.p_value, None, TOO_FEW_FOLDS]
    clustered = clustered_log_rank(events, risk)
    if np.isnan(clustered.p_value):
        return [plain.df, plain.statistic, plain.p_value, None, TOO_FEW_FOLDS]
    return [plain.df, plain.statistic, plain.p_value, clustered.p_value, None]
