"""Draw overlays: each path as a line along the roads between its touchpoints, above the flows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from journeymine.maps.markup import NOTHING, Svg, element, group, join, title
from journeymine.maps.overlay import KINDS
from journeymine.maps.svg_lanes import path_data
from journeymine.maps.wording import legible, share

if TYPE_CHECKING:
    from journeymine.maps.layout import MapLayout
    from journeymine.maps.overlay import Overlay, OverlayPath
    from journeymine.maps.specification import MapSpecification

__all__ = ["draw_overlays", "overlay_name", "path_name"]


def draw_overlays(spec: MapSpecification, layout: MapLayout) -> Svg:
    """Draw the overlays of known kinds; a step to a touchpoint that has no box of its own is left out."""
    return join(*(_overlay(overlay, layout) for overlay in spec.overlays if overlay.kind in KINDS))


def overlay_name(overlay: Overlay) -> str:
    """Name an overlay for people."""
    return legible(overlay.label) or KINDS[overlay.kind]


def path_name(overlay: Overlay, path: OverlayPath) -> str:
    """Name a path: its overlay, its own name, and what it stands for."""
    stands = f"{share(path.share)} of journeys" if path.share is not None else ""
    return " · ".join(part for part in (overlay_name(overlay), legible(path.label), stands) if part)


def _overlay(overlay: Overlay, layout: MapLayout) -> Svg:
    paths = [_path(overlay, path, layout) for path in overlay.paths]
    return group(*paths, class_=f"overlay {overlay.kind}") if any(paths) else NOTHING


def _path(overlay: Overlay, path: OverlayPath, layout: MapLayout) -> Svg:
    steps = [layout.overlays[step] for step in pairwise(path.nodes) if step in layout.overlays]
    if not steps:
        return NOTHING
    lines = [element("path", d=path_data(route)) for route in steps]
    tips = []
    for route in steps:
        x, y = route.points[-1]
        ahead = -6 if route.kind == "forward" else 6
        tips.append(element("path", d=f"M{x:g} {y:g}l{ahead} -4v8z", class_="tip"))
    return group(title(path_name(overlay, path)), *lines, *tips)
