"""The tables of what to act on: opportunities, pain points, moments of truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from journeymine.maps.first_screen import of_first, place_name, stake_words
from journeymine.maps.tables import Table, table_of
from journeymine.maps.wording import count, legible, value_or_dash

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate
    from journeymine.maps.specification import MapSpecification

__all__ = ["finding_tables", "lift_words", "points_words"]


def finding_tables(spec: MapSpecification) -> tuple[Table, ...]:
    """Build the tables of what to act on: opportunities, pain points, moments of truth."""
    currency = spec.header.currency
    tables = (
        table_of(
            "opportunities",
            "What to mend, in order",
            "#Rank|What|Owner|Where|At stake|Evidence",
            (
                (
                    str(o.rank),
                    legible(o.title),
                    legible(o.owner),
                    place_name(o.stage, o.channel),
                    stake_words(o, currency),
                    legible(o.evidence),
                )
                for o in sorted(spec.opportunities, key=lambda o: o.rank)
            ),
        ),
        table_of(
            "pain-points",
            "Pain points",
            "#Rank|What|Where|#Journeys|Conversion against comparable journeys|Owner|Evidence",
            (
                (
                    str(p.rank),
                    legible(p.title),
                    place_name(p.stage, p.channel),
                    count(p.n_journeys),
                    points_words(p.effect),
                    legible(p.owner),
                    legible(p.evidence),
                )
                for p in sorted(spec.pain_points, key=lambda p: p.rank)
            ),
        ),
        table_of(
            "moments-of-truth",
            "Moments of truth",
            "#Rank|What|Where|#Journeys|Conversion with it ÷ without|Evidence",
            (
                (
                    str(m.rank),
                    legible(m.title),
                    place_name(m.stage, m.channel),
                    count(m.n_journeys),
                    lift_words(m.lift),
                    legible(m.evidence),
                )
                for m in sorted(spec.moments_of_truth, key=lambda m: m.rank)
            ),
        ),
    )
    return tuple(replace(table, title=of_first(spec, table.title)) for table in tables if table.rows)


def points_words(effect: Estimate | None) -> str:
    """Word a difference of two shares in percentage points."""
    if effect is None or effect.value is None:
        return effect.reason if effect else ""
    marks = (effect.value, effect.lower, effect.upper)
    whole = all(mark is None or abs(100 * mark - round(100 * mark)) < 1e-9 for mark in marks)
    value, lower, upper = (_signed(mark, 0 if whole else 1) for mark in marks)
    return f"{value} points" + (f" ({lower} to {upper})" if effect.has_interval else "")


def _signed(value: float | None, digits: int) -> str:
    return (
        "–" if value is None else ("+" if round(value * 100, digits) > 0 else "") + value_or_dash(value * 100, digits)
    )


def lift_words(lift: Estimate | None) -> str:
    """Word a ratio of two shares."""
    if lift is None or lift.value is None:
        return lift.reason if lift else ""
    return f"× {_ratio(lift.value)}" + (f" ({_ratio(lift.lower)} to {_ratio(lift.upper)})" if lift.has_interval else "")


def _ratio(value: float | None) -> str:
    """A ratio to two figures, since it may be rounded to two.

    >>> [_ratio(value) for value in (27.0, 1.0, 0.554, 1234.5, 0.0)]
    ['27', '1.0', '0.55', '1,234', '0.00']
    """
    return "–" if value is None else f"{value:,.{0 if value >= 9.95 else 1 if value >= 0.995 else 2}f}"
