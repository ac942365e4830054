# ruff: noqa: DTZ001  local times without a zone are what is tested
from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import SchemaError
from journeymine.events import Events, read_events
from journeymine.events.iso_text import read_iso

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "UTC"]


def read(values: Any, **fields: Any) -> Events:
    series = values if isinstance(values, pl.Series) else pl.Series(values)
    frame = pl.DataFrame({"user": ["u"] * len(series), "t": series, "touchpoint": ["x"] * len(series)})
    return read_events(frame, timestamp="t", max_quarantine_share=1, **fields)


def micros(events: Events) -> list[int]:
    return events.coded().timestamp.tolist()


def reasons(events: Events) -> list[tuple[int, str]]:
    return events.quarantine.select("row", "reason").rows()


def us(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


# --- times with a zone -------------------------------------------------------------------------------------------


def test_zoned_times_keep_every_microsecond() -> None:
    local = datetime(2024, 7, 1, 12, 0, 0, 123457, tzinfo=ZoneInfo("Asia/Kolkata"))
    for unit in ("us", "ns"):
        series = pl.Series([local], dtype=pl.Datetime(unit, "Asia/Kolkata"))
        assert micros(read(series)) == [us(local)]
    assert micros(read(pl.Series([local], dtype=pl.Datetime("ms", "Asia/Kolkata")))) == [us(local) // 1000 * 1000]


def test_digits_below_the_microsecond_are_cut_off_towards_the_past() -> None:
    series = pl.Series([1_999, -1, -1_000, -1_001], dtype=pl.Int64)
    assert micros(read(series.cast(pl.Datetime("ns", "UTC")))) == [1, -1, -1, -2]
    assert micros(read(series, time_unit="ns")) == [1, -1, -1, -2]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_count_their_unit(unit: str) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds = [0, 1_700_000_000, -1_000_000_000]
    whole = [second * per_second for second in seconds]
    expected = [second * 10**6 for second in seconds]
    for values in (whole, [str(value) for value in whole], pl.Series([float(value) for value in whole])):
        assert micros(read(values, time_unit=unit)) == expected
    huge = pl.Series([2**63 - 1, -(2**63), 0])
    assert reasons(read(huge, time_unit=unit)) == [
        (row, "timestamp out of range") for row in ((0,) if unit == "ns" else (0, 1))
    ] + ([(1, "timestamp out of range")] if unit == "ns" else [])


def test_fractions_of_numbers_are_kept_to_the_microsecond() -> None:
    assert micros(read(pl.Series([1_700_000_000.123457]), time_unit="s")) == [1_700_000_000_123_457]
    assert micros(read(["1700000000.123457", " 1.5 "], time_unit="s")) == [1_700_000_000_123_457, 1_500_000]
    odd = read(["x", "nan", "", None, "1e400", "inf", "7"], time_unit="s")
    assert reasons(odd) == [
        (0, "timestamp unparsable"),
        (1, "timestamp unparsable"),
        (2, "timestamp missing"),
        (3, "timestamp missing"),
        (4, "timestamp unparsable"),
        (5, "timestamp unparsable"),
    ]
    assert reasons(read(pl.Series([float("nan"), None, float("inf")]), time_unit="s")) == [
        (0, "timestamp missing"),
        (1, "timestamp missing"),
        (2, "timestamp out of range"),
    ]


def test_times_outside_three_centuries_are_set_aside() -> None:
    kept = [datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    stray = [
        datetime(1899, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2200, 1, 1, tzinfo=UTC),
        datetime(2262, 4, 11, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    events = read(pl.Series(kept + stray, dtype=pl.Datetime("us", "UTC")))
    assert micros(events) == [us(instant) for instant in kept]
    assert events.report.quarantined_by_reason == {"timestamp out of range": 5}
    text = [instant.isoformat() for instant in kept + stray]
    assert micros(read(text)) == [us(instant) for instant in kept]
    assert read(text).report.quarantined_by_reason == {"timestamp out of range": 5}
    local = pl.Series([instant.replace(tzinfo=None) for instant in kept + stray])
    assert read(local, timezone="UTC").report.quarantined_by_reason == {"timestamp out of range": 5}
    assert read(
        local,
        timezone="Europe/Berlin",
    ).report.quarantined_by_reason == {"timestamp out of range": 5}


# --- text --------------------------------------------------------------------------------------------------------

instant = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda t: t.replace(fold=0))


@given(st.lists(st.tuples(instant, st.integers(-14 * 60, 14 * 60), st.integers(0, 5)), min_size=1, max_size=8))
def test_iso_text_with_any_offsets_equals_python(given_times: list[tuple[datetime, int, int]]) -> None:
    texts, expected = [], []
    for naive, minutes, style in given_times:
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        offset = [
            f"{sign}{size // 60:02}:{size % 60:02}",
            f"{sign}{size // 60:02}{size % 60:02}",
            "Z",
            " UTC",
            "z",
            f" {sign}{size // 60:02}:{size % 60:02}",
        ][style]
        zone = UTC if style in (2, 3, 4) else None
        texts.append(naive.isoformat(sep="T" if style % 2 else " ") + offset)
        shift = timedelta(0) if zone else timedelta(minutes=minutes)
        expected.append(us(naive.replace(tzinfo=UTC) - shift))
    events = read(texts)
    assert events.report.accepted == len(texts), events.quarantine
    assert micros(events) == expected


def test_iso_text_may_be_short() -> None:
    texts = [
        "2024-02-29T10:30Z",
        "2024-02-29 10:30+01",
        "2024-02-29T10:30:05,5Z",
        " 2024-02-29T10:30:05.123456789Z ",
        "2024-2-29T10:30Z",
    ]
    day = us(datetime(2024, 2, 29, tzinfo=UTC))
    minute = 60_000_000
    assert micros(read(texts)) == [
        day + 630 * minute,
        day + 570 * minute,
        day + 630 * minute + 5_500_000,
        day + 630 * minute + 5_123_456,
        day + 630 * minute,
    ]


def test_what_is_not_a_time_is_set_aside() -> None:
    texts = [
        "2024-01-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T25:00:00Z",
        "soon",
        "12024-01-01T00:00:00Z",
        "2024-01-01T00:00:00+01:00x",
        "2024-01-01Z",
        "😀",
        "-",
        "01/02/2024",
        "2024-01-01T00:00:00+99:00",
    ]
    events = read(texts)
    assert micros(events) == [us(datetime(2024, 1, 1, tzinfo=UTC))]
    assert events.report.quarantined_by_reason == {"timestamp unparsable": len(texts) - 1}


def test_a_few_local_times_among_offsets_are_set_aside_later_and_refused_at_the_head() -> None:
    many = ["2024-01-01T00:00:00Z"] * 1_000 + ["2024-01-01T00:00:00"]
    assert read(many).report.quarantined_by_reason == {"timestamp without zone": 1}
    with pytest.raises(SchemaError, match=r"local times such as '2024-01-01T00:00:00'.*no zone(.|\n)*timezone="):
        read(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"])
    both = read(["2024-07-01T00:00:00Z", "2024-07-01T00:00:00"], timezone="Europe/Berlin")
    assert micros(both) == [us(datetime(2024, 7, 1, tzinfo=UTC)), us(datetime(2024, 6, 30, 22, tzinfo=UTC))]


@pytest.mark.parametrize("value", ["01/02/2024", "01-02-2024 10:00", "1.2.24", "01-02-03"])
def test_day_and_month_are_never_guessed(value: str) -> None:
    with pytest.raises(SchemaError, match=r"day and month are never guessed: time_format="):
        read([value, value], timezone="UTC")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("1700000000", "time_unit="),
        ("0024-01-01T00:00:00Z", "time_format="),
        ("20240131", r"time_format='%Y%m%d'"),
        ("Jan 5, 2024", "time_format="),
    ],
)
def test_the_hint_fits_the_text(value: str, hint: str) -> None:
    with pytest.raises(SchemaError, match=hint):
        read([value], timezone="UTC")


def test_formats_say_how_to_read() -> None:
    day = us(datetime(2018, 2, 26, tzinfo=UTC))
    assert micros(read(["26-02-2018 19:58"], time_format="%d-%m-%Y %H:%M", timezone="UTC")) == [day + 71_880_000_000]
    assert micros(read(["02/26/18"], time_format="%m/%d/%y", timezone="UTC")) == [day]
    assert micros(read(["20180226"], time_format="%Y%m%d", timezone="UTC")) == [day]
    assert micros(read(["26.02.2018 01:00 +0200"], time_format="%d.%m.%Y %H:%M %z")) == [day - 3_600_000_000]
    assert micros(read(["26.02.2018 07:15:01.25 PM"], time_format="%d.%m.%Y %I:%M:%S.%f %p", timezone="UTC")) == [
        day + 69_301_250_000
    ]
    wrong = read(["26-02-2018", "31-02-2018", "2018-02-26", ""], time_format="%d-%m-%Y", timezone="UTC")
    assert reasons(wrong) == [(1, "timestamp unparsable"), (2, "timestamp unparsable"), (3, "timestamp missing")]


def test_digits_of_a_second_are_never_read_as_nanoseconds() -> None:
    clock = {"timezone": "UTC", "time_format": "%d.%m.%Y %H:%M:%S"}
    for end, format_, microseconds in ((".5", ".%f", 500_000), (".25", "%.f", 250_000), (",512", ",%3f", 512_000)):
        found = read(["01.02.2024 10:00:00" + end], **clock | {"time_format": clock["time_format"] + format_})
        assert micros(found) == [us(datetime(2024, 2, 1, 10, 0, 0, microseconds, tzinfo=UTC))]
    for format_ in (",%f", "%f", ":%f"):
        with pytest.raises(SchemaError, match=r"(?s)digits of a second.*Hint.*%3f"):
            read(["01.02.2024 10:00:00,5"], **clock | {"time_format": clock["time_format"] + format_})


def test_whole_decimals_keep_what_a_float_would_lose() -> None:
    ns = pl.Series(["1700000000123456999", "1700000000123456001"]).cast(pl.Decimal(19, 0))
    assert micros(read(ns, time_unit="ns")) == [1_700_000_000_123_456] * 2


def test_a_unit_that_fits_nothing_raises_at_once() -> None:
    with pytest.raises(SchemaError, match="time_unit='s' does not fit"):
        read(["1700000000000", "1700000000001"], time_unit="s")


def test_one_stray_file_is_set_aside_row_by_row() -> None:
    frames = [pl.DataFrame({"user": ["u"], "t": [t], "touchpoint": ["x"]}) for t in ("2024-01-01T00:00:00Z", "soon")]
    assert read_events(frames, timestamp="t", max_quarantine_share=1).report.quarantined_by_reason == {
        "timestamp unparsable": 1
    }


@given(
    st.lists(
        st.sampled_from(
            [
                "2024-01-01T00:00:00Z",
                "2024-01-01 00:00:00.5+01:00",
                "2024-01-01T00:00",
                "2024-01-01",
                "soon",
                "",
                None,
                "2024-01-01 00:00:00,25Z",
                "2024-01-01 00:00:00 UTC",
                "2024-02-30",
                "😀",
            ]
        ),
        min_size=1,
        max_size=9,
    )
)
def test_a_text_means_the_same_whatever_stands_around_it(texts: list[str | None]) -> None:
    def alone(text: str | None) -> dict[str, int | None]:
        return read_iso(pl.Series([text], dtype=pl.String)).to_list()[0]

    assert read_iso(pl.Series(texts, dtype=pl.String)).to_list() == [alone(text) for text in texts]


def test_a_format_that_fits_nothing_or_cannot_be_used_raises() -> None:
    with pytest.raises(SchemaError, match="none of the first 2 values"):
        read(["2018-02-26", "2018-02-27"], time_format="%d-%m-%Y", timezone="UTC")
    with pytest.raises(SchemaError, match="zone names"):
        read(["x"], time_format="%Y-%m-%d %H:%M %Z")
    with pytest.raises(SchemaError, match="no zone is declared"):
        read(["26-02-2018"], time_format="%d-%m-%Y")


# --- zones and their clocks --------------------------------------------------------------------------------------


def expected_us(local: datetime, zone: str, ambiguous: str) -> int | str:
    """By zoneinfo: what the clock of `zone` meant, or why nobody can know."""
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        return "timestamp does not exist in its zone"
    if first != second and ambiguous == "quarantine":
        return "timestamp ambiguous in its zone"
    return us(second if ambiguous == "latest" else first)


near_changes = st.one_of(
    st.datetimes(datetime(1980, 1, 1), datetime(2030, 1, 1)),
    *(
        st.datetimes(start, start + timedelta(hours=6))
        for start in (
            datetime(2024, 3, 31),
            datetime(2024, 10, 27),
            datetime(2017, 10, 14, 22),
            datetime(2018, 2, 17, 21),
            datetime(2023, 4, 2),
            datetime(2023, 10, 1),
            datetime(2023, 11, 5),
            datetime(2011, 12, 29, 22),
            datetime(2011, 12, 30, 22),
        )
    ),
)


@given(
    st.lists(near_changes, min_size=1, max_size=6),
    st.sampled_from(ZONES),
    st.sampled_from(["earliest", "latest", "quarantine"]),
)
def test_local_times_equal_zoneinfo(locals_: list[datetime], zone: str, ambiguous: str) -> None:
    expected = [expected_us(local, zone, ambiguous) for local in locals_]
    column = pl.Series(locals_, dtype=pl.Datetime("us"))
    texts = [local.isoformat(timespec="microseconds") for local in locals_]
    for values, fields in ((column, {}), (texts, {}), (texts, {"time_format": "%Y-%m-%dT%H:%M:%S.%f"})):
        events = read(values, timezone=zone, ambiguous_time=ambiguous, **fields)
        assert micros(events) == [value for value in expected if isinstance(value, int)]
        assert reasons(events) == [(row, value) for row, value in enumerate(expected) if isinstance(value, str)]


def first_instant(day: date, zone: str) -> int | None:
    """By search: the first second whose local date is `day`."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    for quarter in range(34 * 4):
        at = start + timedelta(minutes=15 * quarter)
        if at.astimezone(ZoneInfo(zone)).date() == day:
            return us(at)
    return None


@pytest.mark.parametrize("zone", ZONES)
def test_a_date_begins_with_its_first_instant(zone: str) -> None:
    days = [
        date(2017, 10, 15),
        date(2018, 2, 18),
        date(2023, 4, 2),
        date(2023, 11, 5),
        date(2024, 3, 31),
        date(2024, 3, 10),
        date(2011, 12, 29),
        date(2011, 12, 30),
        date(2011, 12, 31),
    ]
    expected = [first_instant(day, zone) for day in days]
    known = [value for value in expected if value is not None]
    skipped = [(row, "timestamp does not exist in its zone") for row, value in enumerate(expected) if value is None]
    assert len(skipped) == (zone == "Pacific/Apia")
    texts = [day.isoformat() for day in days]
    european = [day.strftime("%d.%m.%Y") for day in days]
    for values, fields in ((pl.Series(days), {}), (texts, {}), (european, {"time_format": "%d.%m.%Y"})):
        for ambiguous in ("earliest", "latest", "quarantine"):
            events = read(values, timezone=zone, ambiguous_time=ambiguous, **fields)
            assert (micros(events), reasons(events)) == (known, skipped)


# --- what must be declared ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fields", "message"),
    [
        (pl.Series([1]), {}, "numbers and no unit"),
        (pl.Series([1.5]), {}, "numbers and no unit"),
        (pl.Series([datetime(2024, 1, 1)]), {}, "local times and no zone"),
        (pl.Series([date(2024, 1, 1)]), {}, "local times and no zone"),
        (pl.Series([datetime(2024, 1, 1)]), {"time_unit": "ms"}, "already holds times"),
        (pl.Series([True]), {}, "does not hold times"),
        (pl.Series([[1]]), {}, "does not hold times"),
    ],
)
def test_nothing_is_guessed(values: pl.Series, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read(values, **fields)


def test_a_column_of_nulls_is_all_missing() -> None:
    assert read(pl.Series([None, None])).report.quarantined_by_reason == {"timestamp missing": 2}
    assert read(pl.Series([None, ""], dtype=pl.String)).report.quarantined_by_reason == {"timestamp missing": 2}
