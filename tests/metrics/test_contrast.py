"""Handoffs, friction and decision points against plain loops, the planted facts, and the null case."""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.counting.result import Result
from journeymine.metrics.handoffs_arrivals import Ending
from journeymine.retailer import generate, planted_in

RULES = {"goal": "order_placed", "lost_at": ["account_closed"], "idle": "30d"}


@pytest.fixture(scope="module")
def planted() -> jm.Journeys:
    """The sample with its planted facts."""
    return jm.build_journeys(jm.sample())


Step = dict[str, object]


def walks(journeys: jm.Journeys, *, mature: bool = True, up_to_goal: bool = False) -> list[tuple[Step, list[Step]]]:
    """Each (mature) journey with its own steps before the goal (or up to it), as plain rows."""
    steps = journeys.steps.filter(~pl.col("by_company"))
    rows = defaultdict(list)
    for row in steps.iter_rows(named=True):
        rows[row["user"], row["nth_journey"]].append(row)
    found = []
    for head in journeys.table.iter_rows(named=True):
        listed = rows[head["user"], head["nth_journey"]]
        if head["status"] == "converted":
            goal = next(i for i, row in enumerate(listed) if row["is_goal"])
            listed = listed[: goal + up_to_goal]
        if (head["mature"] or not mature) and head["status"] != "service":
            found.append((head, listed))
    return found


Marks = Callable[[list[Step], object], list[tuple[tuple[object, ...], int]]]
CLOSED = "account_closed"
ORDER = ("awareness", "consideration", "purchase", "retention", "advocacy")
PAUSES = ("wait", "abandoned_session")
MOVES = ("repeat", "loop", "back_step", *PAUSES)


def loses(step: Step) -> bool:
    """Whether a step loses its journey by definition: by its touchpoint, or by a column of its own."""
    return step.get("loses", str(step["touchpoint"] == CLOSED)) == "True"


def compared(journeys: jm.Journeys, marks: Marks) -> dict[object, tuple[int, float, float]]:
    """Marker → mature journeys, and the standardised shares with and without, by loops over the definition.

    `marks` gives what a journey meets before its goal, and the number of the step at which it is compared.
    """
    met: dict[object, dict[object, list[bool]]] = defaultdict(lambda: defaultdict(list))
    came: dict[object, list[bool]] = defaultdict(list)
    for head, steps in walks(journeys):
        won, there = head["status"] == "converted", set()
        for i, step in enumerate(steps):
            if loses(step):
                continue
            place = step["stage"], step["channel"], step["touchpoint"]
            there |= {step["stage"], place} | ({(place, "went on")} if i + 1 < len(steps) or won else set())
        for where in there:
            came[where].append(won)
        seen = set()
        for marker, i in marks(steps, head["goal_at"]):
            if marker not in seen:
                seen.add(marker)
                met[marker][steps[i]["stage"]].append(won)
    answer = {}
    for marker, stages in met.items():
        n = with_ = without = 0.0
        for stage, outcomes in stages.items():
            place = (stage, *marker[1:])
            all_there = came[(place, "went on") if marker[0] in PAUSES else place if marker[0] in MOVES else stage]
            others = len(all_there) - len(outcomes)
            if others:
                n += len(outcomes)
                with_ += sum(outcomes)
                without += len(outcomes) * (sum(all_there) - sum(outcomes)) / others
        total = sum(len(outcomes) for outcomes in stages.values())
        answer[marker] = (total, with_ / n if n else math.nan, without / n if n else math.nan)
    return answer


def users_by_mark(journeys: jm.Journeys, marks: Marks) -> dict[object, set[object]]:
    """Marker → users of mature journeys that meet it before the goal."""
    people: dict[object, set[object]] = defaultdict(set)
    for head, steps in walks(journeys):
        for marker, _ in marks(steps, head["goal_at"]):
            people[marker].add(head["user"])
    return people


def visited(steps: list[Step], goal_at: object) -> list[tuple[tuple[object, ...], int]]:
    return [((step["touchpoint"],), i) for i, step in enumerate(steps) if step["touchpoint"] != CLOSED]


def moved(steps: list[Step], goal_at: object) -> list[tuple[tuple[object, ...], int]]:
    return [
        ((b["stage"],), i)
        for i, (a, b) in enumerate(itertools.pairwise(steps))
        if a["stage"] != b["stage"] and CLOSED not in (a["touchpoint"], b["touchpoint"])
    ]


def stumbled(steps: list[Step], goal_at: object) -> list[tuple[tuple[object, ...], int]]:
    found = []
    goal = [] if goal_at is None else [{"timestamp": goal_at}]
    for i, step in enumerate(steps):
        place = (step["channel"], step["touchpoint"])
        if loses(step):
            continue
        if step["kind"] != "(unknown)":
            found.append(((step["kind"], *place), i))
        for after in [*steps, *goal][i + 1 : i + 2]:
            pause = (after["timestamp"] - step["timestamp"]).total_seconds()
            if pause > 3 * 86400:
                found.append((("wait", *place), i))
            if pause > 1800 and step["stage"] == "purchase":
                found.append((("abandoned_session", *place), i))
        after = steps[i + 1] if i + 1 < len(steps) else step
        ranks = [ORDER.index(each["stage"]) if each["stage"] in ORDER else None for each in (step, after)]
        if not loses(after) and None not in ranks and ranks[1] < ranks[0]:
            found.append((("back_step", *place), i))
        if not i:
            continue
        before = steps[i - 1]
        if place == (before["channel"], before["touchpoint"]):
            found.append((("repeat", *place), i))
        elif any(place == (other["channel"], other["touchpoint"]) for other in steps[:i]):
            found.append((("loop", *place), i))
    return found


