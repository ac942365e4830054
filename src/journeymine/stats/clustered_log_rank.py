"""The log-rank test for users who count several times: its variance comes from the folds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.errors import QuestionError
from journeymine.stats.survival import LogRank, score_statistic

__all__ = ["clustered_log_rank"]

ALMOST_NOTHING = 1e-9


def clustered_log_rank(events: npt.ArrayLike, risk: npt.ArrayLike) -> LogRank:
    """Log-rank test that k groups have the same hazard, clustered by user.

    The log-rank scores are those of `log_rank`, events minus expected events per group; their covariance is the
    delete-a-group jackknife over the folds instead of the hypergeometric one [1]_, so that journeys of one user may
    resemble each other and stand in several groups. Hotelling's T² on K − 1 degrees of freedom becomes an F test [2]_.

    Parameters
    ----------
    events, risk : from everything and then without one fold at a time, shape [1 + K, groups, T], on the same times.

    Returns
    -------
    LogRank, whose statistic is T²; NaN where there are not more replicates than groups, or no variance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> events = rng.binomial(20, [[[0.2, 0.2]], [[0.4, 0.4]]], (2, 64, 2)).swapaxes(0, 1).astype(float)
    >>> left = np.cumsum((events + 5)[..., ::-1], axis=-1)[..., ::-1]
    >>> def spread(x):
    ...     return np.concatenate([x.sum(axis=0)[None], (x.sum(axis=0) - x) * 64 / 63])
    >>> found = clustered_log_rank(spread(events), spread(left))
    >>> found.df, found.p_value < 0.01
    (1, True)

    References
    ----------
    .. [1] E. W. Lee, L. J. Wei, D. A. Amato, "Cox-type regression analysis for large numbers of small groups of
           correlated failure time observations", in *Survival Analysis: State of the Art* (1992) 237–247.
    .. [2] H. Hotelling, "The generalization of Student's ratio", Annals of Mathematical Statistics 2 (1931) 360–378.
    """
    from scipy.special import fdtrc

    d, n = np.asarray(events, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    if d.ndim != 3 or d.shape != n.shape:
        raise QuestionError(
            f"a clustered log-rank test needs [1 + K, groups, times], not {d.shape} and {n.shape}",
            hint="put everything first, then the replicates",
        )
    total_d, total_n = d.sum(axis=1, keepdims=True), n.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(total_n > 0, n / total_n, 0.0) * total_d
    score = (d - expected).sum(axis=2)
    groups = n[0].sum(axis=1) > 0
    df, degrees = int(groups.sum()) - 1, len(score) - 2
    missing = LogRank(float("nan"), max(df, 0), float("nan"), expected[0].sum(axis=1))
    if df < 1 or degrees <= df:
        return missing
    apart = score[1:, groups] - score[1:, groups].mean(axis=0)
    covariance = degrees / (degrees + 1) * apart.T @ apart
    if np.trace(covariance) <= ALMOST_NOTHING:
        return missing
    statistic, df = score_statistic(score[0, groups], covariance)
    free = degrees - df + 1
    return LogRank(statistic, df, float(fdtrc(df, free, statistic * free / (degrees * df))), missing.expected)
