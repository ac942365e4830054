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
from journeymine.stats.shares import Interval, difference_interval, number_interval, share_interval
from journeymine.stats.woodruff import woodruff

__all__ = [
    "FOLDS",
    "Interval",
    "bucket_bounds",
    "bucket_of",
    "bucket_value",
    "design_effect",
    "difference_interval",
    "fold_of",
    "group_quantiles",
    "jackknife_correlation",
    "jackknife_variance",
    "jeffreys",
    "newcombe",
    "number_interval",
    "quantile",
    "replicates",
    "share_interval",
    "stable_hash",
    "student",
    "wilson",
    "woodruff",
]