@pytest.mark.parametrize(
    ("ask", "keys", "marks"),
    [
        (jm.decision_points, ("label",), visited),
        (partial(jm.decision_points, grain="stage"), ("label",), moved),
        (jm.friction, ("friction", "channel", "touchpoint"), stumbled),
    ],
    ids=["decision_points", "stages", "friction"],
)
def test_every_row_equals_a_loop_over_the_definition(
    ask: Callable[[jm.Journeys], Result], keys: tuple[str, ...], marks: Marks
) -> None:
    journeys = jm.build_journeys(jm.sample(users=500))
    expected = compared(journeys, marks)
    frame = ask(journeys).frame.filter(pl.col("n") > 0)
    if "friction" in keys:  # detours have a test of their own
        frame = frame.filter(pl.col("friction") != "detour")
    assert {tuple(row[k] for k in keys) for row in frame.iter_rows(named=True)} == set(expected)
    people = users_by_mark(journeys, marks)
    for row in frame.iter_rows(named=True):
        assert row["n_users"] == len(people[tuple(row[k] for k in keys)])
        n, with_, without = expected[tuple(row[k] for k in keys)]
        assert row["n"] == n
        for name, value in (("converted_with", with_), ("converted_without", without)):
            assert (row[name] is None) == math.isnan(value)
            assert row[name] is None or row[name] == pytest.approx(value, abs=1e-12)


def test_a_place_that_is_only_visited_after_the_goal_is_no_friction() -> None:
    """Twice by one user: in journeys that converted, and in service journeys."""
    rows = [("u", 0, "look"), ("u", 1, "look"), ("u", 2, "order"), ("u", 3, "use"), ("u", 9 * DAY, "use")]
    rows += [(user, time + 100 * DAY, what) for user, time, what in rows]
    log = pl.DataFrame(rows, schema=["u", "t", "what"], orient="row")
    stages = jm.StageMap.of({"buy": ["look", "order"], "own": ["use"]})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", stages=stages)
    journeys = jm.build_journeys(events, goal="order", idle="7d")
    assert sorted(journeys.table["status"]) == ["converted", "converted", "service", "service"]
    met = jm.friction(journeys).frame.select("friction", "touchpoint", "n_journeys", "n_users")
    assert met.rows() == [("repeat", "look", 2, 1)]


def times_met(journeys: jm.Journeys) -> dict[object, tuple[int, int]]:
    """Friction and place → how often it is met, and by how many journeys, mature or not."""
    met: dict[object, list[int]] = defaultdict(list)
    for nth, (head, steps) in enumerate(walks(journeys, mature=False)):
        for marker, _ in stumbled(steps, head["goal_at"]):
            met[marker].append(nth)
    return {marker: (len(journeys), len(set(journeys))) for marker, journeys in met.items()}


