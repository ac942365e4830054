"""Two periods in which nothing changed, of journeys so long that many of the later ones are still open."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import QuestionError
from journeymine.metrics import before_after, compare, decompose

DAY = 86_400
MONTHS = "1970-05-01"
STAGES = {"think": ["look"], "weigh": ["ask"], "buy": ["order"]}


def journeys_of(rows: list[tuple[str, float, str]], *, idle: str, days: int) -> jm.Journeys:
    frame = pl.DataFrame(rows, schema=["user", "day", "what"], orient="row")
    frame = frame.filter(pl.col("day") <= days).select("user", "what", t=(pl.col("day") * DAY).cast(pl.Int64))
    events = jm.read_events(frame, user="user", timestamp="t", time_unit="s", touchpoint="what", stages=STAGES)
    return jm.build_journeys(events, goal="order", idle=idle, observed_until=days * DAY * 1_000_000)


@cache
def long_journeys(seed: int) -> jm.Journeys:
    """Each customer comes once in 240 days, looks and asks every eight days or so, and by chance orders or stays away."""
    toss = np.random.default_rng(seed)
    rows = []
    for user in range(1_200):
        at, what = toss.random() * 240, "look"
        for _ in range(25):
            rows.append((f"u{user}", at, what))
            at, next_ = at + min(toss.exponential(8.0), 19.0), toss.random()
            if what == "order" or next_ < 0.2:
                break
            what = "ask" if next_ < 0.7 else "order" if next_ > 0.9 and what == "ask" else what
    return journeys_of(rows, idle="20d", days=240)


@pytest.mark.parametrize(
    "measure",
    [jm.Markov(), jm.Waiting(start="look", until="order"), jm.Transitions(grain="stage"), jm.Dwell(), jm.DropOff(by="touchpoint")],
    ids=lambda measure: str(measure.name),
)  # fmt: skip
def test_what_journeys_still_open_have_yet_to_do_is_no_change(measure: Any) -> None:
    found = [before_after(long_journeys(seed), MONTHS, measure) for seed in range(12)]
    claimed = Counter(
        row["estimate"]
        for each in found
        for row in each.tables["global"].rows(named=True)
        if row["p_value"] is not None and row["p_value"] <= 0.01
    )
    assert claimed.total() <= 2, claimed
    assert all(any("are still open" in note for note in each.notes) for each in found)


def by_hand(n_open: int) -> jm.Journeys:
    """200 customers in January who are gone, and 200 in May of whom some ask again and again."""
    rows = [(f"a{i}", 5.0 + i / 20, what) for i in range(200) for what in ("look", "ask")]
    for i in range(200):
        asks = 8 if i < n_open else 1
        rows += [(f"b{i}", 120.0 + 9.0 * k + i / 100, "look" if k == 0 else "ask") for k in range(asks)]
    rows += [(f"{side}{i}", day, "order") for side, day in (("a", 15.5), ("b", 122.5)) for i in range(190, 200)]
    return journeys_of(rows, idle="10d", days=190)


def test_loss_is_compared_until_more_of_one_period_are_still_open() -> None:
    few, many = by_hand(3), by_hand(4)  # s / 3 is 0.0167: 3 of 200 are below, 4 of 200 above
    measure = jm.DropOff(by="stage")
    assert "lost_share" in before_after(few, MONTHS, measure).frame["estimate"]
    found = before_after(many, MONTHS, measure)
    assert {"went_on_share", "converted_share"} <= set(found.frame["estimate"])
    assert "lost_share" not in found.frame["estimate"]
    assert any("lost_share go by the time watched" in note for note in found.notes)
    assert any("4 of 200 (2.0%) in after and 0 of 200 (0.0%) in before are still open" in note for note in found.notes)
    with pytest.raises(QuestionError, match=r"lost_share goes by the time watched(?s:.*)Hint(?s:.*)earlier periods"):
        before_after(many, MONTHS, measure, columns="lost_share")
    with pytest.raises(QuestionError, match=r"position goes by the time watched(?s:.*)Hint"):
        before_after(many, MONTHS, jm.TypicalOrder())


def test_who_is_followed_for_the_same_time_is_compared_in_everything() -> None:
    for measure in (jm.Conversion(horizon="20d"), jm.TimeToConvert(), jm.Funnel(steps=["look", "order"], within="9d")):
        assert not any("still open" in note for note in before_after(by_hand(20), MONTHS, measure).notes)
    assert any("still open" in note for note in before_after(by_hand(20), MONTHS, jm.Conversion()).notes)


def test_groups_of_one_time_are_compared_in_loss_whatever_is_open() -> None:
    many = by_hand(150)
    even = pl.col("user").str.slice(1).cast(pl.Int64) % 2 == 0
    found = compare(many.where(even), many.where(~even), jm.DropOff(by="stage"))
    assert {"lost_share", "open_share"} <= set(found.frame["estimate"])
    assert not any("still open" in note for note in found.notes)
    late = compare(many.where(pl.col("user").str.starts_with("b")), many, jm.DropOff(by="stage"))  # no two periods
    assert {"lost_share", "open_share"} <= set(late.frame["estimate"])
    assert any("150 of 200 (75.0%) in a and 150 of 400 (37.5%) in b are still open" in note for note in late.notes)


def test_a_graph_of_two_periods_is_not_compared_by_what_is_still_open() -> None:
    for n_open, left_out in ((3, {"open"}), (20, {"open", "lost"})):
        journeys = by_hand(n_open)
        statuses = set(jm.transitions(journeys, grain="stage").edges["status"].drop_nulls())
        assert statuses == {"open", "lost", "converted"}
        found = before_after(journeys, MONTHS, jm.Transitions(grain="stage"))
        assert set(found.frame["status"].drop_nulls()) == statuses - left_out
        tested = found.frame["p_value"].is_not_null().sum()
        assert found.tables["global"]["n_tested"][0] == tested


def test_why_conversion_changed_says_what_is_still_open() -> None:
    journeys = by_hand(20)
    after, before = journeys.between(MONTHS, "1971-01-01"), journeys.between("1970-01-01", MONTHS)
    notes = decompose(after, before, names=("May", "January")).notes
    assert any("20 of 200 (10.0%) in May and 0 of 200 (0.0%) in January are still open" in note for note in notes)
    page = jm.compare_maps(after, before, names=("May", "January"), kind="period").spec
    assert "more journeys of one than of the other are still open" in page.comparison.note
    assert all(row.figure != "lost" for row in page.comparison.rows)


@cache
def mid_way(seed: int) -> jm.Journeys:
    """A log that begins when many are already on their way, in a world in which nothing changes."""
    toss = np.random.default_rng(seed)
    rows = []
    for user in range(1_500):
        at, stage = -80 + 240 * toss.random(), 0
        while True:
            rows.append((f"u{user}", at, ("look", "ask", "order")[stage]))
            at, next_ = at + min(toss.exponential(3.0), 9.5), toss.random()
            if stage == 2 or next_ < 0.15:
                break
            stage += next_ < 0.45
    return journeys_of([row for row in rows if row[1] >= 0], idle="10d", days=160)


def test_without_those_who_had_begun_before_the_log_there_is_no_change() -> None:
    claimed: Counter[str] = Counter()
    for seed in range(12):
        journeys, measure = mid_way(seed), jm.Transitions(grain="stage")
        for name, kept in (("all", journeys), ("begun since", journeys.where(~pl.col("left_truncated")))):
            found = before_after(kept, "1970-03-12", measure)
            frames = (found.frame, found.tables["nodes"])
            claimed[name] += any((frame["p_adjusted"] <= 0.05).any() for frame in frames)
            assert (found.frame["from"].null_count() > 0) == (name == "begun since")
            assert any("left-truncated" in note for note in found.notes) == (name == "all")
    assert claimed["begun since"] <= 2, claimed
    assert claimed["all"] > 2, claimed  # what the note warns of


def test_journeys_begun_before_the_log_are_told_and_can_be_left_out() -> None:
    journeys = mid_way(0)
    after, before = journeys.between("1970-03-12", "1971-01-01"), journeys.between("1970-01-01", "1970-03-12")
    n, of = before.where(pl.col("left_truncated") & pl.col("mature")), before.where(pl.col("mature"))
    told = f"and {len(n)} of {len(of)} ({len(n) / len(of):.1%}) in b are left-truncated"
    for result in (compare(after, before, jm.Conversion()), decompose(after, before, by="touchpoint")):
        assert any(told in note for note in result.notes)
    assert "may have begun before the log" in jm.compare_maps(after, before).spec.comparison.note
    whole = before.where(~pl.col("left_truncated"))
    assert "begun before" not in jm.compare_maps(after, whole).spec.comparison.note
    assert not any("left-truncated" in note for note in compare(after, whole, jm.Conversion()).notes)
    edges = compare(after, whole, jm.Transitions(grain="stage")).frame
    starts = edges.filter(pl.col("from").is_null())
    assert starts["to"].to_list() == ["think", "weigh", "buy"][: starts.height]
    assert (starts["p_adjusted"] > 0.05).all()
