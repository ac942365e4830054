"""Detours: ways to a stage that are longer than usual, and lead by a touchpoint that most who go there do not see.

A *way* to a stage is what a journey does strictly between first reaching the furthest stage before it and first reaching
it. The *usual way* is made of two things, both decided once all ways are counted: the median number of steps, and
the touchpoints that at least half of the ways lead by. A way with more steps than the median makes a *detour* at each
touchpoint on it that is not usual. So counts are kept by number of steps, and which of them are too many is said late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Merge, TableSpec
from journeymine.counting.runs import changes
from journeymine.counting.tabulate import Key, integer_key, key_of, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.events.coded import Coded
from journeymine.journeys.heads import CONVERTED
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import before_goal

__all__ = ["DETOUR", "LONGEST", "count_detours", "detour_specs", "usual_ways", "with_detours"]

Ints = npt.NDArray[np.int64]
DETOUR = "detour"
LONGEST = 32
"""Ways of more steps are counted as this long; where the median way is, none is told to be a detour."""
_PLACE: dict[str, type[pl.DataType]] = {"channel": pl.String, "touchpoint": pl.String}
_SUMS: dict[str, Merge] = {"n_times": "sum", "n_journeys": "sum", "n": "sum", "converted": "sum", "lost_at": "sum",
                           "value": "wide"}  # fmt: skip


def detour_specs(by: Sequence[str]) -> dict[str, TableSpec]:
    """Ways by stage and number of steps; journeys by place on them; and users whose longest way by it had so many steps."""
    group: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    way: dict[str, type[pl.DataType]] = {"stage": pl.String, "steps": pl.Int64}
    return {
        "ways": TableSpec({**group, **way}, {"n": "sum"}, folded=False),
        "passed": TableSpec({**group, **_PLACE, **way}, _SUMS),
        "passers": TableSpec(
            {**group, **_PLACE, **way}, {"n_users": "users", "users_converted": "users"}, folded=False
        ),
    }


def count_detours(journeys: Journeys, labels: Mapping[str, Key]) -> dict[str, pl.DataFrame]:
    """Count ways to stages, and what lies on them.

    Parameters
    ----------
    labels : key columns of the breakdown, over the journeys.
    """
    specs, heads, coded = detour_specs(list(labels)), journeys.heads, journeys.coded
    begin, end = _ways(journeys)
    if not len(end):
        return {name: spec.empty() for name, spec in specs.items()}
    of_way = journeys.journey_of_step[end]
    between = end - begin - 1
    steps, stage = np.minimum(between, LONGEST), coded.labels["stage"]
    keys = {name: key.take(of_way) for name, key in labels.items()}
    way = {"stage": key_of(stage.codes[end], stage.labels), "steps": integer_key(steps)}
    # Every step on every way, as (way, place); a place that a way leads by twice was passed twice by one journey.
    inner = np.arange(int(between.sum())) - np.repeat(np.cumsum(between) - between - begin - 1, between)
    channel = coded.labels.get("channel", Coded(np.zeros(len(coded), dtype=np.uint8), ("",)))
    touchpoint = coded.labels["touchpoint"]
    place, size = pack([key_of(c.codes[inner], c.labels) for c in (channel, touchpoint)], len(inner))
    passed, first, n_times = np.unique(
        np.repeat(np.arange(len(end)), between) * size + place, return_index=True, return_counts=True
    )
    on, step = passed // size, inner[first]
    journey = of_way[on]
    at = {name: key.take(on) for name, key in keys.items()} | {
        "channel": key_of(channel.codes[step], channel.labels),
        "touchpoint": key_of(touchpoint.codes[step], touchpoint.labels),
    }
    at |= {name: key.take(on) for name, key in way.items()}
    mature, user = heads.mature[journey], heads.user[journey]
    won = mature & (heads.status[journey] == CONVERTED)
    sums = {
        "n_times": n_times,
        "n": mature,
        "converted": won,
        "lost_at": np.zeros(len(on), dtype=bool),
        "value": np.where(won, heads.value[journey], 0),
    }
    people = {"n_users": _longest(at, user, steps[on], mature), "users_converted": _longest(at, user, steps[on], won)}
    return {
        "ways": tabulate(specs["ways"], {**keys, **way}, {}),
        "passed": tabulate(specs["passed"], at, sums, journeys.folds[user]),
        "passers": _at_least(specs["passers"], tabulate(specs["passers"], at, people)),
    }


def _ways(journeys: Journeys) -> tuple[Ints, Ints]:
    """Steps that first reach the furthest stage so far, and the next that first reaches a higher one, before the goal."""
    of_step = journeys.journey_of_step
    if "stage" not in journeys.coded.labels or not journeys.stages or not len(of_step):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    stage = journeys.coded.labels["stage"]
    unmapped = len(stage.labels) - 1
    rank = np.where(stage.codes == unmapped, -1, stage.codes.astype(np.int64))
    # A running maximum over all journeys, in which each outranks those before it.
    height = rank + of_step * (len(stage.labels) + 1)
    highest = np.maximum.accumulate(height)
    higher = np.ones(len(height), dtype=bool)
    higher[1:] = height[1:] > highest[:-1]
    reached = np.flatnonzero(higher & (rank >= 0) & before_goal(journeys, of_step))
    follows = of_step[reached[1:]] == of_step[reached[:-1]]
    return reached[:-1][follows], reached[1:][follows]


def _longest(at: Mapping[str, Key], user: Ints, steps: Ints, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of the rows of `which`, the one with most steps of each user at each place on the way to each stage."""
    rows = np.flatnonzero(which)
    cell, _ = pack([key.take(rows) for name, key in at.items() if name != "steps"], len(rows))
    order = np.lexsort((-steps[rows], user[rows], cell))
    new = changes(cell[order])
    new |= changes(user[rows][order])
    flags = np.zeros(len(which), dtype=bool)
    flags[rows[order[new]]] = True
    return flags


