"""What a map says in words: summary, unknowns, data quality, method, and what would fill its gaps."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from journeymine.counting.counts import Basis
from journeymine.maps.compose_findings import FALSE_DISCOVERY
from journeymine.maps.evidence import WITHHELD, Definition, Estimate, FigureRef, Hint, QualityRow, Sentence
from journeymine.maps.findings import DropOff, PainPoint
from journeymine.maps.privacy_rounding import step_of
from journeymine.maps.specification import Header, Method, Stage
from journeymine.maps.wording import date_range, legible, money, money_interval, plural, share, share_interval

if TYPE_CHECKING:
    from journeymine.events.report import EventReport

__all__ = ["hints", "method", "quality", "summary", "unknowns"]

_CLAIMS = (
    "Of frictions, hand-overs, moments of truth and what to mend, only those are named that stay sure after adjustment "
    f"for all that were asked about (Benjamini–Hochberg, false discovery rate {100 * FALSE_DISCOVERY:g}\u00a0%). The rate "
    "holds for each of these four kinds alone: of all four together, more may be chance."
)


def summary(
    header: Header,
    stages: Iterable[Stage],
    places: Iterable[DropOff],
    pains: Sequence[PainPoint] = (),
    closing: Collection[str] = (),
) -> tuple[Sentence, ...]:
    """Plain sentences, each with the figure behind it; none where the figures do not carry it.

    `closing` are the stages where most are lost at a touchpoint of `lost_at`: they leave there by definition.
    """
    said: list[Sentence] = []
    converted = header.converted
    if converted is not None and converted.value is not None:
        interval = f" ({share_interval(converted)})" if converted.has_interval else ""
        said.append(
            Sentence(
                text=f"{share(converted.value)} of mature journeys convert{interval}.",
                figures=(FigureRef(label="conversion", ref="header"),),
            )
        )
    said += _where_lost(header, stages, closing)
    dear = max((p for p in places if p.significant and _certain(p.value_at_stake)), key=_stake, default=None)
    if dear is not None and dear.value_at_stake is not None and dear.lost is not None and dear.lost.value is not None:
        stake = dear.value_at_stake
        where = " on ".join(legible(part) for part in (dear.stage, dear.channel) if part)
        why = ", most by definition (lost_at)" if dear.by_definition else ""
        said.append(
            Sentence(
                text=f"{where} loses {share(dear.lost.value)} of those who reach it{why}; were it as good as the best comparable place, "
                f"{money(stake.value, header.currency)} ({money_interval(stake, header.currency)}) more would be earned.",
                figures=(FigureRef(label="drop-off", ref=f"drop_off:{dear.stage}|{dear.channel}"),),
            )
        )
    for pain in pains[:1]:
        if pain.effect is not None and pain.effect.upper is not None and pain.effect.upper < 0:
            figure = FigureRef(label="pain point", ref=f"pain_point:{pain.rank}")
            said.append(Sentence(text=f"{pain.title}: {pain.evidence}.", figures=(figure,)))
    return tuple(said)


def _where_lost(header: Header, stages: Iterable[Stage], closing: Collection[str]) -> Iterator[Sentence]:
    """From which stage most lost journeys leave; if they are made to leave there, from which other one, too."""
    losing = [stage for stage in stages if stage.n_lost_here]
    known = sum(stage.n_lost_here or 0 for stage in losing)
    total = known if header.n_lost is None else header.n_lost
    # Where the losses of some stage are not known, they must be too few to be the most.
    surely = [stage for stage in losing if (stage.n_lost_here or 0) > total - known]
    worst = max(losing, key=lambda stage: stage.n_lost_here or 0, default=None)
    if worst is None or worst not in surely:
        return
    named, n = [worst], worst.n_lost_here or 0
    why, more = "", ""
    if worst.name in closing:
        why = ", where most are lost by definition (lost_at)"
        others = (stage for stage in surely if stage.name not in closing)
        other = max(others, key=lambda stage: stage.n_lost_here or 0, default=None)
        if other is not None:
            named.append(other)
            more = f" Of the stages where that is not so, none loses more than {legible(other.name)}: {other.n_lost_here:,}."
    yield Sentence(
        text=f"{_most(n, total)} {legible(worst.name)}{why}: {n:,} of {total:,}.{more}",
        figures=tuple(FigureRef(label="stage", ref=f"stage:{stage.name}") for stage in named),
    )


def _most(n: int, total: int) -> str:
    return "Most lost journeys leave from" if 2 * n > total else "No stage loses more journeys than"


def _certain(found: Estimate | None) -> bool:
    return found is not None and found.lower is not None and found.lower > 0


def _stake(place: DropOff) -> float:
    return (place.value_at_stake.value if place.value_at_stake is not None else None) or 0.0


def unknowns(
    header: Header, report: EventReport | None, left_out: int, min_group: int = 1, drawn: Collection[str] = ()
) -> tuple[Sentence, ...]:
    """What is not known yet, in sentences; touchpoints are named only if they are `drawn`."""
    said: list[Sentence] = []
    if header.n_journeys is not None and header.n_mature is not None and header.n_journeys > header.n_mature:
        young = header.n_journeys - header.n_mature - sum(aside.n_journeys or 0 for aside in header.filtered)
        if young > 0:
            them = "it" if young == 1 else "them"
            said.append(
                Sentence(text=f"{plural(young, 'journey')} began too recently to be judged; shares leave {them} out.")
            )
    if header.converted is None or header.converted.value is None:
        reason = header.converted.reason if header.converted is not None else "no goal was named"
        why = f"is {WITHHELD}" if reason == WITHHELD else f"is not known: {reason}"
        said.append(Sentence(text=f"The conversion {why}."))
    if left_out:
        step = step_of(min_group)
        said.append(
            Sentence(text=_truncated(left_out if step == 1 else max((left_out + step // 2) // step, 1) * step, step))
        )
    if report is not None and report.null_channels:
        n = plural(report.null_channels, "event") if report.null_channels >= min_group else "A few events"
        said.append(
            Sentence(
                text=f"{n} {'has' if report.null_channels == 1 and min_group <= 1 else 'have'} no channel.",
                figures=(FigureRef(label="data quality", ref="quality"),),
            )
        )
    if report is not None and report.unmapped_touchpoints:
        named = [legible(name) for name in report.unmapped_touchpoints if name in drawn][:3]
        unmapped = len(report.unmapped_touchpoints)
        listed = f"{', among them ' if len(named) < unmapped else ': '}{', '.join(named)}" if named else ""
        said.append(
            Sentence(text=f"{plural(unmapped, 'touchpoint')} {'has' if unmapped == 1 else 'have'} no stage{listed}.")
        )
    return tuple(said)


def _truncated(n: int, step: int) -> str:
    begin, whose = ("begins", "its") if n == 1 else ("begin", "their")
    return f"{'About ' if step > 1 else ''}{plural(n, 'journey')} {begin} so early in the log that {whose} first steps may be missing."


def quality(report: EventReport | None, min_group: int = 1) -> tuple[QualityRow, ...]:
    """The data-quality report as rows."""
    if report is None:
        return ()
    read = max(report.rows_read, 1)
    rows = [QualityRow(what="rows read", n=report.rows_read)]
    aside = _together(report.quarantined_by_reason, min_group)
    if not 0 < sum(aside.values()) < min_group:
        rows.append(QualityRow(what="accepted", n=report.accepted, share=report.accepted / read))
        rows += [
            QualityRow(what=f"set aside: {why}", n=n, share=n / read, level="watch" if n / read > 0.01 else "info")
            for why, n in aside.items()
        ]
    else:
        rows.append(QualityRow(what="set aside", note=f"fewer than {min_group}"))
    noticed: tuple[tuple[str, int, Literal["info", "watch"]], ...] = (
        ("without a channel", report.null_channels, "watch"),
        ("ties inside a user", report.in_user_ties, "info"),
        ("rows out of order", report.out_of_order, "info"),
        ("anonymous ids given to their user", report.anonymous_ids_filled, "info"),
        ("anonymous ids of several users, kept apart", report.anonymous_ids_ambiguous, "watch"),
        ("users known by an anonymous id only", report.n_anonymous_users, "info"),
        ("touchpoints without a stage", len(report.unmapped_touchpoints), "watch"),
    )
    rows += [
        QualityRow(what=what, note=f"fewer than {min_group}", level=level)
        if n < min_group and what != "touchpoints without a stage"
        else QualityRow(what=what, n=n, level=level)
        for what, n, level in noticed
        if n
    ]
    rows += [
        QualityRow(what=f"source {_source(s.name)}", n=s.rows_read, note=_span(s.first, s.last)) for s in report.sources
    ]
    return tuple(rows)


def _together(by_reason: Mapping[str, int], min_group: int) -> dict[str, int]:
    """Reasons with their rows; those of fewer rows than `min_group` are told as one, with the next if they still are so few."""
    ranked = sorted(by_reason.items(), key=lambda item: (item[1], item[0]))
    few, n = 0, 0
    while few < len(ranked) and (ranked[few][1] < min_group or 0 < n < min_group):
        n += ranked[few][1]
        few += 1
    if few <= 1:
        return dict(by_reason)
    told = {why for why, _ in ranked[few:]}
    return {why: rows for why, rows in by_reason.items() if why in told} | {f"{few} rare reasons": n}


def _span(first: object, last: object) -> str:
    """The days between which a source has events."""
    return date_range(str(first)[:10], str(last)[:10]) if first and last else ""


def _source(name: str) -> str:
    """Name of a source without the folders it lies in: a shared map says nothing of the machine that made it."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def method(basis: Basis, confidence: float, call: str, min_group: int = 1) -> Method:
    """What each word means, which versions counted, and the call."""
    rules = basis.rules
    claims = f" {_CLAIMS}" if rules.goal is not None else ""
    definitions = (
        Definition(term="journey", text=f"a run of one user's steps; cut {_cut(basis)}"),
        Definition(term="converted", text="holds the goal" if rules.goal is not None else "no goal was named"),
        *_ends(basis),
        Definition(
            term="mature", text=f"started at least {rules.mature_after} before the log ends; shares are over these"
        ),
        Definition(term="went on", text="a later step in a higher stage"),
        Definition(term="lost here", text="lost, with the last step by the user in this place"),
        Definition(
            term="at stake",
            text="lost here × (conversion of the best comparable place − own) × mean value of those who convert from here",
        ),
    )
    versions = tuple(
        Definition(term=name, text=importlib.metadata.version(name)) for name in ("journeymine", "polars", "numpy")
    )
    return Method(
        definitions=definitions,
        intervals=f"{confidence * 100:g}\u00a0% intervals, clustered by user through 64 folds: Wilson for shares, the jackknife for "
        f"amounts, Woodruff for quantiles.{claims}",
        exclusions=(
            "Service journeys (after-sale only, by earlier buyers) are outside conversion and drop-off.",
            *_withheld(min_group),
        ),
        versions=versions,
        call=call,
    )


