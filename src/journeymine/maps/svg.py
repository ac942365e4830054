"""The map as one drawing: rows stacked over shared stage columns.

The same drawing stands in the page (`live=True`: with keys and roles for the script, colours from the page) and by
itself (a complete SVG file with its colours and type inside, no script; what PNG and PDF are made from).
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from journeymine.maps.first_screen import of_first
from journeymine.maps.layout import LABEL_WIDTH, MapLayout, lay_out
from journeymine.maps.markup import Svg, element, group, join, label, number, title, words
from journeymine.maps.overlay import KINDS
from journeymine.maps.palette import DARK, LIGHT, lane_css, resolve
from journeymine.maps.svg_comparison import WIDTH as COMPARISON_WIDTH
from journeymine.maps.svg_comparison import side_by_side
from journeymine.maps.svg_findings import finding_rows
from journeymine.maps.svg_header import header_rows
from journeymine.maps.svg_lanes import draw_lanes, name_lanes
from journeymine.maps.svg_lower_rows import lower_rows
from journeymine.maps.svg_overlays import draw_overlays, overlay_name
from journeymine.maps.svg_rows import Row, stage_rows
from journeymine.maps.text_metrics import fit, wrap

if TYPE_CHECKING:
    from journeymine.maps.specification import MapSpecification

__all__ = ["draw_map", "map_css", "size", "standalone", "to_svg"]

_MARGIN = 32.0
_NARROWEST = 900.0
_LEGEND = (
    ("same", "from one touchpoint to the next"),
    ("handover", "hand-over to another channel"),
    ("back", "back-step to an earlier column"),
)


def map_css() -> str:
    """Return the style rules of the drawing, with colours as custom properties."""
    return (files("journeymine.maps") / "templates" / "map.css").read_text("utf-8") + lane_css()


def draw_map(spec: MapSpecification, *, layout: MapLayout | None = None, prefix: str = "", live: bool = True) -> Svg:
    """Draw the map for the page; `prefix` keeps the keys of several maps on one page apart."""
    layout = layout or lay_out(spec)
    body, height = _stack(_map_rows(spec, layout, prefix=prefix, live=live))
    return element(
        "svg",
        body,
        class_="jm",
        viewBox=f"0 0 {number(layout.width)} {number(height)}",
        width=layout.width,
        height=height,
        role="group",
        aria_label=f"Journey map: {spec.header.title}",
    )


def size(spec: MapSpecification) -> tuple[float, float]:
    """Return width and height of the complete drawing, in px."""
    layout = lay_out(spec)
    wide = _wide(spec, layout)
    height = sum(row.height for row in _still_rows(spec, layout, wide))
    return wide + 2 * _MARGIN, height + 2 * _MARGIN


def to_svg(spec: MapSpecification, *, dark: bool = False) -> str:
    """Return the map as a complete SVG file: header, rows, lanes, nothing from elsewhere, no script."""
    layout = lay_out(spec)
    wide = _wide(spec, layout)
    rows = _still_rows(spec, layout, wide)
    body, height = _stack(rows)
    return standalone(body, wide, height, f"Journey map: {spec.header.title}", dark=dark)


def standalone(body: Svg, width: float, height: float, name: str, *, dark: bool = False) -> str:
    """Wrap a drawing into a file of its own."""
    margin = _MARGIN
    css = resolve(map_css(), DARK if dark else LIGHT)
    wide, high = number(width + 2 * margin), number(height + 2 * margin)
    return (
        element(
            "svg",
            title(name),
            element("style", words(css.replace("'", ""))),
            element("rect", class_="ground", width=width + 2 * margin, height=height + 2 * margin),
            group(body, transform=f"translate({number(margin)} {number(margin)})"),
            xmlns="http://www.w3.org/2000/svg",
            class_="jm",
            width=width + 2 * margin,
            height=height + 2 * margin,
            viewBox=f"0 0 {wide} {high}",
            role="img",
            aria_label=name,
        )
        + "\n"
    )


def _wide(spec: MapSpecification, layout: MapLayout) -> float:
    return max(layout.width, _NARROWEST, COMPARISON_WIDTH if spec.comparison is not None else 0.0)


def _still_rows(spec: MapSpecification, layout: MapLayout, wide: float) -> list[Row]:
    """The rows of a picture by itself: header, the comparison if there is one, the map, and what to act on."""
    rows = header_rows(spec, wide)
    if spec.comparison is not None:
        markup, height = side_by_side(spec, spec.comparison)
        whose = label(0, 14, fit(of_first(spec, "The map"), 13, wide, bold=True), "t13")
        rows = [*rows, Row("comparison", height + 26, markup), Row("whose", 30.0, whose)]
    return [*rows, *_map_rows(spec, layout, prefix="", live=False), *finding_rows(spec, wide), *_foot(spec, wide)]


def _foot(spec: MapSpecification, wide: float) -> list[Row]:
    """What a reader of the picture alone must know of the figures, in small print."""
    mature = next((each.text for each in spec.method.definitions if each.term == "mature"), "")
    said = [f"Mature: {mature}." if mature else "", spec.method.intervals, *spec.method.exclusions]
    lines = wrap(" ".join(filter(None, said)), 11, wide, lines=6)
    if not any(lines):
        return []
    rule = element("line", x1=0, x2=wide, y1=8, y2=8, class_="rule")
    return [
        Row(
            "foot",
            22.0 + 15 * len(lines),
            join(rule, *(label(0, 28 + 15 * i, line, "quiet") for i, line in enumerate(lines))),
        )
    ]


def _map_rows(spec: MapSpecification, layout: MapLayout, *, prefix: str, live: bool) -> list[Row]:
    lanes = Row(
        "lanes",
        layout.height + 6,
        join(draw_lanes(spec, layout, prefix=prefix, live=live), draw_overlays(spec, layout)),
        name_lanes(layout),
    )
    return [*stage_rows(spec, layout), lanes, *lower_rows(spec, layout), _legend(spec, layout)]


def _stack(rows: list[Row]) -> tuple[Svg, float]:
    y, parts = 0.0, []
    for row in rows:
        pin = Svg("")
        if row.pinned:
            back = element("rect", x=-8, y=0, width=LABEL_WIDTH, height=row.height, class_="ground")
            pin = group(back, row.pinned, class_="pin")
        parts.append(group(row.markup, pin, transform=f"translate(0 {number(y)})", class_="strip", data_row=row.name))
        y += row.height
    return join(*parts), y


def _legend(spec: MapSpecification, layout: MapLayout) -> Row:
    """Explain the kinds of flow that the map has."""
    x, parts = layout.columns[0].x if layout.columns else 0.0, []
    has = {
        "same": True,
        "handover": any(flow.is_handover for flow in spec.flows),
        "back": any(f.is_back for f in spec.flows),
    }
    for kind, text in _LEGEND if spec.flows else ():
        if not has[kind]:
            continue
        parts.append(group(element("path", d=f"M{number(x)} 16h26", stroke_width=4), class_=f"flow {kind} c0"))
        parts.append(label(x + 33, 20, text, "quiet"))
        x += 60 + len(text) * 5.6
    for overlay in (each for each in spec.overlays if each.kind in KINDS):
        text = overlay_name(overlay)
        parts.append(group(element("path", d=f"M{number(x)} 16h26"), class_=f"overlay {overlay.kind}"))
        parts.append(label(x + 33, 20, text, "quiet"))
        x += 60 + len(text) * 5.6
    parts.append(label(x, 20, "line width: journeys" if spec.flows else "", "quiet"))
    return Row("legend", 30.0, join(*parts))
