"""The JSON form of frozen dataclasses: plain, complete, strict on the way in, the same bytes on the way out."""

from __future__ import annotations

import difflib
import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from journeymine.errors import SchemaError

__all__ = ["decode", "encode", "from_text", "to_text"]

T = TypeVar("T")


def encode(value: object) -> object:
    """Turn dataclasses and tuples into dicts and lists; everything else is a JSON value already."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _encode_field(kind, getattr(value, name)) for name, kind in _hints(type(value)).items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def _encode_field(kind: Any, value: object) -> object:
    """Write a whole number as a float where one is declared, so that equal maps give equal bytes."""
    is_float = kind is float or float in get_args(kind)
    return float(value) if is_float and isinstance(value, int) else encode(value)


def to_text(data: object) -> str:
    """Write JSON with sorted keys.

    Raises
    ------
    SchemaError : a number is infinite or not a number.
    """
    try:
        return json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise SchemaError(
            "the map holds a number that is infinite or not a number",
            hint="give an unknown figure as an Estimate with value None and a reason",
        ) from error


def from_text(text: str) -> Mapping[str, Any]:
    """Read JSON whose top is an object."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SchemaError(
            f"this is not the JSON of a journey map: {error}",
            hint="read a file that `JourneyMap.save('map.json')` wrote",
        ) from error
    if not isinstance(data, Mapping):
        raise SchemaError(
            f"the JSON of a journey map is an object, not {type(data).__name__}",
            hint="read a file that `JourneyMap.save('map.json')` wrote",
        )
    return data


def decode(kind: type[T], data: object, *, newest: int) -> T:
    """Build `kind` from JSON values, refusing what it does not know."""
    version = data.get("schema_version", newest) if isinstance(data, Mapping) else newest
    if not isinstance(version, int) or not 1 <= version <= newest:
        raise SchemaError(
            f"this map has schema_version {version!r}; this library reads 1 to {newest}",
            hint="upgrade journeymine, or write the map again with this version",
        )
    return cast("T", _decode(kind, data, kind.__name__))


def _decode(kind: Any, data: object, where: str) -> object:
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _decode_dataclass(cast("type", kind), data, where)
    if origin in (types.UnionType, Union):
        if data is None:
            return None
        inner = next(option for option in get_args(kind) if option is not types.NoneType)
        return _decode(inner, data, where)
    if origin is tuple:
        if not isinstance(data, (list, tuple)):
            raise _wrong(where, "a list", data)
        return tuple(_decode(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is Literal:
        if data not in get_args(kind):
            raise _wrong(where, f"one of {', '.join(map(repr, get_args(kind)))}", data)
        return data
    return _decode_plain(kind, data, where)


def _decode_plain(kind: type, data: object, where: str) -> object:
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        if not math.isfinite(data):
            raise _wrong(where, "a finite number", data)
        return float(data)
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _wrong(where, kind.__name__, data)
    return data


def _decode_dataclass(kind: type, data: object, where: str) -> object:
    if not isinstance(data, Mapping):
        raise _wrong(where, "an object", data)
    hints = _hints(kind)
    unknown = sorted(set(map(str, data)) - set(hints))
    if unknown:
        near = difflib.get_close_matches(unknown[0], hints, n=1)
        raise SchemaError(
            f"{where} has {len(unknown)} unknown field(s), first {unknown[0]!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"fields are: {', '.join(hints)}",
        )
    missing = [
        field.name
        for field in fields(kind)
        if field.name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise SchemaError(
            f"{where} lacks {len(missing)} field(s): {', '.join(missing)}",
            hint="every field without a default must be there; null means unknown",
        )
    return kind(**{name: _decode(hints[name], value, f"{where}.{name}") for name, value in data.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Resolve the field types of a dataclass, whose modules name each other only for type checkers."""
    from journeymine.maps import comparison, evidence, findings, overlay, specification

    names = {**vars(comparison), **vars(evidence), **vars(findings), **vars(overlay), **vars(specification)}
    return get_type_hints(kind, localns=names)


def _wrong(where: str, wanted: str, data: object) -> SchemaError:
    return SchemaError(
        f"{where} should be {wanted}, not {type(data).__name__} {str(data)[:40]!r}",
        hint="read a file that `JourneyMap.save('map.json')` wrote",
    )
