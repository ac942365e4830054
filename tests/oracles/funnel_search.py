"""The funnel by its definition: every match of every entry is tried. Slow, and plain enough to be read as the text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]
Test = Callable[[Event], bool]


@dataclass(frozen=True)
class Asked:
    """A question; `exclude` holds (test, first, last) with step numbers from 0."""

    steps: Sequence[Test]
    within: int | None
    sequence: str = "loose"
    exclude: Sequence[tuple[Test, int, int]] = ()
    optional: frozenset[int] = frozenset()
    same: str | None = None
    ties: str = "order"
    session_gap: int = 0
    unit: str = "journey"


def units(events: Sequence[Event], asked: Asked) -> list[list[Event]]:
    """Events (in documented order; with keys user, journey, t, mature) by journey, user or session."""
    if asked.unit in ("journey", "user"):
        return [list(group) for _, group in itertools.groupby(events, key=lambda e: e[asked.unit])]
    found: list[list[Event]] = []
    for event in events:
        last = found[-1][-1] if found else None
        if last and last["journey"] == event["journey"] and event["t"] - last["t"] <= asked.session_gap:
            found[-1].append(event)
        else:
            found.append([event])
    return found


def answer(unit: list[Event], asked: Asked, observed_until: int) -> dict[str, Any] | None:
    """The match that counts: its event per step (None where unfilled), and whether it is mature; None without entry."""
    return furthest(list(entries(unit, asked, observed_until)))


def furthest(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Of several matches the one that counts."""
    return max(found, key=lambda each: (each["mature"], each["depth"], -each["at"][0]["row"]), default=None)


def answers(
    unit: list[Event],
    asked: Asked,
    observed_until: int,
    *,
    label: Callable[[Event], Any],
    at: str | int = "first",
    period: Callable[[Event], Any] = lambda entry: None,
) -> dict[Any, dict[str, Any]]:
    """The match that counts of each period of the entry and label of the step `at`; no label where that is not filled.

    Without a label stands a unit only if none of its entries that count (those with a closed window, or all) has one.
    """
    found = list(entries(unit, asked, observed_until))
    if asked.sequence == "any":
        found = [each for each in found if not any(inside(each, other) for other in found)]
    by_period: dict[Any, list[dict[str, Any]]] = {}
    for each in found:
        by_period.setdefault(period(each["at"][0]), []).append(each)
    best = {}
    for when, those in by_period.items():
        if at == "last":
            one = furthest(those)
            assert one is not None
            best[when, label([event for event in one["at"] if event is not None][-1])] = one
            continue
        step = 0 if at == "first" else int(at) - 1
        counting = [each for each in those if each["mature"]] or those
        named = any(each["at"][step] is not None for each in counting)
        by_label: dict[Any, list[dict[str, Any]]] = {}
        for each in those:
            event = each["at"][step]
            if event is not None or not named:
                by_label.setdefault(None if event is None else label(event), []).append(each)
        best |= {(when, name): furthest(group) for name, group in by_label.items()}
    return best


