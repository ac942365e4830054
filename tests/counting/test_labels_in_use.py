"""Breakdowns of a selection: by the labels that it has, however many the log has."""

from __future__ import annotations

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting import count_in_memory
from journeymine.counting.by import MAX_GROUPS
from journeymine.engines import Buckets
from journeymine.errors import QuestionError

N = MAX_GROUPS + 2_000
LOG = pl.DataFrame(
    {
        "user": [f"u{i}" for i in range(N)] * 2,
        "t": [i * 60 for i in range(N)] + [i * 60 + 30 for i in range(N)],
        "tp": ["visit"] * N + ["order"] * N,
        "plan": [f"p{i}" for i in range(N)] * 2,
        "channel": [f"c{i}" for i in range(N)] * 2,
    }
)
READ = {
    "user": "user", "timestamp": "t", "time_unit": "s", "touchpoint": "tp", "attributes": ["plan"], "channel": "channel",
    "stages": jm.StageMap.of({"sale": ["visit", "order"]}, touchpoints=[{"match": "visit", "by_company": True}]),
}  # fmt: skip
FEW = [f"u{i}" for i in range(100, 150)]


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.read_events(LOG, **READ), goal="order", segments={"plan_of": "plan"})


@pytest.mark.parametrize("name", ["plan", "channel", "plan_of"])
def test_a_selection_is_broken_down_as_a_log_of_its_own(journeys: jm.Journeys, name: str) -> None:
    few = journeys.where(pl.col("user").is_in(FEW))
    alone = jm.build_journeys(
        jm.read_events(LOG.filter(pl.col("user").is_in(FEW)), **READ), goal="order", segments={"plan_of": "plan"},
        observed_until=journeys.context.observed_until,
    )  # fmt: skip
    for ask in (jm.retention, jm.conversion, jm.win_back, jm.customer_value):
        found, expected = ask(few, by=name).frame, ask(alone, by=name).frame
        counted = [each for each in ("n_users", "n_journeys", "n_cohort", "n") if each in found.columns]
        assert found.select(name, *counted).equals(expected.select(name, *counted))
    # The labels of what the company did, which share the codes of the steps, stay what they are.
    credit = [jm.attribution(each, by=name, grain="plan") for each in (few, alone)]
    assert credit[0].frame.select("label", "conversions").equals(credit[1].frame.select("label", "conversions"))
    assert credit[0].frame.filter(pl.col("label") == "p100")["conversions"].sum() > 0


def test_the_limit_is_one_of_the_whole_that_is_asked_and_never_of_a_part(journeys: jm.Journeys) -> None:
    measure = jm.Retention(by="plan")
    for engine in (None, Buckets(n_buckets=4)):
        with pytest.raises(QuestionError, match="12,000 labels, more than 10,000"):
            jm.mine(
                jm.read_events(LOG, **READ), [measure], goal="order", **({} if engine is None else {"engine": engine})
            )
    part = journeys.range(0, 50)
    with pytest.raises(QuestionError, match="12,000 labels"):
        count_in_memory(measure, part, whole=False)
    many = journeys.where(pl.col("user") != "u0")
    with pytest.raises(QuestionError, match="11,999 labels"):
        jm.retention(many, by="plan")


@pytest.mark.parametrize(
    "measure", [jm.Conversion(by="channel:touchpoint"), jm.Dwell(by="channel:touchpoint")], ids=lambda m: m.name
)
def test_pairs_are_counted_when_all_parts_are_together(measure: jm.Measure) -> None:
    def log(n_channels: int) -> jm.Events:
        pairs = [(f"c{channel}", f"t{what}") for channel in range(n_channels) for what in range(100)]
        rows = [(f"u{i}", 60 * i, channel, what) for i, (channel, what) in enumerate(pairs)]
        frame = pl.DataFrame(rows, schema=["user", "t", "channel", "tp"], orient="row")
        return jm.read_events(frame, user="user", timestamp="t", time_unit="s", channel="channel", touchpoint="tp")

    few, many = log(95), log(120)
    told = r"12,000 labels, more than 10,000(?s:.*)Hint"
    for engine in (None, Buckets(n_buckets=4)):
        which = {} if engine is None else {"engine": engine}
        with pytest.raises(QuestionError, match=told):
            jm.mine(many, [measure], goal="t1", **which)
        assert jm.mine(few, [measure], goal="t1", **which)[measure.name].frame.height == 9_500
    parts = count_in_memory(measure, jm.build_journeys(many, goal="t1"), n_steps=500)
    with pytest.raises(QuestionError, match=told):
        jm.finish(measure, parts)
