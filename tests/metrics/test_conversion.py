from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from journeymine.counting import question_of
from journeymine.errors import QuestionError, RulesError, UnknownLabelError
from journeymine.events import read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import Conversion, conversion
from tests.oracles.logs import MINUTE, Row, build


def journeys_of(rows: list[tuple[str, int, str, str]], **rules: Any) -> Journeys:
    log = tuple(Row(user, minute * MINUTE, what, where, 7.5, None, None, None) for user, minute, what, where in rows)
    return build(log, **{"goal": "order", "idle": "10m", "session_gap": "3m", **rules})


def many(n: int, won: int, *, per_user: int = 1) -> Journeys:
    """`n` users with `per_user` journeys each; the first `won` users convert in all of theirs."""
    rows = []
    for user in range(n):
        for k in range(per_user):
            rows.append((f"u{user}", 60 * k, "visit", "web"))
            if user < won:
                rows.append((f"u{user}", 60 * k + 1, "order", "web"))
    return journeys_of(rows, observed_until=1_577_836_800_000_000 + 600 * MINUTE)


def test_users_who_stand_once_get_wilson_s_plain_interval() -> None:
    row = conversion(many(400, 100)).frame.row(0, named=True)
    p, n, z = 0.25, 400, 1.959963984540054
    middle, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        (z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))),
    )
    assert (row["n"], row["n_users"], row["converted"], row["share"]) == (400, 400, 100, 0.25)
    assert row["share_lower"] == pytest.approx(middle - half, abs=1e-12)
    assert row["share_upper"] == pytest.approx(middle + half, abs=1e-12)
    assert (row["sparse"], row["reason"]) == (False, None)
    wide = conversion(many(400, 100), confidence=0.99).frame.row(0, named=True)
    assert wide["share_lower"] < row["share_lower"] < row["share_upper"] < wide["share_upper"]


def test_users_who_stand_often_count_for_less() -> None:
    once, often = (conversion(many(400, 100, per_user=k)).frame.row(0, named=True) for k in (1, 5))
    assert (often["n"], often["n_users"]) == (2_000, 400)
    # Five copies of each user tell no more than one: the design effect is about five.
    assert often["share_upper"] - often["share_lower"] == pytest.approx(
        once["share_upper"] - once["share_lower"], rel=0.25
    )


def test_few_users_are_flagged_and_too_few_get_no_interval() -> None:
    assert conversion(many(299, 40)).frame["sparse"][0]
    assert conversion(many(300, 29)).frame["sparse"][0]
    assert not conversion(many(300, 30)).frame["sparse"][0]
    row = conversion(many(12, 6, per_user=3)).frame.row(0, named=True)
    assert (row["share"], row["share_lower"], row["share_upper"]) == (0.5, None, None)
    assert "fewer than 20 of the 64 folds" in row["reason"]


def test_a_dominant_user_takes_the_interval_away() -> None:
    rows = [(f"u{i}", 0, "visit", "web") for i in range(200)] + [("whale", 60 * k, "visit", "web") for k in range(100)]
    row = conversion(journeys_of(rows, observed_until=1_577_836_800_000_000 + 9_000 * MINUTE)).frame.row(0, named=True)
    assert row["share_lower"] is None
    assert "more than 10%" in row["reason"]


def test_open_and_immature_journeys() -> None:
    rows = [("a", 0, "visit", "web"), ("b", 0, "order", "web"), ("c", 95, "visit", "web"), ("d", 95, "order", "web"),
            ("e", 0, "visit", "web"), *(("e", k * 9, "visit", "web") for k in range(1, 11)), ("z", 100, "visit", "web")]  # fmt: skip
    row = conversion(journeys_of(rows)).frame.row(0, named=True)
    # e started long ago and is still at it: open, and below the line.
    assert {k: row[k] for k in ("n_journeys", "n", "converted", "lost", "open", "immature")} == {
        "n_journeys": 6, "n": 3, "converted": 1, "lost": 1, "open": 1, "immature": 3,
    }  # fmt: skip
    assert row["share"] == 1 / 3


