"""The funnel's answer: counts by label, shares, times, trend, what is immature, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeymine as jm
from journeymine.columns import NONE
from journeymine.errors import JourneymineError, QuestionError, RulesError, UnknownLabelError
from journeymine.journeys import Journeys
from journeymine.metrics import Funnel, funnel
from tests.metrics.test_funnel_match import S, built, events_of, logs, path, rows
from tests.oracles.funnel_search import Asked, answers, units
from tests.oracles.logs import Row

STEPS = ["A", "B", "C"]


@settings(max_examples=60)
@given(
    log=logs,
    at=st.sampled_from(["first", "last", 2, 3]),
    unit=st.sampled_from(["journey", "user", "session"]),
    until=st.sampled_from([12, 45]),
    sequence=st.sampled_from(["loose", "loose", "strict", "any"]),
)
def test_counts_per_label_and_step_are_those_of_the_search(
    log: list[Row], at: str | int, unit: str, until: int, sequence: str
) -> None:
    journeys = built(log, until=until).replace(folds=np.zeros(2, dtype=np.uint8))
    asked = Asked([lambda e, s=s: e["touchpoint"] == s for s in STEPS], 6 * S, sequence, unit=unit, session_gap=3 * S)
    expected: dict[str, Counter[tuple[str, int, str, int]]] = {k: Counter() for k in ("n", "immature", "n_users")}
    times: Counter[tuple[str, int]] = Counter()
    seen = set()
    for each in units(events_of(journeys), asked):
        found = answers(each, asked, journeys.context.observed_until, at=at, label=lambda e: e["channel"])
        for (_, name), match in found.items():
            label = NONE if name is None else str(name)
            for k, event in enumerate(match["at"], 1):
                if event is None:
                    continue
                expected["n" if match["mature"] else "immature"][label, k] += 1
                if match["mature"]:
                    seen.add((label, k, event["user"]))
                    times[label, k] += k > 1
    expected["n_users"] = Counter((label, k) for label, k, _ in seen)
    result = Funnel(steps=STEPS, within="6s", sequence=sequence, by="channel", at=at, unit=unit)
    frame = jm.finish(result, result.count(journeys))
    for column, counts in expected.items():
        got = {(label, k): n for label, k, n in frame.frame.select("channel", "nth", column).rows() if n}
        assert got == dict(counts), column
    histogram = frame.tables["times"].group_by("channel", "nth").agg(pl.col("n").sum())
    assert {(label, k): n for label, k, n in histogram.rows()} == {key: n for key, n in times.items() if n}
    entrants = dict(frame.frame.filter(nth=1).select("channel", "n").rows())
    assert all(entrants[label] == n for label, n in frame.frame.select("channel", "n_entrants").rows())


def log_of(users: list[tuple[str, list[tuple[float, str]]]], **rules: Any) -> Journeys:
    frame = pl.DataFrame(
        [{"user": user, "t": int(hour * 3_600), "what": what} for user, events in users for hour, what in events]
    )
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what")
    return jm.build_journeys(events, **rules)


def test_a_small_funnel_by_hand() -> None:
    # A window of one day; the log ends 100 h after it began.
    journeys = log_of(
        [
            ("through", [(0, "A"), (1, "B"), (3, "C")]),
            ("half", [(0, "A"), (2, "B"), (30, "C")]),
            ("entered", [(0, "A"), (30, "B")]),
            ("late", [(90, "A"), (91, "B")]),
            ("stranger", [(0, "B"), (100, "C")]),
        ]
    )
    result = funnel(journeys, steps=STEPS, within="1d")
    columns = ["nth", "step", "n", "n_entrants", "share", "share_of_previous", "dropped", "immature", "n_users"]
    assert result.frame.select(columns).rows() == [
        (1, "A", 3, 3, 1.0, None, None, 1, 3),
        (2, "B", 2, 3, 2 / 3, 2 / 3, 1, 1, 2),
        (3, "C", 1, 3, 1 / 3, 1 / 2, 1, 0, 1),
    ]
    assert result.frame["p50_s"][1] == pytest.approx(3_600, rel=0.008)
    assert result.frame["p90_s"][1] == pytest.approx(7_200, rel=0.008)
    assert result.frame["p50_s"][2] == pytest.approx(10_800, rel=0.008)
    assert result.frame["p50_s"][0] is None
    assert result.frame.select("share_lower", "share_upper").row(0) == (1.0, 1.0), "so by definition"
    # Wilson (1927) for 2 of 3: z = 1.959964.
    z, p, n = 1.959963984540054, 2 / 3, 3
    middle, half = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    limits = result.frame.select("share_lower", "share_upper").row(1)
    assert limits == pytest.approx(((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)), abs=1e-12)
    assert result.frame["sparse"].all()
    assert "1 without an entry whose window has closed" in result.notes[0]


def test_without_a_closed_window_shares_are_null_and_the_reason_says_why() -> None:
    journeys = log_of([("u", [(0, "A"), (1, "B")])])
    frame = funnel(journeys, steps=["A", "B"], within="1d").frame
    assert frame.select("n", "n_entrants", "share", "immature").rows() == [(0, 0, None, 1), (0, 0, None, 1)]
    assert frame["reason"].to_list() == ["no window of 1d after an entry here has closed yet"] * 2
    frame = funnel(journeys, steps=["A", "B"], within=None).frame
    assert frame["reason"].str.starts_with("no journey here is mature").all()


@pytest.mark.parametrize("within", ["1d", None])
def test_where_nobody_enters_no_window_is_blamed(within: str | None) -> None:
    journeys = log_of([("u", [(0, "A"), (1, "B")]), ("v", [(3 * 86_400, "B")])])
    frame = funnel(journeys, steps=[{"all": ["A", {"not": "A"}]}, "B"], within=within).frame
    assert frame.select("n", "n_entrants", "share", "immature").rows() == [(0, 0, None, 0), (0, 0, None, 0)]
    assert frame["reason"].to_list() == ["nobody entered: no event here fills the first step"] * 2


def test_an_empty_breakdown_has_no_row_and_an_empty_funnel_one_per_step() -> None:
    journeys = log_of([("u", [(0, "A"), (1, "B")])]).range(0, 0)
    measure = Funnel(steps=["A", "B"])
    assert jm.finish(measure, measure.count(journeys)).frame.select("n", "n_entrants").rows() == [(0, 0), (0, 0)]
    measure = Funnel(steps=["A", "B"], by="touchpoint")
    assert len(jm.finish(measure, measure.count(journeys))) == 0


def test_optional_steps_lose_nobody_and_are_no_base() -> None:
    journeys = log_of(
        [
            ("a", [(0, "A"), (1, "O"), (2, "B")]),
            ("b", [(0, "A"), (2, "B")]),
            ("c", [(0, "A"), (1, "O")]),
            ("end", [(99, "X")]),
        ]
    )
    plain = funnel(journeys, steps=["A", "B"], within="1d").frame.filter(nth=2)
    frame = funnel(journeys, steps=["A", {"step": "O", "optional": True, "name": "offer"}, "B"], within="1d").frame
    assert frame.select("step", "n", "share", "share_of_previous", "dropped").rows() == [
        ("A", 3, 1.0, None, None),
        ("offer", 2, 2 / 3, 2 / 3, None),
        ("B", 2, 2 / 3, 2 / 3, 1),
    ]
    assert frame.filter(nth=3).drop("nth").equals(plain.drop("nth"))


@settings(max_examples=40)
@given(
    log=st.lists(rows, min_size=1, max_size=40),
    unit=st.sampled_from(["journey", "user", "session"]),
    sequence=st.sampled_from(["loose", "any"]),
)
def test_each_period_has_its_own_best_entry(log: list[Row], unit: str, sequence: str) -> None:
    # Seconds of these logs become hours, so that they span days.
    log = [row._replace(us=row.us * 3_600) for row in log]
    frame = pl.DataFrame(
        {
            "u": [r.user for r in log],
            "t": [r.us for r in log],
            "w": [r.touchpoint for r in log],
            "c": [r.channel for r in log],
        }
    )
    events = jm.read_events(frame, user="u", timestamp="t", time_unit="us", touchpoint="w", channel="c")
    journeys = jm.build_journeys(events, idle="200d")
    asked = Asked(
        [lambda e, s=s: e["touchpoint"] == s for s in ("A", "B")],
        6 * 3_600 * S,
        sequence,
        unit=unit,
        session_gap=journeys.rules.session_gap_us,
    )

    def day(entry: dict[str, Any]) -> dt.date:
        return (
            dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(entry["t"]), hours=5, minutes=30)
        ).date()

    expected: Counter[tuple[dt.date, str, int, bool]] = Counter()
    for each in units(events_of(journeys), asked):
        found = answers(each, asked, journeys.context.observed_until, label=lambda e: e["channel"], period=day)
        for (when, label), match in found.items():
            for k in range(match["depth"]):
                expected[when, str(label), k + 1, match["mature"]] += 1
    measure = Funnel(
        steps=["A", "B"], within="6h", sequence=sequence, by="channel", trend="day", timezone="Asia/Kolkata", unit=unit
    )
    trend = jm.finish(measure, measure.count(journeys)).tables["trend"]
    assert trend["period"].dtype == pl.Date
    got = {
        (*row[:3], mature): row[3 if mature else 4]
        for row in trend.select("period", "channel", "nth", "n", "immature").rows()
        for mature in (True, False)
    }
    assert {key: n for key, n in got.items() if n} == dict(expected)


def test_late_tries_do_not_seem_to_succeed_always() -> None:
    # Twenty users visit in four months, by another channel each month. One in four orders, each after another visit.
    months = [0, 31, 59, 90]
    frame = pl.DataFrame(
        [
            (f"u{u}", (months[m] + u) * 86_400 + after, what, f"c{m}")
            for u in range(20)
            for m in range(4)
            for after, what in ((0, "visit"), (60, "order"))
            if what == "visit" or u % 16 == m
        ]
        + [("end", 140 * 86_400, "other", "c0")],
        schema=["user", "t", "what", "channel"],
        orient="row",
    )
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel")
    journeys = jm.build_journeys(events, idle="60d")
    found = funnel(journeys, steps=["visit", "order"], within="1d", by="channel", trend="month")
    # Users 0 and 16 order in the first month, 1 and 17 in the second, and so on: 2 of the 20 who came in each.
    assert found.frame.filter(nth=2).select("n", "n_entrants").rows() == [(2, 20)] * 4
    assert found.tables["trend"].filter(nth=2).select("n", "n_entrants").rows() == [(2, 20)] * 4
    whole = funnel(journeys, steps=["visit", "order"], within="1d").frame
    assert whole.filter(nth=2).select("n", "n_entrants").rows() == [(8, 20)]


def test_an_optional_step_alone_may_follow_the_only_required_one() -> None:
    journeys = log_of([("a", [(0, "A"), (1, "O")]), ("end", [(99, "X")])])
    steps = ["A", {"step": "O", "optional": True}]
    found = funnel(journeys, steps=steps, within="1d", by="touchpoint", exclude=[]).frame
    assert found.select("touchpoint", "step", "n").rows() == [("A", "A", 1), ("A", "O", 1)]


def test_periods_follow_the_zone() -> None:
    # 2024-03-31 is the day on which summer time begins in Berlin; 23:30 UTC of Sunday is Monday there.
    sunday = int(dt.datetime(2024, 3, 31, 22, 30, tzinfo=dt.UTC).timestamp())
    frame = pl.DataFrame({"user": ["a", "b"], "t": [sunday, sunday + 864_000], "what": ["A", "B"]})
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events)
    ask = {"steps": ["A", "B"], "within": "1d", "trend": "week"}
    assert funnel(journeys, **ask).tables["trend"]["period"][0] == dt.date(2024, 3, 25)
    assert funnel(journeys, **ask, timezone="Europe/Berlin").tables["trend"]["period"][0] == dt.date(2024, 4, 1)
    ask["trend"] = "month"
    assert funnel(journeys, **ask).tables["trend"]["period"][0] == dt.date(2024, 3, 1)


def test_a_segment_breaks_a_funnel_down() -> None:
    journeys = built(path("AB") + path("AXB", user="v"))
    journeys = journeys.segment("kind", pl.when(pl.col("user") == "u").then(pl.lit("x")).otherwise(pl.lit("y")))
    frame = funnel(journeys, steps=["A", "B"], within="1s", by="kind").frame
    assert frame.select("kind", "nth", "n").rows() == [("x", 1, 1), ("x", 2, 1), ("y", 1, 1), ("y", 2, 0)]


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"steps": []}, QuestionError, "0 steps"),
        ({"steps": ["A"]}, QuestionError, "1 steps"),
        ({"steps": "A"}, QuestionError, "not a list"),
        ({"steps": [{"step": "A", "optional": True}, "B"]}, QuestionError, "first step is optional"),
        ({"steps": ["A", {"step": "B", "optional": "yes"}]}, QuestionError, "True or False"),
        ({"steps": ["A", {"step": "B", "maybe": True}]}, QuestionError, "maybe"),
        ({"steps": ["A", 7]}, RulesError, "not a condition"),
        ({"steps": ["A", "b"]}, UnknownLabelError, "nearest|there are"),
        ({"steps": ["A", ["B", "Bb"]]}, UnknownLabelError, "'Bb'"),
        ({"within": "0s"}, RulesError, "longer than zero"),
        ({"within": dt.timedelta(days=-1)}, RulesError, "longer than zero"),
        ({"within": 7}, RulesError, "unit"),
        ({"exclude": [{"step": "X", "between": [0, 1]}]}, QuestionError, "between steps 0 and 1"),
        ({"exclude": [{"step": "X", "between": [2, 3]}]}, QuestionError, "between steps 2 and 3"),
        ({"exclude": [{"step": "X", "between": [2, 1]}]}, QuestionError, "between steps 2 and 1"),
        ({"exclude": [{"step": "X", "between": "12"}]}, QuestionError, "between='12'"),
        ({"exclude": "nowhere"}, UnknownLabelError, "nowhere"),
        ({"exclude": ""}, UnknownLabelError, "no touchpoint ''"),
        ({"exclude": "X", "sequence": "any"}, QuestionError, "exclude together"),
        ({"exclude": "X", "sequence": "strict"}, QuestionError, "exclude together"),
        ({"steps": ["A", {"step": "B", "optional": True}], "sequence": "any"}, QuestionError, "optional step"),
        ({"steps": ["A"] * 9, "sequence": "any"}, QuestionError, "9 steps"),
        ({"steps": ["A", *[{"step": "B", "optional": True}] * 6], "sequence": "strict"}, QuestionError, "6 optional"),
        ({"sequence": "tight"}, QuestionError, "'loose', 'strict', 'any'"),
        ({"ties": "random"}, QuestionError, "'favour'"),
        ({"unit": "company"}, QuestionError, "'session'"),
        ({"trend": "year"}, QuestionError, "'month'"),
        ({"timezone": "Mars/Olympus"}, QuestionError, "Mars"),
        ({"at": 3}, QuestionError, "1 to 2"),
        ({"at": True}, QuestionError, "1 to 2"),
        ({"by": "plann"}, UnknownLabelError, "plan"),
        ({"same": "plann"}, UnknownLabelError, "plan"),
        ({"by": ["plan", "plan"]}, QuestionError, "twice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_out(
    fields: dict[str, Any], error: type[JourneymineError], says: str
) -> None:
    journeys = built(path("ABX"))
    with pytest.raises(error, match=says) as caught:
        funnel(journeys, **{"steps": ["A", "B"], **fields})
    assert caught.value.hint


def test_what_the_company_does_is_no_step() -> None:
    frame = pl.DataFrame({"user": ["u", "u"], "t": [0, 9], "what": ["mail", "visit"]})
    events = jm.read_events(
        frame, user="user", timestamp="t", time_unit="s", touchpoint="what",
        stages=jm.StageMap.of({"all": ["visit", "mail"]}, touchpoints=[{"match": "mail", "by_company": True}]),
    )  # fmt: skip
    with pytest.raises(QuestionError, match="by_company"):
        funnel(jm.build_journeys(events), steps=["mail", "visit"])


def test_the_same_question_has_one_fingerprint_however_it_is_written() -> None:
    from journeymine.counting import question_of

    one = Funnel(steps=["A", ["B", "C"]], within="7d", exclude="X")
    other = Funnel(
        steps=[{"step": {"touchpoint": "A"}}, {"step": ["C", "B"], "optional": False}],
        within=dt.timedelta(weeks=1),
        exclude=[{"step": ["X"], "between": (1, 2)}],
    )
    assert question_of(one) == question_of(other)
    assert one == other
    again = Funnel(steps=[step.to_data() for step in one.steps], exclude=[each.to_data() for each in one.exclude])
    assert again == one


def test_steps_are_named_by_their_conditions() -> None:
    forms = ["A", ["B", "A"], {"touchpoint": "A", "channel": "web"}, {"value": {">=": 100}}, {"not": "A"},
             {"any": ["A", {"touchpoint": {"glob": "B*"}}]}]  # fmt: skip
    names = [step.name for step in Funnel(steps=forms).steps]
    assert names == ["A", "A | B", "A, channel = web", "value >= 100", "not (A)", "A or touchpoint glob B*"]