def inside(match: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the entry of a match lies after the entry of one that goes further, and not after its end."""
    return (
        match["run"] == other["run"]
        and match["depth"] < other["depth"]
        and other["begins"] < match["begins"] <= other["ends"]
    )


def entries(unit: list[Event], asked: Asked, observed_until: int) -> Iterator[dict[str, Any]]:
    """The match of every entry, and where in its run it lies."""
    for number, run in enumerate(runs(unit, asked)):
        for entry in range(len(run)):
            match = best_match(run, entry, asked)
            if match is not None:
                first = run[entry]
                yield {
                    "at": [None if i is None else run[i] for i in match],
                    "mature": first["mature"] if asked.within is None else first["t"] + asked.within <= observed_until,
                    "depth": sum(i is not None for k, i in enumerate(match) if k not in asked.optional),
                    "run": number,
                    "begins": entry,
                    "ends": max(i for i in match if i is not None),
                }


def runs(unit: list[Event], asked: Asked) -> Iterator[list[Event]]:
    """The sequences that matches lie in."""
    values = [None] if asked.same is None else sorted({e[asked.same] for e in unit} - {"(unknown)"})
    for value in values:
        run = [e for e in unit if asked.same is None or e[asked.same] == value]
        if asked.ties == "favour":
            fills = lambda e: next((k for k, test in enumerate(asked.steps) if test(e)), len(asked.steps))  # noqa: E731
            run = sorted(run, key=lambda e: (e["t"], fills(e)))  # stable
        yield run


def best_match(run: list[Event], entry: int, asked: Asked) -> list[int | None] | None:
    """Positions of the match that counts from one entry."""
    window = [
        i for i in range(entry, len(run)) if asked.within is None or run[i]["t"] - run[entry]["t"] <= asked.within
    ]
    if asked.sequence == "any":
        return any_order(run, window, asked)
    if not asked.steps[0](run[entry]):
        return None
    if asked.sequence == "strict":
        return consecutive(run, entry, set(window), asked)
    required = [k for k in range(len(asked.steps)) if k not in asked.optional]
    for depth in range(len(required), 0, -1):
        found = [
            match
            for match in itertools.combinations(window, depth)
            if match[0] == entry
            and all(asked.steps[k](run[i]) for k, i in zip(required, match, strict=False))
            and not void(run, dict(zip(required, match, strict=False)), asked)
        ]
        if found:
            # Earliest at every step: that one match is so is part of what is tested.
            least = tuple(min(column) for column in zip(*found, strict=True))
            assert least in found
            at: list[int | None] = [None] * len(asked.steps)
            for k, i in zip(required, least, strict=False):
                at[k] = i
            return with_optional(run, at, window, asked)
    raise AssertionError("an entry is a match of depth 1")


def void(run: list[Event], at: dict[int, int], asked: Asked) -> bool:
    """Whether an excluded event lies strictly between two steps (or the first and the last one reached before it)."""
    for test, first, last in asked.exclude:
        if first not in at:
            continue
        until = at[max(k for k in at if k <= last)]
        for i in range(at[first] + 1, until):
            inside = asked.ties == "order" or run[at[first]]["t"] < run[i]["t"] < run[until]["t"]
            if inside and test(run[i]):
                return True
    return False


def with_optional(run: list[Event], at: list[int | None], window: list[int], asked: Asked) -> list[int | None]:
    for k in sorted(asked.optional):
        before = [j for j in range(k) if j not in asked.optional]
        if at[before[-1]] is None:
            continue
        after = max(i for i in at[before[-1] : k] if i is not None)
        upcoming = next((at[j] for j in range(k, len(at)) if j not in asked.optional), None)
        for i in window:
            filled = {j: i_j for j, i_j in enumerate(at[:k]) if i_j is not None and j not in asked.optional} | {k: i}
            if i > after and (upcoming is None or i < upcoming) and asked.steps[k](run[i]):
                if not void(run, filled, asked):
                    at[k] = i
                break
    return at


def consecutive(run: list[Event], entry: int, window: set[int], asked: Asked) -> list[int | None]:
    """Every choice of optional steps; the furthest in required steps, then the longest, then the first tried."""
    best: tuple[tuple[int, int], list[int | None]] | None = None
    for size in range(len(asked.optional), -1, -1):
        for chosen in itertools.combinations(sorted(asked.optional), size):
            at: list[int | None] = [None] * len(asked.steps)
            i = entry
            for k in (k for k in range(len(at)) if k not in asked.optional or k in chosen):
                if i not in window or not asked.steps[k](run[i]):
                    break
                at[k] = i
                i += 1
            rank = sum(a is not None for k, a in enumerate(at) if k not in asked.optional), i - entry
            if best is None or rank > best[0]:
                best = rank, at
    assert best is not None
    return best[1]


def any_order(run: list[Event], window: list[int], asked: Asked) -> list[int | None] | None:
    """After how much of the window one, two, … different steps can be filled by different events, the entry one."""
    if not any(test(run[window[0]]) for test in asked.steps):
        return None
    at: list[int | None] = [None] * len(asked.steps)
    for upto in range(len(window)):
        filled = matching(run, window[: upto + 1], asked.steps)
        for k in range(filled):
            at[k] = window[upto] if at[k] is None else at[k]
    return at


def matching(run: list[Event], positions: Sequence[int], steps: Sequence[Test]) -> int:
    """Most steps that different events can fill, by trying (augmenting paths)."""
    taken: dict[int, int] = {}

    def place(k: int, seen: set[int]) -> bool:
        for i in positions:
            if i not in seen and steps[k](run[i]):
                seen.add(i)
                if i not in taken or place(taken[i], seen):
                    taken[i] = k
                    return True
        return False

    return sum(place(k, set()) for k in range(len(steps)))
