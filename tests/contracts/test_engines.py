"""One suite over every engine: the same numbers as counting in memory, for every measure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from journeymine.counting import Measure, count_in_memory
from journeymine.engines import mine
from journeymine.errors import JourneymineError, UnknownLabelError
from journeymine.graph import Variants
from journeymine.journeys import build_journeys
from journeymine.metrics import (
    Activity,
    Attribution,
    CustomerValue,
    FirstContact,
    Funnel,
    LifeCycle,
    RepeatRate,
    Retention,
    Stickiness,
    Waiting,
)
from tests.contracts.engines import ENGINES, EngineCase
from tests.contracts.measures import MEASURES
from tests.oracles.logs import CHANNELS, MINUTE, TOUCHPOINTS, Row, frame_of, read


def marks(case: EngineCase) -> list[pytest.MarkDecorator]:
    """Tests of an optional part are marked as such, so that it starts on one worker only."""
    of_part = [getattr(pytest.mark, case.part)] if case.part else []
    return of_part + ([pytest.mark.filterwarnings(case.warns)] if case.warns else [])


EVERY = pytest.mark.parametrize("case", [pytest.param(case, marks=marks(case), id=case.name) for case in ENGINES])
RULES: list[dict[str, Any]] = [
    {"goal": "order", "lost_at": "quit", "idle": "10m", "session_gap": "3m"},
    {"goal": ["order", "🛒"], "after_goal": "cut", "idle": "10m", "session_gap": "3m", "value_from": "any"},
    {"goal": "order", "split": "user", "idle": "10m", "session_gap": "3m"},
]


def some_log(seed: int, n: int = 1_500, n_users: int = 90) -> tuple[Row, ...]:
    """Many users of very different activity, with ties."""
    draw = np.random.default_rng(seed)
    who = np.minimum(draw.zipf(1.4, n), n_users) + seed
    when = draw.integers(0, 300, n) * MINUTE + draw.integers(0, 2, n)
    what = draw.integers(0, len(TOUCHPOINTS), n)
    where = draw.integers(0, len(CHANNELS), n)
    number = draw.random((4, n))
    return tuple(
        Row(
            f"user-{who[i]}",
            int(when[i]),
            TOUCHPOINTS[what[i]],
            CHANNELS[where[i]],
            None if number[0, i] < 0.5 else float(round(number[1, i] * 100)),
            None if number[2, i] < 0.5 else 0.25,
            ("pro", "free", None)[int(number[3, i] * 3)],
            None if number[1, i] < 0.5 else int(number[2, i] * 5) + 1,
        )
        for i in range(n)
    )


@EVERY
@pytest.mark.parametrize("fields", RULES, ids=["stay", "cut", "user"])
def test_an_engine_counts_what_is_counted_in_memory(
    case: EngineCase, fields: dict[str, Any], tmp_path: Path, require: Callable[[str], None]
) -> None:
    if case.part is not None:
        require(case.part)
    events = read(frame_of(some_log(1)))
    journeys = build_journeys(events, **fields)
    asked, expected = [], []
    for measure in MEASURES:
        try:
            expected.append(count_in_memory(measure, journeys))
            asked.append(measure)
        except JourneymineError:
            continue
    mined = mine(read(frame_of(some_log(1))), asked, engine=case.make(tmp_path), **fields)
    assert mined.context == journeys.context
    for measure, counts, found in zip(asked, expected, mined.counts.values(), strict=True):
        assert found.equals(counts), (measure, found.tables, counts.tables)


@EVERY
def test_an_engine_reads_the_rules_of_the_configuration(
    case: EngineCase, tmp_path: Path, require: Callable[[str], None]
) -> None:
    if case.part is not None:
        require(case.part)
    frame_of(some_log(2)).write_parquet(tmp_path / "log.parquet")
    (tmp_path / "journey.toml").write_text(
        """
        [[sources]]
        path = "log.parquet"
        user = "user"
        timestamp = "us"
        time_unit = "us"
        touchpoint = "touchpoint"
        channel = "channel"
        [[stages]]
        name = "before"
        touchpoints = ["ad", "visit"]
        [[stages]]
        name = "after"
        touchpoints = ["order", "call"]
        [journeys]
        goal = "order"
        idle = "10m"
        session_gap = "3m"
        """,
        encoding="utf-8",
    )
    from journeymine.events import read_events
    from journeymine.metrics import Conversion

    events = read_events(tmp_path / "journey.toml")
    (tmp_path / "work").mkdir()
    mined = mine(events, [Conversion()], engine=case.make(tmp_path / "work"))
    assert mined.results["conversion"].basis.rules.goal is not None
    assert mined.counts["conversion"].equals(count_in_memory(Conversion(), build_journeys(events)))


@EVERY
def test_an_engine_reports_progress_and_can_be_cancelled(
    case: EngineCase, tmp_path: Path, require: Callable[[str], None]
) -> None:
    if case.part is not None:
        require(case.part)
    events = read(frame_of(some_log(3, n=200)))
    seen: list[float] = []
    mine(events, MEASURES[:2], engine=case.make(tmp_path), goal="order", progress=lambda what, done: seen.append(done))
    assert seen
    assert all(0 <= done <= 1 for done in seen)

    class Stop(Exception):  # noqa: N818
        pass

    def stop(what: str, done: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        mine(events, MEASURES[:2], engine=case.make(tmp_path), goal="order", progress=stop)


ABSENT: list[Measure] = [
    Funnel(steps=["visit", "no such touchpoint"]),
    Funnel(steps=["visit", "order"], exclude=[{"step": "no such touchpoint", "between": [1, 2]}]),
    Retention(returned="no such touchpoint"),
    RepeatRate(event=["order", "no such touchpoint"]),
    LifeCycle(event="no such touchpoint"),
    Stickiness(event="no such touchpoint"),
    CustomerValue(event={"touchpoint": "no such touchpoint", "channel": "web"}),
    Activity(event="no such touchpoint"),
    Waiting(start="visit", until="no such touchpoint"),
    FirstContact(support="no such touchpoint"),
    Attribution(rules="w_shaped", middle="no such touchpoint"),
    Activity(event={"channel": "no such channel"}),
    Waiting(start={"any": ["visit", {"not": {"plan": "no such plan"}}]}),
    Funnel(steps=["visit", "order"], exclude={"stage": "no such stage"}),
    Stickiness(event={"owner": {"not_in": ["Sales", "no such owner"]}}),
    Retention(returned={"kind": ["complaint", "no such kind"]}),
]


@EVERY
@pytest.mark.parametrize("measure", ABSENT, ids=lambda measure: measure.name)
def test_an_engine_refuses_a_label_that_nobody_has(
    measure: Measure, case: EngineCase, tmp_path: Path, require: Callable[[str], None]
) -> None:
    if case.part is not None:
        require(case.part)
    log = [*some_log(4, n=200), Row("somebody", 0, "(unknown)", "web", None, None, None, None)]
    with pytest.raises(UnknownLabelError, match=r"no (\w+) 'no such \1'(?s:.*)Hint"):
        mine(read(frame_of(tuple(log))), [Variants(), measure], engine=case.make(tmp_path), goal="order")
    # A label of ours may be asked for without its quotes, and one that a part lacks is no error.
    declared = {"any": [{"stage": "awareness"}, {"owner": "(unknown)"}, {"plan": "(unknown)"}]}
    asked = [Funnel(steps=["(unknown)", "order"]), Activity(event='"(unknown)"'), LifeCycle(event=declared)]
    if measure is ABSENT[0]:
        assert (
            len(mine(read(frame_of(tuple(log))), asked, engine=case.make(tmp_path / "two"), goal="order").results) == 3
        )
