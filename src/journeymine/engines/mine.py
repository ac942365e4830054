"""`mine`: many measures, one pass, on any engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from journeymine.counting.counts import Counts
from journeymine.counting.finish import finish
from journeymine.counting.measure import Measure, check_questions, listed_measures
from journeymine.counting.parts import count_in_memory
from journeymine.counting.taken import check_names
from journeymine.engines.mined import Mined
from journeymine.errors import QuestionError
from journeymine.events.log import Events
from journeymine.events.report import EventReport
from journeymine.journeys.building import build_journeys
from journeymine.journeys.context import LogContext
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.rules import JourneyRules

__all__ = ["Counted", "Engine", "InMemory", "Progress", "mine"]

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done (0–1); raise from it to cancel."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What an engine hands back.

    Attributes
    ----------
    counts : of each measure over the whole source, in order.
    context : the log's bounds.
    report : makes the report on the log when asked; None where there was no log to report on.
    """

    counts: Sequence[Counts]
    context: LogContext
    report: Callable[[], EventReport | None]


class Engine(Protocol):
    """Where the counting runs. An engine calls `check_questions` as soon as it knows all labels of the log."""

    def count(
        self,
        source: Any,
        measures: Sequence[Measure],
        rules: JourneyRules | None,
        rule_fields: Mapping[str, Any],
        progress: Progress,
    ) -> Counted:
        """Count each measure over the whole source."""
        ...


class InMemory:
    """The engine that counts in this process's memory: the fastest while the log fits."""

    def count(
        self,
        source: Any,
        measures: Sequence[Measure],
        rules: JourneyRules | None,
        rule_fields: Mapping[str, Any],
        progress: Progress,
    ) -> Counted:
        """Build the journeys once, then count measure after measure."""
        if isinstance(source, Journeys):
            if rules is not None or rule_fields:
                raise QuestionError("journeys are already built, by their own rules", hint="leave the rules out")
            journeys = source
        elif isinstance(source, Events):
            progress("building journeys", 0.0)
            journeys = build_journeys(source, rules, **rule_fields)
        else:
            raise QuestionError(f"cannot mine a {type(source).__name__}", hint="give Events or Journeys")
        check_questions(measures, {name: coded.labels for name, coded in journeys.coded.labels.items()})
        counted = []
        for done, measure in enumerate(measures):
            progress(f"counting {measure.name}", done / len(measures))
            counted.append(count_in_memory(measure, journeys))
        progress("counted", 1.0)
        return Counted(counted, journeys.context, lambda: journeys.report)


def mine(
    source: Any,
    measures: Iterable[Measure],
    *,
    rules: JourneyRules | None = None,
    engine: Engine | None = None,
    confidence: float = 0.95,
    progress: Progress | None = None,
    **rule_fields: Any,
) -> Mined:
    """Answer many measures in one pass over a source.

    Parameters
    ----------
    source : `Events`, or `Journeys` that are already built; an engine may take more.
    measures : the questions, e.g. ``[Transitions(), Conversion(by="channel")]``.
    rules, rule_fields : as in `build_journeys`.
    engine : where the counting runs; by default in memory. The numbers are the same on every engine.
    confidence : level of the intervals.
    progress : called as the work goes on, see `Progress`.

    Returns
    -------
    Mined : the results, by measure or by name.

    Raises
    ------
    QuestionError : the source, a measure or the engine is not one, or a measure refuses the question.
    """
    asked = listed_measures(measures)
    if not asked:
        raise QuestionError("no measure was given", hint="e.g. mine(events, [Transitions(), Conversion()])")
    for measure in asked:
        check_names(measure)
    if engine is not None and (
        isinstance(engine, type) or not callable(getattr(engine, "count", None)) or isinstance(engine, str)
    ):
        raise QuestionError(
            f"{engine!r} is no engine", hint="e.g. engine=Buckets(memory='1 GiB'); by default in memory"
        )
    counted = (engine or InMemory()).count(source, asked, rules, rule_fields, progress or _silent)
    names = _names(asked)
    return Mined(
        results={n: finish(m, c, confidence=confidence) for n, m, c in zip(names, asked, counted.counts, strict=True)},
        counts=dict(zip(names, counted.counts, strict=True)),
        measures=dict(zip(names, asked, strict=True)),
        context=counted.context,
        make_report=counted.report,
    )


def _silent(what: str, done: float) -> None:
    del what, done


def _names(measures: Sequence[Measure]) -> list[str]:
    names: list[str] = []
    for measure in measures:
        taken = sum(name == measure.name or name.startswith(f"{measure.name}_") for name in names)
        names.append(measure.name if not taken else f"{measure.name}_{taken + 1}")
    return names
