"""``python -m benchmarks``: time, memory and cost per event of every case, beside other tools, in one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.case import Case
from benchmarks.logs import SHAPES
from benchmarks.runs import collect_cases, measure
from benchmarks.table import about, print_table, write

_BUILD = Path("build")
_SHAPE_CASES = ("way",)
_KNOWN = ("plain", "rich", "retailer")


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e5, 1e6, 1e7], help="events of each plain log")
    parser.add_argument("--large", action="store_true", help="also 20 million events")
    parser.add_argument("--shapes", action="store_true", help="also the odd logs, in search of cliffs")
    parser.add_argument("--shape-size", type=float, default=5e6, help="events of each odd log")
    parser.add_argument("--cases", nargs="+", help="only these cases")
    parser.add_argument(
        "--measures", action="store_true", help="only building journeys, measures on journeys built, and their peers"
    )
    parser.add_argument("--no-peers", action="store_true", help="our own cases only")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each case; the table has medians")
    parser.add_argument("--output", type=Path, default=_BUILD / "benchmarks.json")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run, print, write."""
    options = parsed(arguments)

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    machine, rows = about(), list[dict[str, Any]]()

    def keep(found: list[dict[str, Any]]) -> None:
        write(options.output, machine, rows + found, ours.CASES)

    cases = collect_cases(_BUILD, with_peers=not options.no_peers, wanted=_wanted(options), say=say)
    sizes = [int(size) for size in options.sizes] + [20_000_000] * options.large
    runs = [(cases, {f"{size:,}": (size, "plain") for size in sizes})]
    if options.shapes:
        size = int(options.shape_size)
        odd = {f"{size:,} {shape}": (size, shape) for shape in SHAPES if shape not in _KNOWN}
        runs.append(([each for each in cases if each.case.name in _SHAPE_CASES], odd))
    for some, logs in runs:
        for found in measure(some, logs, _BUILD / "benchmarks", repeat=options.repeat, say=say, keep=keep):
            rows += found
            print_table(found, ours.CASES)
    say(f"written: {options.output}")


def _wanted(options: argparse.Namespace) -> Callable[[Case], bool]:
    """Which cases the options ask for."""
    measures = [case for case in ours.CASES if case.after]
    theirs = {name for case in measures for name in (case.name, *case.after, *case.against)}
    return lambda case: (
        (not options.measures or case.name in theirs) and (not options.cases or case.name in options.cases)
    )


if __name__ == "__main__":
    main()
