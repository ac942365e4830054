"""Which room of the house may know which: the imports of a source tree, read without running it.

A room is a folder of the package, or a module at its root. Imports run downwards only, wherever they stand: at the top
of a file, inside a function, under ``TYPE_CHECKING``, or by name through ``import_module``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "journeymine"

_GROUND = frozenset(
    {"errors", "columns", "durations", "files", "instants", "parallel", "percents", "flags", "sorting", "stretches"}
)
_EVENTS = _GROUND | {"stats"}
_JOURNEYS = _EVENTS | {"events"}
_COUNTING = _JOURNEYS | {"journeys"}
_GRAPH = _COUNTING | {"counting"}
_METRICS = _GRAPH | {"graph"}
_MAPS = _METRICS | {"metrics"}
_NIGHTLY = _MAPS | {"maps", "engines"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "columns": frozenset({"errors"}),
    "durations": frozenset({"errors", "columns"}),
    "files": frozenset({"errors"}),
    "instants": frozenset({"errors"}),
    "parallel": frozenset(),
    "flags": frozenset(),
    "percents": frozenset(),
    "sorting": frozenset({"parallel"}),
    "stretches": frozenset({"parallel"}),
    "stats": _GROUND,
    "charts": _GROUND,  # a leaf: knows frames only
    "events": _EVENTS,
    "journeys": _JOURNEYS,
    "counting": _COUNTING,
    "engines": _GROUND | {"events", "journeys", "counting"},  # knows measures by their protocol only
    "graph": _GRAPH,
    "metrics": _METRICS,
    "maps": _MAPS,
    "nightly": _NIGHTLY,
    "retailer": _EVENTS | {"events"},
    "cli": _NIGHTLY | {"nightly", "retailer"},
    "__main__": frozenset({"cli"}),
}
"""Room → the rooms it may import, besides itself. The package's ``__init__`` may import all of them."""

LAZILY = {("counting", "charts")}
"""Imports against the direction that are allowed inside a function: `Result.plot()` draws when asked."""


@dataclass(frozen=True)
class Import:
    """One import of something of ours: where it stands, what it names, and whether a function delays it."""

    path: Path
    line: int
    target: tuple[str, ...]
    in_function: bool


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a dotted name or relative path below the package; "" is the package itself."""
    return parts[0].removesuffix(".py") if parts and parts[0] != "__init__.py" else ""


def imports_of(path: Path, package: Path) -> Iterator[Import]:
    """Every import of the package inside one file, as absolute names below the package."""
    here = path.relative_to(package).parts[:-1]
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node, in_function in _walk(tree, in_function=False):
        for name in _names(node, here):
            parts = tuple(name.split("."))
            if parts[0] == PACKAGE:
                yield Import(path, node.lineno, parts[1:], in_function)


def violations(package: Path) -> list[str]:
    """Each import of `package` that runs against the direction, and each room that has no place in it."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path.relative_to(package).parts)
        if room == "":
            continue
        if room not in MAY_IMPORT:
            found.append(f"{path.relative_to(package)}: the room {room!r} has no place in tests/layers.py")
            continue
        judged = ((one.line, _forbidden(room, one)) for one in imports_of(path, package))
        found += [f"{path.relative_to(package)}:{line}: {reason}" for line, reason in judged if reason]
    return found


def _forbidden(room: str, one: Import) -> str:
    target = room_of(one.target)
    if target in {room, "__version__"} or target in MAY_IMPORT[room]:
        return ""
    if target == "":
        return f"{room} imports the package itself, and with it everything above"
    if (room, target) in LAZILY:
        return "" if one.in_function else f"{room} may import {target} inside a function only"
    return f"{room} may not import {target}"


def _walk(node: ast.AST, *, in_function: bool) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom | ast.Call):
            yield child, in_function
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, in_function=inside)


def _names(node: ast.AST, here: tuple[str, ...]) -> Iterator[str]:
    """Dotted names that an import statement, or a call such as ``import_module("…")``, asks for."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:  # relative: climb from this file's folder
            above = (PACKAGE, *here)[: len(here) + 2 - node.level]
            base = ".".join([*above, *filter(None, [base])])
        # `from journeymine import graph` names the room graph; deeper names add nothing.
        yield from (f"{base}.{alias.name}" for alias in node.names) if base == PACKAGE else (base,)
    elif isinstance(node, ast.Call) and _called(node.func) in {"import_module", "__import__"}:
        yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
