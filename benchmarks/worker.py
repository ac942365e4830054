"""Runs one case once, in a process of its own, and prints what it took as JSON.

``python worker.py MODULE CASE LOG SMALL_LOG``; MODULE is a file with a list `CASES`. It is run by the interpreter of any
environment, so it uses the standard library only. The case first runs on the small log: imports, first calls and thread
pools are no cost per event.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def memory(what: str) -> int:
    """Bytes of resident memory: ``"VmRSS"`` now, ``"VmHWM"`` at its highest; the highest only where there is no /proc."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith(what))
        return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


def cpu() -> float:
    """Seconds of all threads, in the program and in the system on its behalf."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def load(module: str) -> list[Any]:
    """The cases of a module given by its file."""
    spec = importlib.util.spec_from_file_location("case_module", module)
    if spec is None or spec.loader is None:
        raise ImportError(module)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return list(loaded.CASES)


def main(module: str, name: str, log: str, small: str) -> dict[str, float]:
    """Run case `name` of `module` on `log`."""
    case = next(case for case in load(module) if case.name == name)
    case.run(case.prepare(small))
    baseline = memory("VmRSS")
    start = case.prepare(log)
    clock, used = time.perf_counter(), cpu()
    case.run(start)
    seconds, cpu_seconds = time.perf_counter() - clock, cpu() - used
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "baseline_bytes": baseline,
        "peak_bytes": max(memory("VmHWM"), baseline),  # the kernel may be a page behind with the highest
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan,
    }


if __name__ == "__main__":
    # What a tool prints goes to stderr: stdout is the answer.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the checkout, whichever interpreter runs this
    with contextlib.redirect_stdout(sys.stderr):
        found = main(*sys.argv[1:5])
    print(json.dumps(found))