@pytest.mark.parametrize("split", [None, "user"])
@pytest.mark.parametrize("staged", [True, False], ids=["stage map", "columns called stage and kind"])
@pytest.mark.parametrize("lost_at", [[CLOSED], {"loses": "True"}], ids=["touchpoint", "column"])
@pytest.mark.parametrize("seed", range(3))
def test_frictions_of_odd_logs_equal_a_loop_over_the_definition(
    seed: int, lost_at: object, staged: bool, split: str | None
) -> None:
    """Losing steps in the middle, null channels, touchpoints of no stage, places in several stages and of several kinds."""
    toss = random.Random(f"{seed} {lost_at} {staged} {split}")
    stages = {"awareness": ["a", "b"], "consideration": ["c"], "purchase": ["d", "e", "order", "account_closed"]}
    rows = [
        (toss.randrange(60), toss.randrange(30 * DAY // 600) * 600, what, toss.choice(["web", "app", None]),
         toss.choice(["awareness", "purchase"]), toss.choice([None, None, "error", "complaint"]),
         str(what == CLOSED if lost_at == [CLOSED] else toss.random() < 0.1))
        for what in toss.choices([*"abcdef", "order", "account_closed"], [6, 4, 6, 5, 4, 2, 2, 1], k=900)
    ]  # fmt: skip
    log = pl.DataFrame(rows, schema=["u", "t", "what", "where", "stage", "kind", "loses"], orient="row")
    events = jm.read_events(
        log, user="u", timestamp="t", time_unit="s", touchpoint="what", channel="where",
        stages=jm.StageMap.of(stages, touchpoints=[{"match": "e", "kind": "error"}]) if staged else None,
        attributes=["loses"] if staged else ["stage", "kind", "loses"],
    )  # fmt: skip
    journeys = jm.build_journeys(
        events, goal="order", lost_at=lost_at, idle="6d", **({} if split is None else {"split": split})
    )
    expected, people, times = compared(journeys, stumbled), users_by_mark(journeys, stumbled), times_met(journeys)
    frame = jm.friction(journeys).frame.filter((pl.col("n") > 0) & (pl.col("friction") != "detour"))
    seen = set()
    for row in frame.iter_rows(named=True):
        seen.add(key := (row["friction"], row["channel"], row["touchpoint"]))
        n, with_, without = expected[key]
        assert (row["n"], row["n_users"]) == (n, len(people[key]))
        assert (row["n_times"], row["n_journeys"]) == times[key]
        assert row["converted_with"] == (None if math.isnan(with_) else pytest.approx(with_, abs=1e-12))
        assert row["converted_without"] == (None if math.isnan(without) else pytest.approx(without, abs=1e-12))
    if not staged:  # a plain column has no order to step back in, and no stage of the goal
        expected = {key: row for key, row in expected.items() if key[0] not in ("back_step", "abandoned_session")}
    assert seen == set(expected)
    assert {friction for friction, *_ in seen} >= {"repeat", "loop", "wait", "error"}


def test_crossings_equal_a_loop_over_the_definition() -> None:
    """Every crossing has a row, whenever it is made; compared are those up to the goal."""
    journeys = jm.build_journeys(jm.sample(users=500))
    steps = journeys.steps.filter(~pl.col("by_company"))
    times: dict[object, list[object]] = defaultdict(list)
    for whose, rows in steps.group_by("user", "nth_journey", maintain_order=True):
        for a, b in itertools.pairwise(rows["channel"]):
            if a != b:
                times[a, b].append(whose)
    early: dict[object, dict[object, list[bool]]] = defaultdict(dict)
    for head, walk in walks(journeys, up_to_goal=True):
        for i, (a, b) in enumerate(itertools.pairwise(walk), 1):
            if a["channel"] != b["channel"]:
                key = head["user"], head["nth_journey"]
                lost = head["status"] == "lost" and i == len(walk) - 1
                early[a["channel"], b["channel"]].setdefault(key, []).append(lost)
    frame = jm.handoffs(journeys).frame
    assert {(row["from"], row["to"]) for row in frame.iter_rows(named=True)} == set(times)
    after = 0
    for row in frame.iter_rows(named=True):
        pair = row["from"], row["to"]
        assert (row["n_crossings"], row["n_journeys"]) == (len(times[pair]), len(set(times[pair])))
        assert (row["n"], row["n_users"]) == (len(early[pair]), len({user for user, _ in early[pair]}))
        assert row["lost_at"] == sum(any(lost) for lost in early[pair].values())
        after += not early[pair]
        assert (row["reason"] == "no mature journey crosses here up to its goal") == (row["n"] == 0)
    assert after > 2


def ways(steps: list[dict[str, object]]) -> list[tuple[object, list[dict[str, object]], dict[str, object]]]:
    """The ways of one journey: the stage, the steps on the way to it, and the step that reaches it."""
    found, begin, rank = [], None, -1
    for i, step in enumerate(steps):
        if ORDER.index(step["stage"]) > rank:
            if begin is not None:
                found.append((step["stage"], steps[begin + 1 : i], step))
            begin, rank = i, ORDER.index(step["stage"])
    return found


def detours(every: list[tuple[dict[str, object], list[dict[str, object]], object]]) -> tuple[dict, dict, dict]:
    """Lengths of the ways, their median, and who makes which detour; each by group and stage."""
    lengths: dict[object, list[int]] = defaultdict(list)
    passed: dict[object, int] = defaultdict(int)
    listed = [(group, stage, way, head) for head, steps, group in every for stage, way, _ in ways(steps)]
    for group, stage, way, _ in listed:
        lengths[group, stage].append(len(way))
        for place in {(step["channel"], step["touchpoint"]) for step in way}:
            passed[group, stage, place] += 1
    usual = {key: sorted(found)[math.ceil(len(found) / 2) - 1] for key, found in lengths.items()}
    met: dict[object, list[tuple[object, bool, int]]] = defaultdict(list)
    for group, stage, way, head in listed:
        for place in {(step["channel"], step["touchpoint"]) for step in way}:
            common = 2 * passed[group, stage, place] >= len(lengths[group, stage])
            if len(way) > usual[group, stage] and not common:
                times = sum((step["channel"], step["touchpoint"]) == place for step in way)
                met[group, place, stage].append((head, head["status"] == "converted", times))
    return lengths, usual, met


@pytest.mark.parametrize("segment", [None, "device"])
def test_detours_equal_a_loop_over_the_definition(segment: str | None) -> None:
    journeys = jm.build_journeys(jm.sample(users=700))
    every = [
        (head, [step for step in steps if step["touchpoint"] != CLOSED], steps[0]["device"] if segment else None)
        for head, steps in walks(journeys, mature=False)
        if steps
    ]
    lengths, usual, met = detours(every)
    reached: dict[object, list[bool]] = defaultdict(list)
    for head, steps, group in every:
        for stage in {step["stage"] for step in steps} if head["mature"] else ():
            reached[group, stage].append(head["status"] == "converted")
    result = jm.friction(journeys, by=segment)
    frame = result.frame.filter(friction="detour")
    assert frame.height == len(met)
    for row in frame.iter_rows(named=True):
        group = row[segment] if segment else None
        told = met[group, (row["channel"], row["touchpoint"]), row["stage"]]
        mature = [(head, won) for head, won, _ in told if head["mature"]]
        assert (row["n_journeys"], row["n_times"]) == (len(told), sum(times for *_, times in told))
        assert (row["n"], row["n_users"]) == (len(mature), len({head["user"] for head, _ in mature}))
        outcomes = [won for _, won in mature]
        all_there = reached[group, row["stage"]]
        if outcomes and len(all_there) > len(outcomes):
            assert row["converted_with"] == pytest.approx(sum(outcomes) / len(outcomes))
            rest = (sum(all_there) - sum(outcomes)) / (len(all_there) - len(outcomes))
            assert row["converted_without"] == pytest.approx(rest)
    told_ways = result.tables["ways"]
    for row in told_ways.iter_rows(named=True):
        key = (row[segment] if segment else None), row["stage"]
        assert (row["n"], row["usual_steps"]) == (len(lengths[key]), usual[key])
    assert told_ways.height == len(lengths)


def test_the_longer_way_round_is_a_detour_and_the_usual_way_is_none() -> None:
    direct, round_about = ["ad", "visit", "order"], ["ad", "help", "help", "visit", "order"]
    rows = [(f"d{i}", t, what) for i in range(70) for t, what in enumerate(direct if i < 50 else direct[:2])]
    rows += [(f"r{i}", t, what) for i in range(40) for t, what in enumerate(round_about if i < 10 else round_about[:4])]
    log = pl.DataFrame(rows, schema=["u", "t", "what"], orient="row")
    stages = jm.StageMap.of({"see": ["ad", "help"], "think": ["visit"], "buy": ["order"]})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", stages=stages)
    journeys = jm.build_journeys(events, goal="order", idle="1d", observed_until=9 * 86_400 * 1_000_000)
    result = jm.friction(journeys)
    row = result.frame.filter(friction="detour").row(0, named=True)
    assert (row["touchpoint"], row["stage"], row["n_times"], row["n"]) == ("help", "think", 80, 40)
    assert (row["converted_with"], row["converted_without"]) == (10 / 40, 50 / 70)
    assert row["p_adjusted"] < 0.01
    assert result.frame.filter(friction="detour").height == 1
    assert result.tables["ways"].rows() == [
        ("think", 110, 0)
    ]  # the way to buy ends with the goal, and is no comparison
    assert result.plot() is not None


def test_what_loses_a_journey_by_definition_is_no_detour_and_makes_none() -> None:
    declined, direct = ["ad", "declined", "chat", "visit"], ["ad", "chat", "visit"]
    rows = [(f"d{i}", t, what) for i in range(40) for t, what in enumerate(declined)]
    rows += [(f"s{i}", t, what) for i in range(70) for t, what in enumerate([*direct, "order"] if i < 30 else direct)]
    log = pl.DataFrame(rows, schema=["u", "t", "what"], orient="row")
    stages = jm.StageMap.of({"see": ["ad"], "think": ["visit"], "buy": ["order"]})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", stages=stages)
    journeys = jm.build_journeys(
        events, goal="order", lost_at="declined", split="user", idle="1d", observed_until=9 * 86_400 * 1_000_000
    )
    result = jm.friction(journeys)
    assert "detour" not in result.frame["friction"].to_list()
    assert result.tables["ways"].rows() == [("think", 110, 1)]  # by the chat alone


def test_weeks_of_trouble_equal_a_loop_over_the_definition(planted: jm.Journeys) -> None:
    frame = jm.friction(planted).tables["weeks"]
    reached: dict[object, list[bool]] = defaultdict(list)
    met: dict[object, list[bool]] = defaultdict(list)
    for head, steps in walks(planted):
        won, since = head["status"] == "converted", {}
        for step in steps if steps[-1:] and steps[-1]["touchpoint"] != CLOSED else steps[:-1]:
            since.setdefault(step["stage"], step["timestamp"].date() - timedelta(days=step["timestamp"].weekday()))
        for stage, monday in since.items():
            reached[stage, monday].append(won)
        seen = set()
        for step in steps:
            key = step["kind"], step["channel"], step["touchpoint"]
            if step["kind"] != "(unknown)" and key not in seen:
                seen.add(key)
                met[(*key, since[step["stage"]], step["stage"])].append(won)
    expected = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for (*key, monday, stage), outcomes in met.items():
        others = len(reached[stage, monday]) - len(outcomes)
        row = expected[(*key, monday)]
        row[0] += len(outcomes)
        if others:
            row[1] += len(outcomes)
            row[2] += sum(outcomes)
            row[3] += len(outcomes) * (sum(reached[stage, monday]) - sum(outcomes)) / others
    counted = frame.filter(pl.col("n") > 0)
    assert counted.height == len(expected)
    for row in counted.iter_rows(named=True):
        n, used, with_, without = expected[row["friction"], row["channel"], row["touchpoint"], row["week"]]
        assert row["n"] == n
        if used:
            assert (row["converted_with"], row["converted_without"]) == pytest.approx((with_ / used, without / used))


def test_the_fault_is_found_in_its_week(planted: jm.Journeys) -> None:
    facts = planted_in(seed=1)["facts"]["app_checkout_fault"]
    weeks = jm.friction(planted).tables["weeks"].filter(pl.col("p_adjusted") < 0.05)
    worst = weeks.sort("p_value").row(0, named=True)
    assert (worst["touchpoint"], worst["channel"], str(worst["week"])) == (facts["touchpoint"], "app", facts["from"])
    assert worst["conversions_at_stake_lower"] < facts["orders_lost"] < worst["conversions_at_stake_upper"]


def test_how_arrivals_end_equals_a_loop_over_the_definition() -> None:
    journeys = jm.build_journeys(jm.sample(users=700))
    arrivals: dict[object, list[tuple[bool, bool]]] = defaultdict(list)
    for head, steps in walks(journeys):
        for i, (before, step) in enumerate(itertools.pairwise(steps), 1):
            enters = before["stage"] != step["stage"]
            lost = head["status"] == "lost" and i == len(steps) - 1
            arrivals[before["channel"], step["channel"], step["stage"], enters].append(
                (lost, head["status"] == "converted")
            )
    seen = 0
    for row in jm.handoffs(journeys).frame.iter_rows(named=True):
        n = used = others = 0
        ends, expected = [0.0, 0.0], [0.0, 0.0]
        for (a, b, stage, enters), found in arrivals.items():
            if (a, b) != (row["from"], row["to"]):
                continue
            n += len(found)
            rest = [end for (c, d, *where), ends in arrivals.items() for end in ends
                    if c != a and d == b and where == [stage, enters]]  # fmt: skip
            if rest:
                used, others = used + len(found), others + len(rest)
                for how in (0, 1):
                    ends[how] += sum(end[how] for end in found)
                    expected[how] += len(found) * sum(end[how] for end in rest) / len(rest)
        assert row["n_arrivals"] == n
        assert (row["p_lost"] is not None) <= (used >= 30 and others >= 30)
        if used:
            seen += 1
            assert row["lost_otherwise"] == pytest.approx(expected[0] / used)
            assert row["lost_excess"] == pytest.approx((ends[0] - expected[0]) / used)
            assert row["converted_with"] == pytest.approx(ends[1] / used)
            assert row["converted_without"] == pytest.approx(expected[1] / used)
            assert row["difference"] == pytest.approx((ends[1] - expected[1]) / used)
        else:
            assert row["lost_excess"] is row["lost_otherwise"] is row["difference"] is None
    assert seen > 20


def read(
    rows: list[tuple[object, ...]], columns: str, stages: dict[str, list[str]] | None, **rules: object
) -> jm.Journeys:
    """Journeys of a little log: user, seconds, touchpoint, and channel if there is one."""
    log = pl.DataFrame(rows, schema=columns.split(), orient="row")
    channel = {"channel": "where"} if "where" in log.columns else {}
    events = jm.read_events(
        log, user="u", timestamp="t", time_unit="s", touchpoint="what",
        stages=None if stages is None else jm.StageMap.of(stages), **channel,
    )  # fmt: skip
    return jm.build_journeys(events, **rules)


DAY = 86_400


def test_a_pause_that_nothing_depends_on_makes_no_difference_although_many_end_with_the_order() -> None:
    """Half order as their next step, and whether they pause before it is a coin's toss."""
    rows: list[tuple[object, ...]] = []
    for i in range(1_200):
        pause = 4 * DAY if i % 2 else 600
        rows += [(f"u{i}", 0, "view"), (f"u{i}", 60, "cart")]
        if i % 4 < 2:
            rows.append((f"u{i}", 60 + pause, "order"))
            continue
        rows.append((f"u{i}", 60 + pause, "delivery"))
        if i % 12 < 4:
            rows.append((f"u{i}", 120 + pause, "order"))
    stages = {"look": ["view"], "buy": ["cart", "delivery", "order"]}
    journeys = read(rows, "u t what", stages, goal="order", observed_until=90 * DAY * 1_000_000)
    frame = jm.friction(journeys).frame.filter(touchpoint="cart")
    assert frame["friction"].to_list() == ["abandoned_session", "wait"]
    converted = 300 / 600 + 100 / 600
    for row in frame.iter_rows(named=True):
        assert (row["n"], row["converted_with"], row["converted_without"]) == (600, converted, converted)


def wander(seed: int, *, given_up: float = 0.0) -> list[tuple[object, ...]]:
    """Pages of one stage that sell well and badly; repeats, pauses and coming back are coin tosses.

    `given_up` : the share of those who pause on the good page that then do nothing but look at the shelf once more.
    """
    toss, rows = random.Random(seed), []
    leaves, buys = {"good": 0.05, "bad": 0.5, "shelf": 0.2}, {"good": 0.35, "bad": 0.03, "shelf": 0.1}
    for user in range(2_000):
        at, t = toss.choice(["good", "bad", "shelf"]), toss.random() * 20 * DAY
        for _ in range(40):
            rows.append((user, int(t), at))
            t += (pause := toss.choice([60, 600, 4 * DAY]))
            x = toss.random()
            if at == "good" and pause > 3 * DAY and toss.random() < given_up:
                rows.append((user, int(t), "shelf"))
                break
            if x < leaves[at] + buys[at]:
                rows += [(user, int(t), "order")] * (x >= leaves[at])
                break
            at = toss.choice(["good", "bad", "shelf", at])
    return rows


def test_a_page_that_sells_badly_is_no_fault_of_those_who_pause_or_come_back_there() -> None:
    stages = {"think": ["good", "bad", "shelf"], "buy": ["order"]}
    counted: dict[str, list[float]] = defaultdict(list)
    for seed in range(5):
        journeys = read(wander(seed), "u t what", stages, goal="order", observed_until=200 * DAY * 1_000_000)
        frame = jm.friction(journeys).frame.drop_nulls("p_value")
        assert set(frame["friction"]) == {"repeat", "loop", "wait"}
        counted["claims"].append(bool((frame["p_adjusted"] < 0.05).any()))
        for row in frame.iter_rows(named=True):
            counted[row["friction"]].append(row["difference"])
    assert sum(counted.pop("claims")) <= 1
    for found in counted.values():
        assert abs(sum(found) / len(found)) < 0.02  # within the stage it would be 0.2, up or down


def test_a_pause_that_costs_orders_is_claimed_where_it_does() -> None:
    stages = {"think": ["good", "bad", "shelf"], "buy": ["order"]}
    for seed in range(3):
        log = wander(seed, given_up=0.5)
        journeys = read(log, "u t what", stages, goal="order", observed_until=200 * DAY * 1_000_000)
        sure = jm.friction(journeys).frame.filter((pl.col("p_adjusted") < 0.01) & (pl.col("difference") < -0.1))
        assert sure.select("friction", "touchpoint").rows() == [("wait", "good")]
        assert jm.opportunities(journeys).frame["title"][0] == "Mend wait at good"


def test_a_step_back_is_told_of_the_place_that_journeys_step_back_from() -> None:
    ways = (
        [*(["view", "cart", "view", "order"],) * 1, *(["view", "cart", "view"],) * 3, *(["view", "cart", "order"],) * 3,
         ["view", "cart"], ["view"], ["view", "cart", "closed"]]
    )  # fmt: skip
    rows = [(f"u{i}", 60 * t, what) for i in range(400) for t, what in enumerate(ways[i % 10])]
    stages = {"look": ["view", "closed"], "buy": ["cart", "order"]}
    journeys = read(rows, "u t what", stages, goal="order", lost_at="closed", observed_until=90 * DAY * 1_000_000)
    row = jm.friction(journeys).frame.row(by_predicate=pl.col("friction") == "back_step", named=True)
    assert (row["touchpoint"], row["stage"], row["n"]) == ("cart", "buy", 160)
    # Of the others at the cart three of five order: what loses a journey by definition is no step back.
    assert (row["converted_with"], row["converted_without"]) == (1 / 4, 3 / 5)
    titles = jm.opportunities(journeys).frame["title"].to_list()
    assert "Mend the step back from cart" in titles


def test_a_kind_that_is_called_like_another_friction_stands_apart() -> None:
    rows = [
        (f"u{i}", 60 * t, what) for i in range(100) for t, what in enumerate(("view", "queue", "view")[: 2 + i % 2])
    ]
    events = jm.read_events(
        pl.DataFrame(rows, schema=["u", "t", "what"], orient="row"), user="u", timestamp="t", time_unit="s",
        touchpoint="what", stages=jm.StageMap.of({"look": ["view", "queue"]}, touchpoints=[{"match": "queue", "kind": "loop"}]),
    )  # fmt: skip
    frame = jm.friction(jm.build_journeys(events, goal="order", observed_until=90 * DAY * 1_000_000)).frame
    told = [(row["friction"], row["touchpoint"], row["n_journeys"]) for row in frame.iter_rows(named=True)]
    assert told == [("loop", "view", 50), ("loop (kind)", "queue", 100)]


def buys_where_they_are(seed: int) -> jm.Journeys:
    """At each step a coin decides who leaves and who orders: on the channel where they are."""
    draw, rows = random.Random(seed), []
    for i in range(1_500):
        t, where = draw.random() * 100 * DAY, draw.choice("abcd")
        while True:
            rows.append((f"u{i}", int(t), draw.choice(["page", "list"]), where))
            t += 60 + draw.random() * DAY
            if draw.random() < 0.3:
                rows += [(f"u{i}", int(t), "order", where)] * (draw.random() < 0.4)
                break
            where = draw.choice("abcd") if draw.random() < 0.5 else where
    return read(rows, "u t what where", {"shop": ["page", "list", "order"]}, goal="order", idle="10d",
                observed_until=130 * DAY * 1_000_000)  # fmt: skip


def test_who_buys_where_they_are_makes_no_crossing_look_worse_than_to_stay() -> None:
    frames = [jm.handoffs(buys_where_they_are(seed)).frame for seed in range(3)]
    for frame in frames:
        assert frame["p_adjusted"].null_count() == 0
        assert frame.filter((pl.col("p_adjusted") <= 0.05) | (pl.col("p_lost_adjusted") <= 0.05)).height <= 1
        steps = 1 / 0.3  # a journey has, the goal left out; all but the first are arrivals, and of these 3 in 8 cross
        assert frame["n_arrivals"].sum() == pytest.approx(1_500 * (steps - 1) * 3 / 8, rel=0.1)
    assert abs(pl.concat(frames)["difference"].mean()) < 0.015


def test_a_crossing_that_most_go_by_straight_to_the_goal_is_no_leak() -> None:
    """From the phone 8 in 100 are lost, from the app 50: but of those who do not order at once, 80 and 50."""
    rows: list[tuple[object, ...]] = []
    for i in range(2_000):
        start, nth = ("phone", "app")[i % 2], i // 2 % 100
        at_once, lost = (90, 98) if start == "phone" else (0, 50)
        rows.append((f"u{i}", 0, "ask", start))
        rows.append((f"u{i}", 60, "order" if nth < at_once else "page", "web"))
        if nth >= lost or (nth >= at_once and start == "app" and nth >= 50):
            rows.append((f"u{i}", 120, "order", "web"))
    stages = {"think": ["ask"], "buy": ["page", "order"]}
    journeys = read(rows, "u t what where", stages, goal="order", observed_until=90 * DAY * 1_000_000)
    app, phone = jm.handoffs(journeys).frame.rows(named=True)
    assert (phone["lost_at_share"], phone["n_arrivals"]) == (0.08, 100)
    assert phone["lost_excess"] == pytest.approx(0.8 - 0.5)
    assert (phone["p_lost"], app["p_lost"]) == (1.0, 1.0)


def test_of_two_tests_of_a_crossing_the_less_sure_one_counts() -> None:
    """Signs agree, twice; differ; and one row that is not tested."""

    def ending(excess: list[float], p: list[float]) -> Ending:
        nothing = np.zeros(len(p))
        return Ending(nothing, nothing, np.array([excess]), np.zeros((1, len(p))), np.array(p))

    mine = ending([0.3, -0.2, 0.3, 0.3], [0.001, 0.04, 0.001, math.nan])
    agreed = mine.as_much_as(ending([0.1, -0.4, -0.1, 0.3], [0.02, 0.001, 0.001, 0.5]))
    assert agreed.p.tolist() == pytest.approx([0.02, 0.04, 1.0, math.nan], nan_ok=True)
    assert agreed.excess is mine.excess
    assert agreed.p_adjusted.tolist() == pytest.approx([0.06, 0.06, 1.0, math.nan], nan_ok=True)


def test_whoever_is_at_the_goal_on_arrival_is_nobody_to_compare() -> None:
    rows: list[tuple[object, ...]] = []
    for i in range(400):  # from the phone all order at once; from the app half are lost on the page
        start, lost = ("phone", False) if i < 200 else ("app", i % 2 == 0)
        rows.append((f"u{i}", 0, "ask", start))
        rows.append((f"u{i}", 60, "page" if lost else "order", "web"))
    stages = {"think": ["ask"], "buy": ["page", "order"]}
    journeys = read(rows, "u t what where", stages, goal="order", observed_until=90 * DAY * 1_000_000)
    app, phone = jm.handoffs(journeys).frame.rows(named=True)
    assert (app["n"], app["lost_at"], app["n_arrivals"], app["reason"]) == (200, 100, 100, None)
    assert (phone["n"], phone["lost_at"], phone["n_arrivals"]) == (200, 0, 0)
    assert phone["reason"] == "whoever crosses here is at the goal"
    assert {row[name] for row in (app, phone) for name in ("lost_excess", "difference", "p_lost", "p_value")} == {None}


@pytest.mark.parametrize("closing", [False, True])
def test_what_loses_a_journey_by_definition_is_nobody_to_compare_with(closing: bool) -> None:
    rows: list[tuple[object, ...]] = []
    for i in range(800):
        rows.append((f"u{i}", 0, "view"))
        if i % 2:
            rows.append((f"u{i}", 60, "cart" if i % 4 == 1 else "quick_buy"))
            rows += [(f"u{i}", 120, "order")] * (i % 8 < 4)
        elif closing:
            rows.append((f"u{i}", 60, "closed"))
    stages = {"look": ["view"], "buy": ["cart", "quick_buy", "order", "closed"]}
    journeys = read(rows, "u t what", stages, goal="order", observed_until=90 * DAY * 1_000_000,
                    lost_at="closed" if closing else None)  # fmt: skip
    frame = jm.decision_points(journeys).frame.filter(pl.col("label") != "view")
    assert frame["label"].to_list() == ["cart", "quick_buy"]
    assert frame["converted_with"].to_list() == frame["converted_without"].to_list() == [0.5, 0.5]


def test_after_what_loses_by_definition_a_stage_is_reached_anew() -> None:
    """Split by user, a journey goes on after it: what follows in its stage comes to the stage, and moves from nowhere."""
    ways = (
        ["view", "closed", "cart", "order"],
        ["view", "cart"],
        ["view", "closed", "chat"],
        ["view", "closed", "thanks"],
    )
    rows = [(f"u{i}", 60 * t, what) for i in range(160) for t, what in enumerate(ways[i % 4])]
    stages = {"look": ["view"], "buy": ["closed", "cart", "chat", "order"], "after": ["thanks"]}
    journeys = read(rows, "u t what", stages, goal="order", lost_at="closed", split="user",
                    observed_until=90 * DAY * 1_000_000)  # fmt: skip
    cart = jm.decision_points(journeys).frame.row(by_predicate=pl.col("label") == "cart", named=True)
    assert (cart["n"], cart["converted_with"], cart["converted_without"]) == (80, 0.5, 0.0)
    moves = jm.decision_points(journeys, grain="stage").frame
    assert moves.select("label", "stage", "n").rows() == [("buy", "look", 40)]


def test_without_a_goal_nothing_is_said_of_conversion() -> None:
    rows = [(f"u{i}", 60 * t, what, where) for i in range(90) for t, (what, where) in
            enumerate((("a", "web"), ("b", "app"), ("b", "app")))]  # fmt: skip
    journeys = read(rows, "u t what where", None, observed_until=90 * DAY * 1_000_000)
    for ask, shares in (
        (jm.friction, ("converted_with", "difference", "conversions_at_stake")),
        (jm.handoffs, ("lost_at_share", "lost_excess", "converted_with", "difference")),
        (jm.decision_points, ("converted_with", "difference", "lift")),
        (jm.drop_off, ("converted_share", "lost_share", "conversions_at_stake")),
    ):
        frame = ask(journeys).frame
        assert frame.height
        assert frame.select(shares).null_count().row(0) == (frame.height,) * len(shares), ask
        assert set(frame["reason"]) == {"no goal was named, so nothing can convert"}


def test_a_column_called_stage_has_no_order_without_a_stage_map() -> None:
    log = pl.DataFrame({"u": ["a"] * 3, "t": [0, 1, 2], "what": ["x", "y", "done"], "stage": ["b", "a", "c"]})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", attributes=["stage"])
    frame = jm.friction(jm.build_journeys(events, goal="done")).frame
    assert "back_step" not in frame["friction"].to_list()


def test_a_place_that_leaks_whoever_comes_is_no_fault_of_a_handoff() -> None:
    rows = [
        (f"{i}-{start}", t, "visit", where)
        for i in range(300)
        for start in ("email", "web", "app")
        for t, where in enumerate((start, ("store", "web", "app")[i % 3], *(["web"] if i % 3 else [])))
    ]  # whoever comes to the store leaves there and then
    log = pl.DataFrame(rows, schema=["u", "t", "what", "where"], orient="row")
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", channel="where")
    journeys = jm.build_journeys(events, goal="order", idle="1d", observed_until=9 * 86_400 * 1_000_000)
    frame = jm.handoffs(journeys).frame.filter(to="store")
    assert frame["lost_at_share"].to_list() == [1.0] * 3
    assert frame["lost_excess"].to_list() == [0.0] * 3
    assert (frame["p_lost"].fill_null(1) == 1).all()


def test_the_leaking_handover_is_found(planted: jm.Journeys) -> None:
    row = jm.handoffs(planted).frame.row(
        by_predicate=(pl.col("from") == "email") & (pl.col("to") == "store"), named=True
    )
    assert 0.3 < row["lost_at_share"] < 0.43
    # A check of the sample as shipped, not of power: see docs/handoffs.md for other seeds.
    assert row["lost_excess_lower"] > 0.08
    assert row["p_lost_adjusted"] < 0.01


def test_the_fault_is_found_as_the_worst_friction(planted: jm.Journeys) -> None:
    frame = jm.friction(planted).frame.filter((pl.col("difference") < 0) & pl.col("p_adjusted").is_not_null())
    worst = frame.sort("p_adjusted").row(0, named=True)
    assert (worst["friction"], worst["channel"], worst["touchpoint"]) == ("error", "app", "app_payment_error")
    assert worst["difference_upper"] < -0.15
    assert worst["value_at_stake"] > 1_000


def test_back_and_forth_is_ping_pong() -> None:
    log = pl.DataFrame(
        {"u": ["a"] * 5, "t": [0, 1, 2, 3, 4], "what": ["x"] * 5, "where": ["web", "app", "web", "store", "app"]}
    )
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what", channel="where")
    frame = jm.handoffs(jm.build_journeys(events)).frame
    told = {(row["from"], row["to"]): (row["n_crossings"], row["n_ping_pong"]) for row in frame.iter_rows(named=True)}
    assert told == {("web", "app"): (1, 0), ("app", "web"): (1, 1), ("web", "store"): (1, 0), ("store", "app"): (1, 0)}


def test_branching_entropy_is_that_of_what_comes_next() -> None:
    log = pl.DataFrame({"u": list("aabbccdd"), "t": [0, 1] * 4, "what": ["x", "y", "x", "y", "x", "z", "x", "w"]})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what")
    table = jm.decision_points(jm.build_journeys(events)).tables["branching"]
    x = table.row(by_predicate=pl.col("label") == "x", named=True)
    assert (x["n"], x["n_ways"]) == (4, 3)
    assert x["entropy_bits"] == pytest.approx(1.5)


def null_claims(seed: int) -> dict[str, bool]:
    """Whether a retailer with nothing planted makes each metric claim anything at FDR 5 %."""
    frame = generate(seed=seed, users=1_500, planted=False)
    events = jm.read_events(
        frame, user="user", timestamp="timestamp", touchpoint="touchpoint", channel="channel", value="value",
        currency="EUR", stages=jm.sample(users=200).stages,
    )  # fmt: skip
    journeys = jm.build_journeys(events, **RULES)
    claims = {}
    for ask, column in ((jm.handoffs, "p_adjusted"), (jm.handoffs, "p_lost_adjusted"), (jm.friction, "p_adjusted"),
                        (jm.decision_points, "p_adjusted")):  # fmt: skip
        result = ask(journeys)
        frames = [result.frame, *(table for table in result.tables.values() if column in table.columns)]
        lowest = min((frame[column].min() for frame in frames if frame[column].count()), default=None)
        claims[f"{ask.__name__} {column}"] = lowest is not None and float(str(lowest)) < 0.05
    return claims


def claims_over(seeds: range) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for seed in seeds:
        for name, claimed in null_claims(seed).items():
            counted[name] += claimed
    return dict(counted)


def test_nothing_is_claimed_where_nothing_is_planted() -> None:
    # 5 % of null families may claim something; of six, three of one metric would be a 1 in 450 event.
    assert max(claims_over(range(6)).values()) <= 2


@pytest.mark.evidence
def test_at_most_17_of_200_null_retailers_make_any_metric_claim_anything() -> None:
    counted = claims_over(range(1000, 1200))  # seeds below 200 were looked at while the tests were shaped
    sys.stdout.write(f"claims of 200 null retailers at FDR 5 %: {counted}\n")
    assert max(counted.values()) <= 17, counted


def test_what_every_comparable_journey_has_says_so() -> None:
    log = pl.DataFrame({
        "user": [f"u{i}" for i in range(80) for _ in range(2)], "s": [60 * (i % 2) for i in range(160)],
        "what": ["visit", "won"] * 80,
    })  # fmt: skip
    events = jm.read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events, goal="won", idle="1d", observed_until=10 * 86_400_000_000)
    row = jm.decision_points(journeys).frame.row(0, named=True)
    assert (row["label"], row["n"], row["difference"], row["lift"]) == ("visit", 80, None, None)
    assert row["reason"] == "every mature journey that got as far has it: there is none without it to compare with"


