"""Raw columns as canonical ones: the expressions that every engine evaluates, in memory or streaming.

Canonical labels are plain strings with null for absent; numbers are int64 millionths; time is int64 µs UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from journeymine.columns import MICRO
from journeymine.errors import SchemaError
from journeymine.events.faults import Fault
from journeymine.events.schema import EventSchema
from journeymine.events.sources import LogFile
from journeymine.events.timestamps import instants

__all__ = [
    "LARGEST_NUMBER",
    "TOUCHPOINT_MISSING",
    "Canonical",
    "canonical",
    "label_names",
    "number_names",
    "tie_break_names",
]

TOUCHPOINT_MISSING = "touchpoint missing"
LARGEST_NUMBER = 9.0e12
"""Largest magnitude of a value, cost or score in units: its millionths still fit an int64.

Text and floats are exact to the millionth up to 10⁹ units, integers up to the limit.
"""


@dataclass(frozen=True, slots=True)
class Canonical:
    """Expressions over one file's raw columns.

    Attributes
    ----------
    frame : the raw rows that all other expressions are over.
    ids : ``user`` and, where declared, ``anonymous``, ``event_id``: String, null when absent (`user` may be empty too).
    timestamp : Int64 µs UTC.
    labels : ``touchpoint`` always; ``channel``, ``account``, attributes, where this source declares them: String.
    numbers : ``value``, ``cost``, ``satisfaction`` where declared, and ``tie_break_0`` and so on: Int64.
    currency : String, where a column names it.
    faults : what makes a row unusable.
    """

    frame: pl.LazyFrame
    ids: dict[str, pl.Expr]
    timestamp: pl.Expr
    labels: dict[str, pl.Expr]
    numbers: dict[str, pl.Expr]
    currency: pl.Expr | None
    faults: list[Fault]


def label_names(schemas: list[EventSchema]) -> list[str]:
    """Labels of a log with these schemas, in canonical order."""
    names = ["touchpoint"]
    if any(schema.channel or schema.constant_channel for schema in schemas):
        names.append("channel")
    if any(schema.account for schema in schemas):
        names.append("account")
    return list(dict.fromkeys([*names, *(name for schema in schemas for name in schema.attributes)]))


def number_names(schemas: list[EventSchema]) -> list[str]:
    """Numbers of a log with these schemas, in canonical order."""
    return [name for name in ("value", "cost", "satisfaction") if any(getattr(schema, name) for schema in schemas)]


def tie_break_names(schemas: list[EventSchema]) -> list[str]:
    """One column per level of the longest tie_break."""
    return [f"tie_break_{level}" for level in range(max(len(schema.tie_break) for schema in schemas))]


def canonical(file: LogFile) -> Canonical:
    """How to read `file`.

    Raises
    ------
    SchemaError : a column has a type that cannot hold what the schema says it holds.
    """
    schema = file.schema
    ids = _ids(file)
    known = (ids["user"].str.len_bytes() > 0).fill_null(value=False)
    if "anonymous" in ids:
        known = known | ids["anonymous"].is_not_null()
    when = instants(schema, file.dtypes[schema.timestamp], file.path)
    faults = [Fault("user missing", ~known), *when.faults]
    labels = _labels(file)
    if schema.touchpoint is not None:
        touchpoint = labels["touchpoint"]
        faults.append(Fault(TOUCHPOINT_MISSING, touchpoint.is_null() | (touchpoint.str.len_bytes() == 0)))
    numbers: dict[str, pl.Expr] = {}
    for name in ("value", "cost", "satisfaction"):
        if getattr(schema, name) is not None:
            numbers[name], more = _number(file, name)
            faults += more
    currency = _currency(file, numbers, faults)
    _tie_breaks(file, numbers, faults)
    frame = file.frame.with_columns(**when.prepared) if when.prepared else file.frame
    return Canonical(frame, ids, when.us, labels, numbers, currency, faults)


def _ids(file: LogFile) -> dict[str, pl.Expr]:
    schema = file.schema
    users = [_text(file, column, "user") for column in schema.user_columns]
    # a single plain column needs no copy: an empty id is a fault, and is dropped with its row
    single = len(users) == 1 and schema.anonymous is None
    ids = {"user": users[0] if single else pl.coalesce([_filled(user) for user in users])}
    if schema.anonymous is not None:
        ids["anonymous"] = _filled(_text(file, schema.anonymous, "anonymous"))
    if schema.event_id is not None:
        ids["event_id"] = _filled(_text(file, schema.event_id, "event_id"))
    return ids


def _filled(text: pl.Expr) -> pl.Expr:
    """Null for empty."""
    return pl.when(text.str.len_bytes() > 0).then(text)


def _labels(file: LogFile) -> dict[str, pl.Expr]:
    schema = file.schema
    labels: dict[str, pl.Expr] = {}
    for name, column, constant in (
        ("touchpoint", schema.touchpoint, schema.constant_touchpoint),
        ("channel", schema.channel, schema.constant_channel),
        ("account", schema.account, None),
    ):
        if column is not None:
            labels[name] = _text(file, column, name)
        elif constant is not None:
            labels[name] = pl.lit(constant, dtype=pl.String)
    for name in schema.attributes:
        labels[name] = _text(file, name, "attribute")
    return labels


def _text(file: LogFile, column: str, role: str) -> pl.Expr:
    dtype = file.dtypes[column]
    if dtype == pl.String:
        return pl.col(column)
    plain = dtype.is_integer() or dtype.is_temporal() or dtype == pl.Boolean or dtype == pl.Null
    if plain or isinstance(dtype, pl.Categorical | pl.Enum) or dtype.is_decimal():
        return pl.col(column).cast(pl.String)
    if dtype.is_float() and role == "attribute":
        return pl.col(column).cast(pl.String)
    raise SchemaError(
        f"{role} column {column!r} of {file.path} is {dtype}, which has no one form as a label",
        hint="cast it to text or to integers in the source",
    )


def _number(file: LogFile, name: str) -> tuple[pl.Expr, list[Fault]]:
    """Int64 millionths, null where absent, and what can be wrong with it."""
    column = getattr(file.schema, name)
    dtype = file.dtypes[column]
    raw = pl.col(column)
    absent = raw.is_null()
    faults = []
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        text = raw.cast(pl.String).str.strip_chars()
        absent = absent | (text.str.len_bytes() == 0)
        units = text.cast(pl.Float64, strict=False)
        faults.append(Fault(f"{name} unparsable", ~absent & units.is_null()))
    elif dtype.is_numeric() or dtype == pl.Null:
        units = raw.cast(pl.Float64)
    else:
        raise SchemaError(
            f"{name} column {column!r} of {file.path} is {dtype}, which is no number",
            hint="name a numeric column, or text that holds numbers",
        )
    finite = units.is_finite().fill_null(value=True)
    faults.append(Fault(f"{name} not finite", ~finite))
    if name == "satisfaction":
        lowest, highest = file.schema.satisfaction_scale or (-LARGEST_NUMBER, LARGEST_NUMBER)
        inside, reason = units.is_between(lowest, highest), "satisfaction outside its scale"
    else:
        inside, reason = units.abs() <= LARGEST_NUMBER, f"{name} out of range"
    inside = inside.fill_null(value=True)
    faults.append(Fault(reason, finite & ~inside))
    good = finite & inside
    if dtype.is_integer():
        return pl.when(good).then(raw.cast(pl.Int64, strict=False) * MICRO), faults
    return pl.when(good).then(units * MICRO).round().cast(pl.Int64, strict=False), faults


def _currency(file: LogFile, numbers: dict[str, pl.Expr], faults: list[Fault]) -> pl.Expr | None:
    schema = file.schema
    if schema.currency_column is None:
        return None
    text = _text(file, schema.currency_column, "currency").str.strip_chars().str.to_uppercase()
    money = pl.any_horizontal([numbers[name].is_not_null() for name in ("value", "cost") if name in numbers])
    currency = pl.when(money & (text.str.len_bytes() > 0)).then(text)
    faults.append(Fault("value without currency", money & currency.is_null()))
    return currency


def _tie_breaks(file: LogFile, numbers: dict[str, pl.Expr], faults: list[Fault]) -> None:
    unreadable = []
    for level, column in enumerate(file.schema.tie_break):
        dtype = file.dtypes[column]
        raw = pl.col(column)
        if dtype.is_temporal():
            whole = raw.to_physical().cast(pl.Int64)
        elif dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Null):
            raw = pl.when(raw.str.strip_chars() != "").then(raw.str.strip_chars()) if dtype == pl.String else raw
            whole = raw.cast(pl.Int64, strict=False)
        else:
            raise SchemaError(
                f"tie_break column {column!r} of {file.path} is {dtype}, which has no order of its own",
                hint="name a column of whole numbers or times",
            )
        lost = whole.is_null() | (whole != raw) if dtype.is_float() or dtype.is_decimal() else whole.is_null()
        unreadable.append(raw.is_not_null() & lost)
        numbers[f"tie_break_{level}"] = whole
    if unreadable:
        faults.append(Fault("tie_break unparsable", pl.any_horizontal(unreadable)))
