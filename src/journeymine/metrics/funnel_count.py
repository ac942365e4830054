"""From the entries of a funnel that count to its tables: who reaches each step, and after how long."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.tabulate import Key, distinct_users, integer_key, pack, tabulate
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.funnel_entries import Entries
from journeymine.parallel import take
from journeymine.stats.histogram import bucket_of

__all__ = ["count_steps", "count_times"]

Ints = npt.NDArray[np.int64]


def count_steps(
    spec: TableSpec, journeys: Journeys, best: Entries, keys: Mapping[str, Key], user: Ints
) -> pl.DataFrame:
    """How many of the entries reach each step: with a closed window, without one, and their users."""
    packed, size = pack(list(keys.values()), len(user))
    mature, flags = best.closed, {}
    for k, there in enumerate(best.rows() >= 0, 1):
        flags[f"n_{k}"] = there & mature
        flags[f"immature_{k}"] = there & ~mature
        flags[f"users_{k}"] = distinct_users(packed, user, there & mature, size)
    return tabulate(spec, keys, flags, take(journeys.folds, user))


def count_times(
    spec: TableSpec, journeys: Journeys, best: Entries, keys: Mapping[str, Key], user: Ints
) -> pl.DataFrame:
    """Histogram of the time from the entry to each later step."""
    at, time = best.rows(), journeys.coded.time
    step, rows = np.nonzero((at >= 0) & best.closed)
    later = step > 0
    step, rows = step[later], rows[later]
    took = take(time, at[step, rows]) - take(time, take(at[0], rows))
    at_step = {name: key.take(rows) for name, key in keys.items()}
    at_step |= {"nth": integer_key(step + 1), "_bucket": integer_key(bucket_of(took))}
    return tabulate(spec, at_step, {}, take(journeys.folds, take(user, rows)))
