"""`Mined`: the answers of one pass over a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from journeymine.counting.counts import Counts
from journeymine.counting.measure import Measure
from journeymine.counting.result import Result
from journeymine.errors import UnknownLabelError
from journeymine.events.report import EventReport
from journeymine.journeys.context import LogContext

__all__ = ["Mined"]


@dataclass(frozen=True, eq=False)
class Mined:
    """The results of `mine`, by measure or by name: ``mined["conversion"]``.

    Attributes
    ----------
    results : one result per measure, by name. A second measure of the same name is called ``name_2``.
    counts : the merged counts behind them, by the same names.
    measures : the measures, by the same names.
    context : the bounds of the log.
    make_report : what `report` calls.
    """

    results: Mapping[str, Result]
    counts: Mapping[str, Counts]
    measures: Mapping[str, Measure]
    context: LogContext
    make_report: Callable[[], EventReport | None] = field(default=lambda: None, repr=False)

    @property
    def report(self) -> EventReport | None:
        """The report on the log, the same from every engine; None when journeys were given without their log."""
        return self.make_report()

    def __getitem__(self, which: str | Measure) -> Result:
        if isinstance(which, str):
            if which not in self.results:
                raise UnknownLabelError.naming("result", which, self.results, place="what was mined")
            return self.results[which]
        for name, measure in self.measures.items():
            if measure == which:
                return self.results[name]
        raise UnknownLabelError.naming("result", which.name, self.results, place="what was mined")

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame of every result, by the name its file would have, without the suffix."""
        found: dict[str, pl.DataFrame] = {}
        for name, result in self.results.items():
            found[name] = result.frame
            found |= {f"{name}_{table}": frame for table, frame in result.tables.items()}
        return found
