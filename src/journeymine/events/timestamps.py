"""Timestamps of every kind as int64 microseconds UTC, with the reasons why one could not be read.

Nothing is guessed: a number needs its unit, a naive time its zone, text other than ISO 8601 its format. Nothing at or
above a microsecond is cut off; digits below it are. Clocks that go back make a local time ambiguous: `ambiguous_time`
decides. Clocks that go forward skip local times: a row bearing one goes to quarantine. A bare date begins with its
first instant, also where clocks skip or repeat midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from journeymine.errors import SchemaError
from journeymine.events.faults import Fault
from journeymine.events.iso_text import ISO_TIMES, read_iso
from journeymine.events.schema import EventSchema

__all__ = ["EARLIEST_US", "LATEST_US", "Instants", "check_sample", "instants"]

EARLIEST_US = -2_208_988_800_000_000
"""1900-01-01 UTC in µs; earlier times are out of range."""

LATEST_US = 7_258_118_400_000_000
"""2200-01-01 UTC in µs; this and later times are out of range."""

_PER_US = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}
_DAY_US = 86_400_000_000
_UTC = frozenset({"UTC", "Etc/UTC", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal", "Etc/Universal"})
_HOUR = re.compile(r"%[-_0]?[HkIlTRXcsr+]")
_OFFSET = re.compile(r"%[:#]*z|%\+")
_READ = "__read"


@dataclass(frozen=True, slots=True)
class Instants:
    """How to read timestamps.

    Attributes
    ----------
    us : µs UTC; null or meaningless where a fault applies.
    faults : what can be wrong.
    prepared : columns that `us` and `faults` refer to, to be added before.
    """

    us: pl.Expr
    faults: list[Fault]
    prepared: dict[str, pl.Expr] = field(default_factory=dict)


def instants(schema: EventSchema, dtype: pl.DataType, where: str) -> Instants:
    """How to read the timestamp column of `schema`, which has `dtype` in the file named by `where`.

    Raises
    ------
    SchemaError : the type does not hold times, or its unit, zone or format is not declared.
    """
    column = pl.col(schema.timestamp)
    named = f"timestamp column {schema.timestamp!r} ({dtype}) of {where}"
    if dtype == pl.Null:
        return _of_number(column.cast(pl.Int64), "us")
    if isinstance(dtype, pl.Datetime | pl.Date) and schema.time_unit:
        raise SchemaError(
            f"{named} already holds times, so time_unit={schema.time_unit!r} cannot apply", hint="leave time_unit out"
        )
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return _of_number(column.to_physical(), dtype.time_unit)
    if isinstance(dtype, pl.Datetime):
        return _of_local(_scaled(column.to_physical(), dtype.time_unit), schema, column.is_null(), named)
    if dtype == pl.Date:
        midnight = column.to_physical().cast(pl.Int64) * _DAY_US
        return _of_local(midnight, schema, column.is_null(), named, dates=True)
    if dtype.is_integer() or (isinstance(dtype, pl.Decimal) and not dtype.scale):
        whole = column.cast(pl.Int64, strict=False)
        return _checked(_scaled(whole, _unit(schema, named)), column.is_not_null())
    if dtype.is_float() or dtype.is_decimal():
        number = column.cast(pl.Float64)
        return _checked(_rounded(number, _unit(schema, named)), number.is_not_null() & number.is_not_nan())
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return _of_text(column.cast(pl.String), schema, named)
    raise SchemaError(f"{named} does not hold times", hint="a date-time, a number with time_unit, or text")


def check_sample(schema: EventSchema, sample: pl.DataFrame, where: str) -> bool:
    """Raise when the first timestamps, as text, show that the schema does not say how to read them.

    Returns whether there was any timestamp.
    """
    text = sample.get_column(schema.timestamp).str.strip_chars()
    text = text.filter(text.str.len_bytes() > 0)
    if not len(text):
        return False
    read = instants(schema, pl.String(), where)
    flags = (
        text.to_frame(schema.timestamp)
        .with_columns(**read.prepared)
        .select(**{fault.reason: fault.rows for fault in read.faults if fault.reason in _UNREADABLE})
    )
    unreadable = flags["timestamp unparsable"] | flags["timestamp out of range"]
    named = f"timestamp column {schema.timestamp!r} of {where}"
    if "timestamp without zone" in flags.columns and flags["timestamp without zone"].any():
        bare = text.filter(flags["timestamp without zone"])[0]
        raise SchemaError(
            f"{named} holds local times such as {bare!r} and no zone is declared",
            hint="timezone='UTC', or the zone the clock was in, such as 'Europe/Berlin'",
        )
    if unreadable.all():
        raise SchemaError(
            f"{named}: none of the first {len(text)} values can be read, such as {text[0]!r}",
            hint=_format_hint(text[0], schema),
        )
    return True


_UNREADABLE = ("timestamp unparsable", "timestamp without zone", "timestamp out of range")


def _format_hint(value: str, schema: EventSchema) -> str:
    if schema.time_unit or schema.time_format:
        declared = f"time_unit={schema.time_unit!r}" if schema.time_unit else f"time_format={schema.time_format!r}"
        return f"{declared} does not fit; give one that does"
    if re.fullmatch(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}.*", value):
        mark = re.sub(r"[0-9]", "", value)[0]
        return (
            f"day and month are never guessed: time_format='%d{mark}%m{mark}%Y…' or '%m{mark}%d{mark}%Y…', "
            "with timezone=…"
        )
    if re.fullmatch(r"[0-9]{8}", value):
        return "time_format='%Y%m%d' with timezone=…"
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return "time_unit='s', 'ms', 'us' or 'ns' says what the numbers count"
    return "time_format='…' (strftime pattern), with timezone=… when it holds no offset"


def _unit(schema: EventSchema, named: str) -> str:
    if schema.time_unit is None:
        raise SchemaError(
            f"{named} holds numbers and no unit is declared",
            hint="time_unit='s', 'ms', 'us' or 'ns' since 1970-01-01 UTC",
        )
    return schema.time_unit


def _rounded(number: pl.Expr, unit: str) -> pl.Expr:
    """Float counts of `unit` as the nearest µs, which is all that a float of today's dates holds."""
    micro = number * _PER_US[unit] if unit != "ns" else (number / 1_000).floor()
    return pl.when(micro.is_between(EARLIEST_US * 2, LATEST_US * 2)).then(micro).round().cast(pl.Int64, strict=False)


