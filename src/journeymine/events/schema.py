"""`EventSchema`: which column of a source means what, and how its times, numbers and scores are to be read."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import polars as pl

from journeymine.columns import ENTITY_COLUMNS, STEP_COLUMNS
from journeymine.errors import SchemaError
from journeymine.events.toml_text import toml_lines

__all__ = ["EventSchema", "TimeUnit"]

TimeUnit = Literal["s", "ms", "us", "ns"]
AmbiguousTime = Literal["earliest", "latest", "quarantine"]

_ONE_COLUMN = (
    "timestamp", "touchpoint", "channel", "value", "cost", "currency_column", "satisfaction", "account", "event_id",
    "anonymous",
)  # fmt: skip
"""Fields that name one column each."""
_ONE_TEXT = (
    "constant_touchpoint", "constant_channel", "currency", "time_unit", "timezone", "time_format", "ambiguous_time",
)  # fmt: skip
_LISTS = {
    "user": "['user_id', 'email']", "tie_break": "['position']", "attributes": "['device']",
    "satisfaction_scale": "[1, 5]",
}  # fmt: skip
_RESERVED_NAMES = frozenset(ENTITY_COLUMNS + STEP_COLUMNS) | {
    "anonymous",
    "event_id",
    "source",
    "file",
    "row",
    "reason",
    "currency",
    "usable",
    "known_user",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSchema:
    """Names the columns of one source, and says how they are written.

    Parameters
    ----------
    user : column of the user id, by default ``"user"``; or several, of which the first that is neither null nor empty
        counts.
    timestamp : column of the instant, by default ``"timestamp"``. A column of times with a zone needs nothing more.
        Times without one need `timezone`, numbers need `time_unit`, and text that is not ISO 8601 needs `time_format`.
    touchpoint, constant_touchpoint : column of what happened, by default ``"touchpoint"``; or one touchpoint for every
        row of the source.
    channel, constant_channel : column of where it happened, or one channel for every row. Without either, the source
        has no channels.
    time_unit : unit of times given as numbers since 1970-01-01 UTC: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``. Whole
        numbers finer than a microsecond are cut off; fractions are read as the nearest microsecond.
    timezone : IANA zone of times that carry none, e.g. ``"Europe/Berlin"``.
    time_format : strftime pattern of text times, e.g. ``"%d-%m-%Y %H:%M"``. Day and month are never guessed.
    ambiguous_time : what becomes of a local time that happens twice when clocks go back: the ``"earliest"`` or the
        ``"latest"`` of the two is taken, or the row goes to ``"quarantine"``. A local time that never happens always
        goes to quarantine.
    value, cost : columns of money, in units of the currency.
    currency, currency_column : the currency of both, or the column that names it. Several currencies in one log raise.
    satisfaction, satisfaction_scale : column of a score, and its lowest and highest possible values.
    account : column of something coarser than the user, such as the company.
    event_id : column of an id by which repeated deliveries of one event are recognised, within a user and source.
    tie_break : columns of whole numbers or times that order events of one user at one instant; null comes first.
    anonymous : column of an id that is known before the user is.
    attributes : further columns to keep, as labels.

    Raises
    ------
    SchemaError : options contradict each other, or a zone or option is unknown.

    Examples
    --------
    >>> schema = EventSchema(user="customer", timestamp="ts", touchpoint="event", time_unit="ms")
    >>> print(schema.to_toml())
    user = "customer"
    timestamp = "ts"
    touchpoint = "event"
    time_unit = "ms"
    >>> EventSchema.from_toml(schema.to_toml()) == schema
    True
    """

    user: str | Sequence[str] = "user"
    timestamp: str = "timestamp"
    touchpoint: str | None = None
    constant_touchpoint: str | None = None
    channel: str | None = None
    constant_channel: str | None = None
    time_unit: TimeUnit | None = None
    timezone: str | None = None
    time_format: str | None = None
    ambiguous_time: AmbiguousTime = "earliest"
    value: str | None = None
    currency: str | None = None
    currency_column: str | None = None
    cost: str | None = None
    satisfaction: str | None = None
    satisfaction_scale: Sequence[float] | None = None
    account: str | None = None
    event_id: str | None = None
    tie_break: Sequence[str] = ()
    anonymous: str | None = None
    attributes: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_texts(self)
        self._freeze_lists()
        if self.touchpoint is None and self.constant_touchpoint is None:
            object.__setattr__(self, "touchpoint", "touchpoint")
        _check_times(self)
        _check_columns(self)
        _check_numbers(self)

    def _freeze_lists(self) -> None:
        for name in ("user", "tie_break", "attributes", "satisfaction_scale"):
            given = getattr(self, name)
            if given is None or (name == "user" and isinstance(given, str)):
                continue
            of = (int, float) if name == "satisfaction_scale" else (str,)
            if not isinstance(given, list | tuple | str) or not all(isinstance(each, of) for each in given):
                what = "is not a lowest and a highest score" if name == "satisfaction_scale" else "names no columns"
                raise SchemaError(f"{name}={given!r} {what}", hint="give a list, such as " + _LISTS[name])
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))

    @property
    def user_columns(self) -> tuple[str, ...]:
        """The user columns, first choice first."""
        return (self.user,) if isinstance(self.user, str) else tuple(self.user)

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Every column that is read, each once, in the order of the fields."""
        single = (
            self.timestamp,
            self.touchpoint,
            self.channel,
            self.value,
            self.currency_column,
            self.cost,
            self.satisfaction,
            self.account,
            self.event_id,
            self.anonymous,
        )
        named = (*self.user_columns, *single, *self.tie_break, *self.attributes)
        return tuple(dict.fromkeys(column for column in named if column is not None))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> EventSchema:
        """Build a schema from named fields; an unknown name raises an error that names the nearest one."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known
                raise SchemaError(f"unknown schema field {name!r}", hint=f"fields are: {', '.join(near)}")
        return cls(**fields)

    @classmethod
    def from_toml(cls, text: str) -> EventSchema:
        """Read what `to_toml` wrote, or the same fields written by hand."""
        try:
            return cls.from_fields(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SchemaError(f"the schema is not valid TOML: {error}", hint="one `field = value` per line") from error

    def to_toml(self) -> str:
        """Return the fields that differ from their defaults, as TOML."""
        return "\n".join(toml_lines(self.to_fields()))

    def to_fields(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        fields: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default or field.name in ("user", "timestamp"):
                fields[field.name] = list(value) if isinstance(value, tuple) else value
        return fields


def _check_times(schema: EventSchema) -> None:
    if schema.time_unit is not None and schema.time_unit not in get_args(TimeUnit):
        raise SchemaError(f"unknown time_unit {schema.time_unit!r}", hint="one of 's', 'ms', 'us', 'ns'")
    if schema.ambiguous_time not in get_args(AmbiguousTime):
        raise SchemaError(
            f"unknown ambiguous_time {schema.ambiguous_time!r}", hint="one of 'earliest', 'latest', 'quarantine'"
        )
    if schema.time_unit and (schema.time_format or schema.timezone):
        raise SchemaError(
            "time_unit says that times are numbers since 1970 UTC, so time_format and timezone cannot apply",
            hint="give time_unit alone, or leave it out",
        )
    if schema.timezone is not None:
        try:
            pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(schema.timezone)
        except pl.exceptions.PolarsError as error:
            raise SchemaError(
                f"unknown timezone {schema.timezone!r}", hint="an IANA name such as 'Europe/Berlin' or 'UTC'"
            ) from error


def _check_texts(schema: EventSchema) -> None:
    for name in (*_ONE_COLUMN, *_ONE_TEXT):
        given = getattr(schema, name)
        if given is None or isinstance(given, str):
            continue
        if name in _ONE_TEXT:
            raise SchemaError(f"{name}={given!r} is no text", hint=f"{name}='…'")
        way = f", or constant_{name}= for the same in every row" if name in ("touchpoint", "channel") else ""
        raise SchemaError(f"{name}={given!r} names no column", hint=f"give the name of one column{way}")


def _check_columns(schema: EventSchema) -> None:
    for plain, constant in (
        ("touchpoint", "constant_touchpoint"),
        ("channel", "constant_channel"),
        ("currency_column", "currency"),
    ):
        if getattr(schema, plain) is not None and getattr(schema, constant) is not None:
            raise SchemaError(f"both {plain} and {constant} are given", hint="give one of them")
    for name in ("constant_touchpoint", "constant_channel", "currency"):
        if getattr(schema, name) == "":
            raise SchemaError(f"{name} is empty", hint="give it a name, or leave it out")
    if not schema.user_columns:
        raise SchemaError("no user column is given", hint="user='…'")
    clash = sorted(
        name for name in set(schema.attributes) if name in _RESERVED_NAMES or name.startswith(("tie_break_", "__"))
    )
    if clash:
        raise SchemaError(
            f"attributes {', '.join(map(repr, clash))} bear the name of a canonical column",
            hint="rename the column in the source, or give it as the field of that name",
        )
    if len(set(schema.attributes)) != len(schema.attributes):
        raise SchemaError("an attribute is named twice", hint="name each once")


def _check_numbers(schema: EventSchema) -> None:
    scale = schema.satisfaction_scale
    if schema.satisfaction is not None and scale is None:
        raise SchemaError("satisfaction needs its scale", hint="satisfaction_scale=[1, 5]")
    if scale is not None:
        ends = list(scale)
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends) or not ends[0] < ends[1]:
            raise SchemaError(f"satisfaction_scale {ends!r} is not a lowest and a highest score", hint="e.g. [1, 5]")
    if schema.currency_column is not None and schema.value is None and schema.cost is None:
        raise SchemaError("currency_column is given without value or cost", hint="name the column of the money too")
