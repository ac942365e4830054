"""Every rule equals plain loops over the journeys, on logs that Hypothesis makes."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeymine.errors import QuestionError
from journeymine.events.coded import Coded
from journeymine.metrics import attribution, attribution_from_paths
from journeymine.metrics.attribution_rules import RULES
from tests.oracles.attribution import credit, journeys_of, removal_credit, shapley_over_all_subsets
from tests.oracles.logs import CHANNELS, MINUTE, Row, build, logs, rule_fields

# Few users, so that journeys are long: most rules agree on one or two touches.
long_logs = st.lists(
    st.builds(
        Row,
        user=st.sampled_from("ab"),
        us=st.builds(lambda minute, micro: minute * MINUTE + micro, st.integers(0, 15), st.sampled_from([0, 0, 1])),
        touchpoint=st.sampled_from(["ad", "mail", "visit", "call", "review", "quit", "🛒", "order"]),
        channel=st.sampled_from(CHANNELS),
        value=st.sampled_from([None, 0.000001, 5.0, 12.5]),
        cost=st.none(),
        plan=st.just("pro"),
        score=st.none(),
    ),
    min_size=15,
    max_size=60,
).map(tuple)

MIDDLE, DIRECT = ["visit", "mail"], ["web", "(unknown)"]


def credited(frame: pl.DataFrame, rule: str) -> dict[str, tuple[float, float]]:
    rows = frame.filter(pl.col("rule") == rule).select("label", "conversions", pl.col("value").fill_null(0.0))
    return {name: (c, v) for name, c, v in rows.iter_rows() if abs(c) > 1e-9 or abs(v) > 1e-9}


def close(found: dict[str, tuple[float, float]], expected: dict[str, tuple[float, float]], tolerance: float) -> bool:
    nothing = (0.0, 0.0)
    return all(
        abs(a - b) <= tolerance
        for name in {*found, *expected}
        for a, b in zip(found.get(name, nothing), expected.get(name, nothing), strict=True)
    )


@settings(max_examples=60)
@given(
    long_logs | logs,
    rule_fields().map(lambda fields: fields | {"lost_at": fields["lost_at"] and "quit"}),
    st.sampled_from(["channel", "touchpoint", "stage", "channel:touchpoint"]),
    st.booleans(),
    st.sampled_from([None, "1m", "7m", "10m"]),
    st.integers(1, 3),
)
def test_every_rule(log, fields, grain, include_goal, lookback, order):
    journeys = build(log, **fields)
    asked = {"grain": grain, "include_goal": include_goal, "order": order}
    # A middle that the log does not know is refused; then there is no W.
    knows = set(MIDDLE) <= set(journeys.coded.labels["touchpoint"].labels)
    rules = [rule for rule in RULES if knows or rule != "w_shaped"]
    middle = MIDDLE if knows else None
    # Nor is a direct channel that the log does not know.
    channels = [*journeys.coded.labels["channel"].labels, *journeys.company.labels.get("channel", Coded([], ())).labels]
    direct = [name for name in DIRECT if name in channels or name == "(unknown)"]
    try:
        result = attribution(
            journeys, rules=rules, lookback=lookback, half_life="3m", direct=direct, middle=middle, **asked
        )
    except QuestionError:
        assert fields["split"] == "session"
        assert lookback in ("7m", "10m")
        return
    window = None if lookback is None else int(lookback[:-1]) * MINUTE
    by_hand = journeys_of(journeys, grain, include_goal=include_goal, lookback=window)
    converted = sum(journey.status == "converted" for journey in by_hand)
    for rule in rules:
        expected = credit(by_hand, rule, half_life=3 * MINUTE, direct=DIRECT, middle=MIDDLE, order=order)
        found = credited(result.frame, rule)
        # Credit is counted in millionths: off by at most one per touch, times a value of at most 12.5 a few times.
        assert close(found, expected, 1e-8 if rule in ("markov", "shapley") else 1e-4), (rule, found, expected)
        rows = result.frame.filter(pl.col("rule") == rule)
        assert rows["conversions"].sum() == pytest.approx(converted, abs=1e-9)


@settings(max_examples=25)
@given(long_logs, rule_fields())
def test_counted_credits_sum_exactly(log, fields):
    journeys = build(log, **fields)
    knows = "visit" in journeys.coded.labels["touchpoint"].labels
    frame = attribution(journeys, middle="visit" if knows else None).frame
    table = journeys.table.filter(pl.col("status") == "converted")
    for rule in ("first", "last", "last_non_direct", "linear", "position", "w_shaped", "time_decay"):
        if rule == "w_shaped" and not knows:
            continue
        rows = frame.filter(pl.col("rule") == rule)
        assert round(sum(round(c * 1_000_000) for c in rows["conversions"])) == table.height * 1_000_000
        if table.height and rows["value"].null_count() == 0:
            paid = sum(round(v * 1_000_000) for v in rows["value"])
            assert paid == sum(round((v or 0.0) * 1_000_000) for v in table["value"])


PATHS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcdef"), max_size=7), st.integers(0, 5), st.integers(0, 40), st.integers(0, 6)
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=80)
@given(PATHS, st.integers(1, 4))
def test_removal_effects_are_those_of_deleted_states(rows, order):
    rows = [(path, n, v if n else 0, z) for path, n, v, z in rows]  # nothing is worth something without a conversion
    frame = pl.DataFrame(rows, schema={"path": pl.List(pl.String), "n": pl.Int64, "value": pl.Int64, "null": pl.Int64},
                         orient="row")  # fmt: skip
    found = credited(
        attribution_from_paths(frame, conversions="n", value="value", nulls="null", rules="markov", order=order).frame,
        "markov",
    )
    named = [(p, float(n), float(v), float(z)) for p, n, v, z in rows if p and n + z]
    silent = [(n, v) for p, n, v, z in rows if not p]
    expected = removal_credit(named, order)
    none = (float(sum(n for n, _ in silent)), float(sum(v for _, v in silent)))
    expected["(none)"] = none
    assert close(found, expected, 1e-7)


@settings(max_examples=60)
@given(PATHS)
def test_the_closed_form_is_the_shapley_value_over_all_subsets(rows):
    frame = pl.DataFrame(rows, schema={"path": pl.List(pl.String), "n": pl.Int64, "value": pl.Int64, "null": pl.Int64},
                         orient="row")  # fmt: skip
    reward: dict[frozenset[str], float] = {}
    for path, n, _, _ in rows:
        if path:
            reward[frozenset(path)] = reward.get(frozenset(path), 0.0) + n
    found = attribution_from_paths(frame, conversions="n", rules="shapley").frame
    by_label = dict(found.filter(pl.col("label") != "(none)").select("label", "conversions").iter_rows())
    for name, expected in shapley_over_all_subsets(reward).items():
        assert by_label[name] == pytest.approx(expected, abs=1e-9)
