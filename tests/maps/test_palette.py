from __future__ import annotations

from collections.abc import Mapping

import pytest

from journeymine.maps.palette import DARK, LIGHT, N_LANE_COLOURS, resolve
from journeymine.maps.svg import map_css
from journeymine.maps.svg_lanes import HEAT_MOST

RGB = tuple[float, float, float]


def rgb(colour: str) -> RGB:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def blend(top: RGB, ground: RGB, opacity: float) -> RGB:
    red, green, blue = (opacity * a + (1 - opacity) * b for a, b in zip(top, ground, strict=True))
    return red, green, blue


def contrast(a: RGB, b: RGB) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: RGB) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast(rgb("#ffffff"), rgb("#000000")) == pytest.approx(21)
    assert contrast(rgb("#ffffff"), rgb("#767676")) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(colours: Mapping[str, str]) -> None:
    for text in ("ink", "ink2", "ink3", "accent", "loss", "good", "back"):
        for ground in ("paper", "ground", "wash"):
            assert contrast(rgb(colours[text]), rgb(colours[ground])) >= 4.5, (text, ground)
    heat = blend(rgb(colours["loss"]), rgb(colours["wash"]), HEAT_MOST)
    assert contrast(rgb(colours["loss"]), heat) >= 4.5
    assert contrast(rgb(colours["paper"]), rgb(colours["ink"])) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_lanes_stand_out_and_apart(colours: Mapping[str, str]) -> None:
    lanes = [colours[f"lane{i}"] for i in range(N_LANE_COLOURS)]
    assert len(set(lanes)) == N_LANE_COLOURS
    assert all(contrast(rgb(lane), rgb(colours["paper"])) >= 2.5 for lane in lanes)


def test_both_sets_name_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)
    assert "var(" not in resolve(map_css(), LIGHT) + resolve(map_css(), DARK)
