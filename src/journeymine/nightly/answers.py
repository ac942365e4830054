"""From a state to results: sealed counts of the period, and what is still carried, counted as of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.counts import Basis, Counts
from journeymine.counting.finish import finish
from journeymine.counting.measure import Measure, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.journeys.build import build_coded
from journeymine.nightly.by_day import count_days, count_returned, dated, days_of, nightly_basis
from journeymine.nightly.ledger import ledger_groups
from journeymine.nightly.manifest import context_of, known_vocabulary, labels_seen, read_or_empty, shape_in
from journeymine.nightly.runs import read_runs
from journeymine.nightly.sealing import Carried, build_carried
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import Store

__all__ = ["carried_now", "counts_of", "results_of", "sealed_table", "table_by_day"]


LOWER_BOUND = (
    "the number of distinct users is a lower bound, because no list of users is kept over the nights; what hangs on it "
    "errs on the side of caution: sparse, the interval of a share of 0 or 1, and the intervals where each user stands "
    "once, which cannot be known here and are made, or left out, as if some stood several times"
)
WITHIN_A_DUMP = (
    "anonymous ids were resolved within each dump: who was anonymous on one night and is known by name on a later one "
    "counts as two"
)


def results_of(
    store: Store, manifest: dict[str, Any], settings: Settings, days: tuple[int | None, int | None], confidence: float
) -> dict[str, Result]:
    """Every answer over journeys that started on the days ``[low, high)``, with what a reader must know of it."""
    counted = counts_of(store, manifest, settings, days)
    found = {}
    for name, measure in settings.measures.items():
        result = finish(measure, counted[name], confidence=confidence)
        bounded = name in settings.nightly and any("users" in s.values.values() for s in measure.specs().values())
        more = [note for note, holds in ((LOWER_BOUND, bounded), (WITHIN_A_DUMP, settings.has_anonymous)) if holds]
        found[name] = replace(result, notes=(*result.notes, *more))
    return found


def carried_now(store: Store, manifest: dict[str, Any], settings: Settings) -> Carried:
    """The journeys that are not sealed yet, as of the last night."""
    shape = shape_in(manifest)
    rows = read_or_empty(store, manifest["carry"], shape.carried_schema)
    return build_carried(rows, settings, shape, context_of(manifest), known_vocabulary(store, manifest, settings))


def sealed_table(
    store: Store,
    manifest: Mapping[str, Any],
    measure: Measure,
    name: str,
    table: str,
    days: tuple[int | None, int | None],
) -> pl.DataFrame:
    """One table of sealed counts with the day ``_day``, of journeys that started on the days ``[low, high)``."""
    spec = dated(measure.specs()[table])
    runs = manifest["counts"].get(name, {}).get(table, [])
    low, high = days
    inside = pl.lit(value=True)
    if low is not None:
        inside = inside & (pl.col("_day") >= low)
    if high is not None:
        inside = inside & (pl.col("_day") < high)
    return spec.merge([read_runs(store, runs, spec.schema, inside)], nights=True)


def table_by_day(
    store: Store, manifest: Mapping[str, Any], settings: Settings, carried: Carried, name: str, table: str,
    bounds: tuple[int | None, int | None],
) -> pl.DataFrame:  # fmt: skip
    """One table of all counts, sealed and carried, with the day ``_day`` that the journeys started on."""
    measure = settings.nightly[name]
    spec, journeys = dated(measure.specs()[table]), carried.journeys
    days = days_of(journeys, settings.timezone)
    chosen = _inside(days, bounds) & ~carried.counted
    fresh = count_days(measure, journeys.pick(chosen), days[chosen])[table]
    return spec.merge([sealed_table(store, manifest, measure, name, table, bounds), fresh], nights=True)


def counts_of(
    store: Store, manifest: dict[str, Any], settings: Settings, days: tuple[int | None, int | None] = (None, None)
) -> dict[str, Counts]:
    """Counts of every measure over journeys that started on the days ``[low, high)``, as of the last night."""
    basis = nightly_basis(settings, context_of(manifest), labels_seen(store, manifest))
    if days != (None, None):
        basis = replace(basis, selection=f"days {days[0]} to {days[1]}")
    carried = carried_now(store, manifest, settings)
    journeys = carried.journeys
    inside = _inside(days_of(journeys, settings.timezone), days)
    found = {}
    for name, measure in settings.nightly.items():
        specs = measure.specs()
        sealed = {
            table: sealed_table(store, manifest, measure, name, table, days).drop("_day") for table in specs
        }  # fmt: skip
        parts = [
            Counts(question_of(measure), basis, specs, sealed),
            count_in_memory(measure, journeys.pick(inside & ~carried.counted), whole=False),
            count_returned(measure, journeys.pick(inside & carried.counted)),
        ]
        found[name] = Counts.over_nights(parts, basis)
    return {**found, **_from_ledger(store, manifest, settings, days, basis)}


def _from_ledger(
    store: Store, manifest: dict[str, Any], settings: Settings, days: tuple[int | None, int | None], basis: Basis
) -> dict[str, Counts]:
    """Counts of the measures that count users: from all their events."""
    measures = settings.by_user
    if not measures:
        return {}
    shape = shape_in(manifest)
    vocabulary = known_vocabulary(store, manifest, settings)
    parts: dict[str, list[Counts]] = {name: [] for name in measures}
    for rows in ledger_groups(store, manifest["ledger"], shape.schema):
        coded = shape.code(rows, vocabulary)
        journeys = build_coded(coded, settings.rules, basis.context, settings.config.stages)
        if days != (None, None):
            journeys = journeys.pick(_inside(days_of(journeys, settings.timezone), days))
        for name, measure in measures.items():
            parts[name].append(count_in_memory(measure, journeys, whole=False))
    return {name: replace(Counts.merge(counted), basis=basis) for name, counted in parts.items()}


def _inside(days: np.ndarray[Any, np.dtype[np.int64]], bounds: tuple[int | None, int | None]) -> Any:
    low, high = bounds
    inside = np.ones(len(days), dtype=bool)
    if low is not None:
        inside &= days >= low
    if high is not None:
        inside &= days < high
    return inside
