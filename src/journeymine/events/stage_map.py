"""`StageMap`: which stage of the journey a touchpoint belongs to, and who is behind it."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

from journeymine.columns import escape_reserved
from journeymine.errors import SchemaError
from journeymine.events.toml_text import toml_value

__all__ = ["Stage", "StageMap", "TouchpointFacts", "TouchpointPattern"]

_EXACT, _GLOB, _REGEX = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TouchpointPattern:
    """Touchpoints by name, by glob (``*``, ``?``, ``[…]``), or by regular expression (``re:…``, found anywhere).

    Parameters
    ----------
    touchpoint : the name or pattern; upper and lower case differ. A pattern equal to a name is that name.
    channel : only on this channel, itself a name or pattern; None: on every channel.
    """

    touchpoint: str
    channel: str | None = None

    def __post_init__(self) -> None:
        for pattern in (self.touchpoint, self.channel):
            if pattern is not None:
                _check_text("stage pattern", pattern, hint='"name", "na*" or "re:^na"')
            if pattern is not None and pattern.startswith("re:"):
                try:
                    re.compile(pattern[3:])
                except re.error as error:
                    raise SchemaError(
                        f"stage pattern {pattern!r} is no regular expression: {error}",
                        hint="the syntax is that of Python's re module",
                    ) from error

    @classmethod
    def of(cls, given: Any) -> TouchpointPattern:
        """A pattern from text, or from ``{touchpoint = …, channel = …}``."""
        if isinstance(given, TouchpointPattern):
            return given
        if isinstance(given, str):
            return cls(given)
        unknown = sorted(set(given) - {"touchpoint", "channel"}) if isinstance(given, Mapping) else [repr(given)]
        if unknown or "touchpoint" not in given:
            raise SchemaError(
                f"stage pattern {given!r} is not understood", hint='"name", or {touchpoint = "name", channel = "email"}'
            )
        return cls(given["touchpoint"], given.get("channel"))

    def __str__(self) -> str:
        return self.touchpoint if self.channel is None else f"{self.touchpoint} on {self.channel}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A named phase and the touchpoints in it."""

    name: str
    touchpoints: tuple[TouchpointPattern, ...]


@dataclass(frozen=True, slots=True)
class TouchpointFacts:
    """What is known about touchpoints besides their stage; None: nothing said.

    Parameters
    ----------
    match : which touchpoints.
    owner : the department that is responsible.
    kind : ``"complaint"``, ``"error"``, ``"support"``, ….
    by_company : True for what the company does (mail sent, ad shown): kept, but never part of anybody's behaviour.
    """

    match: TouchpointPattern
    owner: str | None = None
    kind: str | None = None
    by_company: bool | None = None


