"""Counting for attribution: credit and value by rule, distinct labels per journey, cost, moves of the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import places
from journeymine.counting.counts import TableSpec
from journeymine.counting.tabulate import Key, distinct_users, integer_key, key_of, pack, tabulate
from journeymine.events.coded import Coded
from journeymine.graph.markov_counts import Paths, count_walks
from journeymine.graph.markov_states import OUTCOMES, walks
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.attribution_rules import TouchPaths, apportion, apportion_value, weigh
from journeymine.metrics.attribution_touches import Touches
from journeymine.parallel import take

__all__ = ["count_chain", "count_cost", "count_credit", "count_journeys"]

Ints = npt.NDArray[np.int64]


def count_journeys(spec: TableSpec, journeys: Journeys, groups: Mapping[str, Key], won: Touches) -> pl.DataFrame:
    """Journeys by status, and the conversions without touch."""
    heads = journeys.heads
    converted = heads.status == CONVERTED
    untouched = np.zeros(len(heads), dtype=bool)
    untouched[won.journey[won.lengths == 0]] = True
    asked = converted | (heads.status == LOST)
    packed, size = pack(list(groups.values()), len(heads))
    return tabulate(
        spec,
        groups,
        {
            "n_users": distinct_users(packed, heads.user, asked, size),
            "converted": converted,
            "untouched": untouched,
            "untouched_users": distinct_users(packed, heads.user, untouched, size),
            "lost": heads.status == LOST,
            "open": heads.status == OPEN,
            "service": heads.status == SERVICE,
            "ended": heads.status == ENDED,
            "left_truncated": heads.left_truncated & converted,
            "value": np.where(converted, heads.value, 0),
            "untouched_value": np.where(untouched, heads.value, 0),
        },
        journeys.folds[heads.user],
    )


def count_credit(
    specs: Mapping[str, TableSpec],
    rules: Sequence[str],
    half_life: int,
    journeys: Journeys,
    groups: Mapping[str, Key],
    won: Touches,
) -> dict[str, pl.DataFrame]:
    """Credit and value of each touch by the counted rules, and the distinct labels of each journey."""
    position = np.repeat(np.arange(len(won.journey)), won.lengths)
    journey = take(won.journey, position)
    user = take(journeys.heads.user, journey)
    fold, value = take(journeys.folds, user), take(journeys.heads.value, journey)
    keys = {name: key.take(journey) for name, key in groups.items()}
    keys["label"] = key_of(won.coded.codes, won.coded.labels)
    valued = "value" in journeys.coded.numbers
    paths = TouchPaths(won.offsets, position, won.marks.get("direct"), won.marks.get("middle"), won.time, half_life)
    credit: dict[str, Any] = {}
    worth: dict[str, Ints] = {}
    for rule in rules:
        credit[rule], upto = apportion(weigh(rule, paths), won.offsets, position)
        if valued:
            worth[rule] = apportion_value(value, credit[rule], upto)
    cell, size = pack(list(keys.values()), len(journey))
    at = places(cell, size, journey)
    credit["n"] = np.zeros(len(journey), dtype=bool)
    credit["n"][at] = True
    credit["n_users"] = distinct_users(cell, user, credit["n"], size)
    owner = take(position, at)
    distinct = take(np.bincount(owner, minlength=len(won.journey)), owner)
    sets = {name: key.take(at) for name, key in keys.items()} | {"size": integer_key(distinct)}
    return {
        "credit": tabulate(specs["credit"], keys, credit, fold),
        "value": tabulate(specs["value"], keys, worth, fold) if valued else specs["value"].empty(),
        "sets": tabulate(specs["sets"], sets, {"value": take(value, at)}, take(fold, at)),
    }


def count_chain(
    spec: TableSpec, order: int, journeys: Journeys, groups: Mapping[str, Key], touches: Touches, outcome: str
) -> pl.DataFrame:
    """Moves of the chain, over journeys of one outcome with at least one touch."""
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
