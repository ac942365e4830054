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

__all__ = ["about", "print_table", "ratios", "write"]

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
    by = {(row["case"], row["log"]): row for row in rows}
    found = []
    for case in cases:
        for other in case.against:
            for (name, log), row in by.items():
                theirs = by.get((other, log))
                if name == case.name and theirs is not None:
                    found.append(
                        {
                            "case": name,
                            "against": other,
                            "log": log,
                            "seconds": row["seconds"] / theirs["seconds"],
                            "cpu_seconds": row["cpu_seconds"] / theirs["cpu_seconds"],
                        }
                    )
    return found


def print_table(rows: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]]) -> None:
    """Print both tables for people."""
    head = f"{'case':<22}{'log':<26}{'seconds':>9}{'cpu s':>9}{'ns/event':>10}{'cpu ns/ev':>10}{'B/event':>9}"
    print(head, "-" * len(head), sep="\n")
    for row in rows:
        print(
            f"{row['case']:<22}{row['log']:<26}{row['seconds']:>9.3f}{row['cpu_seconds']:>9.3f}"
            f"{row['ns_per_event']:>10.0f}{row['cpu_ns_per_event']:>10.0f}{row['bytes_per_event']:>9.0f}"
        )
    if compared:
        print(f"\n{'ours':<12}{'÷ theirs':<22}{'log':<26}{'seconds':>9}{'cpu':>9}")
    for each in compared:
        print(
            f"{each['case']:<12}{each['against']:<22}{each['log']:<26}{each['seconds']:>9.2f}{each['cpu_seconds']:>9.2f}"
        )


def write(path: Path, machine: Mapping[str, Any], rows: Sequence[Any], compared: Sequence[Any]) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": machine, "cases": rows, "ratios": compared}, indent=1), encoding="utf-8")
