"""A quiet night flags something as rarely as is said; a fault shows on the night it happens."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from journeymine.nightly.watch import FEWEST_NIGHTS, Series, compare, series_of_nights, unseen, watch
from tests.nightly.quiet import (
    flags_on,
    is_sale,
    now_and_then_wild,
    quiet_nights,
    scattered,
    with_heavy_tails,
    with_sales,
)

RATE = 0.01


WARM_UP = 56


def alarms_of_a_year(seed: int) -> int:
    """Nights out of 365 on which a year without any fault was flagged, once there is history to compare with."""
    return len(flagged_in_a_year(seed, scattered))


def flagged_in_a_year(seed: int, scatter: Any) -> list[int]:
    """The nights of such a year that were flagged."""
    nights = quiet_nights(np.random.default_rng(seed), WARM_UP + 365, scatter)
    return [night for night in range(WARM_UP, WARM_UP + 365) if flags_on(nights, night, RATE)]


def test_quiet_nights_rarely_flag_anything() -> None:
    share = alarms_of_a_year(999) / 365
    assert share <= RATE + 3 * np.sqrt(RATE * (1 - RATE) / 365)


@pytest.mark.evidence
def test_two_hundred_quiet_years_keep_the_stated_rate() -> None:
    alarms = np.array([alarms_of_a_year(1_000 + year) for year in range(200)])
    share, error = alarms.mean() / 365, alarms.std(ddof=1) / np.sqrt(200) / 365
    sys.stdout.write(
        f"{alarms.sum()} of {200 * 365:,} quiet nights flagged: {share:.2%} ± {1.96 * error:.2%}; "
        f"a year has {alarms.min()} to {alarms.max()}\n"
    )
    assert share <= RATE + 2 * error
    assert share > RATE / 10, "a watch that never wakes is none"


@pytest.mark.evidence
@pytest.mark.parametrize(
    ("scatter", "least", "most"),
    [(with_heavy_tails, 0.012, 0.02), (now_and_then_wild, 0.017, 0.027)],
    ids=["tails", "wild"],
)
def test_volume_that_jumps_by_itself_is_flagged_more_often_than_stated(scatter: Any, least: float, most: float) -> None:
    """What docs/nightly.md says of it: the rate is that of normal scatter."""
    shares = [len(flagged_in_a_year(2_000 + year, scatter)) / 365 for year in range(100)]
    error = 1.96 * np.std(shares, ddof=1) / 10
    sys.stdout.write(f"{scatter.__name__}: {np.mean(shares):.2%} ± {error:.2%} of 36,500 nights flagged\n")
    assert least < np.mean(shares) < most


@pytest.mark.evidence
def test_a_sale_is_flagged_each_time_and_raises_no_other_alarm() -> None:
    years = [flagged_in_a_year(3_000 + year, with_sales) for year in range(100)]
    sales = [night for night in range(WARM_UP, WARM_UP + 365) if is_sale(night)]
    missed = sum(sale not in year for year in years for sale in sales)
    others = sum(not is_sale(night) for year in years for night in year) / 100 / (365 - len(sales))
    sys.stdout.write(f"{missed} of {100 * len(sales)} sales missed; of the other nights {others:.2%} flagged\n")
    assert not missed
    assert others <= RATE


def set_aside(night: dict[str, Any], share: float) -> None:
    aside = round(night["rows_read"] * share)
    night.update(accepted=night["rows_read"] - aside, quarantined={"touchpoint missing": aside})


def went_on(night: dict[str, Any], left: float) -> None:
    n, went = night["onward"]["choose × app"]
    night["onward"]["choose × app"] = [n, round(went * left)]


FAULTS: dict[str, tuple[str, Any]] = {
    "half the rows missing": ("volume", lambda night: night.update(accepted=night["accepted"] // 2)),
    "a fifth of the rows missing": ("volume", lambda night: night.update(accepted=night["accepted"] * 4 // 5)),
    "5 % set aside instead of 1 %": ("quarantine share", lambda night: set_aside(night, 0.05)),
    "nobody goes on from a small place": ("went on", lambda night: went_on(night, 0.0)),
    "half as many go on from a small place": ("went on", lambda night: went_on(night, 0.5)),
    "a quarter fewer go on from a small place": ("went on", lambda night: went_on(night, 0.75)),
}
LARGE = [fault for fault in FAULTS if "fifth" not in fault and "quarter" not in fault]


def flagged_within(fault: str, seeds: range) -> tuple[float, float]:
    """Shares of the seeds in which a fault that lasts two nights is flagged on the first, and on the first or second."""
    what, change = FAULTS[fault]
    first = second = 0
    for seed in seeds:
        nights = quiet_nights(np.random.default_rng(seed), 92)
        for night in nights[90:]:
            change(night)
        seen = [any(flag.what == what for flag in flags_on(nights, night, RATE)) for night in (90, 91)]
        first, second = first + seen[0], second + any(seen)
    return first / len(seeds), second / len(seeds)


@pytest.mark.parametrize("fault", LARGE)
def test_a_fault_is_flagged_within_two_nights(fault: str) -> None:
    assert flagged_within(fault, range(50_000, 50_020))[1] == 1


@pytest.mark.evidence
def test_how_often_a_fault_is_flagged_within_two_nights() -> None:
    for fault in FAULTS:
        first, second = flagged_within(fault, range(60_000, 60_500))
        sys.stdout.write(f"{fault}: first night {first:.1%}, within two nights {second:.1%} of 500\n")
        assert second > 0.99 or fault not in LARGE


@pytest.mark.parametrize("seed", range(4))
def test_a_fault_is_flagged_the_night_it_happens(seed: int) -> None:
    nights = quiet_nights(np.random.default_rng(seed), 90)
    n, _ = nights[-1]["onward"]["choose × app"]
    nights[-1]["onward"]["choose × app"] = [n, n // 10]
    found = flags_on(nights, 89, RATE)
    assert [(flag.what, flag.place) for flag in found] == [("went on", "choose × app")]
    figures = (found[0].figure, found[0].lower, found[0].expected, found[0].upper)
    assert None not in figures
    assert sorted(figures) == list(figures)  # type: ignore[type-var]
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
    assert what in [flag.what for flag in flags_on(nights, 89, RATE)]


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


def test_a_night_after_missing_ones_is_no_measure_of_the_others() -> None:
    nights = quiet_nights(np.random.default_rng(8), 60)
    nights[40] |= {"missing": 2, "accepted": 3 * nights[40]["accepted"]}
    nights[-1] |= {"missing": 1, "accepted": 2 * nights[-1]["accepted"]}
    volume = series_of_nights(nights, [night["id"] % 7 for night in nights])[0]
    assert len(volume.hits) == len(volume.weekday) == 59
    assert volume.hits[40] == nights[41]["accepted"]
    assert volume.hits[-1] == nights[-1]["accepted"] / 2
    assert volume.weekday[40] == nights[41]["id"] % 7


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
