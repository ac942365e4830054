from __future__ import annotations

import dataclasses
import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from journeymine.columns import JOURNEY_COLUMNS, STEP_COLUMNS
from journeymine.errors import QuestionError, RulesError, SchemaError, UnknownLabelError
from journeymine.events import StageMap, read_events
from journeymine.journeys import JourneyRules, build_journeys
from journeymine.journeys.context import goal_rank, sale_rank
from journeymine.metrics import conversion
from tests.oracles.logs import Row, build, rule_fields

STAGES = StageMap.of({"see": ["ad_*"], "buy": ["order", {"touchpoint": "call", "channel": "store"}], "keep": ["call"]})


@given(fields=rule_fields())
def test_rules_survive_their_data_form(fields: dict[str, Any]) -> None:
    rules = JourneyRules(**fields)
    again = JourneyRules.from_data(rules.to_data())
    assert again == rules
    assert again.fingerprint == rules.fingerprint


def test_rules_are_the_same_from_toml() -> None:
    text = """
    goal = {touchpoint = "order", value = {">=" = 100}}
    lost_at = ["closed", "bounced"]
    idle = "14d"
    segments = {plan = "plan"}
    """
    rules = JourneyRules(goal={"touchpoint": "order", "value": {">=": 100}}, lost_at=["bounced", "closed"],
                         idle=timedelta(days=14), segments={"plan": "plan"})  # fmt: skip
    assert JourneyRules.from_data(tomllib.loads(text)) == rules
    assert rules.mature_after == "28d"


def test_the_fingerprint_is_pinned() -> None:
    # States of batch jobs hold it: it may change in a major version only.
    assert JourneyRules(goal="order_placed", lost_at=["closed"], idle="14d").fingerprint == PINNED


PINNED = "43a5e558e394ac97"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"idle": 30}, "idle"),
        ({"idle": "30"}, "idle"),
        ({"idle": "0s"}, "longer than zero"),
        ({"idle": "-1d"}, "idle"),
        ({"session_gap": "31d"}, "session_gap"),
        ({"goal": []}, "goal"),
        ({"goal": 7}, "goal"),
        ({"goal": {"value": {">=": "a"}}}, "goal"),
        ({"goal": {"value": {"~": 1}}}, "tests are"),
        ({"after_goal": "stay"}, "need a goal"),
        ({"goal": "a", "after_goal": "keep"}, "'stay' or 'cut'|'stay', 'cut'"),
        ({"goal": "a", "after_goal": "cut", "split": "user"}, "split"),
        ({"observed_until": "soon"}, "is no instant"),
    ],
)
def test_contradictions_are_refused_with_the_way_out(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesError, match=f"(?s){said}.*Hint: .+|Hint: .*{said}"):
        JourneyRules(**fields)


def test_an_unknown_rule_names_those_there_are() -> None:
    with pytest.raises(RulesError, match=r"(?s)idel.*idle"):
        JourneyRules.from_data({"idel": "3d"})


def test_rules_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        JourneyRules().goal = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "stay", "sale"),
    [
        ({"goal": "order"}, 1, 1),
        ({"goal": "order", "after_goal": "cut"}, None, 1),
        ({"goal": "order", "split": "user"}, None, 1),
        ({"goal": ["order", "call"]}, 1, 1),
        ({"goal": "call"}, 1, 1),  # in the store it belongs to "buy", the earlier of its stages
        ({"goal": "unheard"}, None, None),
        ({"goal": "unheard", "goal_stage": "keep"}, 2, 2),
        ({"goal": {"value": {">": 3}}}, None, None),
        ({}, None, None),
    ],
)
def test_where_the_after_sale_part_begins(fields: dict[str, Any], stay: int | None, sale: int | None) -> None:
    rules = JourneyRules(**fields)
    assert (goal_rank(rules, STAGES), sale_rank(rules, STAGES)) == (stay, sale)


