"""Whose label a number is broken down by: segments of journeys, or labels of their steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.counting.runs import cell_rows
from journeymine.counting.tabulate import Key, label_key, pack
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.events.coded import Coded, narrow
from journeymine.journeys.heads import Heads
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import take

__all__ = [
    "MAX_GROUPS",
    "PAIR",
    "Grouped",
    "as_names",
    "check_few",
    "group_journeys",
    "group_steps",
    "step_keys",
    "step_labels",
    "with_labels_in_use",
]

Ints = npt.NDArray[np.int64]
MAX_GROUPS = 10_000
"""Most labels that a breakdown may have; beyond, a number per label tells nobody anything."""

CHANNEL_OF = ("entry", "exit", "any")

PAIR = "channel:touchpoint"
"""The one breakdown whose labels are made of those of two columns."""

NEW_OR_RETURNING = "new_or_returning"
"""A breakdown that every log has: journeys of users with an earlier goal apart from those of new customers."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """Journeys with their labels.

    Attributes
    ----------
    journey : index of the journey of each row; each once, unless a journey counts under several labels.
    keys : one key column per name, over those rows.
    each_once : whether the rows are just the journeys, in their order.
    """

    journey: Ints
    keys: dict[str, Key]
    each_once: bool = False

    def heads(self, journeys: Journeys) -> Heads:
        """The head of each row's journey."""
        return journeys.heads if self.each_once else journeys.heads.take(self.journey)


def as_names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """``by=`` as a tuple of names.

    >>> as_names("channel"), as_names(None), as_names(["stage", "channel"])
    (('channel',), (), ('stage', 'channel'))
    """
    given: Any = by
    one = isinstance(given, str) or not isinstance(given, Iterable)
    if isinstance(given, set | frozenset):
        raise QuestionError(f"by={by!r} has no order", hint="give the names as a list")
    names = () if given is None else (given,) if one else tuple(given)
    if not all(isinstance(name, str) for name in names):
        raise QuestionError(f"by={by!r} names no column", hint="give a name such as 'channel', or a list of names")
    if len(set(names)) != len(names):
        raise QuestionError(f"by={list(names)} names a column twice", hint="name each once")
    return names


def check_channel_of(channel_of: str) -> str:
    """Refuse anything but the three ways of labelling a journey by its steps."""
    if channel_of not in CHANNEL_OF:
        raise QuestionError(f"channel_of={channel_of!r}", hint=f"give one of {', '.join(map(repr, CHANNEL_OF))}")
    return channel_of


def step_keys(journeys: Journeys, names: Sequence[str]) -> dict[str, Key]:
    """Key columns over the steps: labels of steps as they are, segments repeated for each step."""
    return {name: label_key(coded.codes, coded.labels) for name, coded in step_labels(journeys, names).items()}


def step_labels(journeys: Journeys, names: Sequence[str]) -> dict[str, Coded]:
    """The same as they are coded in the journeys."""
    found = {}
    for name in names:
        of_journey = _of_journey(journeys, name)
        coded = _known(journeys, name) if of_journey is None else of_journey
        _check_few(name, coded)
        found[name] = coded if of_journey is None else coded.take(journeys.journey_of_step)
    return found


def group_journeys(journeys: Journeys, by: Sequence[str], channel_of: str) -> Grouped:
    """Label each journey: by its segments, and by the entry step, the exit step, or any of its steps.

    With ``"any"`` a journey counts once under each combination of labels that its steps have.
    """
    from_steps = [name for name in by if _of_journey(journeys, name) is None]
    if channel_of == "any" and from_steps:
        keys = step_keys(journeys, by)
        at = group_steps(journeys, list(keys.values()))
        return Grouped(journeys.journey_of_step[at], {name: key.take(at) for name, key in keys.items()})
    at = journeys.offsets[:-1] if channel_of == "entry" else journeys.offsets[1:] - 1
    keys = {}
    for name in by:
        of_journey = _of_journey(journeys, name)
        coded = _known(journeys, name) if of_journey is None else of_journey
        _check_few(name, coded)
        keys[name] = label_key(coded.codes[at] if of_journey is None else coded.codes, coded.labels)
    return Grouped(np.arange(len(journeys)), keys, each_once=True)


def group_steps(journeys: Journeys, keys: Sequence[Key]) -> Ints:
    """The first step of each (journey, combination of labels): index of the step, sorted by combination."""
    cell, size = pack(keys, len(journeys.coded))
    found = cell_rows(cell, size, journeys.offsets)
    return take(found.rows, np.flatnonzero(found.new))


def with_labels_in_use(journeys: Journeys, names: Sequence[str]) -> Journeys:
    """The same journeys; a column of `names` with more labels than a breakdown may have knows those only that occur in them.

    For all journeys that a question is asked of, such as a selection of few users; never for a part of them, which
    would be broken down where the whole is refused.
    """
    segments = {name: _in_use(journeys.segments[name]) for name in names if _many(journeys.segments.get(name))}
    if segments:
        journeys = journeys.replace(segments={**journeys.segments, **segments})
    for name in names:
        if _many(journeys.coded.labels.get(name)):
            journeys = _with_column_in_use(journeys, name)
    return journeys


def _with_column_in_use(journeys: Journeys, name: str) -> Journeys:
    """The same with one column; what the company did shares the codes of the steps."""
    coded, company = journeys.coded, journeys.company
    own, theirs = coded.labels[name], company.labels.get(name)
    if theirs is not None:
        company = replace(company, labels={**company.labels, name: _in_use(theirs, own)})
    own = _in_use(own) if theirs is None else _in_use(own, theirs)
    return journeys.replace(coded=replace(coded, labels={**coded.labels, name: own}), company=company)


def _many(coded: Coded | None) -> bool:
    return coded is not None and len(coded.labels) > MAX_GROUPS


def _in_use(coded: Coded, *others: Coded) -> Coded:
    """A column with the labels only that occur in it, or in others of the same vocabulary."""
    used = np.zeros(len(coded.labels), dtype=bool)
    for each in (coded, *others):
        used[each.codes] = True
    there = np.flatnonzero(used)
    rank = narrow(np.cumsum(used) - 1, len(there))
    return Coded(take(rank, coded.codes), tuple(coded.labels[code] for code in there.tolist()))


def _of_journey(journeys: Journeys, name: str) -> Coded | None:
    """A label of whole journeys; None where `name` is one of steps."""
    if name in journeys.segments:
        return journeys.segments[name]
    if name == NEW_OR_RETURNING and name not in journeys.coded.labels:
        return Coded((journeys.heads.prior_goals > 0).astype(np.uint8), ("new", "returning"))
    return None


def _check_few(name: str, coded: Coded) -> None:
    if name != PAIR:  # which pairs there are no part knows: they are counted when all parts are together
        check_few(name, len(coded.labels))


def check_few(name: str, n_labels: int) -> None:
    """Refuse a breakdown by too many labels."""
    if n_labels > MAX_GROUPS:
        raise QuestionError(
            f"by={name!r} has {n_labels:,} labels, more than {MAX_GROUPS:,}",
            hint="group them first, with journeys.segment(…) or an attribute of fewer values",
        )


def _known(journeys: Journeys, name: str) -> Coded:
    try:
        return journeys.codes(name)
    except UnknownLabelError:
        known = [*journeys.coded.labels, *journeys.segments, NEW_OR_RETURNING]
        raise UnknownLabelError.naming("column to break down by", name, known) from None
