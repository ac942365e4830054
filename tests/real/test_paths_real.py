"""The ways that applications for a loan take: order, chain and credit, against plain loops and a dense solve."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

import journeymine as jm
from tests.real.plain import Case, about, loan_journeys, loans

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]


def test_how_far_into_an_application_each_touchpoint_comes() -> None:
    total: Counter[str] = Counter()
    places: dict[str, float] = defaultdict(float)
    for case in loans():
        names = [step.what for step in case.steps]
        for name in set(names):
            total[name] += 1
            places[name] += names.index(name) / max(len(names) - 1, 1)
    frame = jm.typical_order(loan_journeys(resource_as="nothing")).frame
    assert {row["touchpoint"]: row["n_journeys"] for row in frame.iter_rows(named=True)} == total
    for row in frame.iter_rows(named=True):
        assert row["position"] == pytest.approx(places[row["touchpoint"]] / total[row["touchpoint"]], abs=1e-6)


def test_of_two_touchpoints_of_an_application_the_earlier_nearly_always_stands_first() -> None:
    first: Counter[tuple[str, str]] = Counter()
    for case in loans():
        first.update(itertools.combinations(dict.fromkeys(step.what for step in case.steps), 2))
    most = [(a, b) for (a, b), n in first.items() if n > first[b, a]]
    frame = jm.typical_order(loan_journeys(resource_as="nothing")).frame

    def against(listed: list[str]) -> int:
        return sum(listed.index(a) > listed.index(b) for a, b in most)

    assert (len(most), against(frame["touchpoint"].to_list())) == (238, 3)
    assert against(frame.sort("position")["touchpoint"].to_list()) == 22


def test_the_ways_of_the_converting_and_the_lost() -> None:
    ways: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in loans():
        ways[tuple(step.what for step in case.steps)].append(case)
    frame = jm.variants(loan_journeys(resource_as="nothing")).frame
    assert frame.height == len(ways)
    for row in frame.iter_rows(named=True):
        taken = ways[tuple(row["path"])]
        assert (row["n"], row["converted"], row["lost"]) == (
            len(taken), sum(case.won for case in taken), sum(case.lost for case in taken)
        )  # fmt: skip
        assert row["mean_duration_s"] == about(
            sum(case.steps[-1].us - case.steps[0].us for case in taken) / len(taken) / 1e6
        )
        assert row["value"] == sum(case.value for case in taken if case.won)


def test_the_chain_by_a_dense_solve() -> None:
    moves: Counter[tuple[str, str]] = Counter()
    time: dict[str, int] = defaultdict(int)
    cases = [case for case in loans() if case.mature]
    for case in cases:
        walk = case.before
        outcome = "converted" if case.won else "lost" if case.lost else "open"
        moves.update(itertools.pairwise([step.what for step in walk] + [f"→ {outcome}"]))
        for before, after in itertools.pairwise(case.steps[: len(walk) + case.won]):
            time[before.what] += after.us - before.us
    states = sorted({a for a, _ in moves})
    number = {state: i for i, state in enumerate(states)}
    out: Counter[str] = Counter()
    for (a, _), n in moves.items():
        out[a] += n
    inner, ends = (
        np.zeros((len(states), len(states))),
        {"converted": np.zeros(len(states)), "lost": np.zeros(len(states))},
    )
    for (a, b), n in moves.items():
        if b in number:
            inner[number[a], number[b]] = n / out[a]
        elif b[2:] in ends:
            ends[b[2:]][number[a]] = n / out[a]
    solved = np.linalg.inv(np.eye(len(states)) - inner)
    goes_on = inner.sum(axis=1) + ends["converted"]  # the end of a lost one is no step
    pause = np.array([time[state] / out[state] / 1e6 for state in states])
    chain = jm.markov(loan_journeys(resource_as="nothing"))
    frame = chain.result.frame
    assert {row["state"][0]: row["n"] for row in frame.iter_rows(named=True)} == out
    for row in frame.iter_rows(named=True):
        at = number[row["state"][0]]
        assert row["visits"] == about(solved[number["A_SUBMITTED"], at])
        assert row["steps"] == about(solved[at] @ goes_on)
        assert row["seconds"] == about(solved[at] @ pause)
        for name, reached in ends.items():
            assert row[name] == about(solved[at] @ reached)
    # From the start the chain says what was counted.
    assert chain.summary["converted"][0] == about(sum(case.won for case in cases) / len(cases))


def test_credit_of_each_clerk_by_the_rules() -> None:
    expected: dict[tuple[str, str], float] = defaultdict(float)
    worth: dict[tuple[str, str], float] = defaultdict(float)
    for case in loans():
        if not case.won:
            continue
        touches = [step.channel for step in case.before]
        n, at = len(touches), case.steps[case.goal].us
        age = np.array([at - step.us for step in case.before]) / (7 * 86_400e6)
        decay = 0.5 ** (age - age.min())
        ends = [0.4, *[0.2 / (n - 2)] * (n - 2), 0.4] if n > 2 else [1 / n] * n
        parts = {
            "first": [1.0] + [0.0] * (n - 1), "last": [0.0] * (n - 1) + [1.0], "linear": [1 / n] * n,
            "position": ends, "time_decay": list(decay / decay.sum()),
        }  # fmt: skip
        for rule, shares in parts.items():
            for label, share in zip(touches, shares, strict=True):
                expected[rule, label] += share
                worth[rule, label] += share * case.value
    frame = jm.attribution(loan_journeys(), rules=("first", "last", "linear", "position", "time_decay")).frame
    for row in frame.iter_rows(named=True):
        # Credit is counted in millionths of a conversion.
        assert row["conversions"] == pytest.approx(expected[row["rule"], row["label"]], abs=3e-3)
        assert row["value"] == pytest.approx(worth[row["rule"], row["label"]], rel=1e-5, abs=100)
    assert {(row["rule"], row["label"]) for row in frame.iter_rows(named=True)} >= {k for k, v in expected.items() if v}


def test_credit_by_the_sets_of_clerks() -> None:
    # Shapley in closed form: a conversion is shared equally by all who had a hand in it before the goal.
    expected: dict[str, float] = defaultdict(float)
    for case in loans():
        if case.won:
            hands = {step.channel for step in case.before}
            for label in hands:
                expected[label] += 1 / len(hands)
    frame = jm.attribution(loan_journeys(), rules="shapley").frame
    for row in frame.iter_rows(named=True):
        assert row["conversions"] == pytest.approx(expected.get(row["label"], 0.0), abs=3e-3)
