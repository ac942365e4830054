"""Counts of sealed journeys by the day they started on, and what it changes that a user came back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.measure import Measure, basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded, narrow
from journeymine.journeys.context import LogContext
from journeymine.journeys.facts import declared_labels
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.notes import is_unstaged, mergeable_notes
from journeymine.metrics.periods import period_of
from journeymine.nightly.sealing import Carried, Sealing
from journeymine.nightly.settings import Settings

__all__ = [
    "count_days", "count_returned", "dated", "days_of", "difference", "nightly_basis", "sealed_tables",
]  # fmt: skip

DAY = "_day"
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Tables = dict[str, pl.DataFrame]


def days_of(journeys: Journeys, zone: str) -> Ints:
    """The day each journey started on, in days since 1970, by the calendar of the zone."""
    return period_of(journeys.heads.start, "day", zone)


def dated(spec: TableSpec) -> TableSpec:
    """The shape of a table of counts with the day that its journeys started on."""
    return TableSpec({DAY: pl.Int64, **spec.keys}, spec.values, spec.folded)


def nightly_basis(settings: Settings, context: LogContext, seen: Mapping[str, Sequence[str]]) -> Basis:
    """What the counts of a state share; `seen` are the labels of each column that any night brought."""
    stages = settings.config.stages
    labels = {**seen, **declared_labels(stages)}
    notes = mergeable_notes(settings.rules, labels, unstaged=is_unstaged(settings.rules, stages))
    return Basis(settings.rules, context, stages.names, stages.fingerprint, notes)


def sealed_tables(carried: Carried, sealing: Sealing, settings: Settings) -> Iterator[tuple[str, Tables]]:
    """What a night adds to the sealed counts: name of the measure, and its tables with the day."""
    days = days_of(carried.journeys, settings.timezone)
    fresh, fresh_days = carried.journeys.pick(sealing.fresh), days[sealing.fresh]
    returned, returned_days = carried.journeys.pick(sealing.returned), days[sealing.returned]
    for name, measure in settings.nightly.items():
        if len(fresh):
            yield name, count_days(measure, fresh, fresh_days)
        # Few questions look at what follows a journey; for the others there is nothing to add.
        if any(frame.height for frame in count_returned(measure, returned).tables.values()):
            followed = count_days(measure, returned, returned_days)
            alone = count_days(measure, _never_followed(returned), returned_days)
            specs = measure.specs()
            yield name, {table: difference(dated(specs[table]), followed[table], alone[table]) for table in specs}


def count_days(measure: Measure, journeys: Journeys, days: Ints) -> Tables:
    """The tables of a measure by the day that journeys started on."""
    specs = measure.specs()
    at_once = _broken_down(measure)
    if at_once is not None:
        found, codes = np.unique(days, return_inverse=True)
        coded = Coded(narrow(codes, len(found)), tuple(str(day) for day in found))
        # labels of a breakdown are sorted as text
        order = np.argsort(np.array(coded.labels, dtype=object))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        by_text = Coded(narrow(rank[coded.codes], len(order)), tuple(coded.labels[i] for i in order))
        counts = count_in_memory(at_once, journeys.replace(segments={**journeys.segments, DAY: by_text}), whole=False)
        tables = {
            table: frame.with_columns(pl.col(DAY).cast(pl.Int64, strict=False))
            for table, frame in counts.tables.items()
        }
        # where a unit has no label of its own the breakdown loses its day
        if not any(frame[DAY].null_count() for frame in tables.values()):
            return {
                table: dated(spec).merge([tables[table].select(list(dated(spec).schema))])
                for table, spec in specs.items()
            }
    return _one_by_one(measure, journeys, days)


def _broken_down(measure: Measure) -> Measure | None:
    """The same question broken down by day too, where every table of the measure takes that."""
    if "by" not in [each.name for each in fields(measure)]:  # type: ignore[arg-type]
        return None
    try:
        by_day: Measure = replace(measure, by=(*as_names(measure.by), DAY))  # type: ignore[type-var, attr-defined]
    except QuestionError:
        return None
    specs = measure.specs()
    same = {name: {k: v for k, v in spec.keys.items() if k != DAY} for name, spec in by_day.specs().items()}
    inside = all(DAY in spec.keys for spec in by_day.specs().values())
    return by_day if inside and same == {name: dict(spec.keys) for name, spec in specs.items()} else None


def _one_by_one(measure: Measure, journeys: Journeys, days: Ints) -> Tables:
    specs = measure.specs()
    parts: dict[str, list[pl.DataFrame]] = {table: [] for table in specs}
    for day in np.unique(days):
        counts = count_in_memory(measure, journeys.pick(days == day), whole=False)
        for table, spec in specs.items():
            frame = counts.tables[table].with_columns(pl.lit(int(day), dtype=pl.Int64).alias(DAY))
            parts[table].append(frame.select(list(dated(spec).schema)))
    return {table: dated(spec).merge(parts[table]) for table, spec in specs.items()}


def count_returned(measure: Measure, journeys: Journeys) -> Counts:
    """What it changes that journeys, counted as never followed by another, are."""
    followed, alone = (
        count_in_memory(measure, journeys, whole=False),
        count_in_memory(measure, _never_followed(journeys), whole=False),
    )
    specs = measure.specs()
    tables = {name: difference(specs[name], followed.tables[name], alone.tables[name]) for name in specs}
    return Counts(question_of(measure), basis_of(journeys), specs, tables)


def _never_followed(journeys: Journeys) -> Journeys:
    never = np.full(len(journeys), MISSING, dtype=np.int64)
    return journeys.replace(heads=journeys.heads.replace(next_start=never))


def difference(spec: TableSpec, after: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """What to add to `before` for `after`: rows whose sums differ.

    Minima, maxima and distinct users are those of `after`; merging takes the more extreme, and a journey that is
    followed by another has all that it had alone.
    """
    keys = spec.key_names
    if after.equals(before):
        return spec.empty()
    both = after.join(before, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_before")
    summed = [name for name, merge in spec.values.items() if merge == "sum"]
    wide = [f"{name}_{limb}" for name, merge in spec.values.items() if merge == "wide" for limb in ("hi", "lo")]
    others = [name for name in spec.schema if name not in (*keys, *summed, *wide)]
    changed = both.with_columns(
        *(pl.col(c).fill_null(0) - pl.col(f"{c}_before").fill_null(0) for c in (*summed, *wide)),
        *(pl.coalesce(c, f"{c}_before") for c in others),
    )
    return changed.filter(pl.any_horizontal(pl.col(c) != 0 for c in (*summed, *wide))).select(list(spec.schema))
