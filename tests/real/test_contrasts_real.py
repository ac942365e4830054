"""What applications stumble over, pass from hand to hand, and part at, against plain loops over the cases."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from statistics import median_low
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from tests.real.plain import DAY, LOST, STAGE_NAMES, Case, Step, about, loan_journeys, loans

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]
RANK = {stage: i for i, stage in enumerate(STAGE_NAMES)}
PAUSES = ("wait", "abandoned_session")
MOVES = ("repeat", "loop", "back_step", *PAUSES)
Marks = Callable[[Case], Iterator[tuple[Any, Step]]]


def contrasted(marks: Marks) -> dict[Any, dict[str, Any]]:
    """Marker → how many meet it, and conversion with and without it, standardised to the stages where it is met."""
    met: dict[Any, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    came: dict[Any, list[bool]] = defaultdict(list)
    seen: Counter[Any] = Counter()
    for case in loans():
        first: dict[Any, str] = {}
        for marker, step in marks(case):
            first.setdefault(marker, step.stage)
        seen.update(list(first))
        if not case.mature:
            continue
        told = [(i, step) for i, step in enumerate(case.before) if step.what not in LOST]
        there = {step.stage for _, step in told} | {(step.what, step.stage) for _, step in told}
        there |= {(step.what, step.stage, "went on") for i, step in told if i + 1 < len(case.steps)}
        for where in there:
            came[where].append(case.won)
        for marker, stage in first.items():
            met[marker][stage].append(case.won)
    found = {}
    for marker, n_journeys in seen.items():
        stages = met[marker]
        there = {stage: came[comparable(marker, stage)] for stage in stages}
        sides = {stage: (won, len(there[stage]) - len(won)) for stage, won in stages.items()}
        weight = sum(len(won) for won, rest in sides.values() if rest)
        row: dict[str, Any] = {
            "n_journeys": n_journeys,
            "n": sum(map(len, stages.values())),
            "with": None,
            "without": None,
        }
        if weight:
            row["with"] = sum(sum(won) for won, rest in sides.values() if rest) / weight
            row["without"] = (
                sum(len(won) * (sum(there[s]) - sum(won)) / rest for s, (won, rest) in sides.items() if rest) / weight
            )
        row["gain"] = sum(gain(stages[s], came[s]) * len(stages[s]) for s in stages) / max(row["n"], 1)
        found[marker] = row
    return found


def comparable(marker: Any, stage: str) -> Any:
    """Where those were that a marker is compared with."""
    if marker[0] in PAUSES:
        return marker[1], stage, "went on"
    return (marker[1], stage) if marker[0] in MOVES else stage


def bits(won: int, n: int) -> float:
    return -sum(p * math.log2(p) for p in (won / n, 1 - won / n) if p > 0) if n else 0.0


def gain(won: list[bool], everybody: list[bool]) -> float:
    """Information in bits that having met something gives about converting, among those that reached a stage."""
    n, rest = len(everybody), len(everybody) - len(won)
    others = sum(everybody) - sum(won)
    return bits(sum(everybody), n) - len(won) / n * bits(sum(won), len(won)) - rest / n * bits(others, rest)


def same(frame: pl.DataFrame, names: list[str], expected: dict[Any, dict[str, Any]]) -> None:
    keys = [row[0] if len(row) == 1 else row for row in frame.select(names).iter_rows()]
    assert set(keys) == set(expected)
    for key, row in zip(keys, frame.iter_rows(named=True), strict=True):
        known = expected[key]
        assert (row["n_journeys"], row["n"]) == (known["n_journeys"], known["n"]), key
        assert row["converted_with"] == about(known["with"]), key
        assert row["converted_without"] == about(known["without"]), key
        if known["with"] is not None:
            assert row["difference"] == about(known["with"] - known["without"]), key


def passed(case: Case) -> Iterator[tuple[str, Step]]:
    return ((step.what, step) for step in case.before if step.what not in LOST)


def moved(case: Case) -> Iterator[tuple[tuple[str, str], Step]]:
    return (((a.what, b.what), b) for a, b in itertools.pairwise(case.before) if b.what not in LOST)


def test_where_the_ways_of_the_converting_and_the_lost_part() -> None:
    expected = contrasted(passed)
    result = jm.decision_points(loan_journeys(resource_as="nothing"))
    same(result.frame, ["label"], expected)
    for row in result.frame.iter_rows(named=True):
        assert row["information_gain_bits"] == about(expected[row["label"]]["gain"])
    branches: dict[str, Counter[str | None]] = defaultdict(Counter)
    for case in loans():
        for i, step in enumerate(case.before):
            branches[step.what][case.steps[i + 1].what if i + 1 < len(case.steps) else None] += 1
    for label, n, n_ways, entropy in result.tables["branching"].iter_rows():
        known = branches[label]
        assert (n, n_ways) == (known.total(), len(known))
        assert entropy == about(-sum(k / n * math.log2(k / n) for k in known.values()) or 0.0)


def test_which_moves_tell_the_converting_from_the_lost() -> None:
    result = jm.decision_points(loan_journeys(resource_as="nothing"), transitions=True)
    same(result.frame, ["from", "to"], contrasted(moved))


def test_what_is_lost_between_clerks() -> None:
    frame = jm.handoffs(loan_journeys()).frame
    crossings: Counter[tuple[str, str]] = Counter()
    back: Counter[tuple[str, str]] = Counter()
    cross: dict[tuple[str, str], list[bool | None]] = defaultdict(list)
    arrivals: dict[tuple[Any, ...], list[tuple[bool, bool]]] = defaultdict(list)
    for case in loans():
        hands = [next(group) for _, group in itertools.groupby(step.channel for step in case.steps)]
        crossings.update(itertools.pairwise(hands))
        back.update((b, c) for a, b, c in zip(hands, hands[1:], hands[2:], strict=False) if a == c)
        early: dict[tuple[str, str], bool] = {}
        for i, (a, b) in enumerate(itertools.pairwise(case.steps), 1):
            last = case.lost and i == len(case.steps) - 1
            if case.mature and i <= case.goal:
                if i < case.goal:
                    arrivals[a.channel, b.channel, b.stage, a.stage != b.stage].append((last, case.won))
                early[a.channel, b.channel] = early.get((a.channel, b.channel), False) or last
        for pair in set(itertools.pairwise(hands)):
            cross[pair].append(early.get(pair))
    there: dict[tuple[Any, ...], list[tuple[bool, bool]]] = defaultdict(list)
    by_pair: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for (a, *at), ends in arrivals.items():
        there[tuple(at)] += ends
        by_pair[a, at[0]].append((a, *at))
    assert set(frame.select("from", "to").iter_rows()) == set(crossings)
    tested = 0
    for row in frame.iter_rows(named=True):
        pair = (row["from"], row["to"])
        assert (row["n_crossings"], row["n_ping_pong"]) == (crossings[pair], back[pair])
        mature = [lost for lost in cross[pair] if lost is not None]
        assert (row["n_journeys"], row["n"], row["lost_at"]) == (len(cross[pair]), len(mature), sum(mature))
        ways = [(arrivals[way], there[way[1:]]) for way in by_pair[pair]]
        usable = [(ends, every) for ends, every in ways if len(every) > len(ends)]
        n = sum(len(ends) for ends, _ in usable)
        for how, names in ((0, ("lost_excess", "lost_otherwise")), (1, ("difference", "converted_without"))):
            mine = sum(end[how] for ends, _ in usable for end in ends)
            otherwise = sum(
                len(ends) * (sum(end[how] for end in every) - sum(end[how] for end in ends)) / (len(every) - len(ends))
                for ends, every in usable
            )
            expected = (mine / n - otherwise / n, otherwise / n) if n else (None, None)
            assert row[names[0]] == (about(expected[0]) if n else None), pair
            assert row[names[1]] == (about(expected[1]) if n else None), pair
        tested += row["p_lost"] is not None
    assert tested > 150


def stumbled(case: Case) -> Iterator[tuple[tuple[str, str], Step]]:
    """Repeats, loops, steps back and waits of more than three days, and sessions left at the goal's stage."""
    seen: set[str] = set()
    before: Step | None = None
    for i, (step, after) in enumerate(zip(case.before, (*case.steps[1:], None), strict=False), 1):
        if step.what not in LOST:
            if after is not None and after.us - step.us > 3 * DAY:
                yield ("wait", step.what), step
            if after is not None and step.stage == "loan" and after.us - step.us > DAY // 48:
                yield ("abandoned_session", step.what), step
            if before is not None and before.what == step.what:
                yield ("repeat", step.what), step
            elif step.what in seen:
                yield ("loop", step.what), step
            following = case.before[i] if i < len(case.before) else step
            if following.what not in LOST and RANK.get(following.stage, 9) < RANK.get(step.stage, -1):
                yield ("back_step", step.what), step
        before = step
        seen.add(step.what)


