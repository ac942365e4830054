"""After any sequence of nights, every measure counts what one batch over the accepted events counts."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.counting import Measure, question_of
from journeymine.engines import mine
from journeymine.errors import JourneymineError, QuestionError
from journeymine.graph import Transitions
from journeymine.journeys import JourneyRules, Journeys
from journeymine.metrics import Conversion, Funnel, Retention
from journeymine.nightly.measures import measure_from_data, measure_to_data
from tests.contracts.measures import MEASURES
from tests.nightly.messy import LATENESS, messy
from tests.nightly.nights import WITH_IDS, advance_all, assert_equal, batch, counted, generate, new_state
from tests.oracles.logs import MINUTE, START

RULES: list[dict[str, Any]] = [
    {"goal": "order", "idle": "5m", "session_gap": "2m", "mature_after": "10m"},
    {"goal": "order", "lost_at": "quit", "idle": "5m", "session_gap": "2m", "mature_after": "6m", "after_goal": "cut"},
    {"goal": "order", "idle": "6m", "session_gap": "3m", "split": "session", "mature_after": "7m"},
    {"lost_at": ["quit"], "idle": "4m", "session_gap": "2m", "value_from": "any"},
]


def askable(journeys: Journeys) -> dict[str, Measure]:
    """The measures that these rules can answer: some need a goal."""
    named = {}
    for number, measure in enumerate(MEASURES):
        with contextlib.suppress(QuestionError):
            measure.count(journeys)
            named[f"{measure.name}_{number}"] = measure
    return named


@pytest.mark.parametrize("seed", range(len(RULES)))
def test_nights_add_up_to_one_batch(seed: int, tmp_path: Path) -> None:
    rules = JourneyRules(**RULES[seed])
    nights = generate(seed)
    journeys = batch(nights.accepted, rules, nights.untils[-1])
    named = askable(journeys)
    state = new_state(tmp_path / "state", rules, named)
    advance_all(state, nights)
    assert 0 < state.nights["accepted"].sum() == nights.accepted.height < state.nights["rows_read"].sum()
    assert state.nights["late"].sum() == state.nights["rows_read"].sum() - nights.accepted.height
    assert sum(len(table) for tables in state._store.read()["counts"].values() for table in tables.values()), (
        "nothing sealed"
    )
    found = counted(state)
    for name, measure in named.items():
        assert_equal(measure, found[name], journeys)


def agree_after_messy_nights(seed: int, rules: JourneyRules, n_nights: int, folder: Path, chosen: slice) -> None:
    """Late, repeated, overlapping, missing, replaced and refused dumps; every chosen measure is that of one batch."""
    (folder / "dumps").mkdir(parents=True)
    commands, accepted = messy(seed, folder / "dumps", n_nights=n_nights)
    rows = accepted.frame(pl.read_parquet(folder / "dumps" / "0.parquet"))
    assert accepted.until is not None
    journeys = batch(rows, rules, accepted.until, WITH_IDS)
    named = dict(list(askable(journeys).items())[chosen])
    state = new_state(folder / "state", rules, named, schema=WITH_IDS, allowed_lateness=LATENESS)
    for command in commands:
        dump = folder / "dumps" / command.dump
        if command.refused is None:
            night = state.advance(dump, until=command.until, replaces=command.replaces)
            assert night.changed == command.changes, command
        else:
            with pytest.raises(JourneymineError) as told:
                state.advance(dump, until=command.until)
            assert type(told.value).__name__ == command.refused
    assert state.nights["accepted"].to_list() == [len(night) for night in accepted.nights]
    found = counted(state)
    for name, measure in named.items():
        assert_equal(measure, found[name], journeys)


def test_messy_nights_add_up_to_one_batch(tmp_path: Path) -> None:
    agree_after_messy_nights(1, JourneyRules(**RULES[0]), 8, tmp_path, slice(None))


@settings(max_examples=max(8, settings().max_examples // 5))
@given(
    seed=st.integers(0, 10**6),
    rules=st.sampled_from(RULES),
    n_nights=st.integers(1, 16),
    step=st.sampled_from([(k, 12) for k in range(12)]),
)
def test_any_nights_add_up_to_one_batch(seed: int, rules: dict[str, Any], n_nights: int, step: tuple[int, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agree_after_messy_nights(seed, JourneyRules(**rules), n_nights, Path(folder), slice(step[0], None, step[1]))


def test_a_touch_of_the_company_waits_for_the_journey_it_leads_to(tmp_path: Path) -> None:
    rules = JourneyRules(goal="order", idle="5m", session_gap="2m", mature_after="6m")
    frame = generate(1).dumps[0].head(1)

    def rows(*given: tuple[float, str]) -> pl.DataFrame:
        return pl.concat(
            [
                frame.with_columns(
                    user=pl.lit("a"),
                    us=pl.lit(START + int(m * MINUTE)),
                    touchpoint=pl.lit(touchpoint),
                    cost=pl.lit(2.0),
                )
                for m, touchpoint in given
            ]
        )

    # silent for longer than idle after minute 1, but the mail of minute 5 belongs to whom comes within five of it
    dumps = [rows((1, "visit"), (5, "mail")), rows((9.5, "visit"), (10, "order"))]
    journeys = batch(pl.concat(dumps), rules, START + 60 * MINUTE)
    # a question that watches a journey for longer would wait by itself
    watches = ("within", "horizon", "bin")
    named = {n: m for n, m in askable(journeys).items() if not any(getattr(m, field, None) for field in watches)}
    state = new_state(tmp_path / "state", rules, named, allowed_lateness="0s")
    for dump, minute in ((dumps[0], 9), (dumps[1], 30), (dumps[0].clear(), 60)):
        state.advance(dump, until=START + minute * MINUTE)
    found = counted(state)
    for name, measure in named.items():
        assert_equal(measure, found[name], journeys)


def test_results_of_another_period_are_of_other_journeys(tmp_path: Path) -> None:
    nights = generate(1)
    asked: dict[str, Measure] = {"conversion": Conversion(), "kept": Retention(period="2m")}
    state = new_state(tmp_path / "state", JourneyRules(**RULES[0]), asked)
    advance_all(state, nights)
    day = str(state.nights["observed_until"][0])[:10]
    for name in asked:
        one, again, other, whole = (
            state.results(*days)[name].basis.selection for days in ((day,), (day,), (None, day), ())
        )
        assert one == again
        assert len({one, other, whole}) == 3


def test_what_is_a_lower_bound_says_so(tmp_path: Path) -> None:
    nights = generate(1)
    asked: dict[str, Measure] = {"conversion": Conversion(), "flows": Transitions(), "kept": Retention(period="2m")}
    state = new_state(tmp_path / "state", JourneyRules(**RULES[0]), asked)
    advance_all(state, nights)
    notes = {name: " ".join(result.notes) for name, result in state.results().items()}
    assert "lower bound" in notes["conversion"]
    assert "lower bound" not in notes["kept"]
    for name, measure in asked.items():
        counts = [merge for spec in measure.specs().values() for merge in spec.values.values()]
        assert ("lower bound" in notes[name]) == ("users" in counts and measure.unit != "user")


@pytest.mark.parametrize("goal", ["never", ["order", "never"], {"any": ["never", {"plan": "gold"}]}], ids=str)
def test_what_the_goal_names_and_no_night_brings_is_told(goal: Any, tmp_path: Path) -> None:
    rules = JourneyRules(goal=goal, idle="5m", session_gap="2m", mature_after="10m")
    nights = generate(3)
    asked: dict[str, Measure] = {"conversion": Conversion(), "people": Funnel(steps=["visit", "call"], unit="user")}
    state = new_state(tmp_path / "state", rules, asked)
    advance_all(state, nights)
    batched = mine(batch(nights.accepted, rules, nights.untils[-1]), list(asked.values()))
    found = state.results()
    for name, measure in asked.items():
        told = tuple(note for note in found[name].notes if "lower bound" not in note)
        assert told == batched[measure].notes
        assert found[name].basis.notes == batched[measure].basis.notes
    assert any("'never', which occurs nowhere" in note for note in found["conversion"].notes)
    # and no longer, once it came
    late = nights.dumps[-1].head(1).with_columns(touchpoint=pl.lit("never"), us=pl.lit(nights.untils[-1]))
    state.advance(late, until=nights.untils[-1] + MINUTE)
    assert not any("'never'" in note for note in state.results()["conversion"].notes)


def test_intervals_are_those_of_one_batch_or_wider_where_each_user_stands_once(tmp_path: Path) -> None:
    rules = JourneyRules(**RULES[0])
    asked: dict[str, Measure] = {
        "one": Conversion(), "several": Conversion(by="plan"), "people": Funnel(steps=["visit", "order"], unit="user")
    }  # fmt: skip
    for number, n_users in enumerate((3_000, 12)):  # each stands about once, or often
        nights = generate(8, n_rows=900, n_users=n_users, late=0.0)
        state = new_state(tmp_path / f"{number}", rules, asked)
        advance_all(state, nights)
        batched, found = mine(batch(nights.accepted, rules, nights.untils[-1]), list(asked.values())), state.results()
        for name, measure in asked.items():
            one, other = found[name].frame, batched[measure].frame
            limits = [c for c in one.columns if c.endswith(("lower", "upper"))]
            bounded = [c for c in (*limits, "n_users", "n_users_all", "sparse", "reason") if c in one.columns]
            assert one.drop(bounded).equals(other.drop(bounded))
            for c in limits:
                wider = one[c] <= other[c] if c.endswith("lower") else one[c] >= other[c]
                assert wider.drop_nulls().all(), (name, c)
        assert "each user stands once" in " ".join(found["one"].notes)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_a_measure_is_stored_as_its_name_and_fields(measure: Measure) -> None:
    assert question_of(measure_from_data(measure_to_data(measure))) == question_of(measure)
