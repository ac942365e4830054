"""The report of a night: map, tables, open journeys, and what stands out."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.finish import mapping_of_tables
from journeymine.counting.result import Result
from journeymine.errors import QuestionError, StateError
from journeymine.files import parquet_bytes, write_whole
from journeymine.maps.mapping import journey_map
from journeymine.metrics.conversion import Conversion
from journeymine.metrics.periods import period_of
from journeymine.nightly.answers import carried_now, results_of, table_by_day
from journeymine.nightly.chances import open_journeys
from journeymine.nightly.daily import daily_frame, lost_series, mature_before
from journeymine.nightly.manifest import context_of, settings_in
from journeymine.nightly.night import nights_frame
from journeymine.nightly.past import all_nights
from journeymine.nightly.sealing import Carried
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import Store
from journeymine.nightly.watch import Flag, series_of_nights, unseen, watch

__all__ = ["NightReport", "write_report"]

_MAP = ("conversion", "nodes", "flows", "paths")


@dataclass(frozen=True, slots=True)
class NightReport:
    """What `nightly report` wrote.

    Attributes
    ----------
    as_of : until when the log is complete, ISO 8601 UTC.
    run_id : of the state that answered: the same state, the same id.
    flags : what stands out tonight, the least likely first.
    n_compared : figures that had enough history to be compared.
    alarm_rate : chance that a quiet night flags anything.
    missing_nights : that should have come just before tonight.
    files : all that was written.
    """

    as_of: str
    run_id: str
    flags: tuple[Flag, ...]
    n_compared: int
    alarm_rate: float
    missing_nights: int
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "as_of": self.as_of,
            "run_id": self.run_id,
            "flagged": bool(self.flags),
            "flags": [flag.to_dict() for flag in self.flags],
            "n_compared": self.n_compared,
            "alarm_rate": self.alarm_rate,
            "missing_nights": self.missing_nights,
            "files": [path.name for path in self.files],
        }


def write_report(
    store: Store, out: Path, days: tuple[int | None, int | None], *, confidence: float, title: str, min_group: int
) -> NightReport:
    """Write the report. See `NightlyState.report`."""
    with store.reading():
        manifest = store.read()
        settings = settings_in(manifest)
        as_of = str(np.datetime64(context_of(manifest).observed_until, "us")) + "Z"
        run_id = _run_id(manifest, days)
        results = results_of(store, manifest, settings, days, confidence)
        carried = carried_now(store, manifest, settings)
        stamp = [pl.lit(as_of).alias("as_of"), pl.lit(run_id).alias("run_id")]
        tables = {
            **_answers(manifest, settings, days, results, stamp),
            **_nightly(store, manifest, settings, carried, results, stamp),
        }
        flags, n_compared = flags_of(store, manifest, settings, carried)
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        files = [_write(out / f"{name}.parquet", frame) for name, frame in tables.items()]
        files += _draw(out, results, title, min_group)
        report = NightReport(
            as_of,
            run_id,
            tuple(flags),
            n_compared,
            settings.alarm_rate,
            manifest["nights"][-1]["missing"],
            tuple(files),
        )
        write_whole(out / "watch.json", json.dumps(report.to_dict(), ensure_ascii=False, indent=1).encode())
    return report


def _answers(
    manifest: dict[str, Any], settings: Settings, days: tuple[int | None, int | None], results: Mapping[str, Result],
    stamp: list[pl.Expr],
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """The tables of the questions by file stem, with whether all journeys of the period are old enough."""
    whole = days[1] is not None and days[1] <= mature_before(manifest, settings)
    return {
        table: frame.with_columns(*stamp, mature=pl.lit(whole))
        for name, result in results.items()
        for table, frame in _named(name, result).items()
    }


def _nightly(
    store: Store, manifest: dict[str, Any], settings: Settings, carried: Carried, results: Mapping[str, Result],
    stamp: list[pl.Expr],
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """The tables of every report by file stem: open journeys, nights and days."""
    found = {
        "open_journeys": open_journeys(carried.journeys, settings.measures, results).with_columns(stamp),
        "nights": nights_frame(all_nights(store, manifest)).with_columns(*stamp, mature=pl.lit(value=True)),
    }
    by_day = _by_day(store, manifest, settings, carried)
    return found if by_day is None else {**found, "daily": by_day.with_columns(stamp)}


def flags_of(store: Store, manifest: dict[str, Any], settings: Settings, carried: Carried) -> tuple[list[Flag], int]:
    """What stands out in the last night, and how many figures were compared."""
    nights = manifest["nights"]
    ends = np.array([night["observed_until"] for night in nights], dtype=np.int64)
    weekdays = (period_of(ends - 1, "day", settings.timezone) + 3) % 7
    series = series_of_nights(nights, weekdays.tolist())
    flags, n_compared = watch([*series, *lost_series(store, manifest, settings, carried)], settings.alarm_rate)
    return [*unseen(nights), *flags], n_compared


def _by_day(store: Store, manifest: dict[str, Any], settings: Settings, carried: Carried) -> pl.DataFrame | None:
    """Journeys by the day they started on, from the plainest conversion there is."""
    for name, measure in settings.nightly.items():
        if isinstance(measure, Conversion) and not measure.by and measure.horizon is None:
            table = table_by_day(store, manifest, settings, carried, name, "outcomes", (None, None))
            counts = ("n_journeys", "n", "converted", "lost", "open", "service", "immature", "left_truncated")
            by_day = table.group_by("_day").agg(pl.col(c).sum() for c in counts).sort("_day")
            return daily_frame(by_day, settings, manifest)
    return None


def _named(name: str, result: Result) -> dict[str, pl.DataFrame]:
    """The frames of a result by file stem, under the name that the state gave the measure."""
    return {name + table.removeprefix(result.name): frame for table, frame in mapping_of_tables(result).items()}


def _draw(out: Path, results: Mapping[str, Result], title: str, min_group: int) -> list[Path]:
    needed = {*_MAP}
    if "nodes" in results and "channel" in results["nodes"].frame.columns:
        needed |= {"channels"}  # its lanes
    if not needed <= set(results):
        return []  # the state was created with other questions than those of a map
    try:
        return [journey_map(results, title=title, min_group=min_group).save(out / "map.html")]
    except QuestionError:
        return []  # nothing in it that enough users stand behind


def _run_id(manifest: Mapping[str, Any], days: tuple[int | None, int | None]) -> str:
    nights = [(night["id"], night["content"], night["observed_until"]) for night in manifest["nights"]]
    past = [run["object"] for run in manifest["past"]]
    text = json.dumps([manifest["fingerprint"], manifest["generation"], past, nights, days], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Tell a failure to write as an error of ours."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"the report cannot be written to {out}: {error}. The state is as it was",
            hint="make room or give the right to write, then run the same command again",
        ) from error


def _write(path: Path, frame: pl.DataFrame) -> Path:
    write_whole(path, parquet_bytes(frame))
    return path
