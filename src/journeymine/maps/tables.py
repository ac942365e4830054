"""The figures of a map as tables of words: what a screen reader reads, what Markdown prints, what stands behind a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from journeymine.maps.first_screen import of_first
from journeymine.maps.wording import (
    count,
    duration,
    interval,
    legible,
    money,
    money_interval,
    plural,
    score,
    share,
    share_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from journeymine.maps.evidence import Estimate
    from journeymine.maps.specification import MapSpecification

__all__ = ["MAX_ROWS", "Table", "column_of", "first_rows", "left_out", "map_tables", "quality_table", "table_of"]

MAX_ROWS = 400


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words: `columns` are (name, is a number).

    `anchors` name rows that sentences point at, `marks` say which rows to look at.
    """

    key: str
    title: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    anchors: tuple[str, ...] = ()
    n_left_out: int = 0
    marks: tuple[str, ...] = ()


def table_of(key: str, title: str, columns: str, rows: Iterable[tuple[str, ...]], anchors: Iterable[str] = ()) -> Table:
    """Build a table; in `columns`, names are separated by ``|`` and numbers begin with ``#``. Empty columns go."""
    names = columns.split("|")
    every = [tuple(row) for row in rows]
    used = [i for i in range(len(names)) if i == 0 or any(row[i] not in ("", "–") for row in every)]
    shown = every[:MAX_ROWS]
    return Table(
        key,
        title,
        tuple((names[i].lstrip("#"), names[i].startswith("#")) for i in used),
        tuple(tuple(row[i] for i in used) for row in shown),
        tuple(anchors)[:MAX_ROWS],
        len(every) - len(shown),
    )


def column_of(spec: MapSpecification, stage: str = "") -> tuple[str, str]:
    """What a column of the picture is, and its name; a column that holds everything has none."""
    if spec.stages_are == "given":
        return "Stage", legible(stage)
    return "Usual order", legible(stage) if len(spec.stages) > 1 else ""


def first_rows(table: Table, n: int) -> Table:
    """Return the table with its first `n` rows; the others are counted."""
    more = max(len(table.rows) - n, 0)
    return replace(table, rows=table.rows[:n], anchors=table.anchors[:n], n_left_out=table.n_left_out + more)


def left_out(table: Table) -> str:
    """Say how many rows of a table are not there."""
    n = table.n_left_out
    return f"{plural(n, 'more row')} {'is' if n == 1 else 'are'} in the JSON form of this map."


def _with_interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    detail = share_interval(estimate)
    words = (detail, "few cases" if estimate.sparse and estimate.value is not None else "")
    said = ", ".join(word for word in words if word)
    return share(estimate) + (f" ({said})" if said else "")


def map_tables(spec: MapSpecification) -> tuple[Table, ...]:
    """Build the tables behind the picture; a table without rows is left out."""
    tables = (_stages(spec), _drop_offs(spec), _channels(spec), _touchpoints(spec), _flows(spec), _emotion(spec))
    return tuple(replace(table, title=of_first(spec, table.title)) for table in tables if table.rows)


def _stages(spec: MapSpecification) -> Table:
    # columns in the usual order are numbers that stand for nothing but themselves
    stages = spec.stages if spec.stages_are == "given" else ()
    return table_of(
        "stages",
        "Stages",
        "Stage|#Journeys|#Go on|#Convert later|#Lost here|#Share lost|#Open here|#Came back|#Median time|#9 in 10 within",
        (
            (
                legible(s.name),
                count(s.n_reached),
                _with_interval(s.went_on),
                _with_interval(s.converted_later),
                count(s.n_lost_here),
                _with_interval(s.lost_here),
                count(s.n_open_here),
                _with_interval(s.came_back),
                duration(s.dwell_p50_s),
                duration(s.dwell_p90_s),
            )
            for s in stages
        ),
        (f"stage:{s.name}" for s in stages),
    )


