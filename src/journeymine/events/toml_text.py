"""Plain values as TOML text: the few kinds that schemas, stages and rules are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["toml_lines", "toml_value"]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def toml_value(value: Any) -> str:
    """One value as TOML.

    >>> toml_value(["a", 1.5, True, {"touchpoint": "x"}])
    '["a", 1.5, true, {touchpoint = "x"}]'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no TOML form here")


def toml_lines(fields: Mapping[str, Any]) -> list[str]:
    """One ``key = value`` line per field."""
    return [f"{_key(key)} = {toml_value(value)}" for key, value in fields.items()]


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _quoted(key)


def _quoted(text: str) -> str:
    plain = "".join(_ESCAPES.get(c, c if ord(c) >= 32 and ord(c) != 127 else f"\\u{ord(c):04x}") for c in text)
    return f'"{plain}"'