def _ends(basis: Basis) -> Iterator[Definition]:
    rules = basis.rules
    silence = f"a later journey, or {rules.idle} of silence"
    if rules.goal is not None:
        closed = f"a lost_at touchpoint, {silence}" if rules.lost_at is not None else silence
        yield Definition(term="lost", text=f"no goal, and closed by {closed}")
        yield Definition(term="open", text="none of these yet: neither converted nor dropped off")
        return
    if rules.lost_at is not None:
        yield Definition(term="lost", text="closed by a lost_at touchpoint")
    yield Definition(term="ended", text=f"closed by {silence}")
    yield Definition(term="open", text="not closed yet")


def _withheld(min_group: int) -> tuple[str, ...]:
    if min_group <= 1:
        return ()
    text = (
        f"Nothing is shown that fewer than {min_group} users stand behind, nor what would give it away. Findings, "
        f"scores and example paths are told in round numbers (counts to {step_of(min_group)}), so that nothing can be "
        "had by subtraction."
    )
    return (text,)


def _cut(basis: Basis) -> str:
    rules = basis.rules
    if rules.split is not None:
        return f"by {rules.split}"
    return f"at a silence of more than {rules.idle}" + (" and after the goal" if rules.goal is not None else "")


def hints(columns: Iterable[str], *, has_goal: bool, has_value: bool, has_emotion: bool) -> tuple[Hint, ...]:
    """One line for each row that the data cannot fill: what would fill it."""
    there = set(columns)
    wanted = (
        ("stages", "stage" in there, "map touchpoints to stages (stages=) to get the phases of the journey as columns"),
        ("channels", "channel" in there, "name a channel column (channel=) to get swim lanes"),
        ("conversion", has_goal, "name the goal (goal=) to see who converts and who is lost"),
        ("value", has_value, "name a value column (value=) to price what is lost"),
        ("emotion", has_emotion, "name a satisfaction column (satisfaction=) to draw how customers feel"),
        ("owners", "owner" in there, "name owners of touchpoints ([[touchpoints]] owner=) to see who can mend what"),
    )
    return tuple(Hint(row=row, text=text) for row, filled, text in wanted if not filled)
