"""First-contact resolution against a loop over users, and by hand."""

from __future__ import annotations

from collections import defaultdict

import polars as pl
import pytest

import journeymine as jm
from journeymine.errors import UnknownLabelError

DAY = 86_400


def test_by_hand() -> None:
    days = {"a": [0], "b": [0, 3], "c": [0, 9], "d": [0, 7], "e": [30]}
    rows = [(user, day * DAY) for user, listed in days.items() for day in listed] + [("z", 31 * DAY)]
    log = pl.DataFrame({"u": [u for u, _ in rows], "t": [t for _, t in rows], "what": ["call"] * len(rows)})
    events = jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what")
    journeys = jm.build_journeys(events, idle="5d")
    row = jm.first_contact_resolution(journeys, support="call", within="7d").frame.row(0, named=True)
    # a, c twice: alone for 7 days; b and d (at 7 days exactly) come again; e and z are not observed for 7 days.
    assert (row["n_contacts"], row["n"], row["resolved"], row["immature"]) == (7, 5, 3, 2)
    assert row["share"] == pytest.approx(0.6)


def test_the_sample_equals_a_loop_over_users() -> None:
    journeys = jm.build_journeys(jm.sample(users=800))
    until = journeys.context.observed_until
    contacts = defaultdict(list)
    for row in journeys.steps.filter(pl.col("kind").is_in(["support", "complaint"])).iter_rows(named=True):
        contacts[row["user"]].append((round(row["timestamp"].timestamp() * 1e6), row["touchpoint"]))
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for listed in contacts.values():
        listed.sort()
        for i, (time, what) in enumerate(listed):
            if i and time - listed[i - 1][0] <= 7 * DAY * 10**6:
                continue
            expected[what][0] += 1
            if time + 7 * DAY * 10**6 <= until:
                expected[what][1] += 1
                alone = i + 1 == len(listed) or listed[i + 1][0] - time > 7 * DAY * 10**6
                expected[what][2] += alone
    frame = jm.first_contact_resolution(journeys, by="touchpoint").frame
    assert {r["touchpoint"]: [r["n_contacts"], r["n"], r["resolved"]] for r in frame.iter_rows(named=True)} == expected


def test_a_log_without_kinds_says_so() -> None:
    log = pl.DataFrame({"u": ["a"], "t": [0], "what": ["call"]})
    journeys = jm.build_journeys(jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what"))
    with pytest.raises(UnknownLabelError, match="kind"):
        jm.first_contact_resolution(journeys)


def test_contacts_that_are_too_young_are_told_from_none() -> None:
    log = pl.DataFrame({"u": ["a", "b", "c"], "t": [0, DAY, 2 * DAY], "what": ["call", "call", "visit"]})
    journeys = jm.build_journeys(jm.read_events(log, user="u", timestamp="t", time_unit="s", touchpoint="what"))
    row = jm.first_contact_resolution(journeys, support="call").frame.row(0, named=True)
    assert (row["n"], row["immature"], row["share"]) == (0, 2, None)
    assert row["reason"] == "no first contact here lies 7d or more before the log ends"
    none = jm.first_contact_resolution(journeys, support={"all": ["call", {"not": "call"}]}).frame
    assert none["reason"].to_list() == ["nothing was counted here"]
    assert jm.first_contact_resolution(journeys, support="call", within="2d").frame["reason"].to_list() != [
        row["reason"]
    ]
