"""Rules that credit touches: the weight of each touch, and shares of one conversion in whole millionths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO
from journeymine.errors import QuestionError
from journeymine.parallel import take

__all__ = ["COUNTED", "RULES", "TouchPaths", "apportion", "apportion_value", "chosen_rules", "weigh"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COUNTED = ("first", "last", "last_non_direct", "linear", "position", "w_shaped", "time_decay")
"""Rules that give each touch a weight of its own."""
RULES = (*COUNTED, "markov", "shapley")
"""All rules, in the order in which they are shown."""

_ONE = 1 << 22
"""Weight of the latest touch under time decay: weights are whole numbers, so that sums over them are exact."""


@dataclass(frozen=True, slots=True)
class TouchPaths:
    """Touches of paths that have at least one, path after path, in order.

    Attributes
    ----------
    offsets : where each path begins, and the end of the last.
    path : the path of each touch.
    direct : touches on a direct channel; None where no rule asks.
    middle : touches at the named middle; None where none was named.
    time : µs; None where it is not known.
    half_life : µs.
    """

    offsets: Ints
    path: Ints
    direct: Bools | None
    middle: Bools | None
    time: Ints | None
    half_life: int

    @property
    def lengths(self) -> Ints:
        """Touches of each path."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return int(self.offsets[-1])


def chosen_rules(rules: Sequence[str] | str | None, *, middle: Any, timed: bool = True) -> tuple[str, ...]:
    """The rules asked for, in the order of `RULES`; by default all that can be answered.

    Raises
    ------
    QuestionError : an unknown rule, none, one twice, or one that lacks what it needs.
    """
    if rules is None:
        lacking = ({"w_shaped"} if middle is None else set()) | (set() if timed else {"time_decay"})
        return tuple(rule for rule in RULES if rule not in lacking)
    asked = (rules,) if isinstance(rules, str) else tuple(rules)
    unknown = [rule for rule in asked if rule not in RULES]
    if unknown or not asked or len(set(asked)) != len(asked):
        raise QuestionError(f"rules={list(asked)}", hint=f"give each once, of: {', '.join(RULES)}")
    if "w_shaped" in asked and middle is None:
        raise QuestionError("the W needs a named middle", hint="say which touchpoint it is, with middle='lead_created'")
    if "time_decay" in asked and not timed:
        raise QuestionError("paths without times cannot decay with time", hint="leave 'time_decay' out of rules")
    return tuple(rule for rule in RULES if rule in asked)


def weigh(rule: str, paths: TouchPaths) -> Ints:
    """Weight of each touch, a whole number; a path's weights are more than 0 together."""
    return _WEIGHTS[rule](paths)


def apportion(weights: Ints, offsets: Ints, path: Ints) -> tuple[Ints, Ints]:
    """One conversion of each path in millionths by weight: the share of each touch, and of all up to and with it.

    A touch gets the rounded share of those up to it less the rounded share of those before it. So the millionths of a
    path add up to exactly one million, and each touch's are its exact share rounded down or up.

    Parameters
    ----------
    offsets, path : as of `TouchPaths`.

    >>> apportion(np.array([1, 1, 1]), np.array([0, 3]), np.array([0, 0, 0]))[0]
    array([333333, 333334, 333333])
    """
    running = np.concatenate(([0], np.cumsum(weights)))
    before = running[offsets[:-1]]
    of_path = running[offsets[1:]] - before
    upto = running[1:] - take(before, path)
    upto *= MICRO
    if (of_path == 1).all():  # one touch has it all: nothing to divide
        return weights * MICRO, upto
    upto += take(of_path // 2, path)
    upto //= take(np.maximum(of_path, 1), path)
    share = upto.copy()
    share[1:] -= upto[:-1]
    share[offsets[:-1]] = upto[offsets[:-1]]
    return share, upto


def apportion_value(value: Ints, share: Ints, upto: Ints) -> Ints:
    """A value in micro-units by the millionths of `apportion`: it adds up exactly, and nothing overflows.

    >>> apportion_value(np.array([10, 10, 10]), *apportion(np.ones(3, int), np.array([0, 3]), np.zeros(3, int)))
    array([3, 4, 3])
    """
    whole, rest = np.divmod(value, MICRO)
    half = MICRO // 2
    return np.asarray(whole * share + (rest * upto + half) // MICRO - (rest * (upto - share) + half) // MICRO)


def _first(paths: TouchPaths) -> Ints:
    return _only(paths, paths.offsets[:-1])


def _last(paths: TouchPaths) -> Ints:
    return _only(paths, paths.offsets[1:] - 1)


def _last_non_direct(paths: TouchPaths) -> Ints:
    """The last touch that is not direct; the last one where all are."""
    assert paths.direct is not None
    at = np.where(paths.direct, -1, np.arange(len(paths)))
    if len(at):
        at = np.maximum.reduceat(at, paths.offsets[:-1])
    return _only(paths, np.where(at >= 0, at, paths.offsets[1:] - 1))


def _linear(paths: TouchPaths) -> Ints:
    return np.ones(len(paths), dtype=np.int64)


def _position(paths: TouchPaths) -> Ints:
    """40 % to the first, 40 % to the last, 20 % among the rest; two touches share, one takes all."""
    weights = _linear(paths)
    ends = np.maximum(2 * (paths.lengths - 2), 1)
    weights[paths.offsets[:-1]] = ends
    weights[paths.offsets[1:] - 1] = ends
    return weights


def _w_shaped(paths: TouchPaths) -> Ints:
    """30 % each to the first, the named middle and the last, 10 % among the rest; without middle, by position."""
    assert paths.middle is not None
    weights = _position(paths)
    journey = paths.path
    found = np.flatnonzero(paths.middle)
    fresh = np.ones(len(found), dtype=bool)
    fresh[1:] = journey[found[1:]] != journey[found[:-1]]
    middle = found[fresh]
    of = journey[middle]
    has = np.zeros(len(paths.lengths), dtype=bool)
    has[of] = True
    first, last = paths.offsets[:-1][of], paths.offsets[1:][of] - 1
    others = paths.lengths[of] - 1 - (middle != first) - ((last != first) & (last != middle))
    weights[has[journey]] = 1
    for key in (first, middle, last):
        weights[key] = 0
    part = np.maximum(3 * others, 1)
    for key in (first, middle, last):  # a touch that is two of them gets both parts
        weights[key] += part
    return weights


def _time_decay(paths: TouchPaths) -> Ints:
    """2^(−t ÷ half-life), t before the latest touch: which instant t is taken from cancels out."""
    assert paths.time is not None
    if not len(paths):
        return np.zeros(0, dtype=np.int64)
    age = take(paths.time[paths.offsets[1:] - 1], paths.path) - paths.time
    return np.asarray(np.rint(_ONE * np.exp2(-age / paths.half_life)), dtype=np.int64)


def _only(paths: TouchPaths, at: Ints) -> Ints:
    weights = np.zeros(len(paths), dtype=np.int64)
    weights[at] = 1
    return weights


_WEIGHTS: dict[str, Callable[[TouchPaths], Ints]] = {
    "first": _first,
    "last": _last,
    "last_non_direct": _last_non_direct,
    "linear": _linear,
    "position": _position,
    "w_shaped": _w_shaped,
    "time_decay": _time_decay,
}
