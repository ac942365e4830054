"""What the first screen says: whose journeys, how many convert, the worst place, what it costs, what to mend, what is unknown.

Each key figure picks a finished number of the map and words it; nothing is computed here but the choice of the worst
place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from journeymine.maps.evidence import WITHHELD
from journeymine.maps.findings import DropOff
from journeymine.maps.wording import (
    NBSP,
    count,
    date_range,
    day,
    legible,
    money,
    money_interval,
    plural,
    share,
    share_interval,
    value_or_dash,
)
from journeymine.percents import percent

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate
    from journeymine.maps.findings import Opportunity
    from journeymine.maps.specification import Header, MapSpecification, Terminal

__all__ = ["KeyFigure", "first_opportunity", "is_claimed", "key_figures", "meta_line", "of_first", "worst_place"]


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One figure of the first screen; `estimate` is drawn as an interval when it is a share."""

    label: str
    value: str
    detail: str
    tone: str = ""
    estimate: Estimate | None = None
    is_text: bool = False


def meta_line(spec: MapSpecification) -> tuple[str, ...]:
    """Say when, how many, and how much of it all is in the picture."""
    if spec.comparison is not None and spec.zooms:
        return tuple(
            f"{legible(name)}: {part}"
            for name, header in (
                (spec.comparison.name_a, spec.header),
                (spec.comparison.name_b, spec.zooms[0].map.header),
            )
            for part in (", ".join(_whose(header)),)
        )
    header = spec.header
    parts = [date_range(header.period_start, header.period_end)]
    parts.append(plural(header.n_users, "user") if header.n_users is not None else "")
    parts.append(plural(header.n_journeys, "journey") if header.n_journeys is not None else "")
    if header.covered is not None:
        parts.append(f"the picture covers {percent(header.covered).removesuffix('.0')}{NBSP}% of their steps")
    for left_out in header.filtered:
        n = f"{count(left_out.n_journeys)} " if left_out.n_journeys is not None else ""
        parts.append(f"shares leave out {n}{legible(left_out.what)}")
    if header.observed_until:
        parts.append(f"observed until {day(header.observed_until)}")
    return tuple(part for part in parts if part)


def _whose(header: Header) -> tuple[str, ...]:
    """When, and how many."""
    parts = (
        date_range(header.period_start, header.period_end),
        plural(header.n_users, "user") if header.n_users is not None else "",
        plural(header.n_journeys, "journey") if header.n_journeys is not None else "",
    )
    return tuple(part for part in parts if part)


def worst_place(spec: MapSpecification) -> DropOff | None:
    """The stage × channel that surely costs most, by value at stake; without one, that which most journeys are lost at."""

    def cost(drop: DropOff) -> tuple[bool, float, int]:
        claimed, stake = is_claimed(drop), drop.value_at_stake.value if drop.value_at_stake else None
        return claimed, (stake or 0.0) * claimed, drop.n_lost or 0

    return max((drop for drop in spec.drop_offs if drop.n_lost), key=cost, default=None)


def is_claimed(drop: DropOff) -> bool:
    """Whether a place is said to be bad: what is at stake there is more than chance, or was priced and not tested."""
    priced = drop.value_at_stake is not None and drop.value_at_stake.value is not None
    return priced if drop.significant is None else drop.significant


def first_opportunity(spec: MapSpecification) -> Opportunity | None:
    """The opportunity of the best rank."""
    return min(spec.opportunities, key=lambda found: found.rank, default=None)


def key_figures(spec: MapSpecification) -> tuple[KeyFigure, ...]:
    """Choose and word the four figures of the first screen."""
    figures = (figure for figure in (_conversion(spec), _worst(spec), _cost(spec), _mend(spec)) if figure)
    return tuple(replace(figure, label=of_first(spec, figure.label)) for figure in figures)


def of_first(spec: MapSpecification, name: str) -> str:
    """Name of a part of the page that speaks of the first of two groups only, where two are compared."""
    return name if spec.comparison is None else f"{name} · {legible(spec.comparison.name_a)}"


def place_name(stage: str, channel: str) -> str:
    """Name a stage × channel.

    >>> place_name("Purchase", "app"), place_name("", "app"), place_name("Purchase", "")
    ('Purchase × app', 'app', 'Purchase')
    """
    return " × ".join(legible(part) for part in (stage, channel) if part)


def _conversion(spec: MapSpecification) -> KeyFigure | None:
    header = spec.header
    converted = header.converted
    if converted is None:
        return None
    goal = f"reach {legible(header.goal)}" if header.goal else "Convert"
    of = f"of {count(header.n_mature)} mature journeys" if header.n_mature is not None else ""
    still = f"{count(header.n_open)} still open" if header.n_open else ""
    known = converted.value is not None
    detail = ", ".join(part for part in (share_interval(converted), *((of, still) if known else ())) if part)
    return KeyFigure(goal[0].upper() + goal[1:], share(converted), detail, "good", converted)


