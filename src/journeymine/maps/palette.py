"""Colours and type of the map: one restrained set for light, one for dark.

Lane colours keep apart under the common colour deficiencies by lightness as much as by hue, and never carry meaning
alone: every lane is labelled. Text colours reach 4.5 : 1 on their ground (WCAG 2.2, success criterion 1.4.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DARK", "FONT", "LIGHT", "N_LANE_COLOURS", "lane_css", "resolve", "variables"]

FONT = (
    "Inter, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, 'DejaVu Sans Condensed', "
    "'DejaVu Sans', 'Noto Color Emoji', sans-serif"
)

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#ffffff",
        "ground": "#faf9f7",
        "wash": "#f4f3f0",
        "line": "#dddad4",
        "ink": "#1c2024",
        "ink2": "#4d545c",
        "ink3": "#686f77",
        "accent": "#23598f",
        "loss": "#a32f12",
        "back": "#8a5a00",
        "good": "#0c6b5c",
        "lane0": "#3a6ea5",
        "lane1": "#0f8b7e",
        "lane2": "#c08a1e",
        "lane3": "#7d57a8",
        "lane4": "#bd5a86",
        "lane5": "#5f8a34",
        "lane6": "#4aa3cf",
        "lane7": "#7b6b58",
        "lane8": "#2e3f73",
        "lane9": "#9aa11f",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#1a1d21",
        "ground": "#131518",
        "wash": "#22262b",
        "line": "#363b42",
        "ink": "#eeece8",
        "ink2": "#b9bec5",
        "ink3": "#949ba4",
        "accent": "#7fb2e5",
        "loss": "#ff8b6b",
        "back": "#e0b25a",
        "good": "#5cc9b2",
        "lane0": "#6fa3da",
        "lane1": "#3fbfae",
        "lane2": "#e3b04b",
        "lane3": "#b190dc",
        "lane4": "#e389b2",
        "lane5": "#93c25f",
        "lane6": "#86cdf0",
        "lane7": "#b5a48f",
        "lane8": "#8f9fd9",
        "lane9": "#cdd35a",
    }
)
N_LANE_COLOURS = 10


def variables(colours: Mapping[str, str]) -> str:
    """Write the colours as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in {**colours, "font": FONT}.items())


def lane_css() -> str:
    """Write the rules that colour what belongs to a lane."""
    return "".join(
        f".jm .c{i} .fill{{fill:var(--lane{i})}}.jm .c{i}.same path{{stroke:var(--lane{i})}}"
        f".jm .c{i}.same .hit{{stroke:transparent}}.jm .c{i}.same .tip{{fill:var(--lane{i})}}"
        for i in range(N_LANE_COLOURS)
    )


def resolve(css: str, colours: Mapping[str, str]) -> str:
    """Put the colours themselves where the CSS names them, for programs that know no custom properties.

    >>> resolve("a{fill:var(--paper)}", LIGHT)
    'a{fill:#ffffff}'
    """
    values = {**colours, "font": FONT}
    return re.sub(r"var\(--(\w+)\)", lambda match: values[match.group(1)], css)
