"""Every measure, broken down by labels that are called as its own columns: right labels, or a clear word on why not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.counting import Measure, Result, count_in_memory, finish
from journeymine.counting.taken import check_names
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys
from tests.contracts.measures import MEASURES
from tests.oracles.logs import MINUTE, START, build, busy

LIKELY = (
    "share", "n", "open", "lost", "converted", "bucket", "difference", "weight", "gain", "won", "group", "label", "asked", "value",
    "period", "day", "step", "from", "to", "path", "state", "outcome", "cohort", "rank", "reason", "label_right", "all_n", "index",
    "size", "row", "count", "len", "bin", "time", "score", "next", "change", "arrival", "first", "last", "linear", "position",
)  # fmt: skip
"""Names that an attribute or a segment may well have."""
WORKING = (
    "_row",
    "_at",
    "_g",
    "_group",
    "_none",
    "_of",
    "_half",
    "_place",
    "_asked",
    "_n",
    "_won",
    "_gain",
    "_weight",
    "fold",
)
"""Names of columns in which answers are worked out."""


@cache
def journeys() -> Journeys:
    log = {row._replace(user=f"{row.user}{row.us // MINUTE % 4}") for seed in (2, 3, 8) for row in busy(seed)}
    ordered = tuple(sorted(log, key=repr))
    return build(
        ordered, goal="order", idle="10m", session_gap="3m", mature_after="1m", observed_until=START + 70 * MINUTE
    )


def called(name: str) -> Journeys:
    """The journeys with a segment of this name, whatever stands in the way of one otherwise."""
    coded = Coded((np.arange(len(journeys())) % 2).astype(np.uint8), ("x", "y"))
    return journeys().replace(segments={name: coded})


def by(measure: Measure, name: str) -> Measure:
    asked: Any = measure
    return dataclasses.replace(asked, by=(name,))  # type: ignore[no-any-return]


def frames_of(result: Result) -> list[pl.DataFrame]:
    return [result.frame, *result.tables.values()]


@cache
def columns(number: int) -> tuple[str, ...]:
    """Columns of the answers and of the counts of a measure that is broken down by a name like no other."""
    asked = by(MEASURES[number], "the_label")
    result = jm.mine(called("the_label"), [asked]).results[asked.name]
    found = {column for frame in (result.frame, *result.tables.values()) for column in frame.columns}
    for spec in asked.specs().values():
        found |= {*spec.schema, *spec.values}
    return tuple(sorted(found - {"the_label"}))


def questions() -> list[Measure]:
    """Of the questions of the suite those that count in other columns, once they are broken down by one name."""
    found: dict[Any, Measure] = {}
    for measure in MEASURES:
        shapes = [(*spec.keys, *spec.values) for spec in by(measure, "the_label").specs().values()]
        found.setdefault((measure.name, *shapes), measure)
    return list(found.values())


@pytest.mark.parametrize("measure", questions(), ids=lambda measure: measure.name)
def test_a_name_of_ours_gives_the_same_numbers_or_is_refused(measure: Measure) -> None:
    own = columns(MEASURES.index(measure))
    plain = by(measure, "the_label")
    expected = frames_of(finish(plain, count_in_memory(plain, called("the_label"))))
    refused = set()
    for name in sorted({*own, *LIKELY, *WORKING} - set(journeys().coded.labels)):
        asked = by(measure, name)
        try:
            found = jm.mine(called(name), [asked]).results[asked.name]
        except QuestionError as error:
            said = str(error)
            refused |= {name} if f"by={name!r}" in said and "another name: journeys.segment(" in said else {said}
            continue
        for mine, theirs in zip(frames_of(found), expected, strict=True):
            there = "the_label" in theirs.columns
            assert mine.equals(theirs.rename({"the_label": name}) if there else theirs), name
            assert not there or set(mine[name]) <= {"x", "y", "(none)"}
    assert {*WORKING} - {"fold"} <= refused <= {*own, *WORKING, *(f"{column}_rest" for column in own)}


@pytest.mark.parametrize(
    "name", ["size", "bucket", "bin", "time", "score", "next", "change", "arrival", "first", "linear"]
)
def test_what_only_counts_are_called_a_breakdown_may_be_called_too(name: str) -> None:
    """No answer shows it, so nobody could know why it is refused."""
    for measure in questions():
        check_names(by(measure, name))


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("difference", lambda own: jm.compare(own, own, jm.Conversion(by="difference"))),
        ("weight_a", lambda own: jm.decompose(own, own, by="weight_a")),
        ("rank", lambda own: jm.opportunities(own, by="rank")),
        ("state", lambda own: jm.markov(own, by="state")),
        ("share", lambda own: jm.conversion(own, by=["channel", "share"])),
    ],
)
def test_what_is_made_of_measures_has_columns_of_its_own(name: str, ask: Any) -> None:
    with pytest.raises(QuestionError, match=f"by='{name}': (?s:.*)Hint: give it another name"):
        ask(called(name))


ASIDE = """
    from journeymine import Conversion, DropOff, Transitions
    from journeymine.counting.taken import check_names

    def reserved():
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) / 1024

    before = reserved()
    for measure in (Transitions(), Conversion(by="channel"), DropOff(by="channel")):
        check_names(measure)
    print(reserved() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_checking_names_sets_no_memory_aside() -> None:
    """It comes before the log is read, and Arrow takes a gibibyte of addresses for its first array."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(ASIDE)], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 500, "MiB"
