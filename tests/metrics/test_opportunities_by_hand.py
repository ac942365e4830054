"""Opportunities of logs small enough for a pencil: what blocks everybody, what costs, and what is no example to follow."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import journeymine as jm

DAY = 86_400
Steps = Sequence[tuple[str, str | None]]
Group = tuple[int, Steps, Sequence[float]]
"""How many users, their steps, and the values of those that then order, in turn; the first ones do."""
STAGES = jm.StageMap.of(
    {"look": ["browse"], "buy": ["pay", "error", "call", "order"]}, touchpoints=[{"match": "error", "kind": "error"}]
)


def journeys_of(groups: Iterable[Group], *, valued: bool = True) -> jm.Journeys:
    rows: list[tuple[str, int, str, str | None, float | None]] = []
    for nth, (n, steps, orders) in enumerate(groups):
        for i in range(n):
            start, ordered = (i % 20) * DAY, [("order", steps[-1][1])] * (i < len(orders))
            for k, (what, channel) in enumerate([*steps, *ordered]):
                rows.append((f"g{nth}u{i}", start + 60 * k, what, channel, orders[i] if what == "order" else None))
    rows += [(f"late{i}", 90 * DAY, "browse", "web", None) for i in range(3)]  # so that all others are mature
    log = pl.DataFrame(
        rows,
        schema=["user", "t", "what", "where", "worth"],
        orient="row",
        schema_overrides={"where": pl.String, "worth": pl.Float64},
    )
    events = jm.read_events(
        log, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="where", stages=STAGES,
        **({"value": "worth"} if valued else {}),
    )  # fmt: skip
    return jm.build_journeys(events, goal="order", idle="30d")


def row_of(journeys: jm.Journeys, title: str) -> dict[str, Any]:
    return jm.opportunities(journeys).tables["candidates"].row(by_predicate=pl.col("title") == title, named=True)


def priced(row: dict[str, Any], worth: float) -> bool:
    limits = ("", "_lower", "_upper")
    return [row[f"value_gained{limit}"] for limit in limits] == pytest.approx(
        [row[f"conversions_gained{limit}"] * worth for limit in limits]
    )


def turns(n: int, *values: float) -> list[float]:
    return list(itertools.islice(itertools.cycle(values), n))


PAID: Group = (300, [("browse", "web"), ("pay", "web")], turns(150, 40.0, 80.0))
"""300 pay, and 150 of them order, for 60 in the mean."""


def stumbling(orders: Sequence[float] = (), *, valued: bool = True) -> jm.Journeys:
    return journeys_of([PAID, (100, [("browse", "web"), ("pay", "web"), ("error", "web")], orders)], valued=valued)


def test_a_friction_after_which_nobody_converts_is_first_with_values_and_without() -> None:
    row = row_of(stumbling(), "Mend error at error on web")
    assert (row["rank"], row["n"], row["share"], row["comparable_share"]) == (1, 100, 0, 0.5)
    assert row["conversions_gained"] == pytest.approx(100 * 0.5)
    assert row["value_gained"] == pytest.approx(50 * 60)
    assert priced(row, 60)
    bare = row_of(stumbling(valued=False), "Mend error at error on web")
    assert (bare["rank"], bare["value_gained"]) == (1, None)
    assert bare["conversions_gained_lower"] == row["conversions_gained_lower"]


def test_after_a_friction_with_one_conversion_they_are_worth_what_that_one_is() -> None:
    row = row_of(stumbling([500.0]), "Mend error at error on web")
    assert row["rank"] == 1
    assert row["conversions_gained"] == pytest.approx(100 * (0.5 - 0.01))
    assert row["value_gained"] == pytest.approx(49 * 500)


def crossing(
    *, app_goes_on: int = 0, web_orders: int = 45, web_goes_on: int = 60, stays: int = 0, valued: bool = True
) -> jm.Journeys:
    """100 call from the app, and 100 from the web; of the latter 60 go on, and 45 of these order."""
    calls = {channel: [("pay", channel), ("call", "phone")] for channel in ("app", "web")}
    return journeys_of(
        [
            (300, [("pay", "web")], turns(150, 40.0, 80.0)),
            (100 - app_goes_on, calls["app"], []),
            (app_goes_on, [*calls["app"], ("pay", "app")], []),
            (100 - web_goes_on, calls["web"], []),
            (web_goes_on, [*calls["web"], ("pay", "web")], turns(web_orders, 60.0)),
            (stays, [("pay", "phone"), ("call", "phone"), ("call", "phone"), ("pay", "web")], turns(stays // 2, 60.0)),
        ],
        valued=valued,
    )


HANDOFF = "Mend the handoff from app to phone"


@pytest.mark.parametrize("valued", [True, False])
def test_a_handoff_at_which_all_are_lost_converts_as_those_who_cross_from_elsewhere_and_go_on(valued: bool) -> None:
    row = row_of(crossing(valued=valued), HANDOFF)
    # 1 of 1 are lost on arrival, against 40 of 100 of the others; of those of them who go on, 45 of 60 convert.
    assert row["conversions_gained"] == pytest.approx(100 * (1 - 0.4) * 45 / 60)
    assert row["evidence"].startswith("100% of 100 arrivals are lost at once: +60.0 points against the 40.0%")
    assert row["rank"] is not None
    assert priced(row, 60) if valued else row["value_gained"] is None


def test_so_does_a_handoff_after_which_some_go_on_and_none_convert() -> None:
    row = row_of(crossing(app_goes_on=10), HANDOFF)
    assert row["conversions_gained"] == pytest.approx(100 * (0.9 - 0.4) * 45 / 60)
    assert row["rank"] is not None


def test_where_some_convert_their_own_conversion_counts() -> None:
    row = row_of(crossing(), "Mend the handoff from web to phone")
    assert row["conversions_gained"] == pytest.approx(100 * (0.4 - 1) * (45 / 100) / (1 - 40 / 100))


def test_a_handoff_gains_nothing_where_the_others_go_on_and_do_not_convert_either() -> None:
    row = row_of(crossing(web_orders=0), HANDOFF)
    assert (row["conversions_gained"], row["rank"]) == (0, None)


def test_those_who_stay_there_are_others_who_arrive() -> None:
    """40 are on the phone from the start and stay there for two further steps: arrivals, but no crossings."""
    row = row_of(crossing(web_goes_on=0, stays=40), HANDOFF)
    # Of 100 who call from the web all are lost, of 80 steps on the phone none; after 40 of these the journey converts.
    assert row["conversions_gained"] == pytest.approx(100 * (1 - 100 / 180) * 40 / 80)
    assert row["comparable_share"] == pytest.approx(40 / 180)


def test_a_place_where_nobody_converts_is_claimed_at_what_conversions_are_worth() -> None:
    journeys = journeys_of([PAID, (100, [("pay", "app")], [])])
    place = jm.drop_off(journeys).frame.row(by_predicate=pl.col("channel") == "app", named=True)
    assert (place["value_at_stake"], place["conversions_at_stake"]) == (None, pytest.approx(50))
    assert place["stake_reason"].startswith("nobody who came by converted")
    row = row_of(journeys, "Keep journeys in buy on app")
    assert (row["rank"], row["share"], row["comparable"]) == (1, 0, "web")
    assert row["conversions_gained"] == pytest.approx(100 * 0.5)
    assert priced(row, 60)


def test_nothing_is_at_stake_where_nobody_is_lost() -> None:
    """Thirty went on from the kiosk to the web and were lost there."""
    journeys = journeys_of([PAID, (30, [("pay", "kiosk"), ("pay", "web")], [])])
    row = jm.drop_off(journeys).frame.row(by_predicate=pl.col("channel") == "kiosk", named=True)
    assert (row["lost_here"], row["converted_later"], row["comparable"]) == (0, 0, "web")
    assert (row["conversions_at_stake"], row["value_at_stake"], row["stake_reason"]) == (0, 0, None)


def two_channels(web: float, app: float, *, valued: bool = True) -> jm.Journeys:
    """Half of 300 order on the web, and 30 of 200 in the app, after an error, for so much each."""
    return journeys_of(
        [(300, [("pay", "web")], turns(150, web)), (200, [("pay", "app"), ("error", "app")], turns(30, app))],
        valued=valued,
    )


def test_where_conversions_cost_the_list_goes_by_conversions_and_limits_are_in_order() -> None:
    costly, bare = (jm.opportunities(two_channels(-50, -50, valued=valued)) for valued in (True, False))
    told = ("rank", "title", "conversions_gained", "conversions_gained_lower", "p_adjusted")
    assert costly.frame.height == 2
    assert costly.frame.select(told).equals(bare.frame.select(told))
    assert "so the list goes by conversions" in costly.notes[-1]
    assert len(bare.notes) == 1
    place = costly.frame.row(by_predicate=pl.col("kind") == "drop_off", named=True)
    assert place["conversions_gained"] == pytest.approx(170 * (0.5 - 0.15))
    assert place["value_gained"] == pytest.approx(-50 * 170 * 0.35)
    assert place["value_gained_lower"] == pytest.approx(-50 * place["conversions_gained_upper"])
    assert place["value_gained_upper"] == pytest.approx(-50 * place["conversions_gained_lower"])
    for row in costly.tables["candidates"].drop_nulls("value_gained_lower").iter_rows(named=True):
        assert row["value_gained_lower"] <= row["value_gained"] <= row["value_gained_upper"]


def test_what_converts_at_a_loss_is_not_claimed_in_a_log_that_earns() -> None:
    found = jm.opportunities(two_channels(100, -1))
    assert found.frame.is_empty()
    assert found.tables["candidates"].filter(p_adjusted=pl.col("p_adjusted").min())["value_gained_upper"].max() < 0


def test_what_converts_for_nothing_is_claimed_behind_what_earns() -> None:
    journeys = journeys_of([
        (300, [("pay", "web")], turns(150, 100.0)),
        (400, [("pay", "app"), ("error", "app")], turns(30, 0.0)),
        (100, [("pay", "kiosk"), ("error", "kiosk")], turns(10, 1.0)),
    ])  # fmt: skip
    frame = jm.opportunities(journeys).frame
    kiosk, app = (frame.filter(kind="drop_off", channel=channel).row(0, named=True) for channel in ("kiosk", "app"))
    assert kiosk["rank"] < app["rank"]
    assert kiosk["conversions_gained"] < app["conversions_gained"]
    assert kiosk["value_gained"] == pytest.approx(90 * (0.5 - 0.1) * 1)
    free = frame.filter(channel="app")
    assert free["value_gained"].to_list() == [0, 0]
    assert free["conversions_gained_lower"].is_sorted(descending=True)


def test_a_place_whose_channel_is_unknown_is_no_example_to_follow() -> None:
    journeys = journeys_of([
        (200, [("pay", None)], turns(180, 60.0)), (200, [("pay", "web")], turns(100, 60.0)),
        (200, [("pay", "app")], turns(40, 60.0)),
    ])  # fmt: skip
    frame = jm.drop_off(journeys).frame
    assert dict(frame.filter(stage="buy").select("channel", "comparable").iter_rows()) == {
        "(unknown)": "web", "web": "app", "app": "web",
    }  # fmt: skip
    assert dict(frame.filter(stage="buy").select("channel", "n_comparable").iter_rows()) == {
        "(unknown)": 2, "web": 1, "app": 1,
    }  # fmt: skip
    row = row_of(journeys, "Keep journeys in buy on app")
    assert (row["comparable"], row["conversions_gained"]) == ("web", pytest.approx(160 * 0.3))
    assert jm.opportunities(journeys).frame["title"].to_list() == ["Keep journeys in buy on app"]


@pytest.mark.parametrize("seed", range(6))
def test_where_every_conversion_is_worth_the_same_values_change_nothing(seed: int) -> None:
    """Logs of random groups, some of which never convert: the same claims in the same order, at 50 a conversion."""
    draw = random.Random(seed)
    groups: list[Group] = []
    for channel in ("web", "app", "kiosk"):
        for middle in ([], [("error", channel)], [("call", "phone")], [("call", "phone"), ("pay", channel)]):
            n = draw.randint(20, 120)
            groups.append((n, [("pay", channel), *middle], turns(int(n * draw.choice([0, 0, 0.1, 0.5])), 50.0)))
    valued, bare = (jm.opportunities(journeys_of(groups, valued=valued)) for valued in (True, False))
    told = [
        "rank",
        "part_of",
        "kind",
        "title",
        "n",
        "share",
        "conversions_gained",
        "conversions_gained_lower",
        "p_adjusted",
    ]
    assert_frame_equal(valued.frame.select(told), bare.frame.select(told))
    assert valued.frame.height > 0
    for row in valued.frame.iter_rows(named=True):
        assert priced(row, 50)