def test_money_at_stake_has_limits_where_the_conversions_have(planted: jm.Journeys) -> None:
    frame = jm.friction(planted).frame
    assert frame["conversions_at_stake_lower"].is_null().any()
    without = frame.filter(pl.col("conversions_at_stake_lower").is_null())
    assert without["value_at_stake_lower"].is_null().all()


def test_money_at_stake_where_nobody_converts_has_a_reason(planted: jm.Journeys) -> None:
    result = jm.friction(planted)
    frame = pl.concat([result.frame, result.tables["weeks"]], how="diagonal").drop_nulls("conversions_at_stake")
    nobody = frame.filter(pl.col("converted_with") == 0, pl.col("value_at_stake").is_null())
    assert nobody.height
    assert set(nobody["reason"]) == {"nobody who meets it converts: what such a conversion would be worth is not known"}


def test_a_lift_over_nothing_is_not_given() -> None:
    log = pl.DataFrame({
        "user": [f"u{i}" for i in range(120) for _ in range(3)], "s": [60 * (i % 3) for i in range(360)],
        "what": [w for i in range(120) for w in (("visit", "talk", "won") if i % 2 else ("visit", "read", "read"))],
    })  # fmt: skip
    events = jm.read_events(log, user="user", timestamp="s", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events, goal="won", idle="1d", observed_until=10 * 86_400_000_000)
    row = jm.decision_points(journeys).frame.row(by_predicate=pl.col("label") == "talk", named=True)
    assert (row["converted_with"], row["converted_without"], row["difference"], row["lift"]) == (1, 0, 1, None)
