"""Intervals, folds, histograms and tests: pure functions of small arrays.

Nothing here knows events or journeys. All functions work on NumPy arrays, elementwise or over a leading axis of folds;
SciPy is loaded by those that need it, when they are called.
"""

from __future__ import annotations

from journeymine.stats.folds import (
    FOLDS,
    design_effect,
    fold_of,
    jackknife_correlation,
    jackknife_variance,
    replicates,
)
from journeymine.stats.hashing import stable_hash
from journeymine.stats.histogram import bucket_bounds, bucket_of, bucket_value, group_quantiles, quantile
from journeymine.stats.intervals import jeffreys, newcombe, student, wilson
from journeymine.stats.multiple import benjamini_hochberg, holm
from journeymine.stats.permutation import PermutationTest, permutation_test
from journeymine.stats.quantiles import woodruff
from journeymine.stats.shares import Interval, difference_interval, number_interval, share_interval
from journeymine.stats.survival import (
    LogRank,
    aalen_johansen,
    at_risk,
    greenwood,
    kaplan_meier,
    log_minus_log_limits,
    log_rank,
    restricted_mean,
)

__all__ = [
    "FOLDS",
    "Interval",
    "LogRank",
    "PermutationTest",
    "aalen_johansen",
    "at_risk",
    "benjamini_hochberg",
    "bucket_bounds",
    "bucket_of",
    "bucket_value",
    "design_effect",
    "difference_interval",
    "fold_of",
    "greenwood",
    "group_quantiles",
    "holm",
    "jackknife_correlation",
    "jackknife_variance",
    "jeffreys",
    "kaplan_meier",
    "log_minus_log_limits",
    "log_rank",
    "newcombe",
    "number_interval",
    "permutation_test",
    "quantile",
    "replicates",
    "restricted_mean",
    "share_interval",
    "stable_hash",
    "student",
    "wilson",
    "woodruff",
]