def test_an_after_sale_part_that_cannot_be_is_refused() -> None:
    with pytest.raises(RulesError, match="Hint"):
        goal_rank(JourneyRules(goal="order", after_goal="stay"), None)
    with pytest.raises(RulesError, match="no touchpoint of the goal is mapped"):
        goal_rank(JourneyRules(goal="unheard", after_goal="stay"), STAGES)
    with pytest.raises(UnknownLabelError, match="keep"):
        goal_rank(JourneyRules(goal="order", goal_stage="kep"), STAGES)
    with pytest.raises(RulesError, match="needs stages"):
        goal_rank(JourneyRules(goal="order", goal_stage="keep"), None)


def test_a_goal_whose_stage_nobody_can_know_says_so() -> None:
    log = (Row("a", 0, "visit", "web", None, None, None, None), Row("a", 1, "order", "web", 9.0, None, None, None))
    for goal in ({"touchpoint": {"glob": "ord*"}}, {"value": {">=": 5}}, {"not": "visit"}):
        journeys = build(log, goal=goal, idle="10m", session_gap="3m")
        assert journeys.goal_stage is None
        assert "say it with goal_stage=" in journeys.notes[0]
        assert "say it with goal_stage=" in repr(journeys)
        assert conversion(journeys).notes == journeys.notes
        for fields in ({"goal_stage": "purchase"}, {"after_goal": "cut"}, {"split": "user"}):
            told = build(log, goal=goal, idle="10m", session_gap="3m", **fields)
            assert (told.notes, conversion(told).notes) == ((), ())
    named = build(log, goal={"touchpoint": "order", "value": {">=": 5}}, idle="10m", session_gap="3m")
    assert (named.goal_stage, named.notes, conversion(named).notes) == ("purchase", (), ())
    assert build(log, goal="🛒", idle="10m", session_gap="3m").notes  # a touchpoint of no stage


def test_a_goal_that_occurs_nowhere_says_so_and_names_the_nearest() -> None:
    log = (Row("a", 0, "visit", "web", None, None, None, None), Row("a", 1, "order", "web", 9.0, None, None, None))
    nowhere = "the goal occurs nowhere in this log, and nothing converts"
    ordr = "the goal names the touchpoint 'ordr', which occurs nowhere in this log"
    webb = "the goal names the channel 'webb', which occurs nowhere in this log"
    vist = "the goal names the touchpoint 'vist', which occurs nowhere in this log"
    for goal, told, on_counts in (
        ("ordr", (f"{ordr} (nearest: 'order')", nowhere), (ordr,)),
        ({"touchpoint": {"glob": "ordr*"}}, (nowhere,), ()),
        ({"touchpoint": "order", "channel": "webb"}, (f"{webb} (nearest: 'web')", nowhere), (webb,)),
        (["order", "vist"], (f"{vist} (nearest: 'visit')",), (vist,)),
    ):
        journeys = build(log, goal=goal, idle="10m", session_gap="3m", after_goal="cut")
        assert journeys.notes == told
        assert told[0] in repr(journeys)
        assert conversion(journeys).notes == on_counts
        # What is left of a log has the labels of all of it, and so have its parts.
        assert journeys.where(pl.lit(value=False)).notes == told
        assert conversion(journeys.range(0, 0)).notes == on_counts
    assert build(log, goal="visit", idle="1h").where(pl.col("status") == "lost").notes == ()


def test_a_goal_of_no_stage_says_so_on_conversion_too() -> None:
    log = (Row("a", 0, "visit", "web", None, None, None, None), Row("a", 1, "quit", "web", None, None, None, None))
    journeys = build(log, goal="quit", idle="10m", session_gap="3m")
    assert "say it with goal_stage=" in conversion(journeys).notes[0]
    assert conversion(journeys).notes == journeys.notes


