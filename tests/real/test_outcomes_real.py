"""Where applications for a loan go, stop and convert, stage by stage and place by place, against plain loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting.result import Result
from tests.real.plain import DAY, STAGE_NAMES, Case, Step, about, loan_journeys, loans, wilson

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]
RANK = {stage: i for i, stage in enumerate(STAGE_NAMES)}


def rank_of(step: Step) -> int:
    return RANK.get(step.stage, -1)


def test_how_far_applications_get() -> None:
    mature = [case for case in loans() if case.mature]
    furthest = [max(0, *map(rank_of, case.steps)) for case in mature]
    won = sum(case.won for case in mature)
    reached = [
        sum(case.won or far >= k for case, far in zip(mature, furthest, strict=True)) for k in range(len(STAGE_NAMES))
    ]
    frame = jm.stage_reach(loan_journeys(resource_as="nothing")).frame
    onward = [*reached[1:], won]
    assert frame.select("stage", "n", "n_reached", "n_onward").rows() == [
        (stage, len(mature), here, on) for stage, here, on in zip(STAGE_NAMES, reached, onward, strict=True)
    ]
    assert frame["onward_share"].to_list() == [on / here for here, on in zip(reached, onward, strict=True)]
    assert frame["onward_share"].product() == about(won / len(mature))


Place = Callable[[Step], object]


def ends_at(cases: Iterable[Case], place: Place) -> dict[object, dict[str, float]]:
    """What became of the mature applications that came by each place."""
    found: dict[object, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for case in cases:
        goal, last = case.goal, place(case.steps[-1])
        ranks = [rank_of(step) for step in case.steps]
        highest_after = [max(ranks[i + 1 :], default=-1) for i in range(len(ranks))]
        for here in {place(step) for step in case.steps}:
            at = [i for i, step in enumerate(case.steps) if place(step) == here]
            row = found[here]
            row["n_reached"] += 1
            if not case.mature:
                continue
            later = case.won and goal > at[0]
            row["n"] += 1
            row["went_on"] += any(highest_after[i] > ranks[i] >= 0 for i in at)
            row["converted_later"] += later
            row["value"] += case.value if later else 0
            row["lost_here"] += case.lost and last == here
            row["open_here"] += not case.won and not case.lost and last == here
    return found


COUNTED = ("n_reached", "n", "went_on", "converted_later", "lost_here", "open_here")
SHARES = {"went_on": "went_on_share", "converted_later": "converted_share", "lost_here": "lost_share"}


def same_ends(result: Result, names: list[str], expected: dict[object, dict[str, float]]) -> None:
    assert result.frame.height == len(expected)
    for row in result.frame.iter_rows(named=True):
        place = tuple(row[name] for name in names)
        known = expected[place if len(place) > 1 else place[0]]
        assert {name: row[name] for name in COUNTED} == {name: known[name] for name in COUNTED}, place
        assert row["came_back"] == 0  # an application is a case of its own
        for count, share in SHARES.items():
            assert row[share] == about(known[count] / known["n"] if known["n"] else None)
            if known["n"]:
                limits = wilson(int(known[count]), int(known["n"]))
                assert (row[f"{share}_lower"], row[f"{share}_upper"]) == tuple(map(about, limits)), (place, share)


def test_where_applications_end_by_touchpoint_and_by_stage() -> None:
    journeys, cases = loan_journeys(resource_as="nothing"), loans()
    same_ends(jm.drop_off(journeys, by="touchpoint"), ["touchpoint"], ends_at(cases, lambda step: step.what))
    same_ends(jm.drop_off(journeys, by="stage"), ["stage"], ends_at(cases, lambda step: step.stage))


def test_what_is_at_stake_with_each_clerk() -> None:
    expected = ends_at(loans(), lambda step: (step.stage, step.channel))
    result = jm.drop_off(loan_journeys())
    same_ends(result, ["stage", "channel"], expected)
    solid = {
        place: wilson(int(row["converted_later"]), int(row["n"]))[0]
        for place, row in expected.items()
        if row["n"] >= 100 and row["converted_later"] >= 10 and place[1] != "(unknown)"  # nobody's example
    }  # fmt: skip
    compared = 0
    for row in result.frame.filter(pl.col("n") > 0).iter_rows(named=True):
        here = (row["stage"], row["channel"])
        others = [place for place in solid if place[0] == here[0] and place != here]
        assert row["n_comparable"] == len(others)
        if not others:
            assert row["conversions_at_stake"] is None
            continue
        best = max(others, key=lambda place: solid[place])
        own, theirs = (expected[place]["converted_later"] / expected[place]["n"] for place in (here, best))
        stake = expected[here]["lost_here"] * max(theirs - own, 0)
        assert (row["comparable"], row["conversions_at_stake"]) == (best[1], about(stake)), here
        won = expected[here]["converted_later"]
        worth = 0 if not stake else stake * expected[here]["value"] / won if won else None
        assert row["value_at_stake"] == about(worth), here
        compared += 1
    assert compared > 100


@pytest.mark.parametrize("days", [14, 30])
def test_conversion_within_a_horizon(days: int) -> None:
    watched = [case for case in loans() if case.last_of_log - case.steps[0].us >= days * DAY]
    soon = [case for case in watched if case.won and case.steps[case.goal].us - case.steps[0].us <= days * DAY]
    row = jm.conversion(loan_journeys(resource_as="nothing"), horizon=f"{days}d").frame.row(0, named=True)
    assert (row["n"], row["converted"], row["share"]) == (len(watched), len(soon), len(soon) / len(watched))
    assert (row["share_lower"], row["share_upper"]) == tuple(map(about, wilson(len(soon), len(watched))))


def test_conversion_and_value_by_the_first_clerk(real_data: Path) -> None:
    known: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
    for case in loans():
        if case.mature:
            known[case.steps[0].channel][0] += 1
            known[case.steps[0].channel][1] += case.won
            known[case.steps[0].channel][2] += case.value * case.won
    found = jm.conversion(loan_journeys(), by="channel").frame
    assert {row["channel"]: [row["n"], row["converted"], row["value"]] for row in found.iter_rows(named=True)} == known