def test_a_horizon_counts_those_observed_that_long_and_is_inclusive() -> None:
    rows = [("a", 0, "visit", "web"), ("a", 5, "order", "web"), ("b", 0, "visit", "web"), ("b", 6, "order", "web"),
            ("c", 95, "visit", "web"), ("d", 96, "visit", "web"), ("z", 100, "visit", "web")]  # fmt: skip
    row = conversion(journeys_of(rows), horizon="5m").frame.row(0, named=True)
    assert (row["n"], row["converted"], row["immature"]) == (3, 1, 2)
    assert conversion(journeys_of(rows), horizon=timedelta(minutes=6)).frame["converted"][0] == 2


def test_a_log_that_is_too_short_says_which_idle_it_supports() -> None:
    day = 86_400
    frame = pl.DataFrame({"user": ["a", "b"], "t": [0, 20 * day], "what": ["x", "x"]})
    events = read_events(frame, timestamp="t", time_unit="s", touchpoint="what")
    row = conversion(build_journeys(events, goal="order")).frame.row(0, named=True)
    assert row["share"] is None
    assert "10d" in row["reason"]
    # What the reason promises holds.
    again = conversion(build_journeys(events, goal="order", idle="10d")).frame.row(0, named=True)
    assert (again["n"], again["share"]) == (1, 0.0)
    horizon = conversion(build_journeys(events, goal="order"), horizon="21d").frame.row(0, named=True)
    assert (horizon["share"], "21d" in horizon["reason"]) == (None, True)


def test_rules_without_a_goal_claim_no_conversion() -> None:
    row = conversion(journeys_of([(f"u{i}", 0, "visit", "web") for i in range(500)] + [("z", 99, "visit", "web")],
                                 goal=None)).frame.row(0, named=True)  # fmt: skip
    assert (row["share"], row["share_lower"]) == (None, None)
    assert "goal" in row["reason"]


def test_equal_questions_have_equal_fingerprints() -> None:
    assert question_of(Conversion(by="channel", horizon="14d")) == question_of(
        Conversion(by=["channel"], horizon=timedelta(days=14))
    )
    assert Conversion(horizon="336h") == Conversion(horizon="14d")


def test_whose_channel() -> None:
    rows = [("a", 0, "visit", "web"), ("a", 1, "visit", "store"), ("a", 2, "order", "web"), ("z", 99, "ad", "web")]
    found = {}
    for whose in ("entry", "exit", "any"):
        frame = conversion(journeys_of(rows), by="channel", channel_of=whose).frame
        found[whose] = {row["channel"]: row["converted"] for row in frame.iter_rows(named=True)}
    assert found == {"entry": {"web": 1}, "exit": {"web": 1}, "any": {"store": 1, "web": 1}}


def test_what_cannot_be_asked() -> None:
    journeys = journeys_of([("a", 0, "visit", "web")])
    with pytest.raises(QuestionError, match="twice"):
        conversion(journeys, by=["channel", "channel"])
    with pytest.raises(QuestionError, match="'entry'"):
        conversion(journeys, channel_of="first")
    with pytest.raises(UnknownLabelError, match="channel"):
        conversion(journeys, by="chanel")
    for horizon in ("0d", "-3d", "14"):
        with pytest.raises(RulesError, match="horizon"):
            conversion(journeys, horizon=horizon)
    with pytest.raises(RulesError, match="horizon"):
        conversion(journeys, horizon=14)  # type: ignore[arg-type]


@pytest.mark.parametrize("whose", ["entry", "any"])
def test_a_breakdown_into_a_crowd_is_refused(whose: str) -> None:
    frame = pl.DataFrame({"user": ["a"] * 10_001, "t": range(10_001), "what": ["x"] * 10_001})
    frame = frame.with_columns(page=pl.col("t").cast(pl.String))
    events = read_events(frame, timestamp="t", time_unit="s", touchpoint="what", attributes=["page"])
    with pytest.raises(QuestionError, match=r"10,001 labels(?s:.*)Hint"):
        conversion(build_journeys(events, goal="x"), by="page", channel_of=whose)


def test_a_log_without_values_has_no_mean_value() -> None:
    log = pl.DataFrame({"user": ["a", "a", "b"], "s": [0, 60, 0], "what": ["visit", "won", "visit"]})
    events = read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="what")
    row = conversion(build_journeys(events, goal="won", observed_until=200 * 86_400_000_000)).frame.row(0, named=True)
    assert (row["converted"], row["value"], row["mean_value"]) == (1, 0, None)
