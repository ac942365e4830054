"""What a state is created with and keeps for good: how dumps are read, the rules, the questions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from journeymine.counting.measure import Measure, listed_measures, question_of
from journeymine.durations import describe, microseconds
from journeymine.errors import RulesError, SchemaError, StateError
from journeymine.events.config import DEFAULT_QUARANTINE_SHARE, Config, read_config
from journeymine.events.event_rules import EventRules
from journeymine.events.schema import EventSchema
from journeymine.events.sources import Source
from journeymine.events.stage_map import StageMap
from journeymine.journeys.predicate import Predicate
from journeymine.journeys.rules import JourneyRules
from journeymine.metrics.periods import check_zone
from journeymine.nightly.measures import measure_from_data, measure_to_data
from journeymine.nightly.questions import answerable, check_answers, check_table_names, default_measures, read_measures
from journeymine.nightly.rows import KEPT_OF_ROWS

__all__ = ["OPTIONS", "Settings"]

OPTIONS = ("allowed_lateness", "timezone", "every", "keep_days", "alarm_rate")
"""Names of the settings that are neither rules nor questions."""

_TAKEN = frozenset({"daily", "map", "nights", "open_journeys", "watch"})
"""Names of a report's own files."""

_WATCHES = ("within", "horizon", "bin")
"""Fields of measures that name a time for which a journey is watched, whatever `observed_until` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The fixed part of a state.

    Attributes
    ----------
    config : sources with their schemas (paths relative to a dump), stages, event rules, quarantine limit.
    rules : how journeys are cut; a split that closes by itself.
    measures : the questions, by the name of their result.
    allowed_lateness : how long after its own time an event may still arrive.
    timezone : whose calendar says on which day a journey started.
    every : how often a dump comes; a longer pause is a missing night.
    keep_days : days for which each night's accepted and quarantined rows are kept.
    alarm_rate : share of quiet nights on which `report` may flag something.
    """

    config: Config
    rules: JourneyRules
    measures: Mapping[str, Measure]
    allowed_lateness: str = "1d"
    timezone: str = "UTC"
    every: str = "1d"
    keep_days: int = 30
    alarm_rate: float = 0.01

    @classmethod
    def of(
        cls,
        config: Config | str | Path | None = None,
        *,
        schema: EventSchema | None = None,
        rules: JourneyRules | None = None,
        measures: Iterable[Measure] | Mapping[str, Measure] | str | Path | None = None,
        stages: Any = None,
        **options: Any,
    ) -> Settings:
        """Settings from what the caller gave."""
        unknown = sorted(set(options) - {*OPTIONS, "event_rules", "max_quarantine_share"})
        if unknown:
            raise RulesError(f"there is no option {unknown[0]!r}", hint=f"there are: {', '.join(OPTIONS)}")
        read = read_config(config) if isinstance(config, str | Path) else config
        home = Path(config).parent if isinstance(config, str | Path) else None
        if read is None:
            read = Config((Source("", schema or EventSchema(), "dump"),), StageMap.of(stages),
                          max_quarantine_share=options.pop("max_quarantine_share", DEFAULT_QUARANTINE_SHARE))  # fmt: skip
            event_rules = options.pop("event_rules", None)
            read = dataclasses.replace(read, event_rules=EventRules.of(event_rules))
        elif schema is not None or stages is not None:
            raise RulesError("schema or stages are given beside a configuration", hint="write them into it")
        read = dataclasses.replace(read, sources=tuple(_relative(source, home) for source in read.sources))
        _check_attributes(read)
        if rules is not None and not isinstance(rules, JourneyRules):
            raise RulesError(f"rules are a {type(rules).__name__}", hint="JourneyRules(goal=…)")
        chosen = rules or JourneyRules.from_data(read.journeys)
        for name in ("allowed_lateness", "every"):
            if name in options:
                options[name] = describe(microseconds(options[name], name=name, zero=name == "allowed_lateness"))
        check_zone(options.get("timezone", "UTC"))
        _check_rules(chosen)
        if measures is None:
            asked = answerable(default_measures(read), read, chosen)
        else:
            asked = (
                read_measures(Path(measures), default_measures(read))
                if isinstance(measures, str | Path)
                else _named(measures)
            )
        settings = cls(config=dataclasses.replace(read, journeys={}), rules=chosen, measures=asked, **options)
        settings._check()
        check_answers(asked, read, chosen)
        return settings

    def _check(self) -> None:
        check_table_names(self.measures, _TAKEN)
        for name, measure in self.measures.items():
            if question_of(measure_from_data(measure_to_data(measure))) != question_of(measure):
                raise StateError(f"the measure {name!r} cannot be stored", hint="use a measure of this package")
        rate: Any = self.alarm_rate
        if not isinstance(rate, float | int) or not 0 < rate < 1:
            raise RulesError(f"alarm_rate={rate} is no share", hint="e.g. 0.01: one quiet night in a hundred")
        days: Any = self.keep_days
        if not isinstance(days, int) or days < 0:
            raise RulesError(
                f"keep_days={days!r} is no number of days", hint="0 keeps no detail of nights that are over"
            )

    @property
    def lateness_us(self) -> int:
        """`allowed_lateness` in µs."""
        return microseconds(self.allowed_lateness, zero=True)

    @property
    def every_us(self) -> int:
        """`every` in µs."""
        return microseconds(self.every)

    @property
    def has_anonymous(self) -> bool:
        """Whether some source has anonymous ids beside those of users."""
        return any(source.schema is not None and source.schema.anonymous for source in self.config.sources)

    @property
    def nightly(self) -> dict[str, Measure]:
        """Measures whose counts add up over nights: what they count lies inside one journey."""
        return {name: m for name, m in self.measures.items() if m.unit != "user"}

    @property
    def by_user(self) -> dict[str, Measure]:
        """Measures that count users, and need the ledger."""
        return {name: m for name, m in self.measures.items() if m.unit == "user"}

    @property
    def settle_us(self) -> int:
        """The longest time that a question still watches a journey after its end, in µs."""
        watched = [getattr(measure, name, None) for measure in self.nightly.values() for name in _WATCHES]
        return max([0, *(microseconds(length) for length in watched if length is not None)])

    @property
    def named_touchpoints(self) -> set[str]:
        """Touchpoints that the rules and the questions name: known labels, even on a night that lacks them."""
        forms = [self.rules.goal, self.rules.lost_at]
        forms += [getattr(m, each.name) for m in self.measures.values() for each in fields(m)]  # type: ignore[arg-type]
        return {label for form in forms for label in _touchpoints(form)}

    def to_data(self) -> dict[str, Any]:
        """Plain data for the manifest."""
        return {
            "sources": [
                {"name": s.name, "path": s.data, "schema": (s.schema or EventSchema()).to_fields()}
                for s in self.config.sources
            ],
            "stages": self.config.stages.to_toml(),
            "never_before": [list(pair) for pair in self.config.event_rules.never_before],
            "max_quarantine_share": self.config.max_quarantine_share,
            "rules": self.rules.to_data(),
            "measures": {name: measure_to_data(measure) for name, measure in self.measures.items()},
            **{name: getattr(self, name) for name in OPTIONS},
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Settings:
        """Read what `to_data` wrote."""
        tables = tomllib.loads(data["stages"])
        sources = tuple(
            Source(s["path"], EventSchema.from_fields(s["schema"]), s["name"]) for s in data["sources"]
        )  # fmt: skip
        stages = StageMap.of(tables.get("stages", ()), touchpoints=tables.get("touchpoints", ()))
        event_rules = EventRules(never_before=data["never_before"])
        options = {name: data[name] for name in OPTIONS}
        return cls(
            config=Config(sources, stages, event_rules, {}, data["max_quarantine_share"]),
            rules=JourneyRules.from_data(data["rules"]),
            measures={name: measure_from_data(each) for name, each in data["measures"].items()},
            **options,
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that changes what is counted, in 16 hex digits."""
        loose = {"keep_days", "alarm_rate", "every"}
        fixed = {name: value for name, value in self.to_data().items() if name not in loose}
        text = json.dumps(fixed, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_rules(rules: JourneyRules) -> None:
    if rules.split not in (None, "session"):
        raise RulesError(
            f"split={rules.split!r} never closes by itself: a row of any night may still belong to a journey of any "
            "other, so that none could be sealed",
            hint="leave split out, or cut by session; for journeys by user or by a column, mine the whole log",
        )
    if rules.observed_until is not None:
        raise RulesError("observed_until is fixed in the rules", hint="each night names its own, with until=")


def _check_attributes(config: Config) -> None:
    """Refuse attributes named like what a state keeps of a row."""
    for source in config.sources:
        for name in source.schema.attributes if source.schema is not None else ():
            if name in KEPT_OF_ROWS or name.startswith("_"):
                raise SchemaError(
                    f"a state keeps a column {name!r} of its own, and the log has an attribute of that name",
                    hint="rename the column in the source, or leave it out of the attributes",
                )


def _touchpoints(form: Any) -> set[str]:
    if isinstance(form, Predicate):
        return set(form.touchpoints() or ())
    if isinstance(form, tuple | list):
        return set().union(*(_touchpoints(item) for item in form))
    condition = getattr(form, "condition", None)
    return set() if condition is None else _touchpoints(condition)


def _named(measures: Iterable[Measure] | Mapping[str, Measure]) -> dict[str, Measure]:
    if isinstance(measures, Mapping):
        listed_measures(measures.values())
        return {str(name): measure for name, measure in measures.items()}
    named: dict[str, Measure] = {}
    for measure in listed_measures(measures):
        taken = sum(name == measure.name or name.startswith(f"{measure.name}_") for name in named)
        named[measure.name if not taken else f"{measure.name}_{taken + 1}"] = measure
    return named


def _relative(source: Source, home: Path | None) -> Source:
    """The source with its paths relative to the configuration, so that they can be found below any dump."""

    def relative(path: Any) -> Any:
        if home is None or not isinstance(path, str):
            return path if isinstance(path, str) else ""
        return str(Path(path).relative_to(home)) if Path(path).is_relative_to(home) else path

    data = [relative(item) for item in source.data] if isinstance(source.data, list) else relative(source.data)
    return Source(data, source.schema or EventSchema(), source.name or "dump")
