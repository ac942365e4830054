"""`journey_map`: the front door of the maps room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from journeymine.counting.result import Result
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.maps.compose import answer_map, compose, started
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.page_views import ZOOM_FLOWS
from journeymine.maps.questions import CLAIMS, SUBTRACTED, map_measures
from journeymine.maps.specification import Method, Zoom
from journeymine.maps.zooms import Bools, groups

if TYPE_CHECKING:
    from journeymine.events.report import EventReport

__all__ = ["journey_map", "map_measures"]


def journey_map(
    source: Journeys | Mapping[str, Result],
    *,
    title: str = "Customer journey map",
    who: str | None = None,
    scenario: str = "",
    currency: str | None = None,
    report: EventReport | None = None,
    zoom: str | Sequence[str] = (),
    min_group: int = 10,
    confidence: float = 0.95,
) -> JourneyMap:
    """Draw the journey map: stages as columns, channels as lanes, touchpoints as nodes, and what became of the journeys.

    Parameters
    ----------
    source : journeys in memory; or the finished answers to `map_measures` by name, from any engine or a nightly state.
    title, who, scenario : what the header says. By default, if the journeys are a selection from a log, that they were
        selected.
    currency : currency of the values, as an ISO 4217 code. By default that of the log.
    report : report on the log, for the foot of the map. By default that of the journeys.
    zoom : ``"channel"``, segments or other labels: draws the same map for each of the eight largest groups of that
        kind, as further views. Each is counted anew, so `source` must be journeys. Pain points, moments of truth and
        example paths are judged on all journeys only. By default there are no such views.
    min_group : places, flows and example paths with fewer users behind them are left out, and so is what would give
        them away; 1 shows everything.
    confidence : level of the intervals, where the map counts from journeys.

    Returns
    -------
    JourneyMap : shows itself in a notebook, and saves itself by suffix (.html, .svg, .png, .pdf, .md, .json).

    Raises
    ------
    QuestionError : there are no journeys, answers that a map needs are missing, or an argument is of a wrong type.
    """
    part = _part_of_a_log(source)
    who = who or ("Selected journeys" if part else "All customers")
    if isinstance(source, Journeys):
        if not len(source):
            raise QuestionError("there are no journeys to draw", hint="widen the filter that chose them")
        results: Mapping[str, Result] = answer_map(source, confidence=confidence)
        if source.events is not None:
            report = source.events.report if report is None else report
            currency = source.events.currency if currency is None else currency
        call = f"journey_map(journeys, title={title!r}, zoom={zoom!r}, min_group={min_group}, confidence={confidence})"
    else:
        if not isinstance(source, Mapping):
            check_journeys(source)
        results = source
        missing = sorted({"conversion", "nodes", "flows", "paths"} - set(results))
        if missing:
            raise QuestionError(
                f"the answers lack {', '.join(missing)}", hint="mine the measures of map_measures(columns)"
            )
        call = f"journey_map(results, title={title!r}, min_group={min_group})"
    arguments: dict[str, Any] = {
        "scenario": scenario, "currency": currency or "", "report": report, "min_group": min_group, "call": call,
    }  # fmt: skip
    spec = compose(results, title=title, who=who, **arguments)
    if zoom:
        if not isinstance(zoom, str | list | tuple):
            raise QuestionError(
                f"zoom={zoom!r} names no column", hint="give a name such as 'channel', or a list of names"
            )
        if not isinstance(source, Journeys):
            raise QuestionError(
                "zoom asks for journeys, not for finished answers", hint="journey_map(journeys, zoom=…)"
            )
        spec = replace(spec, zooms=tuple(_zooms(source, results, zoom, title, confidence, arguments)))
    return JourneyMap(replace(spec, header=started(spec.header, part)) if part else spec)


def _part_of_a_log(source: object) -> Journeys | None:
    """The journeys, where they hold fewer events than their log: they were selected; None of a whole log, or of answers."""
    if not isinstance(source, Journeys) or source.report is None or not len(source):
        return None
    touches = source.company
    return source if len(source.coded) + len(touches) + touches.n_outside < source.report.accepted else None


def _zooms(
    journeys: Journeys, results: Mapping[str, Result], zoom: str | Sequence[str], title: str, confidence: float,
    arguments: Mapping[str, Any],
) -> Iterator[Zoom]:  # fmt: skip
    """A map for each group, in which nothing is shown that a difference to its neighbours would give away."""
    counted: dict[bytes, dict[str, Result]] = {}

    def ask(held: Bools, **which: Sequence[str]) -> dict[str, Result]:
        name = held.tobytes()
        if name not in counted:
            counted[name] = answer_map(journeys.pick(held), confidence=confidence, **which)
        return counted[name]

    found = list(groups(journeys, zoom))
    for _, _, held, _ in found:
        ask(held, without=CLAIMS)
    for kind, label, held, others in found:
        around = [ask(other, only=SUBTRACTED) for other in others if other.any()]
        who = f"Journeys on {label}" if kind == "channel" else label
        beside = [results, *around]
        spec = compose(ask(held), title=title, who=who, beside=beside, max_flows=ZOOM_FLOWS, **arguments)
        yield Zoom(kind=kind, label=label, map=replace(spec, quality=(), hints=(), method=Method()))
