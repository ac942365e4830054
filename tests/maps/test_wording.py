from __future__ import annotations

import math
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from journeymine.charts.labels import figure_of
from journeymine.maps.text_metrics import fit, width, wrap
from journeymine.maps.wording import compact, count, duration, legible, money, share
from tests.maps.fixtures import HOSTILE


@given(st.text())
def test_legible_text_has_no_controls_and_stays_legible(text: str) -> None:
    once = legible(text)
    assert legible(once) == once
    assert len(once) == len(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in once)


@given(st.text(min_size=1), st.floats(20, 300))
def test_cut_text_fits(text: str, room: float) -> None:
    assert width(fit(text, 12, room), 12) <= room + 1e-9
    assert all(width(line, 12) <= room + 1e-9 for line in wrap(text, 12, room, lines=3))
    assert len(wrap(text, 12, room, lines=3)) <= 3


def test_hostile_names_are_cut_without_breaking() -> None:
    for name in HOSTILE:
        assert width(fit(legible(name), 12, 90), 12) <= 90


@given(st.floats(0, 1))
def test_a_share_is_written_within_its_last_digit(value: float) -> None:
    assert abs(float(share(value).split("\u00a0")[0].lstrip("<>")) - value * 100) <= 0.0501


@given(st.integers(1, 10**9), st.data())
def test_nobody_and_everybody_are_told_of_nobody_and_everybody_only(n: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, n) | st.integers(0, min(n, 5)) | st.integers(max(n - 5, 0), n))
    assert (share(part / n) == "0\u00a0%") == (part == 0)
    assert (share(part / n) == "100\u00a0%") == (part == n)
    assert (figure_of(part / n, "percent") == "0 %") == (part == 0)
    assert (figure_of(part / n, "percent") == "100 %") == (part == n)


@given(st.floats(1, 3e8))
def test_a_duration_is_written_within_one_part_in_twenty(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    total = sum(float(part.split("\u00a0")[0].replace(",", "")) * units[part.split("\u00a0")[1]]
                for part in duration(seconds).split(" "))  # fmt: skip
    assert math.isclose(total, seconds, rel_tol=0.055, abs_tol=0.5)


@given(st.floats(0.01, 1e12))
def test_money_keeps_three_figures(value: float) -> None:
    text = money(value, "EUR").removeprefix("€")
    number, _, unit = text.partition("\u00a0")
    assert math.isclose(
        float(number.replace(",", "")) * {"": 1, "M": 1e6, "bn": 1e9}[unit], value, rel_tol=0.006, abs_tol=0.0051
    )


def test_large_counts_are_short_and_whole_counts_whole() -> None:
    assert [compact(n) for n in (0, 12, 1_500, 99_950, 2_000_000_000)] == ["0", "12", "1.5k", "100k", "2B"]
    assert count(1_234_567) == "1,234,567"
