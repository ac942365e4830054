"""The map as one self-contained page: nothing from elsewhere, one script whose hash the page's own policy names.

All text goes through Jinja's autoescaping; drawings are built by `markup`, which escapes; data goes in as JSON that
cannot close its element. The same map gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from journeymine.maps.finding_tables import finding_tables
from journeymine.maps.first_screen import key_figures, meta_line, of_first
from journeymine.maps.layout import MAX_ROUTES
from journeymine.maps.page_views import View, main_views, zoom_views
from journeymine.maps.palette import DARK, LIGHT, variables
from journeymine.maps.right_to_left import RIGHT_TO_LEFT
from journeymine.maps.stake_bars import stake_bars
from journeymine.maps.svg import map_css
from journeymine.maps.tables import MAX_ROWS, first_rows, left_out, map_tables, quality_table
from journeymine.maps.view_tables import view_tables
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from journeymine.maps.evidence import Sentence
    from journeymine.maps.specification import MapSpecification, Zoom

__all__ = ["PAGE_BYTES", "to_html"]

PAGE_BYTES = 1_500_000
"""Most bytes of a page."""
_SIZES = ((MAX_ROUTES, MAX_ROWS), (150, 150), (60, 60), (20, 20))
"""Flows that can be drawn and rows of a table: less where names are so long that the page would grow too large."""


def to_html(spec: MapSpecification) -> str:
    """Return the page, of at most `PAGE_BYTES`.

    What finds no room on it (zooms first, then the weakest flows and the tails of tables) is said there; the JSON form
    has it.

    Parameters
    ----------
    spec : the map.

    Returns
    -------
    str; a complete HTML document that asks for nothing but itself.
    """
    html = ""
    for most_flows, most_rows in _SIZES:
        views = main_views(spec, most_flows=most_flows)
        html = _page(spec, views, most_rows)
        room = PAGE_BYTES - len(html.encode())
        if room >= 0:
            zooms, left_out = zoom_views(spec, room=room - _NOTE_BYTES, most_flows=most_flows)
            views = [*_with_note(views, left_out), *zooms]
            return _page(spec, views, most_rows) if spec.zooms else html
    return html


_NOTE_BYTES = 2_000


def _with_note(views: list[View], left_out: Sequence[Zoom]) -> list[View]:
    """Say under the first drawing which zooms the page has no room for."""
    if not left_out:
        return views
    names = ", ".join(legible(zoom.label)[:80] for zoom in left_out[:8]) + (", …" if len(left_out) > 8 else "")
    text = f"{views[0].note} Not on this page, which would grow too large: {names}. The JSON form of the map has them."
    return [replace(views[0], note=text.strip()), *views[1:]]


def _page(spec: MapSpecification, views: list[View], most_rows: int) -> str:
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
    environment.filters["ltr"] = _left_to_right
    script = _template("page.js")
    style = f":root{{{variables(LIGHT)}}}{_dark_css()}{_template('page.css')}{map_css()}"
    tables = [first_rows(table, most_rows) for table in map_tables(spec)]
    return environment.get_template("page.html.j2").render(
        spec=spec,
        header=spec.header,
        legible=legible,
        of_first=of_first,
        left_out=left_out,
        meta=meta_line(spec),
        figures=key_figures(spec),
        summary=_sentences(spec.summary),
        unknowns=_sentences(spec.unknowns),
        views=views,
        tables=tables,
        anchors=_anchors(spec, most_rows),
        bars=stake_bars(spec),
        findings=(*view_tables(spec), *finding_tables(spec)),
        quality=quality_table(spec),
        paper="landscape" if len(spec.stages) > 6 else "portrait",
        style=Markup(style),
        script=Markup(script),
        data=Markup("{" + ",".join(view.data for view in views if view.data) + "}"),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        markup=Markup,
    )


def _left_to_right(text: str) -> Markup:
    """An English phrase in which names that run from right to left stand apart, so that they turn nothing around them.

    >>> str(_left_to_right("\u05d0\u05d1 \u05d2: 1 <Jan>"))
    '<bdi>\u05d0\u05d1 \u05d2</bdi>: 1 &lt;Jan&gt;'
    """
    from markupsafe import Markup, escape

    return Markup(RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(text))))


def _template(name: str) -> str:
    return (files("journeymine.maps") / "templates" / name).read_text("utf-8")


def _dark_css() -> str:
    """Dark where the reader's system is, unless the page's own switch says otherwise."""
    dark = variables(DARK)
    return (
        f"@media screen and (prefers-color-scheme: dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}"
        f"@media screen{{:root[data-theme=dark]{{{dark}color-scheme:dark}}}}"
    )


def _anchors(spec: MapSpecification, most_rows: int) -> dict[str, str]:
    """Number the rows that sentences point at, so that no caller's text becomes an id."""
    refs = [ref for table in map_tables(spec) for ref in table.anchors[:most_rows]]
    anchors = {ref: f"row-{i}" for i, ref in enumerate(refs)}
    anchors |= {f"opportunity:{o.rank}": "opportunities" for o in spec.opportunities}
    anchors |= {f"pain_point:{p.rank}": "pain-points" for p in spec.pain_points}
    return anchors | {"header": "top", "quality": "quality", "emotion": "table-emotion", "comparison": "side-by-side"}


def _sentences(sentences: tuple[Sentence, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(legible(s.text), [(legible(f.label), f.ref) for f in s.figures]) for s in sentences]
