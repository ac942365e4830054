"""`NightlyState`: a directory that a batch job advances with each night's dump."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
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
from journeymine.nightly.manifest import new_manifest, settings_in
from journeymine.nightly.night import SET_ASIDE, Night, nights_frame
from journeymine.nightly.past import all_nights
from journeymine.nightly.rebuild import rebuild_from
from journeymine.nightly.repair import repair, verify
from journeymine.nightly.replace import replace_night
from journeymine.nightly.report import NightReport, write_report
from journeymine.nightly.settings import OPTIONS, Settings
from journeymine.nightly.store import Store

__all__ = ["NightlyState"]


@dataclass(frozen=True, slots=True)
class NightlyState:
    """The state of a batch job: made once, advanced with each night's dump, asked at any time.

    Every answer is that of one batch over all accepted events in order of arrival, each as it was accepted: anonymous ids
    and `never_before` rules are judged within one dump. Only the number of distinct users behind a figure is a lower
    bound, because no list of users is kept, and what hangs on it errs on the side of caution.

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
        """Make a state before its first night.

        Parameters
        ----------
        directory : new or empty.
        config : a TOML file or `Config`: sources (paths relative to a dump), stages, rules; or instead `schema` and
            `stages` of a log of one source.
        rules : as of `build_journeys`; by default those of the configuration. The split must close by itself.
        measures : the questions, as a list, by name, or a TOML file of them (see docs/nightly.md); by default those of a
            journey map that the rules can answer.
        allowed_lateness : how long after its own time an event may still arrive; ``"1d"``.
        timezone : whose calendar says on which day a journey started; ``"UTC"``.
        every : how often a dump comes; ``"1d"``.
        keep_days : days for which rows set aside are kept; 30.
        alarm_rate : share of quiet nights on which `report` may flag something; 0.01.

        Raises
        ------
        StateError : the directory holds something already.
        RulesError : a split that never closes, or an option that is no length of time.
        QuestionError, UnknownLabelError : a measure that these rules and columns cannot answer.
        """
        settings = Settings.of(config, schema=schema, rules=rules, measures=measures, stages=stages, **options)
        path = _empty(directory)
        store = Store(path)
        with store.writing():
            store.commit(new_manifest(settings))
        return cls(path)

    @classmethod
    def open(cls, directory: str | Path) -> NightlyState:
        """Open the state in a directory.

        Raises
        ------
        StateError : there is none, it is damaged, or of another format.
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
        """Make a state anew from dumps, in order; the old one stays as it is.

        Parameters
        ----------
        old : the state whose rules are taken, and which knows until when each dump was complete.
        directory : of the new state.
        config : new sources, stages and rules, asked the questions of a journey map; by default those of the old state.
        measures : new questions, as of `create`.

        Raises
        ------
        StateError : what the old state knew cannot be read, or a dump is one that a corrected dump replaced.
        The errors of `advance`, by a dump that cannot be used; of the new state nothing is left then.
        """
        path = _empty(directory)
        rebuild_from(Path(old), Store(path), dumps, config, measures)
        return cls(path)

    @property
    def settings(self) -> Settings:
        """What the state was created with."""
        return Settings.from_data(self._store.read()["settings"])

    @property
    def nights(self) -> pl.DataFrame:
        """One row per night: night, dump, observed_until, rows, and whether it may still be replaced."""
        return nights_frame(all_nights(self._store, self._store.read()))

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows set aside, of the nights of which detail is still kept.

        Columns night, dump, reason, source, file, row, user, timestamp (µs UTC), touchpoint.
        """
        store = self._store
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
        """Refuse settings other than those the state was created with.

        Raises
        ------
        StateError : rules, schema, stages or measures differ; names the first that does.
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
        """Refuse a configuration, and questions where they are given, other than those the state was created with.

        Raises
        ------
        StateError : as of `check_settings`.
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
        until : until when the log is complete with it: a date (all of it), a datetime, ISO text or µs; by default the
            dump's last timestamp, with several sources the earliest of their ends.
        replaces : the number of the night that this dump corrects.

        Returns
        -------
        Night; `changed` is False where the very same dump had been taken in before.

        Raises
        ------
        StateError : the clock would go backwards, the state is locked, damaged or cannot be written, or the night to be
            replaced is sealed in part. The state is as it was.
        SchemaError, SourceError, QuarantineLimitError, WildTimestampError : the dump cannot be used. Likewise.
        """
        if replaces is not None:
            return replace_night(self._store, dump, replaces, until)
        return _advance.advance(self._store, dump, until)

    def report(
        self,
        out: str | Path,
        *,
        start: date | datetime | str | None = None,
        end: date | datetime | str | None = None,
        title: str = "Customer journey map",
        min_group: int = 10,
        confidence: float = 0.95,
    ) -> NightReport:
        """Write the map, every table, the open journeys with their chance to convert, and what stands out tonight.

        Parameters
        ----------
        out : folder for ``map.html``, one Parquet file per table (each row with as_of, run_id and mature) and
            ``watch.json``; each file is written whole or not at all.
        start, end : as of `results`.
        title, min_group : of the map, see `journey_map`.

        Raises
        ------
        StateError : nothing is accepted yet, the state is damaged, or `out` cannot be written.

        Notes
        -----
        ``open_journeys.parquet`` names users, because somebody is to act on it; nothing else does.
        """
        days = (_day(start), _day(end))
        return write_report(self._store, Path(out), days, confidence=confidence, title=title, min_group=min_group)

    def verify(self) -> dict[str, Any]:
        """Compare every object with its checksum; ``damaged`` names those that are missing or changed."""
        return verify(self._store)

    def repair(self) -> dict[str, Any]:
        """Go back to the latest generation that is whole, and remove what a killed process left.

        Raises
        ------
        StateError : none is whole; then only `rebuild` helps.
        """
        return repair(self._store)

    def erase(self, user: str) -> dict[str, int]:
        """Remove all events of a user; sealed counts, which name nobody, stay.

        Parameters
        ----------
        user : the id as text; ``"anonymous:…"`` for what was kept under an anonymous id.

        Returns
        -------
        Rows removed by place, and the user's journeys that remain in sealed counts.

        Raises
        ------
        StateError : what is given is no id.
        """
        return erase_user(self._store, user)

    def results(
        self,
        start: date | datetime | str | None = None,
        end: date | datetime | str | None = None,
        *,
        confidence: float = 0.95,
    ) -> dict[str, Result]:
        """Every answer, over the journeys that started from the day `start` on and before the day `end`.

        Days are of the state's calendar; None is without bound. Figures of user-unit measures are those of these journeys.
        """
        manifest = self._store.read()
        settings = settings_in(manifest)
        return results_of(self._store, manifest, settings, (_day(start), _day(end)), confidence)


def _empty(directory: str | Path) -> Path:
    path = Path(directory)
    if path.is_dir() and any(
        each.name not in ("lock", "objects") and each.suffix != ".partial" for each in path.iterdir()
    ):
        raise StateError(f"{path} is not empty", hint="give a new directory, or open the state in it")
    return path


def _day(given: date | datetime | str | None) -> int | None:
    """Days since 1970 of a day."""
    if given is None:
        return None
    try:
        day = date.fromisoformat(given[:10]) if isinstance(given, str) else date(given.year, given.month, given.day)
    except (ValueError, AttributeError) as error:
        raise StateError(f"{given!r} is no day", hint="e.g. 2026-03-01") from error
    return day.toordinal() - date(1970, 1, 1).toordinal()
