"""Write docs/schemas.md: every output table, column by column, as the library really gives it.

    python scripts/output_schemas.py          # rewrites the page
    python scripts/output_schemas.py --check  # fails where the page is out of date

A column without a meaning in column_meanings.py stops the script: no output goes undocumented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
from column_meanings import ELSEWHERE, MEANING
from made_page import write_or_check

import journeymine as jm
from journeymine.counting.result import Result

PAGE = Path(__file__).resolve().parents[1] / "docs" / "schemas.md"

INTRO = """# Output schemas

This page describes the columns of every output table. It is made by `scripts/output_schemas.py` from the tables
themselves, and a test keeps it true. Every result carries a `schema_version`. A table changes its columns only in a
major version, after a version that warns.

An estimate `x` with an interval is followed by its limits `x_lower` and `x_upper`, which are null where there is no
interval. Label columns (stage, channel, touchpoint, owner, segments, attributes) come first, as asked for with `by=`. A
segment or attribute is refused there if it has the name of a column of the measure, or begins with an underscore; give
it another name. Integers have 64 bits, numbers are 64-bit floats, and datetimes have microseconds.
"""

TYPES = {"String": "text", "Int64": "integer", "UInt32": "integer", "Float64": "number", "Boolean": "true or false"}
"""Polars type → plain words; times and lists are told by `type_of`."""


def results(journeys: jm.Journeys) -> Iterator[Result]:
    """One result of each kind."""
    yield jm.conversion(journeys, by="channel")
    yield jm.drop_off(journeys)
    yield jm.transitions(journeys).result
    yield jm.variants(journeys)
    yield jm.typical_order(journeys)
    yield jm.satisfaction(journeys)
    yield jm.opportunities(journeys)
    yield jm.stage_reach(journeys)
    yield jm.before_after(journeys, "2026-03-15", jm.Conversion(by="channel"))
    yield jm.decompose(journeys.between("2026-03-15", "2027-01-01"), journeys.between("2026-01-01", "2026-03-15"))
    yield jm.funnel(journeys, steps=["product_viewed", "basket_filled", "order_placed"], within="7d", trend="month")
    yield jm.dwell(journeys)
    yield jm.time_to_convert(journeys, by="channel")
    yield jm.waiting(journeys, start="basket_filled", until="order_placed")
    yield jm.activity(journeys)
    yield jm.retention(journeys)
    yield jm.life_cycle(journeys)
    yield jm.stickiness(journeys)
    yield jm.win_back(journeys)
    yield jm.repeat_rate(journeys)
    yield jm.customer_value(journeys)
    yield jm.attribution(journeys)
    paths = pl.DataFrame({"path": ["ad > email", "ad"], "worth": [90.0, 30.0]})
    found = jm.attribution_from_paths(paths, value="worth")
    yield replace(found, name="attribution of a table of paths")  # called attribution, too
    yield jm.markov(journeys).result
    yield jm.handoffs(journeys)
    yield jm.friction(journeys)
    yield jm.decision_points(journeys)
    yield jm.first_contact_resolution(journeys)


def type_of(kind: pl.DataType) -> str:
    """A column's type in plain words."""
    if isinstance(kind, pl.List):
        return f"list of {type_of(kind.inner)}"  # type: ignore[arg-type]
    if isinstance(kind, pl.Datetime):
        return "datetime, UTC" if kind.time_zone == "UTC" else "datetime"
    return TYPES.get(str(kind), str(kind).lower())


def rows_of(frame: pl.DataFrame, *of: str) -> list[str]:
    """A line per column, with its meaning in the first table of these that has one of its own; limits stand with their estimate."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for name, kind in frame.schema.items():
        if name.endswith(("_lower", "_upper")) and name.rpartition("_")[0] in frame.columns:
            continue
        plain = name.removeprefix("raw_")
        known = next((ELSEWHERE[each][name] for each in of if name in ELSEWHERE.get(each, {})), MEANING.get(name))
        meaning = known or (f"text of {plain} as it stood in the file" if name.startswith("raw_") else None)
        if meaning is None:
            raise SystemExit(f"column {name!r} has no meaning; add it to column_meanings.py")
        with_interval = " · with interval" if f"{name}_lower" in frame.columns else ""
        lines.append(f"| `{name}` | {type_of(kind)} | {meaning}{with_interval} |")
    return lines


def page() -> str:
    """The whole page."""
    events = jm.sample(users=600)
    journeys = jm.build_journeys(events)
    parts = [INTRO]
    quarantine = events.quarantine.select("reason", "source", "file", "row")
    frames: Mapping[str, tuple[str, pl.DataFrame]] = {
        "journeys.table": ("One row per journey, sorted by user and time.", journeys.table),
        "journeys.steps": ("One row per step, and per company touch.", journeys.steps),
        "events.quarantine": ("One row per row set aside, with its used columns as text behind `raw_`.", quarantine),
    }
    for title, (about, frame) in frames.items():
        parts.append("\n".join([f"## {title}\n", f"{about}\n", *rows_of(frame, title)]) + "\n")
    for result in results(journeys):
        lines = [
            f"## {result.name}\n",
            f"{result.question} Schema version {result.schema_version}.\n",
            *rows_of(result.frame, result.name),
        ]
        parts.append("\n".join(lines) + "\n")
        for name, frame in result.tables.items():
            parts.append(
                "\n".join([f"### {result.name}: {name}\n", *rows_of(frame, f"{result.name}: {name}", result.name)])
                + "\n"
            )
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(PAGE, page())
