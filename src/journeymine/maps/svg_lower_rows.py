"""Draw the rows below the lanes: where journeys are lost, how people feel, and what somebody wrote by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from journeymine.maps.evidence import WITHHELD
from journeymine.maps.markup import Svg, element, group, join, label, number, title
from journeymine.maps.svg_rows import Row, row_label, whisker
from journeymine.maps.text_metrics import fit, wrap
from journeymine.maps.wording import (
    UNKNOWN_FIGURE,
    count,
    duration,
    interval,
    legible,
    plural,
    score,
    share,
    share_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeymine.maps.findings import Emotion, EmotionPoint, WrittenRow
    from journeymine.maps.layout import Column, MapLayout
    from journeymine.maps.specification import MapSpecification, Stage

__all__ = ["lower_rows"]

_PLOT = 84.0
_Height: TypeAlias = "Callable[[float | None], float]"


def lower_rows(spec: MapSpecification, layout: MapLayout) -> list[Row]:
    """Draw the rows below the lanes; a row that the map has nothing for is not drawn."""
    pairs = list(zip(spec.stages, layout.columns, strict=True))
    rows = []
    if any(stage.n_lost_here is not None for stage in spec.stages):
        rows.append(_lost(pairs))
    if spec.emotion is not None and spec.emotion.points:
        rows.append(_emotion(spec.emotion, layout))
    rows.extend(_written(row, layout) for row in spec.written_rows if row.cells)
    return rows


def _lost(pairs: list[tuple[Stage, Column]]) -> Row:
    parts, lowest = [], 60.0
    for stage, column in pairs:
        x, room = column.x + 2, column.width - 4
        if stage.n_lost_here is None:
            if stage.lost_here is not None and stage.lost_here.reason:
                # Withheld because a few were lost here, or because it would give away a few elsewhere.
                parts.append(label(x, 20, UNKNOWN_FIGURE, "t18 quiet"))
                parts.append(label(x, 36, fit(WITHHELD, 11, room), "quiet"))
            continue
        parts.append(label(x, 20, count(stage.n_lost_here), "t18 bad" if stage.n_lost_here else "t18 quiet"))
        y = 36.0
        if stage.lost_here is not None and stage.lost_here.value is not None:
            text = f"{share(stage.lost_here)} of those here"
            detail = share_interval(stage.lost_here)
            parts.append(group(title(detail), label(x, y, fit(text, 11, room), "t11")))
            parts.append(whisker(x, y + 12, room, stage.lost_here, tone="bad"))
            y += 30
        if stage.came_back is not None and stage.came_back.value is not None:
            after = f", after {duration(stage.came_back_p50_s)}" if stage.came_back_p50_s is not None else ""
            parts.append(label(x, y, fit(f"{share(stage.came_back)} came back{after}", 11, room), "quiet"))
            y += 15
        for i, neighbour in enumerate(stage.last_touchpoints[:2]):
            said = ("Last: " if i == 0 else "") + legible(neighbour.label)
            tail = f" {share(neighbour.share)}" if neighbour.share is not None else f" {count(neighbour.n)}"
            parts.append(
                group(
                    title(f"{neighbour.label}: {count(neighbour.n)}"),
                    label(x, y, fit(said, 11, room - 44) + tail, "quiet"),
                )
            )
            y += 15
        lowest = max(lowest, y)
    return Row("lost", lowest + 4, join(*parts), row_label("Lost in the stage"))


def _emotion(emotion: Emotion, layout: MapLayout) -> Row:
    """Draw scores as points with their intervals; where a stage has no answer the line is broken."""
    span = (emotion.scale_max - emotion.scale_min) or 1.0
    top = 22.0

    def height(value: float | None) -> float:
        inside = min(max(value or 0.0, emotion.scale_min), emotion.scale_max)
        return top + _PLOT * (emotion.scale_max - inside) / span

    right = layout.columns[-1].x + layout.columns[-1].width
    scale = wrap(legible(emotion.label), 11, 100, lines=3)
    name = join(row_label("How people feel"), *(label(0, 46 + 13 * i, line, "quiet") for i, line in enumerate(scale)))
    parts: list[Svg] = []
    middle = (emotion.scale_max + emotion.scale_min) / 2
    for value, kind in ((emotion.scale_max, "rule"), (middle, "axis"), (emotion.scale_min, "rule")):
        y = height(value)
        parts.append(element("line", x1=layout.columns[0].x - 8, x2=right, y1=y, y2=y, class_=kind))
        parts.append(label(layout.columns[0].x - 13, y + 4, _scale_mark(value, emotion), "quiet t9", anchor="end"))
    by_stage = {point.stage: point for point in emotion.points if not point.touchpoint}
    known = [
        (column, by_stage[column.name])
        for column in layout.columns
        if column.name in by_stage and by_stage[column.name].score.value is not None
    ]
    parts.extend(_line(known, height))
    parts.extend(_minor_points(emotion, layout, height))
    parts.extend(_point(column, by_stage.get(column.name), emotion, height) for column in layout.columns)
    return Row("emotion", top + _PLOT + 34, join(*parts), name)


def _scale_mark(value: float, emotion: Emotion) -> str:
    return score(value).replace(".0", "") if emotion.scale_min < 0 else f"{value:g}"


def _line(known: list[tuple[Column, EmotionPoint]], height: _Height) -> list[Svg]:
    """Join neighbouring stages; over a stage where nobody answered there is no line."""
    parts: list[Svg] = []
    for (column, point), (ahead, later) in pairwise(known):
        if ahead.index != column.index + 1:
            continue
        x, to_x = column.x + column.width / 2, ahead.x + ahead.width / 2
        y, to_y = height(point.score.value), height(later.score.value)
        middle = (x + to_x) / 2
        d = f"M{number(x)} {number(y)}C{number(middle)} {number(y)} {number(middle)} {number(to_y)} {number(to_x)} {number(to_y)}"
        parts.append(element("path", d=d, class_="curve"))
    return parts


def _minor_points(emotion: Emotion, layout: MapLayout, height: _Height) -> list[Svg]:
    """Set the touchpoints' own scores as small dots across their stage."""
    parts: list[Svg] = []
    for column in layout.columns:
        points = [p for p in emotion.points if p.stage == column.name and p.touchpoint and p.score.value is not None]
        for i, point in enumerate(points[:12]):
            x = column.x + 6 + (column.width - 12) * (i + 0.5) / min(len(points), 12)
            note = f"{legible(point.touchpoint)}: {score(point.score)} ({interval(point.score)}), {count(point.n_answered)} answered"
            parts.append(
                group(title(note), element("circle", cx=x, cy=height(point.score.value), r=2.4, class_="minor"))
            )
    return parts


