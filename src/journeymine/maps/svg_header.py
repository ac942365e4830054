"""Draw the header of the stand-alone drawing: title, whose and when, key figures, and the summary in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeymine.maps.first_screen import KeyFigure, key_figures, meta_line
from journeymine.maps.markup import Svg, element, join, label
from journeymine.maps.svg_rows import Row, whisker
from journeymine.maps.text_metrics import fit, wrap
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from journeymine.maps.evidence import Sentence
    from journeymine.maps.specification import MapSpecification

__all__ = ["header_rows"]


def header_rows(spec: MapSpecification, width: float) -> list[Row]:
    """Draw the rows above the map itself, `width` px wide."""
    rows = [_title(spec, width)]
    figures = key_figures(spec)
    if figures:
        rows.append(_figures(figures, width))
    if spec.summary or spec.unknowns:
        rows.append(_sentences(spec, width))
    rows.append(Row("rule", 22.0, element("line", x1=0, x2=width, y1=0, y2=0, class_="rule")))
    return rows


def _title(spec: MapSpecification, width: float) -> Row:
    header = spec.header
    eyebrow = " · ".join(part for part in ("Journey map", legible(header.who), legible(header.scenario)) if part)
    meta = wrap(" · ".join(meta_line(spec)), 12, width, lines=2)
    return Row(
        "title",
        66.0 + 16 * len(meta),
        join(
            label(0, 10, fit(eyebrow, 11, width), "quiet"),
            label(0, 42, fit(legible(header.title), 28, width, bold=True), "t28"),
            *(label(0, 64 + 16 * i, line, "t12") for i, line in enumerate(meta)),
        ),
    )


def _figures(figures: tuple[KeyFigure, ...], width: float) -> Row:
    room = width / len(figures)
    parts: list[Svg] = []
    for i, figure in enumerate(figures):
        x, inner = i * room, room - 28
        if i:
            parts.append(element("line", x1=x - 14, x2=x - 14, y1=0, y2=88, class_="rule"))
        parts.append(label(x, 11, figure.label, "row"))
        tone = " bad" if figure.tone == "loss" and not figure.is_text else ""
        if figure.is_text:
            lines = wrap(figure.value, 18, inner, lines=2, bold=True)
            parts.extend(label(x, 34 + 20 * n, line, "t18") for n, line in enumerate(lines))
        else:
            parts.append(label(x, 38, figure.value, f"t24{tone}"))
            if figure.estimate is not None:
                parts.append(whisker(x, 51, inner, figure.estimate))
        parts.extend(
            label(x, 73 + 14 * n, line, "t11") for n, line in enumerate(wrap(figure.detail, 11, inner, lines=2))
        )
    return Row("figures", 112.0, join(*parts))


def _sentences(spec: MapSpecification, width: float) -> Row:
    """Set what is known on the left, what is not yet known on the right."""
    split = width * 0.6 if spec.unknowns else width
    left, left_height = _column("In short", spec.summary, 0, split - 40)
    right, right_height = _column("Not known yet", spec.unknowns, split, width - split)
    return Row("sentences", max(left_height, right_height) + 12, join(left, right))


def _column(name: str, sentences: tuple[Sentence, ...], x: float, room: float) -> tuple[Svg, float]:
    if not sentences:
        return Svg(""), 0.0
    parts, y = [label(x, 11, name, "row")], 30.0
    for sentence in sentences:
        for line in wrap(legible(sentence.text), 12, room, lines=3):
            parts.append(label(x, y, line, "t12"))
            y += 16
        y += 3
    return join(*parts), y
