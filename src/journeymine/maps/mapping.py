"""`journey_map`: the front door of the maps room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from journeymine.counting.result import Result
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.maps.compose import answer_map, compose
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.questions import map_measures

if TYPE_CHECKING:
    from journeymine.events.report import EventReport

__all__ = ["journey_map", "map_measures"]


def journey_map(
    source: Journeys | Mapping[str, Result],
    *,
    title: str = "Customer journey map",
    who: str = "All customers",
    scenario: str = "",
    currency: str | None = None,
    report: EventReport | None = None,
    min_group: int = 10,
    confidence: float = 0.95,
) -> JourneyMap:
    """Draw the journey map: stages as columns, channels as lanes, touchpoints as nodes, and what became of the journeys.

    Parameters
    ----------
    source : journeys in memory; or finished answers to `map_measures` by name, from any engine or a night's state.
    title, who, scenario : what the header says.
    currency : of the values, as an ISO 4217 code; by default the log's.
    report : the state of the log, for the foot of the map; by default that of the journeys.
    min_group : places, flows and example paths that fewer users stand behind are left out; 1 shows everything.
    confidence : of the intervals, when counting from journeys.

    Returns
    -------
    JourneyMap, which shows itself in a notebook and saves itself by suffix (.html, .svg, .png, .pdf, .md, .json).

    Raises
    ------
    QuestionError : no journeys, or answers that a map needs are missing.
    """
    if isinstance(source, Journeys):
        if not len(source):
            raise QuestionError("there are no journeys to draw", hint="widen the filter that chose them")
        results: Mapping[str, Result] = answer_map(source, confidence=confidence)
        if source.events is not None:
            report = report or source.events.report
            currency = source.events.currency if currency is None else currency
        call = f"journey_map({source!r}, title={title!r}, min_group={min_group})"
    else:
        results = source
        missing = sorted({"conversion", "nodes", "flows", "paths"} - set(results))
        if missing:
            raise QuestionError(
                f"the answers lack {', '.join(missing)}", hint="mine the measures of map_measures(columns)"
            )
        call = f"journey_map(results, title={title!r}, min_group={min_group})"
    arguments: dict[str, Any] = {"title": title, "who": who, "scenario": scenario, "currency": currency or ""}
    return JourneyMap(compose(results, **arguments, report=report, min_group=min_group, call=call))
