"""Every error this library raises on purpose.

Each says what is wrong, where, and in how many places, and ends with ``Hint:`` and the way out::

    JourneymineError
    ├── SchemaError            a column, type, unit, zone or option of the source is missing or ambiguous
    ├── SourceError            a source cannot be read, or holds nothing
    ├── DataQualityError       the rows are worse than the caller allows
    │   ├── QuarantineLimitError   too large a share of rows had to be set aside
    │   └── WildTimestampError     one stray timestamp would decide what is still open
    ├── RulesError             the journey rules contradict themselves or the log
    ├── UnknownLabelError      a touchpoint, channel, stage or segment that does not occur
    ├── QuestionError          a measure was asked for something it cannot answer
    ├── MergeError             counts of different questions, rules or cut-off times
    ├── EngineError            the place where the counting runs failed
    ├── StateError             a nightly state is locked, damaged or of another format, cannot be written, or refuses
    └── MissingExtraError      an optional dependency is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataQualityError",
    "EngineError",
    "JourneymineError",
    "MergeError",
    "MissingExtraError",
    "QuarantineLimitError",
    "QuestionError",
    "RulesError",
    "SchemaError",
    "SourceError",
    "StateError",
    "UnknownLabelError",
    "WildTimestampError",
]


class JourneymineError(Exception):
    """Base class of every error of this library.

    Parameters
    ----------
    message : what is wrong, where, and how often.
    hint : the way out; shown on a line of its own after ``Hint:``.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\nHint: {hint}" if hint else message)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[JourneymineError], message: str, hint: str) -> JourneymineError:
    return kind(message, hint=hint)


class SchemaError(JourneymineError):
    """A column, type, unit, zone or option of the source is missing or ambiguous."""


class SourceError(JourneymineError):
    """A source cannot be read, or holds nothing."""


class DataQualityError(JourneymineError):
    """The rows are worse than the caller allows."""


class QuarantineLimitError(DataQualityError):
    """Too large a share of rows had to be set aside."""


class WildTimestampError(DataQualityError):
    """One stray timestamp would decide which journeys are still open."""


class RulesError(JourneymineError):
    """The journey rules contradict themselves or the log."""


class UnknownLabelError(JourneymineError):
    """A touchpoint, channel, stage, segment or column that does not occur."""

    @classmethod
    def naming(cls, kind: str, label: object, known: Iterable[str], *, place: str = "this log") -> UnknownLabelError:
        """Build the error for `label`, with the nearest of the `known` labels of the place as the way out."""
        known = sorted(known)
        near = difflib.get_close_matches(str(label), known, n=3, cutoff=0.5)
        listed = near or known[:8]
        more = "" if near or len(known) <= len(listed) else f" … ({len(known)} in all)"
        hint = f"nearest: {', '.join(map(repr, near))}" if near else f"there are: {', '.join(map(repr, listed))}{more}"
        return cls(f"no {kind} {label!r} in {place}", hint=hint)


class QuestionError(JourneymineError):
    """A measure was asked for something it cannot answer."""


class MergeError(JourneymineError):
    """Counts of different questions, rules or cut-off times cannot be added."""


class EngineError(JourneymineError):
    """The counting failed in the place where it runs."""


class StateError(JourneymineError):
    """A nightly state is locked, damaged or of another format, cannot be written, or refuses what is asked."""


class MissingExtraError(JourneymineError):
    """An optional dependency is not installed."""

    @classmethod
    def naming(cls, package: str, extra: str) -> MissingExtraError:
        """Build the error for a `package` that comes with the optional `extra`."""
        return cls(
            f"this needs the package {package!r}, which is not installed", hint=f"pip install 'journeymine[{extra}]'"
        )
