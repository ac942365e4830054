"""Counting on Spark: whole users to each worker, the same kernel there, and only counts come back."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from journeymine.counting.measure import Measure, check_questions
from journeymine.engines.mine import Counted, Progress
from journeymine.engines.part import PartPlan
from journeymine.engines.spark_counts import COUNTED, SparkPlan, count_rows, merge_rows, to_counts
from journeymine.engines.spark_log import SparkLog, ddl, local_log, spark_log
from journeymine.engines.tally import LogTally
from journeymine.engines.whole import check_after, check_before, report_of
from journeymine.errors import EngineError, MissingExtraError, QuestionError
from journeymine.events.config import DEFAULT_QUARANTINE_SHARE, Config
from journeymine.events.event_rules import EventRules
from journeymine.events.log import Events
from journeymine.events.schema import EventSchema
from journeymine.events.sources import Source
from journeymine.events.stage_map import StageMap
from journeymine.journeys.building import context_of, rules_of
from journeymine.journeys.context import n_latest
from journeymine.journeys.facts import declared_labels
from journeymine.journeys.rules import JourneyRules

logger = logging.getLogger(__name__)

__all__ = ["Spark"]

PARTITION_ROWS = 1_000_000
"""Events counted at a time by one task, unless told otherwise."""

_AT_A_TIME = 32
"""Parts of one table that one task adds."""


@dataclass(frozen=True, slots=True)
class Spark:
    """The engine for logs on a Spark cluster: ``mine(dataframe, measures, engine=Spark(schema=…), goal="order")``.

    The source given to `mine` may be a Spark DataFrame, a path or list of paths that Spark reads (Parquet, CSV,
    NDJSON), a `Source` or a list of them, a `Config` (as `read_config` returns it), or `Events` that this process can
    read. Rows of Parquet files keep their order. All other rows have no order on Spark and need ``tie_break`` columns.

    Parameters
    ----------
    session : the Spark session. By default that of the DataFrame, else the active one, else a new one.
    schema : names the columns, unless the source says it.
    stages, event_rules, max_quarantine_share : as in `read_events`, unless the source is a `Config` or `Events`.
    n_partitions : number of parts that the users are split into. By default one per million events. A part must fit
        into the memory of one task; the events of one user are never split.

    Raises
    ------
    MissingExtraError : pyspark is not installed.
    SchemaError : when used: as in `read_events`, or the rows have no order and there are no tie_break columns.
    EngineError : when used: Spark fails.
    """

    session: Any = field(default=None, repr=False)
    schema: EventSchema | None = None
    stages: Any = None
    event_rules: Any = None
    max_quarantine_share: float = DEFAULT_QUARANTINE_SHARE
    n_partitions: int | None = None

    def __post_init__(self) -> None:
        if importlib.util.find_spec("pyspark") is None:
            raise MissingExtraError.naming("pyspark", "spark")
        n: Any = self.n_partitions
        if n is not None and not (isinstance(n, int) and n >= 1):
            raise QuestionError(f"n_partitions={n!r}", hint="give a whole number, at least 1")

    def count(
        self,
        source: Any,
        measures: Sequence[Measure],
        rules: JourneyRules | None,
        rule_fields: Mapping[str, Any],
        progress: Progress,
    ) -> Counted:
        """Count each measure over the whole source, partition by partition."""
        progress("looking the log over", 0.0)
        with _told_as_ours():
            log = self._open(source)
            check_before(log.events)
            chosen = rules_of(log.events, rules, dict(rule_fields))
            plan = _plan(log, measures, chosen)
            progress("counting on Spark", 0.3)
            n_partitions = self.n_partitions or max(1, math.ceil(sum(log.events.survey().usable) / PARTITION_ROWS))
            counted = _counted(log.rows, plan, n_partitions)
        progress("merging counts", 0.95)
        counts, tally, n_content_ties = to_counts(counted, plan)
        _check_same_log(log.events, tally)
        check_after(log.events, chosen, tally)
        if n_content_ties:
            logger.warning("%d ties inside a user were broken by content, for want of an order", n_content_ties)
        progress("counted", 1.0)
        return Counted(counts, plan.part.context, lambda: report_of(log.events, tally, log.ids))

    def _open(self, source: Any) -> SparkLog:
        if isinstance(source, Events):
            return local_log(source, self._session())
        if not isinstance(source, Config):
            source = Config(
                _as_sources(source),
                StageMap.of(self.stages or ()),
                EventRules.of(self.event_rules),
                {},
                self.max_quarantine_share,
            )
        frame = next((each.data for each in source.sources if hasattr(each.data, "sparkSession")), None)
        return spark_log(source, self.schema, self._session() if frame is None else frame.sparkSession)

    def _session(self) -> Any:
        from pyspark.sql import SparkSession

        return self.session or SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def _as_sources(source: Any) -> tuple[Source, ...]:
    if isinstance(source, Source):
        return (source,)
    if isinstance(source, list | tuple) and any(isinstance(each, Source) for each in source):
        return tuple(each if isinstance(each, Source) else Source(each) for each in source)
    return (Source(source),)


def _plan(log: SparkLog, measures: Sequence[Measure], rules: JourneyRules) -> SparkPlan:
    events = log.events
    check_questions(measures, {**log.labels, **declared_labels(events.stages)})
    part = PartPlan(
        rules,
        context_of(events, rules),
        events.stages,
        events.rules,
        log.labels,
        events.numbers,
        events.tie_breaks,
        n_latest(sum(events.survey().usable)),
    )
    return SparkPlan(part, tuple(measures), log.ordered)


def _check_same_log(events: Events, tally: LogTally) -> None:
    """Raise if the count met other events than the first look: Spark reads a DataFrame anew each time."""
    looked, counted = sum(events.survey().usable), tally.n_accepted + sum(tally.judged.values())
    if looked != counted:
        raise EngineError(
            f"the log changed while it was read: {looked:,} usable events at the first look, {counted:,} when counted",
            hint="persist the DataFrame, or read a fixed version of the table",
        )


def _counted(rows: Any, plan: SparkPlan, n_partitions: int) -> list[tuple[int, str, bytes]]:
    """Run the kernel on the users of each partition, let Spark add the counts, and bring one table of each name here."""
    from pyspark.sql import functions

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return count_rows(batches, plan)

    def merge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return merge_rows(batches, plan)

    # a partition number that is asked for by name is never coalesced or split by adaptive execution
    counted = rows.repartition(n_partitions, "user").mapInArrow(count, ddl(COUNTED))
    while n_partitions > 1:
        n_partitions = math.ceil(n_partitions / _AT_A_TIME)
        branch = functions.expr(f"spark_partition_id() % {n_partitions}")
        together = counted.withColumn("branch", branch).repartition(n_partitions, "item", "name", "branch")
        counted = together.drop("branch").mapInArrow(merge, ddl(COUNTED))
    return [(row["item"], row["name"], bytes(row["payload"])) for row in counted.collect()]


@contextlib.contextmanager
def _told_as_ours() -> Iterator[None]:
    """Spark's own failures as an error of ours, with the first line that says something."""
    from pyspark.errors import PySparkException

    failures: list[type[Exception]] = [PySparkException]
    if importlib.util.find_spec("py4j") is not None:  # the remote client has none
        failures.append(importlib.import_module("py4j.protocol").Py4JError)
    try:
        yield
    except tuple(failures) as error:
        said = [line.strip() for line in str(error).splitlines() if "Error" in line or "Exception" in line]
        raise EngineError(
            f"Spark failed: {said[-1] if said else error}",
            hint="the cause has the whole story; every executor needs journeymine and its dependencies installed",
        ) from error
