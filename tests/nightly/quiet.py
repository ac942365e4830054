"""Quiet years: nights as the manifest holds them, with growth, a weekly rhythm, and more scatter than chance alone."""

from __future__ import annotations

from typing import Any

import numpy as np

PLACES = {
    "look × web": (0.62, 900),
    "look × app": (0.55, 500),
    "choose × web": (0.35, 420),
    "choose × app": (0.30, 260),
}
WEEK = np.array([1.0, 0.95, 0.97, 1.0, 1.15, 1.3, 1.2])


def quiet_nights(draw: np.random.Generator, n_nights: int) -> list[dict[str, Any]]:
    """Nights on which nothing is the matter."""
    growth = np.exp(np.linspace(0, 0.7, n_nights)) * (1 + 0.15 * np.sin(np.arange(n_nights) / 58))
    nights = []
    for k in range(n_nights):
        level = growth[k] * WEEK[k % 7] * np.exp(draw.normal(0, 0.05))
        rows = int(draw.poisson(5_000 * level))
        onward = {}
        for place, (share, users) in PLACES.items():
            n = int(draw.poisson(users * level))
            weekly = 0.02 * np.cos(2 * np.pi * (k % 7) / 7)
            onward[place] = [n, int(draw.binomial(n, np.clip(share + weekly + draw.normal(0, 0.008), 0, 1)))]
        aside = int(draw.binomial(rows, 0.01 * np.exp(draw.normal(0, 0.2))))
        nights.append(
            {"id": k + 1, "accepted": rows - aside, "rows_read": rows, "quarantined": {"user missing": aside},
             "missing": 0, "new_labels": {}, "onward": onward}
        )  # fmt: skip
    return nights