def _point(column: Column, point: EmotionPoint | None, emotion: Emotion, height: _Height) -> Svg:
    x, below = column.x + column.width / 2, 22.0 + _PLOT + 16
    if point is None or point.score.value is None:
        reason = (point.score.reason if point else "") or "nobody answered"
        return label(x, below, fit(legible(reason), 10.5, column.width), "quiet", anchor="middle")
    mark, parts = point.score, []
    y = height(mark.value)
    if mark.lower is not None and mark.upper is not None:
        parts.append(element("line", x1=x, x2=x, y1=height(mark.upper), y2=height(mark.lower), class_="whisker"))
    # Below the middle for sure: half of all means around it are below by chance.
    low = mark.upper is not None and mark.upper < (emotion.scale_max + emotion.scale_min) / 2
    parts.append(element("circle", cx=x, cy=y, r=4.2, class_="point low" if low else "point"))
    text = score(mark) if emotion.scale_min < 0 else f"{mark.value:.1f}"
    parts.append(label(x, y - 10 if y > 40 else y + 20, text, "t13 bad" if low else "t13", anchor="middle"))
    asked = (
        f"{count(point.n_answered)} of {count(point.n_asked)} answered"
        if point.n_asked
        else plural(point.n_answered, "answer")
    )
    parts.append(label(x, below, fit(asked, 10.5, column.width), "quiet", anchor="middle"))
    return group(title(f"{legible(point.stage)}: {text} ({interval(mark)}), {asked}"), *parts)


def _written(row: WrittenRow, layout: MapLayout) -> Row:
    cells = {cell.stage: cell.text for cell in row.cells}
    name = join(row_label(legible(row.title)), label(0, 46, "by hand, not mined", "quiet t9"))
    parts: list[Svg] = []
    most = 1
    for column in layout.columns:
        lines = wrap(legible(cells.get(column.name, "")), 11, column.width + layout.gutter * 0.5, lines=4)
        most = max(most, len(lines))
        parts.extend(label(column.x + 2, 18 + 15 * i, line, "by-hand") for i, line in enumerate(lines))
    return Row(f"written {row.title}", max(52.0, 18 + 15 * most), join(*parts), name)
