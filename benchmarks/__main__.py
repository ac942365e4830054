"""``python -m benchmarks``: time, memory and cost per event of every case, beside other tools, in one table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import ours
from benchmarks.logs import SHAPES
from benchmarks.runs import collect_cases, measure
from benchmarks.table import about, print_table, ratios, write

_BUILD = Path("build")
_SHAPE_CASES = ("way",)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e5, 1e6, 1e7], help="events of each plain log")
    parser.add_argument("--large", action="store_true", help="also 20 million events")
    parser.add_argument("--shapes", action="store_true", help="also the odd logs, in search of cliffs")
    parser.add_argument("--shape-size", type=float, default=5e6, help="events of each odd log")
    parser.add_argument("--cases", nargs="+", help="only these cases")
    parser.add_argument("--no-peers", action="store_true", help="our own cases only")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each case; the table has medians")
    parser.add_argument("--output", type=Path, default=_BUILD / "benchmarks.json")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run, print, write."""
    options = parsed(arguments)

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    machine = about()
    cases = collect_cases(_BUILD, with_peers=not options.no_peers, say=say)
    if options.cases:
        cases = [each for each in cases if each.case.name in options.cases]
    sizes = [int(size) for size in options.sizes] + [20_000_000] * options.large
    folder = _BUILD / "benchmarks"
    plain = {f"{size:,}": (size, "plain") for size in sizes}
    rows = list(measure(cases, plain, folder, repeat=options.repeat, say=say))
    if options.shapes:
        size = int(options.shape_size)
        odd = {f"{size:,} {shape}": (size, shape) for shape in SHAPES}
        chosen = [each for each in cases if each.case.name in _SHAPE_CASES]
        rows += measure(chosen, odd, folder, repeat=options.repeat, say=say)
    compared = ratios(rows, ours.CASES)
    print_table(rows, compared)
    write(options.output, machine, rows, compared)
    say(f"written: {options.output}")


if __name__ == "__main__":
    main()
