"""What questions about coming again make of their counts: so far, within a horizon, and as a curve of the time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO
from journeymine.counting.estimates import Answer, Quantile, Share, SolvedShare
from journeymine.counting.histograms import histogram_of
from journeymine.counting.tally import Tally
from journeymine.metrics.survival import CENSORED, Curves, curves_of
from journeymine.metrics.watched import misfit, not_watched
from journeymine.stats.folds import FOLDS

__all__ = ["answer_curves", "answer_groups"]

Floats = npt.NDArray[np.float64]


def answer_groups(
    groups: Tally, exits: Tally, times: Tally, cause: str, bin_us: int, horizon_us: int, users_back: str
) -> Answer:
    """One row per group: how many came again so far, which share does within the horizon, and after how long.

    Parameters
    ----------
    groups : with the columns n, n_users and `cause`.
    exits : by the keys of `groups` and bin, as `count_exits` makes it.
    times : histogram of the µs it took, by the same keys.
    users_back : column of `groups` with the distinct users who came again.
    """
    last = horizon_us // bin_us
    curves = {curve.group: curve for curve in curves_of(exits, (cause,))}
    keys = list(groups.rows.iter_rows()) if groups.spec.keys else [()]
    within = np.full((1 + int(groups.present.sum()), len(keys)), np.nan)
    people = groups.total("n_users").astype(np.float64)
    for row, group in enumerate(keys):
        if group in curves and misfit(bin_us, horizon_us) is None:
            within[:, row] = curves[group].happened_by(last)[:, 0]
            people[row] = min(people[row], curves[group].decided_by(last))
    n, users, histogram = groups.total("n"), groups.total("n_users"), histogram_of(times, groups.rows)
    return Answer(
        keys=groups.rows,
        columns={
            **{name: groups.total(name) for name in groups.spec.values},
            "so_far_share": Share(groups.by_fold(cause), groups.by_fold("n"), users=users, once=users == n),
            "horizon_s": np.full(len(keys), last * bin_us / MICRO),
            f"{cause}_share": SolvedShare(within, groups.by_fold("n")[groups.present], people),
            "p50_s": Quantile(histogram, 0.5, 1 / MICRO),
            "p90_s": Quantile(histogram, 0.9, 1 / MICRO),
        },
        users=users,
        converting=groups.total(users_back),
        reasons=[
            not_watched(curves.get(group), bin_us, horizon_us, "those who had not come again")
            if gap and count
            else None
            for group, gap, count in zip(keys, np.isnan(within[0]), n, strict=True)
        ],
    )


def answer_curves(groups: Tally, exits: Tally, cause: str, bin_us: int, horizon_us: int | None = None) -> Answer:
    """One row per group and bin in which anybody comes again or is watched for the last time.

    With a horizon, also which share of those who have not come by the end of a bin will not come within the horizon.

    Parameters
    ----------
    groups : as of `answer_groups`, by the keys of `exits`, and perhaps one more.
    """
    height = exits.rows.height
    shape = (1 + int(exits.present.sum()), height)
    shares, stays = np.full(shape, np.nan), np.full(shape, np.nan)
    risk, decided = np.zeros(height), np.zeros(height)
    risk_by_fold, trials = np.zeros((FOLDS, height)), np.zeros((FOLDS, height))
    leaving, users = exits.by_fold(cause) + exits.by_fold(CENSORED), _users(groups, len(exits.spec.keys) - 1)
    for curve in curves_of(exits, (cause,)):
        shares[:, curve.rows], risk[curve.rows] = curve.happened[:, 0], curve.risk[0]
        decided[curve.rows] = np.minimum(curve.decided, users.get(curve.group, 0))
        risk_by_fold[:, curve.rows] = np.cumsum(leaving[:, curve.rows][:, ::-1], axis=1)[:, ::-1]
        trials[:, curve.rows] = leaving[:, curve.rows].sum(axis=1, keepdims=True)
        if horizon_us is not None:
            stays[:, curve.rows] = _stays(curve, horizon_us // bin_us)
    columns: dict[str, object] = {
        "time_s": exits.rows["_bin"].to_numpy() * (bin_us / MICRO),
        "at_risk": risk.astype(np.int64),
        **{name: exits.total(name) for name in exits.spec.values},
        f"{cause}_share": SolvedShare(shares, trials[exits.present], decided),
    }
    if horizon_us is not None:
        columns["hazard_share"] = Share(exits.by_fold(cause), risk_by_fold)
        columns["lapsed_share"] = SolvedShare(stays, risk_by_fold[exits.present], np.minimum(risk, FOLDS))
    return Answer(keys=exits.rows.drop("_bin"), columns=columns)


def _users(groups: Tally, n_labels: int) -> dict[tuple[str, ...], int]:
    """Distinct users of each group, at least: those of its largest row, as one user may stand in several."""
    found: dict[tuple[str, ...], int] = {}
    rows = groups.rows.iter_rows() if groups.spec.keys else [()]
    for row, users in zip(rows, groups.total("n_users").tolist(), strict=True):
        found[row[:n_labels]] = max(found.get(row[:n_labels], 0), users)
    return found


def _stays(curve: Curves, last: int) -> Floats:
    """Share of those still waiting after each bin that wait on until the end of the last one; NaN from there on."""
    out = np.full(curve.waiting.shape, np.nan)
    if curve.knows(last) and curve.at(last) >= 0:
        inside = curve.bins < last
        with np.errstate(divide="ignore", invalid="ignore"):
            out[:, inside] = curve.waiting[:, [curve.at(last)]] / curve.waiting[:, inside]
    return np.asarray(np.clip(out, 0.0, 1.0))
