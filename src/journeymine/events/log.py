"""`Events`: a log that is read once, when first asked, and then answers from what it learnt."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import polars as pl

from journeymine.columns import MICRO, MISSING
from journeymine.errors import SourceError
from journeymine.events.coded import CodedEvents
from journeymine.events.event_rules import EventRules, clean_users, reason_names
from journeymine.events.identity import Identity
from journeymine.events.memory_pass import LoadedLog, code_frame, load
from journeymine.events.order import OrderedEvents, order_events
from journeymine.events.quarantine import check_limit, quarantine_frame, reason_counts
from journeymine.events.raw_log import RawLog, collect_files, learn_log_identity, scan_files
from journeymine.events.report import EventReport, LogFacts, build_report, facts_of_log
from journeymine.events.schema import EventSchema
from journeymine.events.stage_map import StageMap
from journeymine.events.survey import LogSurvey, sum_up, survey

__all__ = ["Events", "LogSpan"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LogSpan:
    """When a log begins and ends: of the rows usable in themselves, in µs UTC.

    Attributes
    ----------
    first, last : first and last timestamp.
    ends : last timestamp of each source that has any.
    """

    first: int
    last: int
    ends: Mapping[str, int]

    @property
    def observed_until(self) -> int:
        """Until when every source was watched: the earliest of their ends."""
        return min(self.ends.values())


class Events:
    """A log of touchpoint events. Made by `read_events`; never changes; safe to share between threads.

    Only names and types are read until a property needs rows. `coded`, `ordered`, `frame`, `report` and `quarantine`
    read the log once into memory and keep what they found; once the events were ordered, they are kept in order.
    `scan`, `survey` and `span` stream.
    """

    def __init__(
        self, log: RawLog, *, stages: StageMap, max_quarantine_share: float, journeys: Mapping[str, Any] | None = None
    ) -> None:
        self._log = log
        self._stages = stages
        self._limit = max_quarantine_share
        self._journeys = dict(journeys or {})
        self._kept: dict[str, Any] = {}
        self._handed_out = False
        self._lock = threading.RLock()

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = make()
            return cast(T, self._kept[name])

    @property
    def stages(self) -> StageMap:
        """The declared stages; an empty map when none were."""
        return self._stages

    @property
    def journey_fields(self) -> Mapping[str, Any]:
        """The ``[journeys]`` table of the configuration this log was read from, as written; empty otherwise."""
        return dict(self._journeys)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources in input order."""
        return self._log.source_names

    @property
    def files(self) -> tuple[str, ...]:
        """Paths or labels of every file and frame, in input order; position is the ``file`` of `scan`."""
        return tuple(file.path for file in self._log.files)

    @property
    def schemas(self) -> tuple[EventSchema, ...]:
        """The schema of each file, in the order of `files`."""
        return tuple(self._log.schemas)

    @property
    def rules(self) -> EventRules:
        """The declared rules about whole users."""
        return self._log.rules

    @property
    def reasons(self) -> tuple[str, ...]:
        """What each code in the ``reason`` column of `scan` stands for; 0 is accepted."""
        return reason_names(self._log.rules)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label columns: touchpoint, and where declared channel, account, attributes."""
        return self._log.labels

    @property
    def numbers(self) -> tuple[str, ...]:
        """Number columns: where declared value, cost, satisfaction."""
        return self._log.numbers

    @property
    def tie_breaks(self) -> tuple[str, ...]:
        """Tie-break columns of `scan`, most significant first."""
        return self._log.tie_breaks

    @property
    def currency(self) -> str | None:
        """The one currency of value and cost, in capitals; None where none is declared."""
        return self._loaded().currency if "loaded" in self._kept else self.survey().currency

    @property
    def max_quarantine_share(self) -> float:
        """Share of rows (0–1) that may be set aside before reading raises."""
        return self._limit

    def _loaded(self) -> LoadedLog:
        return self._once("loaded", self._read)

    def _read(self) -> LoadedLog:
        coded, loaded = load(self._log)
        self.check_rows(loaded.heights)
        self._kept["coded"] = coded
        return loaded

    def check_rows(self, heights: Sequence[int]) -> None:
        """Refuse a log with a source that has no rows: what is missing there would look like what nobody did.

        Parameters
        ----------
        heights : rows of each file.
        """
        rows = Counter(dict.fromkeys(self.sources, 0))
        for file, height in zip(self._log.files, heights, strict=True):
            rows[file.source_name] += height
        empty = [name for name, n in rows.items() if not n]
        if len(empty) == len(rows):
            raise SourceError("the log has no rows", hint="check the path, and the query that wrote it")
        if empty:
            raise SourceError(
                f"{len(empty)} of {len(rows)} sources have no rows: {', '.join(map(repr, empty))}",
                hint="check the paths, and the queries that wrote them; leave out a source that has nothing to tell",
            )

    def _check_limit(self) -> None:
        loaded = self._loaded()
        self._once("limit", lambda: check_limit(self._log, loaded, self._limit))

    def coded(self) -> CodedEvents:
        """All accepted events as integers, in input order; one full pass.

        Raises
        ------
        SourceError : a file cannot be read, or a source has no rows.
        SchemaError : money in several currencies.
        QuarantineLimitError : more than `max_quarantine_share` of the rows had to be set aside.
        """
        self._check_limit()
        with self._lock:
            if "coded" in self._kept:
                self._handed_out = True
                return cast(CodedEvents, self._kept["coded"])
        return self._ordered().in_input_order()

    def ordered(self) -> OrderedEvents:
        """The accepted events as integers, each user's together and in time order.

        They are kept in the place of those in input order.

        Raises
        ------
        The errors of `coded`.
        """
        self._check_limit()
        return self._ordered()

    def _ordered(self) -> OrderedEvents:
        self._loaded()
        return self._once("ordered", self._order)

    def _order(self) -> OrderedEvents:
        coded = self._kept.pop("coded", None)
        if coded is None:  # an earlier attempt ran out of memory
            coded = load(self._log)[0]
        # What was handed out is not ours to work in.
        return order_events(coded, consume=not self._handed_out)

    @property
    def frame(self) -> pl.DataFrame:
        """The accepted events: user, timestamp (µs UTC), touchpoint, channel, … as plain strings and floats."""
        return self._once("frame", lambda: _frame(self.coded()))

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows that were set aside, each with the reason and where it came from. Never raises for their number.

        Columns are reason, source, file, row (from 0, a header not counted), and the used columns as text, each under
        its own name behind ``raw_``.
        """
        return self._once("quarantine", lambda: quarantine_frame(self._log, self._loaded()))

    @property
    def report(self) -> EventReport:
        """Report of what was read, kept, set aside and noticed. Never raises for the number of rows set aside."""
        return self._once("report", self._find_report)

    def _find_report(self) -> EventReport:
        loaded = self._loaded()
        return self.report_of(facts_of_log(self._log, loaded, self._ordered(), reason_counts(self._log, loaded)))

    def report_of(self, facts: LogFacts) -> EventReport:
        """Make the report from what an engine learnt that read the log in parts."""
        return build_report(self._log, facts, self._stages)

    def check(self) -> EventReport:
        """Read the whole log, raise the errors there are, and return the report."""
        self._check_limit()
        return self.report

    @property
    def span(self) -> LogSpan:
        """When the whole log begins and ends."""
        return self._once("span", self._find_span)

    def _find_span(self) -> LogSpan:
        spans = self._loaded().spans if "loaded" in self._kept else self.survey().spans
        ends: dict[str, int] = {}
        for file, span in zip(self._log.files, spans, strict=True):
            if span is not None:
                ends[file.source_name] = max(span[1], ends.get(file.source_name, span[1]))
        known = [span for span in spans if span is not None]
        if not known:
            raise SourceError("no row of the log is usable", hint="events.report says why")
        return LogSpan(min(first for first, _ in known), max(last for _, last in known), ends)

    def survey(self) -> LogSurvey:
        """Counts, labels and time spans, from one light streaming pass that keeps no rows."""
        return self._once("survey", lambda: survey(self._log))

    def surveyed(self, cells: Sequence[pl.DataFrame]) -> Events:
        """The same log, for an engine that made the survey elsewhere: a frame of `cells_of` rows per file."""
        events = Events(self._log, stages=self._stages, max_quarantine_share=self._limit, journeys=self._journeys)
        events._kept["survey"] = sum_up(self._log, cells)
        return events

    def identity(self) -> Identity | None:
        """Which anonymous id belongs to whom, from one streaming pass; None where no anonymous ids are declared."""
        if not self._log.has_anonymous:
            return None
        if "loaded" in self._kept:
            return self._loaded().identity
        return self._once("identity", lambda: learn_log_identity(self._log))

    def scan(self) -> list[pl.LazyFrame]:
        """Lazy canonical rows, one frame per file in input order, for engines that stream.

        Returns
        -------
        Frames with user, (event_id), timestamp i64 µs, labels as plain strings with null for absent, numbers as i64
        millionths, tie_break_0 …, source u16, file u32, row i64, reason u8 (0: usable in itself). Anonymous ids are
        resolved. What concerns whole users (`clean_users`) is left to whoever has gathered them.
        """
        return scan_files(self._log, self.identity())

    def rows(self) -> list[pl.DataFrame]:
        """The rows of `scan`, one frame per file.

        Raises
        ------
        SourceError : a file cannot be read; names it.
        """
        return collect_files(self.scan(), self._log.files)

    def clean_users(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Accepted and quarantined rows of a frame of `scan` rows that holds whole users, in input order."""
        return clean_users(frame, self._log.rules)

    def code_frame(self, frame: pl.DataFrame) -> CodedEvents:
        """Code accepted `scan` rows, in input order, exactly as `coded` does for the whole log."""
        return code_frame(
            frame, attributes=self._log.labels, numbers=self._log.numbers, tie_breaks=self._log.tie_breaks
        )

    def __repr__(self) -> str:
        files = f"{len(self._log.files)} file{'s' * (len(self._log.files) != 1)}"
        read = f", {sum(self._kept['loaded'].accepted):,} events" if "loaded" in self._kept else ", not read yet"
        return f"<Events: {', '.join(self.sources)} ({files}{read})>"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _frame(coded: CodedEvents) -> pl.DataFrame:
    columns = {
        "user": coded.user,
        "timestamp": pl.Series(coded.timestamp).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    }
    order = ("touchpoint", "channel")
    labels = [*(name for name in order if name in coded.labels), *(name for name in coded.labels if name not in order)]
    columns |= {name: coded.labels[name].decode() for name in labels}
    for name, micro in coded.numbers.items():
        # NumPy divides to the nearest float; Polars multiplies by the inverse, and 20.76 would not come back
        units = pl.Series(name, micro / MICRO)
        columns[name] = units.set(pl.Series(micro == MISSING), None)
    return pl.DataFrame(columns)