@dataclass(frozen=True, slots=True)
class StageMap:
    """Says which stage each touchpoint belongs to, and facts about it (owner, kind, whether the company acts).

    Several patterns may fit a touchpoint; the best one counts. An exact name is better than a glob, and a glob than a
    regular expression; then a pattern for its channel is better than one for all channels; then the one declared first.
    Each fact is found in the same way, on its own.

    Examples
    --------
    >>> stages = StageMap.of(
    ...     {"awareness": ["ad_*"], "purchase": ["order", {"touchpoint": "ad_*", "channel": "store"}]},
    ...     touchpoints=[{"match": "order", "owner": "Sales"}],
    ... )
    >>> stages.lookup(["ad_tv", "ad_tv", "order", "chat"], ["tv", "store", "web", "web"]).select(
    ...     "stage", "owner"
    ... ).rows()
    [('awareness', None), ('purchase', None), ('purchase', 'Sales'), (None, None)]
    """

    stages: tuple[Stage, ...] = ()
    facts: tuple[TouchpointFacts, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        for name in names:
            _check_text("stage name", name, hint="give every stage a name")
            if names.count(name) > 1:
                raise SchemaError(f"stage {name!r} is declared {names.count(name)} times", hint="list it once")
        said = [(what, getattr(fact, what)) for fact in self.facts for what in ("owner", "kind")]
        for what, label in [*(("stage", name) for name in names), *said]:
            if label is not None and escape_reserved(label) != label:
                raise SchemaError(
                    f"{what} {label!r} reads like a label of ours, which stands for none", hint="rename it"
                )

    @classmethod
    def of(
        cls,
        given: StageMap | Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]] | None = None,
        *,
        touchpoints: Sequence[Mapping[str, Any] | TouchpointFacts] = (),
    ) -> StageMap:
        """Build a map from ``{stage: [patterns]}``, or from the lists ``[[stages]]`` and ``[[touchpoints]]`` of TOML."""
        if isinstance(given, StageMap):
            return given if not touchpoints else cls(given.stages, given.facts + _facts(touchpoints))
        if given is None:
            return cls((), _facts(touchpoints))
        if isinstance(given, Mapping):
            given = [{"name": name, "touchpoints": patterns} for name, patterns in given.items()]
        listed: Any = given
        if not isinstance(listed, Sequence) or not all(isinstance(item, Mapping) for item in listed):
            raise SchemaError(
                f"stages {given!r} are no stages with their touchpoints",
                hint="{'awareness': ['ad_*'], 'purchase': ['order']}, in order",
            )
        return cls(tuple(_stage(item) for item in given), _facts(touchpoints))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def fingerprint(self) -> str:
        """Checksum of all that the map says, in 16 hex digits; ``""`` where it says nothing."""
        said = self.to_toml()
        return hashlib.sha256(said.encode()).hexdigest()[:16] if said else ""

    def lookup(self, touchpoints: Sequence[str], channels: Sequence[str] | None = None) -> pl.DataFrame:
        """Look up the stage and facts of (touchpoint, channel) pairs.

        Parameters
        ----------
        touchpoints, channels : labels in pairs, as the events carry them. Without `channels`, as in a log that has
            none, a pattern for one channel fits nothing.

        Returns
        -------
        One row per pair: touchpoint, channel, stage (null: unmapped), owner, kind, by_company (False unless declared).
        """
        where: Sequence[str | None] = [None] * len(touchpoints) if channels is None else channels
        pairs = list(zip(touchpoints, where, strict=True))
        of_stage = _finder([(pattern, stage.name) for stage in self.stages for pattern in stage.touchpoints])
        finders = {
            name: _finder([(fact.match, getattr(fact, name)) for fact in self.facts if getattr(fact, name) is not None])
            for name in ("owner", "kind", "by_company")
        }
        return pl.DataFrame(
            {
                "touchpoint": [pair[0] for pair in pairs],
                "channel": [pair[1] for pair in pairs],
                "stage": [of_stage(*pair) for pair in pairs],
                "owner": [finders["owner"](*pair) for pair in pairs],
                "kind": [finders["kind"](*pair) for pair in pairs],
                "by_company": [bool(finders["by_company"](*pair)) for pair in pairs],
            },
            schema={
                "touchpoint": pl.String,
                "channel": pl.String,
                "stage": pl.String,
                "owner": pl.String,
                "kind": pl.String,
                "by_company": pl.Boolean,
            },
        )

    def unmatched(self, touchpoints: Sequence[str], channels: Sequence[str] | None = None) -> tuple[str, ...]:
        """The declared patterns that fit none of the pairs: probably misspelt, or out of date."""
        where: Sequence[str | None] = [None] * len(touchpoints) if channels is None else channels
        declared = [pattern for stage in self.stages for pattern in stage.touchpoints]
        declared += [fact.match for fact in self.facts]
        left = list(dict.fromkeys(declared))
        labels = list(dict.fromkeys(touchpoints))
        by_label: dict[str, list[str | None]] = {}
        for label, channel in zip(touchpoints, where, strict=True):
            by_label.setdefault(label, []).append(channel)
        return tuple(
            str(pattern)
            for pattern in left
            if not any(
                _rank(pattern.touchpoint, label, escaped=True) is not None
                and (pattern.channel is None or any(_fits(pattern.channel, channel) for channel in by_label[label]))
                for label in labels
            )
        )

    def to_toml(self) -> str:
        """Return the ``[[stages]]`` and ``[[touchpoints]]`` as TOML, which `of` reads."""
        blocks = []
        for stage in self.stages:
            listed = toml_value([_pattern_value(pattern) for pattern in stage.touchpoints])
            blocks.append(f"[[stages]]\nname = {toml_value(stage.name)}\ntouchpoints = {listed}")
        for fact in self.facts:
            lines = ["[[touchpoints]]", f"match = {toml_value(_pattern_value(fact.match))}"]
            lines += [
                f"{name} = {toml_value(getattr(fact, name))}"
                for name in ("owner", "kind", "by_company")
                if getattr(fact, name) is not None
            ]
            blocks.append("\n".join(lines))
        return "\n\n".join(blocks)