def _drop_offs(spec: MapSpecification) -> Table:
    drops = sorted(
        spec.drop_offs, key=lambda d: (-((d.value_at_stake.value if d.value_at_stake else 0) or 0), -(d.n_lost or 0))
    )
    currency = spec.header.currency
    return table_of(
        "drop-offs",
        "Drop-off by stage and channel",
        "Stage|Channel|#Came here|#Lost here|#Share lost|#Came back|Last touchpoint|#Value at stake|#Interval|Owner",
        (
            (
                legible(d.stage),
                legible(d.channel),
                count(d.n_reached),
                count(d.n_lost),
                _with_interval(d.lost),
                _with_interval(d.came_back),
                "; ".join(f"{legible(last.label)} ({count(last.n)})" for last in d.last_touchpoints[:3]),
                money(d.value_at_stake, currency) if d.value_at_stake else "",
                money_interval(d.value_at_stake, currency),
                legible(d.owner),
            )
            for d in drops
        ),
        (f"drop_off:{d.stage}|{d.channel}" for d in drops),
    )


def _channels(spec: MapSpecification) -> Table:
    return table_of(
        "channels",
        "Channels",
        "Channel|#Journeys|#Convert later",
        (
            (legible(lane.name), count(lane.n_journeys), _with_interval(lane.converted_later))
            for lane in spec.lanes
            if lane.name
        ),
        (f"channel:{lane.name}" for lane in spec.lanes if lane.name),
    )


def _touchpoints(spec: MapSpecification) -> Table:
    nodes = sorted(spec.nodes, key=lambda node: (-(node.n_journeys or 0), node.id))
    starts = {t.node: t.n_journeys for t in spec.terminals if t.status == "start"}
    lost = {t.node: t.n_journeys for t in spec.terminals if t.status == "lost"}
    return table_of(
        "touchpoints",
        "Touchpoints",
        f"Touchpoint|Channel|{column_of(spec, '')[0]}|#Journeys|#Times|#Convert|#Begin here|#Lost here|Owner|Kind",
        (
            (
                legible(n.touchpoint),
                legible(n.channel),
                column_of(spec, n.stage)[1],
                count(n.n_journeys),
                count(n.n),
                _with_interval(n.converted),
                count(starts.get(n.id)),
                count(lost.get(n.id)),
                legible(n.owner),
                ", ".join(
                    part
                    for part in (
                        legible(n.kind),
                        "by the company" if n.by_company else "",
                        "loses by definition (lost_at)" if n.is_lost_at else "",
                    )
                    if part
                ),
            )
            for n in nodes
        ),
        (f"node:{node.id}" for node in nodes),
    )


def _flows(spec: MapSpecification) -> Table:
    names = {
        node.id: " · ".join(legible(part) for part in (node.touchpoint, node.channel) if part) for node in spec.nodes
    }
    flows = sorted(spec.flows, key=lambda f: (-f.weight, -f.n, f.source, f.target))
    return table_of(
        "flows",
        "Flows",
        "From|To|#Journeys|#Times|#Median time|#9 in 10 within|#Convert|Kind",
        (
            (
                names[f.source],
                names[f.target],
                count(f.n_journeys),
                count(f.n),
                duration(f.p50_s),
                duration(f.p90_s),
                _with_interval(f.converted),
                "repeats"
                if f.source == f.target
                else ", ".join(
                    word for word, is_it in (("back-step", f.is_back), ("hand-over", f.is_handover)) if is_it
                ),
            )
            for f in flows
        ),
    )


def _emotion(spec: MapSpecification) -> Table:
    points = spec.emotion.points if spec.emotion else ()
    return table_of(
        "emotion",
        legible(spec.emotion.label) if spec.emotion else "",
        "Stage|Touchpoint|#Score|#Interval|#Answered|#Asked",
        (
            (
                legible(p.stage),
                legible(p.touchpoint),
                score(p.score),
                interval(p.score),
                count(p.n_answered),
                count(p.n_asked),
            )
            for p in points
        ),
    )


def quality_table(spec: MapSpecification) -> Table:
    """Build the data-quality report; what a reader should look at is marked."""
    table = table_of(
        "quality",
        "Data quality",
        "What|#Rows|#Share|Note",
        (
            (legible(row.what), count(row.n), share(row.share) if row.share is not None else "", legible(row.note))
            for row in spec.quality
        ),
    )
    return replace(table, marks=tuple("" if row.level == "info" else row.level for row in spec.quality[:MAX_ROWS]))
