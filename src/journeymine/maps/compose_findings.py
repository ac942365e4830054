"""Pain points and moments of truth of a map: only what the data carries after asking about everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from journeymine.maps.compose_places import estimate
from journeymine.maps.evidence import Estimate
from journeymine.maps.findings import MomentOfTruth, PainPoint
from journeymine.maps.wording import NBSP, legible, plural, share
from journeymine.percents import percent

__all__ = ["moments_of_truth", "pain_points"]

FALSE_DISCOVERY = 0.05
"""Of what is named, the share that may be named by chance (Benjamini–Hochberg)."""
MOST = 6
_WORDS = {
    "repeat": "{touchpoint}, again at once",
    "loop": "Back to {touchpoint} after something else",
    "back_step": "A step back from {touchpoint}",
    "wait": "A long wait after {touchpoint}",
    "abandoned_session": "A session left at {touchpoint}",
    "detour": "A detour by {touchpoint}",
}


def pain_points(
    friction: pl.DataFrame | None, handoffs: pl.DataFrame | None, owners: Mapping[str, str], *, is_rounded: bool
) -> tuple[PainPoint, ...]:
    """Frictions that lower conversion and crossings that lose more than other arrivals, the costliest first."""
    found: list[tuple[float, dict[str, Any]]] = []
    if friction is not None:
        sure = friction.filter((pl.col("p_adjusted") < FALSE_DISCOVERY) & (pl.col("difference") < 0))
        found += [
            (row["conversions_at_stake"] or 0.0, _friction(row, owners, is_rounded))
            for row in sure.iter_rows(named=True)
        ]
    if handoffs is not None:
        sure = handoffs.filter((pl.col("p_lost_adjusted") < FALSE_DISCOVERY) & (pl.col("lost_excess") > 0))
        found += [
            (row["n_arrivals"] * row["lost_excess"] * row["converted_without"], _handoff(row, is_rounded))
            for row in sure.iter_rows(named=True)
        ]
    ranked = sorted(found, key=lambda item: (-item[0], item[1]["title"]))[:MOST]
    return tuple(PainPoint(rank=rank, **fields) for rank, (_, fields) in enumerate(ranked, 1))


def _of(n: int, is_rounded: bool, what: str = "journey") -> str:
    return f"{'about' if is_rounded else 'the'} {plural(n, what)}"


def _percent(value: float) -> str:
    """A share in words; a whole per cent without its zero, since it may be a rounded one."""
    return share(value).replace(f".0{NBSP}%", f"{NBSP}%")


def _friction(row: Mapping[str, Any], owners: Mapping[str, str], is_rounded: bool) -> dict[str, Any]:
    name = legible(row["touchpoint"])
    words = _WORDS.get(row["friction"], "{touchpoint} ({friction})")
    return {
        "title": words.format(touchpoint=name, friction=row["friction"]),
        "evidence": f"{_percent(row['converted_with'])} of {_of(row['n'], is_rounded)} that meet it convert, "
        f"{_percent(row['converted_without'])} of the others that came as far",
        "stage": _stage(row["stage"]),
        "channel": row["channel"],
        "touchpoint": row["touchpoint"],
        "owner": owners.get(row["touchpoint"], ""),
        "n_journeys": row["n_journeys"],
        "effect": estimate(row, "difference"),
    }


def _handoff(row: Mapping[str, Any], is_rounded: bool) -> dict[str, Any]:
    return {
        "title": f"The hand-over from {legible(row['from'])} to {legible(row['to'])}",
        "evidence": f"{_percent(row['lost_otherwise'] + row['lost_excess'])} of {_of(row['n_arrivals'], is_rounded, 'arrival')} "
        f"by it are lost at once, {_points(row['lost_excess'])} points more than of the others that arrive there",
        "stage": _stage(row["stage"]),
        "channel": row["to"],
        "n_journeys": row["n_journeys"],
        "effect": Estimate(
            value=-row["lost_excess"],
            lower=_negative(row["lost_excess_upper"]),
            upper=_negative(row["lost_excess_lower"]),
            n=row["n_arrivals"],
        ),
    }


def _negative(limit: float | None) -> float | None:
    """The other limit of the opposite; None where there is no interval."""
    return None if limit is None else -limit


def _points(difference: float) -> str:
    return percent(difference).removesuffix(".0")


def moments_of_truth(points: pl.DataFrame | None, *, is_rounded: bool) -> tuple[MomentOfTruth, ...]:
    """Touchpoints that tell converting journeys from the others most surely."""
    if points is None:
        return ()
    sure = points.filter((pl.col("p_adjusted") < FALSE_DISCOVERY) & pl.col("lift_lower").is_not_null()).sort(
        "information_gain_bits", "label", descending=[True, False]
    )
    return tuple(
        MomentOfTruth(
            rank=rank,
            title=legible(row["label"]),
            evidence=f"{_percent(row['converted_with'])} of {_of(row['n'], is_rounded)} that pass it convert, "
            f"{_percent(row['converted_without'])} of the others that came as far",
            stage=_stage(row["stage"]),
            touchpoint=row["label"],
            n_journeys=row["n_journeys"],
            lift=Estimate(value=row["lift"], lower=row["lift_lower"], upper=row["lift_upper"], n=row["n"]),
        )
        for rank, row in enumerate(sure.head(MOST).iter_rows(named=True), 1)
    )


def _stage(name: str) -> str:
    return "" if name.startswith("(everywhere") else name
