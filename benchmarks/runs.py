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


def collect_cases(
    build: Path, *, with_peers: bool, wanted: Callable[[Case], bool], say: Callable[[str], None]
) -> list[Runnable]:
    """Our cases, and those of other tools as far as they are wanted, and are there or can be installed."""
    found = _runnable(ours.CASES, "journeymine", sys.executable, ours.__file__, wanted)
    if not with_peers:
        return found
    for case in peers.CASES:
        found += _runnable([case], case.name.split()[0], sys.executable, peers.__file__, wanted)
    for tool in TOOLS:
        cases = [case for case in load(str(tool.module)) if wanted(case)]
        python = python_of(tool, build / "environments") if cases else ""
        if not isinstance(python, Path):
            if python:
                say(f"skipped: {python}")
            continue
        found += _runnable(cases, tool.name, str(python), str(tool.module), wanted)
    return _side_by_side(found)


def _side_by_side(cases: Sequence[Runnable]) -> list[Runnable]:
    """Each case of another tool right after the first of ours that it is compared with: both meet the same minute."""
    place = {case.name: at for at, case in enumerate(ours.CASES)}
    for at, case in enumerate(ours.CASES):
        for other in case.against:
            place.setdefault(other, at)
    return sorted(cases, key=lambda each: place.get(each.case.name, len(place)))


def _runnable(
    cases: Sequence[Case], tool: str, python: str, module: str, wanted: Callable[[Case], bool]
) -> list[Runnable]:
    return [Runnable(case, tool, python, module) for case in cases if wanted(case)]


def measure(
    cases: Sequence[Runnable], logs: Mapping[str, tuple[int, str]], folder: Path, *, repeat: int,
    say: Callable[[str], None], keep: Callable[[list[dict[str, Any]]], None],
) -> Iterator[list[dict[str, Any]]]:  # fmt: skip
    """Per log, one row per case: medians over `repeat` runs.

    Parameters
    ----------
    logs : events and shape (see `logs`) of each log, by name. For a case that needs another shape than the plain one, a
        plain log stands for the log of that shape and the same size.
    keep : gets the rows of the log so far after every run, so that a program cut short leaves what it measured.
    """
    for name, (n_events, shape) in logs.items():
        tried = [each for each in cases if each.case.largest is None or n_events <= each.case.largest]
        runs: dict[str, list[dict[str, float]]] = {each.case.name: [] for each in tried}
        for turn in range(repeat):
            # Taking turns: a noisy minute of the machine meets every tool.
            for each in tried:
                say(f"{name}, turn {turn + 1} of {repeat}: {each.case.name}")
                needed = each.case.shape if shape == "plain" else shape
                log, small = write_log(folder, n_events, needed), write_log(folder, _SMALL, each.case.shape)
                taken = _run(each, log, small, say)
                if taken is not None:
                    runs[each.case.name].append(taken)
                    keep(_rows(tried, name, n_events, shape, runs))
        yield _rows(tried, name, n_events, shape, runs)


def _rows(
    tried: Sequence[Runnable], log: str, n_events: int, shape: str, runs: Mapping[str, list[dict[str, float]]]
) -> list[dict[str, Any]]:
    return [_row(each, log, n_events, shape, found) for each in tried if (found := runs[each.case.name])]


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
        "load": statistics.median(run["load"] for run in runs),
    }
