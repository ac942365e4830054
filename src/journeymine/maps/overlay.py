"""Paths laid over the touchpoints of a map: the journey as it was planned, or journeys that stand for many.

This is the place in the specification for what finds such paths. A map without overlays says and draws nothing of them,
and a renderer leaves out kinds that it does not know, so that a kind can be added without a new version of the JSON
form.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS", "Overlay", "OverlayPath"]

KINDS = {"planned": "planned journey", "representative": "representative journey"}
"""Kinds of overlay that are drawn, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayPath:
    """One path: ids of touchpoints (`Node.id`) in order, and the share (0–1) of journeys that it stands for, if it does.

    Figures in `label` and `share` are shown as they are: who makes the overlay sees to it that enough users stand
    behind them.
    """

    nodes: tuple[str, ...]
    label: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Paths of one kind (see `KINDS`; others are kept and not drawn)."""

    kind: str
    paths: tuple[OverlayPath, ...]
    label: str = ""
