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
from journeymine.counting.packed import Packed, label_column, rows_table
from journeymine.counting.runs import changes, runs_of, sort_cells
from journeymine.counting.tally import Tally
from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast_count import Ground
from journeymine.metrics.contrast_tables import FATES, LEFT, MATURE, WON, States, journeys_table
from journeymine.parallel import take

__all__ = ["DETOUR", "LONGEST", "count_detours", "detour_specs", "place_of_step", "usual_ways", "with_detours"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
DETOUR = "detour"
LONGEST = 32
"""Ways of more steps are counted as this long; where the median way is, none is told to be a detour."""
_STEPS = {"steps": pl.Series(np.arange(LONGEST + 1))}
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


def place_of_step(journeys: Journeys) -> Packed:
    """Channel (``""`` without channels) and touchpoint of each step."""
    labels, packed = journeys.coded.labels, Packed.none(len(journeys.coded))
    for name in _PLACE:
        coded = labels.get(name, Coded(np.zeros(len(journeys.coded), dtype=np.uint8), ("",)))
        packed = packed.beside(coded.codes, {name: label_column(coded.labels)})
    return packed


def count_detours(ground: Ground, place: Packed) -> dict[str, pl.DataFrame]:
    """Count ways to stages, and what lies on them.

    Parameters
    ----------
    place : of each step, from `place_of_step`.
    """
    specs = detour_specs(ground.by)
    begin, end = _ways(ground)
    if not len(end):
        return {name: spec.empty() for name, spec in specs.items()}
    of_way = take(ground.of_step, end)
    between = end - begin - 1
    to = ground.in_groups(Packed.none(len(end)), of_way).beside(take(ground.stage.codes, end), ground.stage_column)
    steps = np.minimum(between, LONGEST)
    # Every step on every way, as (way, place); a place that a way leads by twice was passed twice by one journey.
    on = np.repeat(np.arange(len(end)), between)
    inner = np.arange(len(on)) + take(begin + 1 - (np.cumsum(between) - between), on)
    at_place: npt.NDArray[np.integer] = take(place.cell, inner)
    runs = runs_of(at_place, place.size, on)
    first = runs.first
    on, n_times, there = take(on, first), runs.lengths, place.take(take(inner, first))
    at, long = to.take(on).joined(there), take(steps, on)
    journey = take(of_way, on)
    state = take(ground.state, journey)
    state[state % FATES == LEFT] -= LEFT - MATURE  # nobody is lost on a way that arrives
    passed = at.beside(long, _STEPS)
    return {
        "ways": rows_table(specs["ways"], to.beside(steps, _STEPS)),
        "passed": journeys_table(specs["passed"], passed, state, journey, ground.value, n_times),
        "passers": _at_least(specs["passers"], at, long, take(ground.journeys.heads.user, journey), state),
    }


def _ways(ground: Ground) -> tuple[Ints, Ints]:
    """Steps that first reach the furthest stage so far, and the next that first reaches a higher one, before the goal."""
    of_step, stage = ground.of_step, ground.stage
    if "stage" not in ground.journeys.coded.labels or not ground.journeys.stages or not len(of_step):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    unmapped = len(stage.values) - 1
    # A running maximum over all journeys, in which each outranks those before it; what is unmapped is the lowest there is.
    height = of_step * (len(stage.values) + 1)
    height += np.where(stage.codes == unmapped, -1, stage.codes.astype(np.int8 if unmapped < 128 else np.int64))
    highest = np.maximum.accumulate(height)
    higher = changes(highest) & (stage.codes != unmapped) & ground.before
    reached = np.flatnonzero(higher)
    journey = take(of_step, reached)
    follows = np.flatnonzero(journey[1:] == journey[:-1])
    return take(reached, follows), take(reached, follows + 1)


def _at_least(spec: TableSpec, at: Packed, steps: Ints, user: Ints, state: States) -> pl.DataFrame:
    """Users, by place and by how many steps *at least* their longest way by it had."""
    cell, order = sort_cells(at.cell, at.size)
    steps, user, fate = take(steps, order), take(user, order), take(state, order) % FATES
    new = changes(cell)
    used, of_row = cell[new], np.cumsum(new) - 1

    def at_least(which: Bools) -> Ints:
        """Each user once at each place, by the longest of the ways of `which`; shape [places, steps]."""
        rows = np.flatnonzero(which)
        there, long = take(of_row, rows), take(steps, rows)
        starts = np.flatnonzero(changes(there) | changes(take(user, rows)))
        longest = np.maximum.reduceat(long, starts) if len(starts) else long
        width = LONGEST + 1
        by_steps = np.bincount(take(there, starts) * width + longest, minlength=len(used) * width)
        return by_steps.reshape(-1, width)[:, ::-1].cumsum(axis=1)[:, ::-1]

    known = at_least(np.ones(len(cell), dtype=bool)) > 0
    of_place, least = np.nonzero(known)
    columns = {
        **at.apart(used[of_place]),
        "steps": pl.Series(least),
        "n_users": at_least(fate >= MATURE)[known],
        "users_converted": at_least(fate == WON)[known],
    }
    return pl.DataFrame({name: columns[name] for name in spec.schema})


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
        rows = tally.frame.join(usual.drop("n"), on=to, how="inner", nulls_equal=True)
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
