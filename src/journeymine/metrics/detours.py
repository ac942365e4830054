"""Detours: ways to a stage that are longer than usual, and lead by a touchpoint that most who go there do not see.

A *way* to a stage is what a journey does strictly between first reaching the furthest stage before it and first
reaching it; what `lost_at` names is no step of it. The *usual way* is made of two things, both decided once all ways
are counted: the median number of steps, and the touchpoints that at least half of the ways lead by. A way with more
steps than the median makes a *detour* at each touchpoint on it that is not usual. So counts are kept by number of
steps, and which of them are too many is said late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import Merge, TableSpec, limbs
from journeymine.counting.packed import CellCounts, Packed, RowCounts
from journeymine.counting.runs import cell_rows, changes, ranges, sort_cells
from journeymine.counting.tally import Tally, row_groups
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.contrast_standing import FATES, MATURE, WON, fate_of
from journeymine.metrics.contrast_tables import Fates
from journeymine.parallel import take
from journeymine.stats.folds import FOLDS
from journeymine.stats.wide import normalise

__all__ = ["DETOUR", "LONGEST", "Detours", "detour_specs", "usual_ways", "with_detours"]

Ints = npt.NDArray[np.int64]
_NONE = np.zeros(0, dtype=np.int64)
DETOUR = "detour"
LONGEST, _WIDTH = 32, 33
"""Ways of more steps are counted as this long; where the median way is, none is told to be a detour."""
_STEPS = {"steps": pl.Series(np.arange(LONGEST + 1))}
_PLACE: dict[str, type[pl.DataType]] = {"channel": pl.String, "touchpoint": pl.String}
_SUMS: dict[str, Merge] = {"n_times": "sum", "n_journeys": "sum", "n": "sum", "converted": "sum", "value": "wide"}


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


class Detours:
    """Ways to stages, and what lies on them, block by block."""

    def __init__(self) -> None:
        self._ways, self._passed, self._longest = (
            RowCounts(folded=False),
            Fates(staged=False),
            CellCounts(_WIDTH * FATES),
        )

    def add(self, ground: Ground, place: Packed) -> None:
        """Add the journeys of a block; `place` is that of each step."""
        begin, end, journey = _ways(ground)
        on, between = _steps_between(ground, begin, end)
        steps = np.minimum(between, LONGEST).astype(np.uint8)
        to = ground.in_groups(Packed(take(ground.stage, end), (ground.stages,)), end)
        self._ways.add(to.beside(steps, _STEPS))
        # Every step on every way, as (way, place); a place that a way leads by twice was passed twice by one journey.
        to = Packed(np.repeat(to.cell, between), to.factors, to.size)
        at = to.joined(place.take(on)).with_room(_WIDTH)
        found = cell_rows(at.cell, at.size, np.append(0, np.cumsum(between)))
        starts, later = np.flatnonzero(found.new), np.flatnonzero(~found.new)
        at, way = Packed(take(found.cell, starts), at.factors, at.size), take(found.journey, starts)
        long, journey = take(steps, way), take(journey, way)
        standing = take(ground.standing, journey)
        self._add_longest(at, long, take(ground.journeys.heads.user, journey), fate_of(standing))
        self._passed.add(ground, at.beside(long, _STEPS), journey, standing, later - np.arange(1, len(later) + 1))

    def absorb(self, other: Detours) -> None:
        """Add what another one counted; the other is used up."""
        self._ways.absorb(other._ways)
        self._passed.absorb(other._passed)
        self._longest.absorb(other._longest)

    def _add_longest(self, at: Packed, long: npt.NDArray[np.uint8], user: Ints, fate: npt.NDArray[np.uint8]) -> None:
        """Each user once at each place, by the longest of the ways of mature journeys, and of those that converted."""
        starts = np.flatnonzero(changes(at.cell) | changes(user))
        at = at.take(starts)
        for least in (MATURE, WON):
            known = fate >= MATURE if least == MATURE else fate == WON
            longest = np.maximum.reduceat((long + 1) * known, starts) if len(starts) else long
            rows = np.flatnonzero(longest != 0)
            code = (take(longest, rows) - 1) * np.uint8(FATES) + np.uint8(least)
            self._longest.add(at.take(rows), code)

    def tables(self, specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
        """The tables of `detour_specs`."""
        return {
            "ways": self._ways.table(specs["ways"]),
            "passed": self._passed.table(specs["passed"]),
            "passers": self._at_least(specs["passers"]),
        }

    def _at_least(self, spec: TableSpec) -> pl.DataFrame:
        """Users, by place and by how many steps *at least* their longest way by it had."""
        cell, long = np.divmod(self._passed.cells(), _WIDTH)
        used, last = cell[changes(cell)], changes(cell[::-1])[::-1]
        there, code, n = self._longest.counted()
        by_steps = np.zeros((FATES, len(used), _WIDTH), dtype=np.int64)
        by_steps[code % FATES, np.searchsorted(used, there), code // FATES] = n
        users = by_steps[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
        known = np.arange(_WIDTH) <= long[last, None]
        of_place, least = np.nonzero(known)
        columns = {
            **self._longest.apart(used[of_place]),
            "steps": pl.Series(least),
            "n_users": users[MATURE][known],
            "users_converted": users[WON][known],
        }
        return pl.DataFrame({name: columns[name] for name in spec.schema})


def _ways(ground: Ground) -> tuple[Ints, Ints, Ints]:
    """Steps that first reach the furthest stage so far, the next that first reaches a higher one, before the goal, and the journey."""
    if not ground.journeys.stages:
        return _NONE, _NONE, _NONE
    unmapped = ground.n_stages - 1
    reached = take(ground.reached, np.flatnonzero(take(ground.stage, ground.reached) != unmapped))
    journey = take(ground.of_step, reached)
    # A running maximum over all journeys, in which each outranks those before it.
    highest = np.maximum.accumulate(journey * unmapped + take(ground.stage, reached))
    higher = np.flatnonzero(changes(highest))
    reached, journey = take(reached, higher), take(journey, higher)
    follows = np.flatnonzero(journey[1:] == journey[:-1])
    return take(reached, follows), take(reached, follows + 1), take(journey, follows)


def _steps_between(ground: Ground, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The steps on each way, one way after the other, and how many each has; what loses a journey by definition is none."""
    between = end - begin - 1
    on = ranges(begin + 1, between)
    if ground.journeys.rules.lost_at is None:
        return on, between
    told = take(ground.told, on)
    upto = np.append(0, np.cumsum(told))
    last = np.cumsum(between)
    return on[told], take(upto, last) - take(upto, last - between)


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


