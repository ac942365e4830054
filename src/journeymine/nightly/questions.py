"""Which questions are asked: read from a file, and, of a state, tried before the first night.

A file of questions is TOML, with the name of each measure and its fields as in Python::

    map = true  # those of a journey map too, and of a state the chances of open journeys

    [[measures]]
    measure = "retention"
    name = "monthly_retention"  # of its result; by default the measure's own
    period = "month"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.counting.measure import Measure
from journeymine.counting.taken import check_names
from journeymine.errors import JourneymineError, QuestionError, RulesError, SourceError
from journeymine.events.canonical import label_names, number_names, tie_break_names
from journeymine.events.config import Config
from journeymine.events.schema import EventSchema
from journeymine.graph.markov import Markov
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.rules import JourneyRules
from journeymine.maps.questions import map_measures
from journeymine.nightly.measures import known_measures, measure_from_data
from journeymine.nightly.rows import RowShape

__all__ = ["answerable", "check_answers", "check_table_names", "default_measures", "read_measures"]


def default_measures(config: Config) -> dict[str, Measure]:
    """Those of a journey map of this configuration, and the chances of open journeys."""
    return {**map_measures(_label_columns(config)), "chances": Markov()}


def read_measures(path: Path, usual: Mapping[str, Measure]) -> dict[str, Measure]:
    """Read a file of questions; `usual` are those that ``map = true`` asks for.

    Raises
    ------
    SourceError : the file cannot be read.
    QuestionError : it is not valid TOML, or asks for what there is not; says which of its measures.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QuestionError(f"{path} is not valid TOML: {error}", hint="see the line and column named above") from error
    unknown = sorted(set(tables) - {"map", "measures"})
    listed = tables.get("measures", [])
    if unknown or not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise QuestionError(
            f"{path}: {unknown[0] if unknown else 'measures'!r} is not understood",
            hint="there are: map = true, and [[measures]] with two brackets",
        )
    named = dict(usual) if tables.get("map") else {}
    for number, entry in enumerate(listed, 1):
        measure, name = _measure(entry, f"{path}: measure {number}")
        if name in named:
            raise QuestionError(f"{path}: measure {number}: there are two named {name!r}", hint="give it another name")
        named[name] = measure
    if not named:
        raise QuestionError(f"{path} asks for nothing", hint="write [[measures]], or map = true")
    return named


def _measure(entry: Mapping[str, Any], where: str) -> tuple[Measure, str]:
    given = dict(entry)
    kind, name = given.pop("measure", None), given.pop("name", None)
    known = known_measures()
    if kind not in known:
        near = difflib.get_close_matches(str(kind), known, n=3) or sorted(known)
        raise QuestionError(f"{where}: no measure {kind!r}", hint=f"there are: {', '.join(near)}")
    taken = [each.name for each in fields(known[kind])]
    wrong = sorted(set(given) - set(taken))
    if wrong:
        raise QuestionError(f"{where}: {kind} has no field {wrong[0]!r}", hint=f"it has: {', '.join(taken)}")
    try:
        return measure_from_data({"measure": kind, "fields": given}), str(name or kind)
    except JourneymineError as error:
        raise type(error)(f"{where}: {error.message}", hint=error.hint) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise QuestionError(
            f"{where}: {kind} cannot be asked so: {error}", hint=f"it has: {', '.join(taken)}"
        ) from error


def check_table_names(names: Iterable[str], taken: Collection[str]) -> None:
    """Refuse names that cannot be those of files of tables beside the files called `taken`.

    Raises
    ------
    QuestionError : names the first such name.
    """
    for name in names:
        if name in taken or Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
            raise QuestionError(
                f"a measure cannot be named {name!r}: its tables are files of that name",
                hint=f"give a name without slashes, and none of {', '.join(sorted(taken))}",
            )


def answerable(measures: Mapping[str, Measure], config: Config, rules: JourneyRules) -> dict[str, Measure]:
    """Those of the measures that journeys of these rules and columns can answer."""
    journeys = _no_journeys(config, rules)
    return {name: measure for name, measure in measures.items() if _refusal(measure, journeys) is None}


def check_answers(measures: Mapping[str, Measure], config: Config, rules: JourneyRules) -> None:
    """Refuse a measure that would fail on the first night.

    Raises
    ------
    JourneymineError : of the measure's own kind; names the measure.
    """
    journeys = _no_journeys(config, rules)
    for name, measure in measures.items():
        refusal = _refusal(measure, journeys)
        if refusal is not None:
            raise type(refusal)(
                f"the measure {name!r} cannot be answered: {refusal.message}", hint=refusal.hint
            ) from refusal


def _refusal(measure: Measure, journeys: Journeys) -> JourneymineError | None:
    try:
        check_names(measure)
        measure.count(journeys)
    except JourneymineError as error:
        return error
    return None


def _no_journeys(config: Config, rules: JourneyRules) -> Journeys:
    """Journeys with the columns that this configuration gives, and no rows."""
    schemas = [source.schema or EventSchema() for source in config.sources]
    if not schemas:
        raise RulesError("no source is named", hint="give a schema, or a configuration with [[sources]]")
    shape = RowShape(tuple(label_names(schemas)), tuple(number_names(schemas)), tuple(tie_break_names(schemas)))
    coded = shape.code(pl.DataFrame(schema=shape.schema), {})
    numbers = {name: coded.numbers[name] for name in shape.numbers}  # errors list them
    return build_coded(replace(coded, numbers=numbers), rules, LogContext(0, 0), config.stages)


def _label_columns(config: Config) -> list[str]:
    """Label columns that journeys of this configuration have."""
    names = label_names([source.schema or EventSchema() for source in config.sources])
    facts = [name for name in ("owner", "kind") if any(getattr(fact, name) for fact in config.stages.facts)]
    return list(dict.fromkeys([*names, *["stage"] * bool(config.stages.stages), *facts]))
