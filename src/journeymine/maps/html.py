"""The map as one self-contained page: nothing from elsewhere, one script whose hash the page's own policy names.

All text goes through Jinja's autoescaping; drawings are built by `markup`, which escapes; data goes in as JSON that cannot
close its element. The same map gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from journeymine.maps.finding_tables import finding_tables
from journeymine.maps.first_screen import key_figures, meta_line
from journeymine.maps.layout import lay_out
from journeymine.maps.page_data import embed_json, map_data, process_data
from journeymine.maps.palette import DARK, LIGHT, variables
from journeymine.maps.process_layout import lay_out_process
from journeymine.maps.stake_bars import stake_bars
from journeymine.maps.svg import draw_map, map_css
from journeymine.maps.svg_comparison import draw_comparison
from journeymine.maps.svg_lanes import default_flow_count
from journeymine.maps.svg_process import draw_process
from journeymine.maps.tables import map_tables, quality_table
from journeymine.maps.view_tables import view_tables
from journeymine.maps.wording import legible, plural, share, share_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journeymine.maps.evidence import Sentence
    from journeymine.maps.specification import MapSpecification

__all__ = ["to_html"]


@dataclass(frozen=True, slots=True)
class View:
    """One drawing of the page, with its sliders."""

    key: str
    name: str
    svg: str
    n_nodes: int
    n_flows: int
    start_flows: int
    note: str


def to_html(spec: MapSpecification) -> str:
    """Return the page.

    Parameters
    ----------
    spec : the map.

    Returns
    -------
    str; a complete HTML document that asks for nothing but itself.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("journeymine.maps"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    views, data = _views(spec)
    script = _template("page.js")
    style = f":root{{{variables(LIGHT)}}}{_dark_css()}{_template('page.css')}{map_css()}"
    tables = map_tables(spec)
    return environment.get_template("page.html.j2").render(
        spec=spec,
        header=spec.header,
        legible=legible,
        meta=meta_line(spec),
        figures=key_figures(spec),
        summary=_sentences(spec.summary),
        unknowns=_sentences(spec.unknowns),
        views=views,
        tables=tables,
        anchors=_anchors(spec),
        bars=stake_bars(spec),
        findings=(*view_tables(spec), *finding_tables(spec)),
        quality=quality_table(spec),
        paper="landscape" if len(spec.stages) > 6 else "portrait",
        style=Markup(style),
        script=Markup(script),
        data=Markup(embed_json(data)),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        markup=Markup,
    )


def _template(name: str) -> str:
    return (files("journeymine.maps") / "templates" / name).read_text("utf-8")


def _dark_css() -> str:
    """Dark where the reader's system is, unless the page's own switch says otherwise."""
    dark = variables(DARK)
    return (
        f"@media screen and (prefers-color-scheme: dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}"
        f"@media screen{{:root[data-theme=dark]{{{dark}color-scheme:dark}}}}"
    )


def _views(spec: MapSpecification) -> tuple[list[View], dict[str, Any]]:
    views, data = [], {}
    for key, name, part in _parts(spec):
        layout = lay_out(part)
        data.update(map_data(part, layout, prefix=f"{key}:"))
        shown = default_flow_count(len(layout.nodes), len(layout.routes))
        views.append(
            View(
                key,
                name,
                draw_map(part, layout=layout, prefix=f"{key}:"),
                len(part.nodes),
                len(layout.routes),
                shown,
                (_zoomed(part) if part is not spec else "") + _coverage(part, len(layout.routes), layout.n_bundled),
            )
        )
    if spec.comparison is not None:
        views.insert(
            0, View("c", "Side by side", draw_comparison(spec, spec.comparison), 0, 0, 0, legible(spec.comparison.note))
        )
    process = lay_out_process(spec)
    if process is not None:
        data.update(process_data(spec, process, prefix="p:"))
        n_flows, n_nodes = (
            sum(edge.flow is not None for edge in process.edges),
            sum(n.node is not None for n in process.nodes),
        )
        views.insert(
            1 + (spec.comparison is not None),
            View(
                "p",
                "Process map",
                draw_process(spec, process, prefix="p:"),
                n_nodes,
                n_flows,
                n_flows,
                f"The {n_nodes} most used touchpoints, and the {n_flows} strongest flows between them.",
            ),
        )
    return views, data


def _parts(spec: MapSpecification) -> Iterator[tuple[str, str, MapSpecification]]:
    yield "m", "Journey map", spec
    for i, zoom in enumerate(spec.zooms):
        yield f"z{i}", f"{zoom.kind}: {legible(zoom.label)}", zoom.map


def _zoomed(spec: MapSpecification) -> str:
    """Say whose map a zoom is, since the top of the page speaks of everybody."""
    header = spec.header
    n = plural(header.n_journeys, "journey") if header.n_journeys is not None else "too few to count"
    interval = f" ({share_interval(header.converted)})" if header.converted and header.converted.has_interval else ""
    rate = (
        f", {share(header.converted)}{interval} convert"
        if header.converted and header.converted.value is not None
        else ""
    )
    return f"{legible(header.who)}: {n}{rate}. "


def _coverage(spec: MapSpecification, n_routes: int, n_bundled: int) -> str:
    parts = []
    if n_bundled:
        parts.append(f"{n_bundled} seldom used touchpoints are gathered in “more” boxes")
    if n_routes < len(spec.flows):
        parts.append(f"{n_routes} of {len(spec.flows)} flows can be drawn; the table has the rest")
    if spec.stages_are == "typical_order":
        parts.append("no stages were given: columns are the usual order of touchpoints")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _anchors(spec: MapSpecification) -> dict[str, str]:
    """Number the rows that sentences point at, so that no caller's text becomes an id."""
    refs = [ref for table in map_tables(spec) for ref in table.anchors]
    anchors = {ref: f"row-{i}" for i, ref in enumerate(refs)}
    anchors |= {f"opportunity:{o.rank}": "opportunities" for o in spec.opportunities}
    anchors |= {f"pain_point:{p.rank}": "pain-points" for p in spec.pain_points}
    return anchors | {"header": "top", "quality": "quality", "emotion": "table-emotion", "comparison": "side-by-side"}


def _sentences(sentences: tuple[Sentence, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(legible(s.text), [(legible(f.label), f.ref) for f in s.figures]) for s in sentences]
