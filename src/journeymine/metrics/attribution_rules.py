"""Rules that credit touches: the weight of each touch, and shares of one conversion in whole millionths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO
from journeymine.counting.runs import changes, numbered
from journeymine.errors import QuestionError
from journeymine.parallel import take

__all__ = [
    "COUNTED",
    "DIRECT",
    "ONE_TOUCH",
    "RULES",
    "TouchPaths",
    "apportion",
    "apportion_value",
    "channels_of",
    "chosen_rules",
    "credited",
    "passed_over",
    "rule_column",
    "shares",
    "weigh",
]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COUNTED = ("first", "last", "last_non_direct", "linear", "position", "w_shaped", "time_decay")
"""Rules that give each touch a weight of its own."""
ONE_TOUCH = ("first", "last", "last_non_direct")
"""Of these, rules that give all to one touch."""
_BY_SHAPE = ("linear", "position", "w_shaped")
"""Rules that ask only how long a path is, where in it a touch stands and where the named middle."""
RULES = (*COUNTED, "markov", "shapley")
"""All rules, in the order in which they are shown."""
DIRECT = ("direct",)
"""Channels that the last non-direct rule passes over, where nothing else is said."""

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


def chosen_rules(rules: Any, *, middle: Any, timed: bool = True) -> tuple[str, ...]:
    """The rules asked for, in the order of `RULES`; by default all that can be answered.

    Raises
    ------
    QuestionError : an unknown rule, none, one twice, or one that lacks what it needs.
    """
    if rules is None:
        lacking = ({"w_shaped"} if middle is None else set()) | (set() if timed else {"time_decay"})
        return tuple(rule for rule in RULES if rule not in lacking)
    asked = (rules,) if isinstance(rules, str) else tuple(rules) if isinstance(rules, Iterable) else ()
    unknown = [rule for rule in asked if rule not in RULES]
    if unknown or not asked or len(set(asked)) != len(asked):
        raise QuestionError(f"rules={list(asked) or rules!r}", hint=f"give each once, of: {', '.join(RULES)}")
    if "w_shaped" in asked and middle is None:
        raise QuestionError("the W needs a named middle", hint="say which touchpoint it is, with middle='lead_created'")
    if "time_decay" in asked and not timed:
        raise QuestionError("paths without times cannot decay with time", hint="leave 'time_decay' out of rules")
    return tuple(rule for rule in RULES if rule in asked)


def passed_over(direct: Sequence[str], channels: Iterable[str]) -> list[str]:
    """A note where none of the direct channels occurs, and another reads as if it were one: GA4 writes ``(direct)``."""
    known = set(channels)
    alike = sorted(channel for channel in known if "direct" in channel.lower())
    if not direct or not alike or known & set(direct):
        return []
    named = " or ".join(map(repr, direct))
    way = f"direct={alike[0]!r} passes over that one"
    return [f"No channel is {named}, so last_non_direct is the same as last; {way}."]


def channels_of(direct: Any) -> tuple[str, ...]:
    """The direct channels, each once and in order.

    Raises
    ------
    QuestionError : not one text or several.
    """
    names = (direct,) if isinstance(direct, str) else tuple(direct) if isinstance(direct, Iterable) else (direct,)
    if not all(isinstance(name, str) for name in names):
        raise QuestionError(f"direct={direct!r} names no channels", hint="give one or several labels, or () for none")
    return tuple(sorted(set(names)))


def weigh(rule: str, paths: TouchPaths) -> Ints:
    """Weight of each touch, a whole number; a path's weights are more than 0 together."""
    if rule not in ONE_TOUCH:
        return _WEIGHTS[rule](paths)
    weights = np.zeros(len(paths), dtype=np.int64)
    weights[credited(rule, paths)] = 1
    return weights


def shares(rule: str, paths: TouchPaths) -> tuple[Ints, Ints]:
    """`apportion` of the weights of a rule, worked out once for paths of one shape where the rule asks for no more."""
    if rule not in _BY_SHAPE:
        return apportion(weigh(rule, paths), paths.offsets, paths.path)
    shapes, of_path = _shapes(paths, marked=rule == "w_shaped")
    share, upto = apportion(weigh(rule, shapes), shapes.offsets, shapes.path)
    at = np.arange(len(paths)) + take(take(shapes.offsets, of_path) - paths.offsets[:-1], paths.path)
    return take(share, at), take(upto, at)


def _shapes(paths: TouchPaths, *, marked: bool) -> tuple[TouchPaths, Ints]:
    """One path of each shape that occurs, and the shape of each path: its length and, if `marked`, its first middle."""
    first = np.zeros(len(paths.lengths), dtype=np.int64)  # counted from 1, 0 without
    if marked:
        middle, of = _middles(paths)
        first[of] = middle - take(paths.offsets, of) + 1
    width = int(paths.lengths.max(initial=0)) + 1
    shape, of_path = numbered(paths.lengths * width + first, width**2)
    lengths, first = np.divmod(shape, width)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    at = np.zeros(int(offsets[-1]), dtype=bool)
    at[(offsets[:-1] + first - 1)[first > 0]] = True
    path = np.repeat(np.arange(len(shape)), lengths)
    return TouchPaths(offsets, path, None, at, None, paths.half_life), of_path


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


def credited(rule: str, paths: TouchPaths) -> Ints:
    """The touch of each path that has all its credit, by one of the rules `ONE_TOUCH`."""
    if rule == "first":
        return paths.offsets[:-1]
    last = paths.offsets[1:] - 1
    if rule == "last" or not len(paths):
        return last
    assert paths.direct is not None  # the last one that is not direct; the last one where all are
    at = np.maximum.reduceat(np.where(paths.direct, -1, np.arange(len(paths))), paths.offsets[:-1])
    return np.where(at >= 0, at, last)


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
    weights = _position(paths)
    middle, of = _middles(paths)
    has = np.zeros(len(paths.lengths), dtype=bool)
    has[of] = True
    first, last = paths.offsets[:-1][of], paths.offsets[1:][of] - 1
    others = paths.lengths[of] - 1 - (middle != first) - ((last != first) & (last != middle))
    weights[take(has, paths.path)] = 1
    for key in (first, middle, last):
        weights[key] = 0
    part = np.maximum(3 * others, 1)
    for key in (first, middle, last):  # a touch that is two of them gets both parts
        weights[key] += part
    return weights


def _middles(paths: TouchPaths) -> tuple[Ints, Ints]:
    """The first touch at the named middle of each path that has one, and those paths."""
    assert paths.middle is not None
    found = np.flatnonzero(paths.middle)
    of = take(paths.path, found)
    new = changes(of)
    return found[new], of[new]


def _time_decay(paths: TouchPaths) -> Ints:
    """2^(−t ÷ half-life), t before the latest touch: which instant t is taken from cancels out."""
    assert paths.time is not None
    if not len(paths):
        return np.zeros(0, dtype=np.int64)
    age = take(paths.time[paths.offsets[1:] - 1], paths.path) - paths.time
    return np.asarray(np.rint(_ONE * np.exp2(-age / paths.half_life)), dtype=np.int64)


_WEIGHTS: dict[str, Callable[[TouchPaths], Ints]] = {
    "linear": _linear,
    "position": _position,
    "w_shaped": _w_shaped,
    "time_decay": _time_decay,
}


def rule_column(rule: str) -> str:
    """The column in which what a rule gives is counted: a working column, so that a breakdown may be called as the rule.

    >>> rule_column("first")
    '_first'
    """
    return f"_{rule}"
