"""Measures as plain data: their name and their fields, and back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from journeymine.counting.measure import Measure
from journeymine.errors import StateError

__all__ = ["known_measures", "measure_from_data", "measure_to_data"]

_MEASURE_ROOMS = ("graph", "metrics")


def known_measures() -> dict[str, type[Any]]:
    """Every class of measure of the package, by its name."""
    found: dict[str, type[Any]] = {}
    for room in _MEASURE_ROOMS:
        module = importlib.import_module(f"journeymine.{room}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if isinstance(thing, type) and {"count", "estimate", "specs"} <= set(dir(thing)):
                found[thing.name] = thing  # type: ignore[attr-defined]
    return found


def measure_to_data(measure: Measure) -> dict[str, Any]:
    """A measure as its name and fields, all of them plain."""
    named = {each.name: _plain(getattr(measure, each.name)) for each in fields(measure)}  # type: ignore[arg-type]
    return {"measure": measure.name, "fields": named}


def measure_from_data(data: Mapping[str, Any]) -> Measure:
    """Read what `measure_to_data` wrote.

    Raises
    ------
    StateError : this version has no such measure.
    """
    known = known_measures()
    if data["measure"] not in known:
        raise StateError(f"this version has no measure {data['measure']!r}", hint=f"it has {', '.join(sorted(known))}")
    measure: Measure = known[data["measure"]](**{name: _tuples(value) for name, value in data["fields"].items()})
    return measure


def _plain(value: Any) -> Any:
    if hasattr(value, "to_data"):
        return value.to_data()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    return value


def _tuples(value: Any) -> Any:
    """Lists of scalars as tuples, as measures keep them; forms with mappings in them stay lists."""
    if isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value):
        return tuple(value)
    return value
