"""The table and the JSON of a benchmark run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.case import Case

__all__ = ["about", "print_table", "ratios", "shares_of_build", "write"]

_PACKAGES = ("journeymine", "polars", "numpy", "duckdb")


def about() -> dict[str, Any]:
    """The machine and the versions."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "packages": {name: version(name) for name in _PACKAGES},
    }


def ratios(rows: Sequence[Mapping[str, Any]], cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Our time over each other tool's for the same answer on the same log; below 1 we are faster."""
    return _over(rows, {case.name: case.against for case in cases})


def shares_of_build(rows: Sequence[Mapping[str, Any]], cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The time of each measure on journeys already built, over that of building them."""
    return _over(rows, {case.name: case.after for case in cases})


def _over(rows: Sequence[Mapping[str, Any]], others: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    by = {(row["case"], row["log"]): row for row in rows}
    return [
        {
            "case": row["case"],
            "against": other,
            "log": row["log"],
            **{name: row[name] / by[other, row["log"]][name] for name in ("seconds", "cpu_seconds")},
        }
        for row in rows
        for other in others.get(row["case"], ())
        if (other, row["log"]) in by
    ]


def print_table(rows: Sequence[Mapping[str, Any]], cases: Sequence[Case]) -> None:
    """Print for people: what each case took, and for ours the ratios, by processor time."""
    share = {(each["case"], each["against"]): each["cpu_seconds"] for each in shares_of_build(rows, cases)}
    ratio = {(each["case"], each["against"]): each["cpu_seconds"] for each in ratios(rows, cases)}
    known = {case.name: case for case in cases}
    head = (f"{'case':<30}{'log':<24}{'seconds':>9}{'cpu s':>9}{'ns/event':>9}{'cpu ns/ev':>10}{'B/event':>8}{'load':>6}"
            f"{'÷ build':>9}{'÷ file':>8}  cpu ÷ others'")  # fmt: skip
    print(head, "-" * len(head), sep="\n")
    for row in rows:
        case = known.get(row["case"])
        built = case.after if case else ()
        parts = [share.get((row["case"], name)) for name in built] or [None, None]
        others = [(name, ratio.get((row["case"], name))) for name in (case.against if case else ())]
        print(
            f"{row['case']:<30}{row['log']:<24}{row['seconds']:>9.3f}{row['cpu_seconds']:>9.3f}"
            f"{row['ns_per_event']:>9.0f}{row['cpu_ns_per_event']:>10.0f}{row['bytes_per_event']:>8.0f}{row['load']:>6.1f}"
            f"{_two(parts[0]):>9}{_two(parts[1]):>8}  "
            + ", ".join(f"{_tool(name, row['case'])} {_two(each)}" for name, each in others if each is not None)
        )


def _tool(other: str, case: str) -> str:
    """What a ratio is over: the tool alone where it gives the same answer, and ``bare`` beside it for the plain figure."""
    return other.replace(f" {case}", "")


def _two(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def write(path: Path, machine: Mapping[str, Any], rows: Sequence[Any], cases: Sequence[Case]) -> None:
    """Write everything as JSON, in one go: a run cut short leaves the whole of what it had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    everything = {
        "about": machine, "cases": rows, "ratios": ratios(rows, cases), "shares_of_build": shares_of_build(rows, cases)
    }  # fmt: skip
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    unfinished.replace(path)
