"""The usual order of labels: pair by pair against a loop, and where most journeys end early."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given

import journeymine as jm
from journeymine.counting import Counts
from journeymine.graph import TypicalOrder, precedence
from tests.oracles.logs import Row, build, logs, rule_fields

DAY = 86_400


def chain(stay: list[float], *, at_once: float = 0.0) -> jm.Journeys:
    """Customers who always take the steps s0, s1, … in this order; from each some go on, and some order at once."""
    draw, rows = random.Random(4), []
    for user in range(2_000):
        t = draw.random() * 100 * DAY
        for k, goes_on in enumerate(stay):
            rows.append((f"u{user}", int(t), f"s{k}"))
            t += 60 + draw.random() * 3_600
            if draw.random() < at_once:
                rows.append((f"u{user}", int(t), "order"))
                break
            if draw.random() > goes_on:
                break
    frame = pl.DataFrame(rows, schema=["user", "t", "what"], orient="row")
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what")
    return jm.build_journeys(events, goal="order", idle="10d")


@pytest.mark.parametrize("stay", [[0.9, 0.1, 0.9, 0.9, 0.9], [0.8, 0.5, 0.9, 0.9, 0.9], [0.5] * 5])
@pytest.mark.parametrize("at_once", [0.05, 0.3])
def test_the_usual_order_is_that_of_the_steps_wherever_journeys_end(stay: list[float], at_once: float) -> None:
    frame = jm.typical_order(chain(stay, at_once=at_once)).frame
    assert frame["touchpoint"].to_list() == ["s0", "s1", "s2", "s3", "s4", "order"]


def test_a_mean_place_is_no_order() -> None:
    """Nine in ten leave after the second step, which is then their last: late by its place, and yet before the third."""
    frame = jm.typical_order(chain([0.9, 0.1, 0.9, 0.9, 0.9])).frame
    place = dict(frame.select("touchpoint", "position").iter_rows())
    assert place["s1"] > place["s3"] > place["s2"]
    assert frame["touchpoint"].to_list() == ["s0", "s1", "s2", "s3", "s4"]


def test_the_order_does_not_change_while_journeys_are_still_open() -> None:
    journeys = chain([0.9] * 5)
    half = journeys.between("1970-01-01", "1970-02-10")
    assert half.table["status"].eq("open").sum() + journeys.table["status"].eq("open").sum() > 0
    orders = [jm.typical_order(each).frame["touchpoint"].to_list() for each in (journeys, half)]
    assert orders[0] == orders[1]


def order_by_loops(journeys: jm.Journeys, grain: str) -> dict[str, list[str]]:
    """Labels by entry channel: pairs, wins less defeats, then mean place, then name; one journey after the other."""
    pairs: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    steps = journeys.steps.filter(~pl.col("by_company")) if "by_company" in journeys.steps.columns else journeys.steps
    for _, part in steps.group_by("user", "nth_journey", maintain_order=True):
        group, path = part["channel"][0], part[grain].to_list()
        seen = list(dict.fromkeys(path))
        pairs[group].update(combinations(seen, 2))
        for label in seen:
            last = max(len(path) - 1, 1)
            places[group][label].append((2 * path.index(label) * 1_000_000 + last) // (2 * last))

    def rank(group: str, label: str) -> tuple[float, float, str]:
        met, others = pairs[group], places[group]
        net = sum((met[label, o] > met[o, label]) - (met[label, o] < met[o, label]) for o in others)
        return -net, sum(others[label]) / 1_000_000 / len(others[label]), label

    return {group: sorted(labels, key=lambda label: rank(group, label)) for group, labels in places.items()}


@given(log=logs, fields=rule_fields())
def test_the_usual_order_is_what_loops_over_all_pairs_say(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    frame = jm.typical_order(journeys, by="channel").frame
    found = {group: part["touchpoint"].to_list() for (group,), part in frame.group_by("channel", maintain_order=True)}
    assert found == order_by_loops(journeys, "touchpoint")


def test_pairs_of_parts_add_up_to_those_of_the_whole() -> None:
    journeys, measure = jm.build_journeys(jm.sample(users=200)), TypicalOrder(by="channel")
    whole = measure.count(journeys)
    merged = Counts.merge([measure.count(part) for part in journeys.parts(100)])
    assert merged.equals(Counts.merge([whole]))
    own = journeys.steps.filter(~pl.col("by_company"))
    distinct = own.group_by("user", "nth_journey").agg(pl.col("touchpoint").n_unique())["touchpoint"].to_list()
    assert whole.tables["pairs"]["n"].sum() == sum(n * (n - 1) // 2 for n in distinct)


def test_many_labels_stand_by_their_mean_place_however_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else journeys through a large site would have more pairs than fit into memory."""
    monkeypatch.setattr(precedence, "MOST_LABELS", 5)
    journeys, measure = chain([0.9, 0.1, 0.9, 0.9, 0.9], at_once=0.1), TypicalOrder()
    parts = [measure.count(part) for part in journeys.parts(10)]
    n_labels = [part.tables["positions"]["touchpoint"].n_unique() for part in parts]
    assert min(n_labels) <= 5 < max(n_labels)
    whole = measure.count(journeys)
    assert whole.tables["pairs"].is_empty()
    expected = jm.typical_order(journeys).frame
    assert expected["position"].is_sorted()
    assert jm.finish(measure, Counts.merge(parts)).frame.equals(expected)


def test_a_map_without_stages_has_its_columns_in_the_order_of_the_steps() -> None:
    spec = jm.journey_map(chain([0.8, 0.5, 0.9, 0.9, 0.9], at_once=0.05), min_group=1).spec
    column = {node.touchpoint: int(node.stage) for node in spec.nodes}
    assert [column[f"s{k}"] for k in range(5)] == sorted(column[f"s{k}"] for k in range(5))
    assert not [flow for flow in spec.flows if flow.is_back]
