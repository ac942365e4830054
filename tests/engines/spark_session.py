"""One local Spark for all tests of a process: starting it takes longer than most of them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.parts import ROOT

__all__ = ["Watch", "arrow_rows", "spark_session"]


@lru_cache(maxsize=1)
def spark_session(*, small_jobs: bool = True) -> Any:
    """A session on two cores, whose workers find this tree and use one Polars thread each.

    There is one per process, as whoever asks first wants it.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyspark.sql import SparkSession
        from pyspark.sql.pandas.utils import require_minimum_pandas_version

        require_minimum_pandas_version()
        fields = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.executorEnv.POLARS_MAX_THREADS": "1",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "America/New_York",  # instants must not care
        }
        if small_jobs:  # compiling costs more than it saves
            fields |= {
                "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
                "spark.sql.codegen.wholeStage": "false",
                "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            }
        builder = SparkSession.builder.master("local[2]").appName("journeymine tests")
        for name, value in fields.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session


class arrow_rows:  # noqa: N801
    """Within the block, Spark hands over batches of so few rows that almost every user is split by them."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __enter__(self) -> None:
        spark_session().conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(self.rows))

    def __exit__(self, *_: object) -> None:
        spark_session().conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


class Watch:
    """Notes what a block costs: seconds, processor seconds and peak resident MiB of Spark and of its Python workers.

    Where the system does not tell (it reads ``/proc``), only the seconds.
    """

    def __init__(self, figures: dict[str, Any], name: str) -> None:
        self.figures, self.name = figures, name

    def __enter__(self) -> None:
        self.before = _processes()
        for pid in self.before:
            with contextlib.suppress(OSError):  # it has ended
                Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
        self.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        noted: dict[str, Any] = {"seconds": round(time.monotonic() - self.began, 1)}
        now = list(_processes().values())
        for kind in ("jvm", "python"):
            cpu = sum(cpu for of, cpu, _ in now if of == kind)
            noted[f"{kind}_cpu_seconds"] = round(cpu - sum(c for of, c, _ in self.before.values() if of == kind), 1)
            noted[f"{kind}_peak_mib"] = max((peak for of, _, peak in now if of == kind), default=0)
        self.figures[self.name] = noted


def _processes() -> dict[int, tuple[str, float, int]]:
    """Of Spark's processes by id: ``"jvm"`` or ``"python"``, processor seconds, peak resident MiB."""
    found: dict[int, tuple[int, str, float, int]] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
            times = (status.parent / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        kind = "jvm" if fields["Name"].strip() == "java" else "python"
        # a worker's time is told by the daemon once it has ended
        cpu = sum(map(int, times[11 : 15 if kind == "python" else 13])) / os.sysconf("SC_CLK_TCK")
        peak = int(fields.get("VmHWM", "0").split()[0]) // 1024
        found[int(status.parent.name)] = (int(fields["PPid"]), kind, cpu, peak)
    ours = {os.getpid()}
    for _ in found:
        below = {pid for pid, (parent, *_) in found.items() if parent in ours}
        if below <= ours:
            break
        ours |= below
    return {pid: found[pid][1:] for pid in ours - {os.getpid()}}
