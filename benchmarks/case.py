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
    against : names of the cases of other tools that give the same answer; the table has a ratio for each.
    largest : more events than this are not tried (another tool's memory, or patience).
    """

    name: str
    answers: str
    prepare: Callable[[str], Any]
    run: Callable[[Any], Any]
    against: tuple[str, ...] = ()
    largest: int | None = None
