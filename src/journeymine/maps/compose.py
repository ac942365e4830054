"""Compose a journey map from finished results: the only part of the maps that asks for measures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from journeymine.columns import SINGLE_CHANNEL
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.errors import QuestionError
from journeymine.events.report import EventReport
from journeymine.journeys.journeys import Journeys
from journeymine.maps import compose_words as words
from journeymine.maps.compose_endings import by_definition, closing, ended_by_definition
from journeymine.maps.compose_findings import moments_of_truth, pain_points
from journeymine.maps.compose_flows import MAX_FLOWS, examples, flows, last_touchpoints, neighbours, terminals
from journeymine.maps.compose_opportunities import emotion, opportunities, priced, ranking
from journeymine.maps.compose_places import (
    after_goal,
    drop_offs,
    estimate,
    lanes,
    node_id,
    nodes,
    stages,
    typical_columns,
    with_lanes,
)
from journeymine.maps.evidence import Filtered
from journeymine.maps.privacy import withhold
from journeymine.maps.privacy_rounding import step_of
from journeymine.maps.questions import map_measures
from journeymine.maps.specification import Header, MapSpecification, Node
from journeymine.metrics.satisfaction_scale import scale_of

if TYPE_CHECKING:
    from journeymine.counting.measure import Measure
    from journeymine.journeys.predicate import Predicate

__all__ = ["answer_map", "compose", "measures_of", "started"]


def answer_map(
    journeys: Journeys, *, confidence: float = 0.95, only: Collection[str] = (), without: Collection[str] = ()
) -> dict[str, Result]:
    """Ask journeys in memory everything a map needs, or some of it by name."""
    asked = measures_of(journeys)
    return {
        name: answer(measure, journeys, confidence=confidence)
        for name, measure in asked.items()
        if (not only or name in only) and name not in without
    }


def measures_of(journeys: Journeys) -> dict[str, Measure]:
    """The measures of the map of these journeys."""
    return map_measures(journeys.coded.labels, scale=_scale(journeys))


def _scale(journeys: Journeys) -> Any:
    """The scale of the scores; None where there are none, or where the sources score on several."""
    if "satisfaction" not in journeys.coded.numbers or "stage" not in journeys.coded.labels:
        return None
    try:
        return scale_of(journeys.events)
    except QuestionError:
        return None


def compose(
    results: Mapping[str, Result],
    *,
    title: str = "Customer journey map",
    who: str = "All customers",
    scenario: str = "",
    currency: str = "",
    report: EventReport | None = None,
    min_group: int = 10,
    call: str = "",
    beside: Sequence[Mapping[str, Result]] = (),
    max_flows: int = MAX_FLOWS,
) -> MapSpecification:
    """Put finished results together into a map.

    Parameters
    ----------
    results : answers to `map_measures`, by its names; from any engine.
    title, who, scenario : what the header says.
    currency : of the values, as an ISO 4217 code.
    report : the state of the log, for the foot of the map.
    min_group : places, flows and examples that fewer users stand behind are left out.
    call : how the map was made, for its method section.
    beside : answers about other journeys that a reader can set this map against; see `privacy.withhold`.
    max_flows : most flows that the map carries.
    """
    for name, text in (("title", title), ("who", who), ("scenario", scenario), ("currency", currency)):
        if not isinstance(text, str):
            raise QuestionError(f"{name}={text!r} is no text", hint=f"{name}='…'")
    if report is not None and not isinstance(report, EventReport):
        raise QuestionError(f"report={report!r} is no report on a log", hint="report=read_events(…).report")
    if type(min_group) is not int or min_group < 0:
        raise QuestionError(
            f"min_group={min_group!r}", hint="give a whole number of users: 10, or 1 to show all there is"
        )
    times = _times(results)
    results = withhold(with_lanes(results), min_group, [with_lanes(other) for other in beside], max_flows=max_flows)
    basis, is_rounded = results["conversion"].basis, step_of(min_group) > 1
    node_frame, edges = results["nodes"].frame, results["flows"].frame
    columns = typical_columns(results["order"].frame) if "order" in results else {}
    channel_frame = results["channels"].frame if "channels" in results else None
    names = {node_id(row): row["touchpoint"] for row in node_frame.iter_rows(named=True)}
    drawn = _nodes(results, node_frame, edges, columns, names)
    shown, of_node = examples(results["paths"].frame, drawn, is_rounded=is_rounded) if "paths" in results else ((), {})
    lost_at = (basis.rules.lost_at.touchpoints() or ()) if basis.rules.lost_at is not None else ()
    drawn = {
        label: _with(node, examples=of_node.get(label, ()), is_lost_at=node.touchpoint in lost_at)
        for label, node in drawn.items()
    }
    header = _header(results, title, who, scenario, currency, _covered(times, drawn, step_of(min_group)))
    place_names = _stage_names(node_frame, columns, basis.stages)
    stage_frame = results["stages"].frame if "stages" in results else None
    last_stage = last_touchpoints(node_frame, ("stage",), stage_frame)
    ranked = ranking(results)
    ends = terminals(edges, drawn)
    ended = ended_by_definition(drawn, ends)
    places = by_definition(priced(_places(results, node_frame), ranked), ended)
    dwell = _dwell(results)
    goal_stage = next(iter(_stages_of(drawn, basis.rules.goal)), None)
    drawn_stages = stages(stage_frame, place_names, last_stage, goal_stage, header.n_mature or 0, dwell)
    known = {node.channel for node in drawn.values()}
    owners = {node.touchpoint: node.owner for node in drawn.values() if node.owner}
    lane_order = _lane_order(channel_frame, drawn, place_names)
    after = after_goal(place_names, goal_stage) if stage_frame is not None else set()
    converting = {node.channel for node in drawn.values() if node.stage not in after}
    pains = pain_points(_frame_of(results, "friction"), _frame_of(results, "handoffs"), owners, is_rounded=is_rounded)
    feelings = emotion(results.get("satisfaction"), place_names)
    there = {name for name in ("stage", "channel", "owner") if name in node_frame.columns}
    spec = MapSpecification(
        header=header,
        stages=drawn_stages,
        lanes=tuple(x for x in lanes(channel_frame, lane_order, converting) if x.name in known or channel_frame is None),
        nodes=tuple(drawn.values()),
        flows=flows(edges, drawn, place_names, max_flows),
        terminals=ends,
        drop_offs=tuple(p for p in places if p.channel in known and p.stage in place_names),
        emotion=feelings,
        pain_points=pains,
        opportunities=opportunities(ranked, place_names, known, is_rounded=is_rounded),
        moments_of_truth=moments_of_truth(_frame_of(results, "decisions"), is_rounded=is_rounded),
        summary=words.summary(header, drawn_stages, places, pains, closing(drawn_stages, ended)),
        unknowns=words.unknowns(header, report, _left_out(results), min_group, {node.touchpoint for node in drawn.values()}),
        examples=shown,
        quality=words.quality(report, min_group),
        method=words.method(basis, results["conversion"].confidence, call, min_group),
        hints=words.hints(there, has_goal=basis.rules.goal is not None, has_value=bool(currency) or _valued(results),
                          has_emotion=feelings is not None),
        stages_are="given" if "stages" in results else "typical_order",
    )  # fmt: skip
    return spec if basis.rules.goal is not None else _without_goal(spec)


def _without_goal(spec: MapSpecification) -> MapSpecification:
    """Without a goal nothing can convert, so nothing is said of conversion; and of losses only what `lost_at` tells."""
    return replace(
        spec,
        nodes=tuple(replace(node, converted=None) for node in spec.nodes),
        flows=tuple(replace(flow, converted=None) for flow in spec.flows),
        lanes=tuple(replace(lane, converted_later=None) for lane in spec.lanes),
        stages=tuple(
            replace(stage, converted_later=None)
            if stage.lost_here is None or stage.lost_here.value is not None or stage.n_lost_here
            else replace(stage, converted_later=None, lost_here=None, n_lost_here=None, came_back=None)
            for stage in spec.stages
        ),
    )


def _dwell(results: Mapping[str, Result]) -> dict[str, tuple[float | None, float | None]]:
    """Median and 90 % quantile of the time in each stage."""
    frame = _frame_of(results, "dwell")
    return {} if frame is None else {row["stage"]: (row["p50_s"], row["p90_s"]) for row in frame.iter_rows(named=True)}


def _frame_of(results: Mapping[str, Result], name: str) -> pl.DataFrame | None:
    return results[name].frame if name in results else None


def _nodes(
    results: Mapping[str, Result], frame: pl.DataFrame, edges: pl.DataFrame, columns: Mapping[str, str],
    names: Mapping[str, str],
) -> dict[str, Node]:  # fmt: skip
    weights = results["flows"].tables["nodes"]
    times = {row["label"]: row["n"] for row in weights.iter_rows(named=True)}
    drawn = nodes(
        frame, weights, columns, neighbours(edges, names, "before", times), neighbours(edges, names, "after", times), {}
    )
    kept = {node.id for node in drawn}
    return {
        node.id: _with(
            node,
            before=tuple(_linked(n, kept) for n in node.before),
            after=tuple(_linked(n, kept) for n in node.after),
        )
        for node in drawn
    }


def _linked(neighbour: Any, kept: set[str]) -> Any:
    return neighbour if neighbour.node in kept else _with(neighbour, node="")


def _with(value: Any, **changes: Any) -> Any:
    return replace(value, **changes)


def _header(
    results: Mapping[str, Result], title: str, who: str, scenario: str, currency: str, covered: float | None
) -> Header:  # fmt: skip
    result = results["conversion"]
    row = result.frame.row(0, named=True) if result.frame.height else dict.fromkeys(result.frame.columns)
    context, goal = result.basis.context, result.basis.rules.goal
    filtered = (Filtered(what="service journeys", n_journeys=row["service"]),) if row["service"] else ()
    return Header(
        title=title,
        who=who,
        scenario=scenario,
        goal=" or ".join(goal.touchpoints() or ("the goal",)) if goal is not None else "",
        period_start=iso(context.log_start),
        period_end=iso(context.observed_until),
        observed_until=iso(context.observed_until),
        n_users=row["n_users_all"],
        n_journeys=row["n_journeys"],
        covered=covered,
        converted=estimate(row, "share") if goal is not None else None,
        n_mature=row["n"],
        n_converted=row["converted"],
        n_lost=row["lost"],
        n_open=row["open"],
        currency=currency,
        confidence=result.confidence,
        filtered=filtered,
    )


def _times(results: Mapping[str, Result]) -> dict[str, int]:
    """How often each touchpoint is passed."""
    return dict(results["flows"].tables["nodes"].select("label", "n").iter_rows())


def _covered(times: Mapping[str, int], drawn: Collection[str], step: int) -> float | None:
    """Share of the steps that are at touchpoints which are drawn; of what is withheld, in round numbers only."""
    total = sum(times.values())
    if not total:
        return None
    missing = total - sum(times[label] for label in drawn)
    if missing and step > 1:
        told = max((missing + step // 2) // step, 1) * step
        return max(min(round(1 - told / total, 2), 0.99), 0.0)
    return 1 - missing / total


def started(header: Header, journeys: Journeys) -> Header:
    """The header with the days on which these journeys start, rather than those of the whole log."""
    start = journeys.heads.start
    return replace(header, period_start=iso(int(start.min()))[:10], period_end=iso(int(start.max()))[:10])


def iso(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stage_names(frame: pl.DataFrame, columns: Mapping[str, str], order: tuple[str, ...]) -> tuple[str, ...]:
    if "stage" not in frame.columns:
        return tuple(sorted(set(columns.values()), key=int))
    there = set(frame["stage"])
    return (*(name for name in order if name in there), *sorted(there - set(order)))


def _stages_of(drawn: Mapping[str, Node], ending: Predicate | None) -> tuple[str, ...]:
    """Stages of the touchpoints that the goal names."""
    named = (ending.touchpoints() or ()) if ending is not None else ()
    return tuple(dict.fromkeys(node.stage for node in drawn.values() if node.touchpoint in named))


def _places(results: Mapping[str, Result], node_frame: pl.DataFrame) -> Any:
    if "places" not in results:
        return ()
    frame = results["places"].frame
    owners: dict[tuple[str, str], str] = {}
    if "owner" in node_frame.columns:
        keys = [name for name in ("stage", "channel") if name in node_frame.columns]
        heaviest = node_frame.sort("lost_here", descending=True, nulls_last=True, maintain_order=True).unique(
            keys, keep="first", maintain_order=True
        )
        for row in heaviest.iter_rows(named=True):
            if row["owner"] != "(unknown)":
                owners[row.get("stage", ""), row.get("channel", SINGLE_CHANNEL)] = row["owner"]
    return drop_offs(frame, last_touchpoints(node_frame, ("stage", "channel"), frame), owners)


def _lane_order(frame: pl.DataFrame | None, drawn: Mapping[str, Node], place_names: tuple[str, ...]) -> list[str]:
    """Channels by the stage in which they mostly lie, then by size: flows then run from upper left to lower right."""
    if frame is None:
        return []
    rank = {name: i for i, name in enumerate(place_names)}
    weight: dict[str, list[float]] = {}
    for node in drawn.values():
        total = weight.setdefault(node.channel, [0.0, 0.0])
        total[0] += rank.get(node.stage, 0) * (node.n_journeys or 0)
        total[1] += node.n_journeys or 0
    return sorted(
        weight, key=lambda name: (round(weight[name][0] / max(weight[name][1], 1), 2), -weight[name][1], name)
    )


def _left_out(results: Mapping[str, Result]) -> int:
    frame = results["conversion"].frame
    return int(frame["left_truncated"].sum() or 0)


def _valued(results: Mapping[str, Result]) -> bool:
    return bool(results["conversion"].frame["value"].fill_null(0).sum())
