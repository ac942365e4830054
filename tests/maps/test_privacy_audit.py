"""A finished map as an auditor reads it: every figure shown is an equation, and no small group may be its solution."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

import journeymine as jm
from journeymine.journeys.select import instant_of
from journeymine.maps.evidence import Estimate
from journeymine.maps.specification import MapSpecification
from tests.maps.test_privacy import K, logs, mapped, moves
from tests.maps.test_privacy_of_words import map_of

MOST = 60
"""About how many small figures of one map are tried: each takes two linear programs."""
OTHER = "(any touchpoint that is not drawn)"


# --- one size less another ------------------------------------------------------------------------------------------


INSIDE = (("all", "all"), ("mature", "mature"), ("converted", "converted"), ("rest", "rest"), ("later", "converted"),
          ("rest", "not later"))  # fmt: skip
"""What of a set lies in what of the sets around it."""


def layers(n: int | None, found: Estimate | None, *, later: bool = False) -> dict[str, int]:
    """A set of journeys: all of them, the mature, those that convert (or convert later) and those that do not, as far as told."""
    mature = found.n if found is not None else None
    won = round(found.value * mature) if found is not None and found.value is not None and mature else None
    ends = ("later", "not later") if later else ("converted", "rest")
    told = {"all": n, "mature": mature, ends[0]: won, ends[1]: None if won is None else (mature or 0) - won}
    return {name: size for name, size in told.items() if size is not None}


def sets_and_what_they_lie_in(spec: MapSpecification) -> Iterator[tuple[str, dict[str, int], list[str]]]:
    header = spec.header

    def alone(channel: str) -> list[str]:
        """The only touchpoint of a channel: whoever converts later from there converts by it."""
        inside = [node.id for node in spec.nodes if node.channel == channel]
        return [f"node {each}" for each in inside if len(inside) == 1]

    top = {"all": header.n_journeys, "mature": header.n_mature, "converted": header.n_converted}
    if header.n_mature is not None and header.n_converted is not None:
        top["rest"] = header.n_mature - header.n_converted
    yield "all", {name: size for name, size in top.items() if size is not None}, []
    for lane in spec.lanes:
        size = layers(lane.n_journeys, lane.converted_later, later=True)
        yield f"lane {lane.name}", size, ["all", *alone(lane.name)]
    for stage in spec.stages:
        yield f"stage {stage.name}", {"mature": stage.n_reached} if stage.n_reached is not None else {}, ["all"]
    for place in spec.drop_offs:
        size = {"mature": place.n_reached} if place.n_reached is not None else {}
        yield f"place {place.stage} {place.channel}", size, [f"stage {place.stage}", f"lane {place.channel}", "all"]
    around = {}
    for node in spec.nodes:
        around[node.id] = [f"lane {node.channel}", f"stage {node.stage}", f"place {node.stage} {node.channel}", "all"]
        yield f"node {node.id}", layers(node.n_journeys, node.converted), around[node.id]
    once = {node.id for node in spec.nodes if node.n is not None and node.n == node.n_journeys}
    for flow in spec.flows:
        ends = [flow.source, flow.target]
        # Where a touchpoint is passed once by each journey, times are journeys.
        n = flow.n if flow.n_journeys is None and once.intersection(ends) else flow.n_journeys
        yield (
            f"flow {flow.source} {flow.target}",
            layers(n, flow.converted),
            [*(f"node {end}" for end in ends), *(name for end in ends for name in around[end])],
        )
    for end in spec.terminals:
        judged = {"converted": ("mature", "converted"), "lost": ("mature", "rest"), "open": ("mature", "rest")}
        names = judged.get(end.status, ("all",))
        yield f"{end.status} {end.node}", dict.fromkeys(names, end.n_journeys), [f"node {end.node}"]


def small_differences(spec: MapSpecification, k: int) -> list[tuple[str, str, str, int]]:
    sets = list(sets_and_what_they_lie_in(spec))
    sizes = {name: size for name, size, _ in sets}
    found = [
        (layer, name, outer, sizes[outer][whole] - size[layer])
        for name, size, around in sets
        for outer in around
        for layer, whole in INSIDE
        if outer in sizes and layer in size and whole in sizes[outer]
    ]
    found += [
        ("young", name, name, size["all"] - size["mature"]) for name, size, _ in sets if {"all", "mature"} <= set(size)
    ]
    return [each for each in found if 0 < each[-1] < k]


# --- every balance at once ------------------------------------------------------------------------------------------


class Balances:
    """What a map says of moves between touchpoints, as linear equations over counts that cannot be below zero."""

    def __init__(self, spec: MapSpecification) -> None:
        self.index: dict[tuple[str, ...], int] = {}
        self.rows: list[dict[int, float]] = []
        self.sums: list[float] = []
        place = {node.id: f"{node.stage}|{node.channel}" for node in spec.nodes}
        cells = sorted({*place.values(), *(f"{d.stage}|{d.channel}" for d in spec.drop_offs)})
        labels = [*place, *(f"{OTHER} {cell}" for cell in cells), OTHER]
        place |= {f"{OTHER} {cell}": cell for cell in cells} | {OTHER: "?|?"}
        ends = ("converted", "lost", "open", "young", "ended", "service")
        out = {a: [("move", a, b) for b in labels] + [("end", a, s) for s in ends] for a in labels}
        into = {b: [("move", a, b) for a in labels] + [("start", b)] for b in labels}
        for label in labels:
            self.say(
                {
                    **dict.fromkeys(out[label], 1.0),
                },
                None,
            )
            self.balance(into[label], out[label])
        for node in spec.nodes:
            if node.n is not None:
                self.say(dict.fromkeys(out[node.id], 1.0), node.n)
            for near in node.before:
                if near.node:
                    self.say({("move", near.node, node.id): 1.0}, near.n)
            for near in node.after:
                if near.node:
                    self.say({("move", node.id, near.node): 1.0}, near.n)
        for flow in spec.flows:
            self.say({("move", flow.source, flow.target): 1.0}, flow.n)
        for end in spec.terminals:
            key = ("start", end.node) if end.status == "start" else ("end", end.node, end.status)
            self.say({key: 1.0}, end.n_journeys)
        for drop in spec.drop_offs:
            here = [a for a in labels if place[a] == f"{drop.stage}|{drop.channel}"]
            self.say({("end", a, "lost"): 1.0 for a in here}, drop.n_lost)
        header = spec.header
        self.say({("start", a): 1.0 for a in labels}, header.n_journeys)
        for status, n in (("converted", header.n_converted), ("lost", header.n_lost), ("open", header.n_open)):
            self.say({("end", a, status): 1.0 for a in labels}, n)
        self.say({("end", a, s): 1.0 for a in labels for s in ends[:3]}, header.n_mature)

    def at(self, key: tuple[str, ...]) -> int:
        return self.index.setdefault(key, len(self.index))

    def say(self, weights: dict[tuple[str, ...], float], total: float | None) -> None:
        row = {self.at(key): weight for key, weight in weights.items()}
        if total is not None:
            self.rows.append(row)
            self.sums.append(float(total))

    def balance(self, into: Sequence[tuple[str, ...]], out: Sequence[tuple[str, ...]]) -> None:
        row: dict[int, float] = defaultdict(float)
        for key in into:
            row[self.at(key)] += 1.0
        for key in out:
            row[self.at(key)] -= 1.0
        self.rows.append(dict(row))
        self.sums.append(0.0)

    def bounds(self, key: tuple[str, ...]) -> tuple[float, float]:
        """Least and most that the count can be."""
        at = [(i, j, w) for i, row in enumerate(self.rows) for j, w in row.items()]
        rows, columns, weights = zip(*at, strict=True)
        known = csr_matrix((weights, (rows, columns)), shape=(len(self.rows), len(self.index)))
        aim = np.zeros(len(self.index))
        aim[self.index[key]] = 1.0
        found = []
        for sign in (1.0, -1.0):
            solved = linprog(sign * aim, A_eq=known, b_eq=np.array(self.sums), bounds=(0, None), method="highs")
            assert solved.status in (0, 3), solved.message
            found.append(sign * solved.fun if solved.status == 0 else math.inf)
        return found[0], found[1]


def pinned(journeys: jm.Journeys, spec: MapSpecification, k: int) -> list[tuple[tuple[str, ...], float, float]]:
    """Moves, starts and ends of 1 to k − 1 users whose number the map's figures determine."""
    drawn = {node.id for node in spec.nodes}
    users: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for user, tail, head, status, _ in moves(journeys):
        if {tail, head} - {""} <= drawn:
            users[("start", head) if not tail else ("end", tail, status) if not head else ("move", tail, head)].add(
                user
            )
    balances = Balances(spec)
    few = [key for key, who in sorted(users.items()) if len(who) < k and key in balances.index]
    found = []
    for key in few[:: max(len(few) // MOST, 1)]:
        low, high = balances.bounds(key)
        if high < math.inf and math.ceil(low - 1e-6) == math.floor(high + 1e-6):
            found.append((key, low, high))
    return found


# --- what is asked of a map -----------------------------------------------------------------------------------------


@given(logs())
@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_no_two_sizes_of_an_odd_log_leave_a_few_and_no_balance_pins_a_few(log: pl.DataFrame) -> None:
    journeys, spec = mapped(log)
    assert small_differences(spec, K) == []
    assert pinned(journeys, spec, K) == []


@pytest.mark.parametrize(("seed", "n_users"), [(2, 60), (7, 400)])
def test_no_two_sizes_leave_a_few(seed: int, n_users: int) -> None:
    assert small_differences(map_of(seed, n_users, min_group=1).spec, K)
    assert small_differences(map_of(seed, n_users).spec, K) == []


@cache
def sample(min_group: int) -> tuple[jm.Journeys, MapSpecification]:
    journeys = jm.build_journeys(jm.sample(users=500))
    return journeys, jm.journey_map(journeys, min_group=min_group).spec


def test_the_sample_tells_nothing_of_a_few() -> None:
    journeys, spec = sample(10)
    assert small_differences(sample(1)[1], 10)
    assert small_differences(spec, 10) == []
    assert pinned(journeys, spec, 10) == []
    assert len(spec.flows) > 10, "a map that shows nothing gives nothing away, and is none"


def test_a_log_of_three_columns_tells_nothing_of_a_few() -> None:
    steps = sample(10)[0].steps.select("user", "timestamp", "touchpoint")
    events = jm.read_events(steps, user="user", timestamp="timestamp", touchpoint="touchpoint")
    spec = jm.journey_map(jm.build_journeys(events, goal="order_placed"), min_group=10).spec
    assert small_differences(spec, 10) == []
    assert len(spec.flows) > 10


def test_the_auditor_sees_what_is_laid_open() -> None:
    users, days = [f"u{i}" for i in range(12)], [f"{i + 1:02d}" for i in range(12)]
    first = {"user": users, "what": ["a"] * 11 + ["b"], "ts": [f"2026-01-{day}" for day in days]}
    then = {"user": users, "what": ["c"] * 12, "ts": [f"2026-02-{day}" for day in days]}
    log = pl.concat([pl.DataFrame(first), pl.DataFrame(then)]).with_columns(where=pl.lit("x"))
    events = jm.read_events(log, user="user", timestamp="ts", touchpoint="what", channel="where", timezone="UTC",
                            stages={"look": ["a", "b"], "buy": ["c"]})  # fmt: skip
    journeys = jm.build_journeys(events, goal="c", idle="60d")
    spec = jm.journey_map(journeys, min_group=1).spec
    assert pinned(journeys, spec, K)
    assert small_differences(spec, K)


def paths(*groups: tuple[int, str], month: str, tag: str) -> Iterator[tuple[str, str, str]]:
    """Users who each walk one path, a touchpoint an hour."""
    number = 0
    for n, path in groups:
        for _ in range(n):
            day = f"{month}-{1 + number % 28:02d}"
            yield from ((f"{tag}{number}", f"{day} {hour:02d}:00:00", what) for hour, what in enumerate(path.split()))
            number += 1


def walked(*steps: tuple[str, str, str], **rules: Any) -> jm.Journeys:
    log = pl.DataFrame([*steps], schema=["user", "ts", "what"], orient="row").with_columns(where=pl.lit("x"))
    return jm.build_journeys(
        jm.read_events(log, user="user", timestamp="ts", touchpoint="what", channel="where", timezone="UTC"), **rules
    )


def test_how_often_a_flow_is_taken_does_not_tell_how_many_take_it() -> None:
    """Of 400 users who come by ``a``, 4 never come by ``b``."""
    ways = ((196, "s a b d"), (200, "s a c a b d"), (4, "s a c d"), (100, "s c d"))
    first = walked(*paths(*ways, month="2026-01", tag="p"))
    assert ("all", "flow x:a x:b", "node x:a", 4) in small_differences(jm.journey_map(first, min_group=1).spec, 10)
    spec = jm.journey_map(first, min_group=10).spec
    assert small_differences(spec, 10) == []
    assert ("x:a", "x:b") in {(flow.source, flow.target) for flow in spec.flows}


def test_who_converts_by_a_channel_does_not_tell_how_many_came_there_after_the_goal_only() -> None:
    """Of 554 who pass ``c``, the only touchpoint of its channel, 254 reach the goal, 4 of them before they come there."""
    ways = ((100, "l g"), (200, "l c g"), (50, "l c g c"), (300, "l c"), (4, "l g c"))
    log = pl.DataFrame([*paths(*ways, month="2026-01", tag="p")], schema=["user", "ts", "what"], orient="row")
    channel = pl.when(pl.col("what") == "c").then(pl.lit("phone")).otherwise(pl.lit("web"))
    events = jm.read_events(log.with_columns(where=channel), user="user", timestamp="ts", touchpoint="what",
                            channel="where", timezone="UTC", stages={"look": ["l"], "buy": ["c", "g"]})  # fmt: skip
    journeys = jm.build_journeys(events, goal="g", observed_until=instant_of("2026-06-01"))
    open_spec, spec = (jm.journey_map(journeys, min_group=k).spec for k in (1, 10))
    assert ("later", "lane phone", "node phone:c", 4) in small_differences(open_spec, 10)
    assert small_differences(spec, 10) == []
    (lane,) = (lane.converted_later for lane in spec.lanes if lane.name == "phone")
    (node,) = (node.converted for node in spec.nodes if node.channel == "phone")
    assert lane is not None
    assert node is not None
    assert lane.value == 250 / 554
    assert node.value is None


def test_a_zoom_does_not_tell_of_a_few_of_the_others_who_touch_a_channel_or_reach_a_stage() -> None:
    """In country A 100 of 200 call, in B 4 of 100, by one of two touchpoints; each order as often as not."""
    ways = {"A": (100, 100), "B": (4, 96)}
    rows = [
        (f"{country}{'+' if called else '-'}{i}", f"2026-01-{1 + i % 28:02d} 0{hour}:00:00", what, where, country)
        for country, sizes in ways.items()
        for called, n in zip((True, False), sizes, strict=True)
        for i in range(n)
        for hour, (what, where) in enumerate(
            [("look", "web"), *[("call" if i % 4 < 2 else "call back", "phone")][:called], *[("order", "web")][: i % 2]]
        )
    ]
    log = pl.DataFrame(rows, schema=["user", "ts", "what", "where", "country"], orient="row")
    stages = {"see": ["look"], "ask": ["call", "call back"], "buy": ["order"]}
    events = jm.read_events(log, user="user", timestamp="ts", touchpoint="what", channel="where", timezone="UTC",
                            attributes=["country"], stages=stages)  # fmt: skip
    journeys = jm.build_journeys(events, goal="order", observed_until=instant_of("2026-06-01"))
    for k, told in ((1, {"country A", "country B"}), (10, set[str]())):
        spec = jm.journey_map(journeys, zoom="country", min_group=k).spec
        assert {lane.name: lane.n_journeys for lane in spec.lanes} == {"web": 300, "phone": 104}
        for kind, name, size in (("lanes", "phone", "n_journeys"), ("stages", "ask", "n_reached")):
            found = {
                z.label
                for z in spec.zooms
                for each in getattr(z.map, kind)
                if each.name == name and getattr(each, size)
            }
            assert found == told, (k, kind)


@pytest.mark.parametrize("goal", [None, "d"])
def test_a_comparison_does_not_tell_how_many_take_a_flow_that_does_not_tell_it_itself(goal: str | None) -> None:
    """In January 4 of 400 users go from ``a`` elsewhere than to ``b``, which some pass twice; in March 170."""
    rest = (100, "s c d")
    first = ((166, "s a b d"), (30, "s a b a b d"), (200, "s a c a b d"), (4, "s a c d"), rest)
    then = ((100, "s a b d"), (30, "s a b a b d"), (100, "s a c a b d"), (170, "s a c d"), rest)
    until = instant_of("2026-06-01")  # or those of March would not be mature
    journeys = walked(
        *paths(*first, month="2026-01", tag="p"),
        *paths(*then, month="2026-03", tag="q"),
        goal=goal,
        observed_until=until,
    )
    a, b = (journeys.between(f"2026-{month}-01", f"2026-{month}-29") for month in ("01", "03"))
    open_spec, spec = (jm.compare_maps(a, b, min_group=k).spec for k in (1, 10))
    sizes = [{(f.source, f.target): f.n_journeys for f in each.flows} for each in (spec, spec.zooms[0].map)]
    hidden = {names for side in sizes for names, n in side.items() if n is None}
    assert ("x:a", "x:b") in hidden
    assert spec.comparison is not None
    assert open_spec.comparison is not None
    told = {(row.source, row.target) for row in open_spec.comparison.rows if row.source}
    assert ("a · x", "b · x") in told
    assert not {(row.source, row.target) for row in spec.comparison.rows} & {("a · x", "b · x")}
    assert [row for row in spec.comparison.rows if row.source]


def test_the_intervals_of_a_comparison_are_of_the_confidence_asked_for() -> None:
    journeys = sample(10)[0]
    a, b = journeys.between("2026-01-05", "2026-03-01"), journeys.between("2026-03-01", "2026-05-01")
    widths = []
    for confidence in (0.5, 0.95):
        comparison = jm.compare_maps(a, b, confidence=confidence).spec.comparison
        assert comparison is not None
        first = comparison.rows[0].difference
        widths.append((first.upper or 0) - (first.lower or 0))
    assert 0 < widths[0] < 0.5 * widths[1]