def _worst(spec: MapSpecification) -> KeyFigure | None:
    drop = worst_place(spec)
    if drop is None:
        return _last_step(spec)
    interval = f" ({share_interval(drop.lost)})" if drop.lost and drop.lost.has_interval else ""
    rate = f", {share(drop.lost)}{interval} of those who come" if drop.lost and drop.lost.value is not None else ""
    why = ", most by definition (lost_at)" if drop.by_definition else ""
    surely = _is_surely(drop.n_lost, spec.drop_offs, spec.header.n_lost)
    worst, most = ("Worst place", "Most lost at") if surely else ("Worst place shown", "Many lost at")
    return KeyFigure(
        worst if is_claimed(drop) else most,
        place_name(drop.stage, drop.channel),
        f"{count(drop.n_lost)} lost here{rate}{why}",
        "loss" if is_claimed(drop) else "",
        drop.lost,
        is_text=True,
    )


def _is_surely(n: int | None, shown: Sequence[DropOff | Terminal], total: int | None) -> bool:
    """Whether none that is withheld can have lost more: all of them together have not."""
    known = sum((one.n_lost if isinstance(one, DropOff) else one.n_journeys) or 0 for one in shown)
    return total is not None and (n or 0) >= total - known


def _last_step(spec: MapSpecification) -> KeyFigure | None:
    """Without places, the touchpoint that most lost journeys end with."""
    ends = [end for end in spec.terminals if end.status == "lost"]
    if not ends or spec.header.converted is None:
        return None
    last = max(ends, key=lambda end: (end.n_journeys, end.node))
    node = next(node for node in spec.nodes if node.id == last.node)
    why = ", by definition (lost_at)" if node.is_lost_at else ""
    total = spec.header.n_lost
    part = (
        f"{share(last.n_journeys / total)} of the {count(total)} lost" if total else "the most of any touchpoint shown"
    )
    often = "Most often lost after" if _is_surely(last.n_journeys, ends, total) else "Often lost after"
    said = f"{plural(last.n_journeys, 'journey')}, {part}{why}"
    return KeyFigure(often, legible(node.touchpoint), said, is_text=True)


def _cost(spec: MapSpecification) -> KeyFigure | None:
    drop = worst_place(spec)
    if drop is None:
        return None
    stake = drop.value_at_stake
    name, tone = ("What it costs", "loss") if is_claimed(drop) else ("What it may cost", "")
    if stake is None or stake.value is None:
        total = spec.header.n_lost
        part = f"{share((drop.n_lost or 0) / total)} of all {count(total)} lost; " if total else ""
        return KeyFigure(name, plural(drop.n_lost, "journey"), f"{part}{legible(_unpriced(spec, stake))}", tone)
    sure = money_interval(stake, spec.header.currency)
    level = f"{spec.header.confidence * 100:g}{chr(160)}% interval {sure}" if stake.has_interval else sure
    chance = ", may be chance" if drop.significant is False and stake.value > 0 else ""
    said = f"value at stake there{chance}; {level}"
    return KeyFigure(name, money(stake, spec.header.currency), said, tone)


def _unpriced(spec: MapSpecification, stake: Estimate | None) -> str:
    """Why nothing is told of what a place costs."""
    if any(hint.row == "value" for hint in spec.hints):
        return "a value column would price it"
    if stake is not None and stake.reason == WITHHELD:
        return f"the money is {WITHHELD}"
    return stake.reason if stake is not None and stake.reason else "nothing comparable would price it"


def _mend(spec: MapSpecification) -> KeyFigure | None:
    found = first_opportunity(spec)
    if found is None:
        return None
    owner = f"Owner: {legible(found.owner)}" if found.owner else "No owner named yet"
    return KeyFigure(
        "Mend first",
        legible(found.title),
        f"{owner}; {stake_words(found, spec.header.currency)}".rstrip("; "),
        is_text=True,
    )


def stake_words(found: Opportunity, currency: str) -> str:
    """Word what an opportunity is worth."""
    if found.value_at_stake is not None and found.value_at_stake.value is not None:
        sure = money_interval(found.value_at_stake, currency)
        return f"worth {money(found.value_at_stake, currency)}" + (f" ({sure})" if sure else "")
    if found.journeys_at_stake is not None and found.journeys_at_stake.value is not None:
        at_stake = found.journeys_at_stake
        low, high = at_stake.lower, at_stake.upper
        sure = f" ({value_or_dash(low, 0)} to {value_or_dash(high, 0)})" if low is not None and high is not None else ""
        return f"{count(at_stake.value)} journeys at stake{sure}"
    return ""
