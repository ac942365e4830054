"""Seconds that `import journeymine` takes beside `import polars`, each in a fresh interpreter; medians of several."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_CLOCK = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
_ALLOWED_S = 0.1


def seconds(module: str) -> float:
    """Time of one import in a fresh interpreter."""
    command = [sys.executable, "-c", _CLOCK.format(module=module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print both medians and their difference; runs alternate, so that a noisy moment meets both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    seconds("journeymine")  # writes the byte code, fills the file cache
    pairs = [(seconds("polars"), seconds("journeymine")) for _ in range(runs)]
    polars, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import polars       {polars:.3f} s")
    print(f"import journeymine  {ours:.3f} s  (polars {ours - polars:+.3f} s; allowed +{_ALLOWED_S} s)")


if __name__ == "__main__":
    main()
