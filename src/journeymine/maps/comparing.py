"""`compare_maps`: two groups or periods side by side, differences marked only where they are significant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import polars as pl

from journeymine.errors import QuestionError
from journeymine.graph.transitions import Transitions, transitions
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.maps.comparison import FIGURES, Compared, Comparison
from journeymine.maps.compose import answer_map, compose, started
from journeymine.maps.evidence import Estimate, FigureRef, Sentence
from journeymine.maps.finding_tables import points_words
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.specification import MapSpecification, Zoom
from journeymine.maps.wording import legible, share
from journeymine.metrics.compare import compare
from journeymine.metrics.compare_periods import left_truncated_told, so_far_between
from journeymine.metrics.compare_sides import check_two_names
from journeymine.metrics.conversion import Conversion
from journeymine.metrics.drop_off import DropOff
from journeymine.percents import percent
from journeymine.stats.intervals import check_proportion

__all__ = ["compare_maps"]

MOST_FLOWS = 12
"""Flows whose use differs most surely; the others are not listed."""
_STILL_OPEN = " Loss is not compared: more journeys of one than of the other are still open, so that it would differ even if nothing changed."
"""Without numbers: so few may be open that they would be told of."""
_BEGUN_BEFORE = (
    " More journeys of one than of the other may have begun before the log: what they did there is missing, and figures may "
    "differ by that alone."
)
_OF_STAGES: dict[str, Literal["went_on", "converted_later", "lost"]] = {
    "went_on_share": "went_on",
    "converted_share": "converted_later",
    "lost_share": "lost",
}


def compare_maps(
    a: Journeys,
    b: Journeys,
    *,
    names: tuple[str, str] = ("a", "b"),
    title: str = "Two groups side by side",
    kind: Literal["segment", "period"] = "segment",
    min_group: int = 10,
    confidence: float = 0.95,
    fdr: float = 0.05,
) -> JourneyMap:
    """Draw the maps of two groups or periods side by side, and mark what surely differs between them.

    Parameters
    ----------
    a, b : journeys by the same rules, e.g. ``journeys.between(…)`` twice, or two segments. The same users may be in
        both.
    names : what to call the two, first `a`, then `b`.
    title : heading of the map.
    kind : what the two are: ``"segment"`` or ``"period"``.
    min_group : as in `journey_map`. What is withheld of one is withheld of both.
    confidence : level of the intervals.
    fdr : expected share of false ones among the differences that are marked, between 0 and 1.

    Returns
    -------
    JourneyMap : it shows `a`, has `b` as a zoom, and the comparison as a view of its own.

    Raises
    ------
    QuestionError : one of the two has no journeys, or their rules differ.

    Notes
    -----
    Differences are a − b. Intervals: Newcombe, with the correlation of the two replicate series. A difference is marked
    where its p-value, adjusted by Benjamini–Hochberg over all that was compared in the same way, is at most `fdr`.
    """
    check_journeys(a, b)
    check_two_names(names)
    check_proportion("fdr", fdr, hint="fdr=0.05 lets one difference in twenty be false")
    if not len(a) or not len(b):
        raise QuestionError("one of the two has no journeys", hint="widen the filter that chose them")
    if a.rules != b.rules:
        raise QuestionError("the two were built by different rules", hint="build both with the same JourneyRules")
    answers = [answer_map(each, confidence=confidence) for each in (a, b)]
    specs = [
        compose(own, title=title, who=name, currency=_currency(each), report=each.report, min_group=min_group, beside=[other],
                call=f"compare_maps(a, b, names={names!r}, kind={kind!r}, min_group={min_group}, confidence={confidence}, fdr={fdr})")
        for own, other, each, name in zip(answers, answers[::-1], (a, b), names, strict=True)
    ]  # fmt: skip
    rank = {stage.name: i for i, stage in enumerate(specs[0].stages)}
    places = [key for key in FIGURES if key != "used"]
    rows = tuple(
        sorted(
            _rows(a, b, specs[0], specs[1], fdr, confidence),
            key=lambda row: (
                bool(row.source),
                bool(row.channel),
                0 if row.source else places.index(row.figure),
                rank.get(row.stage, -1),
            ),
        )
    )
    comparison = Comparison(
        name_a=names[0],
        name_b=names[1],
        n_journeys_a=specs[0].header.n_journeys,
        n_journeys_b=specs[1].header.n_journeys,
        rows=rows,
        false_discovery=fdr,
        note=f"Differences are {legible(names[0])} minus {legible(names[1])}. In colour: significant after adjustment for everything compared "
        f"in the same way (false discovery rate {percent(fdr).removesuffix('.0')}\u00a0%). A difference is no proof of its cause."
        + (_STILL_OPEN if "lost_share" in so_far_between(DropOff(), (a, b)) else "")
        + (_BEGUN_BEFORE if left_truncated_told((a, b), names) else ""),
    )
    other = replace(specs[1], header=started(specs[1].header, b), quality=(), hints=())
    shown = replace(
        specs[0],
        header=replace(started(specs[0].header, a), who=f"{names[0]} against {names[1]}"),
        comparison=comparison,
        zooms=(Zoom(kind=kind, label=names[1], map=other),),
        summary=(*_sentences(comparison), *_only_of(specs[0], names[0])),
    )
    return JourneyMap(shown)


def _only_of(spec: MapSpecification, name: str) -> Iterator[Sentence]:
    """What is said of the first group alone, named so; its conversion is in the comparison already."""
    for sentence in spec.summary:
        if all(figure.ref != "header" for figure in sentence.figures):
            yield replace(sentence, text=f"In {name}: {sentence.text[:1].lower()}{sentence.text[1:]}")


def _currency(journeys: Journeys) -> str:
    return (journeys.events.currency if journeys.events is not None else None) or ""


def _rows(
    a: Journeys, b: Journeys, first: MapSpecification, second: MapSpecification, fdr: float, confidence: float
) -> Iterator[Compared]:
    """Everything that both maps show, compared."""
    has_goal = a.rules.goal is not None
    if has_goal and _known(first.header.converted) and _known(second.header.converted):
        yield from (_compared(row, "converted", fdr) for row in _differences(a, b, Conversion(), confidence, "share"))
    if "stage" in a.coded.labels:
        shown = {s.name: s for s in first.stages}, {s.name: s for s in second.stages}
        for row in _differences(a, b, DropOff(by="stage"), confidence, *_OF_STAGES):
            figure = _OF_STAGES[row["estimate"]]
            name = {"lost": "lost_here"}.get(figure, figure)
            if all(row["stage"] in side and _known(getattr(side[row["stage"]], name)) for side in shown):
                yield _compared(row, figure, fdr, stage=row["stage"])
    keys = tuple(name for name in ("stage", "channel") if name in a.coded.labels)
    if len(keys) == 2:
        places = [{(d.stage, d.channel) for d in spec.drop_offs if _known(d.lost)} for spec in (first, second)]
        for row in _differences(a, b, DropOff(by=keys), confidence, "lost_share"):
            if all((row["stage"], row["channel"]) in side for side in places):
                yield _compared(row, "lost", fdr, stage=row["stage"], channel=row["channel"])
    yield from _flows(a, b, first, second, fdr, confidence)


def _flows(
    a: Journeys, b: Journeys, first: MapSpecification, second: MapSpecification, fdr: float, confidence: float
) -> Iterator[Compared]:
    """Flows whose use differs for sure, the surest first."""
    grain = "channel:touchpoint" if "channel" in a.coded.labels else "touchpoint"
    names = [{node.id: node for node in spec.nodes} for spec in (first, second)]
    shown = [_told(spec, side, grain) for spec, side in ((first, a), (second, b))]
    rows = [
        row
        for row in _differences(a, b, Transitions(grain=grain), confidence, "n_journeys_share")
        if row["from"] is not None and row["to"] is not None and all((row["from"], row["to"]) in side for side in shown)
        and row["p_adjusted"] is not None and row["p_adjusted"] <= fdr
    ]  # fmt: skip
    rows.sort(key=lambda row: (-abs(row["difference"]), row["from"], row["to"]))
    for row in rows[:MOST_FLOWS]:
        yield _compared(row, "used", fdr, source=_name(names, row["from"]), target=_name(names, row["to"]))


def _told(spec: MapSpecification, journeys: Journeys, grain: str) -> set[tuple[str, str]]:
    """Flows of which the map tells how many mature journeys take them: their share would tell it of others, too.

    Without a goal it tells of no mature journeys; there it must be all that take the flow, if it tells of these.
    """
    told = [flow for flow in spec.flows if flow.n_journeys is not None]
    if journeys.rules.goal is not None:
        return {
            (flow.source, flow.target) for flow in told if flow.converted is not None and flow.converted.n is not None
        }
    edges = transitions(journeys, grain=grain).edges.filter(pl.col("mature") == pl.col("n_journeys"))
    return {(flow.source, flow.target) for flow in told} & set(edges.select("from", "to").rows())


def _name(names: list[dict[str, Any]], label: str) -> str:
    node = names[0][label]
    return " · ".join(part for part in (node.touchpoint, node.channel) if part)


def _differences(a: Journeys, b: Journeys, measure: Any, confidence: float, *columns: str) -> list[dict[str, Any]]:
    wanted = [column for column in columns if column not in so_far_between(measure, (a, b))]
    if not wanted:
        return []
    frame = compare(a, b, measure, columns=wanted, confidence=confidence).frame
    return frame.filter(pl.col("difference").is_not_null()).rows(named=True)


def _known(found: Estimate | None) -> bool:
    return found is not None and found.value is not None


def _compared(row: Mapping[str, Any], figure: Any, fdr: float, **where: str) -> Compared:
    p = row["p_adjusted"]
    return Compared(
        figure=figure,
        a=Estimate(value=row["a"]),
        b=Estimate(value=row["b"]),
        difference=Estimate(value=row["difference"], lower=row["difference_lower"], upper=row["difference_upper"],
                            reason=row["reason"] or ""),
        significant=p is not None and p <= fdr,
        p_adjusted=p,
        **where,
    )  # fmt: skip


def _sentences(comparison: Comparison) -> Iterator[Sentence]:
    """Whether they convert differently, and how much of what was compared differs."""
    figures = (FigureRef(label="side by side", ref="comparison"),)
    for row in comparison.rows[:1]:
        if row.figure == "converted":
            yield Sentence(text=share_words(row, comparison.name_a, comparison.name_b), figures=figures)
    sure = [row for row in comparison.rows if row.significant and row.stage]
    tested = sum(bool(row.stage) for row in comparison.rows)
    text = (
        f"{len(sure) or 'None'} of {tested} figures by stage and channel {'differs' if len(sure) == 1 else 'differ'} for sure."
        if tested
        else "Nothing else can be compared."
    )
    yield Sentence(text=text, figures=figures)


def share_words(row: Compared, name_a: str, name_b: str) -> str:
    """Say in a sentence how two shares differ, and only as surely as they do."""
    values = f"{share(row.a)} of mature journeys convert in {legible(name_a)}, {share(row.b)} in {legible(name_b)}"
    return (
        f"{values}: {points_words(row.difference)}." if row.significant else f"{values}; the difference may be chance."
    )