def _check_text(what: str, given: Any, *, hint: str) -> None:
    if not isinstance(given, str) or not given:
        raise SchemaError(f"{what} {given!r} is no text", hint=hint)


def _pattern_value(pattern: TouchpointPattern) -> str | dict[str, str]:
    if pattern.channel is None:
        return pattern.touchpoint
    return {"touchpoint": pattern.touchpoint, "channel": pattern.channel}


def _stage(item: Mapping[str, Any]) -> Stage:
    unknown = sorted(set(item) - {"name", "touchpoints"})
    if unknown or "name" not in item:
        raise SchemaError(f"stage {dict(item)!r} is not understood", hint='name = "…", touchpoints = ["…"]')
    patterns = item.get("touchpoints", ())
    listed = [patterns] if isinstance(patterns, str | Mapping | TouchpointPattern) else patterns
    if not isinstance(listed, Iterable):
        raise SchemaError(f"stage {item['name']!r} has no touchpoints in {listed!r}", hint="{'awareness': ['ad_*']}")
    return Stage(item["name"], tuple(TouchpointPattern.of(pattern) for pattern in listed))


def _facts(given: Sequence[Mapping[str, Any] | TouchpointFacts]) -> tuple[TouchpointFacts, ...]:
    facts = []
    for item in given:
        if isinstance(item, TouchpointFacts):
            facts.append(item)
            continue
        fields = dict(item)
        match, channel = fields.pop("match", None), fields.pop("channel", None)
        unknown = sorted(set(fields) - {"owner", "kind", "by_company"})
        if unknown or match is None:
            raise SchemaError(
                f"touchpoint facts {dict(item)!r} are not understood", hint='match = "…", then owner, kind, by_company'
            )
        pattern = TouchpointPattern(match, channel) if isinstance(match, str) else TouchpointPattern.of(match)
        facts.append(TouchpointFacts(pattern, **fields))
    return tuple(facts)


def _finder(declared: list[tuple[TouchpointPattern, Any]]) -> Callable[[str, str | None], Any]:
    """The best declared answer for a pair; each label and channel is matched once, not once per pair."""

    @cache
    def candidates(label: str) -> list[tuple[TouchpointPattern, Any]]:
        ranked = []
        for position, (pattern, answer) in enumerate(declared):
            rank = _rank(pattern.touchpoint, label, escaped=True)
            if rank is not None:
                ranked.append(((rank, pattern.channel is None, position), pattern, answer))
        return [(pattern, answer) for _, pattern, answer in sorted(ranked, key=lambda entry: entry[0])]

    @cache
    def fits(pattern: str, channel: str | None) -> bool:
        return _fits(pattern, channel)

    def find(label: str, channel: str | None) -> Any:
        for pattern, answer in candidates(label):
            if pattern.channel is None or fits(pattern.channel, channel):
                return answer
        return None

    return find


def _fits(pattern: str, channel: str | None) -> bool:
    return channel is not None and _rank(pattern, channel) is not None


def _rank(pattern: str, label: str, *, escaped: bool = False) -> int | None:
    """How `pattern` fits `label`: exactly, as a glob, as a regular expression, or (None) not at all."""
    if pattern == label or (escaped and escape_reserved(pattern) == label):
        return _EXACT
    if pattern.startswith("re:"):
        return _REGEX if re.search(pattern[3:], label) else None
    return _GLOB if any(mark in pattern for mark in "*?[") and fnmatch.fnmatchcase(label, pattern) else None
