"""Every engine. Add yours here, and it has to give the same numbers as all others for every measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from journeymine.engines import Buckets, Engine, InMemory


@dataclass(frozen=True)
class EngineCase:
    """An engine to try.

    Attributes
    ----------
    name : shown in the test's name.
    make : makes the engine; it gets a folder of its own.
    part : the optional part it needs (``"spark"``), or None.
    warns : a filter for warnings that come with that part.
    """

    name: str
    make: Callable[[Path], Engine]
    part: str | None = field(default=None)
    warns: str = ""


def _spark(folder: Path) -> Engine:
    from journeymine.engines import Spark
    from tests.engines.spark_session import spark_session

    return Spark(session=spark_session(), n_partitions=3)


ENGINES = [
    EngineCase("in memory", lambda folder: InMemory()),
    EngineCase("buckets", lambda folder: Buckets(folder / "buckets", n_buckets=5)),
    EngineCase("one bucket", lambda folder: Buckets(n_buckets=1)),
    EngineCase("spark", _spark, part="spark", warns="ignore:PySpark does not yet fully support pandas"),
]
