"""Numbers, durations and dates as people read them. An unknown figure is an en dash."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from journeymine.percents import percent

if TYPE_CHECKING:
    from journeymine.maps.evidence import Estimate

__all__ = [
    "UNKNOWN_FIGURE",
    "compact",
    "count",
    "date_range",
    "day",
    "duration",
    "interval",
    "legible",
    "money",
    "money_interval",
    "plural",
    "score",
    "share",
    "share_interval",
    "value_or_dash",
]

UNKNOWN_FIGURE = "–"
NBSP = "\u00a0"
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = (
    (60, 1, 60, ("min", "s"), 3600),
    (3600, 60, 60, ("h", "min"), 86400),
    (86400, 3600, 24, ("d", "h"), 864_000),
)
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def legible(text: str) -> str:
    r"""Make a caller's label safe to set in a line: no line breaks, no controls, nothing that turns the line round.

    >>> legible("a\u2028b"), legible("x\u202ey"), legible("tab\there")
    ('a b', 'x�y', 'tab here')
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in _BIDI_CONTROLS:
        return "\ufffd"
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\r\v\f\x85":
        return " "
    noncharacter = ord(character) & 0xFFFE == 0xFFFE
    return "\ufffd" if category in ("Cc", "Cs") or noncharacter else character


def count(n: int | float | None) -> str:
    """Write a whole number with thousands separators.

    >>> count(12480), count(None)
    ('12,480', '–')
    """
    return UNKNOWN_FIGURE if n is None else f"{n:,.0f}"


def plural(n: int | float | None, noun: str) -> str:
    r"""Write a count with its noun.

    >>> plural(1, "journey"), plural(2, "journey")
    ('1\xa0journey', '2\xa0journeys')
    """
    return f"{count(n)}{NBSP}{noun}{'' if n == 1 else 's'}"


def compact(n: int | float | None) -> str:
    """Write a number short enough for a label.

    >>> [compact(n) for n in (7, 999, 1240, 12480, 999_960, 3_400_000)]
    ['7', '999', '1.2k', '12k', '1M', '3.4M']
    """
    if n is None:
        return UNKNOWN_FIGURE
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(n) >= size * 0.9995:
            scaled = n / size
            digits = f"{scaled:.1f}" if abs(scaled) < 9.95 else f"{scaled:.0f}"
            return digits.removesuffix(".0") + unit
    return f"{n:.0f}"


def _percent(value: float) -> str:
    return percent(value, 2 if abs(value) < 0.00995 else 1)


def share(value: float | Estimate | None) -> str:
    r"""Write a share (0–1) in per cent.

    >>> share(0.2034), share(0.0042), share(1.0), share(None)
    ('20.3\xa0%', '0.42\xa0%', '100\xa0%', '–')
    >>> share(0.99953)
    '99.95\xa0%'
    """
    number = value_of(value)
    return UNKNOWN_FIGURE if number is None else f"{_percent(number)}{NBSP}%"


def value_of(value: float | Estimate | None) -> float | None:
    """Return the number itself, whether it comes with an interval or not."""
    return value if value is None or isinstance(value, (int, float)) else value.value


def value_or_dash(value: float | None, digits: int = 1) -> str:
    """Write a plain number with a true minus sign.

    >>> value_or_dash(-0.25, 2), value_or_dash(-0.04), value_or_dash(None)
    ('−0.25', '0.0', '–')
    """
    return UNKNOWN_FIGURE if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def score(value: float | Estimate | None) -> str:
    """Write a satisfaction score with its sign.

    >>> score(1.24), score(-0.5), score(0.04)
    ('+1.2', '−0.5', '0.0')
    """
    number = value_of(value)
    return UNKNOWN_FIGURE if number is None else ("+" if round(number, 1) > 0 else "") + value_or_dash(number)


def share_interval(estimate: Estimate | None) -> str:
    """Write the interval of a share, or why there is none."""
    if estimate is None or estimate.lower is None or estimate.upper is None:
        return estimate.reason if estimate is not None else ""
    return f"{_percent(estimate.lower)}–{_percent(estimate.upper)}{NBSP}%"


