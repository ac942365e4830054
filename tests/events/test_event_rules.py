from __future__ import annotations

import polars as pl
import pytest

from journeymine.errors import SchemaError
from journeymine.events import EventRules, read_events


def aside(rows: list[tuple[str, int, str]], *pairs: tuple[str, str]) -> list[tuple[int, str]]:
    frame = pl.DataFrame(rows, schema=["user", "timestamp", "touchpoint"], orient="row")
    events = read_events(frame, time_unit="s", event_rules={"never_before": pairs}, max_quarantine_share=1)
    return events.quarantine.select("row", "reason").rows()


def test_only_what_is_earlier_than_the_first_is_set_aside() -> None:
    rows = [
        ("a", 5, "won"),
        ("a", 6, "seen"),
        ("a", 7, "won"),
        ("a", 9, "seen"),
        ("b", 6, "won"),
        ("b", 6, "seen"),
        ("c", 1, "won"),
        ("d", 8, "seen"),
    ]
    assert aside(rows, ("won", "seen")) == [(0, "rule broken: won before seen")]


def test_rules_do_not_build_on_each_other_and_the_first_names_the_reason() -> None:
    rows = [("a", 1, "x"), ("a", 2, "y"), ("a", 3, "z")]
    assert aside(rows, ("x", "y"), ("y", "z"), ("x", "z")) == [
        (0, "rule broken: x before y"),
        (1, "rule broken: y before z"),
    ]


def test_rules_about_what_does_not_occur_break_nothing() -> None:
    assert aside([("a", 1, "x")], ("x", "gone"), ("gone", "x")) == []


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(SchemaError, match="are too many"):
        EventRules(never_before=[("x", str(i)) for i in range(300)])
