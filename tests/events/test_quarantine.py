from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuarantineLimitError, SourceError
from journeymine.events import Events, read_events
from tests.events.oracle import read_rows

RULES = [("won", "seen"), ("seen", "lost")]
FIELDS: dict[str, Any] = {
    "user": "user",
    "timestamp": "ms",
    "time_unit": "ms",
    "touchpoint": "what",
    "channel": "where",
    "value": "revenue",
    "satisfaction": "score",
    "satisfaction_scale": [1, 5],
    "event_id": "id",
    "anonymous": "cookie",
}
TYPES: dict[str, Any] = {
    "user": pl.String,
    "cookie": pl.String,
    "ms": pl.Int64,
    "what": pl.String,
    "where": pl.String,
    "revenue": pl.String,
    "score": pl.Float64,
    "id": pl.String,
}

row = st.fixed_dictionaries(
    {
        "user": st.sampled_from([None, "", "a", "b", "ä😀", "anonymous:c", '"anonymous:c', "anonymous", " "]),
        "cookie": st.sampled_from([None, "", "c", "d", "a", "anonymous:c"]),
        "ms": st.one_of(
            st.none(),
            st.integers(0, 4),
            st.sampled_from(
                [
                    9_214_646_400_000,
                    7_258_118_399_999,
                    7_258_118_400_000,
                    -2_208_988_800_000,
                    -2_208_988_800_001,
                    2**62,
                    -(2**63),
                ]
            ),
        ),
        "what": st.sampled_from([None, "", "won", "seen", "lost", "</script>", "(unmapped)x", "start"]),
        "where": st.sampled_from([None, "", "web", "unknown", "store"]),
        "revenue": st.sampled_from(
            [None, "", " ", "1", " 2.5 ", "-0.000001", "1e3", "1,5", "x", "nan", "inf", "9e12", "9.1e12"]
        ),
        "score": st.sampled_from([None, 1.0, 3.5, 5.0, 5.1, 0.0, float("nan"), float("inf")]),
        "id": st.sampled_from([None, "", "1", "2"]),
    }
)


def read(rows: list[dict[str, Any]] | pl.DataFrame, **more: Any) -> Events:
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=TYPES)
    return read_events(frame, event_rules={"never_before": RULES}, **{"max_quarantine_share": 1, **FIELDS, **more})


@given(st.lists(row, min_size=1, max_size=12))
def test_equals_a_loop_over_the_rows(rows: list[dict[str, Any]]) -> None:
    expected = read_rows(rows, RULES)
    events = read(rows)
    assert events.frame.to_dicts() == expected.accepted
    assert events.quarantine.select("row", "reason").rows() == expected.quarantine
    report = events.report
    assert report.rows_read == len(rows) == report.accepted + report.quarantined
    assert report.accepted == len(expected.accepted)
    reasons = [reason for _, reason in expected.quarantine]
    assert dict(report.quarantined_by_reason) == {reason: reasons.count(reason) for reason in set(reasons)}


def big_log(n: int = 400) -> pl.DataFrame:
    rng = random.Random(7)
    rows = [
        {
            "user": rng.choice([None, "", *"abcdefgh"]),
            "cookie": rng.choice([None, *"pqrst"]),
            "ms": rng.choice([None, 2**60, *range(50)]),
            "what": rng.choice(["", "won", "seen", "lost", "x", "y", "z"]),
            "where": rng.choice([None, "", "web", "store"]),
            "revenue": rng.choice([None, "1.25", "x", "7"]),
            "score": rng.choice([None, 1.0, 6.0]),
            "id": rng.choice([None, *map(str, range(30))]),
        }
        for _ in range(n)
    ]
    return pl.DataFrame(rows, schema=TYPES)


def test_a_larger_log_equals_a_loop_over_the_rows() -> None:
    log = big_log()
    expected = read_rows(log.to_dicts(), RULES)
    events = read(log)
    assert events.frame.to_dicts() == expected.accepted
    assert events.quarantine.select("row", "reason").rows() == expected.quarantine
    assert len({reason for _, reason in expected.quarantine}) >= 8