def _scaled(raw: pl.Expr, unit: str) -> pl.Expr:
    """`raw` counts of `unit` as µs; null where that would not fit."""
    if unit == "us":
        return raw
    if unit == "ns":
        return raw // 1_000
    factor = _PER_US[unit]
    return pl.when(raw.is_between(EARLIEST_US * 2 // factor, LATEST_US * 2 // factor)).then(raw * factor)


def _of_number(raw: pl.Expr, unit: str) -> Instants:
    return _checked(_scaled(raw, unit), raw.is_not_null())


def _checked(us: pl.Expr, present: pl.Expr) -> Instants:
    inside = us.is_between(EARLIEST_US, LATEST_US, closed="left")
    return Instants(
        us,
        [
            Fault("timestamp missing", ~present),
            Fault("timestamp out of range", present & ~inside.fill_null(value=False)),
        ],
    )


def _of_local(local: pl.Expr, schema: EventSchema, missing: pl.Expr, named: str, *, dates: bool = False) -> Instants:
    if schema.timezone is None:
        raise SchemaError(
            f"{named} holds local times and no zone is declared",
            hint="timezone='UTC', or the zone the clock was in, such as 'Europe/Berlin'",
        )
    inside = local.is_between(EARLIEST_US, LATEST_US, closed="left").fill_null(value=False)
    local = pl.when(inside).then(local)
    us, faults = _first_instants(local, schema) if dates else _localised(local, schema)
    return Instants(
        us, [Fault("timestamp missing", missing), Fault("timestamp out of range", ~missing & ~inside), *faults]
    )


def _localised(local: pl.Expr, schema: EventSchema) -> tuple[pl.Expr, list[Fault]]:
    """Local µs, all in range, as µs UTC."""
    zone = schema.timezone or "UTC"
    if zone in _UTC:
        return local, []
    early, late = _in_zone(local, zone, "earliest"), _in_zone(local, zone, "latest")
    faults = [Fault("timestamp does not exist in its zone", local.is_not_null() & early.is_null())]
    if schema.ambiguous_time == "quarantine":
        faults.append(Fault("timestamp ambiguous in its zone", (early != late).fill_null(value=False)))
    return (late if schema.ambiguous_time == "latest" else early), faults


def _first_instants(midnight: pl.Expr, schema: EventSchema) -> tuple[pl.Expr, list[Fault]]:
    """The first instants of local dates, as µs UTC, from their midnights, all in range."""
    zone = schema.timezone or "UTC"
    if zone in _UTC:
        return midnight, []
    early = _in_zone(midnight, zone, "earliest")
    # a skipped midnight is read with the offset in force before the gap, which gives the end of the gap
    before = midnight - _DAY_US // 2
    us = pl.coalesce(early, midnight - (before - _in_zone(before, zone, "earliest")))
    day = us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    same = day == midnight.cast(pl.Datetime("us")).dt.date()
    # whole days have been skipped too, when islands crossed the date line
    return us, [Fault("timestamp does not exist in its zone", midnight.is_not_null() & ~same.fill_null(value=False))]


def _in_zone(local: pl.Expr, zone: str, side: Literal["earliest", "latest"]) -> pl.Expr:
    """Local µs as µs UTC, null where the zone's clocks skip it."""
    clock = local.cast(pl.Datetime("us"))
    return clock.dt.replace_time_zone(zone, ambiguous=side, non_existent="null").to_physical()


def _of_text(column: pl.Expr, schema: EventSchema, named: str) -> Instants:
    text = column.str.strip_chars()
    present = (text.str.len_bytes() > 0).fill_null(value=False)
    if schema.time_unit is not None:
        return _numeric_text(text, present, schema.time_unit)
    if schema.time_format is not None:
        return _formatted(text, present, schema, named)
    return _iso(text, present, schema)


def _numeric_text(text: pl.Expr, present: pl.Expr, unit: str) -> Instants:
    whole = text.cast(pl.Int64, strict=False)
    number = text.cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    us = pl.coalesce(_scaled(whole, unit), _rounded(number, unit))
    read = _checked(us, present)
    unparsable = present & number.is_null()
    return Instants(read.us, [Fault("timestamp unparsable", unparsable), *read.faults])


def _formatted(text: pl.Expr, present: pl.Expr, schema: EventSchema, named: str) -> Instants:
    # chrono reads %f as a count of nanoseconds; people who write ".%f" mean a decimal fraction
    pattern = (schema.time_format or "").replace(".%f", "%.f")
    if "%Z" in pattern:
        raise SchemaError(
            f"time_format {schema.time_format!r} reads zone names, which are ambiguous",
            hint="%z for an offset, or timezone=… for a fixed zone",
        )
    if "%f" in pattern:
        raise SchemaError(
            f"time_format {schema.time_format!r}: digits of a second behind something else than a point",
            hint="%.f with its point, or so many digits as %3f, %6f or %9f: '%H:%M:%S,%3f'",
        )
    _check_format(pattern)
    parsed = _parse(text, pattern)
    unparsable = Fault("timestamp unparsable", present & parsed.is_null())
    if _OFFSET.search(pattern):
        read = _checked(parsed, present)
        return Instants(read.us, [unparsable, *read.faults])
    read = _of_local(parsed, schema, ~present, named, dates=not _HOUR.search(pattern))
    return Instants(read.us, [unparsable, *read.faults])


def _parse(text: pl.Expr, pattern: str) -> pl.Expr:
    if _HOUR.search(pattern):
        return text.str.to_datetime(pattern, time_unit="us", strict=False).to_physical()
    return text.str.to_date(pattern, strict=False).to_physical().cast(pl.Int64) * _DAY_US


def _check_format(pattern: str) -> None:
    try:
        pl.DataFrame({"t": ["x"]}).select(_parse(pl.col("t"), pattern))
    except pl.exceptions.PolarsError as error:
        raise SchemaError(
            f"time_format {pattern!r} cannot be used: {error}", hint="a strftime pattern such as '%d-%m-%Y %H:%M'"
        ) from error


def _iso(text: pl.Expr, present: pl.Expr, schema: EventSchema) -> Instants:
    # read a batch at a time into a column of its own, because what Python reads would be read again at every use
    read = text.map_batches(read_iso, return_dtype=ISO_TIMES, is_elementwise=True)
    utc, clock, midnight = (pl.col(_READ).struct.field(kind) for kind in ("utc", "clock", "midnight"))
    local = pl.coalesce(clock, midnight)
    inside = local.is_between(EARLIEST_US, LATEST_US, closed="left")
    bare = local.is_not_null()
    faults = [
        Fault("timestamp missing", ~present),
        Fault("timestamp unparsable", present & utc.is_null() & ~bare),
    ]
    us: pl.Expr = utc
    if schema.timezone is None:
        faults.append(Fault("timestamp without zone", bare))
    else:
        in_range = inside.fill_null(value=False)
        at, skipped = _localised(pl.when(in_range).then(clock), schema)
        begin, no_day = _first_instants(pl.when(in_range).then(midnight), schema)
        us, faults = pl.coalesce(utc, at, begin), [*faults, *skipped, *no_day]
    outside = ~pl.coalesce(utc.is_between(EARLIEST_US, LATEST_US, closed="left"), inside).fill_null(value=True)
    return Instants(us, [*faults, Fault("timestamp out of range", outside)], {_READ: read})
