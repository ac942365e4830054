"""What a state is asked is chosen, and tried, before its first night; and a state of an older format is made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.cli.app import run
from journeymine.counting import Measure
from journeymine.errors import (
    JourneymineError,
    QuestionError,
    RulesError,
    SchemaError,
    SourceError,
    StateError,
    UnknownLabelError,
)
from journeymine.events import EventSchema, StageMap, read_events
from journeymine.graph import Markov
from journeymine.journeys import JourneyRules, build_journeys
from journeymine.metrics import Conversion, DropOff, Retention, TimeToConvert
from journeymine.nightly import NightlyState
from tests.contracts.measures import MEASURES
from tests.nightly.nights import SCHEMA, advance_all, batch, counted, generate, new_state

OLD = Path(__file__).parent / "format_1"
RULES: list[dict[str, Any]] = [
    {"goal": "order", "idle": "5m", "session_gap": "2m"},
    {"goal": "order", "idle": "6m", "session_gap": "3m", "split": "session"},
    {"lost_at": ["quit"], "idle": "4m", "session_gap": "2m"},
    {"idle": "4m", "session_gap": "2m"},
]


@pytest.mark.parametrize("number", range(len(RULES)))
def test_a_question_fails_at_create_where_it_would_fail_on_the_first_night(number: int, tmp_path: Path) -> None:
    rules, nights = JourneyRules(**RULES[number]), generate(1, n_nights=2)
    journeys = batch(nights.accepted, rules, nights.untils[-1])
    refused = 0
    for position, measure in enumerate(MEASURES):
        try:
            measure.count(journeys)
        except JourneymineError as error:
            refused += 1
            with pytest.raises(type(error), match="the measure 'asked' cannot be answered"):
                new_state(tmp_path / f"{position}", rules, {"asked": measure})
            assert not (tmp_path / f"{position}").exists()
        else:
            new_state(tmp_path / f"{position}", rules, {"asked": measure})
    assert (refused > 0) == (rules.goal is None), refused


def test_a_column_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises((UnknownLabelError, QuestionError), match="region"):
        new_state(tmp_path / "state", JourneyRules(goal="order"), {"lost": DropOff(by="region")})


@pytest.mark.parametrize("rules", RULES[2:])
def test_without_questions_those_are_asked_that_the_rules_can_answer(rules: dict[str, Any], tmp_path: Path) -> None:
    nights = generate(1, n_nights=2)
    state = new_state(tmp_path / "state", JourneyRules(**rules))
    state.advance(nights.dumps[0], until=nights.untils[0])
    assert {"conversion", "nodes", "flows"} <= set(state.results())


def write(folder: Path, text: str) -> Path:
    (folder / "measures.toml").write_text(text)
    return folder / "measures.toml"


def test_questions_are_chosen_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = write(
        tmp_path,
        """
        [[measures]]
        measure = "conversion"
        [[measures]]
        measure = "retention"
        name = "daily_retention"
        period = "day"
        returned = ["order", "basket"]
        """,
    )
    state, config = str(tmp_path / "state"), str(OLD / "journey.toml")
    assert run(["nightly", "create", state, "--config", config, "--measures", str(asked), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measures"] == ["conversion", "daily_retention"]
    assert NightlyState.open(state).settings.measures == {
        "conversion": Conversion(),
        "daily_retention": Retention(period="day", returned=["order", "basket"]),
    }
    assert run(["nightly", "advance", state, str(OLD / "2026-03-01.csv"), "--until", "2026-03-01"]) == 0
    assert run(["nightly", "report", state, "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "daily_retention.parquet").exists()
    assert not (tmp_path / "report" / "map.html").exists()
    more = write(tmp_path, 'map = true\n[[measures]]\nmeasure = "time_to_convert"\n')
    given = ["--out", str(tmp_path / "anew"), "--from-dumps", str(OLD / "2026-03-01.csv"), "--measures", str(more)]
    assert run(["nightly", "rebuild", state, *given]) == 0
    made = NightlyState.open(tmp_path / "anew")
    assert {"conversion", "flows", "chances", "time_to_convert"} <= set(made.settings.measures)
    assert made.settings.rules == NightlyState.open(state).settings.rules
    assert made.nights.equals(NightlyState.open(state).nights)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[[measures]]\nmeasure = "retentoin"', r"measure 1: no measure 'retentoin'.*\n.*retention"),
        (
            '[[measures]]\nmeasure = "conversion"\n[[measures]]\nmeasure = "drop_off"\nbx = "y"',
            r"measure 2: .*'bx'.*\n.*by",
        ),
        ('[[measures]]\nmeasure = "time_to_convert"\nbin = "soon"', "measure 1: .*soon"),
        ('[[measures]]\nmeasure = "conversion"\n[[measures]]\nmeasure = "conversion"', "two named 'conversion'"),
        ('[[measures]]\nmeasure = "funnel"', "measure 1: funnel cannot be asked so: .*steps"),
        ("[measures]\nmeasure = 1", "not understood"),
        ("chart = true", "'chart' is not understood"),
        ("map = false", "asks for nothing"),
        ("map = ", "not valid TOML"),
    ],
)
def test_a_file_of_questions_says_what_is_wrong_with_it(
    text: str, match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = write(tmp_path, text)
    with pytest.raises(JourneymineError, match=match):
        NightlyState.create(tmp_path / "state", config=OLD / "journey.toml", measures=asked)
    assert not (tmp_path / "state").exists()
    given = ["--config", str(OLD / "journey.toml"), "--measures", str(asked)]
    assert run(["nightly", "create", str(tmp_path / "state"), *given]) == 3
    assert "Hint:" in capsys.readouterr().err


def test_a_question_that_the_rules_cannot_answer_fails_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (OLD / "journey.toml").read_text().replace('goal = "order"\n', "")
    (tmp_path / "journey.toml").write_text(config)
    asked = write(tmp_path, '[[measures]]\nmeasure = "customer_value"')
    given = ["--config", str(tmp_path / "journey.toml"), "--measures", str(asked)]
    assert run(["nightly", "create", str(tmp_path / "state"), *given]) == 3
    assert "'customer_value' cannot be answered" in capsys.readouterr().err
    with pytest.raises(SourceError, match="cannot be read"):
        NightlyState.create(tmp_path / "state", config=OLD / "journey.toml", measures=tmp_path / "absent.toml")


def test_splits_that_never_close_and_odd_options_are_refused(tmp_path: Path) -> None:
    asked: dict[str, Measure] = {"chain": Markov(), "time": TimeToConvert()}
    for split in ("user", "plan"):
        with pytest.raises(RulesError, match=r"never closes.*\n.*mine the whole log"):
            new_state(tmp_path / "state", JourneyRules(goal="order", split=split), asked)
    for options in ({"alarm_rate": 0}, {"keep_days": -1}, {"every": "0s"}, {"allowed_lateness": "-1d"}):
        with pytest.raises(JourneymineError):
            new_state(tmp_path / "state", JourneyRules(goal="order"), asked, **options)
    assert not (tmp_path / "state").exists()


def test_a_version_that_counts_otherwise_is_told_apart(tmp_path: Path) -> None:
    nights = generate(1, n_nights=2)
    state = new_state(
        tmp_path / "state", JourneyRules(goal="order", idle="5m", session_gap="2m"), {"won": Conversion()}
    )
    state.advance(nights.dumps[0], until=nights.untils[0])
    manifest = state._store.read()
    state._store.commit({**manifest, "tables": {"won": "as it was once"}})
    before = (state.directory / "manifest.json").read_bytes()
    for act in (lambda: state.advance(nights.dumps[1], until=nights.untils[1]), state.results):
        with pytest.raises(StateError, match=r"counts won otherwise.*\n.*rebuild"):
            act()
    assert (state.directory / "manifest.json").read_bytes() == before
    assert NightlyState.rebuild(state.directory, tmp_path / "anew", nights.dumps[:1]).nights.equals(state.nights)


def test_a_state_of_format_1_is_refused_and_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(OLD / "manifest.json", tmp_path / "old")
    dumps = sorted(OLD.glob("*.csv"))
    for command in (["advance", str(tmp_path / "old"), str(dumps[0])], ["report", str(tmp_path / "old")]):
        assert run(["nightly", *command]) == 5
        assert "format 1, and this version reads format 2" in capsys.readouterr().err
    given = [word for dump in dumps for word in ("--from-dumps", str(dump))]
    assert run(["nightly", "rebuild", str(tmp_path / "old"), "--out", str(tmp_path / "new"), *given]) == 0
    made = NightlyState.open(tmp_path / "new")
    told = json.loads((OLD / "manifest.json").read_text())
    assert made.nights["observed_until"].cast(pl.Int64).to_list() == [
        night["observed_until"] for night in told["nights"]
    ]
    assert made.nights["accepted"].to_list() == [night["accepted"] for night in told["nights"]]
    settings = made.settings.to_data()
    # measures may have gained fields since
    assert set(settings.pop("measures")) == set(told["settings"].pop("measures"))
    assert settings == told["settings"]
    assert made.results()["conversion"].frame["n_journeys"].sum() > 0


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"lateness": "1d"}, RulesError, "no option 'lateness'"),
        ({"keep_days": "30"}, RulesError, "keep_days='30' is no number of days"),
        ({"alarm_rate": "1 %"}, RulesError, "alarm_rate=1 % is no share"),
        ({"measures": ["conversion"]}, QuestionError, "str is no measure"),
        ({"measures": [Conversion]}, QuestionError, "Conversion is no measure with its question"),
        ({"measures": Conversion()}, QuestionError, "Conversion is no list of measures"),
        ({"rules": "order"}, RulesError, "rules are a str"),
        # files of a report: nowhere else, and none of its own
        ({"measures": {"../up": Conversion()}}, QuestionError, "cannot be named '../up'"),
        ({"measures": {".hidden": Conversion()}}, QuestionError, "cannot be named"),
        ({"measures": {"nights": Conversion()}}, QuestionError, "cannot be named 'nights'"),
        ({"measures": {"daily": Conversion()}}, QuestionError, "cannot be named 'daily'"),
    ],
    ids=str,
)
def test_what_a_state_cannot_be_made_with_is_told(
    given: dict[str, Any], error: type[JourneymineError], told: str, tmp_path: Path
) -> None:
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint")
    with pytest.raises(error, match=rf"{told}(?s:.*)Hint"):
        NightlyState.create(tmp_path / "state", **{"schema": schema, "rules": JourneyRules(goal="order"), **given})
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("until", ["9999-12-31", 10**19, "1850-01-01", -(10**17)], ids=str)
def test_a_night_cannot_end_when_no_event_can_be(until: Any, tmp_path: Path) -> None:
    nights = generate(1, n_nights=1)
    state = new_state(tmp_path / "state", JourneyRules(goal="order"), {"conversion": Conversion()})
    with pytest.raises(StateError, match="outside the times that events can have"):
        state.advance(nights.dumps[0], until=until)
    with pytest.raises(StateError, match="lies before the first event"):
        state.advance(nights.dumps[0], until="1999-01-01")
    assert not state.nights.height


@pytest.mark.parametrize("name", ["night", "counted", "prior_goals", "_row", "_keep"])
def test_an_attribute_called_like_a_column_of_the_state_is_refused(name: str, tmp_path: Path) -> None:
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint", attributes=[name])
    with pytest.raises(SchemaError, match=rf"column '{name}' of its own(?s:.*)rename"):
        NightlyState.create(tmp_path / "state", schema=schema, rules=JourneyRules(goal="order"))


@pytest.mark.parametrize("name", ["awake", "sealed", "open_from", "rank", "later", "day"])
def test_any_other_attribute_is_kept(name: str, tmp_path: Path) -> None:
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint", attributes=[name])
    rules, nights = JourneyRules(**RULES[0]), generate(2, n_nights=4, late=0.0)
    dumps = [dump.rename({"plan": name}) for dump in nights.dumps]
    asked: dict[str, Measure] = {"paths": Conversion(), "groups": Markov(by=name)}
    state = new_state(tmp_path / "state", rules, asked, schema=schema, allowed_lateness="31m")
    plain = new_state(tmp_path / "plain", rules, {"paths": Conversion(), "groups": Markov(by="plan")},
                      schema=EventSchema(**{**schema.to_fields(), "attributes": ["plan"]}), allowed_lateness="31m")  # fmt: skip
    for k in range(4):
        state.advance(dumps[k], until=nights.untils[k])
        plain.advance(nights.dumps[k], until=nights.untils[k])
    # and corrected, which asks what is sealed
    state.advance(dumps[3].head(5), replaces=4)
    plain.advance(nights.dumps[3].head(5), replaces=4)
    found, expected = state.results(), plain.results()
    assert found["paths"].frame.equals(expected["paths"].frame)
    assert found["groups"].frame.rename({name: "plan"}).equals(expected["groups"].frame)
    assert [night["onward"] for night in state._store.read()["nights"]] == [
        night["onward"] for night in plain._store.read()["nights"]
    ]


def test_the_counts_of_a_state_are_by_the_stage_map_of_one_batch(tmp_path: Path) -> None:
    stages = StageMap.of(
        {'look "1"': ["visit", {"touchpoint": "ma*", "channel": "re:^e"}], "have": ["order", "re:^rev\\w+"]},
        touchpoints=[{"match": "call", "owner": "Ünit", "kind": "support"}, {"match": "ad", "by_company": True}],
    )
    nights = generate(1, n_nights=2)
    state = NightlyState.create(tmp_path / "s", schema=SCHEMA, rules=JourneyRules(goal="order"), stages=stages)
    advance_all(state, nights)
    events = read_events(pl.concat(nights.dumps), SCHEMA, stages=stages)
    expected = build_journeys(events, goal="order").stage_map
    assert expected
    assert {counts.basis.stage_map for counts in counted(state).values()} == {expected}
