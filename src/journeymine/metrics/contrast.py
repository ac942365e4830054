"""Journeys that met something against comparable journeys that did not: the fair comparison behind several metrics.

Whoever meets a payment error has come as far as paying, so a plain contrast would make the error look good. Here each
journey that meets a marker is compared with the other journeys that reached *the same stage* before any goal:

d = Σ_s w_s (p_with,s − p_without,s),   w_s = n_with,s / Σ n_with

with p the share that converts (direct standardisation to the stages at which the marker is met, [1]_ ch. 4). Where the marker
lies in how a journey moves on from a place, the others are those that were at that place in the same stage. The variance
is the delete-a-group jackknife over the folds, clustered by user.

References
----------
.. [1] K. J. Rothman, S. Greenland, T. L. Lash, *Modern Epidemiology*, 3rd ed. (2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from journeymine.counting.counts import Merge, TableSpec
from journeymine.counting.tabulate import Key, key_of
from journeymine.journeys.journeys import Journeys

__all__ = [
    "ENOUGH",
    "EVERYWHERE",
    "WEEK_US",
    "contrast_specs",
    "stage_key",
]

ENOUGH = 30
"""Fewest mature journeys with and without a marker for it to be tested."""
EVERYWHERE = "(everywhere)"
"""The one stage of a log without stages."""


def contrast_specs(
    keys: Mapping[str, type[pl.DataType]], by: Sequence[str] = (), *, weekly: bool = False, lost_at: bool = False
) -> dict[str, TableSpec]:
    """Tables of a contrast: journeys by marker and stage, their users by marker, and all journeys by stage.

    All by the labels of `by`; `weekly` also by the calendar week in which the journey reached the stage. With `lost_at`,
    journeys that were lost where they met the marker are counted, too.
    """
    group: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    if weekly:
        group["week"] = pl.Int64
    lost: dict[str, Merge] = {"lost_at": "sum"} if lost_at else {}
    return {
        "met": TableSpec(
            {**group, **keys, "stage": pl.String},
            {"n_times": "sum", "n_journeys": "sum", "n": "sum", "converted": "sum", **lost, "value": "wide"},
        ),
        "people": TableSpec({**group, **keys}, {"n_users": "users", "users_converted": "users"}, folded=False),
        "reached": TableSpec({**group, "stage": pl.String}, {"n": "sum", "converted": "sum"}),
    }


WEEK_US = 7 * 86_400_000_000
"""Microseconds of a week."""


def stage_key(journeys: Journeys) -> Key:
    """The stage of each step; one stage for all in a log without stages."""
    if "stage" in journeys.coded.labels:
        coded = journeys.coded.labels["stage"]
        return key_of(coded.codes, coded.labels)
    return key_of(np.zeros(len(journeys.coded), dtype=np.uint8), [EVERYWHERE])
