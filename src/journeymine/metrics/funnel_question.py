"""What a funnel asks: its steps, what must not come between them, and the checks that need no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeymine.columns import UNKNOWN, UNMAPPED, escape_reserved
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.journeys.predicate import Predicate
from journeymine.metrics.switches import check_switch

__all__ = [
    "Exclusion",
    "FunnelStep",
    "check_combination",
    "check_known",
    "check_labels",
    "check_steps",
    "parse_exclusions",
    "parse_steps",
]

MAX_ANY = 8
"""Most steps of ``sequence="any"``: where events may fill several, every subset of the steps is looked at."""
MAX_OPTIONAL = 5
"""Most optional steps of ``sequence="strict"``: every way to skip some of them is looked at."""
_STEP_KEYS, _EXCLUSION_KEYS = {"step", "optional", "name"}, {"step", "between"}


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step of a funnel.

    Attributes
    ----------
    condition : which events fill it.
    name : what it is called in results.
    optional : whether it may be skipped.
    """

    condition: Predicate
    name: str
    optional: bool = False

    @classmethod
    def parse(cls, form: Any) -> FunnelStep:
        """Read a touchpoint, a set, a predicate, or ``{"step": …, "optional": True, "name": …}``.

        >>> FunnelStep.parse(["a", "b"]).name, FunnelStep.parse({"step": "a", "optional": True}).optional
        ('a | b', True)
        """
        if isinstance(form, FunnelStep):
            return form
        if not (isinstance(form, Mapping) and "step" in form):
            condition = Predicate.parse(form, name="step")
            return cls(condition, _words(condition))
        _refuse_others(form, _STEP_KEYS)
        condition, optional = Predicate.parse(form["step"], name="step"), form.get("optional", False)
        check_switch(optional, name="optional")
        return cls(condition, str(form.get("name") or _words(condition)), optional)

    def to_data(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        return {"step": self.condition.to_data(), "optional": self.optional, "name": self.name}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What voids a match when it comes between two of its steps.

    Attributes
    ----------
    condition : which events are excluded.
    first, last : numbers of the two steps, from 1.
    """

    condition: Predicate
    first: int
    last: int

    @classmethod
    def parse(cls, form: Any, required: Sequence[int]) -> Exclusion:
        """Read a touchpoint, a set, a predicate, or ``{"step": …, "between": [1, 2]}``."""
        if isinstance(form, Exclusion):
            found = form
        elif isinstance(form, Mapping) and "step" in form:
            _refuse_others(form, _EXCLUSION_KEYS)
            first, last = _two(form.get("between", (required[0], required[-1])))
            found = cls(Predicate.parse(form["step"], name="exclude"), first, last)
        else:
            found = cls(Predicate.parse(form, name="exclude"), required[0], required[-1])
        if not (found.first in required and found.last in required and found.first < found.last):
            raise QuestionError(
                f"exclude between steps {found.first} and {found.last}",
                hint=f"give two of the required steps, the earlier first; they are {', '.join(map(str, required))}",
            )
        return found

    def to_data(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        return {"step": self.condition.to_data(), "between": [self.first, self.last]}


def parse_steps(forms: Any) -> tuple[FunnelStep, ...]:
    """Read the steps of a funnel: two or more, the first of them required."""
    if isinstance(forms, str | Mapping) or not isinstance(forms, Sequence):
        raise QuestionError(f"steps={forms!r} is not a list of steps", hint="e.g. steps=['visit', 'cart', 'order']")
    steps = tuple(FunnelStep.parse(form) for form in forms)
    if len(steps) < 2:
        raise QuestionError(
            f"a funnel of {len(steps)} steps has nothing to measure", hint="give two or more, e.g. ['visit', 'order']"
        )
    if steps[0].optional:
        raise QuestionError("the first step is optional", hint="the first step is the entry: leave out optional there")
    return steps


def parse_exclusions(forms: Any, steps: Sequence[FunnelStep]) -> tuple[Exclusion, ...]:
    """Read what must not come between steps; a list of touchpoints is one set of them."""
    if forms is None or (isinstance(forms, Sequence) and not isinstance(forms, str) and not len(forms)):
        return ()
    several = isinstance(forms, Sequence) and not isinstance(forms, str) and not all(isinstance(f, str) for f in forms)
    required = [number for number, step in enumerate(steps, 1) if not step.optional]
    if len(required) < 2:
        raise QuestionError("exclude needs two required steps to lie between", hint="leave exclude out")
    return tuple(Exclusion.parse(form, required) for form in (forms if several else [forms]))


def check_combination(steps: Sequence[FunnelStep], exclusions: Sequence[Exclusion], sequence: str) -> None:
    """Refuse what has no meaning together, or would take forever."""
    n_optional = sum(step.optional for step in steps)
    if exclusions and sequence != "loose":
        raise QuestionError(
            f"exclude together with sequence={sequence!r}",
            hint="exclude lies between steps that have an order and a distance: use sequence='loose'",
        )
    if sequence == "any" and n_optional:
        raise QuestionError("an optional step in sequence='any'", hint="leave it out: no step there waits for another")
    if sequence == "any" and len(steps) > MAX_ANY:
        raise QuestionError(f"{len(steps)} steps in any order", hint=f"give at most {MAX_ANY}")
    if sequence == "strict" and n_optional > MAX_OPTIONAL:
        raise QuestionError(f"{n_optional} optional steps of a strict sequence", hint=f"give at most {MAX_OPTIONAL}")


def check_labels(conditions: Sequence[Predicate], journeys: Journeys) -> None:
    """Refuse a label that the log does not have, or a touchpoint that only the company brings about."""
    check_journeys(journeys)
    check_known(conditions, {name: each.labels for name, each in journeys.coded.labels.items()})
    check_steps(_named(conditions), journeys)


def check_steps(touchpoints: Sequence[str], journeys: Journeys) -> None:
    """Refuse a known touchpoint that only the company brings about."""
    coded, company = journeys.codes("touchpoint"), journeys.company.labels.get("touchpoint")
    if company is None:
        return
    known = {label: code for code, label in enumerate(coded.labels)}
    for label in touchpoints:
        code = known[label if label in known else escape_reserved(label)]
        if (company.codes == code).any() and not (coded.codes == code).any():
            raise QuestionError(
                f"the touchpoint {label!r} is declared by_company, and what the company does is no step",
                hint="ask for what the customer did, or drop by_company",
            )


def check_known(conditions: Sequence[Predicate], labels: Mapping[str, Sequence[str]]) -> None:
    """Refuse a label that is none of the `labels` of the whole log; one of ours may be written without its quotes.

    A column that the log does not have is refused where it is looked at. What stands for no label is there to be named,
    whether the log lacks any or not.
    """
    for column, label in sorted(frozenset().union(*(condition.named() for condition in conditions))):
        known = labels.get(column, (label,))
        absent = column != "touchpoint" and label in (UNKNOWN, UNMAPPED)
        if label not in known and escape_reserved(label) not in known and not absent:
            raise UnknownLabelError.naming(column, label, known)


def _named(conditions: Sequence[Predicate]) -> list[str]:
    return list(dict.fromkeys(name for condition in conditions for name in condition.touchpoints() or ()))


def _refuse_others(form: Mapping[Any, Any], known: set[str]) -> None:
    others = sorted(str(key) for key in form if key not in known)
    if others:
        raise QuestionError(
            f"{', '.join(map(repr, others))} beside 'step' in {dict(form)!r}",
            hint=f"there are {', '.join(sorted(known))}; conditions stand inside 'step'",
        )


def _two(between: Any) -> tuple[int, int]:
    if (
        isinstance(between, Sequence)
        and len(between) == 2
        and all(isinstance(number, int) and not isinstance(number, bool) for number in between)
    ):
        return int(between[0]), int(between[1])
    raise QuestionError(f"between={between!r}", hint="give the numbers of two steps, from 1, e.g. between=[1, 2]")


def _words(condition: Predicate) -> str:
    """A condition in few words, to name a step by."""
    if condition.kind == "not":
        return f"not ({_words(condition.parts[0])})"
    if condition.kind in ("any", "all"):
        return (" or " if condition.kind == "any" else ", ").join(map(_words, condition.parts))
    operand = condition.operand
    text = (
        " | ".join(operand) if isinstance(operand, tuple) else f"{operand:g}" if isinstance(operand, float) else operand
    )
    if condition.test == "in":
        return text if condition.column == "touchpoint" else f"{condition.column} = {text}"
    return f"{condition.column} {condition.test} {text}"
