"""The tables of the further views: two groups side by side, and one customer's journeys step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeymine.maps.comparison import FIGURES
from journeymine.maps.finding_tables import points_words
from journeymine.maps.overlay import KINDS
from journeymine.maps.svg_overlays import overlay_name
from journeymine.maps.tables import Table, table_of
from journeymine.maps.wording import duration, legible, money, share

if TYPE_CHECKING:
    from journeymine.maps.comparison import Compared
    from journeymine.maps.specification import MapSpecification

__all__ = ["view_tables"]


def view_tables(spec: MapSpecification) -> tuple[Table, ...]:
    """Build the tables of the views that the map has; without those views, none."""
    tables = (*_comparison(spec), *_overlays(spec), *_steps(spec))
    return tuple(table for table in tables if table.rows)


def _comparison(spec: MapSpecification) -> tuple[Table, ...]:
    found = spec.comparison
    if found is None:
        return ()
    a, b = legible(found.name_a).replace("|", "/"), legible(found.name_b).replace("|", "/")
    rows = (
        (
            FIGURES[row.figure],
            _where(row),
            share(row.a),
            share(row.b),
            points_words(row.difference),
            f"{row.p_adjusted:.2g}" if row.p_adjusted is not None else "",
            "differs" if row.significant else "may be chance",
        )
        for row in found.rows
    )
    return (table_of("side-by-side", "Side by side", f"What|Where|#{a}|#{b}|#Difference|#p, adjusted|Verdict", rows),)


def _where(row: Compared) -> str:
    if row.source:
        return f"{legible(row.source)} → {legible(row.target)}"
    return " · ".join(legible(part) for part in (row.stage, row.channel) if part) or "all journeys"


def _overlays(spec: MapSpecification) -> tuple[Table, ...]:
    names = {node.id: " · ".join(legible(p) for p in (node.touchpoint, node.channel) if p) for node in spec.nodes}
    rows = (
        (overlay_name(overlay), legible(path.label), share(path.share) if path.share is not None else "",
         " → ".join(names[node] for node in path.nodes))
        for overlay in spec.overlays
        if overlay.kind in KINDS
        for path in overlay.paths
    )  # fmt: skip
    return (table_of("overlays", "Paths laid over the map", "Kind|Name|#Of journeys|Path", rows),)


def _steps(spec: MapSpecification) -> tuple[Table, ...]:
    currency = spec.header.currency
    return tuple(
        table_of(
            f"steps-{i}",
            f"{legible(example.id[:1].upper() + example.id[1:])}: {example.status}",
            "#Step|#After|Stage|Channel|Touchpoint|#Value",
            (
                (
                    str(n),
                    duration(step.after_s) if step.after_s else "start",
                    legible(step.stage),
                    legible(step.channel),
                    legible(step.touchpoint),
                    money(step.value, currency) if step.value else "",
                )
                for n, step in enumerate(example.steps, 1)
            ),
        )
        for i, example in enumerate(spec.examples, 1)
        if example.user
    )
