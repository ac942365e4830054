"""The protocol of a question that can be counted on part of the users, merged, and finished late."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.notes import UNSTAGED_GOAL, mergeable_notes

__all__ = ["LATER", "Measure", "basis_of", "check_measure", "check_questions", "listed_measures", "question_of"]

LATER = {"later": True}
"""Metadata of a measure's field that its first version did not have; see `question_of`."""


@runtime_checkable
class Measure(Protocol):
    """A question that can be counted on any part of the users, merged, and finished late.

    A measure is a frozen dataclass that holds the question. `count` turns journeys of whole users into small tables.
    `estimate` turns merged tables into numbers: a pure function, vectorised over the leading axis of folds. Everything
    between (merging, intervals, flags, the result) exists once, in `finish`.

    Attributes
    ----------
    name : short name, unique among measures; the key of its result and the stem of its file.
    unit : what is counted. Measures of unit ``"user"`` cannot be added over nights without a ledger. A session lies
        inside one journey.
    schema_version : of the result's frame.

    A measure that names touchpoints may have a method ``check(labels)`` of its own; see `check_questions`. A measure
    may have estimates that depend on how long journeys were watched, and so differ between two periods in which nothing
    changed; it names them in ``so_far``. A measure of unit ``"user"`` that has ``so_far`` takes what a user did next
    from what each journey knows, and so may be asked of journeys without the others of their users.
    """

    name: ClassVar[str]
    schema_version: ClassVar[int]

    @property
    def unit(self) -> Literal["journey", "user", "session"]:
        """What is counted: the same for all questions of a measure, or set by a part of the question."""
        ...

    @property
    def question(self) -> str:
        """The question in words."""
        ...

    def specs(self) -> Mapping[str, TableSpec]:
        """Shapes of the tables it counts into."""
        ...

    def count(self, journeys: Journeys) -> Counts:
        """Count the journeys of some users; each of these users is whole."""
        ...

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Compute numbers from merged counts; the first answer is the result's main frame."""
        ...


def check_measure(measure: Any) -> None:
    """Refuse what is no measure, or a measure without its question.

    Raises
    ------
    QuestionError : such a thing; says what it is.
    """
    if isinstance(measure, type) or not isinstance(measure, Measure):
        kind = measure.__name__ if isinstance(measure, type) else type(measure).__name__
        raise QuestionError(f"{kind} is no measure with its question", hint="give one, e.g. Conversion(by='channel')")


def listed_measures(measures: Any) -> list[Measure]:
    """The measures of an iterable.

    Raises
    ------
    QuestionError : it is none, or something in it is no measure.
    """
    if isinstance(measures, str) or not isinstance(measures, Iterable):
        raise QuestionError(
            f"{type(measures).__name__} is no list of measures", hint="give a list, e.g. [Transitions(), Conversion()]"
        )
    listed = list(measures)
    for measure in listed:
        check_measure(measure)
    return listed


def check_questions(measures: Iterable[Measure], labels: Mapping[str, Sequence[str]]) -> None:
    """Ask each measure that has a ``check(labels)`` whether its question fits the vocabulary of the whole log.

    A part cannot tell a label that it lacks from one that nobody has; an engine that knows every label asks once,
    before anything is counted.

    Parameters
    ----------
    labels : the labels of each column over the whole log, as events hand them out.

    Raises
    ------
    UnknownLabelError : as the measure's short form.
    """
    for measure in measures:
        check = getattr(measure, "check", None)
        if check is not None:
            check(labels)


def question_of(measure: Measure) -> str:
    """Fingerprint of a measure's type and fields: equal questions, equal text, on any machine.

    A field that a later version added says so (``metadata=LATER``) and is left out while it asks for nothing, so that
    counts saved before it was there still answer the same question.
    """
    assert is_dataclass(measure)
    asked = {f.name: _plain(getattr(measure, f.name)) for f in fields(measure)}
    unasked = {f.name for f in fields(measure) if "later" in f.metadata and not asked[f.name]}
    data = {"measure": measure.name, **{name: value for name, value in asked.items() if name not in unasked}}
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return f"{measure.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _plain(value: Any) -> Any:
    if hasattr(value, "to_data"):
        return value.to_data()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def basis_of(journeys: Journeys) -> Basis:
    """The basis of counts made on `journeys`."""
    labels = {name: coded.labels for name, coded in journeys.coded.labels.items()}
    notes = mergeable_notes(journeys.rules, labels, unstaged=UNSTAGED_GOAL in journeys.notes)
    currency = None if journeys.events is None else journeys.events.currency
    return Basis(
        journeys.rules, journeys.context, journeys.stages, journeys.stage_map, notes, currency, journeys.selection
    )
