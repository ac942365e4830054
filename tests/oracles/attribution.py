"""Attribution once more, by definition: plain loops over the frames of journeys and steps, and exact fractions."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from journeymine.journeys import Journeys


class Journey(NamedTuple):
    """One journey with its touches as (label, channel, touchpoint, µs), in order."""

    status: str
    value: float
    touches: list[tuple[str, str, str, int]]


def journeys_of(
    journeys: Journeys, grain: str, *, include_goal: bool = False, lookback: int | None = None
) -> list[Journey]:
    """Read journeys from the frames that people see, never from the arrays that measures use."""
    steps = defaultdict(list)
    for position, row in enumerate(journeys.steps.iter_rows(named=True)):
        steps[row["user"], row["nth_journey"]].append((position, row))
    found = []
    for head in journeys.table.iter_rows(named=True):
        rows = [row for _, row in sorted(steps[head["user"], head["nth_journey"]], key=lambda item: item[0])]
        own = [row for row in rows if not row["by_company"]]
        end = own[-1]["timestamp"]
        if head["status"] == "converted":
            at = next(i for i, row in enumerate(own) if row["is_goal"])
            end = own[at]["timestamp"]
            own = own[: at + 1 if include_goal else at]
        theirs = [row for row in rows if row["by_company"]]
        if head["status"] == "converted":
            theirs = [row for row in theirs if row["timestamp"] < end]
        # The company's come first at one instant; Python's sort keeps the order of the steps.
        merged = sorted([*theirs, *own], key=lambda row: row["timestamp"])
        if lookback is not None:
            merged = [row for row in merged if micro(end - row["timestamp"]) <= lookback]
        found.append(
            Journey(
                head["status"],
                head.get("value") or 0.0,
                [(label(row, grain), row["channel"], row["touchpoint"], micro(row["timestamp"] - EPOCH))
                 for row in merged],
            )
        )  # fmt: skip
    return found


def label(row: dict[str, Any], grain: str) -> str:
    if grain == "channel:touchpoint":
        return row["channel"].replace("\\", "\\\\").replace(":", "\\:") + ":" + row["touchpoint"]
    return row[grain]


def micro(length: Any) -> int:
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds


def shares(rule: str, touches: Sequence[tuple[str, str, str, int]], *, half_life: int, direct: Sequence[str],
           middle: Sequence[str]) -> list[Any]:  # fmt: skip
    """The part of one conversion that each touch gets."""
    n = len(touches)
    part: list[Any] = [Fraction(0)] * n
    if rule == "first":
        part[0] = Fraction(1)
    elif rule == "last":
        part[-1] = Fraction(1)
    elif rule == "last_non_direct":
        others = [i for i, touch in enumerate(touches) if touch[1] not in direct]
        part[others[-1] if others else n - 1] = Fraction(1)
    elif rule == "linear":
        part = [Fraction(1, n)] * n
    elif rule == "position":
        part = position(n)
    elif rule == "w_shaped":
        key = next((i for i, touch in enumerate(touches) if touch[2] in middle), None)
        part = position(n) if key is None else w_shaped(n, key)
    elif rule == "time_decay":
        weights = [2.0 ** (-(touches[-1][3] - touch[3]) / half_life) for touch in touches]
        part = [weight / math.fsum(weights) for weight in weights]
    return part


def position(n: int) -> list[Fraction]:
    if n == 1:
        return [Fraction(1)]
    if n == 2:
        return [Fraction(1, 2)] * 2
    return [Fraction(2, 5), *[Fraction(1, 5 * (n - 2))] * (n - 2), Fraction(2, 5)]


def w_shaped(n: int, key: int) -> list[Fraction]:
    part = [Fraction(0)] * n
    for i in (0, key, n - 1):
        part[i] += Fraction(3, 10)
    others = [i for i in range(n) if i not in (0, key, n - 1)]
    for i in others:
        part[i] += Fraction(1, 10 * len(others))
    return [each / sum(part) for each in part]


def credit(journeys: Sequence[Journey], rule: str, *, half_life: int = 1, direct: Sequence[str] = (),
           middle: Sequence[str] = (), order: int = 1) -> dict[str, tuple[float, float]]:  # fmt: skip
    """Label → conversions and value, by any rule."""
    won = [journey for journey in journeys if journey.status == "converted"]
    touched = [journey for journey in won if journey.touches]
    found: dict[str, list[Any]] = defaultdict(lambda: [0.0, 0.0])
    for journey in won:
        if not journey.touches:
            found["(none)"][0] += 1
            found["(none)"][1] += journey.value
    if rule == "markov":
        lost = [journey for journey in journeys if journey.status == "lost" and journey.touches]
        paths = [([touch[0] for touch in j.touches], 1.0, j.value, 0.0) for j in touched]
        paths += [([touch[0] for touch in j.touches], 0.0, 0.0, 1.0) for j in lost]
        parts = removal_credit(paths, order)
    elif rule == "shapley":
        sets: dict[frozenset[str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for journey in touched:
            names = frozenset(touch[0] for touch in journey.touches)
            sets[names][0] += 1
            sets[names][1] += journey.value
        parts = {c: tuple(sum(r[i] / len(s) for s, r in sets.items() if c in s) for i in (0, 1))
                 for s in sets for c in s}  # fmt: skip
    else:
        parts = {}
        for journey in touched:
            each = shares(rule, journey.touches, half_life=half_life, direct=direct, middle=middle)
            for touch, share in zip(journey.touches, each, strict=True):
                found[touch[0]][0] += float(share)
                found[touch[0]][1] += float(share) * journey.value
    for name, (conversions, value) in parts.items():
        found[name][0] += conversions
        found[name][1] += value
    return {name: (c, v) for name, (c, v) in found.items()}


def states_of(path: Sequence[str], order: int) -> list[tuple[str, ...]]:
    """Sliding k-grams with identical neighbours collapsed; a shorter path is one state."""
    if len(path) < order:
        return [tuple(path)]
    grams = [tuple(path[i : i + order]) for i in range(len(path) - order + 1)]
    return [gram for i, gram in enumerate(grams) if i == 0 or gram != grams[i - 1]]


def removal_credit(
    paths: Sequence[tuple[list[str], float, float, float]], order: int
) -> dict[str, tuple[float, float]]:
    """Credit by removal effect: states are deleted and the rest is solved again.

    Each path comes with its conversions, their value, and how often it led to nothing.
    """
    moves: dict[tuple[Any, Any], float] = defaultdict(float)
    worth: dict[Any, float] = defaultdict(float)
    for path, conversions, value, nulls in paths:
        walk = ["start", *states_of(path, order)]
        for a, b in itertools.pairwise(walk):
            moves[a, b] += conversions + nulls
        moves[walk[-1], "won"] += conversions
        moves[walk[-1], "lost"] += nulls
        worth[walk[-1]] += value
    labels = sorted({label for path, *_ in paths for label in path})
    totals = (sum(p[1] for p in paths), sum(p[2] for p in paths))
    whole = yields(moves, worth, ())
    effect = {c: yields(moves, worth, (c,)) for c in labels}
    found = {}
    for c in labels:
        parts = []
        for i in (0, 1):
            lost = {name: 1 - effect[name][i] / whole[i] for name in labels} if whole[i] else dict.fromkeys(labels, 0.0)
            spread = sum(lost.values())
            parts.append(lost[c] / spread * totals[i] if spread else 0.0)
        found[c] = (parts[0], parts[1])
    return found


def yields(
    moves: dict[tuple[Any, Any], float], worth: dict[Any, float], without: tuple[str, ...]
) -> tuple[float, float]:
    """Conversions and value per path, of the chain without the states that hold some labels; a dense solve."""
    states = sorted({a for a, _ in moves if a != "start"})
    kept = [s for s in states if not set(s) & set(without)]
    place = {s: i for i, s in enumerate(kept)}
    out: dict[Any, float] = defaultdict(float)
    for (a, _), n in moves.items():
        out[a] += n
    A, b, begin = np.eye(len(kept)), np.zeros((len(kept), 2)), np.zeros(len(kept))
    for (a, c), n in moves.items():
        if a == "start" and c in place:
            begin[place[c]] += n / out[a]
        elif a in place and c in place:
            A[place[a], place[c]] -= n / out[a]
        elif a in place and c == "won" and out[a]:
            b[place[a]] += n / out[a], worth[a] / out[a]
    x = begin @ np.linalg.solve(A, b)
    return float(x[0]), float(x[1])


def shapley_over_all_subsets(reward: dict[frozenset[str], float]) -> dict[str, float]:
    """Shapley value of the game v(T) = conversions of journeys whose channels all lie in T, by the definition."""
    players = sorted({c for s in reward for c in s})

    def v(coalition: frozenset[str]) -> float:
        return sum(r for s, r in reward.items() if s <= coalition)

    found = {}
    for c in players:
        rest, total = [p for p in players if p != c], 0.0
        for size in range(len(players)):
            weight = math.factorial(size) * math.factorial(len(players) - size - 1) / math.factorial(len(players))
            for others in itertools.combinations(rest, size):
                total += weight * (v(frozenset(others) | {c}) - v(frozenset(others)))
        found[c] = total
    return found


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
