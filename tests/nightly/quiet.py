"""Quiet years: nights as the manifest holds them, with growth, a weekly rhythm, and more scatter than chance alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from journeymine.nightly.watch import Flag, Series, series_of_nights, watch

PLACES = {
    "look × web": (0.62, 900),
    "look × app": (0.55, 500),
    "choose × web": (0.35, 420),
    "choose × app": (0.30, 260),
}
LOST = {"look × web": (0.30, 600), "look × app": (0.34, 330), "choose × web": (0.22, 280), "choose × app": (0.26, 170)}
WEEK = np.array([1.0, 0.95, 0.97, 1.0, 1.15, 1.3, 1.2])


def scattered(draw: np.random.Generator, night: int) -> float:
    """By what a night's volume lies off its level, on the log scale."""
    return float(draw.normal(0, 0.05))


def with_heavy_tails(draw: np.random.Generator, night: int) -> float:
    """The same, where a night may lie far off for no reason: Student's t with three degrees of freedom."""
    return float(0.05 * draw.standard_t(3))


def now_and_then_wild(draw: np.random.Generator, night: int) -> float:
    """The same, where one night in twenty scatters six times as much."""
    return float(draw.normal(0, 0.05 if draw.random() < 0.95 else 0.3))


def with_sales(draw: np.random.Generator, night: int) -> float:
    """The same, where every thirtieth night has three times as many."""
    return scattered(draw, night) + (np.log(3) if is_sale(night) else 0.0)


def is_sale(night: int) -> bool:
    return night % 30 == 29


def quiet_nights(
    draw: np.random.Generator, n_nights: int, scatter: Callable[[np.random.Generator, int], float] = scattered
) -> list[dict[str, Any]]:
    """Nights on which nothing is the matter."""
    growth = np.exp(np.linspace(0, 0.7, n_nights)) * (1 + 0.15 * np.sin(np.arange(n_nights) / 58))
    nights = []
    for k in range(n_nights):
        level = growth[k] * WEEK[k % 7] * np.exp(scatter(draw, k))
        rows = int(draw.poisson(5_000 * level))
        onward = {}
        for place, (share, users) in PLACES.items():
            n = int(draw.poisson(users * level))
            weekly = 0.02 * np.cos(2 * np.pi * (k % 7) / 7)
            onward[place] = [n, int(draw.binomial(n, np.clip(share + weekly + draw.normal(0, 0.008), 0, 1)))]
        lost = {}
        for place, (share, journeys) in LOST.items():
            n = int(draw.poisson(journeys * level))
            lost[place] = [n, int(draw.binomial(n, np.clip(share + draw.normal(0, 0.008), 0, 1)))]
        aside = int(draw.binomial(rows, 0.01 * np.exp(draw.normal(0, 0.2))))
        nights.append(
            {"id": k + 1, "accepted": rows - aside, "rows_read": rows, "quarantined": {"user missing": aside},
             "missing": 0, "new_labels": {}, "onward": onward, "lost": lost}
        )  # fmt: skip
    return nights


def flags_on(nights: Sequence[dict[str, Any]], night: int, rate: float) -> list[Flag]:
    """What a report on this night would have flagged, from what was known then."""
    known = nights[max(0, night - 80) : night + 1]
    weekday = [each["id"] % 7 for each in known]
    lost = [
        Series("lost, mature", place, np.array(weekday), *(
            np.array([each["lost"][place][k] for each in known], dtype=np.float64) for k in (1, 0)
        ))
        for place in LOST
    ]  # fmt: skip
    return watch([*series_of_nights(known, weekday), *lost], rate)[0]
