"""The map in Markdown: what the first screen says, then every table. For wikis, pull requests and mail.

A caller's text is data here as well: what Markdown or HTML would read as markup is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from journeymine.maps.finding_tables import finding_tables
from journeymine.maps.first_screen import key_figures, meta_line
from journeymine.maps.tables import left_out, map_tables, quality_table
from journeymine.maps.view_tables import view_tables
from journeymine.maps.wording import legible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journeymine.maps.specification import MapSpecification
    from journeymine.maps.tables import Table

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")


def to_markdown(spec: MapSpecification) -> str:
    """Return the map as Markdown (GitHub's tables); the same map gives the same bytes."""
    return "\n".join(_lines(spec)) + "\n"


def _escape(text: str) -> str:
    r"""Escape what would be markup.

    >>> _escape("a|b <img> *x*")
    'a\\|b \\<img\\> \\*x\\*'
    """
    return _SPECIAL.sub(r"\\\1", legible(text))


def _lines(spec: MapSpecification) -> Iterator[str]:
    header = spec.header
    yield f"# {_escape(header.title)}"
    yield ""
    yield " · ".join(_escape(part) for part in (header.who, header.scenario, *meta_line(spec)) if part)
    yield ""
    for figure in key_figures(spec):
        yield f"- **{_escape(figure.label)}**: {_escape(figure.value)} ({_escape(figure.detail)})"
    for name, sentences in (("In short", spec.summary), ("Not known yet", spec.unknowns)):
        if sentences:
            yield from ("", f"## {name}", "", *(f"- {_escape(sentence.text)}" for sentence in sentences))
    if spec.comparison is not None and spec.comparison.note:
        yield from ("", _escape(spec.comparison.note))
    for table in (*view_tables(spec), *finding_tables(spec), *map_tables(spec)):
        yield from _table(table)
    if spec.emotion is not None and spec.emotion.note:
        yield from ("", _escape(spec.emotion.note))
    for row in spec.written_rows:
        cells = (f"- {_escape(cell.stage)}: {_escape(cell.text)}" for cell in row.cells)
        yield from ("", f"## {_escape(row.title)} (written by hand, not mined)", "", *cells)
    if spec.hints:
        hints = (f"- {_escape(hint.row)}: {_escape(hint.text)}" for hint in spec.hints)
        yield from ("", "## What would fill the picture", "", *hints)
    if spec.quality:
        yield from _table(quality_table(spec))
    yield from _method(spec)


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"## {_escape(table.title)}", "")
    yield "| " + " | ".join(_escape(name) for name, _ in table.columns) + " |"
    yield "|" + "|".join("---:" if is_number else "---" for _, is_number in table.columns) + "|"
    for i, row in enumerate(table.rows):
        mark = f" (**{table.marks[i]}**)" if table.marks and table.marks[i] else ""
        first, *rest = (_escape(cell) for cell in row)
        yield "| " + " | ".join([first + mark, *rest]) + " |"
    if table.n_left_out:
        yield from ("", left_out(table))


def _method(spec: MapSpecification) -> Iterator[str]:
    method = spec.method
    lines = [
        *([_escape(method.intervals)] if method.intervals else []),
        *(f"- {_escape(text)}" for text in method.exclusions),
        *(f"- **{_escape(item.term)}**: {_escape(item.text)}" for item in method.definitions),
        *([f"Made by {_escape(method.call)}"] if method.call else []),
        *(
            [", ".join(f"{_escape(item.term)} {_escape(item.text)}" for item in method.versions)]
            if method.versions
            else []
        ),
    ]
    if lines:
        yield from ("", "## Method", "", *lines)
