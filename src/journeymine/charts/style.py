"""The one house style of the charts: type, ink, the colour of what is measured, and how far marks stand apart."""

from __future__ import annotations

from typing import Any

__all__ = ["ACCENT", "FONT", "INK", "INTERVAL", "LINE", "QUIET", "styled"]

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, 'DejaVu Sans', sans-serif"
INK, QUIET, LINE = "#1c2024", "#4d545c", "#dddad4"
ACCENT = "#3a6ea5"
"""What is measured; told from the paper by lightness too, so no colour deficiency hides it."""
INTERVAL = "#1c2024"
"""Intervals are drawn in ink over what is measured."""


def styled(chart: Any) -> Any:
    """The chart in the house style: no frame, faint grid, titles to the left."""
    return (
        chart.configure(font=FONT, background="white", padding=12)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=QUIET, titleColor=QUIET, titleFontWeight="normal", labelFontSize=12, titleFontSize=12,
            domain=False, ticks=False, gridColor=LINE, labelLimit=260,
        )
        .configure_title(
            anchor="start", color=INK, fontSize=15, fontWeight="bold", subtitleColor=QUIET, subtitleFontSize=12,
            offset=14, subtitlePadding=6,
        )
        .configure_header(
            labelColor=INK, labelFontSize=12, labelFontWeight="bold", labelAnchor="start", title=None, labelLimit=360
        )
    )  # fmt: skip
