"""What is no measure, no engine and no number of parts is refused as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.counting import count_in_memory, finish
from journeymine.engines import Buckets, mine
from journeymine.errors import QuestionError
from journeymine.events import read_events
from journeymine.graph import Transitions
from journeymine.journeys import build_journeys
from journeymine.metrics import Conversion

EVENTS = read_events(
    pl.DataFrame({"user": ["a", "a"], "s": [0, 60], "what": ["see", "buy"]}),
    user="user", timestamp="s", time_unit="s", touchpoint="what",
)  # fmt: skip


@pytest.mark.parametrize(
    "asked", ["conversion", Conversion(), ["conversion"], [Conversion], [Transitions(), None], 3], ids=str
)
def test_what_is_no_list_of_measures_is_refused(asked: Any) -> None:
    with pytest.raises(QuestionError, match=r"is no (list of measures|measure with its question)(?s:.*)Hint"):
        mine(EVENTS, asked)


@pytest.mark.parametrize("engine", ["buckets", Buckets, 3], ids=str)
def test_what_is_no_engine_is_refused(engine: Any) -> None:
    with pytest.raises(QuestionError, match=r"is no engine(?s:.*)Hint"):
        mine(EVENTS, [Transitions()], engine=engine)


def test_only_a_measure_finishes() -> None:
    counts = count_in_memory(Conversion(), build_journeys(EVENTS, goal="buy"))
    for what in ("conversion", Conversion):
        with pytest.raises(QuestionError, match="is no measure"):
            finish(what, counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"n_buckets": 2.5},
        {"n_buckets": "4"},
        {"n_buckets": 513},
        {"memory": True},
        {"memory": "lots"},
        {"directory": 5},
    ],
    ids=str,
)
def test_buckets_that_cannot_be_made_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match=r"Hint"):
        Buckets(**fields)
    assert Buckets(Path("work"), n_buckets=512)
