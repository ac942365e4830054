"""Every case on every size, each run in a process of its own, tools taking turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ours, peers
from benchmarks.case import Case
from benchmarks.environments import TOOLS, python_of
from benchmarks.logs import write_log
from benchmarks.worker import load

__all__ = ["Runnable", "collect_cases", "measure"]

_ROOT = Path(__file__).parent.parent
_WORKER = Path(__file__).parent / "worker.py"
_SMALL = 20_000


@dataclass(frozen=True)
class Runnable:
    """A case with what runs it: an interpreter, and the file that the case is in."""

    case: Case
    tool: str
    python: str
    module: str


def collect_cases(build: Path, *, with_peers: bool, say: Callable[[str], None]) -> list[Runnable]:
    """Our cases, and those of other tools as far as they are there or can be installed."""
    found = [Runnable(case, "journeymine", sys.executable, str(ours.__file__)) for case in ours.CASES]
    if not with_peers:
        return found
    found += [Runnable(case, case.name.split()[0], sys.executable, str(peers.__file__)) for case in peers.CASES]
    for tool in TOOLS:
        python = python_of(tool, build / "environments")
        if isinstance(python, str):
            say(f"skipped: {python}")
            continue
        found += [Runnable(case, tool.name, str(python), str(tool.module)) for case in load(str(tool.module))]
    return found


def measure(
    cases: Sequence[Runnable], logs: Mapping[str, tuple[int, str]], folder: Path, *, repeat: int,
    say: Callable[[str], None],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One row per case and log: medians over `repeat` runs.

    Parameters
    ----------
    logs : events and shape (see `logs`) of each log, by name.
    """
    small = write_log(folder, _SMALL)
    for name, (n_events, shape) in logs.items():
        path = write_log(folder, n_events, shape)
        tried = [each for each in cases if each.case.largest is None or n_events <= each.case.largest]
        runs: dict[str, list[dict[str, float]]] = {each.case.name: [] for each in tried}
        for turn in range(repeat):
            # Taking turns: a noisy minute of the machine meets every tool.
            for each in tried:
                say(f"{name}, turn {turn + 1} of {repeat}: {each.case.name}")
                taken = _run(each, path, small, say)
                if taken is not None:
                    runs[each.case.name].append(taken)
        for each in tried:
            if runs[each.case.name]:
                yield _row(each, name, n_events, shape, runs[each.case.name])


def _run(each: Runnable, path: Path, small: Path, say: Callable[[str], None]) -> dict[str, float] | None:
    command = [each.python, str(_WORKER), each.module, each.case.name, str(path.resolve()), str(small.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        say(f"skipped: {each.case.name} failed: {last}")
        return None
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def _row(each: Runnable, log: str, n_events: int, shape: str, runs: list[dict[str, float]]) -> dict[str, Any]:
    seconds, cpu = ([run[name] for run in runs] for name in ("seconds", "cpu_seconds"))
    memory = statistics.median(run["peak_bytes"] - run["baseline_bytes"] for run in runs)
    return {
        "case": each.case.name,
        "tool": each.tool,
        "answers": each.case.answers,
        "log": log,
        "shape": shape,
        "n_events": n_events,
        "n_runs": len(runs),
        "seconds": statistics.median(seconds),
        "fastest_seconds": min(seconds),
        "cpu_seconds": statistics.median(cpu),
        "ns_per_event": statistics.median(seconds) / n_events * 1e9,
        "cpu_ns_per_event": statistics.median(cpu) / n_events * 1e9,
        "bytes_per_event": memory / n_events,
    }
