from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from journeymine.errors import QuestionError, RulesError
from journeymine.events import StageMap, read_events
from journeymine.journeys import Journeys, build_journeys
from journeymine.metrics import drop_off
from tests.oracles.logs import MINUTE, Row, build

START = 1_577_836_800_000_000


def journeys_of(rows: Sequence[tuple[str, int, str, str, float | None]], **rules: Any) -> Journeys:
    log = tuple(
        Row(user, minute * MINUTE, what, where, value, None, None, None) for user, minute, what, where, value in rows
    )
    fields = {"goal": "order", "idle": "10m", "session_gap": "3m", "observed_until": START + 2_000 * MINUTE}
    return build(log, **{**fields, **rules})


def test_what_is_at_stake_by_hand() -> None:
    # 200 journeys visit on the web: 80 convert, worth 10 each; 100 in the store: 10 convert, worth 30 each.
    rows: list[Any] = []
    for channel, n, won, value in (("web", 200, 80, 10.0), ("store", 100, 10, 30.0), ("email", 99, 0, None)):
        for i in range(n):
            rows.append((f"{channel}{i}", 0, "visit", channel, None))
            if i < won:
                rows.append((f"{channel}{i}", 1, "order", channel, value))
    frame = drop_off(journeys_of(rows), by=["stage", "channel"]).frame
    by = {(row["stage"], row["channel"]): row for row in frame.iter_rows(named=True)}
    web, store, email = (by["consideration", channel] for channel in ("web", "store", "email"))
    assert (web["lost_share"], store["lost_share"], email["lost_share"]) == (0.6, 0.9, 1.0)
    assert (web["conversions_at_stake"], web["value_at_stake"]) == (0, 0)
    assert store["conversions_at_stake"] == pytest.approx(90 * (0.4 - 0.1))
    assert store["value_at_stake"] == pytest.approx(90 * (0.4 - 0.1) * 30)
    assert store["value_at_stake_lower"] < store["value_at_stake"] < store["value_at_stake_upper"]
    # The places beside it say what e-mail could be; what an order there would be worth nobody has seen.
    assert email["conversions_at_stake"] == pytest.approx(99 * 0.4)
    assert email["value_at_stake"] is None
    assert frame["stage"].to_list() == ["consideration"] * 3 + ["purchase"] * 2


def test_a_place_with_few_journeys_sets_no_example() -> None:
    rows = [(f"w{i}", 0, "visit", "web", None) for i in range(150)]
    rows += [(f"w{i}", 1, "order", "web", 1.0) for i in range(15)]
    rows += [(f"s{i}", 0, "visit", "store", None) for i in range(99)]
    rows += [(f"s{i}", 1, "order", "store", 1.0) for i in range(90)]
    frame = drop_off(journeys_of(rows)).frame.filter(stage="consideration")
    # The store does better than the one place that it could learn from; the web has nothing to learn from: no 0 there.
    told = frame.select("channel", "comparable", "n_comparable", "conversions_at_stake", "value_at_stake").rows()
    assert told == [("store", "web", 1, 0, 0), ("web", None, 0, None, None)]
    store, web = frame["stake_reason"]
    assert store is None
    assert web.startswith(
        "no other place that is known differs in channel, segment or attribute only and has 100 mature journeys"
    )


def test_a_small_place_that_looks_best_by_luck_is_passed_over() -> None:
    rows: list[Any] = []
    for channel, n, won in (("web", 1_000, 500), ("store", 1_000, 200), ("email", 100, 55)):
        rows += [(f"{channel}{i}", 0, "visit", channel, None) for i in range(n)]
        rows += [(f"{channel}{i}", 1, "order", channel, 1.0) for i in range(won)]
    frame = drop_off(journeys_of(rows)).frame.filter(stage="consideration")
    assert dict(frame.select("channel", "comparable").iter_rows()) == {"web": "email", "store": "web", "email": "web"}
    assert dict(frame.select("channel", "conversions_at_stake").iter_rows()) == {
        "web": pytest.approx(500 * 0.05), "store": pytest.approx(800 * 0.3), "email": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("by", "fields", "reason"),
    [
        ("stage", {}, "the breakdown names none of these"),
        (["stage", "channel"], {"goal": None}, "no goal was named"),
        (["stage", "channel"], {"mature_after": "5d"}, "no journey here is mature"),
    ],
)
def test_a_stake_that_nobody_can_know_is_null_and_says_why(by: Any, fields: dict[str, Any], reason: str) -> None:
    rows: list[Any] = [(f"{c}{i}", 0, "visit", c, None) for c in ("web", "store") for i in range(150)]
    frame = drop_off(journeys_of(rows, **fields), by=by).frame
    for row in frame.iter_rows(named=True):
        assert row["conversions_at_stake"] is row["value_at_stake"] is row["comparable"] is None
        assert reason in row["stake_reason"]


