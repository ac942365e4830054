"""Lengths of time, as callers write them: ``"30m"``, ``"7d"``, ``timedelta``; int64 microseconds inside."""

from __future__ import annotations

import re
from datetime import timedelta

from journeymine.errors import RulesError

__all__ = ["Duration", "describe", "microseconds", "rounded_down"]

_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
Duration = str | timedelta
_TEXT = re.compile(r"\s*(?:\d+\s*(?:us|ms|s|m|h|d|w)\s*)+")
_TERM = re.compile(r"(\d+)\s*(us|ms|s|m|h|d|w)")
_LONGEST = 200 * 366 * _UNITS["d"]


def microseconds(length: object, *, name: str = "duration", zero: bool = False) -> int:
    """Microseconds in `length`.

    Parameters
    ----------
    length : ``"90s"``, ``"1h30m"``, ``"7d"``, ``"2w"`` or a `timedelta`; never a bare number, whose unit would be a guess.
    name : what the length is for, named in the error.
    zero : whether a length of zero is allowed.

    Raises
    ------
    RulesError : for a bare number, another text, or a length that is not positive or over 200 years.

    Examples
    --------
    >>> microseconds("1h30m"), microseconds(timedelta(days=1))
    (5400000000, 86400000000)
    """
    hint = f"write {name}='30m', '7d', '2w' or a datetime.timedelta"
    if isinstance(length, timedelta):
        total = (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds
    elif isinstance(length, str) and _TEXT.fullmatch(length):
        total = sum(int(number) * _UNITS[unit] for number, unit in _TERM.findall(length))
    else:
        raise RulesError(f"{name}={length!r} is not a length of time with a unit", hint=hint)
    if total < 0 or (total == 0 and not zero) or total > _LONGEST:
        raise RulesError(f"{name}={length!r} must be longer than zero and at most 200 years", hint=hint)
    return total


def describe(us: int) -> str:
    """The shortest exact text for a number of microseconds.

    >>> describe(5_400_000_000), describe(86_400_000_000), describe(0)
    ('1h30m', '1d', '0s')
    """
    parts, rest = [], us
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rounded_down(us: int) -> str:
    """A text for so many microseconds or fewer, in whole days, or in whole hours, minutes, seconds where it is shorter.

    >>> rounded_down(200_000_000_000), rounded_down(5_400_000_000), rounded_down(0)
    ('2d', '1h', '0s')
    """
    unit = next((_UNITS[each] for each in "dhms" if us >= _UNITS[each]), 1)
    return describe(max(us, 0) // unit * unit)
