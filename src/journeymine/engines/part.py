"""The kernel of every engine that does not hold the whole log: count one part of it, whole users, by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from journeymine.columns import UNKNOWN, escape_reserved
from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.counting.parts import count_in_memory
from journeymine.engines.tally import LogTally, tally_part
from journeymine.events.coded import Coded, CodedEvents, narrow
from journeymine.events.event_rules import EventRules, clean_users
from journeymine.events.memory_pass import code_frame
from journeymine.events.order import order_events
from journeymine.events.stage_map import StageMap
from journeymine.journeys.build import build_ordered
from journeymine.journeys.context import LogContext
from journeymine.journeys.rules import JourneyRules

__all__ = ["PartPlan", "count_part", "vocabulary"]


@dataclass(frozen=True, slots=True)
class PartPlan:
    """All that the kernel needs beside the rows. Plain values: it travels to other processes and machines.

    Attributes
    ----------
    rules, context, stages : as of `build_ordered`.
    event_rules : declared rules about whole users.
    labels : the vocabulary of the whole log by label column, sorted, so that a label which a part lacks is still known.
    numbers, tie_breaks : names of the number and tie-break columns.
    n_latest : how many of the latest timestamps the check for wild ones has to see.
    """

    rules: JourneyRules
    context: LogContext
    stages: StageMap | None
    event_rules: EventRules
    labels: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    tie_breaks: tuple[str, ...]
    n_latest: int


def count_part(frame: pl.DataFrame, measures: Sequence[Measure], plan: PartPlan) -> tuple[list[Counts], LogTally]:
    """Count every measure on whole users.

    Parameters
    ----------
    frame : rows of `Events.scan` that are usable in themselves, in any order of rows; labels as strings or
        categoricals.
    measures : what to count.
    plan : the rest.

    Returns
    -------
    Counts per measure, and what the log's report needs to know of these users.
    """
    accepted, aside = _in_input_order(frame), frame.clear()
    if plan.event_rules.never_before or "event_id" in frame.columns:
        accepted, aside = clean_users(accepted, plan.event_rules)
    del frame
    coded = _widen(
        code_frame(accepted, attributes=tuple(plan.labels), numbers=plan.numbers, tie_breaks=plan.tie_breaks),
        plan.labels,
    )
    files = accepted.get_column("file")
    del accepted
    order = order_events(coded, consume=True)
    del coded
    tally = tally_part(order, files, aside, plan.n_latest)
    journeys = build_ordered(order, plan.rules, plan.context, plan.stages)
    del order, files
    return [count_in_memory(measure, journeys, whole=False) for measure in measures], tally


def vocabulary(raw: Sequence[str | None]) -> tuple[str, ...]:
    """The sorted labels that distinct raw ones are handed out as; null and empty are absent.

    >>> vocabulary(["web", None, "(none)", ""])
    ('"(none)"', '(unknown)', 'web')
    """
    return tuple(sorted({escape_reserved(label) if label else UNKNOWN for label in raw}))


def _in_input_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by file and row; parts mostly come that way already."""
    file, row = frame.get_column("file").to_numpy(), frame.get_column("row").to_numpy()
    later = (file[1:] > file[:-1]) | ((file[1:] == file[:-1]) & (row[1:] > row[:-1]))
    return frame if later.all() else frame.sort("file", "row")


def _widen(coded: CodedEvents, labels: Mapping[str, tuple[str, ...]]) -> CodedEvents:
    """The same events over the vocabulary of the whole log."""
    wide = {name: _recode(column, labels[name]) for name, column in coded.labels.items()}
    return CodedEvents(coded.user, coded.timestamp, wide, coded.numbers, coded.tie_break)


def _recode(coded: Coded, labels: tuple[str, ...]) -> Coded:
    if coded.labels == labels:
        return coded
    known = np.array(labels, dtype=object)
    position = np.searchsorted(known, np.array(coded.labels, dtype=object))
    return Coded(narrow(position, len(labels)).take(coded.codes), labels)