def wilson_lower(won: int, n: int) -> float:
    """Wilson (1927) from his formula; here every user has one journey, so that nothing is clustered."""
    z, p = 1.959963984540054, won / n
    return (p + z * z / (2 * n) - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


@pytest.mark.parametrize("seed", range(5))
def test_the_stakes_of_many_places_equal_a_loop_over_the_definition(seed: int) -> None:
    draw = random.Random(seed)
    channels = {f"c{i}": (draw.choice([30, 99, 110, 200, 400]), draw.choice([0.02, 0.1, 0.3, 0.5])) for i in range(7)}
    rows: list[Any] = []
    seen: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for channel, (n, chance) in channels.items():
        for i in range(n):
            what, won = draw.choice(["visit", "ad"]), draw.random() < chance
            worth = float(draw.randint(1, 40))
            rows.append((f"{channel}-{i}", 0, what, channel, None))
            rows += [(f"{channel}-{i}", 1, "order", channel, worth)] if won else []
            seen.setdefault(({"visit": "consideration", "ad": "awareness"}[what], channel), []).append((won, worth))
    for row in drop_off(journeys_of(rows), by=["stage", "channel"]).frame.iter_rows(named=True):
        place = row["stage"], row["channel"]
        if place not in seen:  # the goal's own
            continue
        own = seen[place]
        rate, lost = sum(won for won, _ in own) / len(own), sum(not won for won, _ in own)
        rivals = {
            other: found
            for other, found in seen.items()
            if other[0] == place[0] and other != place and len(found) >= 100 and sum(won for won, _ in found) >= 10
        }
        assert row["n_comparable"] == len(rivals)
        if not rivals:
            assert row["conversions_at_stake"] is row["value_at_stake"] is None
            continue
        best = max(rivals, key=lambda other: wilson_lower(sum(won for won, _ in rivals[other]), len(rivals[other])))
        assert row["comparable"] == best[1]
        better = sum(won for won, _ in rivals[best]) / len(rivals[best])
        expected = lost * max(better - rate, 0)
        assert row["conversions_at_stake"] == pytest.approx(expected)
        worths = [worth for won, worth in own if won]
        if expected and not worths:
            assert row["value_at_stake"] is None
            assert "nobody who came by converted" in row["stake_reason"]
        else:
            mean = sum(worths) / len(worths) if worths else 0
            assert row["value_at_stake"] == pytest.approx(expected * mean)


def test_who_comes_back_and_after_how_long() -> None:
    rows = [("a", 0, "visit", "web", None), ("a", 30, "visit", "web", None), ("b", 0, "visit", "web", None)]
    row = drop_off(journeys_of(rows), by="channel").frame.row(0, named=True)
    assert (row["lost_here"], row["came_back"], row["came_back_share"]) == (3, 1, 1 / 3)
    assert row["came_back_p50_s"] == pytest.approx(1_800, rel=0.008)


def test_open_journeys_are_no_drop_off() -> None:
    rows = [("a", 1_990 - 9 * k, "visit", "web", None) for k in range(9)]
    row = drop_off(journeys_of(rows, mature_after="1m"), by="channel").frame.row(0, named=True)
    assert (row["n"], row["lost_here"], row["open_here"], row["open_share"]) == (1, 0, 1, 1.0)


def test_a_log_of_its_own_stages_without_a_stage_map_keeps_them_as_labels() -> None:
    frame = pl.DataFrame({"user": ["a", "a", "b"], "t": [0, 60, 0], "what": ["x", "y", "x"], "stage": ["z", "a", "z"]})
    events = read_events(frame, timestamp="t", time_unit="s", touchpoint="what", attributes=["stage"])
    journeys = build_journeys(events, idle="1m", session_gap="1m", goal="never", observed_until=10**9)
    frame = drop_off(journeys, by="stage").frame
    # Without an order of stages any later step counts as going on.
    assert frame.select("stage", "n", "went_on", "lost_here").rows() == [("a", 1, 0, 1), ("z", 2, 1, 1)]
    assert "furthest_stage" not in journeys.table.columns
    with pytest.raises(RulesError, match=r"'stage'(?s:.*)Hint"):
        build_journeys(read_events(frame_with_stage(), timestamp="t", time_unit="s", touchpoint="what",
                                   attributes=["stage"], stages=StageMap.of({"see": ["x"]})))  # fmt: skip


def frame_with_stage() -> pl.DataFrame:
    return pl.DataFrame({"user": ["a"], "t": [0], "what": ["x"], "stage": ["z"]})


def test_more_places_than_can_be_counted_are_refused() -> None:
    n = 9_999
    many = {f"a{i}": [f"{i}-{j}" for j in range(n)] for i in range(4)}
    rows = pl.DataFrame({"user": ["u"] * n, "t": range(n), "what": ["x"] * n, **many})
    journeys = build_journeys(read_events(rows, timestamp="t", time_unit="s", touchpoint="what", attributes=list(many)))
    with pytest.raises(QuestionError, match="combinations of labels"):
        drop_off(journeys, by=list(many))


def test_a_service_journey_comes_by_nowhere() -> None:
    rows: list[Any] = []
    for i in range(3):
        rows += [
            (f"u{i}", 0, "visit", "web", None),
            (f"u{i}", 1, "order", "web", 10.0),
            (f"u{i}", 100, "review", "phone", None),
        ]
    journeys = journeys_of(rows)
    assert journeys.table["status"].to_list() == ["converted", "service"] * 3
    for by in ("touchpoint", ["stage", "channel"]):
        assert drop_off(journeys, by=by).frame["n_reached"].to_list() == [3, 3]
