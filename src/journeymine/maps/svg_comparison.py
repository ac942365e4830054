"""Draw two groups side by side: on each line a full dot for the one, a ring for the other, coloured where they surely differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from journeymine.maps.comparison import FIGURES
from journeymine.maps.finding_tables import points_words
from journeymine.maps.markup import Svg, element, group, join, label, number, title
from journeymine.maps.text_metrics import fit, wrap
from journeymine.maps.text_metrics import width as text_width
from journeymine.maps.wording import legible, share

if TYPE_CHECKING:
    from journeymine.maps.comparison import Compared, Comparison
    from journeymine.maps.specification import MapSpecification

__all__ = ["draw_comparison", "side_by_side"]

_LEFT, _GAP, _CELL = 148.0, 28.0, 58.0
WIDTH = 1376.0
_ROWS = ("went_on", "converted_later", "lost")


def draw_comparison(spec: MapSpecification, comparison: Comparison) -> Svg:
    """Draw the comparison for the page."""
    body, height = side_by_side(spec, comparison)
    return element(
        "svg",
        body,
        class_="jm comparison",
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        width=WIDTH,
        height=height,
        role="img",
        aria_label=f"{legible(comparison.name_a)} against {legible(comparison.name_b)}; the table has every figure",
    )


def side_by_side(spec: MapSpecification, comparison: Comparison) -> tuple[Svg, float]:
    """Draw legend, conversion, stages, stage × channel and flows below each other; return markup and height."""
    stages = [stage.name for stage in spec.stages]
    width = (WIDTH - _LEFT) / max(len(stages), 1) - _GAP
    at = {name: _LEFT + i * (width + _GAP) for i, name in enumerate(stages)}
    parts, y = [_legend(comparison)], 44.0
    overall = [row for row in comparison.rows if row.figure == "converted"]
    if overall:
        parts.append(_line("Convert, all", overall, {"": _LEFT}, 360.0, y))
        y += _CELL + 10
    staged = [row for row in comparison.rows if row.stage]
    if staged:
        parts.append(
            join(*(label(at[name], y + 14, fit(legible(name), 13, width, bold=True), "t13") for name in stages))
        )
        y += 24
    for figure in _ROWS:
        rows = [row for row in staged if row.figure == figure and not row.channel]
        if rows:
            parts.append(_line(FIGURES[figure], rows, at, width, y))
            y += _CELL
    for lane in spec.lanes:
        rows = [row for row in staged if row.channel == lane.name]
        if lane.name and rows:
            parts.append(_line(f"Lost on {legible(lane.name)}", rows, at, width, y))
            y += _CELL
    flows = [row for row in comparison.rows if row.source]
    if flows:
        parts.append(label(0, y + 22, "Ways that surely more, or fewer, journeys take", "t13"))
        y += 34
        parts.append(_flows(flows, y))
        y += 30 * len(flows)
    return join(*parts), y + 12


def _legend(comparison: Comparison) -> Svg:
    a, b = fit(legible(comparison.name_a), 13, 300, bold=True), fit(legible(comparison.name_b), 13, 300, bold=True)
    x = 40 + len(a) * 8.2
    return group(
        element("circle", cx=6, cy=14, r=4.5, class_="dot-a"),
        label(17, 18.5, a, "t13"),
        element("circle", cx=x, cy=14, r=4.2, class_="dot-b"),
        label(x + 11, 18.5, b, "t13"),
        label(x + 36 + len(b) * 8.2, 18.5, "in colour: surely better or worse; grey: may be chance", "quiet"),
    )


def _line(name: str, rows: list[Compared], at: dict[str, float], width: float, y: float) -> Svg:
    most = _round_up(rows)
    heading = [
        label(0, y + 18 + 13 * i, text, "row") for i, text in enumerate(wrap(name, 11, _LEFT - 22, lines=2, bold=True))
    ]
    rule = element("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="rule")
    cells = []
    for row in rows:
        x = at[row.stage]
        values = f"{share(row.a)}  ·  {share(row.b)}"
        words = points_words(row.difference)
        said = words if row.significant else f"{words}, may be chance"
        cells.append(group(
            title(f"{name}: {values}; {said}"),
            label(x, y + 17, fit(values, 12, width), "t12"),
            _dumbbell(row, x, y + 30, width, most),
            label(x, y + 49, said if text_width(said, 10.5) <= width else fit(words, 10.5, width), _tone(row) or "quiet"),
        ))  # fmt: skip
    return join(rule, *heading, *cells)


def _flows(rows: list[Compared], y: float) -> Svg:
    most, room = _round_up(rows), 420.0
    lines = []
    for i, row in enumerate(rows):
        top = y + 30 * i
        name = f"{legible(row.source)} → {legible(row.target)}"
        lines.append(group(
            title(name),
            label(0, top + 14, fit(name, 12, 500), "t12"),
            _dumbbell(row, 520, top + 10, room, most),
            label(520 + room + 24, top + 14, f"{share(row.a)}  ·  {share(row.b)}   {points_words(row.difference)}", "quiet"),
        ))  # fmt: skip
    return join(*lines)


def _dumbbell(row: Compared, x: float, y: float, width: float, most: float) -> Svg:
    a, b = (x + width * min((mark.value or 0.0) / most, 1.0) for mark in (row.a, row.b))
    tone = _tone(row)
    return group(
        element("rect", x=x, y=y - 1, width=width, height=2, rx=1, class_="track"),
        element("line", x1=a, x2=b, y1=y, y2=y, class_=f"apart {tone}".strip()),
        element("circle", cx=b, cy=y, r=4.2, class_=f"dot-b {tone}".strip()),
        element("circle", cx=a, cy=y, r=4.5, class_=f"dot-a {tone}".strip()),
    )


def _tone(row: Compared) -> str:
    """``good`` or ``bad`` for the first group, where it is sure and where more is better or worse."""
    if not row.significant or row.difference.value is None:
        return ""
    if row.figure == "used":
        return "sure"
    return "good" if (row.difference.value > 0) == (row.figure != "lost") else "bad"


def _round_up(rows: Iterable[Compared]) -> float:
    top = max((mark.value or 0.0 for row in rows for mark in (row.a, row.b)), default=0.0)
    return min(1.0, max(0.05, math.ceil(top * 10 + 0.5) / 10))
