"""Counting for attribution beside the credit: journeys, cost, moves of a chain of any order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.counts import TableSpec, limbs
from journeymine.counting.occurrences import Sums, sum_where
from journeymine.counting.packed import CellCounts, Packed
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key, distinct_users, key_of, tabulate
from journeymine.events.coded import Coded
from journeymine.graph.markov_counts import Paths, count_walks
from journeymine.graph.markov_states import OUTCOMES, walks
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.attribution_touches import Touches
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS

__all__ = ["count_chain", "count_cost", "count_journeys"]

Bools = npt.NDArray[np.bool_]
_STATUS = {"converted": CONVERTED, "lost": LOST, "open": OPEN, "service": SERVICE, "ended": ENDED}
_STATUSES, _TRUNCATED, _UNTOUCHED, _NEW_USER, _NEW_UNTOUCHED, _CODES = 8, 8, 16, 32, 64, 128
"""What is counted of a journey as one number: its status, and flags above it."""


def count_journeys(spec: TableSpec, journeys: Journeys, groups: Packed, untouched: Bools) -> pl.DataFrame:
    """Journeys by status, and the conversions without touch."""
    heads, status = journeys.heads, journeys.heads.status
    converted, group = status == CONVERTED, groups.cell.astype(np.int64, copy=False)
    fold = take(journeys.folds, heads.user)
    code = fold * np.uint16(_CODES)
    code += status
    for flag, flags in (
        (_TRUNCATED, heads.left_truncated & converted),
        (_UNTOUCHED, untouched),
        (_NEW_USER, distinct_users(group, heads.user, converted | (status == LOST), groups.size)),
        (_NEW_UNTOUCHED, distinct_users(group, heads.user, untouched, groups.size)),
    ):
        code += flags * np.uint16(flag)
    counts = CellCounts(FOLDS * _CODES)
    counts.add(groups, code)
    cell, known, n = counts.counted()
    starts = np.flatnonzero(changes(cell * FOLDS + known // _CODES))
    there = take(cell, starts) * FOLDS + take(known, starts) // _CODES
    kinds = {"n_users": known & _NEW_USER, "untouched": known & _UNTOUCHED, "untouched_users": known & _NEW_UNTOUCHED,
             "left_truncated": known & _TRUNCATED}  # fmt: skip
    columns = {
        **counts.apart(there // FOLDS),
        "fold": pl.Series(there % FOLDS, dtype=pl.UInt8),
        "n_journeys": sum_where(n > 0, n, starts),
        **{name: sum_where(known % _STATUSES == each, n, starts) for name, each in _STATUS.items()},
        **{name: sum_where(kind > 0, n, starts) for name, kind in kinds.items()},
    }
    for name, which in (("value", converted), ("untouched_value", untouched)):
        worth, sums = np.flatnonzero(which & (heads.value != 0)), Sums()
        sums.add(take(group * FOLDS + fold, worth), take(heads.value, worth), groups.size * FOLDS)
        columns |= dict(zip(limbs(name), sums.totals(there), strict=True))
    return pl.DataFrame({name: columns[name] for name in spec.schema})


def count_chain(
    spec: TableSpec, order: int, journeys: Journeys, groups: Mapping[str, Key], touches: Touches, outcome: str
) -> pl.DataFrame:
    """Moves of a chain of any order, over journeys of one outcome with at least one touch."""
    journey, labels = touches.journey, touches.coded.labels
    paths = Paths(
        keys={name: key.take(journey) for name, key in groups.items()},
        outcome=np.full(len(journey), OUTCOMES.index(outcome)),
        value=journeys.heads.value[journey] if outcome == "converted" else np.zeros(len(journey), dtype=np.int64),
        fold=journeys.folds[journeys.heads.user[journey]],
    )
    return count_walks(spec, walks(touches.coded.codes, touches.offsets, len(labels), order), labels, paths)


def count_cost(
    spec: TableSpec, journeys: Journeys, groups: Mapping[str, Key], labels: tuple[Coded, Coded]
) -> pl.DataFrame:
    """What every touch of every journey cost, before and after the goal, whatever became of it."""
    if "cost" not in journeys.coded.numbers:
        return spec.empty()
    steps, company = journeys.coded.numbers["cost"], journeys.company
    theirs = company.numbers.get("cost", np.full(len(company), MISSING))
    own, other = np.flatnonzero(steps != MISSING), np.flatnonzero(theirs != MISSING)
    journey = np.concatenate((journeys.journey_of_step[own], company.journey[other]))
    keys = {name: key.take(journey) for name, key in groups.items()}
    keys["label"] = key_of(np.concatenate((labels[0].codes[own], labels[1].codes[other])), labels[0].labels)
    fold = journeys.folds[journeys.heads.user[journey]]
    return tabulate(spec, keys, {"cost": np.concatenate((steps[own], theirs[other]))}, fold)
