from __future__ import annotations

import polars as pl

from journeymine.events import EventSchema, Source, read_events
from journeymine.events.identity import learn_identity


def test_a_known_visitor_is_filled_in_before_and_after() -> None:
    frame = pl.DataFrame(
        {
            "user": [None, "ann", None, None],
            "cookie": ["k", "k", "k", "other"],
            "timestamp": [1, 2, 3, 4],
            "touchpoint": ["x"] * 4,
        }
    )
    events = read_events(frame, time_unit="s", anonymous="cookie")
    assert events.frame["user"].to_list() == ["ann", "ann", "ann", "anonymous:other"]
    identity = events.identity()
    assert identity is not None
    assert identity.users.rows() == [("k", "ann")]


def test_an_unusable_row_teaches_nothing() -> None:
    frame = pl.DataFrame({"user": ["ann", None], "cookie": ["k", "k"], "timestamp": [None, 3], "touchpoint": ["x"] * 2})
    events = read_events(frame, time_unit="s", anonymous="cookie", max_quarantine_share=1)
    assert events.frame["user"].to_list() == ["anonymous:k"]


def test_sources_learn_from_each_other() -> None:
    app = pl.DataFrame({"user": ["ann"], "device": ["d1"], "timestamp": [9], "touchpoint": ["login"]})
    web = pl.DataFrame(
        {"device": ["d1", "d2"], "none": [None, None], "timestamp": [1, 2], "touchpoint": ["view", "view"]}
    )
    shop = pl.DataFrame({"user": ["anonymous:d2"], "timestamp": [5], "touchpoint": ["order"]})
    with_device = EventSchema(time_unit="s", anonymous="device")
    events = read_events(
        [
            Source(app, with_device, "app"),
            Source(web, EventSchema(user="none", time_unit="s", anonymous="device"), "web"),
            Source(shop, EventSchema(time_unit="s"), "shop"),
        ]
    )
    expected = ["ann", "ann", "anonymous:d2", '"anonymous:d2']
    assert events.frame["user"].to_list() == expected
    assert pl.concat(events.scan()).collect().sort("file", "row")["user"].to_list() == expected


def test_without_anonymous_ids_users_stay_as_they_are() -> None:
    frame = pl.DataFrame({"user": ["anonymous:d2"], "timestamp": [5], "touchpoint": ["order"]})
    events = read_events(frame, time_unit="s")
    assert events.frame["user"].to_list() == ["anonymous:d2"]
    assert events.identity() is None


def test_ambiguous_ids_are_listed() -> None:
    seen = pl.LazyFrame({"user": ["b", "a", "a", "a"], "anonymous": ["k", "k", "l", "l"]})
    identity = learn_identity(seen)
    assert identity.ambiguous == ("k",)
    assert identity.users.rows() == [("l", "a")]
