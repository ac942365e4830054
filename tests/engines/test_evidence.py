"""The long runs: 100 million events under a limit of the operating system's, and 2 million on Spark.

Both write their figures to ``build/evidence-*.json``; `docs/engines.md` and `docs/spark.md` tell them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from journeymine.counting import Measure
from journeymine.engines import InMemory, Spark, mine
from journeymine.events import EventSchema, read_events
from journeymine.graph import Transitions
from journeymine.metrics import Conversion, DropOff
from tests.contracts.measures import MEASURES
from tests.engines.logs import (
    BY_THE_MINUTE,
    EVERY_COLUMN,
    EVERY_STAGE,
    RULES,
    STAGES,
    write_every_column,
    write_log,
)
from tests.engines.spark_session import Watch, spark_session
from tests.engines.test_spark import assert_same

pytestmark = pytest.mark.evidence

N_EVENTS = int(float(os.environ.get("JOURNEYMINE_EVIDENCE_EVENTS", "1e8")))
ON_SPARK = int(float(os.environ.get("JOURNEYMINE_EVIDENCE_SPARK_EVENTS", "2e6")))
LIMIT = 2 << 30
"""Bytes of private memory, resident or merely reserved, that the kernel grants the process (RLIMIT_DATA)."""
PLAIN = EventSchema(timestamp="ts", channel="channel")
FEW: list[Measure] = [Transitions(), Conversion(by="channel"), DropOff(by="channel")]

# The C library reserves address space per thread, which this limit counts though nothing is there.
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."]), "MALLOC_ARENA_MAX": "2"}

LIMITED = """
    import json, os, resource, signal, sys, time

    resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[4]), int(sys.argv[4])))
    from journeymine.engines import Buckets, mine
    from journeymine.events import read_events
    from tests.engines.logs import RULES, STAGES
    from tests.engines.test_evidence import FEW, PLAIN

    pattern, folder, kill, _, out = sys.argv[1:]
    began = time.monotonic()
    moments = {}

    def watch(what, done):
        moments.setdefault(what.split()[0], time.monotonic() - began)
        if kill == "half-way" and what.startswith("counting") and done > 0.65:
            os.kill(os.getpid(), signal.SIGKILL)

    mined = mine(
        read_events(pattern, PLAIN, stages=STAGES), FEW, progress=watch,
        engine=Buckets(folder, memory="1 GiB"), **RULES,
    )
    for name, counts in mined.counts.items():
        counts.save(os.path.join(out, name))
    peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")]
    figures = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time(), "peak_mib": peak[0] / 1024}
    print(json.dumps(figures | {"moments": moments}))
"""


def silent(what: str, done: float) -> None:
    del what, done


def tell(name: str, figures: dict[str, Any], repository: Path) -> None:
    folder = repository / "build"
    folder.mkdir(exist_ok=True)
    (folder / f"evidence-{name}.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc, and RLIMIT_DATA is Linux's")
def test_a_log_of_100_million_events_in_2_gib(tmp_path: Path, repository: Path) -> None:
    pattern = write_log(tmp_path / "log", N_EVENTS, N_EVENTS // 20, files=max(1, N_EVENTS // 1_000_000))

    def run(kill: str, folder: str) -> subprocess.CompletedProcess[str]:
        script = [sys.executable, "-c", textwrap.dedent(LIMITED)]
        return subprocess.run(
            [*script, pattern, str(tmp_path / folder), kill, str(LIMIT), str(tmp_path / "counts")],
            cwd=repository, env=ENVIRONMENT, check=False, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    killed = run("half-way", "work")
    assert killed.returncode == -signal.SIGKILL
    resumed = run("never", "work")
    assert resumed.returncode == 0
    assert list((tmp_path / "work").iterdir()) == []
    whole = run("never", "other")
    assert whole.returncode == 0
    figures = {"events": N_EVENTS, "whole": json.loads(whole.stdout), "resumed": json.loads(resumed.stdout)}
    began, cpu = time.monotonic(), time.process_time()
    expected = mine(read_events(pattern, PLAIN, stages=STAGES), FEW, **RULES)
    figures["in_memory"] = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}
    tell("buckets", figures, repository)
    for name, counts in expected.counts.items():
        specs = expected.measures[name].specs()
        assert type(counts).load(tmp_path / "counts" / name, specs).equals(counts), name
    assert max(figures[run]["peak_mib"] for run in ("whole", "resumed")) < LIMIT / 2**20  # type: ignore[index]


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
@pytest.mark.parametrize("skew", [0.0, 0.3])
def test_every_measure_of_two_million_events_on_spark(tmp_path: Path, repository: Path, skew: float) -> None:
    pattern = write_every_column(tmp_path / "log", ON_SPARK, ON_SPARK // 20, files=4, skew=skew)
    began, cpu = time.monotonic(), time.process_time()
    events = read_events(pattern, EVERY_COLUMN, stages=EVERY_STAGE)
    expected = InMemory().count(events, MEASURES, None, BY_THE_MINUTE, silent)
    figures: dict[str, Any] = {
        "events": ON_SPARK,
        "measures": len(MEASURES),
        "in_memory": {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu},
    }
    for n_partitions in (7, 2):
        engine = Spark(
            session=spark_session(small_jobs=False), schema=EVERY_COLUMN, stages=EVERY_STAGE, n_partitions=n_partitions
        )
        with Watch(figures, f"{n_partitions} partitions"):
            found = engine.count(pattern, MEASURES, None, BY_THE_MINUTE, silent)
        assert found.context == expected.context
        # tables are finished from counts by one function, wherever those come from
        for measure, ours, theirs in zip(MEASURES, found.counts, expected.counts, strict=True):
            assert ours.equals(theirs), measure
        tell(f"spark-skew-{skew}", figures, repository)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
def test_what_an_event_costs_on_spark(tmp_path: Path, repository: Path) -> None:
    figures: dict[str, Any] = {}
    # the first warms Spark up; the difference of the others is free of what every run costs
    for n in (ON_SPARK // 4, ON_SPARK // 2, ON_SPARK * 3 // 2):
        pattern = write_log(tmp_path / f"log-{n}", n, n // 20, files=4)
        engine = Spark(session=spark_session(small_jobs=False), schema=PLAIN, stages=STAGES, n_partitions=3)
        with Watch(figures, f"{n} events"):
            found = mine(pattern, FEW, engine=engine, **RULES)
        assert_same(found, mine(read_events(pattern, PLAIN, stages=STAGES), FEW, **RULES))
    tell("spark-cost", figures, repository)
