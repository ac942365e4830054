"""`NightlyState`: a directory that a batch job advances with each night's dump."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.counting.measure import Measure
from journeymine.counting.result import Result
from journeymine.errors import StateError
from journeymine.events.config import Config
from journeymine.events.schema import EventSchema
from journeymine.journeys.rules import JourneyRules
from journeymine.nightly import advance as _advance
from journeymine.nightly.answers import results_of
from journeymine.nightly.erase import erase_user
from journeymine.nightly.making import make
from journeymine.nightly.manifest import new_manifest, settings_in
from journeymine.nightly.night import SET_ASIDE, Night, nights_frame
from journeymine.nightly.past import all_nights
from journeymine.nightly.period import Day, days_between
from journeymine.nightly.rebuild import rebuild_from
from journeymine.nightly.repair import repair, verify
from journeymine.nightly.replace import replace_night
from journeymine.nightly.report import NightReport, write_report
from journeymine.nightly.settings import OPTIONS, Settings
from journeymine.nightly.store import Store

__all__ = ["NightlyState"]


@dataclass(frozen=True, slots=True)
class NightlyState:
    """The state of a nightly batch job: made once, advanced with each night's dump, asked at any time.

    Every answer is that of one batch over all accepted events in order of arrival, each as it was accepted: anonymous
    ids and `never_before` rules are judged within one dump. One thing differs. No list of users is kept, so the number
    of distinct users behind a figure is a lower bound, and what depends on it errs on the side of caution.

    Parameters
    ----------
    directory : of the state; see `create` and `open`.

    Examples
    --------
    >>> import tempfile
    >>> rows = pl.DataFrame({"user": ["a", "a", "b"], "t": [0, 60, 90], "what": ["visit", "order", "visit"]})
    >>> schema = EventSchema(timestamp="t", time_unit="s", touchpoint="what")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = NightlyState.create(folder, schema=schema, rules=JourneyRules(goal="order"))
    ...     night = state.advance(rows, until="1970-01-01")
    ...     state.results()["conversion"].frame["n_journeys"].to_list()
    [2]
    """

    directory: Path

    @property
    def _store(self) -> Store:
        return Store(Path(self.directory))

    @classmethod
    def create(
        cls,
        directory: str | Path,
        *,
        config: Config | str | Path | None = None,
        schema: EventSchema | None = None,
        rules: JourneyRules | None = None,
        measures: Iterable[Measure] | Mapping[str, Measure] | str | Path | None = None,
        stages: Any = None,
        **options: Any,
    ) -> NightlyState:
        """Make a new state, before its first night.

        Parameters
        ----------
        directory : where the state is kept: new or empty.
        config : a TOML file or `Config` with sources (paths relative to a dump), stages and rules. For a log of one
            source, `schema` and `stages` may be given instead.
        rules : as in `build_journeys`. By default those of the configuration. Journeys must close by themselves under
            their `split`.
        measures : the questions, as a list, by name, or as a TOML file of them (see docs/nightly.md). By default those
            of a journey map that the rules can answer.
        allowed_lateness : how long after its own time an event may still arrive; by default ``"1d"``.
        timezone : the zone whose calendar says on which day a journey started; by default ``"UTC"``.
        every : how often a dump comes; by default ``"1d"``.
        keep_days : for how many days rows that were set aside are kept; by default 30.
        alarm_rate : share of quiet nights on which `report` may flag something; by default 0.01.

        Raises
        ------
        StateError : the directory holds something already.
        RulesError : journeys would never close under the split, or an option is no length of time.
        QuestionError, UnknownLabelError : these rules and columns cannot answer a measure.
        """
        settings = Settings.of(config, schema=schema, rules=rules, measures=measures, stages=stages, **options)
        make(Path(directory), new_manifest(settings))
        return cls(Path(directory))

    @classmethod
    def open(cls, directory: str | Path) -> NightlyState:
        """Open the state in a directory.

        Raises
        ------
        StateError : there is none, it is damaged, or it is of another format.
        """
        state = cls(Path(directory))
        state._store.read()
        return state

    @classmethod
    def rebuild(
        cls,
        old: str | Path,
        directory: str | Path,
        dumps: Sequence[Any],
        *,
        config: Config | str | Path | None = None,
        measures: Iterable[Measure] | Mapping[str, Measure] | str | Path | None = None,
    ) -> NightlyState:
        """Make a state anew from dumps, in order. The old state stays as it is.

        Parameters
        ----------
        old : the state whose rules are taken, and which knows until when each dump was complete.
        directory : of the new state.
        config : new sources, stages and rules, which are asked the questions of a journey map. By default those of the
            old state.
        measures : new questions, as in `create`.

        Raises
        ------
        StateError : what the old state knew cannot be read, a dump is one that a corrected dump replaced, or another
            process is making a state there. Before the last dump is in, there is no state in `directory`.
        """
        rebuild_from(Path(old), Path(directory), dumps, config, measures)
        return cls(Path(directory))

    @property
    def settings(self) -> Settings:
        """What the state was created with."""
        return Settings.from_data(self._store.read()["settings"])

    @property
    def nights(self) -> pl.DataFrame:
        """One row per night: night, dump, observed_until, rows, and whether the night may still be replaced."""
        store = self._store
        with store.reading():
            return nights_frame(all_nights(store, store.read()))

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows that were set aside, of the nights for which they are still kept.

        Columns are night, dump, reason, source, file, row, user, timestamp (µs UTC) and touchpoint.
        """
        store = self._store
        with store.reading():
            kept = [night for night in store.read()["nights"] if night["aside"] is not None]
            parts = [
                store.read_table(night["aside"]).select(
                    pl.lit(night["id"], dtype=pl.Int64).alias("night"),
                    pl.lit(night["dump"]).alias("dump"),
                    *SET_ASIDE,
                )
                for night in kept
            ]
        return pl.concat([pl.DataFrame(schema={"night": pl.Int64, "dump": pl.String, **SET_ASIDE}), *parts])

    def check_settings(self, settings: Settings) -> None:
        """Raise if the settings are not those that the state was created with.

        Raises
        ------
        StateError : rules, schema, stages or measures differ; the first that does is named.
        """
        own = self._store.read()
        kept = Settings.from_data(own["settings"])
        if kept.fingerprint == settings.fingerprint:
            return
        given = settings.to_data()
        names = [name for name, value in kept.to_data().items() if given[name] != value]
        raise StateError(
            f"{', '.join(names)} differ from what {self.directory} was created with",
            hint="a state keeps its rules and measures; journeymine nightly rebuild --from-dumps makes a new one",
        )

    def check_config(
        self,
        config: Config | str | Path,
        measures: Iterable[Measure] | Mapping[str, Measure] | str | Path | None = None,
    ) -> None:
        """Raise if a configuration, or the questions where given, are not those that the state was created with.

        Raises
        ------
        StateError : as in `check_settings`.
        """
        own = self.settings
        kept = {name: getattr(own, name) for name in OPTIONS}
        asked = own.measures if measures is None else measures
        self.check_settings(Settings.of(config, measures=asked, **kept))

    def advance(self, dump: Any, until: Any = None, replaces: int | None = None) -> Night:
        """Take in the next dump.

        Parameters
        ----------
        dump : a file, a folder with the files of the configuration's sources, a frame, or `Events`.
        until : the time up to which the log is complete with this dump: a date (all of that day), a datetime, ISO text
            or µs. By default the dump's last timestamp; with several sources the earliest of their ends.
        replaces : number of the night that this dump corrects. By default it is a new night.

        Returns
        -------
        Night : its `changed` is False where the very same dump had been taken in before.

        Raises
        ------
        StateError : the clock would go backwards, the state is locked, damaged or cannot be written, or the night to be
            replaced is sealed in part. The state is left as it was.
        SchemaError, SourceError, QuarantineLimitError, WildTimestampError : the dump cannot be used. The state is left
            as it was.
        """
        if replaces is not None:
            return replace_night(self._store, dump, replaces, until)
        return _advance.advance(self._store, dump, until)

    def report(
        self,
        out: str | Path,
        *,
        start: Day = None,
        end: Day = None,
        title: str = "Customer journey map",
        min_group: int = 10,
        confidence: float = 0.95,
    ) -> NightReport:
        """Write the map, every table, the open journeys with their chance to convert, and what stands out tonight.

        Parameters
        ----------
        out : folder for ``map.html``, one Parquet file per table (each row with as_of, run_id and mature) and
            ``watch.json``. Each file is written whole or not at all.
        start, end : as in `results`.
        title, min_group : of the map, see `journey_map`.

        Raises
        ------
        StateError : nothing is accepted yet, the state is damaged, or `out` cannot be written.

        Notes
        -----
        ``open_journeys.parquet`` names users, because somebody is to act on it. Nothing else does.
        """
        days = days_between(start, end)
        return write_report(self._store, Path(out), days, confidence=confidence, title=title, min_group=min_group)

    def verify(self) -> dict[str, Any]:
        """Compare every file of the state with its checksum; ``damaged`` names those that are missing or changed."""
        return verify(self._store)

    def repair(self) -> dict[str, Any]:
        """Go back to the latest generation of the state that is whole, and remove what a killed process left.

        Raises
        ------
        StateError : no generation is whole; then only `rebuild` helps.
        """
        return repair(self._store)

    def erase(self, user: str) -> dict[str, int]:
        """Remove all events of a user. Sealed counts name nobody and stay.

        Parameters
        ----------
        user : the id as text; ``"anonymous:…"`` for what was kept under an anonymous id.

        Returns
        -------
        How many rows were removed from each place, and how many of the user's journeys remain in sealed counts.

        Raises
        ------
        StateError : what is given is no id.
        """
        return erase_user(self._store, user)

    def results(
        self,
        start: Day = None,
        end: Day = None,
        *,
        confidence: float = 0.95,
    ) -> dict[str, Result]:
        """All answers, over the journeys that started from the day `start` on and before the day `end`.

        Days are of the state's calendar; None means without bound. Figures of user-unit measures are those of these
        journeys. `confidence` is the level of the intervals.
        """
        days, store = days_between(start, end), self._store
        with store.reading():
            manifest = store.read()
            return results_of(store, manifest, settings_in(manifest), days, confidence)
