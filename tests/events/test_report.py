from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import journeymine as jm
from journeymine.events import read_events


def read(rows: list[tuple[str, int]], **more: Any) -> Any:
    frame = pl.DataFrame(
        {"user": [u for u, _ in rows], "timestamp": [t for _, t in rows], "touchpoint": [f"t{t % 3}" for _, t in rows]}
    )
    return read_events(frame, time_unit="s", **more)


@given(st.lists(st.tuples(st.sampled_from("abcü"), st.integers(0, 5)), min_size=1, max_size=20))
def test_ties_and_disorder_equal_a_loop(rows: list[tuple[str, int]]) -> None:
    by_user: dict[str, list[int]] = defaultdict(list)
    for user, at in rows:
        by_user[user].append(at)
    report = read(rows).report
    assert report.n_users == len(by_user)
    assert report.in_user_ties == sum(len(times) - len(set(times)) for times in by_user.values())
    assert report.out_of_order == sum(b < a for times in by_user.values() for a, b in pairwise(times))


def hostile() -> Any:
    frame = pl.DataFrame(
        {
            "user": ["a", "b", None],
            "timestamp": [1, 2, 3],
            "touchpoint": ["<img onerror=x>", "😀", "z"],
            "where": ["web", None, "web"],
        }
    )
    return read_events(
        frame,
        time_unit="s",
        channel="where",
        max_quarantine_share=1,
        stages={"s<b>": ["😀", "never*"]},
        event_rules={"never_before": [["😀", "gone"]]},
    )


def test_the_report_tells_what_was_noticed() -> None:
    report = hostile().report
    assert report.unmapped_touchpoints == ("<img onerror=x>",)
    assert report.unmatched_patterns == ("never*",)
    assert report.unmatched_rules == ("gone",)
    assert report.null_channels == 1
    assert report.channels == ("(unknown)", "web")
    assert report.sources[0].first == "1970-01-01T00:00:01Z"
    assert report.sources[0].last == "1970-01-01T00:00:02Z"


def test_the_report_shows_itself_as_text_html_and_json() -> None:
    report = hostile().report
    assert "quarantined" in str(report)
    assert "user missing" in str(report)
    page = hostile()._repr_html_()
    assert "<img" not in page
    assert "&lt;img onerror=x&gt;" in page
    told = json.loads(json.dumps(report.to_dict()))
    assert (told["rows_read"], told["accepted"], told["quarantined"]) == (3, 2, 1)
    assert told["sources"][0]["rows_read"] == 3


def test_events_say_what_they_are_before_and_after_reading() -> None:
    events = hostile()
    assert repr(events) == "<Events: source 1 (1 file, not read yet)>"
    events.coded()
    assert repr(events) == "<Events: source 1 (1 file, 2 events)>"


def test_a_bare_log_has_no_channels_stages_or_numbers() -> None:
    events = read([("a", 1)])
    report = events.report
    assert (report.channels, report.unmapped_touchpoints, report.null_channels) == ((), (), 0)
    assert report.sources[0].null_channels is None
    assert events.survey().channels == ()
    assert events.frame.columns == ["user", "timestamp", "touchpoint"]
    assert "none declared" in str(report)


def test_anonymous_ids_are_counted() -> None:
    frame = pl.DataFrame(
        {
            "user": ["a", None, "a", "b", None, None],
            "cookie": ["k", "k", "l", "l", "l", "m"],
            "timestamp": range(6),
            "touchpoint": ["x"] * 6,
        }
    )
    report = read_events(frame, time_unit="s", anonymous="cookie").report
    assert (report.anonymous_ids_filled, report.anonymous_ids_ambiguous) == (1, 1)
    assert (report.n_users, report.n_anonymous_users) == (4, 2)
    assert "users known by anonymous id only" in str(report)


def test_a_report_reads_the_same_at_a_prompt_as_printed() -> None:
    report = jm.sample(users=200).report
    assert repr(report) == str(report)
    assert repr(report).startswith("rows read ")