def by_users(events: Events, n_parts: int) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Stream the rows, hand the users out to parts, and clean each part on its own."""
    rows = pl.concat(events.scan()).collect().sort("file", "row")
    usable = rows.filter(pl.col("reason") == 0)
    dealt = {user: i % n_parts for i, user in enumerate(sorted(set(usable["user"])))}
    part = usable["user"].replace_strict(dealt, return_dtype=pl.Int64)
    cleaned = [events.clean_users(usable.filter(part == i)) for i in range(n_parts)]
    return [kept for kept, _ in cleaned], [rows.filter(pl.col("reason") > 0), *(aside for _, aside in cleaned)]


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_streaming_in_parts_gives_what_one_pass_gives(n_parts: int) -> None:
    events = read(big_log())
    kept, aside = by_users(events, n_parts)
    quarantined = pl.concat(aside).sort("file", "row")
    names = [events.reasons[code] for code in quarantined["reason"]]
    assert list(zip(quarantined["row"], names, strict=True)) == events.quarantine.select("row", "reason").rows()
    assert len(set(names)) >= 8
    whole = events.code_frame(pl.concat(kept).sort("file", "row"))
    coded = events.coded()
    assert coded.labels["channel"].labels == ("(unknown)", "store", "web")
    assert whole.user.equals(coded.user)
    assert (whole.timestamp == coded.timestamp).all()
    assert {name: label.labels for name, label in whole.labels.items()} == {
        name: label.labels for name, label in coded.labels.items()
    }
    assert all((whole.labels[name].codes == coded.labels[name].codes).all() for name in coded.labels)
    assert all((whole.numbers[name] == coded.numbers[name]).all() for name in coded.numbers)


def test_the_survey_counts_what_the_pass_counts() -> None:
    log = big_log()
    unruled = {key: value for key, value in FIELDS.items() if key not in ("event_id", "anonymous")}
    events = read_events(log, max_quarantine_share=1, **unruled)
    survey = events.survey()
    fresh = read_events(log, max_quarantine_share=1, **unruled)
    report = fresh.report
    assert survey.faults == report.quarantined_by_reason
    assert sum(survey.usable) == report.accepted
    assert (survey.touchpoints, survey.channels) == (report.touchpoints, report.channels)
    assert events.span == fresh.span
    expected = fresh.frame.group_by("touchpoint", "channel").len("n").sort("touchpoint", "channel").rows()
    assert survey.pairs.rows() == expected


def test_the_quarantine_holds_origin_and_raw_text(tmp_path: Any) -> None:
    (tmp_path / "a.csv").write_text("u,t,x\n1,2020-01-01T00:00:00Z,seen\n,2020-01-01T00:00:00Z,seen\n")
    (tmp_path / "b.csv").write_text("u,t,x\n2,yesterday,😀\n3,2020-01-01T00:00:00Z,seen\n4,2020-01-01T00:00:00Z,\n")
    events = read_events(str(tmp_path / "*.csv"), user="u", timestamp="t", touchpoint="x", max_quarantine_share=1)
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    assert events.quarantine.select("reason", "file", "row", "raw_u", "raw_t", "raw_x").rows() == [
        ("user missing", a, 1, None, "2020-01-01T00:00:00Z", "seen"),
        ("timestamp unparsable", b, 0, "2", "yesterday", "😀"),
        ("touchpoint missing", b, 2, "4", "2020-01-01T00:00:00Z", None),
    ]


def test_too_much_quarantine_raises_and_still_reports() -> None:
    rows = pl.DataFrame({"user": ["a"] * 18 + [None, None], "t": list(range(20)), "x": ["y"] * 19 + [""]})
    events = read_events(rows, timestamp="t", time_unit="s", touchpoint="x")
    with pytest.raises(
        QuarantineLimitError, match=r"2 of 20 rows \(10\.0%\).*more than 5\.0%.*user missing: 2.*<source 1>"
    ):
        events.coded()
    with pytest.raises(QuarantineLimitError, match="Hint"):
        events.check()
    assert events.report.quarantined_by_reason == {"user missing": 2}
    assert events.quarantine["row"].to_list() == [18, 19]
    assert len(read_events(rows, timestamp="t", time_unit="s", touchpoint="x", max_quarantine_share=0.1).coded()) == 18


def test_exactly_the_limit_is_allowed() -> None:
    rows = pl.DataFrame({"user": ["a"] * 19 + [None], "t": list(range(20)), "x": ["y"] * 20})
    assert len(read_events(rows, timestamp="t", time_unit="s", touchpoint="x").coded()) == 19


def test_a_log_without_rows_fails_clearly_and_one_without_usable_rows_has_no_span() -> None:
    empty = pl.DataFrame(schema={"user": pl.String, "timestamp": pl.Datetime("us", "UTC"), "touchpoint": pl.String})
    with pytest.raises(SourceError, match="no rows"):
        read_events(empty).coded()
    unusable = pl.DataFrame(
        {"user": [None], "timestamp": [1], "touchpoint": ["x"]}, schema_overrides={"user": pl.String}
    )
    events = read_events(unusable, time_unit="s", max_quarantine_share=1)
    assert len(events.coded()) == 0
    assert events.frame.height == 0
    assert events.report.n_users == 0
    with pytest.raises(SourceError, match="no row of the log is usable"):
        _ = events.span


def test_event_ids_are_compared_within_a_source_and_a_user() -> None:
    from journeymine.events import Source

    frame = pl.DataFrame({"user": ["a", "b", "a"], "timestamp": [1, 2, 3], "touchpoint": ["x"] * 3, "id": [7, 7, 7]})
    from journeymine.events import EventSchema

    schema = EventSchema(time_unit="s", event_id="id")
    events = read_events([Source(frame, schema, "one"), Source(frame, schema, "two")], max_quarantine_share=1)
    assert events.quarantine.select("source", "row", "reason").rows() == [
        ("one", 2, "duplicate event_id"),
        ("two", 2, "duplicate event_id"),
    ]
    assert [source.accepted for source in events.report.sources] == [2, 2]


def test_attributes_named_like_ours_cannot_disturb_the_row_number() -> None:
    frame = pl.DataFrame({"user": ["a", None], "timestamp": [1, 2], "touchpoint": ["x", "x"], "row_": ["p", "q"]})
    events = read_events(frame, time_unit="s", attributes=["row_"], max_quarantine_share=1)
    assert events.quarantine["row"].to_list() == [1]
    raw = frame.rename({"touchpoint": "row"})
    assert read_events(raw, time_unit="s", touchpoint="row", max_quarantine_share=1).quarantine["row"].to_list() == [1]
