"""Satisfaction against a loop over every step, and against what is planted in the sample."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import journeymine as jm
from journeymine.columns import MICRO, MISSING
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.metrics import satisfaction
from tests.metrics.walk import Walk, walks_of
from tests.oracles.logs import Row, build, logs, rule_fields

FEW = settings(max_examples=25)


def by_hand(walks: list[Walk], label: str, has_goal: bool) -> dict[str, dict[str, Any]]:
    """Scores, silence and conversion of each place, step by step."""
    steps = [(walk, step) for walk in walks for step in walk.steps]
    asked = {(s["channel"], s["touchpoint"]) for _, s in steps if s["satisfaction"] != MISSING}
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"scores": [], "asked": 0, "users": set(), "judged": {}})
    for walk, step in steps:
        row = found[step[label]]
        if (step["channel"], step["touchpoint"]) not in asked:
            continue
        row["asked"] += 1
        spoke = step["satisfaction"] != MISSING
        if spoke:
            row["scores"].append(step["satisfaction"] / MICRO)
            row["users"].add(walk.user)
        if walk.mature and walk.status != "service" and has_goal:
            key = (step["channel"], step["touchpoint"], id(walk))
            row["judged"][key] = (row["judged"].get(key, (False,))[0] or spoke, walk.status == "converted")
    return found


def bias(judged: dict[Any, tuple[bool, bool]]) -> tuple[float, float] | None:
    """Conversion of who answered, and of the silent at the same touchpoints."""
    cells: dict[Any, dict[bool, list[bool]]] = defaultdict(lambda: {True: [], False: []})
    for (channel, touchpoint, _), (spoke, won) in judged.items():
        cells[channel, touchpoint][spoke].append(won)
    usable = [cell for cell in cells.values() if cell[True] and cell[False]]
    total = sum(len(cell[True]) for cell in usable)
    if not total:
        return None
    answered = sum(sum(cell[True]) for cell in usable) / total
    return answered, sum(len(cell[True]) * fmean(cell[False]) for cell in usable) / total


@FEW
@given(logs, rule_fields())
def test_scores_are_what_a_loop_over_steps_finds(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    for label in ("stage", "channel"):
        expected = by_hand(walks_of(journeys), label, fields["goal"] is not None)
        frame = satisfaction(journeys, by=label, scale=(1, 5)).frame
        assert set(frame[label]) == {key for key, row in expected.items() if row["asked"] or label == "stage"}
        for row in frame.iter_rows(named=True):
            want = expected[row[label]]
            scores = want["scores"]
            assert (row["n_asked"], row["n_answered"], row["n_users"]) == (
                want["asked"], len(scores), len(want["users"]),
            )  # fmt: skip
            assert row["nps"] is None
            if not scores:
                assert row["mean"] is None
                assert row["reason"]
                continue
            assert row["mean"] == pytest.approx(fmean(scores))
            assert row["emotion"] == pytest.approx(fmean(scores) - 3)
            assert row["csat_share"] == pytest.approx(fmean(s >= 4 for s in scores))
            assert row["dissatisfied_share"] == pytest.approx(fmean(s <= 2 for s in scores))
            assert row["response_share"] == pytest.approx(len(scores) / want["asked"])
            found = bias(want["judged"])
            if found is None:
                assert row["response_bias"] is None
            else:
                assert (row["converted_answered"], row["converted_silent"]) == pytest.approx(found)
                assert row["response_bias"] == pytest.approx(found[0] - found[1])


@FEW
@given(logs)
def test_dips_compare_a_touchpoint_with_the_others(log: tuple[Row, ...]) -> None:
    journeys = build(log, goal="order", idle="10m", session_gap="3m")
    steps = [s for walk in walks_of(journeys) for s in walk.steps if s["satisfaction"] != MISSING]
    frame = satisfaction(journeys, scale=(1, 5)).tables["dips"]
    assert set(frame.select("stage", "touchpoint").rows()) == {(s["stage"], s["touchpoint"]) for s in steps}
    for row in frame.iter_rows(named=True):
        here = [
            s["satisfaction"] / MICRO - 3
            for s in steps
            if (s["stage"], s["touchpoint"]) == (row["stage"], row["touchpoint"])
        ]
        rest = [
            s["satisfaction"] / MICRO - 3
            for s in steps
            if (s["stage"], s["touchpoint"]) != (row["stage"], row["touchpoint"])
        ]
        assert row["rest_of"] == "journey"  # no stage of so short a log holds 30 answers
        assert row["emotion"] == pytest.approx(fmean(here))
        assert row["n_rest"] == len(rest)
        assert (row["emotion_rest"] is None) == (not rest)
        if rest:
            assert row["difference"] == pytest.approx(fmean(here) - fmean(rest))
        assert row["p_value"] is None


def scored(scores: list[tuple[str, int]]) -> Any:
    """A user per score, all at once."""
    frame = pl.DataFrame({
        "user": [f"u{i}" for i in range(len(scores))], "t": list(range(len(scores))),
        "what": [what for what, _ in scores], "score": [score for _, score in scores],
    })  # fmt: skip
    events = jm.read_events(
        frame, timestamp="t", time_unit="s", touchpoint="what", satisfaction="score", satisfaction_scale=(0, 10)
    )
    return jm.build_journeys(events)


def test_nps_is_promoters_less_detractors_and_the_scale_comes_from_the_log() -> None:
    scores = [10] * 30 + [9] * 20 + [8] * 25 + [7] * 5 + [6] * 10 + [0] * 10
    frame = satisfaction(scored([("rated", score) for score in scores])).frame
    row = frame.row(0, named=True)
    assert row["touchpoint"] == "rated"
    assert row["nps"] == pytest.approx(50 - 20)
    assert row["nps_lower"] < 30 < row["nps_upper"]
    assert row["csat_share"] == pytest.approx(0.75)
    # The jackknife over folds is near the textbook interval of a mean of -1, 0 and 1 of 100 people.
    assert (row["nps_upper"] - row["nps_lower"]) / 2 == pytest.approx(100 * 1.96 * (0.61 / 100) ** 0.5, rel=0.35)


def test_touchpoints_may_have_scales_of_their_own() -> None:
    journeys = scored([("mailed", 10)] * 40 + [("called", 5)] * 40 + [("other", 3)] * 5)
    by = satisfaction(journeys, by="touchpoint", scale={"mailed": (0, 10), "called": (1, 5)}).frame
    assert by["touchpoint"].to_list() == ["called", "mailed"]
    assert by["emotion"].to_list() == [2, 2]
    assert by["mean"].to_list() == [5, 10]
    assert by["nps"].to_list() == [None, 100]
    together = satisfaction(journeys.segment("all", pl.lit("x")), by="all", scale={"mailed": (0, 10), "called": (1, 5)})
    assert together.frame["mean"].to_list() == [None]
    assert together.frame["emotion"].to_list() == [2]
    assert together.notes


def test_limits_end_with_the_scale_and_nothing_is_sure_to_the_last_digit() -> None:
    found = satisfaction(
        scored([("best", 10)] * 60 + [("nines", 9), ("nines", 10)] * 30 + [("one", 1)] + [("one", 10)] * 59)
    )
    rows = {row["touchpoint"]: row for row in found.frame.rows(named=True)}
    for row in rows.values():
        for name, least, most in (("emotion", -2, 2), ("mean", 0, 10), ("nps", -100, 100)):
            lower, upper = row[f"{name}_lower"], row[f"{name}_upper"]
            assert (lower is None) == (upper is None)
            assert lower is None or least <= lower < row[name] < upper <= most or upper == most
    assert rows["one"]["nps_upper"] == 100
    assert rows["one"]["mean_upper"] == 10
    assert rows["one"]["emotion_upper"] == 2
    assert (rows["best"]["emotion_lower"], rows["best"]["mean_lower"], rows["best"]["nps_lower"]) == (None, None, None)
    assert "alike" in rows["best"]["reason"]
    assert rows["best"]["csat_share_lower"] == pytest.approx(0.939828, abs=1e-6)  # Wilson, 60 of 60
    assert rows["nines"]["nps_lower"] is None  # all promoters
    assert rows["nines"]["reason"] is None
    assert rows["nines"]["emotion_lower"] < 1.8 < rows["nines"]["emotion_upper"]
    dips = found.tables["dips"]
    assert dips["p_value"].count() == 3
    assert dips.filter(touchpoint="best")["emotion_lower"].to_list() == [None]


def answered_by(people: list[tuple[str, str, int, list[int]]]) -> pl.DataFrame:
    """The dips of a log in which some people answer at a touchpoint so many times each, with those scores by turns."""
    rows = [
        (f"{what}{who} {i}", 60 * k, what, scores[(i + k) % len(scores)])
        for who, what, n, scores in people
        for i in range(n)
        for k in range(int(who))
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "score"], orient="row")
    events = jm.read_events(
        frame, timestamp="t", time_unit="s", touchpoint="what", satisfaction="score", satisfaction_scale=(1, 5)
    )
    return satisfaction(jm.build_journeys(events)).tables["dips"]


@pytest.mark.parametrize(
    ("rated", "n_tested"),
    [
        ([("1", "often", 60, [1, 2])], 2),
        ([("1", "often", 30, [1, 2])], 2),
        ([("20", "often", 2, [1, 2])], 0),  # two people's answers, however many
        ([("1", "often", 40, [1, 2]), ("30", "often", 1, [1])], 0),  # one says as much as all others
    ],
    ids=["sixty people", "thirty people", "two people", "one who rates all the time"],
)
def test_what_a_few_people_say_again_and_again_is_no_dip(
    rated: list[tuple[str, str, int, list[int]]], n_tested: int
) -> None:
    frame = answered_by([("1", "rest", 300, [2, 3, 4, 5]), *rated])
    assert frame.height == 2
    assert (frame["n_answered"] >= 30).all()
    assert frame["p_adjusted"].count() == n_tested
    assert frame["difference_lower"].is_null().equals(frame["p_value"].is_null(), check_names=False)
    assert frame["difference"].count() == 2


def test_the_planted_dip_is_found_and_the_null_case_claims_none() -> None:
    planted = satisfaction(jm.build_journeys(jm.sample(users=2000)))
    claims = planted.tables["dips"].filter((pl.col("p_adjusted") <= 0.05) & (pl.col("difference") < 0))
    assert claims["touchpoint"].to_list() == ["parcel_delivered"]
    assert claims["difference_upper"][0] < -0.8
    curve = planted.frame.filter(pl.col("n_answered") > 0)
    assert curve.sort("emotion")["stage"][0] == "retention"
    assert planted.frame["stage"].to_list() == ["awareness", "consideration", "purchase", "retention", "advocacy"]
    nothing = satisfaction(jm.build_journeys(jm.sample(users=2000, planted=False))).tables["dips"]
    assert not (nothing["p_adjusted"].drop_nulls() <= 0.05).any()


def test_comments_come_lowest_score_first() -> None:
    rows = [("a", "slow", 1), ("b", "fine", 5), ("c", " ", 1), ("d", None, 1), ("e", "cold", 2), ("f", "hm", None)]
    frame = pl.DataFrame(
        [(user, i, "parcel", text, score) for i, (user, text, score) in enumerate(rows)],
        schema=["user", "t", "what", "text", "score"], orient="row",
    )  # fmt: skip
    events = jm.read_events(
        frame,
        timestamp="t",
        time_unit="s",
        touchpoint="what",
        satisfaction="score",
        satisfaction_scale=(1, 5),
        attributes=["text"],
    )
    found = satisfaction(jm.build_journeys(events), comments="text").tables["comments"]
    assert found.select("score", "comment").rows() == [(1, "slow"), (2, "cold"), (5, "fine")]
    assert "user" not in found.columns


def test_bad_questions_are_refused() -> None:
    journeys = scored([("rated", 9)])
    for scale, said in (((5, 1), "lowest"), ((0, 5), "outside"), ({}, "no touchpoint"), ("15", "lowest|outside")):
        with pytest.raises(QuestionError, match=said):
            satisfaction(journeys, scale=scale)
    with pytest.raises(UnknownLabelError, match="nowhere"):
        satisfaction(journeys, by="nowhere")
    with pytest.raises(QuestionError, match="scale"):
        satisfaction(journeys.replace(events=None))
    with pytest.raises(QuestionError, match="scale"):
        jm.Satisfaction()
    with pytest.raises(QuestionError, match="n_comments"):
        satisfaction(journeys, comments="touchpoint", n_comments=0)
    bare = jm.read_events(
        pl.DataFrame({"user": ["a"], "t": [1], "what": ["x"]}), timestamp="t", time_unit="s", touchpoint="what"
    )
    with pytest.raises(QuestionError, match="no satisfaction scores"):
        satisfaction(jm.build_journeys(bare), scale=(1, 5))


def test_sources_that_differ_must_be_told_apart() -> None:
    frame = pl.DataFrame({"user": ["a"], "t": [1], "what": ["x"], "score": [3]})
    fields = {"timestamp": "t", "time_unit": "s", "touchpoint": "what", "satisfaction": "score"}
    events = jm.read_events([
        jm.Source(frame, jm.EventSchema(**fields, satisfaction_scale=(1, 5)), "one"),
        jm.Source(frame, jm.EventSchema(**fields, satisfaction_scale=(0, 10)), "two"),
    ])  # fmt: skip
    with pytest.raises(QuestionError, match="2 scales: 0–10, 1–5"):
        satisfaction(jm.build_journeys(events))


def asked_for_a_score(scale: tuple[int, int] = (1, 5)) -> jm.Journeys:
    rows = [
        (f"u{i}", t, what, 5.0 if what == "survey" else None)
        for i in range(4)
        for t, what in enumerate(("mailing", "survey"))
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "score"], orient="row")
    stages = jm.StageMap.of({"use": ["mailing", "survey"]}, touchpoints=[{"match": "mailing", "by_company": True}])
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", satisfaction="score",
                            satisfaction_scale=scale, stages=stages)  # fmt: skip
    return jm.build_journeys(events)


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ({"mailing": (1, 5)}, "'mailing' is declared by_company"),
        ((0, 10), "scale 0–10 reaches beyond the declared 1–5"),
        ((1, 7), "scale 1–7 reaches beyond"),
        ({"survey": (0, 5)}, "scale 0–5 of 'survey' reaches beyond"),
    ],
    ids=str,
)
def test_a_scale_that_no_score_can_have_been_given_on(scale: Any, said: str) -> None:
    with pytest.raises(QuestionError, match=rf"{said}(?s:.*)Hint"):
        satisfaction(asked_for_a_score(), scale=scale)


def test_a_scale_within_the_declared_one_is_taken() -> None:
    wide = asked_for_a_score((0, 10))
    for scale in ((1, 5), {"survey": (1, 5)}):
        assert satisfaction(wide, scale=scale).frame["emotion"].to_list() == [2.0]
