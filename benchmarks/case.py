"""A case: something to do with a log, timed on its own. Standard library only, so that any environment can load it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """One row of the benchmark table.

    Attributes
    ----------
    name : unique.
    answers : what comes out, in a few words.
    prepare : makes what the case starts from, out of the path of the log; not timed.
    run : the timed part, given what `prepare` returned.
    against : names of the cases of other tools that give the same answer, or (``… bare``) the plain figure of it; the
        table has a ratio for each.
    largest : more events than this are not tried (another tool's memory, or patience).
    shape : of the log it needs (see `logs`): ``"rich"`` for questions about stages, value and scores.
    after : for a measure on journeys already built, the cases that build them: from events, and from the file.
    """

    name: str
    answers: str
    prepare: Callable[[str], Any]
    run: Callable[[Any], Any]
    against: tuple[str, ...] = ()
    largest: int | None = None
    shape: str = "plain"
    after: tuple[str, ...] = ()
