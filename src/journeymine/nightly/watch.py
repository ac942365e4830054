"""Compare a night with the nights before it, at a stated rate of false alarms.

Each series (volume, share of rows set aside, share of users that go on from a place, share of journeys lost at a place
once mature) is brought to a scale on which its sampling variance v is known: log for counts (v = 1/n), arcsine root for
shares (v = 1/4n) [1]_. Over the last `WEEKS` weeks every weekday has a level of its own; what is scattered around these
levels, relative to v, is the overdispersion φ ≥ 1 of the series. Tonight is then compared with the level of its weekday
by Student's t with N − 7 degrees of freedom, two-sided. Volume is first taken relative to the median of the seven
nights before it, so that growth and season are no alarm. The p-values of one night are adjusted by Holm, so that a
quiet night flags anything at all with a probability of at most `alarm_rate`, where what scatters around the levels is
near normal. Volume with heavy tails is flagged more often; docs/nightly.md says how often.

References
----------
.. [1] M. S. Bartlett, "The use of transformations", Biometrics 3 (1947) 39–52.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.percents import percent

__all__ = ["Flag", "Series", "compare", "series_of_nights", "unseen", "watch"]

WEEKS = 8
"""Weeks that a night is compared with."""
FEWEST_NIGHTS, FEWEST_SAME_DAY, FEWEST_CASES = 21, 3, 30
LEARNING_NIGHTS = 14
"""Nights after which a label never seen before is worth telling."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One figure, night by night.

    Attributes
    ----------
    what : ``"volume"``, ``"quarantine share"``, ``"went on"`` or ``"lost, mature"``.
    place : of which place; empty for the whole log.
    weekday : 0–6 per night.
    hits, cases : the share is hits ÷ cases; a count is hits, with cases all null.
    """

    what: str
    place: str
    weekday: npt.NDArray[np.int64]
    hits: Floats
    cases: Floats | None

    @property
    def figures(self) -> Floats:
        """The figure itself."""
        if self.cases is None:
            return self.hits
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.hits / self.cases

    def scaled(self) -> tuple[Floats, Floats]:
        """The figure on the scale of known variance, and that variance; NaN where there are too few cases."""
        if self.cases is None:
            y = np.log(self.hits + 0.5)
            before = np.array([np.median(y[max(0, i - 7) : i]) if i >= 7 else np.nan for i in range(len(y))])
            return y - before, 1 / (self.hits + 0.5)
        y = np.arcsin(np.sqrt((self.hits + 0.375) / (self.cases + 0.75)))
        few = self.cases < FEWEST_CASES
        return np.where(few, np.nan, y), 1 / (4 * self.cases + 2)


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that a quiet night would rarely show.

    Attributes
    ----------
    what, place : which figure, and where.
    figure, expected, lower, upper : tonight's figure, and what it was expected to be, with the bounds of the alarm.
    p_adjusted : chance of so large a change in any of the night's figures, were nothing the matter.
    """

    what: str
    place: str
    figure: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    p_adjusted: float | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Tonight against the weekday's level: p-value, and the level with its standard error, on the series' scale."""

    p: float
    level: float
    error: float
    freedom: int


def compare(series: Series) -> Comparison | None:
    """Compare the last night of a series with those before it; None where there are too few."""
    from scipy.stats import t as student

    y, v = series.scaled()
    past = np.flatnonzero(~np.isnan(y[:-1]))[-7 * WEEKS :]
    if not len(y) or np.isnan(y[-1]) or len(past) < FEWEST_NIGHTS:
        return None
    day = series.weekday[past]
    same = past[day == series.weekday[-1]]
    if len(same) < FEWEST_SAME_DAY:
        return None
    total, number = np.bincount(day, y[past], minlength=7), np.bincount(day, minlength=7)
    level = total / np.maximum(number, 1)
    # What one night adds to its own level is left out of the scatter by the degrees of freedom.
    freedom = len(past) - int((number > 0).sum())
    spread = max(1.0, float((((y[past] - level[day]) ** 2) / v[past]).sum() / freedom))
    error = float(np.sqrt(spread * (v[-1] + v[same].sum() / len(same) ** 2)))
    here = float(level[series.weekday[-1]])
    return Comparison(float(2 * student.sf(abs(y[-1] - here) / error, freedom)), here, error, freedom)


def watch(series: Sequence[Series], alarm_rate: float) -> tuple[list[Flag], int]:
    """What stands out tonight, and how many figures could be compared."""
    compared = [(each, found) for each in series if (found := compare(each)) is not None]
    if not compared:
        return [], 0
    adjusted = _holm(np.array([found.p for _, found in compared]))
    flags = [
        _flag(each, found, float(p), alarm_rate / len(compared))
        for (each, found), p in zip(compared, adjusted, strict=True)
        if p <= alarm_rate
    ]
    return sorted(flags, key=lambda flag: (flag.p_adjusted or 0.0, flag.what, flag.place)), len(compared)


def _holm(p: Floats) -> Floats:
    from journeymine.stats.multiple import holm

    return np.asarray(holm(p), dtype=np.float64)


def _flag(series: Series, found: Comparison, p: float, each: float) -> Flag:
    from scipy.stats import t as student

    reach = float(student.isf(each / 2, found.freedom)) * found.error
    figure = float(series.figures[-1])
    lower, expected, upper = (_unscaled(series, found.level + k * reach) for k in (-1, 0, 1))
    where = f" at {series.place}" if series.place else ""
    shown = [f"{x:,.0f}" if series.cases is None else f"{percent(x)}%" for x in (figure, expected, lower, upper)]
    message = f"{series.what}{where}: {shown[0]}, where {shown[1]} was expected ({shown[2]} to {shown[3]})"
    return Flag(series.what, series.place, figure, expected, lower, upper, p, message)


def _unscaled(series: Series, y: float) -> float:
    if series.cases is not None:
        return float(np.sin(np.clip(y, 0, np.pi / 2)) ** 2)
    before = float(np.median(np.log(series.hits[-8:-1] + 0.5)))
    return float(max(np.exp(y + before) - 0.5, 0.0))


def series_of_nights(nights: Sequence[Mapping[str, Any]], weekdays: Sequence[int]) -> list[Series]:
    """Volume, share set aside and onward shares of nights that stand for one period each.

    Parameters
    ----------
    nights : as in the manifest, in order; the last one is tonight.
    weekdays : of each.
    """
    # A night after missing ones covers more than its period, and is no measure of volume.
    whole = [i for i, night in enumerate(nights) if not night["missing"] or i == len(nights) - 1]
    day = np.array([weekdays[i] for i in whole], dtype=np.int64)
    accepted = np.array([nights[i]["accepted"] / (1 + nights[i]["missing"]) for i in whole], dtype=np.float64)
    aside = np.array([sum(nights[i]["quarantined"].values()) for i in whole], dtype=np.float64)
    read = np.array([nights[i]["rows_read"] for i in whole], dtype=np.float64)
    found = [Series("volume", "", day, accepted, None), Series("quarantine share", "", day, aside, read)]
    places = sorted(nights[-1]["onward"]) if nights else []
    for place in places:
        n, went = (
            np.array([nights[i]["onward"].get(place, [0, 0])[k] for i in whole], dtype=np.float64) for k in (0, 1)
        )
        found.append(Series("went on", place, day, went, n))
    return found


def unseen(nights: Sequence[Mapping[str, Any]]) -> list[Flag]:
    """Touchpoints and channels that tonight brought for the first time."""
    if len(nights) <= LEARNING_NIGHTS:
        return []
    return [
        Flag(f"unseen {column}", label, None, None, None, None, None, f"the {column} {label!r} was never seen before")
        for column, labels in sorted(nights[-1]["new_labels"].items())
        for label in labels
    ]
