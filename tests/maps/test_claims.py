"""What the words of a map claim, held against logs whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import journeymine as jm
from journeymine.maps.compose import answer_map
from journeymine.maps.compose_findings import pain_points
from journeymine.maps.compose_flows import last_touchpoints
from journeymine.maps.compose_opportunities import said_of_who_answered
from journeymine.maps.compose_words import unknowns
from journeymine.maps.evidence import WITHHELD, Estimate, Filtered
from journeymine.maps.finding_tables import lift_words
from journeymine.maps.first_screen import key_figures, meta_line
from journeymine.maps.specification import Header, MapSpecification
from journeymine.maps.svg import to_svg

Row = tuple[Any, ...]
FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def journeys_of(rows: Sequence[Row], *names: str, stages: Any = None, **rules: Any) -> jm.Journeys:
    """Journeys of (user, day, touchpoint, …), the days counted from the first of 2025."""
    frame = pl.DataFrame(
        [(user, FIRST + timedelta(days=day), *rest) for user, day, *rest in rows],
        schema=["user", "at", "what", *names], orient="row",
    )  # fmt: skip
    columns = {name: name for name in names if name in ("channel", "value")}
    money = {"currency": "EUR"} if "value" in names else {}
    events = jm.read_events(frame, user="user", timestamp="at", touchpoint="what", stages=stages, **columns, **money)
    return jm.build_journeys(events, **rules)


def coin_tosses(seed: int) -> jm.Journeys:
    """900 customers on six channels at random; 3 in 10 buy, whatever they did before."""
    draw, rows = random.Random(seed), []
    for user in range(900):
        day = draw.random() * 300
        for _ in range(draw.randint(1, 5)):
            rows.append((f"u{user}", day, f"look{draw.randrange(3)}", f"c{draw.randrange(6)}", None))
            day += draw.random()
        if draw.random() < 0.3:
            rows.append((f"u{user}", day, "order", f"c{draw.randrange(6)}", 50.0 + 20 * draw.random()))
    stages = {"A": ["look0"], "B": ["look1"], "C": ["look2"], "buy": ["order"]}
    return journeys_of(rows, "channel", "value", stages=stages, goal="order")


@pytest.mark.parametrize("seed", [2, 4, 6, 7])
def test_of_coin_tosses_no_place_is_said_to_be_worth_mending(seed: int) -> None:
    spec = jm.journey_map(coin_tosses(seed), min_group=1).spec
    alone = [d for d in spec.drop_offs if d.value_at_stake and (d.value_at_stake.lower or 0) > 0]
    assert spec.opportunities == ()
    assert not [sentence.text for sentence in spec.summary if "would be earned" in sentence.text]
    assert {drop.significant for drop in spec.drop_offs} == {False}
    figures = {figure.label: figure for figure in key_figures(spec)}
    assert ", may be chance;" in figures["What it may cost"].detail
    most = max(spec.drop_offs, key=lambda drop: drop.n_lost or 0)
    assert figures["Most lost at"].value == f"{most.stage} × {most.channel}"
    assert not any(label.startswith("Worst") for label in figures)
    assert 'class="worst"' not in to_svg(spec)
    assert alone, "one interval of so many should leave out 0, or this shows nothing"


def test_a_place_that_is_in_the_list_is_told_with_what_it_is_worth() -> None:
    spec = jm.journey_map(jm.build_journeys(jm.sample(users=1500))).spec
    listed = {(found.stage, found.channel) for found in spec.opportunities if found.title.startswith("Keep journeys")}
    assert {(d.stage, d.channel) for d in spec.drop_offs if d.significant} >= listed
    assert listed
    assert [sentence.text for sentence in spec.summary if "would be earned" in sentence.text]
    assert 'class="worst"' in to_svg(spec)


@pytest.mark.parametrize(("n", "told"), [(1, True), (3, False)])
def test_who_answered_is_told_to_differ_only_where_it_is_sure_for_so_many_stages(n: int, told: bool) -> None:
    """2.2 standard errors: more than chance for one stage, not for the one that stands out of three."""
    bias = {
        "n_asked": 100,
        "n_answered": 30,
        "response_bias": -0.055,
        "response_bias_lower": -0.104,
        "response_bias_upper": -0.006,
    }
    rest = {**bias, "response_bias": 0.01, "response_bias_lower": -0.039, "response_bias_upper": 0.059}
    note = said_of_who_answered([{"stage": f"s{i}", **(rest if i else bias)} for i in range(n)], 0.95)
    words = "in s0 the share that converts is 5.5 points lower among those who answered than among the silent"
    assert (words in note) is told
    assert ("says nothing sure" in note) is not told


@pytest.mark.parametrize("stages", [None, {"A": ["a", "b"], "B": ["c", "d"]}])
def test_without_a_goal_nothing_is_said_of_conversion_or_loss(stages: Any) -> None:
    draw = random.Random(3)
    rows = [
        (f"u{user}", draw.random() * 300, draw.choice("abcd"), draw.choice(["web", "app"]))
        for user in range(300)
        for _ in range(draw.randint(1, 5))
    ]
    shown = jm.journey_map(journeys_of(rows, "channel", stages=stages), min_group=1)
    spec = shown.spec
    assert {node.converted for node in spec.nodes} == {flow.converted for flow in spec.flows} == {None}
    assert {lane.converted_later for lane in spec.lanes} == {stage.converted_later for stage in spec.stages} == {None}
    assert {stage.n_lost_here for stage in spec.stages} == {None}
    text = shown.to_markdown()
    assert "| Convert" not in text
    assert "Lost here" not in text


def called_before_and_after() -> jm.Journeys:
    """60 look and order; 40 call first, and 10 of these order; 30 call after they ordered, and all get a parcel."""
    rows: list[Row] = []
    for who, n, steps in (
        ("order", 60, ("look", "order", "parcel")),
        ("call", 30, ("look", "call")),
        ("call and order", 10, ("look", "call", "order", "parcel")),
        ("order and call", 30, ("look", "order", "call", "parcel")),
    ):
        for user in range(n):
            rows += [(f"{who} {user}", user + 0.1 * i, step, CHANNEL_OF[step]) for i, step in enumerate(steps)]
    stages = {"see": ["look"], "buy": ["call", "order"], "have": ["parcel"]}
    until = int((FIRST + timedelta(days=300)).timestamp() * 1_000_000)
    return journeys_of(rows, "channel", stages=stages, goal="order", observed_until=until)


CHANNEL_OF = {"look": "web", "order": "web", "call": "phone", "parcel": "post"}


@pytest.mark.parametrize("with_stages", [True, False])
def test_a_lane_tells_who_converts_after_coming_there_as_a_stage_does(with_stages: bool) -> None:
    journeys = called_before_and_after() if with_stages else coin_tosses_without_stages()
    spec = jm.journey_map(journeys, min_group=1).spec
    frame = jm.drop_off(journeys, by="channel").frame
    of_channel = {row["channel"]: row for row in frame.iter_rows(named=True)}
    touched = jm.conversion(journeys, by="channel", channel_of="any").frame
    n_journeys = dict(touched.select("channel", "n_journeys").iter_rows())
    assert {lane.name: lane.n_journeys for lane in spec.lanes} == n_journeys
    for lane in spec.lanes:
        if lane.name == "post":
            assert lane.converted_later is None, "it lies in a stage after the goal, from which nobody converts"
            continue
        row = of_channel[lane.name]
        told = lane.converted_later
        assert told is not None
        assert (told.value, told.lower, told.upper, told.n) == (
            row["converted_share"], row["converted_share_lower"], row["converted_share_upper"], row["n"],
        )  # fmt: skip
    if with_stages:
        (phone,) = (lane for lane in spec.lanes if lane.name == "phone")
        assert phone.converted_later is not None
        assert phone.converted_later.value == 10 / 70
        assert "| phone | 70 | 14.3" in jm.journey_map(journeys, min_group=1).to_markdown()


def coin_tosses_without_stages() -> jm.Journeys:
    draw, rows = random.Random(11), []
    for user in range(200):
        steps = [draw.choice("abg") for _ in range(draw.randint(1, 5))]
        rows += [(f"u{user}", user + 0.01 * i, step, draw.choice(["web", "app"])) for i, step in enumerate(steps)]
    return journeys_of(rows, "channel", goal="g")


def test_answers_without_those_of_lanes_say_how_many_touch_them_only() -> None:
    journeys = called_before_and_after()
    results = answer_map(journeys)
    del results["lanes"]
    spec = jm.journey_map(results, min_group=1).spec
    assert {lane.converted_later for lane in spec.lanes} == {None}
    assert {lane.name: lane.n_journeys for lane in spec.lanes}["phone"] == 70


def test_one_is_said_in_the_singular() -> None:
    header = Header(title="t", n_users=4, n_journeys=4, n_mature=3)
    said = [sentence.text.replace("\u00a0", " ") for sentence in unknowns(header, None, 1)]
    assert said[0] == "1 journey began too recently to be judged; shares leave it out."
    assert said[-1] == "1 journey begins so early in the log that its first steps may be missing."
    two = [
        sentence.text.replace("\u00a0", " ")
        for sentence in unknowns(Header(title="t", n_users=4, n_journeys=5, n_mature=3), None, 2)
    ]
    assert two[0] == "2 journeys began too recently to be judged; shares leave them out."
    assert two[-1] == "2 journeys begin so early in the log that their first steps may be missing."


def test_a_service_journey_is_not_said_to_be_too_young() -> None:
    rows = [
        ("a", 0, "look"),
        ("a", 1, "order"),
        ("a", 60, "call"),
        ("b", 2, "look"),
        ("c", 195, "look"),
        ("d", 200, "look"),
    ]
    journeys = journeys_of(rows, stages={"look": ["look"], "buy": ["order"], "after": ["call"]}, goal="order",
                           observed_until=int((FIRST + timedelta(days=210)).timestamp() * 1_000_000))  # fmt: skip
    spec = jm.journey_map(journeys, min_group=1).spec
    assert journeys.table["status"].to_list() == ["converted", "service", "lost", "open", "open"]
    assert spec.header.filtered == (Filtered(what="service journeys", n_journeys=1),)
    assert spec.unknowns[0].text.startswith("2\u00a0journeys began too recently")


def test_a_selection_says_when_its_own_journeys_start_and_that_it_is_one() -> None:
    journeys = jm.build_journeys(jm.sample(users=300))
    spring = journeys.between("2026-03-01", "2026-05-01")
    header = jm.journey_map(spring, zoom="channel").spec.header
    starts = spring.table["start"]
    assert header.period_start == str(starts.min())[:10]
    assert header.period_end == str(starts.max())[:10]
    assert header.who == "Selected journeys"
    assert jm.journey_map(spring, who="Spring").spec.header.who == "Spring"
    whole = jm.journey_map(journeys).spec.header
    assert (whole.who, whole.period_end) == ("All customers", whole.observed_until)


@pytest.mark.parametrize("min_group", [1, 10])
def test_what_is_not_drawn_is_missing_from_what_the_picture_covers(min_group: int) -> None:
    rows = [step for i in range(300) for step in ((f"u{i}", i % 200, "a"), (f"u{i}", i % 200 + 0.1, f"rare{i // 3}"))]
    spec = jm.journey_map(journeys_of(rows), min_group=min_group).spec
    assert {node.id for node in spec.nodes} >= {"a"}
    drawn = 300 + 3 * (len(spec.nodes) - 1)
    assert spec.header.covered == drawn / 600
    assert spec.header.covered == (1.0 if min_group == 1 else 0.5)
    assert f"the picture covers {100 if min_group == 1 else 50}\u00a0% of their steps" in meta_line(spec)


def test_what_is_withheld_says_so_and_not_of_how_many_users_it_would_be() -> None:
    spec = jm.journey_map(jm.build_journeys(jm.sample(users=1500))).spec
    purchase = next(stage for stage in spec.stages if stage.name == "purchase")
    assert sum(drop.n_lost or 0 for drop in spec.drop_offs if drop.stage == "purchase") > 100
    assert purchase.lost_here is not None
    assert (purchase.lost_here.value, purchase.lost_here.reason) == (None, WITHHELD)
    assert all(
        stage.reached is None or stage.reached.value is None or not stage.reached.reason for stage in spec.stages
    )


def handoffs(**changes: Any) -> pl.DataFrame:
    row = {"from": "web", "to": "app", "stage": "A", "n": 4000, "n_journeys": 4000, "n_arrivals": 9000, "lost_otherwise": 0.0001,
           "lost_excess": 0.0004, "lost_excess_lower": 0.0001, "lost_excess_upper": 0.0007, "converted_without": 0.3,
           "p_lost_adjusted": 0.01, "sparse": False}  # fmt: skip
    return pl.DataFrame(
        [{**row, **changes}], schema_overrides={"lost_excess_lower": pl.Float64, "lost_excess_upper": pl.Float64}
    )


def test_a_hand_over_without_an_interval_is_told_without_one() -> None:
    (found,) = pain_points(None, handoffs(lost_excess_lower=None, lost_excess_upper=None), {}, is_rounded=True)
    assert found.effect is not None
    assert (found.effect.value, found.effect.lower, found.effect.upper) == (-0.0004, None, None)


def test_a_small_share_keeps_the_zero_behind_its_point() -> None:
    (found,) = pain_points(None, handoffs(), {}, is_rounded=True)
    assert found.evidence.startswith("0.05\u00a0% of about 9,000\u00a0arrivals by it")
    (found,) = pain_points(None, handoffs(lost_otherwise=0.3096), {}, is_rounded=True)
    assert found.evidence.startswith("31\u00a0% of about")


def test_an_example_path_is_whole() -> None:
    """Of more touchpoints than are drawn, a path that leaves the picture is no example."""
    paths = [("a", f"t{i:03d}", "b", *(["a"] if i >= 200 else [])) for i in range(210)]
    rows = [(f"u{i}", i + hour / 24, what) for i, path in enumerate(paths) for hour, what in enumerate(path)]
    spec = jm.journey_map(journeys_of(rows), min_group=1).spec
    assert len(spec.nodes) == 200
    assert spec.examples
    assert {tuple(step.touchpoint for step in example.steps) for example in spec.examples} <= set(paths)


def test_an_example_path_counts_the_journeys_of_its_outcome_and_says_so() -> None:
    """Twelve journeys took the path, and eight of them are lost."""
    rows = [(f"u{i}", (0 if i < 8 else 100) + hour / 24, what) for i in range(12) for hour, what in enumerate("ab")]
    spec = jm.journey_map(journeys_of(rows, goal="c"), min_group=1).spec
    told = [example.id.replace("\u00a0", " ") for example in spec.examples]
    assert told == ["lost 1: 8 lost journeys took it", "open 1: 4 open journeys took it"]


def of_a_robot() -> MapSpecification:
    rows: list[Row] = [("u", step * 0.01, f"p{step % 7}", "web") for step in range(500)]
    return jm.journey_map_of_user(journeys_of([*rows, ("u", 5.1, "order", "app")], "channel", goal="order"), "u").spec


def test_a_journey_too_long_to_draw_ends_where_it_ended() -> None:
    spec = of_a_robot()
    assert spec.summary[0].text.endswith("from p0 to order; it converted.")
    assert [(end.node, end.status) for end in spec.terminals] == [("web:p0", "start")]
    assert spec.unknowns[0].text == "Only the first 300 of 501 steps are drawn and written out."
    assert spec.header.covered == pytest.approx(300 / 501)
    assert sum(node.n or 0 for node in spec.nodes) == len(spec.examples[0].steps) == 300


def test_a_log_too_young_to_judge_anybody_is_drawn() -> None:
    """500 users in 45 days: nobody is mature with idle of 30 days, and everybody is there to be seen."""
    draw, rows = random.Random(1), []
    for user in range(500):
        day = draw.random() * 45
        for _ in range(draw.randint(1, 5)):
            rows.append((f"u{user}", day, draw.choice("abc"), draw.choice(["web", "app"])))
            day += draw.random()
    rows += [("lone", 3.0, "rare", "web"), ("lone", 4.0, "a", "shop")]
    spec = jm.journey_map(journeys_of(rows, "channel", stages={"S": list("abc"), "R": ["rare"]}, goal="c")).spec
    assert {(node.touchpoint, node.channel) for node in spec.nodes} == {(t, c) for t in "abc" for c in ("web", "app")}
    assert [stage.name for stage in spec.stages] == ["S"]
    assert [lane.name for lane in spec.lanes if lane.name == "shop"] == []
    assert {node.converted.value for node in spec.nodes if node.converted} == {None}
    assert spec.flows
    assert {stage.n_reached for stage in spec.stages} == {None}


def test_what_the_lost_did_last_is_a_share_of_all_that_are_lost_there_also_of_those_not_shown() -> None:
    spec = jm.journey_map(jm.build_journeys(jm.sample(users=1500))).spec
    told = [
        (last.share, last.n, lost)
        for lost, place in [(s.n_lost_here, s) for s in spec.stages] + [(d.n_lost, d) for d in spec.drop_offs]
        for last in place.last_touchpoints
    ]
    assert len(told) > 12
    assert all(lost and share == pytest.approx(n / lost) for share, n, lost in told)
    store = next(d for d in spec.drop_offs if (d.stage, d.channel) == ("consideration", "store"))
    assert [(last.label, last.n) for last in store.last_touchpoints] == [("store_visited", 37)]
    assert store.n_lost == 59


def test_a_touchpoint_whose_losses_are_told_of_one_channel_only_is_not_told_of_its_stage() -> None:
    frame = pl.DataFrame({"stage": ["A"] * 3, "channel": ["web", "app", "web"], "touchpoint": ["x", "x", "y"],
                          "lost_here": [30, None, 12]})  # fmt: skip
    places = pl.DataFrame({"stage": ["A"], "lost_here": [50]})
    (found,) = last_touchpoints(frame, ("stage",), places)["A"]
    assert (found.label, found.n, found.share) == ("y", 12, 0.24)


@pytest.mark.parametrize(
    ("rules", "terms"),
    [
        ({"goal": "b"}, {"lost": "no goal, and closed by a later journey, or 30d of silence"}),
        ({"goal": "b", "lost_at": "c"}, {"lost": "no goal, and closed by a lost_at touchpoint, a later journey, or 30d of silence"}),
        ({"lost_at": "c"}, {"lost": "closed by a lost_at touchpoint", "ended": "closed by a later journey, or 30d of silence"}),
        ({}, {"ended": "closed by a later journey, or 30d of silence"}),
    ],
)  # fmt: skip
def test_the_method_defines_the_outcomes_that_there_are(rules: dict[str, str], terms: dict[str, str]) -> None:
    rows = [
        ("u", 0, "a"),
        ("u", 1, "c"),
        ("u", 60, "a"),
        ("v", 2, "a"),
        ("v", 3, "b"),
        ("v", 120, "a"),
        ("w", 100, "a"),
    ]
    journeys = journeys_of(rows, **rules)
    spec = jm.journey_map(journeys, min_group=1).spec
    defined = {definition.term: definition.text for definition in spec.method.definitions}
    assert {term: text for term, text in defined.items() if term in ("lost", "ended")} == terms
    assert set(journeys.table["status"]) - {"open", "converted"} == set(terms)


@pytest.mark.parametrize("lost_at", [None, "cancel"])
def test_the_stage_of_what_ends_journeys_is_no_finding(lost_at: str | None) -> None:
    """Of 60 lost journeys 40 cancel, 15 stop where they look and 5 where they choose."""
    stopped = ["look"] * 15 + ["look choose"] * 5
    paths = ["look choose cancel"] * 40 + stopped + ["look choose order"] * 20
    rows = [(f"u{i}", hour / 24, what) for i, path in enumerate(paths) for hour, what in enumerate(path.split())]
    rows.append(("late", 100, "look"))
    stages = {"see": ["look"], "pick": ["choose"], "leave": ["cancel"], "buy": ["order"]}
    journeys = journeys_of(rows, stages=stages, goal="order", **({"lost_at": lost_at} if lost_at else {}))
    told = [
        sentence.text
        for sentence in jm.journey_map(journeys, min_group=1).spec.summary
        if "leave from" in sentence.text
    ]
    by_definition = "where most are lost by definition (lost_at): 40 of 60. Of the stages where that is not so, none loses more than see: 15."
    why = f", {by_definition}" if lost_at else ": 40 of 60."
    assert told == [f"Most lost journeys leave from leave{why}"]


def test_what_ends_few_of_the_journeys_that_a_stage_loses_is_not_spoken_of() -> None:
    paths = ["look cancel"] * 15 + ["look"] * 40 + ["look buy"] * 20
    rows = [(f"u{i}", hour / 24, what) for i, path in enumerate(paths) for hour, what in enumerate(path.split())]
    rows.append(("late", 100, "look"))
    stages = {"see": ["look", "cancel"], "buy": ["buy"]}
    said = jm.journey_map(journeys_of(rows, stages=stages, goal="buy", lost_at="cancel"), min_group=1).spec.summary
    assert "Most lost journeys leave from see: 55 of 55." in [sentence.text for sentence in said]


def test_what_ends_journeys_too_young_to_be_judged_is_no_loss_yet() -> None:
    """Of the journeys that cancel, 15 are among the 40 that are lost, and 30 began too recently."""
    paths = [(i, "look cancel" if i < 15 else "look") for i in range(40)] + [
        (80 + i / 10, "look cancel") for i in range(30)
    ]
    rows = [
        (f"u{i}", day + hour / 24, what)
        for i, (day, path) in enumerate(paths)
        for hour, what in enumerate(path.split())
    ]
    rows += [("late", 115, "look")]
    stages = {"see": ["look", "cancel"], "buy": ["buy"]}
    said = jm.journey_map(journeys_of(rows, stages=stages, goal="buy", lost_at="cancel"), min_group=1).spec.summary
    assert "Most lost journeys leave from see: 40 of 40." in [sentence.text for sentence in said]


@pytest.mark.parametrize("lost_at", [None, "cancel"])
@pytest.mark.parametrize("placed", [True, False])
def test_a_place_or_touchpoint_that_loses_by_definition_is_no_finding(placed: bool, lost_at: str | None) -> None:
    paths = ["look cancel"] * 40 + ["look"] * 20 + ["look order"] * 20
    rows: list[Row] = [
        (f"u{i}", i / 9 + hour / 24, what, "web" if what == "look" else "phone")
        for i, path in enumerate(paths)
        for hour, what in enumerate(path.split())
    ]
    rows.append(("late", 100, "look", "web"))
    rules = {"goal": "order", **({"lost_at": lost_at} if lost_at else {})}
    stages = {"see": ["look"], "leave": ["cancel"], "buy": ["order"]}
    journeys = (
        journeys_of(rows, "channel", stages=stages, **rules) if placed else journeys_of([r[:3] for r in rows], **rules)
    )
    shown = jm.journey_map(journeys, min_group=1)
    figure = key_figures(shown.spec)[1]
    label, name = ("Most lost at", "leave × phone") if placed else ("Most often lost after", "cancel")
    assert (figure.label, figure.value, figure.tone) == (label, name, "")
    assert ("by definition (lost_at)" in figure.detail) is (lost_at is not None)
    assert [node.touchpoint for node in shown.spec.nodes if node.is_lost_at] == ([lost_at] if lost_at else [])
    assert [drop.channel for drop in shown.spec.drop_offs if drop.by_definition] == (
        ["phone"] if placed and lost_at else []
    )
    assert ("loses by definition (lost\\_at)" in shown.to_markdown()) is (lost_at is not None)
    assert f'<div class="figure ">\n    <h2>{label}</h2>' in shown.to_html()


@pytest.mark.parametrize("goal", [None, "b"])
def test_the_method_says_of_what_the_rate_of_false_claims_is(goal: str | None) -> None:
    shown = jm.journey_map(journeys_of([("u", 0, "a"), ("v", 0, "b"), ("v", 100, "a")], goal=goal), min_group=1)
    for page in (shown.to_html(), shown.to_markdown()):
        assert ("holds for each of these four kinds alone" in page) is (goal is not None)


def test_a_comparison_says_of_whom_each_part_of_the_page_speaks() -> None:
    journeys = jm.build_journeys(jm.sample(users=400))
    a, b = journeys.between("2026-03-01", "2026-05-01"), journeys.between("2026-01-05", "2026-03-01")
    shown = jm.compare_maps(a, b, names=("spring", "winter"))
    titles = [line[3:] for line in shown.to_markdown().splitlines() if line.startswith("## ")]
    alone = {"In short", "Not known yet", "Side by side", "Data quality", "Method"}
    assert {title for title in titles if not title.endswith(" · spring")} <= alone
    assert "Touchpoints · spring" in titles
    assert ">Journey map · spring<" in shown.to_html()
    assert "The map · spring" in shown.to_svg()


@pytest.mark.parametrize(
    ("lift", "words"),
    [((27.0, 24.0, 30.0), "× 27 (24 to 30)"), ((1.5, 1.0, 1.8), "× 1.5 (1.0 to 1.8)"), ((0.553, 0.281, 0.84), "× 0.55 (0.28 to 0.84)"),
     ((0.0, 0.0, 0.0), "× 0.00 (0.00 to 0.00)"), ((1234.5, None, None), "× 1,234")],
)  # fmt: skip
def test_a_ratio_of_two_figures_is_not_told_to_four(lift: tuple[float | None, ...], words: str) -> None:
    value, lower, upper = lift
    assert lift_words(Estimate(value=value, lower=lower, upper=upper)) == words