def test_journeys_are_built_from_events_by_rules() -> None:
    frame = pl.DataFrame({"user": ["a"], "t": [0], "touchpoint": ["x"]})
    with pytest.raises(QuestionError, match=r"(?s)not from a DataFrame.*Hint: read_events"):
        build_journeys(frame)  # type: ignore[arg-type]
    with pytest.raises(RulesError, match=r"(?s)rules are a dict.*Hint"):
        build_journeys(read_events(frame, timestamp="t", time_unit="s"), {"goal": "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize("segments", [["plan"], "plan", {"x": 3}, {"status": "plan"}, {"user": "plan"}], ids=str)
def test_segments_that_are_none_or_would_hide_a_column_are_refused(segments: Any) -> None:
    with pytest.raises(RulesError, match=r"(?s)segment.*Hint"):
        JourneyRules(goal="order", segments=segments)


def test_a_segment_may_be_called_as_its_own_column_only() -> None:
    rows = (Row("a", 0, "visit", "web", None, None, "pro", None),)
    assert (
        build(rows, goal="order", idle="10m", session_gap="3m", segments={"plan": "plan"}).table["plan"].item() == "pro"
    )
    with pytest.raises(RulesError, match=r"(?s)segment 'channel' is of the column 'plan'.*Hint"):
        build(rows, goal="order", idle="10m", session_gap="3m", segments={"channel": "plan"})


def test_the_names_of_the_columns_of_journeys_and_steps_are_all_known() -> None:
    rows = (Row("a", 0, "visit", "web", 1.0, 1.0, "pro", 5),)
    journeys = build(rows, goal="order", idle="10m", session_gap="3m")
    assert set(journeys.table.columns) == set(JOURNEY_COLUMNS)
    assert set(STEP_COLUMNS) < set(journeys.steps.columns)
    frame = pl.DataFrame({"user": ["a"], "t": [0], "touchpoint": ["x"]})
    for name in STEP_COLUMNS:
        with pytest.raises(SchemaError, match=rf"(?s)'{name}' bear the name of a canonical column.*Hint: rename"):
            read_events(frame.with_columns(pl.lit("mine").alias(name)), timestamp="t", time_unit="s", attributes=[name])


@pytest.mark.parametrize(
    "given",
    [
        date(2026, 3, 1),
        "2026-03-01",
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 2),  # noqa: DTZ001
        "2026-03-02T01:00:00+01:00",
        1_772_409_600_000_000,
        tomllib.loads("at = 2026-03-01")["at"],
        tomllib.loads("at = 2026-03-02T00:00:00Z")["at"],
    ],
    ids=[
        "date",
        "text of a date",
        "datetime",
        "naive datetime",
        "text with a zone",
        "microseconds",
        "TOML date",
        "TOML datetime",
    ],
)
def test_a_log_is_complete_until_the_end_of_a_date_or_an_instant(given: Any) -> None:
    rules = JourneyRules(goal="order", observed_until=given)
    assert rules == JourneyRules(goal="order", observed_until=1_772_409_600_000_000)
    assert JourneyRules.from_data(rules.to_data()).fingerprint == rules.fingerprint
    log = pl.DataFrame({"u": ["a"], "t": [datetime(2026, 2, 28, tzinfo=UTC)], "what": ["visit"]})
    events = read_events(log, user="u", timestamp="t", touchpoint="what")
    assert build_journeys(events, rules).context.observed_until == 1_772_409_600_000_000


@pytest.mark.parametrize("given", ["soon", "2026-02-30", True, 1.5, timedelta(days=1), date.max])
def test_what_is_no_instant_is_refused(given: Any) -> None:
    with pytest.raises(RulesError, match=r"observed_until=.*(?s:.*)Hint"):
        JourneyRules(observed_until=given)


def test_a_log_is_not_complete_before_it_begins() -> None:
    log = pl.DataFrame({"u": ["a"], "t": [datetime(2026, 2, 28, tzinfo=UTC)], "what": ["visit"]})
    events = read_events(log, user="u", timestamp="t", touchpoint="what")
    with pytest.raises(RulesError, match=r"2026-02-02T00:00:00.000000Z lies before the first event at 2026-02-28T"):
        build_journeys(events, observed_until="2026-02-01")