def _at_least(spec: TableSpec, table: pl.DataFrame) -> pl.DataFrame:
    """From users by the steps of their longest way to users whose longest way had *at least* so many."""
    every = table.with_columns(steps=pl.int_ranges(0, pl.col("steps") + 1)).explode("steps")
    keys = list(spec.keys)
    return every.group_by(keys).agg(pl.col(name).sum() for name in spec.values).select(list(spec.schema))


def usual_ways(ways: Tally, passed: Tally, by: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The usual way to each stage.

    Returns
    -------
    One row per group and stage: n i64 ways · usual_steps i64 their median. One row per place that at least half of them
    lead by: n_journeys i64.
    """
    to = [*by, "stage"]
    counted = ways.rows.with_columns(n=pl.Series(ways.total("n"))).sort([*to, "steps"])
    # The lower median: the least number of steps that at least half of the ways do not exceed.
    half = pl.col("n").cum_sum().over(to) * 2 >= pl.col("n").sum().over(to)
    usual = counted.with_columns(_half=half, n=pl.col("n").sum().over(to)).filter("_half")
    usual = usual.unique(to, keep="first", maintain_order=True).select(*to, "n", usual_steps="steps")
    places = passed.rows.with_columns(n_journeys=pl.Series(passed.total("n_journeys")))
    places = places.group_by([*by, *_PLACE, "stage"], maintain_order=True).agg(pl.col("n_journeys").sum())
    seen = places.join(usual, on=to, how="left", nulls_equal=True, maintain_order="left")
    return usual, seen.filter(pl.col("n_journeys") * 2 >= pl.col("n")).select(*by, "stage", *_PLACE, "n_journeys")


def with_detours(tallies: Mapping[str, Tally], by: Sequence[str]) -> tuple[Tally, Tally]:
    """The tables of all frictions with the detours among them: journeys, and users.

    Both get a key ``towards``: the stage that a detour was on the way to, ``""`` for all other frictions.
    """
    met, people, passed, passers = (tallies[name] for name in ("met", "people", "passed", "passers"))
    usual, places = usual_ways(tallies["ways"], passed, by)
    to, at = [*by, "stage"], [*by, "stage", *_PLACE]
    told = {"friction": pl.lit(DETOUR), "towards": pl.col("stage")}

    def detours(tally: Tally) -> pl.DataFrame:
        rows = tally.frame.drop("_row").join(usual.drop("n"), on=to, how="inner", nulls_equal=True)
        rows = rows.join(places, on=at, how="anti", nulls_equal=True)
        return rows.filter(pl.col("usual_steps") < LONGEST).with_columns(**told)

    plain = {"towards": pl.lit("")}
    keys = {**{k: v for k, v in met.spec.keys.items() if k != "stage"}, "towards": pl.String, "stage": pl.String}
    spec = TableSpec(keys, met.spec.values)
    longer = detours(passed).filter(pl.col("steps") > pl.col("usual_steps"))
    merged = spec.merge([met.frame.with_columns(**plain).select(list(spec.schema)), longer.select(list(spec.schema))])
    told_to = TableSpec({k: v for k, v in keys.items() if k != "stage"}, people.spec.values, folded=False)
    exact = detours(passers).filter(pl.col("steps") == pl.col("usual_steps") + 1)
    users = told_to.merge([people.frame.with_columns(**plain).select(list(told_to.schema)),
                           exact.select(list(told_to.schema))])  # fmt: skip
    return Tally.of(spec, merged, met.present), Tally.of(told_to, users, met.present)
