"""The drawings of the page: the map, its process view, two groups side by side, and as many zooms as the page has room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journeymine.maps.evidence import WITHHELD
from journeymine.maps.first_screen import of_first
from journeymine.maps.layout import MapLayout, lay_out
from journeymine.maps.page_data import embed_json, map_data, process_data
from journeymine.maps.process_layout import lay_out_process
from journeymine.maps.svg import draw_map
from journeymine.maps.svg_comparison import draw_comparison
from journeymine.maps.svg_lanes import default_flow_count
from journeymine.maps.svg_process import draw_process
from journeymine.maps.wording import legible, plural, share, share_interval

if TYPE_CHECKING:
    from journeymine.maps.specification import MapSpecification, Zoom

__all__ = ["ZOOM_FLOWS", "View", "main_views", "zoom_views"]

ZOOM_FLOWS = 120
"""Most flows of each further map: a page holds up to a dozen of them."""


@dataclass(frozen=True, slots=True)
class View:
    """One drawing of the page with its sliders, and what the script shows when somebody clicks in it."""

    key: str
    name: str
    svg: str
    note: str
    n_nodes: int = 0
    n_flows: int = 0
    start_flows: int = 0
    data: str = ""

    @property
    def n_bytes(self) -> int:
        """How much the view adds to the page."""
        return len(self.svg.encode()) + len(self.data.encode()) + len(self.note.encode()) + 2_000


def main_views(spec: MapSpecification, *, most_flows: int) -> list[View]:
    """Draw what every page has: the map, the process map where there is one, and the comparison if the map has one."""
    views = [_lane_view(spec, "m", of_first(spec, "Journey map"), "", most_flows)]
    process = lay_out_process(spec)
    if process is not None:
        n_flows = sum(edge.flow is not None for edge in process.edges)
        n_nodes = sum(n.node is not None for n in process.nodes)
        views.append(
            View(
                "p",
                of_first(spec, "Process map"),
                draw_process(spec, process, prefix="p:"),
                f"The {n_nodes} most used touchpoints, and the {n_flows} strongest flows between them; of where "
                "journeys begin, convert and are lost, the five strongest ways each. The table has all of them.",
                n_nodes,
                n_flows,
                n_flows,
                _inside(process_data(spec, process, prefix="p:")),
            )
        )
    if spec.comparison is not None:
        views.insert(
            0, View("c", "Side by side", draw_comparison(spec, spec.comparison), legible(spec.comparison.note))
        )
    return views


def zoom_views(spec: MapSpecification, *, room: int, most_flows: int) -> tuple[list[View], list[Zoom]]:
    """Draw the zooms in order while they fit into `room` bytes, with fewer flows if need be; after one that does not, none."""
    views: list[View] = []
    for i, zoom in enumerate(spec.zooms):
        for most in (min(ZOOM_FLOWS, most_flows), min(ZOOM_FLOWS // 3, most_flows)):
            view = _lane_view(zoom.map, f"z{i}", _name(zoom), _zoomed(zoom.map), most)
            if view.n_bytes <= room:
                break
        else:
            return views, list(spec.zooms[i:])
        room -= view.n_bytes
        views.append(view)
    return views, []


def _name(zoom: Zoom) -> str:
    return f"{zoom.kind}: {legible(zoom.label)}"


def _inside(data: dict[str, Any]) -> str:
    """The entries of a JSON object without its braces, so that several views can be put into one."""
    return embed_json(data)[1:-1]


def _lane_view(spec: MapSpecification, key: str, name: str, whose: str, most_flows: int) -> View:
    layout = lay_out(spec, most_flows=most_flows)
    n_flows = len(layout.routes)
    return View(
        key,
        name,
        draw_map(spec, layout=layout, prefix=f"{key}:"),
        whose + _coverage(spec, layout),
        len(spec.nodes),
        n_flows,
        default_flow_count(len(layout.nodes), n_flows),
        _inside(map_data(spec, layout, prefix=f"{key}:")),
    )


def _zoomed(spec: MapSpecification) -> str:
    """Say whose map a zoom is, since the top of the page speaks of everybody."""
    header = spec.header
    n = plural(header.n_journeys, "journey") if header.n_journeys is not None else f"how many journeys is {WITHHELD}"
    interval = f" ({share_interval(header.converted)})" if header.converted and header.converted.has_interval else ""
    rate = (
        f", {share(header.converted)}{interval} convert"
        if header.converted and header.converted.value is not None
        else ""
    )
    return f"{legible(header.who)}: {n}{rate}. "


def _coverage(spec: MapSpecification, layout: MapLayout) -> str:
    n_routes, n_bundled = len(layout.routes), layout.n_bundled
    n_sharing, parts = sum(len(band.lanes) for band in layout.bands if band.shared), []
    if n_sharing:
        parts.append(f"{n_sharing} channels share the last lane; the tables have them one by one")
    if n_bundled:
        parts.append(
            f"{plural(n_bundled, 'seldom used touchpoint')} {'is' if n_bundled == 1 else 'are'} gathered in “more” boxes"
        )
    if n_routes < len(spec.flows):
        parts.append(f"{n_routes} of {len(spec.flows)} flows can be drawn; the table has the rest")
    if spec.stages_are == "typical_order":
        parts.append("no stages were given: columns are the usual order of touchpoints")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
