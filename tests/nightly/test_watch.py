"""A quiet night flags something as rarely as is said; a fault shows on the night it happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from journeymine.nightly.watch import FEWEST_NIGHTS, Series, compare, series_of_nights, unseen, watch
from tests.nightly.quiet import quiet_nights

RATE = 0.01


def flags_on(nights: list[dict[str, Any]], night: int) -> list[Any]:
    """What the night would have flagged, from what was known then."""
    known = nights[max(0, night - 80) : night + 1]
    weekdays = [each["id"] % 7 for each in known]
    return watch(series_of_nights(known, weekdays), RATE)[0]


def share_of_false_alarms(n_years: int, every: int) -> tuple[float, int]:
    alarms = nights_judged = 0
    for year in range(n_years):
        nights = quiet_nights(np.random.default_rng(1_000 + year), 365)
        for night in range(FEWEST_NIGHTS + 30 + year % every, 365, every):
            alarms += bool(flags_on(nights, night))
            nights_judged += 1
    return alarms / nights_judged, nights_judged


def test_quiet_nights_rarely_flag_anything() -> None:
    share, judged = share_of_false_alarms(6, 7)
    assert judged > 200
    assert share <= RATE + 3 * np.sqrt(RATE * (1 - RATE) / judged)


@pytest.mark.evidence
def test_two_hundred_quiet_years_keep_the_stated_rate() -> None:
    share, judged = share_of_false_alarms(200, 3)
    assert judged > 15_000
    assert share <= RATE + 2 * np.sqrt(RATE * (1 - RATE) / judged)
    assert share > RATE / 10, "a watch that never wakes is none"


@pytest.mark.parametrize("seed", range(4))
def test_a_fault_is_flagged_the_night_it_happens(seed: int) -> None:
    nights = quiet_nights(np.random.default_rng(seed), 90)
    n, _ = nights[-1]["onward"]["choose × app"]
    nights[-1]["onward"]["choose × app"] = [n, n // 10]
    found = flags_on(nights, 89)
    assert [(flag.what, flag.place) for flag in found] == [("went on", "choose × app")]
    assert found[0].figure < found[0].lower < found[0].expected < found[0].upper
    assert "choose × app: 10" in found[0].message or "choose × app: 9" in found[0].message


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("volume", lambda night: night.update(accepted=night["accepted"] // 2)),
        ("quarantine share", lambda night: night.update(quarantined={"touchpoint missing": night["rows_read"] // 10})),
    ],
)
def test_a_broken_feed_is_flagged(what: str, change: Any) -> None:
    nights = quiet_nights(np.random.default_rng(5), 90)
    change(nights[-1])
    assert what in [flag.what for flag in flags_on(nights, 89)]


def test_a_weekend_is_compared_with_weekends() -> None:
    weekday = np.arange(64) % 7
    hits = np.where(weekday >= 5, 3_000.0, 1_000.0)
    draw = np.random.default_rng(2)
    series = Series("volume", "", weekday, hits + draw.integers(-30, 30, 64), None)
    usual = compare(series)
    assert usual is not None
    assert usual.p > 0.01
    hits[-1] = 3_000.0 if weekday[-1] < 5 else 1_000.0
    odd = compare(Series("volume", "", weekday, hits + draw.integers(-30, 30, 64), None))
    assert odd is not None
    assert odd.p < 1e-6


def test_too_little_history_says_nothing() -> None:
    nights = quiet_nights(np.random.default_rng(6), FEWEST_NIGHTS)
    assert watch(series_of_nights(nights, [n["id"] % 7 for n in nights]), RATE) == ([], 0)


def test_new_labels_are_told_after_a_fortnight() -> None:
    nights = quiet_nights(np.random.default_rng(7), 20)
    nights[-1]["new_labels"] = {"channel": ["kiosk"], "touchpoint": ["</script>"]}
    assert [(flag.what, flag.place) for flag in unseen(nights)] == [
        ("unseen channel", "kiosk"),
        ("unseen touchpoint", "</script>"),
    ]
    assert not unseen(nights[-5:])