def interval(estimate: Estimate | None, digits: int = 1) -> str:
    """Write the interval of a plain number, or why there is none."""
    if estimate is None or estimate.lower is None or estimate.upper is None:
        return estimate.reason if estimate is not None else ""
    return f"{value_or_dash(estimate.lower, digits)} to {value_or_dash(estimate.upper, digits)}"


def money(value: float | Estimate | None, currency: str) -> str:
    r"""Write money to three figures.

    >>> money(84231.7, "EUR"), money(-12.5, "PLN"), money(1_234_567, "USD")
    ('€84,200', '−12.5\xa0PLN', '$1.23\xa0M')
    """
    number = value_of(value)
    if number is None:
        return UNKNOWN_FIGURE
    sign, size = ("−" if number < 0 else ""), abs(number)
    if size >= 999_500:
        unit, scaled = ("bn", size / 1e9) if size >= 999_500_000 else ("M", size / 1e6)
        digits = f"{scaled:.3g}{NBSP}{unit}" if scaled < 999.5 else f"{scaled:,.0f}{NBSP}{unit}"
    elif size:
        digits = f"{round(size, 2 - math.floor(math.log10(size))):,.2f}".rstrip("0").rstrip(".")
    else:
        digits = "0"
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits}{NBSP}{legible(currency)}".rstrip()


def money_interval(estimate: Estimate | None, currency: str) -> str:
    """Write the interval of an amount of money, or why there is none."""
    if estimate is None or estimate.lower is None or estimate.upper is None:
        return estimate.reason if estimate is not None else ""
    return f"{money(estimate.lower, currency)} – {money(estimate.upper, currency)}"


def duration(seconds: float | None) -> str:
    r"""Write a duration in its two largest units.

    >>> [duration(s) for s in (0.35, 42, 95, 7_500, 90_000, 864_000, 40_000_000)]
    ['0.35\xa0s', '42\xa0s', '1\xa0min 35\xa0s', '2\xa0h 5\xa0min', '1\xa0d 1\xa0h', '10\xa0d', '463\xa0d']
    >>> [duration(s) for s in (59.7, 3_580, 85_000)]
    ['1\xa0min', '1\xa0h', '1\xa0d']
    """
    if seconds is None:
        return UNKNOWN_FIGURE
    if seconds < 1:
        return f"{seconds:.2g}{NBSP}s"
    if round(seconds) < 60:
        return f"{seconds:.0f}{NBSP}s"
    for large, small, per, unit, room in _UNITS:
        if round(seconds / large) * large < room:
            whole, rest = divmod(round(seconds / small), per)
            if whole >= 10:
                return f"{seconds / large:.0f}{NBSP}{unit[0]}"
            return f"{whole}{NBSP}{unit[0]}" + (f" {rest}{NBSP}{unit[1]}" if rest else "")
    return f"{seconds / 86400:,.0f}{NBSP}d"


def day(iso: str) -> str:
    r"""Write the day of an ISO 8601 date or instant; what is not one comes back as it is.

    >>> day("2026-03-01"), day("2026-03-01T10:00:00Z"), day("spring")
    ('1\xa0Mar\xa02026', '1\xa0Mar\xa02026', 'spring')
    """
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return legible(iso)
    return f"{moment.day}{NBSP}{_MONTHS[moment.month - 1]}{NBSP}{moment.year}"


def date_range(start: str, end: str) -> str:
    r"""Write a period, naming the year once where it can.

    >>> date_range("2026-03-01", "2026-05-31")
    '1\xa0Mar\xa0–\xa031\xa0May\xa02026'
    """
    first, last = day(start), day(end)
    if not first or not last or first == last:
        return first or last
    year = f"{NBSP}{start[:4]}"
    return f"{first.removesuffix(year) if last.endswith(year) else first}{NBSP}–{NBSP}{last}"
