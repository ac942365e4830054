"""What a few customers do time and again is no decision point."""

from __future__ import annotations

import polars as pl
import pytest

import journeymine as jm

DAY = 86_400


def visits(people: list[tuple[str, int, int]]) -> jm.Journeys:
    """So many customers on a channel, each with so many journeys, every third of which converts."""
    rows = [
        (f"{channel}{times} {i}", DAY * 3 * k + second, what, channel)
        for channel, n, times in people
        for i in range(n)
        for k in range(times)
        for second, what in enumerate(("look", "order") if (i + k) % 3 == 0 else ("look", "look"))
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "channel"], orient="row")
    events = jm.read_events(
        frame, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel",
        stages={"look": ["look"], "buy": ["order"]},
    )  # fmt: skip
    return jm.build_journeys(events, goal="order", idle="2d", observed_until=400 * DAY * 1_000_000)


@pytest.mark.parametrize(
    ("kiosk", "tested"),
    [([(40, 1)], True), ([(30, 2)], True), ([(2, 20)], False), ([(30, 1), (1, 40)], False)],
    ids=["forty customers", "thirty", "two", "one who comes all the time"],
)
def test_what_a_few_customers_do_time_and_again_is_not_tested(kiosk: list[tuple[int, int]], *, tested: bool) -> None:
    frame = jm.decision_points(visits([("web", 300, 2), *(("kiosk", *each) for each in kiosk)]), grain="channel").frame
    assert (frame["n"] >= 40).all()
    assert frame["difference"].count() == 2
    for row in frame.rows(named=True):  # the others of the web are those of the kiosk
        assert (row["p_value"] is not None) == tested, row
        assert (row["difference_lower"] is not None) == tested, row
        assert (row["p_adjusted"] is not None) == tested, row


def test_a_ratio_of_shares_has_no_limit_below_nought() -> None:
    rows = [
        (f"{channel}{i}", second, what, channel)
        for channel, n, won in (("web", 600, 200), ("kiosk", 40, 1))
        for i in range(n)
        for second, what in enumerate(("look", "order") if i < won else ("look", "look"))
    ]
    frame = pl.DataFrame(rows, schema=["user", "t", "what", "channel"], orient="row")
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", channel="channel")
    journeys = jm.build_journeys(events, goal="order", idle="2d", observed_until=400 * DAY * 1_000_000)
    kiosk = jm.decision_points(journeys, grain="channel").frame.row(by_predicate=pl.col("label") == "kiosk", named=True)
    assert kiosk["lift"] == pytest.approx((1 / 40) / (200 / 600))
    assert kiosk["lift_lower"] == 0
    assert kiosk["lift_upper"] < 1