def test_what_applications_stumble_over() -> None:
    frame = jm.friction(loan_journeys(resource_as="nothing")).frame
    plain = frame.filter(pl.col("friction") != "detour")
    same(plain, ["friction", "touchpoint"], contrasted(stumbled))
    assert set(plain["friction"]) == {"repeat", "loop", "wait", "back_step"}
    for row in plain.filter(pl.col("difference").is_not_null()).iter_rows(named=True):
        assert row["conversions_at_stake"] == about(-row["n"] * row["difference"])


def ways_of(case: Case) -> Iterator[tuple[str, list[Step]]]:
    """Each stage that a case climbs to, and the steps since it climbed to the one before; a decline is none."""
    top, since, before = -1, 0, [step for step in case.before if step.what not in LOST]
    for i, step in enumerate(before):
        rank = RANK.get(step.stage, -1)
        if rank > top:
            if top >= 0:
                yield step.stage, before[since + 1 : i]
            top, since = rank, i


def test_detours_from_the_usual_way() -> None:
    result = jm.friction(loan_journeys(resource_as="nothing"))
    ways = [(case, stage, steps) for case in loans() for stage, steps in ways_of(case)]
    by_stage: dict[str, list[list[str]]] = defaultdict(list)
    for _, stage, steps in ways:
        by_stage[stage].append([step.what for step in steps])
    usual = {stage: median_low([len(way) for way in each]) for stage, each in by_stage.items()}
    assert {stage: (n, usual) for stage, n, usual in result.tables["ways"].iter_rows()} == {
        stage: (len(by_stage[stage]), usual[stage]) for stage in usual
    }
    passes = {stage: Counter(name for way in each for name in set(way)) for stage, each in by_stage.items()}
    met: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case, stage, steps in ways:
        if len(steps) > usual[stage]:
            for name in {step.what for step in steps}:
                if passes[stage][name] * 2 < len(by_stage[stage]):
                    met[name, stage].append(case)
    frame = result.frame.filter(friction="detour")
    assert set(frame.select("touchpoint", "stage").iter_rows()) == set(met)
    for row in frame.iter_rows(named=True):
        mature = [case for case in met[row["touchpoint"], row["stage"]] if case.mature]
        others = [
            case for case in loans() if case.mature and any(step.stage == row["stage"] for step in case.before)
        ]  # fmt: skip
        n, won, rest = len(mature), sum(case.won for case in mature), len(others) - len(mature)
        assert (row["n_journeys"], row["n"]) == (len(met[row["touchpoint"], row["stage"]]), n)
        if n and rest:
            assert row["difference"] == about(won / n - (sum(case.won for case in others) - won) / rest)


def test_what_the_bank_should_mend_first_stands_on_those_figures() -> None:
    journeys = loan_journeys(resource_as="nothing")
    frame, expected = jm.opportunities(journeys).frame, contrasted(stumbled)
    assert frame["title"][0] == "Mend repeat at W_Nabellen offertes"
    plain = frame.filter(~pl.col("title").str.contains("detour"))
    for row in plain.iter_rows(named=True):
        kind = "back_step" if " the step back from " in row["title"] else row["title"].split()[1]
        known = expected[kind, row["touchpoint"]]
        assert (row["n"], row["share"]) == (known["n"], about(known["with"]))
        assert row["comparable_share"] == about(known["without"])
        assert row["conversions_gained"] == about(known["n"] * (known["without"] - known["with"]))
    assert (frame["p_adjusted"] <= 0.05).all()
