"""Draw the rows above the lanes: stage names, how many reach each stage, how many go on and convert, how long it takes.

A row is a height and its markup, drawn from y = 0; `svg` stacks them. A row that no stage has a figure for is not
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeymine.maps.evidence import NEARLY_ALL
from journeymine.maps.markup import NOTHING, Svg, element, group, join, label, number, title
from journeymine.maps.text_metrics import fit, width, wrap
from journeymine.maps.wording import UNKNOWN_FIGURE, count, duration, legible, plural, share, share_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeymine.maps.evidence import Estimate
    from journeymine.maps.layout import Column, MapLayout
    from journeymine.maps.specification import MapSpecification, Stage

__all__ = ["Row", "row_label", "stage_rows", "whisker"]

_RIVER = 38.0


@dataclass(frozen=True, slots=True)
class Row:
    """A horizontal strip of the map; `pinned` names it in the margin and stays in sight when a wide map scrolls."""

    name: str
    height: float
    markup: Svg
    pinned: Svg = NOTHING


def stage_rows(spec: MapSpecification, layout: MapLayout) -> list[Row]:
    """Draw the rows above the lanes, in the order in which professional maps have them."""
    pairs = list(zip(spec.stages, layout.columns, strict=True))
    rows = [_names(pairs, layout, "Usual order" if spec.stages_are == "typical_order" else "")]
    if any(stage.n_reached is not None for stage in spec.stages):
        rows.append(_reach(spec, pairs))
    if any(stage.went_on is not None for stage in spec.stages):
        rows.append(_shares("Go on to a later stage", pairs, lambda stage: stage.went_on))
    if any(stage.converted_later is not None for stage in spec.stages):
        rows.append(_shares("Convert later", pairs, lambda stage: stage.converted_later))
    if any(stage.dwell_p50_s is not None for stage in spec.stages):
        rows.append(_dwell(pairs))
    return rows


def row_label(text: str, y: float = 18.0) -> Svg:
    """Name a row in the left margin, on two lines if it must."""
    return join(*(label(0, y + 13 * i, line, "row") for i, line in enumerate(wrap(text, 11, 112, lines=2, bold=True))))


def whisker(x: float, y: float, room: float, estimate: Estimate | None, *, tone: str = "") -> Svg:
    """Draw a share on a 0–100 % line: the interval as a band, the estimate as a tick."""
    track = element("rect", x=x, y=y - 1, width=room, height=2, rx=1, class_="track")
    if estimate is None or estimate.value is None:
        return track
    parts = [track]
    if estimate.lower is not None and estimate.upper is not None:
        low, high = _clip(estimate.lower), _clip(estimate.upper)
        parts.append(
            element(
                "rect",
                x=x + room * low,
                y=y - 3.5,
                width=max(room * (high - low), 1.5),
                height=7,
                rx=2,
                class_=f"span {tone}".strip(),
            )
        )
    parts.append(
        element(
            "rect",
            x=x + room * _clip(estimate.value) - 1.25,
            y=y - 5.5,
            width=2.5,
            height=11,
            rx=1,
            class_=f"tick {tone}".strip(),
        )
    )
    return group(title(f"{share(estimate)} ({share_interval(estimate)})"), *parts)


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _names(pairs: list[tuple[Stage, Column]], layout: MapLayout, margin: str) -> Row:
    parts: list[Svg] = []
    for i, (stage, column) in enumerate(pairs):
        left, right = column.x - 4, column.x + column.width + layout.gutter - 10
        point, notch = 11.0, 0.0 if i == 0 else 11.0
        shape = (
            f"M{number(left)} 0H{number(right - point)}L{number(right)} 17L{number(right - point)} 34H{number(left)}"
            f"L{number(left + notch)} 17Z"
        )
        goal = " goal" if stage.is_goal else ""
        name = legible(stage.name) or f"Step {i + 1}"
        parts.append(
            group(
                title(name),
                element("path", d=shape, class_=f"chevron{goal}"),
                label(left + 20, 21.5, fit(name, 13, right - left - 44, bold=True), "t13 on-goal" if goal else "t13"),
            )
        )
    return Row("stages", 44.0, join(*parts), row_label(margin, 21.5) if margin else NOTHING)


def _reach(spec: MapSpecification, pairs: list[tuple[Stage, Column]]) -> Row:
    """Write how many reach each stage over a river as wide as they are many; what is lost drips out below."""
    widest = max(stage.n_reached or 0 for stage, _ in pairs) or 1
    most = max(widest, spec.header.n_mature or 0) if any(map(_nearly_all, (stage for stage, _ in pairs))) else widest
    base, parts = 50.0 + _RIVER, []
    sizes = [most if _nearly_all(stage) else stage.n_reached or 0 for stage, _ in pairs]
    tops = [base - _RIVER * size / most for size in sizes]
    path = f"M{number(pairs[0][1].x)} {number(base)}V{number(tops[0])}"
    for i, (_, column) in enumerate(pairs):
        edge = column.x + column.width
        path += f"H{number(edge)}"
        if i + 1 < len(pairs):
            ahead = pairs[i + 1][1].x
            middle = (edge + ahead) / 2
            path += f"C{number(middle)} {number(tops[i])} {number(middle)} {number(tops[i + 1])} {number(ahead)} {number(tops[i + 1])}"
    parts.append(element("path", d=f"{path}V{number(base)}Z", class_="river"))
    for stage, column in pairs:
        parts.append(label(column.x + 2, 20, "nearly all" if _nearly_all(stage) else count(stage.n_reached), "t18"))
        reached = stage.reached.value if stage.reached else None
        whose = "of mature journeys"
        if reached is None and spec.header.n_journeys and stage.n_reached is not None:
            reached, whose = stage.n_reached / spec.header.n_journeys, "of journeys"
        if reached is not None:
            parts.append(label(column.x + 2, 36, fit(f"{share(reached)} {whose}", 11, column.width), "quiet"))
        if stage.n_lost_here:
            deep = max(3.0, _RIVER * stage.n_lost_here / most)
            edge = column.x + column.width
            drip = (
                f"M{number(edge - 26)} {number(base)}C{number(edge - 8)} {number(base)} {number(edge)} "
                f"{number(base + deep * 0.4)} {number(edge)} {number(base + deep)}C{number(edge + 2)} "
                f"{number(base + deep * 0.4)} {number(edge + 4)} {number(base)} {number(edge + 10)} {number(base)}Z"
            )
            parts.append(
                group(
                    title(f"{plural(stage.n_lost_here, 'journey')} lost here"), element("path", d=drip, class_="drip")
                )
            )
    deepest = max((_RIVER * (stage.n_lost_here or 0) / most for stage, _ in pairs), default=0.0)
    return Row("reach", base + max(8.0, deepest) + 8, join(*parts), row_label("Journeys that reach the stage"))


def _nearly_all(stage: Stage) -> bool:
    """Whether its size is withheld because too few journeys stay out of it."""
    return stage.n_reached is None and stage.reached is not None and stage.reached.reason.startswith(NEARLY_ALL)


def _shares(name: str, pairs: list[tuple[Stage, Column]], of: Callable[[Stage], Estimate | None]) -> Row:
    parts: list[Svg] = []
    for stage, column in pairs:
        estimate = of(stage)
        if estimate is None:
            continue
        text = share(estimate)
        parts.append(label(column.x + 2, 18, text, "t13"))
        room = column.width - 12 - width(text, 13, bold=True)
        parts.append(
            label(column.x + 10 + width(text, 13, bold=True), 18, fit(share_interval(estimate), 11, room), "quiet")
        )
        parts.append(whisker(column.x + 2, 30, column.width - 4, estimate))
    return Row(name, 46.0, join(*parts), row_label(name))


def _dwell(pairs: list[tuple[Stage, Column]]) -> Row:
    parts: list[Svg] = []
    for stage, column in pairs:
        if stage.dwell_p50_s is None:
            parts.append(label(column.x + 2, 18, UNKNOWN_FIGURE, "quiet"))
            continue
        if not stage.dwell_p50_s and not stage.dwell_p90_s:
            parts.append(label(column.x + 2, 18, "a moment", "t13"))
            parts.append(label(column.x + 2, 33, fit("one step for most", 11, column.width), "quiet"))
            continue
        parts.append(label(column.x + 2, 18, f"{duration(stage.dwell_p50_s)}", "t13"))
        slow = f"1 in 10 over {duration(stage.dwell_p90_s)}" if stage.dwell_p90_s is not None else "median"
        parts.append(label(column.x + 2, 33, fit(slow, 11, column.width), "quiet"))
    return Row("dwell", 44.0, join(*parts), row_label("Time in the stage"))
