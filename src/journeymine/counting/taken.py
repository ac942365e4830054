"""Names that a breakdown cannot have, because the measure has columns of that name itself."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.finish import columns_of, tallies_of
from journeymine.counting.measure import Measure, question_of
from journeymine.errors import QuestionError
from journeymine.journeys.context import LogContext
from journeymine.journeys.rules import JourneyRules

__all__ = ["check_names", "refuse_taken"]

_NOWHERE = Basis(JourneyRules(), LogContext(0, 0))


def check_names(measure: Measure) -> None:
    """Refuse a breakdown by a name that a column of the measure has: of its answers, or of the tables it counts in.

    What these are the measure tells itself: it is asked about nobody, by labels of other names. Names that begin with
    an underscore are kept for the columns in which an answer is worked out.

    Raises
    ------
    QuestionError : such a name; it says which, and how to get by.
    """
    asked: Any = measure
    names: tuple[str, ...] = getattr(measure, "names", ())
    if not names:
        return
    others = tuple(f"({k})" for k in range(len(names)))  # no column of ours is called so
    refuse_taken(measure.name, names, _columns_beside(replace(asked, by=others), set(others)))


def refuse_taken(what: str, names: Iterable[str], taken: Container[str], *, argument: str = "by") -> None:
    """Refuse a breakdown by one of the taken names, or by one with an underscore in front."""
    for name in names:
        if name in taken or name.startswith("_"):
            why = (
                f"{what} has a column of that name itself"
                if name in taken
                else "such names are kept for working columns"
            )
            other = f"{name.strip('_') or 'my'}_group"
            raise QuestionError(
                f"{argument}={name!r}: {why}",
                hint=f"give it another name: journeys.segment({other!r}, …), or rename the column before read_events",
            )


def _columns_beside(measure: Measure, labels: set[str]) -> set[str]:
    """The columns of all tables and answers that have some of the labels among their own."""
    specs = measure.specs()
    found = [{*spec.schema, *spec.values} for spec in specs.values()]
    nobody = Counts(question_of(measure), _NOWHERE, specs, _empty(specs))
    found += [columns_of(answer) for answer in measure.estimate(tallies_of(nobody), _NOWHERE).values()]
    return set().union(*(columns for columns in found if columns & labels))


def _empty(specs: Mapping[str, TableSpec]) -> dict[str, pl.DataFrame]:
    return {name: spec.empty() for name, spec in specs.items()}
