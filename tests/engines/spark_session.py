"""One local Spark for all tests of a process: starting it takes longer than most of them."""

from __future__ import annotations

import os
import sys
import warnings
from functools import lru_cache
from typing import Any

from tests.parts import ROOT

__all__ = ["arrow_rows", "spark_session"]


@lru_cache(maxsize=1)
def spark_session() -> Any:
    """A session on two cores, whose workers find this tree and use one Polars thread each."""
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
            # small jobs: compiling costs more than it saves
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "America/New_York",  # instants must not care
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