def with_detours(
    tallies: Mapping[str, Tally], usual: pl.DataFrame, places: pl.DataFrame, by: Sequence[str]
) -> tuple[Tally, Tally]:
    """The tables of all frictions with the detours among them, given what `usual_ways` found: journeys, and users.

    Both get a key ``towards``: the stage that a detour was on the way to, ``""`` for all other frictions.
    """
    met, people, passed, passers = (tallies[name] for name in ("met", "people", "passed", "passers"))
    to, at = [*by, "stage"], [*by, "stage", *_PLACE]
    told = {"friction": pl.lit(DETOUR), "towards": pl.col("stage")}

    def detours(tally: Tally) -> pl.DataFrame:
        rows = tally.rows.with_row_index("_row").join(usual.drop("n"), on=to, how="inner", nulls_equal=True)
        rows = rows.join(places, on=at, how="anti", nulls_equal=True)
        return rows.filter(pl.col("usual_steps") < LONGEST).with_columns(**told)

    keys = {**{k: v for k, v in met.spec.keys.items() if k != "stage"}, "towards": pl.String, "stage": pl.String}
    longer = detours(passed).filter(pl.col("steps") > pl.col("usual_steps"))
    people_keys = {k: v for k, v in keys.items() if k != "stage"}
    exact = detours(passers).filter(pl.col("steps") == pl.col("usual_steps") + 1)
    return (
        _beside(met, passed, longer, TableSpec(keys, met.spec.values)),
        _beside(people, passers, exact, TableSpec(people_keys, people.spec.values, folded=False)),
    )


def _beside(plain: Tally, ways: Tally, detours: pl.DataFrame, spec: TableSpec) -> Tally:
    """All frictions of `plain`, and those of `ways` that are `detours`, laid out by the keys of `spec`.

    Only the few rows of keys are told apart as text; their counts go by the number of their row.
    """
    names = list(spec.keys)
    both = (plain.rows.with_columns(towards=pl.lit("")).with_row_index("_row"), detours)
    every = pl.concat([rows.select("_row", *names, _of=pl.lit(of)) for of, rows in enumerate(both)]).sort(names)
    at = row_groups(every, names)
    every = every.with_columns(_at=pl.Series(at))
    counts = pl.concat([_counts_of(tally, every.filter(_of=of)) for of, tally in enumerate((plain, ways))])
    fold = counts["fold"].to_numpy() if spec.folded else 0
    there, order = sort_cells(counts["_at"].to_numpy() * FOLDS + fold, every.height * FOLDS)
    starts = np.flatnonzero(changes(there))
    there = take(there, starts)
    totals: dict[str, Ints] = {"_at": there // FOLDS, **({"fold": there % FOLDS} if spec.folded else {})}
    for name, merge in spec.values.items():
        columns = limbs(name) if merge == "wide" else (name,)
        added = [np.add.reduceat(take(counts[column].to_numpy(), order), starts) for column in columns]
        totals |= dict(zip(columns, normalise(*added) if merge == "wide" else added, strict=True))
    numbered = TableSpec({"_at": pl.Int64}, spec.values, folded=spec.folded)
    rows = every[pl.Series(np.flatnonzero(changes(at)))].select(names)
    return replace(Tally.of(numbered, pl.DataFrame(totals), plain.present), spec=spec, rows=rows)


def _counts_of(tally: Tally, rows: pl.DataFrame) -> pl.DataFrame:
    """The counts of some rows, each under its new number `_at`."""
    row = rows["_row"].to_numpy()
    n, begins = take(tally.filled, row), take(np.cumsum(tally.filled) - tally.filled, row)
    counts = tally.frame.select(pl.exclude(tally.rows.columns))[pl.Series(ranges(begins, n))]
    return counts.with_columns(_at=pl.Series(np.repeat(rows["_at"].to_numpy(), n)))
