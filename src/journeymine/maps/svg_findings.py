"""Draw what to act on below the stand-alone drawing: what to mend on the left, pain points and moments of truth on the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeymine.maps.finding_tables import lift_words, points_words
from journeymine.maps.first_screen import of_first, place_name, stake_words
from journeymine.maps.markup import Svg, element, group, join, label
from journeymine.maps.svg_rows import Row
from journeymine.maps.text_metrics import fit, wrap
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from journeymine.maps.specification import MapSpecification

__all__ = ["finding_rows"]

_GAP = 56.0
_MOST = 6
"""Findings of a kind that the drawing has room for; the page and the other forms have all."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One finding in words; `lead` is where and whose, `size` what it amounts to."""

    rank: int
    title: str
    lead: str
    size: str
    evidence: str


def finding_rows(spec: MapSpecification, width: float) -> list[Row]:
    """Draw the findings, `width` px wide; without findings, nothing."""
    mend = _column(of_first(spec, "What to mend, in order"), _opportunities(spec), badge=True)
    others = [
        *_column(of_first(spec, "Pain points"), _pain_points(spec), badge=False),
        *_column(of_first(spec, "Moments of truth"), _moments(spec), badge=False),
    ]
    if not mend and not others:
        return []
    room = (width - _GAP) / 2 if mend and others else width
    left, left_height = _draw(mend, 0.0, room)
    right, right_height = _draw(others, room + _GAP if mend else 0.0, room)
    rule = element("line", x1=0, x2=width, y1=0, y2=0, class_="rule")
    return [Row("findings", max(left_height, right_height) + 18, join(rule, left, right))]


def _opportunities(spec: MapSpecification) -> list[_Item]:
    return [
        _Item(
            o.rank,
            legible(o.title),
            " · ".join(part for part in (place_name(o.stage, o.channel), legible(o.owner) or "no owner named") if part),
            stake_words(o, spec.header.currency),
            legible(o.evidence),
        )
        for o in sorted(spec.opportunities, key=lambda o: o.rank)
    ]


def _pain_points(spec: MapSpecification) -> list[_Item]:
    return [
        _Item(
            p.rank,
            legible(p.title),
            " · ".join(part for part in (place_name(p.stage, p.channel), legible(p.owner)) if part),
            points_words(p.effect),
            legible(p.evidence),
        )
        for p in sorted(spec.pain_points, key=lambda p: p.rank)
    ]


def _moments(spec: MapSpecification) -> list[_Item]:
    return [
        _Item(
            m.rank,
            legible(m.title),
            place_name(m.stage, m.channel),
            f"converts {lift_words(m.lift)}",
            legible(m.evidence),
        )
        for m in sorted(spec.moments_of_truth, key=lambda m: m.rank)
    ]


def _column(name: str, items: list[_Item], *, badge: bool) -> list[tuple[str, list[_Item], bool]]:
    return [(name, items, badge)] if items else []


def _draw(lists: list[tuple[str, list[_Item], bool]], x: float, room: float) -> tuple[Svg, float]:
    parts: list[Svg] = []
    y = 12.0
    for name, items, badge in lists:
        y += 22
        parts.append(label(x, y, name, "t18"))
        y += 12
        for item in items[:_MOST]:
            markup, height = _item(item, x, room, badge=badge)
            parts.append(group(markup, transform=f"translate(0 {y:g})"))
            y += height
        if len(items) > _MOST:
            parts.append(label(x + 28, y + 12, f"and {len(items) - _MOST} more", "quiet"))
            y += 18
        y += 10
    return join(*parts), y


def _item(item: _Item, x: float, room: float, *, badge: bool) -> tuple[Svg, float]:
    inner = room - 28
    number = (
        join(
            element("circle", cx=x + 9, cy=15, r=8.5, class_="badge"),
            label(x + 9, 18.5, str(item.rank), "badge-text", anchor="middle"),
        )
        if badge
        else label(x + 9, 19, str(item.rank), "t13", anchor="middle")
    )
    parts = [number, label(x + 28, 19, fit(item.title, 13, inner, bold=True), "t13")]
    y = 36.0
    under = " · ".join(part for part in (item.size, item.lead) if part)
    if under:
        parts.append(label(x + 28, y, fit(under, 11, inner), "t11"))
        y += 16
    for line in wrap(item.evidence, 11, inner, lines=2):
        parts.append(label(x + 28, y, line, "quiet"))
        y += 15
    return join(*parts), y - 2
