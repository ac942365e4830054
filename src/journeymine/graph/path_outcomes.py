"""What became of the journeys of each path.

Most paths are those of one journey, whose numbers are looked up. Only journeys of the other paths are added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.counts import limbs
from journeymine.counting.runs import changes, ranges
from journeymine.counting.tabulate import flag_totals
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE, Heads
from journeymine.parallel import on_all_cores, take
from journeymine.stats.wide import normalise, split

__all__ = ["path_outcomes"]

Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]
_STATUSES = {"converted": CONVERTED, "lost": LOST, "open": OPEN, "service": SERVICE, "ended": ENDED}
_BLOCK = 1 << 14
"""Paths at a time: a dozen arrays of them stay in the cache."""


def path_outcomes(heads: Heads, rows: Ints, starts: Ints, n: Ints) -> Columns:
    """The value columns of `Variants`, in small integers.

    Parameters
    ----------
    rows : journeys, those of one path together and in their own order.
    starts, n : where in `rows` each path begins, and how many journeys it has; paths in any order.
    """
    several, kind = np.flatnonzero(n > 1), np.min_scalar_type(int(n.max(initial=0)))
    together = _together(heads, rows, take(starts, several), take(n, several))
    kinds = {
        name: np.int64 if name.endswith("_hi") else np.uint32 if name.endswith("_lo") else kind for name in together
    }
    found: Columns = {name: np.zeros(len(n), dtype=kinds[name]) for name in together}

    def look_up(low: int) -> None:
        there = slice(low, low + _BLOCK)
        for name, values in _each(heads, take(rows, starts[there])).items():
            found[name][there] = values

    on_all_cores(look_up, range(0, len(n), _BLOCK))
    found["n_users"].fill(1)
    for name, totals in together.items():
        found[name][several] = totals
    return {"n": n.astype(kind), **found}


def _each(heads: Heads, journey: Ints) -> Columns:
    """What some journeys add, each by itself."""
    status, mature = take(heads.status, journey), take(heads.mature, journey)
    each = {name: status == code for name, code in _STATUSES.items()}
    each |= {"mature": mature & ~each["service"], "converted_mature": mature & each["converted"]}
    sums = {"duration": take(heads.end, journey) - take(heads.start, journey), "value": take(heads.value, journey)}
    return each | {
        part: half for name, values in sums.items() for part, half in zip(limbs(name), split(values), strict=True)
    }


def _together(heads: Heads, rows: Ints, starts: Ints, n: Ints) -> Columns:
    """The same, and distinct users, added up over the journeys of each path."""
    begins = np.cumsum(n) - n
    journey = take(rows, ranges(starts, n))
    each = _each(heads, journey)
    # Journeys of a user are together, also among those of one path.
    each["n_users"] = changes(take(heads.user, journey))
    each["n_users"][begins] = True
    if not len(n):
        return each
    totals = flag_totals({name: flags for name, flags in each.items() if flags.dtype == bool}, begins, len(journey))
    for hi, lo in (limbs("duration"), limbs("value")):
        totals[hi], totals[lo] = normalise(*(np.add.reduceat(each[part], begins) for part in (hi, lo)))
    return totals
